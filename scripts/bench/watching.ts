/** Figures of waiting: how soon a verdict follows what it is about, and what a long watch costs. */
import { readFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import type { KubeObject } from '../../src/shared/objects/types.ts';
import type { AuditEvent } from '../../test/testbed/index.ts';
import { audited, deploy, inputsFor, mark, OURS, quantile, seconds, sleep, type Bench } from './scene.ts';
import { keysOf, type FiveHundred } from './writes.ts';

interface SeenPod extends KubeObject {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

const LABEL = 'paasta.yelp.com';

/** When the last pod of each instance got ready or the last old one was gone, whichever came later: before that there can be no verdict. */
function watchPods({ cluster }: FiveHundred): { readonly last: ReadonlyMap<string, number>; stop(): void } {
  const last = new Map<string, number>();
  const ready = new Set<string>();
  const watcher = spawn(
    cluster.kubectlPath,
    [
      '--kubeconfig',
      cluster.kubeconfigPath,
      'get',
      '--raw',
      `/api/v1/pods?watch=true&labelSelector=${encodeURIComponent(`${LABEL}/managed=true`)}`,
    ],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  let rest = '';
  watcher.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const { type, object } = JSON.parse(line) as { readonly type: string; readonly object: SeenPod };
      const name = `${object.metadata.labels?.[`${LABEL}/service`] ?? ''}.${object.metadata.labels?.[`${LABEL}/instance`] ?? ''}`;
      const uid = object.metadata.uid ?? '';
      if (type === 'DELETED') last.set(name, Date.now());
      else if (
        object.metadata.deletionTimestamp === undefined &&
        !ready.has(uid) &&
        object.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true
      ) {
        ready.add(uid);
        last.set(name, Date.now());
      }
    }
  });
  return {
    last,
    stop: () => {
      watcher.kill('SIGKILL');
    },
  };
}

/** When each instance was said to be ready. */
function readingVerdicts(): { readonly said: Map<string, number>; take(chunk: string): void } {
  const said = new Map<string, number>();
  let rest = '';
  return {
    said,
    take: (chunk) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const found = /^([\w-]+\.[\w-]+): (\d+)\/\2 ready(?:;.*)?$/.exec(line.trim());
        if (found !== null) said.set(found[1] as string, Date.now());
      }
    },
  };
}

/** Last pod ready and old pods gone → verdict, for bounces of one instance and for a bounce of a hundred at once. */
export async function verdictFigure(bench: Bench, scene: FiveHundred): Promise<void> {
  const { cluster, tree } = scene;
  const pods = watchPods(scene);
  try {
    await sleep(1_500);
    const bounce = async (services: readonly string[], which: (instance: string) => boolean, value: string): Promise<number[]> => {
      for (const service of services) tree.write(service, (instance) => keysOf(1, which(instance) ? `, env: {VERDICT: "${value}"}` : ''));
      const reader = readingVerdicts();
      await deploy(bench, inputsFor(tree, cluster.kubeconfigPath, services.length === 1 ? { service: services[0] as string } : {}), {
        onText: reader.take,
      });
      await sleep(300);
      return [...reader.said].map(([name, at]) => at - (pods.last.get(name) ?? NaN)).filter((gap) => !Number.isNaN(gap));
    };
    const service = tree.services[0] as string;
    const alone: number[] = [];
    for (let round = 0; round < 20; round++)
      alone.push(...(await bounce([service], (instance) => instance === 'i003', `alone ${String(round)}`)));
    const many = await bounce(tree.services, (instance) => /^i00/.test(instance), 'together');
    // A watcher that is late hears of a pod after its verdict; one that misses pods would make the figure mean nothing.
    if (Math.min(...alone) < -100) throw new Error(`a verdict came ${String(-Math.min(...alone))} ms before what it is about was seen`);
    if (alone.length < 20) throw new Error(`only ${String(alone.length)} verdicts were read`);
    const p95 = quantile(alone, 0.95);
    bench.report(
      'last pod ready and old pods gone, as a watch of kubectl tells → verdict, 20 bounces of one instance',
      `p95 ${seconds(p95)}, median ${seconds(quantile(alone, 0.5))}, largest ${seconds(Math.max(...alone))}${p95 < 0 ? ' (below zero: that watch was later than ours)' : ''}`,
      'p95 ≤ 0.3 s',
      p95 <= 300,
    );
    bench.beside(
      `the same, ${String(many.length)} instances bounced in one run`,
      `p95 ${seconds(quantile(many, 0.95))}, median ${seconds(quantile(many, 0.5))}, largest ${seconds(Math.max(...many))}`,
    );
  } finally {
    pods.stop();
  }
}

/** Resident memory of a process in MB, now and at most so far, as the kernel counts it; `undefined` when the process is gone. */
function resident(pid: number): { readonly now: number; readonly most: number } | undefined {
  try {
    const status = readFileSync(`/proc/${String(pid)}/status`, 'utf8');
    const mb = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1] ?? NaN) / 1024;
    return { now: mb('VmRSS'), most: mb('VmHWM') };
  } catch {
    return undefined;
  }
}

/** Slope of a line through points, per unit of x. */
function slope(points: readonly (readonly [number, number])[]): number {
  const n = points.length;
  const mean = (at: 0 | 1): number => points.reduce((sum, p) => sum + p[at], 0) / n;
  const [mx, my] = [mean(0), mean(1)];
  return points.reduce((sum, [x, y]) => sum + (x - mx) * (y - my), 0) / points.reduce((sum, [x]) => sum + (x - mx) ** 2, 0);
}

/** Label selectors of the watches of pods of the whole cluster. */
function podSelectorsWatched(events: readonly AuditEvent[]): readonly string[] {
  return events
    .filter((e) => e.verb === 'watch' && e.requestURI.startsWith('/api/v1/pods?'))
    .map((e) => new URL(e.requestURI, 'http://x').searchParams.get('labelSelector') ?? '');
}

/** A selector that names no services selects the pods of all. */
function selects(selector: string, service: string): boolean {
  const named = /\/service in \(([^)]*)\)/.exec(selector)?.[1];
  return named === undefined || named.split(',').includes(service);
}

/**
 * Watches 500 Deployments and 2,000 pods, of which a few hundred change all the time, until one more instance of each service gets ready: it
 * never does. Of a service that stands no pod is looked at, so that each one must have such an instance.
 */
export async function memoryFigure(bench: Bench, scene: FiveHundred): Promise<void> {
  const { cluster, tree } = scene;
  bench.say('four pods for each of the 500 instances …');
  tree.writeAll(() => keysOf(4));
  await deploy(bench, inputsFor(tree, cluster.kubeconfigPath));
  // takes an hour to start and is in no trouble
  cluster.setFakeRules([{ pod: `^(?:${tree.services.join('|')})-i000-`, 'start-after-ms': 3_600_000 }]);
  const warm = 15;
  // After ten minutes without progress the Deployment gives up, and the watch would end.
  const length = (bench.long ? 590 : 70) - warm;
  tree.writeAll((instance) => keysOf(4, instance === 'i000' ? ', env: {SLOW: "yes"}' : ''));
  const from = mark(cluster);
  const samples: (readonly [number, number])[] = [];
  const stop = new AbortController();
  let peak = NaN;
  let changes = 0;
  const namespaces = tree.services.map((s) => `paastasvc-${s}`);
  const churn = async (): Promise<void> => {
    for (let n = 0; !stop.signal.aborted; n++) {
      const ran = await cluster.kubectl([
        '-n',
        namespaces[n % namespaces.length] as string,
        'annotate',
        'pods',
        '--all',
        `bench=${String(n)}`,
        '--overwrite',
      ]);
      if (ran.exitCode === 0) changes += ran.stdout.trim().split('\n').length;
      await sleep(1_000);
    }
  };
  let child: { readonly pid?: number | undefined; kill(signal: NodeJS.Signals): boolean } | undefined;
  const run = deploy(bench, inputsFor(tree, cluster.kubeconfigPath, { timeout: '1h' }), {
    mayFail: true,
    deadline: (length + 120) * 1_000,
    onStart: (started) => {
      child = started;
    },
  });
  const churning = churn();
  try {
    const began = Date.now();
    while (Date.now() - began < (warm + length) * 1_000) {
      await sleep(1_000);
      const found = child?.pid === undefined ? undefined : resident(child.pid);
      if (found === undefined) break;
      peak = found.most;
      samples.push([(Date.now() - began) / 60_000, found.now]);
    }
  } finally {
    stop.abort();
    child?.kill('SIGKILL');
    await Promise.all([run, churning]);
    cluster.setFakeRules([]);
  }
  const after = samples.filter(([minutes]) => minutes * 60 >= warm);
  if (after.length < length / 2) throw new Error(`the run ended after ${String(samples.length)} s:\n${(await run).text.slice(-2_000)}`);
  const selectors = podSelectorsWatched(audited(cluster, from, OURS).events);
  const unwatched = tree.services.filter((service) => !selectors.some((selector) => selects(selector, service)));
  if (unwatched.length > 0) throw new Error(`the pods of ${unwatched.join(', ')} were not watched: the figure would be one of less`);
  // The collector gives memory back in steps: what is kept is the least of each tenth of the time.
  const tenth = Math.ceil(after.length / 10);
  const least = Array.from({ length: Math.ceil(after.length / tenth) }, (_, n) => after.slice(n * tenth, (n + 1) * tenth)).map((part) =>
    part.reduce((a, b) => (b[1] < a[1] ? b : a)),
  );
  const growth = slope(least);
  bench.report(
    `watching 500 Deployments and 2,000 pods for ${((length + warm) / 60).toFixed(1)} min${bench.long ? '' : ' (10 with --long)'}, ${String(changes)} changes of pods meanwhile`,
    `${peak.toFixed(0)} MB at most, ${growth >= 0 ? '+' : ''}${growth.toFixed(1)} MB a minute`,
    '≤ 200 MB, ≤ 1 MB a minute',
    peak <= 200 && growth <= 1,
  );
}
