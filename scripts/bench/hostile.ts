/** An API server that is far away, refuses now and then and once cuts all connections: does everything arrive, and how much later? */
import type { Cluster } from '../../test/testbed/index.ts';
import { startHostileProxy, type Hostility } from './hostile-proxy.ts';
import { objectsOf, peerText, type PeerRun, type Peers } from './peers.ts';
import { createTree, deploy, inputsFor, seconds, withCluster, type Bench, type Tree } from './scene.ts';

const CALM: Hostility = { latency: 200, tooMany: 0, broken: 0 };
const HOSTILE: Hostility = { latency: 200, tooMany: 0.05, broken: 0.02, cutAfter: 100 };

interface Outcome {
  readonly milliseconds: number;
  readonly good: boolean;
  readonly text: string;
  readonly faults: string;
}

async function ours(bench: Bench, cluster: Cluster, tree: Tree, name: string, hostility: Hostility): Promise<Outcome> {
  const proxy = await startHostileProxy(cluster, bench.scratch, name, hostility);
  try {
    const run = await deploy(bench, inputsFor(tree, proxy.kubeconfigPath), { mayFail: true });
    const good = (JSON.parse(run.outputs['results'] ?? '[]') as { state: string }[]).filter((r) => r.state === 'deployed').length;
    const { requests, tooMany, broken, cut } = proxy.counts();
    return {
      milliseconds: run.milliseconds,
      good: run.code === 0 && good === tree.instances,
      text: `${String(good)} of ${String(tree.instances)} deployed, exit ${String(run.code)}`,
      faults: `${String(requests)} requests, ${String(tooMany)} × 429, ${String(broken)} × 500, ${String(cut)} cut`,
    };
  } finally {
    await proxy.stop();
  }
}

/** A hundred instances, first apply and proof, through the proxy: with the latency alone, then with the faults too. */
export async function hostileFigure(bench: Bench, peers: Peers): Promise<void> {
  await withCluster('bench-hostile', async (cluster) => {
    let ports = 24_000;
    const treeFor = (prefix: string, perService = 50): Tree =>
      createTree(bench.scratch, {
        services: 2,
        perService: Math.ceil(perService * bench.scale),
        prefix,
        keys: 'instances: 1',
        ports: (ports += 200),
      });
    const calm = await ours(bench, cluster, treeFor('calm'), 'ours-calm', CALM);
    const hostile = await ours(bench, cluster, treeFor('wild'), 'ours-wild', HOSTILE);
    const ratio = hostile.milliseconds / calm.milliseconds;
    bench.report(
      'hostile API (5 % 429, 2 % 500, 200 ms, every connection cut once): 100 instances deployed and proven',
      `${hostile.text} in ${seconds(hostile.milliseconds)} = ${ratio.toFixed(2)} × ${seconds(calm.milliseconds)} without faults (${hostile.faults})`,
      '100 %, ≤ 1.5 ×',
      calm.good && hostile.good && ratio <= 1.5,
    );
    // They only wait for answers: side by side none of them holds up another. Fewer objects, because one after another takes long.
    await Promise.all(
      peers.found.map(async (peer, at) => {
        const one = async (mood: string, hostility: Hostility): Promise<{ readonly objects: number; readonly run: PeerRun }> => {
          const name = `${mood}${String.fromCharCode(97 + at)}`;
          const objects = await objectsOf(treeFor(name, 15));
          const proxy = await startHostileProxy(cluster, bench.scratch, name, hostility);
          try {
            return { objects: objects.length, run: await peer.apply(proxy.kubeconfigPath, name, objects, 150_000) };
          } finally {
            await proxy.stop();
          }
        };
        const [still, wild] = await Promise.all([one('calm', CALM), one('wild', HOSTILE)]);
        const times =
          still.run.code === 0 && wild.run.code === 0 ? ` = ${(wild.run.milliseconds / still.run.milliseconds).toFixed(2)} ×` : '';
        bench.beside(
          `${peer.name} of ${String(still.objects)} objects, not waiting for pods`,
          `with faults ${peerText(wild.run)}${times}; without ${peerText(still.run)}`,
        );
      }),
    );
  });
}
