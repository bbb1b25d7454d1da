/**
 * What a plan foretells of a bounce against what watches of a real cluster see: pods above the wanted count, and pods that serve at least.
 *
 * The peak is what the ReplicaSets ask for: that is what quotas and nodes must bear, and the controllers set it in one write. Pods follow it
 * one by one; where a method takes old ones away at the same time, how many are seen at once is up to the order of two controllers, so
 * there the pods are held to the peak as a bound.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectCluster } from '../../src/shared/kubernetes/index.ts';
import { KINDS, type KindName, type KubeObject, type Pod } from '../../src/shared/objects/types.ts';
import { systemClock } from '../../src/shared/runtime/clock.ts';
import { sha } from '../support/deploy-scene.ts';
import { recordingLog } from '../support/recording.ts';
import { describeWith, root } from '../support/requirements.ts';
import { serving, startServing, type ServingScene } from '../support/serving-scene.ts';

/** What is foretold by the rule of each method, so that plan and watch cannot be wrong together. */
const METHODS: readonly (readonly [name: string, wanted: number, more: string, surge: number, minimum: number])[] = [
  ['crossover', 3, 'bounce_method: crossover, bounce_margin_factor: 1', 3, 3],
  ['half', 4, 'bounce_method: crossover, bounce_margin_factor: 1, bounce_overprovision_factor: 0.5', 2, 4],
  ['margin', 4, 'bounce_method: crossover, bounce_margin_factor: 0.5', 4, 2],
  ['brutal', 2, 'bounce_method: brutal', 2, 0],
  ['downthenup', 2, 'bounce_method: downthenup', 0, 0],
  ['upthendown', 2, 'bounce_method: upthendown', 2, 2],
];

/** Methods that take no old pod away before a new one serves: their peak is seen in pods, too. */
const NEVER_FEWER = ['crossover', 'half', 'upthendown'];

interface Seen {
  /** Pods that the ReplicaSets ask for, at most. */
  asked: number;
  /** Pods that are not ending, at most. */
  most: number;
  /** Pods that serve, at least. */
  least: number;
}

describeWith([root()], 'what a plan foretells of a bounce', () => {
  let world: ServingScene;

  beforeAll(async () => {
    world = await startServing(`pre-e2e-${process.pid}`);
    world.scene.write('web/kubernetes-lab.yaml', METHODS.map(([name, wanted, more]) => `${name}: ${serving(wanted, 1, more)}\n`).join(''));
  });
  afterAll(async () => {
    await (world as ServingScene | undefined)?.stop();
  });

  /** What is seen of every instance while the body runs. */
  async function watched<T>(body: () => Promise<T>): Promise<{ readonly result: T; readonly seen: ReadonlyMap<string, Seen> }> {
    const abort = new AbortController();
    const door = await connectCluster({
      kubeconfig: { kind: 'file', path: world.cluster.kubeconfigPath },
      userAgent: 'observer',
      log: recordingLog(),
      mask: () => undefined,
      clock: systemClock,
      signal: abort.signal,
      env: {},
    });
    const seen = new Map<string, Seen>(METHODS.map(([name]) => [name, { asked: 0, most: 0, least: Infinity }]));
    /** Lists and watches a kind; after each change the objects of every instance are looked at. */
    const follow = async (kind: KindName, look: (before: Seen, own: readonly KubeObject[]) => Seen): Promise<Promise<void>[]> => {
      const listed = await door.list(KINDS[kind], { namespace: 'paastasvc-web' });
      const objects = new Map(listed.items.map((object) => [object.metadata.uid ?? '', object]));
      const count = (): void => {
        for (const [name, before] of seen)
          seen.set(
            name,
            look(
              before,
              [...objects.values()].filter((o) => o.metadata.labels?.['paasta.yelp.com/instance'] === name),
            ),
          );
      };
      count();
      const watching = async (): Promise<void> => {
        try {
          for await (const change of door.watch(KINDS[kind], {
            namespace: 'paastasvc-web',
            resourceVersion: listed.resourceVersion,
            signal: abort.signal,
          })) {
            if (change.type === 'reset') {
              objects.clear();
              for (const object of change.items) objects.set(object.metadata.uid ?? '', object);
            }
            if (change.type === 'put') objects.set(change.object.metadata.uid ?? '', change.object);
            if (change.type === 'gone') objects.delete(change.object.metadata.uid ?? '');
            count();
          }
        } catch (error) {
          if (!abort.signal.aborted) throw error;
        }
      };
      return [watching()];
    };
    const watches = [
      ...(await follow('Pod', (before, own) => {
        const staying = (own as readonly Pod[]).filter((p) => p.metadata.deletionTimestamp === undefined);
        const serving = staying.filter((p) => p.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true);
        return { ...before, most: Math.max(before.most, staying.length), least: Math.min(before.least, serving.length) };
      })),
      ...(await follow('ReplicaSet', (before, own) => ({
        ...before,
        asked: Math.max(
          before.asked,
          own.reduce((sum, set) => sum + Number(set.spec?.['replicas'] ?? 0), 0),
        ),
      }))),
    ];
    try {
      return { result: await body(), seen };
    } finally {
      abort.abort();
      await Promise.all(watches);
      await door.close();
    }
  }

  it('is what the watch sees, for every method', async () => {
    const { scene } = world;
    const first = await scene.deploy({ service: 'web', 'stability-window': '0s', timeout: '3m' });
    expect(first.code).toBe(0);
    scene.mark('web', { prod: sha('b') });
    const plan = await scene.deploy({ service: 'web', mode: 'plan', 'plan-file': 'plan.json' });
    expect(plan.code).toBe(2);
    const document = JSON.parse(readFileSync(join(scene.directory, 'plan.json'), 'utf8')) as {
      hash: string;
      instances: {
        instance: string;
        effect: { bounces: boolean; surge: number; minimum_serving: number; usage: { peak: { pods: number } } };
      }[];
    };
    const foretold = Object.fromEntries(
      document.instances.map(({ instance: name, effect }) => [
        name,
        { surge: effect.surge, minimum: effect.minimum_serving, most: effect.usage.peak.pods },
      ]),
    );
    expect(foretold).toEqual(
      Object.fromEntries(METHODS.map(([name, wanted, , surge, minimum]) => [name, { surge, minimum, most: wanted + surge }])),
    );

    const { result: bounced, seen } = await watched(() =>
      scene.deploy({ service: 'web', 'stability-window': '0s', timeout: '4m', 'expected-plan': document.hash }),
    );
    if (bounced.code !== 0) process.stderr.write(bounced.text);
    expect(bounced.code).toBe(0);
    expect(
      Object.fromEntries(
        [...seen].map(([name, { asked, least }]) => [
          name,
          { surge: asked - (METHODS.find((m) => m[0] === name)?.[1] ?? 0), minimum: least, most: asked },
        ]),
      ),
    ).toEqual(foretold);
    for (const [name, { asked, most }] of seen)
      expect([name, NEVER_FEWER.includes(name) ? most === asked : most <= asked]).toEqual([name, true]);

    // and the next plan knows how long it took
    scene.mark('web', { prod: sha('a') });
    expect((await scene.deploy({ service: 'web', mode: 'plan' })).text).toMatch(/earlier bounces took [\d.]+ s/);
  });
});
