/** A docker engine with BuildKit: one that answers is used; else Debian's, one for all testbeds of this user. */
import fs from 'node:fs';
import path from 'node:path';
import { makeCgroup, removeCgroup, unmountBelow } from './host.ts';
import { withLock } from './lock.ts';
import { cgroupName, checkName, isRoot, LONGEST_STATE_PATH, makeStateRoot, partState, stateRoot, tidyState } from './places.ts';
import { launch, recorded, stop, waitFor } from './processes.ts';
import { ensure, fileOf, find } from './programs.ts';
import { run } from './run.ts';
import { step, TestbedError } from './say.ts';
import type { Log } from './say.ts';

export interface DockerEngine {
  /** For `DOCKER_HOST`. */
  readonly dockerHost: string;
  /** The docker command. */
  readonly dockerPath: string;
  /** `DOCKER_HOST`, `DOCKER_CONFIG` (with buildx) and `PATH` (with the docker command). */
  readonly env: Readonly<Record<string, string>>;
  /** `machine`: it was there before. */
  readonly from: 'machine' | 'testbed';
}

/** Directories that dockerd makes whatever its options are; those that were not there before are removed afterwards. */
const FIXED = [
  '/opt/containerd',
  '/opt/containerd/bin',
  '/opt/containerd/lib',
  '/run/docker',
  '/run/docker/plugins',
  '/run/runc',
  '/run/containerd',
  '/run/containerd/s',
  '/run/containerd/runc',
];

export const engineDir = (): string => path.join(stateRoot(), 'docker');
const socket = (): string => `unix://${path.join(engineDir(), 'docker.sock')}`;
const usersDir = (): string => path.join(engineDir(), 'users');
const engineLock = (): string => path.join(makeStateRoot(), 'locks', 'docker.lock');

export function engineUsers(): string[] {
  try {
    return fs.readdirSync(usersDir());
  } catch {
    return [];
  }
}

/** The engine's version, undefined when none answers at this address. */
export async function engineVersion(docker: string, dockerHost: string): Promise<string | undefined> {
  const ran = await run([docker, 'version', '--format', '{{.Server.Version}}'], {
    env: { DOCKER_HOST: dockerHost, DOCKER_CONTEXT: undefined },
  });
  return ran.exitCode === 0 ? ran.stdout.trim() : undefined;
}

/** Addresses at which the machine's own engine may answer. */
export function machineEngines(): string[] {
  const given = process.env['DOCKER_HOST'];
  return given !== undefined && given !== '' ? [given] : ['unix:///var/run/docker.sock'];
}

/** Puts buildx where the docker command finds it under this `DOCKER_CONFIG`; nothing when it is not here yet. */
export async function linkBuildx(dockerConfigDir: string): Promise<void> {
  const buildx = await find('buildx');
  if (!('directory' in buildx)) return;
  const plugins = path.join(dockerConfigDir, 'cli-plugins'),
    link = path.join(plugins, 'docker-buildx');
  fs.mkdirSync(plugins, { recursive: true });
  fs.rmSync(link, { force: true });
  fs.symlinkSync(fileOf(buildx, 'docker-buildx'), link);
}

async function startEngine(docker: string, log: Log): Promise<void> {
  if (!isRoot())
    throw new TestbedError(
      'no docker engine answers, and starting one needs root',
      'start a docker engine and set DOCKER_HOST, or run as root',
    );
  const dockerd = await ensure('dockerd', log),
    containerd = await ensure('containerd', log),
    runc = await ensure('runc', log),
    dir = engineDir();
  if (dir.length > LONGEST_STATE_PATH)
    throw new TestbedError(`the state directory is too long for unix sockets: ${dir}`, 'set PAASTA_TESTBED_STATE to a shorter directory');
  await step(
    log,
    `starting a docker engine ${dockerd.version}`,
    'no engine answers; images are built with it; usually 2 s; no firewall rules',
    async () => {
      await removeEngine(log);
      fs.mkdirSync(dir, { recursive: true });
      fs.writeFileSync(
        path.join(dir, 'made.json'),
        JSON.stringify({ dirs: FIXED.filter((d) => !fs.existsSync(d)), bridge: !fs.existsSync('/sys/class/net/docker0') }),
      );
      const PATH = [
        ...new Set([dockerd.directory, containerd.directory, runc.directory]),
        process.env['PATH'] ?? '',
        '/usr/sbin',
        '/sbin',
      ].join(':');
      // firewall rules and forwarding would outlive the engine, a FORWARD policy of DROP among them
      await launch(dir, 'dockerd', {
        cgroup: makeCgroup(cgroupName('docker')),
        env: { PATH },
        argv: [
          fileOf(dockerd, 'dockerd'),
          '--data-root',
          path.join(dir, 'data'),
          '--exec-root',
          path.join(dir, 'exec'),
          '--host',
          socket(),
          '--pidfile',
          path.join(dir, 'own.pid'),
          '--cgroup-parent',
          `/${cgroupName('docker')}`,
          '--iptables=false',
          '--ip6tables=false',
          '--ip-forward=false',
          '--ip-masq=false',
        ],
      });
      await waitFor(dir, 'dockerd', 'the docker engine', 60_000, async () => (await engineVersion(docker, socket())) !== undefined);
    },
  );
}

/** Finds a docker engine, or starts one that testbeds share; makes sure of the docker command and buildx. */
export async function upDocker(name: string, log: Log): Promise<DockerEngine> {
  checkName(name);
  const dockerPath = fileOf(await ensure('docker', log), 'docker');
  await ensure('buildx', log);
  const dockerConfig = partState(name, 'docker-config');
  await linkBuildx(dockerConfig);
  const registryConfig = path.join(partState(name, 'registry'), 'docker-config');
  if (fs.existsSync(registryConfig)) await linkBuildx(registryConfig);
  const answer = (dockerHost: string, from: DockerEngine['from']): DockerEngine => ({
    dockerHost,
    dockerPath,
    from,
    env: { DOCKER_HOST: dockerHost, DOCKER_CONFIG: dockerConfig, PATH: `${path.dirname(dockerPath)}:${process.env['PATH'] ?? ''}` },
  });
  for (const dockerHost of machineEngines()) {
    const version = await engineVersion(dockerPath, dockerHost);
    if (version !== undefined) {
      log(`docker engine ${version} answers at ${dockerHost}: using it`);
      return answer(dockerHost, 'machine');
    }
  }
  return withLock(
    engineLock(),
    async () => {
      const version = recorded(engineDir(), 'dockerd') === undefined ? undefined : await engineVersion(dockerPath, socket());
      if (version === undefined) await startEngine(dockerPath, log);
      else log(`docker engine ${version} of the testbed is up already: reusing it`);
      fs.mkdirSync(usersDir(), { recursive: true });
      fs.writeFileSync(path.join(usersDir(), name), '');
      return answer(socket(), 'testbed');
    },
    log,
  );
}

async function removeEngine(log: Log): Promise<void> {
  const dir = engineDir();
  if (!fs.existsSync(dir)) return;
  const users = engineUsers();
  await stop(dir, 'dockerd', 'SIGTERM', 20_000);
  await removeCgroup(cgroupName('docker'), log);
  await unmountBelow(dir);
  let made: { dirs: string[]; bridge: boolean } = { dirs: [], bridge: false };
  try {
    made = JSON.parse(fs.readFileSync(path.join(dir, 'made.json'), 'utf8')) as typeof made;
  } catch {
    /* it never started */
  }
  if (made.bridge && fs.existsSync('/sys/class/net/docker0')) await run(['ip', 'link', 'del', 'docker0']);
  for (const d of made.dirs.reverse())
    try {
      fs.rmdirSync(d);
    } catch {
      /* used by somebody else, or not made */
    }
  fs.rmSync(dir, { recursive: true, force: true });
  if (users.length > 0) {
    fs.mkdirSync(usersDir(), { recursive: true });
    for (const user of users) fs.writeFileSync(path.join(usersDir(), user), '');
  }
}

/** Leaves the shared engine; the last testbed that used it ends it. An engine of the machine is left alone. */
export async function downDocker(name: string, log: Log): Promise<boolean> {
  fs.rmSync(partState(checkName(name), 'docker-config'), { recursive: true, force: true });
  if (!engineUsers().includes(name)) {
    tidyState(name);
    return false;
  }
  await withLock(
    engineLock(),
    async () => {
      fs.rmSync(path.join(usersDir(), name), { force: true });
      const left = engineUsers();
      if (left.length > 0) {
        log(`the docker engine stays: ${left.join(', ')} use it`);
        return;
      }
      await removeEngine(log);
      log('the docker engine is down');
    },
    log,
  );
  tidyState(name);
  return true;
}
