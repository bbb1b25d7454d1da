/**
 * Verdicts on what a real API server, its controllers and its scheduler show: every fault ends as its own code, transients end well.
 * The pods are played by a fake node; quota, limits, scheduling and rollouts are real.
 */
import {
  judge,
  NO_HISTORY,
  settle,
  type Evidence,
  type Expectation,
  type FailureCode,
  type History,
  type Verdict,
} from '../../src/shared/health/index.ts';
import type { Event, KubeObject, Pod, ReplicaSet } from '../../src/shared/objects/types.ts';
import { until } from '../support/until.ts';
import { startCluster, type Cluster } from '../testbed/index.ts';

const SHA = '1'.repeat(40);

interface Case {
  readonly name: string;
  readonly fake?: Readonly<Record<string, string>>;
  readonly pod?: Record<string, unknown>;
  readonly container?: Record<string, unknown>;
  readonly before?: readonly KubeObject[];
  readonly ends: 'proven' | FailureCode;
  readonly says?: RegExp;
}

const CASES: readonly Case[] = [
  { name: 'healthy', ends: 'proven' },
  {
    name: 'slow',
    fake: { 'ready-after-ms': '9000' },
    container: { readinessProbe: { tcpSocket: { port: 1 }, periodSeconds: 5 } },
    ends: 'proven',
  },
  { name: 'recovers', fake: { behaviour: 'crash-loop', 'crash-times': '4', 'backoff-ms': '500' }, ends: 'proven' },
  {
    name: 'quota',
    before: [{ apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'small' }, spec: { hard: { pods: '1' } } }],
    ends: 'QUOTA_EXCEEDED',
    says: /The quota small of namespace health-quota is exhausted: pods: requested 1, used 1 of 1/,
  },
  {
    name: 'limits',
    before: [
      {
        apiVersion: 'v1',
        kind: 'LimitRange',
        metadata: { name: 'limits' },
        spec: { limits: [{ type: 'Container', max: { memory: '64Mi' } }] },
      },
    ],
    container: { resources: { limits: { memory: '1Gi' } } },
    ends: 'ADMISSION_DENIED',
    says: /A LimitRange of namespace health-limits refuses the pod: .*maximum memory usage per Container is 64Mi/,
  },
  {
    name: 'nowhere',
    pod: { nodeSelector: { moon: 'yes' } },
    ends: 'UNSCHEDULABLE',
    says: /No node can take the pod: 0\/\d+ nodes are available/,
  },
  {
    name: 'crashes',
    fake: { behaviour: 'crash-loop', 'exit-code': '3' },
    ends: 'CRASH_LOOP',
    says: /container main ends with exit code 3, \d+ times so far/,
  },
  { name: 'greedy', fake: { behaviour: 'oom' }, ends: 'OOM_KILLED' },
  { name: 'noimage', fake: { behaviour: 'image-pull-error' }, ends: 'IMAGE_NOT_FOUND' },
  { name: 'badname', fake: { behaviour: 'invalid-image' }, ends: 'CONTAINER_CONFIG' },
  { name: 'nosecret', fake: { behaviour: 'config-error' }, ends: 'CONTAINER_CONFIG' },
  {
    name: 'unready',
    fake: { behaviour: 'never-ready' },
    container: { readinessProbe: { httpGet: { path: '/status', port: 8888 }, periodSeconds: 2, failureThreshold: 3 } },
    ends: 'PROBE_FAILING',
    says: /readiness probe \(GET http:\/\/<pod>:8888\/status\) still fails/,
  },
];

function objectsOf(test: Case): readonly KubeObject[] {
  const namespace = `health-${test.name}`;
  const labels = { 'paasta.yelp.com/instance': test.name, 'paasta.yelp.com/git_sha': SHA, 'paasta.yelp.com/config_sha': 'config1' };
  const annotations = Object.fromEntries(Object.entries(test.fake ?? {}).map(([key, value]) => [`fake.paasta-testbed/${key}`, value]));
  const container = { name: 'main', image: `reg.example/services-web:paasta-${SHA}`, ...test.container };
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    ...(test.before ?? []).map((object) => ({ ...object, metadata: { ...object.metadata, namespace } })),
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: test.name, namespace, labels },
      spec: {
        replicas: 2,
        selector: { matchLabels: { 'paasta.yelp.com/instance': test.name } },
        template: { metadata: { labels, annotations }, spec: { ...test.pod, containers: [container] } },
      },
    },
  ];
}

describe('verdicts on a real cluster', () => {
  let cluster: Cluster;
  const ended = new Map<string, { readonly verdict: Verdict; readonly seconds: number }>();

  async function evidence(): Promise<(namespace: string) => Evidence> {
    const stdout = await cluster.must(['get', 'deployments,replicasets,pods,events', '-A', '-o', 'json']);
    const items = (JSON.parse(stdout) as { readonly items: readonly KubeObject[] }).items;
    return (namespace) => {
      const own = items.filter((item) => item.metadata.namespace === namespace);
      return {
        workload: own.find((item) => item.kind === 'Deployment'),
        replicaSets: own.filter((item): item is ReplicaSet => item.kind === 'ReplicaSet'),
        pods: own.filter((item): item is Pod => item.kind === 'Pod'),
        events: own.filter((item): item is Event => item.kind === 'Event'),
      };
    };
  }

  beforeAll(async () => {
    cluster = await startCluster({ name: `health-${process.pid}`, fakeNodes: 1 });
    const objects = CASES.flatMap(objectsOf);
    // Limits and quotas first: they hold for pods that come after them.
    const first = objects.filter((object) => object.kind !== 'Deployment');
    await cluster.must(['apply', '-f', '-'], { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: first }) });
    // Quotas count only when their controller has seen them.
    await until('the quota counts', async () =>
      (await cluster.must(['get', 'resourcequota', 'small', '-n', 'health-quota', '-o', 'jsonpath={.status.used.pods}'])).includes('0'),
    );
    const started = Date.now();
    await cluster.must(['apply', '-f', '-'], {
      input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects.filter((object) => object.kind === 'Deployment') }),
    });

    const histories = new Map<string, History>();
    while (ended.size < CASES.length && Date.now() - started < 240_000) {
      const of = await evidence();
      const now = Date.now();
      for (const { name } of CASES) {
        if (ended.has(name)) continue;
        const expectation: Expectation = {
          version: { sha: SHA, imageVersion: null },
          configHash: 'config1',
          replicas: 2,
          marginFactor: 1,
          imageDigest: undefined,
          mainContainer: 'main',
          since: started,
        };
        const { verdict, history } = settle(histories.get(name) ?? NO_HISTORY, judge(expectation, of(`health-${name}`), now), now);
        histories.set(name, history);
        if (verdict.state === 'proven' || verdict.state === 'failed') ended.set(name, { verdict, seconds: (now - started) / 1_000 });
      }
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  });

  afterAll(async () => {
    await cluster.stop();
  });

  it.each(CASES.map((test) => [test.name, test.ends, test] as const))('%s: %s', (name, ends, test) => {
    const result = ended.get(name);
    const { verdict } = result ?? {};
    expect(verdict?.state === 'failed' ? verdict.diagnosis.code : verdict?.state).toBe(ends);
    if (verdict?.state === 'failed') {
      if (test.says !== undefined) expect(verdict.diagnosis.cause).toMatch(test.says);
      expect(verdict.diagnosis.next).not.toBe('');
      if (process.env['PAASTA_SHOW_DIAGNOSES'] !== undefined)
        process.stderr.write(`${name} after ${result?.seconds} s: ${JSON.stringify(verdict.diagnosis, null, 1)}\n`);
    }
  });
});
