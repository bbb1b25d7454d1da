/** Looks at the machine without changing it: what is here, what would be brought, what cannot run and why. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { givenContext } from './context.ts';
import { engineVersion, machineEngines } from './docker.ts';
import { cgroupV2, mounts } from './host.ts';
import { binaryDirectory, builtBinaries, wantedVersion } from './kubernetes-build.ts';
import { isRoot, LONGEST_STATE_PATH, stateRoot } from './places.ts';
import { fileOf, find, obstacle, PROGRAMS } from './programs.ts';
import type { Program, ProgramId } from './programs.ts';
import { run, which } from './run.ts';
import type { Size } from './record.ts';

/** `bring`: missing, and `up` brings it. `fail`: missing, and it cannot be brought here. */
export interface Finding {
  readonly level: 'ok' | 'bring' | 'note' | 'fail';
  readonly text: string;
}

const CAP_SYS_RESOURCE = 24,
  CAP_SYS_ADMIN = 21,
  CAP_NET_ADMIN = 12;

async function programFinding(id: ProgramId, needed = true): Promise<Finding> {
  const program: Program = PROGRAMS[id],
    found = await find(id);
  if ('directory' in found)
    return {
      level: 'ok',
      text: `${program.name} ${found.version} (${found.directory}${found.from === 'cache' ? ', unpacked by the testbed' : ''}): ${program.purpose}`.replace(
        '  ',
        ' ',
      ),
    };
  const why = obstacle(id);
  if (why === undefined)
    return {
      level: 'bring',
      text: `${program.name}: ${found.missing}; Debian's ${program.debian?.packages.join(', ') ?? ''} will be unpacked into the cache (${program.purpose}${program.usual === undefined ? '' : `; ${program.usual}`})`,
    };
  if (program.goModule !== undefined)
    return {
      level: 'bring',
      text: `${program.name}: ${found.missing}; it will be built from Go modules (${program.purpose}; ${program.goModule.usual}; ${why})`,
    };
  return {
    level: needed ? 'fail' : 'note',
    text: `${program.name}: ${found.missing}, and it cannot be brought: ${why}. Next step: ${program.otherwise}`,
  };
}

async function kubernetesFindings(): Promise<Finding[]> {
  const version = wantedVersion(),
    built = builtBinaries();
  if (built !== undefined) return [{ level: 'ok', text: `Kubernetes ${version} (${path.dirname(built['kube-apiserver'])})` }];
  const go = await programFinding('go');
  return [
    {
      level: go.level === 'fail' ? 'fail' : 'bring',
      text: `Kubernetes ${version}: will be built from Go modules into ${binaryDirectory(version)} (once; usually 5 minutes on 2 cores, 100 MB of downloads, 4 GB of Go caches)`,
    },
    go,
  ];
}

async function dockerFindings(): Promise<Finding[]> {
  const docker = await find('docker'),
    findings = [await programFinding('docker'), await programFinding('buildx')];
  if ('directory' in docker) {
    for (const address of machineEngines()) {
      const version = await engineVersion(fileOf(docker, 'docker'), address);
      if (version !== undefined) return [...findings, { level: 'ok', text: `docker engine ${version} answers at ${address}` }];
    }
  }
  if (!isRoot())
    return [
      ...findings,
      {
        level: 'fail',
        text: 'no docker engine answers, and starting one needs root. Next step: start one and set DOCKER_HOST, or run as root',
      },
    ];
  return [
    ...findings,
    { level: 'note', text: 'no docker engine of the machine answers: the testbed starts its own' },
    await programFinding('dockerd'),
    await programFinding('containerd'),
    await programFinding('runc'),
  ];
}

async function probe(ip: string, what: string, args: readonly string[], device: string): Promise<Finding> {
  const made = await run([ip, 'link', 'add', device, ...args]);
  if (made.exitCode !== 0) return { level: 'fail', text: `kernel: no ${what} device (${made.stderr.trim()})` };
  await run([ip, 'link', 'del', device]);
  return { level: 'ok', text: `kernel: ${what} devices` };
}

async function overlayFinding(): Promise<Finding> {
  const existing = [stateRoot(), os.tmpdir()].find((d) => fs.existsSync(d)) ?? os.tmpdir(),
    dir = fs.mkdtempSync(path.join(existing, 'doctor-'));
  const at = (name: string): string => path.join(dir, name);
  for (const name of ['lower', 'upper', 'work', 'merged']) fs.mkdirSync(at(name));
  const mounted = await run([
    'mount',
    '-t',
    'overlay',
    'overlay',
    '-o',
    `lowerdir=${at('lower')},upperdir=${at('upper')},workdir=${at('work')}`,
    at('merged'),
  ]);
  if (mounted.exitCode === 0) await run(['umount', at('merged')]);
  fs.rmSync(dir, { recursive: true, force: true });
  return mounted.exitCode === 0
    ? { level: 'ok', text: 'overlayfs works in the state directory' }
    : {
        level: 'fail',
        text: `overlayfs does not work in ${existing} (is it an overlay itself?). Next step: set PAASTA_TESTBED_STATE to a directory on a disk`,
      };
}

/** What only real pods need. */
async function fullFindings(): Promise<Finding[]> {
  if (os.platform() !== 'linux') return [{ level: 'fail', text: 'real pods need Linux' }];
  const findings: Finding[] = [
    isRoot()
      ? { level: 'ok', text: 'root' }
      : {
          level: 'fail',
          text: 'real pods need root (containers, a bridge, cgroups). Next step: run as root, or name a kind cluster in PAASTA_TESTBED_CONTEXT',
        },
  ];
  for (const id of ['containerd', 'runc', 'cni', 'iproute'] as const) findings.push(await programFinding(id));
  findings.push({
    level: 'ok',
    text: cgroupV2() ? 'cgroup v2 (the testbed was only tried on v1 so far)' : 'cgroup v1 (the kubelet is told to accept it)',
  });
  for (const controller of ['cpu', 'memory', 'pids']) {
    const there = cgroupV2()
      ? fs.readFileSync('/sys/fs/cgroup/cgroup.controllers', 'utf8').split(/\s/).includes(controller)
      : mounts().some((m) => m.type === 'cgroup' && m.options.split(',').includes(controller));
    if (!there) findings.push({ level: 'fail', text: `no cgroup controller '${controller}'` });
  }
  const capabilities = BigInt(`0x${/^CapEff:\s*(\w+)/m.exec(fs.readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'}`),
    has = (bit: number): boolean => ((capabilities >> BigInt(bit)) & 1n) === 1n;
  for (const [bit, name] of [
    [CAP_SYS_ADMIN, 'CAP_SYS_ADMIN'],
    [CAP_NET_ADMIN, 'CAP_NET_ADMIN'],
  ] as const)
    if (!has(bit)) findings.push({ level: 'fail', text: `${name} is missing: containers cannot be started` });
  if (!has(CAP_SYS_RESOURCE))
    findings.push({ level: 'note', text: 'CAP_SYS_RESOURCE is missing: containerd is told not to lower oom scores' });
  if (isRoot()) {
    const ip = which('ip');
    if (ip !== undefined)
      findings.push(
        await probe(ip, 'bridge', ['type', 'bridge'], 'ptbprobe'),
        await probe(ip, 'veth', ['type', 'veth', 'peer', 'name', 'ptbprobe1'], 'ptbprobe0'),
      );
    findings.push(await overlayFinding());
  }
  return findings;
}

/** Everything that a testbed of this size needs on this machine. */
export async function examine(size: Size): Promise<Finding[]> {
  const findings: Finding[] = [
    {
      level: 'ok',
      text: `Node ${process.version} on ${os.platform()} ${os.arch()}, ${os.cpus().length} cores, ${Math.round(os.freemem() / 2 ** 30)} GiB of memory free (a cluster uses 0.5 GiB, one with real pods 0.7)`,
    },
  ];
  const longest = path.join(stateRoot(), 'x'.repeat(21), 'kubernetes');
  findings.push(
    longest.length <= LONGEST_STATE_PATH + 10
      ? { level: 'ok', text: `state directory ${stateRoot()}` }
      : { level: 'fail', text: `the state directory ${stateRoot()} is too long for unix sockets. Next step: set PAASTA_TESTBED_STATE` },
  );
  for (const id of ['git', 'make', 'openssl'] as const) findings.push(await programFinding(id));
  const given = givenContext();
  if (given !== undefined)
    findings.push({
      level: 'note',
      text: `Kubernetes: context '${given}' (PAASTA_TESTBED_CONTEXT) is used if it is on loopback or of kind; nothing is started`,
    });
  else {
    findings.push(...(await kubernetesFindings()), await programFinding('etcd'));
    if (os.platform() !== 'linux')
      findings.push({
        level: 'fail',
        text: "the testbed's own cluster needs Linux (/proc). Next step: name a kind cluster in PAASTA_TESTBED_CONTEXT",
      });
  }
  findings.push(await programFinding('registry'), await programFinding('perl', which('htpasswd') === undefined));
  const dockerNeeded = size === 'full';
  for (const f of await dockerFindings()) findings.push(f.level === 'fail' && !dockerNeeded ? { ...f, level: 'note' } : f);
  if (size === 'full' && given === undefined) {
    if (which('kind') !== undefined)
      findings.push({
        level: 'note',
        text: 'kind is installed: used for real pods when an engine of the machine answers (PAASTA_TESTBED_KIND=0: never)',
      });
    findings.push(...(await fullFindings()));
  }
  return findings;
}
