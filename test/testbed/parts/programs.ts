/**
 * Every program that the testbed runs: where it is found, which version is good enough, how it is brought when it is
 * missing. `doctor` prints the same table that `ensure` acts on, so the two cannot disagree.
 */
import fs from 'node:fs';
import path from 'node:path';
import { bring, cannotBring, unpacked } from './debian.ts';
import type { Suite } from './debian.ts';
import { withLock } from './lock.ts';
import { cacheRoot, SOURCES } from './places.ts';
import { executable, must, run, which } from './run.ts';
import { step, TestbedError } from './say.ts';
import type { Log } from './say.ts';

export interface Program {
  readonly name: string;
  /** What the testbed does with it. */
  readonly purpose: string;
  /** Programs that must all be there; the first one is asked for its version. */
  readonly files: readonly string[];
  readonly version?: { readonly argv: readonly string[]; readonly pattern: RegExp; readonly least: string; readonly why: string };
  /** Debian packages to unpack when nothing good is on the machine. */
  readonly debian?: { readonly suite: Suite; readonly packages: readonly string[]; readonly directories: readonly string[] };
  /** Where Debian cannot help: a Go module below the testbed's sources whose one tool is this program. */
  readonly goModule?: { readonly directory: string; readonly module: string; readonly usual: string };
  /** Directories besides PATH in which the machine may have it. */
  readonly alsoIn?: readonly string[];
  readonly usual?: string;
  /** What a person does on a machine where it cannot be brought. */
  readonly otherwise: string;
}

export interface Found {
  /** The directory of `files[0]`. */
  readonly directory: string;
  readonly paths: Readonly<Record<string, string>>;
  readonly version: string;
  readonly from: 'machine' | 'cache';
}

/** Compares dotted version numbers; anything after the digits is ignored. */
export function atLeast(version: string, least: string): boolean {
  const a = version.split('.').map((n) => Number.parseInt(n, 10) || 0),
    b = least.split('.').map((n) => Number.parseInt(n, 10) || 0);
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

export const PROGRAMS = {
  go: {
    name: 'Go',
    purpose: 'builds Kubernetes once',
    files: ['go'],
    version: { argv: ['version'], pattern: /go(\d+\.\d+(?:\.\d+)?)/, least: '1.26', why: 'Kubernetes 1.36 needs it' },
    alsoIn: ['/usr/local/go/bin', '/usr/lib/go-1.26/bin'],
    debian: { suite: 'sid', packages: ['golang-1.26-go', 'golang-1.26-src'], directories: ['usr/lib/go-1.26/bin'] },
    usual: 'usually 20 s, 75 MB',
    otherwise: 'install Go 1.26 or later, or point KUBEBUILDER_ASSETS at Kubernetes binaries',
  },
  etcd: {
    name: 'etcd',
    purpose: 'store of the API server',
    files: ['etcd'],
    version: { argv: ['--version'], pattern: /etcd Version: (\S+)/, least: '3.5.13', why: 'older ones break watches and streaming lists' },
    debian: { suite: 'trixie', packages: ['etcd-server'], directories: ['usr/bin'] },
    goModule: { directory: 'etcd', module: 'go.etcd.io/etcd/server/v3', usual: 'usually 40 s' },
    usual: 'usually 5 s, 9 MB',
    otherwise: 'put etcd 3.5.13 or later on PATH, or point KUBEBUILDER_ASSETS at it',
  },
  openssl: {
    name: 'openssl',
    purpose: 'certificates of the cluster',
    files: ['openssl'],
    version: { argv: ['version'], pattern: /OpenSSL (\S+)/, least: '3.0', why: 'older ones cannot sign with `req -x509 -CA`' },
    otherwise: 'apt-get install openssl',
  },
  containerd: {
    name: 'containerd',
    purpose: "runs real pods and docker's containers",
    files: ['containerd', 'ctr', 'containerd-shim-runc-v2'],
    version: { argv: ['--version'], pattern: /(\d+\.\d+\.\d+)/, least: '1.6', why: 'CRI v1' },
    debian: { suite: 'own', packages: ['containerd'], directories: ['usr/bin'] },
    usual: 'usually 6 s, 25 MB',
    otherwise: 'install containerd',
  },
  runc: {
    name: 'runc',
    purpose: 'starts containers',
    files: ['runc'],
    version: { argv: ['--version'], pattern: /runc version (\S+)/, least: '1.1', why: 'oldest one that was tried' },
    debian: { suite: 'own', packages: ['runc'], directories: ['usr/sbin', 'usr/bin'] },
    usual: 'usually 3 s, 3 MB',
    otherwise: 'install runc',
  },
  cni: {
    name: 'CNI plugins',
    purpose: 'network of real pods',
    files: ['bridge', 'host-local', 'portmap', 'loopback'],
    alsoIn: ['/usr/lib/cni', '/opt/cni/bin'],
    debian: { suite: 'own', packages: ['containernetworking-plugins'], directories: ['usr/lib/cni'] },
    usual: 'usually 3 s, 7 MB',
    otherwise: 'install the reference CNI plugins into /opt/cni/bin',
  },
  iproute: {
    name: 'iproute2',
    purpose: 'makes the bridge of real pods',
    files: ['ip'],
    debian: { suite: 'own', packages: ['iproute2'], directories: ['sbin', 'usr/sbin', 'bin', 'usr/bin'] },
    otherwise: 'apt-get install iproute2',
  },
  registry: {
    name: 'docker-registry',
    purpose: 'image registry with a password',
    files: ['docker-registry'],
    debian: { suite: 'own', packages: ['docker-registry'], directories: ['usr/bin'] },
    usual: 'usually 3 s, 6 MB',
    otherwise: "install Debian's docker-registry (the distribution/distribution registry) as `docker-registry` on PATH",
  },
  perl: {
    name: 'perl',
    purpose: "hashes the registry's password (crypt)",
    files: ['perl'],
    otherwise: 'install perl, or htpasswd (apache2-utils)',
  },
  dockerd: {
    name: 'docker engine',
    purpose: 'builds images when no engine answers',
    files: ['dockerd'],
    version: {
      argv: ['--version'],
      pattern: /version ([\d.]+)/,
      least: '24',
      why: 'older engines miss heredocs and cache mounts of BuildKit',
    },
    debian: { suite: 'trixie', packages: ['docker.io'], directories: ['usr/sbin', 'usr/bin'] },
    usual: 'usually 6 s, 25 MB',
    otherwise: 'start a docker engine and set DOCKER_HOST',
  },
  docker: {
    name: 'docker command',
    purpose: 'builds and pushes images',
    files: ['docker'],
    version: { argv: ['--version'], pattern: /version ([\d.]+)/, least: '23', why: 'BuildKit by default' },
    debian: { suite: 'trixie', packages: ['docker-cli'], directories: ['usr/bin'] },
    usual: 'usually 3 s, 8 MB',
    otherwise: 'install the docker command',
  },
  buildx: {
    name: 'docker buildx',
    purpose: 'BuildKit for the docker command',
    files: ['docker-buildx'],
    alsoIn: ['/usr/libexec/docker/cli-plugins', '/usr/lib/docker/cli-plugins', '/usr/local/lib/docker/cli-plugins'],
    debian: { suite: 'trixie', packages: ['docker-buildx'], directories: ['usr/libexec/docker/cli-plugins'] },
    usual: 'usually 4 s, 15 MB',
    otherwise: 'install the docker buildx plugin',
  },
  git: { name: 'git', purpose: 'repositories of the tests', files: ['git'], otherwise: 'apt-get install git' },
  make: {
    name: 'make',
    purpose: "the example service's Makefile",
    files: ['make'],
    debian: { suite: 'own', packages: ['make'], directories: ['usr/bin'] },
    otherwise: 'apt-get install make',
  },
} as const satisfies Record<string, Program>;

export type ProgramId = keyof typeof PROGRAMS;

async function versionIn(program: Program, file: string): Promise<string> {
  if (program.version === undefined) return '';
  const ran = await run([file, ...program.version.argv], { env: { GOTOOLCHAIN: 'local' } });
  return program.version.pattern.exec(ran.stdout + ran.stderr)?.[1] ?? '';
}

/** Directories named by KUBEBUILDER_ASSETS: the user's own etcd, API server and kubectl. */
export function assetDirectories(): string[] {
  return (process.env['KUBEBUILDER_ASSETS'] ?? '').split(path.delimiter).filter((d) => d !== '');
}

async function lookIn(
  program: Program,
  directories: readonly string[],
  from: Found['from'],
  exact: boolean,
): Promise<Found | { tooOld: string } | undefined> {
  const paths: Record<string, string> = {};
  for (const file of program.files) {
    const at = exact ? directories.map((d) => path.join(d, file)).find(executable) : which(file, directories);
    if (at === undefined) return undefined;
    paths[file] = at;
  }
  const main = paths[program.files[0] ?? ''] ?? '';
  const version = await versionIn(program, main);
  if (program.version !== undefined && !atLeast(version, program.version.least))
    return { tooOld: `${main} is ${version === '' ? 'of an unknown version' : version}` };
  return { directory: path.dirname(main), paths, version, from };
}

/** Where a program that is built from its Go module lies, by version. */
function builtDirectory(program: Program): string | undefined {
  if (program.goModule === undefined) return undefined;
  const { directory, module } = program.goModule,
    text = fs.readFileSync(path.join(SOURCES, directory, 'go.mod'), 'utf8');
  const line = text
    .split('\n')
    .map((l) => l.trim().split(' '))
    .find((l) => l.includes(module) && (l.at(1)?.startsWith('v') === true || l.at(2)?.startsWith('v') === true));
  return path.join(cacheRoot(), directory, line?.find((w) => /^v\d/.test(w))?.slice(1) ?? 'unknown', 'bin');
}

/** Builds the program from its Go module, in one piece or not at all. */
async function buildFromModule(program: Program, why: string, log: Log): Promise<void> {
  const target = builtDirectory(program),
    [file = ''] = program.files;
  if (target === undefined || program.goModule === undefined) return;
  const { directory, usual } = program.goModule,
    go = fileOf(await ensure('go', log), 'go'),
    source = path.join(SOURCES, directory);
  await withLock(
    path.join(cacheRoot(), directory, '.lock'),
    () =>
      step(log, `building ${program.name} from Go modules`, `${program.purpose}; ${why}; ${usual}`, async () => {
        if (executable(path.join(target, file))) return;
        fs.mkdirSync(path.dirname(target), { recursive: true });
        const work = fs.mkdtempSync(path.join(path.dirname(target), '.building-'));
        try {
          await must([go, 'build', '-trimpath', '-ldflags', '-s -w', '-o', path.join(work, file), 'tool'], {
            cwd: source,
            env: { CGO_ENABLED: '0', GOTOOLCHAIN: 'local', GOFLAGS: '-mod=readonly', GOWORK: 'off', GOROOT: undefined },
          });
          fs.chmodSync(work, 0o755);
          fs.rmSync(target, { recursive: true, force: true });
          fs.renameSync(work, target);
        } finally {
          fs.rmSync(work, { recursive: true, force: true });
        }
      }),
    log,
  );
}

/** Where the program is now, machine first, then cache; or what keeps it from being used. */
export async function find(id: ProgramId): Promise<Found | { missing: string }> {
  const program: Program = PROGRAMS[id];
  let missing = `${program.files.join(', ')} not found`;
  const home = process.env['HOME'];
  const own = id === 'buildx' && home !== undefined ? [path.join(home, '.docker', 'cli-plugins')] : [];
  const machine = await lookIn(program, [...assetDirectories(), ...(program.alsoIn ?? []), ...own], 'machine', false);
  if (machine !== undefined) {
    if ('directory' in machine) return machine;
    missing = `${machine.tooOld}, ${program.version?.least ?? ''} is needed (${program.version?.why ?? ''})`;
  }
  if (program.debian !== undefined) {
    const root = unpacked(program.debian.suite, program.debian.packages);
    const cached =
      root === undefined
        ? undefined
        : await lookIn(
            program,
            program.debian.directories.map((d) => path.join(root, d)),
            'cache',
            true,
          );
    if (cached !== undefined && 'directory' in cached) return cached;
  }
  const builtAt = builtDirectory(program),
    built = builtAt === undefined ? undefined : await lookIn(program, [builtAt], 'cache', true);
  if (built !== undefined && 'directory' in built) return built;
  return { missing };
}

/** Why the program cannot be brought here; undefined when it can. */
export function obstacle(id: ProgramId): string | undefined {
  const program: Program = PROGRAMS[id];
  return program.debian === undefined ? 'the testbed does not bring it' : cannotBring(program.debian.suite);
}

/** Finds the program or brings it, saying which and why. */
export async function ensure(id: ProgramId, log: Log): Promise<Found> {
  const program: Program = PROGRAMS[id];
  const first = await find(id);
  if ('directory' in first) return first;
  const why = obstacle(id);
  if (why !== undefined && program.goModule !== undefined) {
    await buildFromModule(program, `${first.missing}; ${why}`, log);
    const built = await find(id);
    if ('directory' in built) return built;
  }
  if (why !== undefined || program.debian === undefined)
    throw new TestbedError(`${program.name} is needed (${program.purpose}): ${first.missing}; ${why ?? ''}`, program.otherwise);
  const { suite, packages } = program.debian;
  await step(
    log,
    `bringing ${program.name}: Debian's ${packages.join(', ')} unpacked into the cache, nothing installed`,
    `${program.purpose}; ${first.missing}${program.usual === undefined ? '' : `; ${program.usual}`}`,
    () => bring(suite, packages, log),
  );
  const second = await find(id);
  if ('directory' in second) return second;
  throw new TestbedError(`${program.name} was brought from Debian but cannot be used: ${second.missing}`, program.otherwise);
}

/** The path of one file of a program. */
export function fileOf(found: Found, file: string): string {
  const at = found.paths[file];
  if (at === undefined || !fs.existsSync(at)) throw new TestbedError(`${file} not found in ${found.directory}`);
  return at;
}
