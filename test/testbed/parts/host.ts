/** What a cluster with a kubelet changes on the machine, and how it is put back: cgroups, mounts, sysctls, the bridge. */
import fs from 'node:fs';
import path from 'node:path';
import { knownNames, partState, stateRoot } from './places.ts';
import { must, run } from './run.ts';
import { sleep } from './say.ts';
import type { Log } from './say.ts';

/** The kubelet and the bridge plugin change these. */
const SYSCTLS = [
  'vm.overcommit_memory',
  'kernel.panic',
  'kernel.panic_on_oops',
  'kernel.keys.root_maxkeys',
  'kernel.keys.root_maxbytes',
  'net.ipv4.ip_forward',
];
const KUBELET_DIR = '/var/lib/kubelet';
const POD_NETWORK = '10.244';

const read = (file: string): string | undefined => {
  try {
    return fs.readFileSync(file, 'utf8').trim();
  } catch {
    return undefined;
  }
};
const write = (file: string, text: string): boolean => {
  try {
    fs.writeFileSync(file, text);
    return true;
  } catch {
    return false;
  }
};
const removeDir = (dir: string): boolean => {
  try {
    fs.rmdirSync(dir);
    return true;
  } catch {
    return !fs.existsSync(dir);
  }
};
const sysctlFile = (name: string): string => `/proc/sys/${name.replaceAll('.', '/')}`;
const savedFile = (): string => path.join(stateRoot(), 'sysctls.json');

interface Mount {
  readonly at: string;
  readonly type: string;
  readonly options: string;
}

export function mounts(): Mount[] {
  return (read('/proc/self/mounts') ?? '').split('\n').map((line) => {
    const [, at = '', type = '', options = ''] = line.split(' ');
    return { at: at.replaceAll(/\\(\d{3})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8))), type, options };
  });
}

/** Unmounts everything below a directory, the deepest first. */
export async function unmountBelow(dir: string): Promise<void> {
  const below = mounts()
    .map((m) => m.at)
    .filter((m) => m.startsWith(`${dir}/`))
    .sort()
    .reverse();
  for (const at of below) if ((await run(['umount', at])).exitCode !== 0) await run(['umount', '-l', at]);
}

// ------------------------------------------------------------------ cgroups
export function cgroupV2(): boolean {
  return mounts().some((m) => m.at === '/sys/fs/cgroup' && m.type === 'cgroup2');
}

function hierarchies(): string[] {
  return cgroupV2()
    ? ['/sys/fs/cgroup']
    : mounts()
        .filter((m) => m.type === 'cgroup')
        .map((m) => m.at);
}

/** One hierarchy in which every process of a group can be found again, strays included. */
function trackingRoot(group: string): string {
  const pids = mounts().find((m) => m.type === 'cgroup' && m.options.split(',').includes('pids'))?.at;
  return path.join(cgroupV2() ? '/sys/fs/cgroup' : (pids ?? hierarchies()[0] ?? '/sys/fs/cgroup'), group);
}

/** Makes the cgroup in every hierarchy; answers the directory that processes join. */
export function makeCgroup(group: string): string {
  for (const root of hierarchies()) {
    const dir = path.join(root, group);
    fs.mkdirSync(dir, { recursive: true });
    if (cgroupV2()) {
      // children may only use the controllers that the parent hands down
      for (const c of ['cpu', 'cpuset', 'memory', 'pids'])
        if (write(path.join(root, 'cgroup.subtree_control'), `+${c}`)) write(path.join(dir, 'cgroup.subtree_control'), `+${c}`);
    } else {
      for (const file of ['cpuset.cpus', 'cpuset.mems']) {
        const value = read(path.join(root, file));
        if (value !== undefined && value !== '') write(path.join(dir, file), value);
      }
    }
  }
  const joined = path.join(trackingRoot(group), 'host');
  fs.mkdirSync(joined, { recursive: true });
  return joined;
}

function below(dir: string): string[] {
  let names: fs.Dirent[];
  try {
    names = fs.readdirSync(dir, { withFileTypes: true });
  } catch {
    return [];
  }
  return [...names.filter((n) => n.isDirectory()).flatMap((n) => below(path.join(dir, n.name))), dir];
}

/** Kills what is left in the cgroup and removes it everywhere; says so when something cannot be removed. */
export async function removeCgroup(group: string, log: Log): Promise<void> {
  const tracked = trackingRoot(group);
  for (let i = 0; i < 200; i++) {
    const pids = below(tracked)
      .flatMap((d) => (read(path.join(d, 'cgroup.procs')) ?? '').split('\n'))
      .map(Number)
      .filter((p) => p > 0 && p !== process.pid);
    if (pids.length === 0) break;
    for (const pid of pids)
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        /* ended meanwhile */
      }
    await sleep(50);
  }
  // a hybrid v1 machine has a v2 tree too, and the runtime makes directories there
  const roots = mounts()
    .filter((m) => m.type === 'cgroup' || m.type === 'cgroup2')
    .map((m) => path.join(m.at, group));
  for (let i = 0; i < 50; i++) {
    if (roots.flatMap(below).map(removeDir).every(Boolean)) return;
    await sleep(100);
  }
  log(`  some cgroups named ${group} could not be removed`);
}

// ------------------------------------------------------------------ the bridge
/** A free pod subnet with its bridge: `10.244.<i>.0/24`, node and gateway at `.1`. */
export async function makeBridge(ip: string): Promise<{ readonly bridge: string; readonly subnet: string; readonly gateway: string }> {
  const taken = await must([ip, '-4', '-o', 'addr']),
    links = await must([ip, '-o', 'link']);
  for (let i = 0; i < 200; i++) {
    const bridge = `ptb${i}`,
      gateway = `${POD_NETWORK}.${i}.1`;
    if (links.includes(` ${bridge}:`) || taken.includes(`inet ${POD_NETWORK}.${i}.`)) continue;
    await must([ip, 'link', 'add', bridge, 'type', 'bridge']);
    await must([ip, 'addr', 'add', `${gateway}/24`, 'dev', bridge]);
    await must([ip, 'link', 'set', bridge, 'up']);
    return { bridge, subnet: `${POD_NETWORK}.${i}.0/24`, gateway };
  }
  throw new Error('no free pod subnet below 10.244.0.0/16');
}

// ------------------------------------------------------------------ sysctls and fixed places
/** Remembers the kernel's settings before the first kubelet changes them. */
export function saveSettings(): void {
  if (fs.existsSync(savedFile())) return;
  const values = Object.fromEntries(SYSCTLS.map((name) => [name, read(sysctlFile(name))]));
  fs.writeFileSync(savedFile(), JSON.stringify({ values, madeKubeletDir: !fs.existsSync(KUBELET_DIR) }));
}

/** Marks the directory of a cluster with a kubelet: while one is left, the settings stay. */
export const fullMark = (dir: string): string => path.join(dir, 'full');

/** Puts the kernel's settings back when no cluster with a kubelet is left. */
export function restoreSettings(): void {
  const text = read(savedFile());
  if (text === undefined || knownNames().some((n) => fs.existsSync(fullMark(partState(n, 'kubernetes'))))) return;
  const saved = JSON.parse(text) as { values: Record<string, string | undefined>; madeKubeletDir: boolean };
  for (const [name, value] of Object.entries(saved.values))
    if (value !== undefined && read(sysctlFile(name)) !== value) write(sysctlFile(name), value);
  if (saved.madeKubeletDir) {
    // the kubelet's device plugin socket is at a fixed place, whatever --root-dir says
    fs.rmSync(path.join(KUBELET_DIR, 'device-plugins', 'kubelet.sock'), { force: true });
    removeDir(path.join(KUBELET_DIR, 'device-plugins'));
    removeDir(KUBELET_DIR);
  }
  fs.rmSync(savedFile(), { force: true });
}

/** Files that containerd, its shims, the CNI library and the kubelet keep at fixed places. */
export function removeTraces(dir: string): void {
  const tasks = path.join(dir, 'containerd', 'state', 'io.containerd.runtime.v2.task', 'k8s.io');
  let ids: string[] = [];
  try {
    ids = fs.readdirSync(tasks);
  } catch {
    /* no sandbox was running */
  }
  const results = '/var/lib/cni/results';
  for (const id of ids) {
    const address = read(path.join(tasks, id, 'address')) ?? '';
    if (address.startsWith('unix:///run/containerd/s/')) fs.rmSync(address.slice('unix://'.length), { force: true });
    if (fs.existsSync(results))
      for (const f of fs.readdirSync(results)) if (f.includes(`-${id}-`)) fs.rmSync(path.join(results, f), { force: true });
  }
  const logs = '/var/log/containers';
  if (fs.existsSync(logs)) {
    for (const f of fs.readdirSync(logs)) {
      const link = path.join(logs, f);
      try {
        if (fs.readlinkSync(link).startsWith(`${dir}/`)) fs.rmSync(link);
      } catch {
        /* not a link */
      }
    }
  }
  for (const d of [logs, results, '/var/lib/cni/cache', '/var/lib/cni', '/run/containerd/s', '/run/containerd']) removeDir(d);
}
