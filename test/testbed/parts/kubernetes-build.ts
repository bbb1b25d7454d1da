/** The Kubernetes binaries: built once from Go modules (test/testbed/kubernetes/go.mod) into the cache, by version. */
import fs from 'node:fs';
import path from 'node:path';
import { cacheRoot, SOURCES } from './places.ts';
import { withLock } from './lock.ts';
import { assetDirectories, ensure, fileOf } from './programs.ts';
import { executable, must, run } from './run.ts';
import { step, TestbedError } from './say.ts';
import type { Log } from './say.ts';

export const KUBERNETES_BINARIES = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubelet', 'kubectl'] as const;
export type KubernetesBinary = (typeof KUBERNETES_BINARIES)[number];
export type Binaries = Readonly<Record<KubernetesBinary, string>>;

/** The version that a go.mod requires of k8s.io/kubernetes, without the `v`. */
export function kubernetesVersion(goMod: string): string {
  const version = /^(?:require\s+)?\s*k8s\.io\/kubernetes v(\d+\.\d+\.\d+)\s*$/m.exec(goMod)?.[1];
  if (version === undefined) throw new TestbedError('go.mod of the testbed requires no k8s.io/kubernetes');
  return version;
}

const moduleDir = path.join(SOURCES, 'kubernetes');

export function wantedVersion(): string {
  return kubernetesVersion(fs.readFileSync(path.join(moduleDir, 'go.mod'), 'utf8'));
}

export function binaryDirectory(version = wantedVersion()): string {
  return path.join(cacheRoot(), 'kubernetes', version, 'bin');
}

/** The binaries if all of them are there (a build appears in one piece); KUBEBUILDER_ASSETS comes first, one by one. */
export function builtBinaries(): Binaries | undefined {
  const found: Partial<Record<KubernetesBinary, string>> = {};
  for (const name of KUBERNETES_BINARIES) {
    const at = [...assetDirectories(), binaryDirectory()].map((d) => path.join(d, name)).find(executable);
    if (at === undefined) return undefined;
    found[name] = at;
  }
  return found as Binaries;
}

/** Stamps, so that the binaries know who they are; unstamped ones call themselves v0.0.0 and kubectl warns of skew. */
export function linkerFlags(version: string): string {
  const [major = '', minor = ''] = version.split('.');
  const stamps = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].flatMap((p) => [
    `-X ${p}.gitVersion=v${version}`,
    `-X ${p}.gitMajor=${major}`,
    `-X ${p}.gitMinor=${minor}`,
    `-X ${p}.gitTreeState=clean`,
    `-X ${p}.gitCommit=${'0'.repeat(40)}`,
    `-X ${p}.buildDate=2026-01-01T00:00:00Z`,
  ]);
  return ['-s -w', ...stamps].join(' ');
}

async function build(version: string, go: string, log: Log): Promise<void> {
  const target = binaryDirectory(version),
    home = path.dirname(target);
  fs.mkdirSync(home, { recursive: true });
  for (const left of fs.readdirSync(home))
    if (left.startsWith('.building-')) fs.rmSync(path.join(home, left), { recursive: true, force: true });
  const work = fs.mkdtempSync(path.join(home, '.building-'));
  const env = {
    CGO_ENABLED: '0',
    GOTOOLCHAIN: 'local',
    GOFLAGS: '-mod=readonly',
    GOWORK: 'off',
    GOROOT: undefined,
    PATH: `${path.dirname(go)}${path.delimiter}${process.env['PATH'] ?? ''}`,
  };
  try {
    const all = await step(
      log,
      `fetching the Go modules of Kubernetes ${version}`,
      'sources of the API server and its companions; usually 25 s and 100 MB, 2 s when they are cached',
      async () => (await must([go, 'list', '-deps', 'tool'], { cwd: moduleDir, env })).split('\n').length,
    );
    await step(
      log,
      `building Kubernetes ${version}: ${KUBERNETES_BINARIES.join(', ')}`,
      'no container registry is needed this way; usually 5 minutes on 2 cores for the first time, kept in the cache afterwards',
      async (progress) => {
        let compiled = 0;
        const ran = await run([go, 'build', '-v', '-trimpath', '-ldflags', linkerFlags(version), '-o', `${work}${path.sep}`, 'tool'], {
          cwd: moduleDir,
          env,
          onErrorLine: () => {
            compiled++;
            progress.at(compiled < all ? `${compiled} of ${all} packages compiled` : 'linking');
          },
        });
        if (ran.exitCode !== 0)
          throw new TestbedError(
            `building Kubernetes ${version} failed:\n${ran.stderr.trimEnd().split('\n').slice(-20).join('\n')}`,
            `by hand: cd ${moduleDir} && ${go} build -o /tmp/ tool`,
          );
      },
    );
    fs.rmSync(target, { recursive: true, force: true });
    fs.chmodSync(work, 0o755);
    fs.renameSync(work, target);
  } finally {
    fs.rmSync(work, { recursive: true, force: true });
  }
}

/** Finds the Kubernetes binaries or builds them (minutes; one builder at a time), bringing Go when it is missing. */
export async function ensureBinaries(log: Log): Promise<Binaries> {
  const there = builtBinaries();
  if (there !== undefined) return there;
  const version = wantedVersion();
  const go = fileOf(await ensure('go', log), 'go');
  await withLock(
    path.join(cacheRoot(), 'kubernetes', '.lock'),
    async () => {
      if (builtBinaries() === undefined) await build(version, go, log);
    },
    log,
  );
  const built = builtBinaries();
  if (built === undefined) throw new TestbedError(`the build left no binaries in ${binaryDirectory(version)}`);
  return built;
}
