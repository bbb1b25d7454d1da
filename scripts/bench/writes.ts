/** Figures of reading and writing: the pass that changes nothing, the first one, and the one with a single change. */
import type { Cluster } from '../../test/testbed/index.ts';
import { objectsOf, peerText, type Peers } from './peers.ts';
import { audited, createTree, deploy, inputsFor, mark, OURS, quantile, seconds, withCluster, type Bench, type Tree } from './scene.ts';

const count = (objects: number, requests: number): string => (requests / objects).toFixed(2);

/** Names of the kinds that were asked for, with how often. */
function kindsOf(events: readonly { readonly requestURI: string; readonly verb: string }[]): string {
  const counts = new Map<string, number>();
  for (const { requestURI } of events) {
    const path = (requestURI.split('?')[0] ?? '').replace(/^\/(?:api|apis\/[^/]+)\/[^/]+\//, '').replace(/^namespaces\/[^/]+\//, '');
    const kind = path.split('/')[0] ?? path;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return [...counts].map(([kind, n]) => (n === 1 ? kind : `${kind} ×${String(n)}`)).join(', ');
}

/** A thousand autoscaled instances, deployed; then once more. */
export async function noopFigure(bench: Bench, peers: Peers): Promise<void> {
  // Autoscalers that find no metrics keep a core of the API server busy by trying again: here they rest, for us and for the peer.
  const resting = { extraControllerManagerArgs: ['--horizontal-pod-autoscaler-sync-period=1h'] };
  const figure = async (cluster: Cluster): Promise<void> => {
    const tree = createTree(bench.scratch, {
      services: 20,
      perService: Math.ceil(50 * bench.scale),
      prefix: 'auto',
      keys: 'min_instances: 1, max_instances: 2',
    });
    const inputs = inputsFor(tree, cluster.kubeconfigPath);
    bench.say('deploying 1,000 autoscaled instances once …');
    const first = await deploy(bench, inputs);
    bench.say(`… done in ${seconds(first.milliseconds)}`);
    const rounds: {
      readonly milliseconds: number;
      readonly requests: number;
      readonly writes: number;
      readonly kinds: string;
      readonly page: string;
    }[] = [];
    for (let round = 0; round < 3; round++) {
      const at = mark(cluster);
      const run = await deploy(bench, inputs);
      const { requests, writes, events } = audited(cluster, at, OURS);
      const page =
        new URL(events.find((e) => e.requestURI.includes('limit='))?.requestURI ?? '/?limit=none', 'http://x').searchParams.get('limit') ??
        'none';
      rounds.push({ milliseconds: run.milliseconds, requests, writes, kinds: kindsOf(events), page });
    }
    const [best] = [...rounds].sort((a, b) => a.milliseconds - b.milliseconds);
    if (best === undefined) throw new Error('no round');
    const requests = Math.max(...rounds.map((r) => r.requests));
    const writes = Math.max(...rounds.map((r) => r.writes));
    bench.report(
      'no-op over 1,000 autoscaled instances (Deployment, HPA, PDB, Service; 2,000 pods; autoscalers at rest)',
      `${String(requests)} requests (${best.kinds}; pages of ${Number(best.page).toLocaleString('en')}), ${String(writes)} writes, ${rounds.map((r) => seconds(r.milliseconds)).join(' / ')} in three runs`,
      '≤ 10 requests, 0 writes, ≤ 2 s',
      requests <= 10 && writes === 0 && best.milliseconds <= 2_000,
    );
    const objects = await objectsOf(tree);
    const kubectl = peers.found.find((p) => p.agent.test('kubectl'));
    if (kubectl === undefined) return;
    const at = mark(cluster);
    const run = await kubectl.apply(cluster.kubeconfigPath, 'noop', objects, 120_000);
    const did = audited(cluster, at, kubectl.agent);
    bench.beside(
      `${kubectl.name} of the same ${String(objects.length)} objects, nothing to change`,
      `${String(did.requests)} requests, ${String(did.writes)} of them PATCH, ${peerText(run)}`,
    );
  };
  await withCluster('bench-noop', figure, resting);
}

export const FIRST: { readonly services: number; readonly perService: number } = { services: 10, perService: 50 };

/** Keys of one of the five hundred. A drain of half a minute would be most of the time in which these figures are taken. */
export function keysOf(instances: number, more = ''): string {
  return `instances: ${String(instances)}, lifecycle: {pre_stop_drain_seconds: 1}${more}`;
}

/** The cluster of five hundred instances, with the tree that is in it. */
export interface FiveHundred {
  readonly cluster: Cluster;
  readonly tree: Tree;
}

/** First apply of 500 instances × 3 objects, each contender in a cluster of its own; our cluster is handed on to the body. */
export async function firstApplyFigure(bench: Bench, peers: Peers, body: (scene: FiveHundred) => Promise<void>): Promise<void> {
  const tree = createTree(bench.scratch, {
    services: FIRST.services,
    perService: Math.ceil(FIRST.perService * bench.scale),
    prefix: 'svc',
    keys: keysOf(1),
  });
  const objects = await objectsOf(tree);
  const walls = new Map<string, number>();
  for (const peer of peers.found) {
    await withCluster(`bench-${peer.agent.source.slice(1, 5).toLowerCase()}`, async (cluster) => {
      const at = mark(cluster);
      const run = await peer.apply(cluster.kubeconfigPath, 'first', objects);
      const did = audited(cluster, at, peer.agent);
      if (run.code === 0) walls.set(peer.name, run.milliseconds);
      bench.beside(
        `${peer.name} (${peer.version}), first apply of the same ${String(objects.length)} objects`,
        `${peerText(run)}, ${count(objects.length, did.writes)} writes for each object, ${String(did.requests)} requests`,
      );
      const again = mark(cluster);
      const same = await peer.apply(cluster.kubeconfigPath, 'first', objects);
      const noop = audited(cluster, again, peer.agent);
      bench.beside(
        `${peer.name}, again, nothing to change`,
        `${peerText(same)}, ${String(noop.requests)} requests, ${String(noop.writes)} of them PATCH, POST or PUT`,
      );
    });
  }
  await withCluster('bench-ours', async (cluster) => {
    const inputs = inputsFor(tree, cluster.kubeconfigPath);
    const at = mark(cluster);
    const run = await deploy(bench, inputs);
    const did = audited(cluster, at, OURS);
    const wall = (did.lastWrite ?? NaN) - run.began;
    const kubectl = walls.get('kubectl apply --server-side');
    const ratio = kubectl === undefined ? NaN : wall / kubectl;
    const perObject = did.writes / objects.length;
    bench.report(
      `first apply of 500 instances × 3 objects (${String(objects.length)} with their namespaces)`,
      `${seconds(wall)} from start to the last write${kubectl === undefined ? '' : ` = ${ratio.toFixed(2)} × kubectl's ${seconds(kubectl)}`}, ${perObject.toFixed(3)} writes for each object; all proven after ${seconds(run.milliseconds)}`,
      '≤ 0.8 × `kubectl apply --server-side`, ≤ 1.05 writes',
      ratio <= 0.8 && perObject <= 1.05,
    );
    const noop = mark(cluster);
    const same = await deploy(bench, inputs);
    const nothing = audited(cluster, noop, OURS);
    bench.beside(
      'deploy, again, nothing to change',
      `${seconds(same.milliseconds)}, ${String(nothing.requests)} requests, ${String(nothing.writes)} writes`,
    );
    await body({ cluster, tree });
  });
}

/** The scene alone, for figures that are asked for by name. */
export async function withFiveHundred(bench: Bench, body: (scene: FiveHundred) => Promise<void>): Promise<void> {
  const tree = createTree(bench.scratch, {
    services: FIRST.services,
    perService: Math.ceil(FIRST.perService * bench.scale),
    prefix: 'svc',
    keys: keysOf(1),
  });
  await withCluster('bench-ours', async (cluster) => {
    bench.say('deploying 500 instances once …');
    await deploy(bench, inputsFor(tree, cluster.kubeconfigPath));
    await body({ cluster, tree });
  });
}

/** One changed instance among 500: from the start of the process to the first write. */
export async function oneChangeFigure(bench: Bench, { cluster, tree }: FiveHundred): Promise<void> {
  const inputs = inputsFor(tree, cluster.kubeconfigPath);
  const [service = ''] = tree.services;
  const firsts: number[] = [];
  for (let round = 0; round < 5; round++) {
    tree.write(service, (instance) => keysOf(1, instance === 'i003' ? `, env: {ROUND: "${String(round)}"}` : ''));
    const at = mark(cluster);
    const run = await deploy(bench, inputs);
    const did = audited(cluster, at, OURS);
    if (did.firstWrite === undefined) throw new Error(`nothing was written in round ${String(round)}`);
    firsts.push(did.firstWrite - run.began);
  }
  const middle = quantile(firsts, 0.5);
  bench.report(
    'one changed among 500: start to first write, median of 5',
    `${seconds(middle)} (largest ${seconds(Math.max(...firsts))})`,
    '≤ 1.0 s',
    middle <= 1_000,
  );
}
