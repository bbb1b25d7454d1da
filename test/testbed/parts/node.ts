/** The real node: containerd, CNI bridge, kubelet; registries that its containerd may log in to. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { cniConfig, containerdConfig, kubeletCommand, kubeletConfig } from './control-plane.ts';
import type { Layout, Ports } from './control-plane.ts';
import { imageArchive } from './image-archive.ts';
import type { Binaries } from './kubernetes-build.ts';
import { cacheRoot, SOURCES } from './places.ts';
import { waitFor } from './processes.ts';
import { bring } from './debian.ts';
import { ensure, fileOf } from './programs.ts';
import { must, run, which } from './run.ts';
import { step, TestbedError } from './say.ts';
import type { Log } from './say.ts';

const PAUSE_IMAGE = 'localhost/pause:1';

export interface NodePrograms {
  readonly containerd: string;
  readonly ctr: string;
  readonly shim: string;
  readonly runc: string;
  readonly cniBin: string;
  readonly ip: string;
  readonly pauseArchive: string;
}

/** Everything that a real node runs, brought when missing. */
export async function nodePrograms(log: Log): Promise<NodePrograms> {
  const containerd = await ensure('containerd', log);
  return {
    containerd: fileOf(containerd, 'containerd'),
    ctr: fileOf(containerd, 'ctr'),
    shim: fileOf(containerd, 'containerd-shim-runc-v2'),
    runc: fileOf(await ensure('runc', log), 'runc'),
    cniBin: (await ensure('cni', log)).directory,
    ip: fileOf(await ensure('iproute', log), 'ip'),
    pauseArchive: await pauseArchive(log),
  };
}

/** The pause image, made here: a static program by gcc, or busybox that sleeps. */
async function pauseArchive(log: Log): Promise<string> {
  const file = path.join(cacheRoot(), 'pause', `pause-1-${os.arch()}.tar`);
  if (fs.existsSync(file)) return file;
  return step(log, 'making the pause image', "every pod's sandbox runs it; usually 1 s", async () => {
    const work = fs.mkdtempSync(path.join(os.tmpdir(), 'paasta-pause-'));
    try {
      const architecture = os.arch() === 'x64' ? 'amd64' : os.arch(),
        program = path.join(work, 'pause');
      const gcc = which('gcc');
      const compiled =
        gcc !== undefined &&
        (await run([gcc, '-Os', '-static', '-s', '-o', program, path.join(SOURCES, 'pause', 'pause.c')])).exitCode === 0;
      const busybox = compiled ? '' : (which('busybox') ?? path.join(await bring('own', ['busybox-static'], log), 'bin', 'busybox'));
      const archive = compiled
        ? imageArchive([{ name: 'pause', content: fs.readFileSync(program), mode: 0o755 }], {
            reference: PAUSE_IMAGE,
            architecture,
            entrypoint: ['/pause'],
          })
        : // busybox sleep as process 1 ignores SIGTERM unless a shell traps it
          imageArchive([{ name: 'busybox', content: fs.readFileSync(busybox), mode: 0o755 }], {
            reference: PAUSE_IMAGE,
            architecture,
            entrypoint: ['/busybox', 'sh', '-c', 'trap "exit 0" TERM INT; while :; do /busybox sleep 3600 & wait $!; done'],
          });
      fs.mkdirSync(path.dirname(file), { recursive: true });
      fs.writeFileSync(`${file}.${process.pid}`, archive);
      fs.renameSync(`${file}.${process.pid}`, file);
      return file;
    } finally {
      fs.rmSync(work, { recursive: true, force: true });
    }
  });
}

/** containerd looks for its shim, and the shim for runc, on PATH. */
export function containerEnvironment(programs: NodePrograms): Record<string, string> {
  const first = [programs.containerd, programs.shim, programs.runc].map((p) => path.dirname(p));
  return { PATH: [...new Set(first), process.env['PATH'] ?? '', '/usr/sbin', '/sbin'].join(':') };
}

/** Writes containerd's and the CNI configuration; answers the command. */
export function launchContainerd(at: Layout, programs: NodePrograms, network: Parameters<typeof cniConfig>[1]): string[] {
  const conf = path.join(at.dir, 'cni', 'conf'),
    file = path.join(at.dir, 'containerd.toml');
  fs.mkdirSync(conf, { recursive: true });
  fs.mkdirSync(path.join(at.dir, 'certs.d'), { recursive: true });
  fs.writeFileSync(path.join(conf, '10-testbed.conflist'), cniConfig(at, network));
  fs.writeFileSync(file, containerdConfig(at, { runc: programs.runc, cniBin: programs.cniBin, pauseImage: PAUSE_IMAGE }));
  return [programs.containerd, '--config', file];
}

/** Waits for containerd and gives it the pause image. */
export async function finishNode(at: Layout, programs: NodePrograms, log: Log): Promise<void> {
  const ctr = [programs.ctr, '--address', path.join(at.dir, 'cd.sock')];
  await waitFor(at.dir, 'containerd', 'containerd', 120_000, async () => (await run([...ctr, 'version'])).exitCode === 0);
  const imported = await must([...ctr, '-n', 'k8s.io', 'images', 'import', programs.pauseArchive]);
  if ((await must([...ctr, '-n', 'k8s.io', 'images', 'list', '-q', `name==${PAUSE_IMAGE}`])) === '')
    throw new TestbedError(`the pause image is missing after its import: ${imported}`);
  log('  containerd ready');
}

export function launchKubelet(
  bin: Binaries,
  at: Layout,
  node: { readonly nodeName: string; readonly nodeIp: string; readonly ports: Ports },
  cgroup: string,
): string[] {
  fs.writeFileSync(
    path.join(at.dir, 'kubelet.json'),
    kubeletConfig(at, { ip: node.nodeIp, healthPort: node.ports.kubeletHealth, cgroup: `/${cgroup}` }),
  );
  return kubeletCommand(bin, at, { name: node.nodeName, ip: node.nodeIp });
}

/** `hosts.toml` of one registry: the node presents the credential itself, as PaaSTA's nodes do, so pods need no secret. */
export function hostsToml(host: string, user: string, password: string): string {
  const basic = Buffer.from(`${user}:${password}`).toString('base64');
  return `server = "http://${host}"\n\n[host."http://${host}"]\n  capabilities = ["pull", "resolve"]\n  [host."http://${host}".header]\n    Authorization = ["Basic ${basic}"]\n`;
}

/** Lets the node pull from a registry; read by containerd at the next pull. */
export function addNodeRegistry(dir: string, registry: { readonly host: string; readonly user: string; readonly password: string }): void {
  const at = path.join(dir, 'certs.d', registry.host);
  fs.mkdirSync(at, { recursive: true });
  fs.writeFileSync(path.join(at, 'hosts.toml'), hostsToml(registry.host, registry.user, registry.password), { mode: 0o600 });
}
