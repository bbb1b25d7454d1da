/** What runs now, by name. */
import fs from 'node:fs';
import { clusterDir } from './cluster.ts';
import { engineDir, engineUsers } from './docker.ts';
import { layout } from './control-plane.ts';
import { gitDir, gitHint } from './git-server.ts';
import { recorded, recordedNames, residentMiB } from './processes.ts';
import { isUp, readRecord } from './record.ts';
import { readRegistry, registryDir } from './registry.ts';

function processes(dir: string): string[] {
  return recordedNames(dir).map((name) => {
    const pid = recorded(dir, name);
    return pid === undefined
      ? `    ${name.padEnd(26)} dead`
      : `    ${name.padEnd(26)} pid ${String(pid).padEnd(8)} ${String(residentMiB(pid)).padStart(5)} MiB`;
  });
}

/** Lines to print, and whether everything that was started is whole. */
export async function describe(name: string): Promise<{ readonly lines: string[]; readonly whole: boolean }> {
  const lines: string[] = [`testbed '${name}'`],
    cluster = clusterDir(name),
    registry = readRegistry(name);
  let whole = true,
    parts = 0;
  if (fs.existsSync(cluster)) {
    parts++;
    const record = readRecord(cluster),
      up = await isUp(cluster);
    whole &&= up;
    lines.push(
      `  kubernetes ${record?.version ?? ''} (${record?.size ?? 'unknown size'})`,
      ...processes(cluster),
      up
        ? `    ready; kubectl: ${record?.kubectl ?? 'kubectl'} --kubeconfig ${layout(cluster).kubeconfig}`
        : '    not whole: `up` replaces it',
    );
  }
  if (fs.existsSync(registryDir(name))) {
    parts++;
    whole &&= registry !== undefined;
    lines.push(
      '  registry',
      ...processes(registryDir(name)),
      ...(registry === undefined
        ? []
        : [`    ${registry.host}, user ${registry.user}; DOCKER_CONFIG=${registry.dockerConfigDir} is logged in`]),
    );
  }
  if (fs.existsSync(gitDir(name))) {
    parts++;
    const up = recorded(gitDir(name), 'git') !== undefined;
    whole &&= up;
    lines.push('  git', ...processes(gitDir(name)), ...(up ? [`    ${gitHint(gitDir(name))}`] : []));
  }
  if (engineUsers().includes(name)) {
    parts++;
    whole &&= recorded(engineDir(), 'dockerd') !== undefined;
    lines.push(
      `  docker engine (used by ${engineUsers().join(', ')})`,
      ...processes(engineDir()),
      `    DOCKER_HOST=unix://${engineDir()}/docker.sock`,
    );
  }
  if (parts === 0) lines.push('  nothing is up');
  return { lines, whole: whole && parts > 0 };
}
