import { DrainWatch } from '../../../src/shared/converge/drain-proof.ts';
import { TrafficWatch } from '../../../src/shared/converge/traffic.ts';
import type { Change, ConvergePorts } from '../../../src/shared/converge/index.ts';
import { problem, UserError } from '../../../src/shared/contract/errors.ts';
import type { KubeObject } from '../../../src/shared/objects/types.ts';
import type { InstancePlan } from '../../../src/shared/plan/index.ts';
import { drainProblem, drainProofJson, drainProofText } from '../../../src/shared/report/drain-proof.ts';
import { recordingLog } from '../../support/recording.ts';
import { fakeCluster } from './fake-cluster.ts';

const START = Date.parse('2026-01-01T00:00:00Z');
const at = (seconds: number): string => new Date(START + Math.floor(seconds) * 1_000).toISOString().replace('.000Z', 'Z');

function plan(
  more: Partial<InstancePlan> = {},
  services = [{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web---main' } }],
): InstancePlan {
  return {
    rendered: { service: 'web', instance: 'main', namespace: 'apps', services },
    effect: { bounces: true, difference: 0 },
    rollout: { kind: 'native' },
    steps: [{}],
    ...more,
  } as unknown as InstancePlan;
}

const slice = (ready: readonly string[], terminating: readonly string[] = [], name = 'web---main'): KubeObject => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: `${name}-x`, namespace: 'apps', labels: { 'kubernetes.io/service-name': name } },
  endpoints: [
    ...ready.map((uid) => ({ targetRef: { kind: 'Pod', uid }, conditions: { ready: true } })),
    ...terminating.map((uid) => ({ targetRef: { kind: 'Pod', uid }, conditions: { ready: false, serving: true, terminating: true } })),
  ],
});

function pod(
  uid: string,
  state: 'running' | 'ending' | { finished: number },
  more: { sleep?: number; instance?: string } = {},
): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `pod-${uid}`,
      namespace: 'apps',
      uid,
      labels: { 'paasta.yelp.com/service': 'web', 'paasta.yelp.com/instance': more.instance ?? 'main' },
      ...(state === 'running' ? {} : { deletionTimestamp: at(99) }),
    },
    spec: {
      containers: [
        { name: 'main', image: 'x', lifecycle: { preStop: { sleep: { seconds: more.sleep ?? 0 } } } },
        { name: 'hacheck', image: 'y' },
      ],
    },
    status: {
      containerStatuses: [
        { name: 'hacheck', state: { running: {} } },
        {
          name: 'main',
          state: typeof state === 'object' ? { terminated: { exitCode: 0, finishedAt: at(state.finished) } } : { running: {} },
        },
      ],
    },
  };
}

/** A run whose clock stands still until it is set. */
function world(plans: readonly InstancePlan[] = [plan()]) {
  const fake = fakeCluster();
  const opened: string[] = [];
  let now = START;
  let pods: readonly KubeObject[] = [];
  const log = recordingLog();
  const ports: ConvergePorts = {
    cluster: {
      ...fake,
      async *watch(kind, options): AsyncGenerator<Change> {
        opened.push(`${kind.kind} ${options.namespace ?? '*'} ${options.labelSelector ?? ''}`);
        const refused = fake.refused.get(kind.kind);
        if (refused !== undefined) throw refused;
        yield { type: 'reset', items: kind.kind === 'Pod' ? pods : [...fake.objects.values()].filter((o) => o.kind === kind.kind) };
        yield* fake.watch(kind, options);
      },
    },
    versions: { deployments: () => Promise.reject(new Error('not asked')) },
    digests: undefined,
    log,
    signal: new AbortController().signal,
    clock: {
      now: () => now,
      sleep: (_ms, signal) =>
        new Promise((_resolve, reject) => {
          signal?.addEventListener('abort', () => {
            reject(new Error('aborted'));
          });
        }),
    },
  };
  const watch = new DrainWatch(ports, new TrafficWatch(ports));
  const turn = (): Promise<void> =>
    new Promise((resolve) => {
      setTimeout(resolve, 2);
    });
  return {
    watch,
    opened,
    log,
    fake,
    begin: async (...ready: string[]) => {
      fake.tell(slice(ready));
      watch.follow(plans);
      await turn();
    },
    slices: async (seconds: number, ...objects: KubeObject[]) => {
      now = START + seconds * 1_000;
      for (const object of objects) fake.tell(object);
      await turn();
    },
    pods: (seconds: number, ...changes: KubeObject[]) => {
      now = START + seconds * 1_000;
      for (const object of changes) watch.pods({ type: 'put', object });
    },
    gone: (seconds: number, object: KubeObject) => {
      now = START + seconds * 1_000;
      watch.pods({ type: 'gone', object });
    },
    /** What the last look at pods shows. */
    left: (...objects: KubeObject[]) => {
      pods = objects;
    },
    finish: async (cancelled = false) => (await watch.finish(cancelled)).get('web.main'),
  };
}

describe('drain proof', () => {
  it('takes the least time between leaving the slice and the end, in whole seconds of the kubelet', async () => {
    const w = world();
    await w.begin('a', 'b', 'new');
    await w.slices(1.2, slice(['b', 'new'], ['a']));
    w.pods(1.2, pod('a', 'ending'));
    await w.slices(2, slice(['new'], ['a', 'b']));
    w.pods(2, pod('b', 'ending'));
    w.pods(6.9, pod('a', { finished: 6.4 }));
    w.pods(7.5, pod('b', { finished: 7 }));
    const proof = await w.finish();
    expect(proof).toEqual({ pods: 2, minimum: 4.8, violations: [], ending: 0 });
    expect(drainProofText(proof ?? { pods: 0, violations: [], ending: 0 })).toBe(
      'drain proof: 2 pods left traffic at least 4.8 s before they ended',
    );
    expect(w.opened).toEqual(['EndpointSlice apps kubernetes.io/service-name in (web---main)']);
  });

  it('lists pods that ended at once, or before they left', async () => {
    const w = world();
    await w.begin('a', 'b', 'c', 'd');
    w.pods(1, pod('a', { finished: 1 }));
    await w.slices(1.1, slice(['b', 'c', 'd']));
    await w.slices(2.5, slice(['c', 'd']));
    w.pods(3.1, pod('b', { finished: 3 }));
    w.pods(4, pod('c', { finished: 4 }));
    await w.slices(9, slice(['c']));
    w.gone(15, pod('d', 'ending'));
    const proof = await w.finish();
    expect(proof).toMatchObject({ pods: 4, minimum: 6, ending: 0 });
    expect(drainProofText(proof ?? { pods: 0, violations: [], ending: 0 })).toBe(
      'drain proof: 3 pods ended less than 1.0 s after leaving traffic: pod-a (0.0 s), pod-b (0.5 s), pod-c (still in its EndpointSlice); 1 pod left traffic at least 6.0 s before it ended',
    );
    expect(drainProblem('web.main', proof ?? { pods: 0, violations: [], ending: 0 })).toMatchObject({
      severity: 'warning',
      code: 'DRAIN_TOO_SHORT',
      hint: expect.stringContaining('pre_stop_drain_seconds') as string,
    });
    expect(drainProofJson(proof ?? { pods: 0, violations: [], ending: 0 })).toMatchObject({
      pods: 4,
      minimum_seconds: 6,
      violations: [
        { pod: 'pod-a', seconds: -0.1 },
        { pod: 'pod-b', seconds: 0.5 },
        { pod: 'pod-c', seconds: null },
      ],
    });
  });

  it('knows a pod that was taken out from outside, long before it is deleted', async () => {
    const w = world();
    await w.begin('a');
    await w.slices(1, slice([]));
    w.pods(20, pod('a', 'ending'));
    w.gone(21, pod('a', { finished: 21 }));
    expect(await w.finish()).toEqual({ pods: 1, minimum: 20, violations: [], ending: 0 });
  });

  it('does not count what never served, what stays, and other instances', async () => {
    const w = world();
    await w.begin('a', 'other');
    w.pods(1, pod('crashed', { finished: 1 }), pod('a', 'running'), pod('other', { finished: 1 }, { instance: 'canary' }));
    expect(await w.finish()).toBeUndefined();
  });

  it('takes an end that a clock far away tells for the moment at which it was heard of', async () => {
    const w = world();
    await w.begin('a');
    await w.slices(10, slice([]));
    w.pods(14, pod('a', { finished: 2 }));
    expect(await w.finish()).toMatchObject({ minimum: 4, violations: [] });
  });

  it('counts a pod that came back from the time at which it left for good', async () => {
    const w = world();
    await w.begin('a');
    await w.slices(1, slice([]));
    await w.slices(2, slice(['a']));
    await w.slices(10, slice([]));
    w.pods(12, pod('a', { finished: 12 }));
    expect(await w.finish()).toMatchObject({ minimum: 2 });
  });

  it('waits after the verdict for pods that end soon', async () => {
    const w = world();
    await w.begin('a', 'b');
    await w.slices(1, slice([], ['a', 'b']));
    w.pods(1, pod('a', 'ending', { sleep: 5 }), pod('b', 'ending', { sleep: 5 }));
    w.left(pod('a', 'ending', { sleep: 5 }));
    const finished = w.finish();
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
    await w.slices(6, pod('a', { finished: 6 }, { sleep: 5 }));
    // b was gone at the last look: it ended at the verdict at the earliest
    expect(await finished).toEqual({ pods: 2, minimum: 5, violations: [{ pod: 'pod-b', seconds: 0 }], ending: 0 });
    expect(w.opened[1]).toBe('Pod apps paasta.yelp.com/service in (web)');
  });

  it('does not wait for pods that take long, and says so', async () => {
    const w = world();
    await w.begin('a');
    await w.slices(1, slice([], ['a']));
    w.pods(1, pod('a', 'ending', { sleep: 30 }));
    await w.slices(3, slice([], ['a']));
    const proof = await w.finish();
    expect(drainProofText(proof ?? { pods: 0, violations: [], ending: 0 })).toBe(
      'drain proof: 1 pod still ending, out of traffic for 2.0 s so far',
    );
    expect(w.opened).toHaveLength(1);
  });

  it.each<[string, InstancePlan[]]>([
    ['creates', [plan({ effect: { bounces: false, difference: 2 } as InstancePlan['effect'] })]],
    ['changes nothing', [plan({ steps: [] })]],
    ['has no Services', [plan({}, [])]],
  ])('opens no watch for an instance that %s', async (_name, plans) => {
    const w = world(plans);
    await w.begin('a');
    w.pods(1, pod('a', { finished: 1 }));
    expect(await w.finish()).toBeUndefined();
    expect(w.opened).toEqual([]);
  });

  it('says once that it may not look, and fails nothing', async () => {
    const w = world();
    w.fake.refused.set('EndpointSlice', new UserError(problem('CLUSTER_FORBIDDEN', 'may not watch endpointslices')));
    await w.begin('a');
    expect(await w.finish()).toBeUndefined();
    expect(w.log.lines).toEqual(['info no drain proof: cannot watch endpointslices (may not watch endpointslices)']);
  });

  it('watches all namespaces when instances of several bounce, and looks at their Services only', async () => {
    const second = plan();
    const w = world([plan(), { ...second, rendered: { ...second.rendered, namespace: 'others' } }]);
    await w.begin('a');
    await w.slices(1, slice([]), slice(['a'], [], 'foreign'));
    w.pods(3, pod('a', { finished: 3 }));
    expect(await w.finish()).toMatchObject({ minimum: 2 });
    expect(w.opened).toEqual(['EndpointSlice * kubernetes.io/service-name in (web---main)']);
  });
});
