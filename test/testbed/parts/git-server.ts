/** The GitHub double (git over HTTP included) as a background process, for looking around by hand. */
import fs from 'node:fs';
import path from 'node:path';
import { machineLock, withLock } from './lock.ts';
import { freePorts, portOpen } from './ports.ts';
import { checkName, partState, SOURCES, tidyState } from './places.ts';
import { launch, recorded, stop, waitFor } from './processes.ts';
import { ensure } from './programs.ts';
import { step } from './say.ts';
import type { Log } from './say.ts';

export const gitDir = (name: string): string => partState(checkName(name), 'git');

/** Where it is reached. */
export function gitHint(dir: string): string {
  return `git over HTTP and the GitHub double: http://127.0.0.1:${fs.readFileSync(path.join(dir, 'port'), 'utf8')} (repositories in ${dir}/repositories)`;
}

/** Starts or reuses it; answers the line to print. */
export async function upGit(name: string, log: Log): Promise<string> {
  const dir = gitDir(name),
    port = path.join(dir, 'port'),
    hint = (): string => gitHint(dir);
  if (recorded(dir, 'git') !== undefined && (await portOpen(Number(fs.readFileSync(port, 'utf8'))))) {
    log(`git server '${name}' is up already: reusing it`);
    return hint();
  }
  await ensure('git', log);
  await step(log, `starting git over HTTP '${name}'`, "the service's repository; usually 1 s", async () => {
    fs.mkdirSync(path.join(dir, 'repositories'), { recursive: true });
    // Until it listens, nobody else may find its port free; a range of its own, because clusters are promised theirs before they listen.
    await withLock(machineLock(), async () => {
      const [free = 0] = await freePorts(1, new Set(), 20_000, 1000);
      await launch(dir, 'git', {
        argv: [process.execPath, path.join(SOURCES, 'github', 'cli.ts'), '--port', String(free), '--root', path.join(dir, 'repositories')],
      });
      await waitFor(dir, 'git', 'the git server', 120_000, () => portOpen(free));
      fs.writeFileSync(port, String(free));
    });
  });
  return hint();
}

export async function downGit(name: string, log: Log): Promise<boolean> {
  const dir = gitDir(name);
  if (!fs.existsSync(dir)) return false;
  await stop(dir, 'git');
  fs.rmSync(dir, { recursive: true, force: true });
  tidyState(name);
  log(`git server '${name}' is down`);
  return true;
}
