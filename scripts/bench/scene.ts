/** What the figures of the bench share: a tree of services, deploy as a process of its own, and what the API server's audit log says of it. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import { runBundle, type BundleOptions, type BundleRun } from '../../test/support/runner.ts';
import {
  auditEvents,
  auditMark,
  startCluster,
  type AuditEvent,
  type AuditMark,
  type Cluster,
  type ClusterStart,
} from '../../test/testbed/index.ts';
import { ROOT } from '../steps.ts';

export type Report = (name: string, value: string, target: string, reached: boolean) => void;

/** One row beside a figure: what a peer does with the same objects. */
export type Beside = (name: string, value: string) => void;

/** What every figure gets. */
export interface Bench {
  readonly report: Report;
  readonly beside: Beside;
  readonly say: (line: string) => void;
  /** Bundle that is measured. */
  readonly entry: string;
  readonly scratch: string;
  /** The full length of what takes long. */
  readonly long: boolean;
  /** Share of the instances: 1, or less to try the bench itself. */
  readonly scale: number;
}

export const CLUSTER = 'bench';
/** Everything of ours tells this user agent. */
export const OURS = /paasta-actions/;

export const sleep = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
export const seconds = (milliseconds: number): string => `${(milliseconds / 1_000).toFixed(milliseconds < 9_950 ? 2 : 0)} s`;
export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** Nearest rank: of twenty values the 95th percentile is the nineteenth. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? NaN;
}

/** `dist/deploy`, or with `--sources` a bundle of the sources as they are now. */
export async function bundleToMeasure(sources: boolean, scratch: string): Promise<string> {
  if (!sources) return join(ROOT, 'dist', 'deploy', 'index.js');
  const outdir = join(scratch, 'bundle');
  await build({
    absWorkingDir: ROOT,
    entryPoints: ['src/deploy/index.ts'],
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    minify: true,
    logLevel: 'error',
    define: { PAASTA_VERSION: '"bench"' },
    banner: { js: "import { createRequire as __createRequire } from 'node:module';\nconst require = __createRequire(import.meta.url);" },
  });
  return join(outdir, 'index.mjs');
}

/** A tree of soa-configs on disk. */
export interface Tree {
  readonly soaDir: string;
  readonly systemConfigDir: string;
  /** Every service of the tree, in order. */
  readonly services: readonly string[];
  /** Number of instances. */
  readonly instances: number;
  /** Writes the file of one service anew; `keys` are the keys of an instance beside cpus, mem and disk. */
  write(service: string, keys: (instance: string) => string): void;
  writeAll(keys: (instance: string) => string): void;
}

export interface TreeOptions {
  readonly services: number;
  readonly perService: number;
  /** First part of the services' names. */
  readonly prefix: string;
  /** Keys of every instance beside cpus, mem and disk, as YAML in one line. */
  readonly keys: string;
  /** First proxy port: two trees in one cluster must not share one. */
  readonly ports?: number;
  /** A tree that is there already, to which the services are added. */
  readonly soaDir?: string;
}

let trees = 0;
const COMMIT = 'a'.repeat(40);

/** Services of a few instances each, every instance with a registration of its own: a workload, a budget and a Service. */
export function createTree(scratch: string, options: TreeOptions): Tree {
  const directory = join(scratch, `tree${String(trees++)}`);
  const soaDir = options.soaDir ?? join(directory, 'soa');
  const systemConfigDir = join(directory, 'system');
  const put = (path: string, text: string): void => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  };
  put(
    join(systemConfigDir, 'paasta.json'),
    JSON.stringify({ clusters: [CLUSTER], docker_registry: 'registry.invalid', volumes: [], pre_stop: 'native' }),
  );
  const names = Array.from({ length: options.perService }, (_, n) => `i${String(n).padStart(3, '0')}`);
  const services = Array.from({ length: options.services }, (_, n) => `${options.prefix}${String(n).padStart(3, '0')}`);
  const write = (service: string, keys: (instance: string) => string): void => {
    put(
      join(soaDir, service, `kubernetes-${CLUSTER}.yaml`),
      names.map((name) => `${name}: {cpus: 0.01, mem: 32, disk: 32, deploy_group: bench, ${keys(name)}}\n`).join(''),
    );
  };
  let port = options.ports ?? 20_000;
  for (const service of services) {
    write(service, () => options.keys);
    put(join(soaDir, service, 'smartstack.yaml'), names.map((name) => `${name}: {proxy_port: ${String(port++)}}\n`).join(''));
    const controls = Object.fromEntries(
      names.map((name) => [`${service}:${CLUSTER}.${name}`, { desired_state: 'start', force_bounce: null }]),
    );
    put(
      join(soaDir, service, 'deployments.json'),
      JSON.stringify({
        v1: {},
        v2: {
          deployments: { bench: { docker_image: `services-${service}:paasta-${COMMIT}`, git_sha: COMMIT, image_version: null } },
          controls,
        },
      }),
    );
  }
  return {
    soaDir,
    systemConfigDir,
    services,
    instances: options.services * options.perService,
    write,
    writeAll: (keys) => {
      for (const service of services) write(service, keys);
    },
  };
}

/** Inputs of a run over a whole tree. */
export function inputsFor(tree: Tree, kubeconfig: string, more: Readonly<Record<string, string>> = {}): Record<string, string> {
  const declared = readFileSync(join(ROOT, 'action-deploy', 'action.yml'), 'utf8');
  // proven at once: how long a proof must last is no part of a figure
  const window: Record<string, string> = declared.includes('stability-window') ? { 'stability-window': '0s' } : {};
  return {
    cluster: CLUSTER,
    'soa-dir': tree.soaDir,
    'system-config-dir': tree.systemConfigDir,
    kubeconfig,
    'pin-digest': 'false',
    timeout: '10m',
    ...window,
    ...more,
  };
}

export interface Timed extends BundleRun {
  /** Milliseconds since the epoch. */
  readonly began: number;
}

/** One run of the measured bundle; must end well unless `mayFail`. */
export async function deploy(
  bench: Bench,
  inputs: Readonly<Record<string, string>>,
  options: BundleOptions & { readonly mayFail?: boolean } = {},
): Promise<Timed> {
  const { mayFail, ...rest } = options;
  const began = Date.now();
  const run = await runBundle('deploy', { entry: bench.entry, deadline: 600_000, inputs, ...rest });
  if (run.code !== 0 && mayFail !== true) throw new Error(`deploy ended with exit ${String(run.code)}:\n${run.text.slice(-3_000)}`);
  return { ...run, began };
}

/** What the audit log says of a stretch of time. */
export interface Audited {
  readonly requests: number;
  readonly writes: number;
  /** Milliseconds since the epoch; `undefined` when nothing was written. */
  readonly firstWrite: number | undefined;
  readonly lastWrite: number | undefined;
  readonly events: readonly AuditEvent[];
}

const READS = new Set(['get', 'list', 'watch']);

export function mark(cluster: Cluster): AuditMark {
  return auditMark(cluster.auditLogPath);
}

/** Requests of one user agent since a mark. A watch that is still open counts when it began. */
export function audited(cluster: Cluster, since: AuditMark, agent: RegExp): Audited {
  const seen = new Map<string, AuditEvent>();
  for (const event of auditEvents(cluster.auditLogPath, since)) {
    if (!agent.test(event.userAgent ?? '')) continue;
    seen.set(event.auditID, event);
  }
  const events = [...seen.values()];
  const writes = events.filter((e) => !READS.has(e.verb));
  const at = (text: string | undefined): number => Date.parse(text ?? '');
  return {
    requests: events.length,
    writes: writes.length,
    firstWrite: writes.length === 0 ? undefined : Math.min(...writes.map((e) => at(e.requestReceivedTimestamp))),
    lastWrite: writes.length === 0 ? undefined : Math.max(...writes.map((e) => at(e.stageTimestamp))),
    events,
  };
}

/** Runs the body with a fresh control plane whose nodes are played, and takes it down. */
export async function withCluster<T>(
  name: string,
  body: (cluster: Cluster) => Promise<T>,
  more: Pick<ClusterStart, 'extraControllerManagerArgs'> = {},
): Promise<T> {
  const cluster = await startCluster({ name, size: 'control-plane', fakeNodes: 3, log: () => undefined, ...more });
  try {
    await cluster.must(['label', 'nodes', '--all', '--overwrite', 'yelp.com/pool=default']);
    return await body(cluster);
  } finally {
    await cluster.stop();
  }
}

export function scratchDirectory(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'paasta-bench-'));
  return {
    path,
    remove: () => {
      execFileSync('chmod', ['-R', 'u+w', path]);
      rmSync(path, { recursive: true, force: true });
    },
  };
}
