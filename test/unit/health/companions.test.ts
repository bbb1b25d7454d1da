import { judgeCompanion, servingLabels } from '../../../src/shared/health/index.ts';
import type { KubeObject, Pod } from '../../../src/shared/objects/types.ts';
import { at, expectation, OLD, pod, SHA, T0, workload } from './scene.ts';
import { judge } from '../../../src/shared/health/index.ts';

type Parts = Partial<KubeObject> & { readonly generation?: number; readonly deletionTimestamp?: string };
const object = (kind: string, { generation, deletionTimestamp, ...parts }: Parts = {}): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: {
    name: 'web-main',
    namespace: 'ns',
    ...(generation === undefined ? {} : { generation }),
    ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
  },
  ...parts,
});
const conditions = (
  ...list: readonly (readonly [type: string, status: string, reason: string, message?: string, seconds?: number])[]
): KubeObject['status'] => ({
  conditions: list.map(([type, status, reason, message, seconds]) => ({
    type,
    status,
    reason,
    message: message ?? '',
    lastTransitionTime: at(seconds ?? 0),
  })),
});
const NOW = T0 + 60_000;
const told = (o: KubeObject, pods: readonly Pod[] = []): string => {
  const verdict = judgeCompanion(o, servingLabels(pods), NOW);
  return verdict.state === 'ready'
    ? 'ready'
    : verdict.state === 'waiting'
      ? `waiting for ${verdict.what}${verdict.otherwise === undefined ? '' : `, or ${verdict.otherwise.severity} ${verdict.otherwise.code}: ${verdict.otherwise.message}`}`
      : `${verdict.state} ${verdict.problem.severity} ${verdict.problem.code}: ${verdict.problem.message}`;
};
const labelled = (labels: Record<string, string>): Pod => {
  const one = pod('p', { ready: true });
  return { ...one, metadata: { ...one.metadata, labels } };
};

describe('what stands beside a workload', () => {
  it.each<readonly [string, KubeObject, string]>([
    ['budget, seen', object('PodDisruptionBudget', { generation: 2, status: { observedGeneration: 2, disruptionsAllowed: 0 } }), 'ready'],
    [
      'budget, not seen yet',
      object('PodDisruptionBudget', { generation: 2, status: { observedGeneration: 1 } }),
      'waiting for the cluster to notice PodDisruptionBudget ns/web-main',
    ],
    ['budget, new', object('PodDisruptionBudget', { generation: 1 }), 'waiting for the cluster to notice PodDisruptionBudget ns/web-main'],
    [
      'budget that does not work',
      object('PodDisruptionBudget', {
        generation: 1,
        status: {
          observedGeneration: 1,
          ...conditions(['DisruptionAllowed', 'False', 'SyncFailed', 'found no controller ref for pod "x"']),
        },
      }),
      'waiting for PodDisruptionBudget ns/web-main to be in force, or warning PDB_NOT_IN_FORCE: PodDisruptionBudget ns/web-main does not work: SyncFailed: found no controller ref for pod "x"',
    ],
    [
      'autoscaler that works',
      object('HorizontalPodAutoscaler', {
        status: conditions(['AbleToScale', 'True', 'ReadyForNewScale'], ['ScalingActive', 'True', 'ValidMetricFound']) ?? {},
      }),
      'ready',
    ],
    ['autoscaler without conditions yet', object('HorizontalPodAutoscaler'), 'ready'],
    [
      'autoscaler of a stopped workload',
      object('HorizontalPodAutoscaler', {
        status:
          conditions(['ScalingActive', 'False', 'ScalingDisabled', 'scaling is disabled since the replica count of the target is zero']) ??
          {},
      }),
      'ready',
    ],
    [
      'autoscaler whose metric is late',
      object('HorizontalPodAutoscaler', {
        status: conditions(['ScalingActive', 'False', 'FailedGetResourceMetric', 'no metrics returned', 30]) ?? {},
      }),
      'ready',
    ],
    [
      'autoscaler whose metric is broken',
      object('HorizontalPodAutoscaler', {
        status:
          conditions(['ScalingActive', 'False', 'FailedGetResourceMetric', 'the server could not find\nthe requested resource']) ?? {},
      }),
      'warned warning AUTOSCALER_BLIND: HorizontalPodAutoscaler ns/web-main cannot read its metric and leaves the count as it is: FailedGetResourceMetric: the server could not find the requested resource',
    ],
    [
      'autoscaler that may not scale',
      object('HorizontalPodAutoscaler', {
        status: conditions(['AbleToScale', 'False', 'FailedGetScale', 'deployments.apps "web-main" not found']) ?? {},
      }),
      'warned warning AUTOSCALER_STUCK: HorizontalPodAutoscaler ns/web-main cannot scale: FailedGetScale: deployments.apps "web-main" not found',
    ],
    ['cron job', object('CronJob', { generation: 4 }), 'ready'],
    ['service account', object('ServiceAccount'), 'ready'],
    [
      'anything that is being deleted',
      object('ServiceAccount', { deletionTimestamp: at(0) }),
      'waiting for ServiceAccount ns/web-main, which is being deleted, to be gone',
    ],
  ])('%s', (_, given, expected) => {
    expect(told(given)).toBe(expected);
  });

  it('a Service that selects none of the ready pods', () => {
    const web = object('Service', { spec: { selector: { registration: 'web' } } });
    expect(told(web, [labelled({ registration: 'web' })])).toBe('ready');
    expect(told(web, [])).toBe('ready');
    expect(told(web, [labelled({ registration: 'other' })])).toBe(
      'warned warning SERVICE_WITHOUT_PODS: Service ns/web-main selects none of the ready pods (selector registration=web)',
    );
  });
});

describe('StatefulSets', () => {
  const set = (spec: Record<string, unknown>, pods: readonly Pod[]): string => {
    const verdict = judge(
      expectation({ replicas: 3 }),
      { workload: workload({ kind: 'StatefulSet', spec: { replicas: 3, ...spec } }), replicaSets: [], pods, events: [] },
      T0 + 1_000,
    );
    return verdict.state === 'progressing'
      ? `waiting for ${verdict.waitingFor}`
      : verdict.state === 'doomed'
        ? verdict.diagnosis.cause
        : verdict.state;
  };
  const ours = (n: number): Pod => pod(`web-main-${n}`, { sha: SHA, ready: true });
  const old = (n: number): Pod => pod(`web-main-${n}`, { sha: OLD, ready: true });
  const partition = (n: number): Record<string, unknown> => ({
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: n } },
  });

  it.each<readonly [string, Record<string, unknown>, readonly Pod[], string]>([
    ['all pods are new', {}, [ours(0), ours(1), ours(2)], 'proven'],
    ['one is left', {}, [old(0), ours(1), ours(2)], 'waiting for 1 more of 3 pods to be ready'],
    ['a partition keeps one on purpose', partition(1), [old(0), ours(1), ours(2)], 'proven'],
    ['a partition keeps all', partition(3), [old(0), old(1), old(2)], 'proven'],
    [
      'a partition keeps one, another is not there yet',
      partition(1),
      [old(0), old(1), ours(2)],
      'waiting for 1 more of 2 pods to be ready',
    ],
    [
      'OnDelete',
      { updateStrategy: { type: 'OnDelete' } },
      [old(0), ours(1), ours(2)],
      'The StatefulSet replaces pods only when they are deleted (OnDelete); 1 old pod still run.',
    ],
  ])('%s', (_, spec, pods, expected) => {
    expect(set(spec, pods)).toBe(expected);
  });
});
