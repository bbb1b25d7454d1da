import { standing } from '../../../src/shared/health/index.ts';
import type { KubeObject } from '../../../src/shared/objects/types.ts';
import { expectation, labels, OLD, T0, workload } from './scene.ts';

const NOW = T0 + 60_000;
const template = { template: { metadata: { labels: { ...labels(), serves: 'web.main' } }, spec: {} } };
const counts = { replicas: 2, updatedReplicas: 2, readyReplicas: 2, terminatingReplicas: 0 };
const unpinned = expectation({ imageDigest: undefined });
const complete = (more: Parameters<typeof workload>[0] = {}): KubeObject =>
  workload({ ...more, spec: { ...template, ...more.spec }, status: { ...counts, ...more.status } });
const service = (selector: Record<string, string>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web.main', namespace: 'paastasvc-web' },
  spec: { selector },
});
const verdictOf = (o: KubeObject, expected = unpinned): unknown => standing(expected, { workload: o }, [], NOW)?.verdict;

describe('a Deployment that stands as it should', () => {
  it('is proven by its own counts', () => {
    expect(verdictOf(complete())).toEqual({ state: 'proven', ready: 2, wanted: 2 });
  });

  it.each([
    ['its controller has not seen it', { status: { observedGeneration: 2 } }],
    ['a pod is missing', { status: { replicas: 1, updatedReplicas: 1, readyReplicas: 1 } }],
    ['a pod is not ready', { status: { readyReplicas: 1 } }],
    ['an old pod is left', { status: { replicas: 3 } }],
    ['not all pods are new', { status: { updatedReplicas: 1 } }],
    ['pods are terminating', { status: { terminatingReplicas: 1 } }],
    ['the server does not tell of terminating pods (before Kubernetes 1.35)', { status: { terminatingReplicas: undefined } }],
    ['it has no status', { status: { replicas: undefined, updatedReplicas: undefined, readyReplicas: undefined } }],
    ['its count is another', { spec: { replicas: 3 } }],
    ['its pods are of another version', { spec: { template: { metadata: { labels: labels(OLD) }, spec: {} } } }],
    ['it is of another version', { labels: labels(OLD) }],
    ['it is a StatefulSet', { kind: 'StatefulSet' }],
  ])('is looked at through its pods when %s', (_, more) => {
    expect(verdictOf(complete(more))).toBeUndefined();
  });

  it('is looked at through its pods when it goes, when another stands beside it, and when it is not there', () => {
    const leaving = complete();
    leaving.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
    expect(verdictOf(leaving)).toBeUndefined();
    expect(standing(unpinned, { workload: complete(), oldWorkloads: [workload()] }, [], NOW)).toBeUndefined();
    expect(standing(unpinned, { workload: complete(), newer: workload() }, [], NOW)).toBeUndefined();
    expect(standing(unpinned, { workload: undefined }, [], NOW)).toBeUndefined();
  });

  it('with a pinned image the template must name the digest, unless there are no pods', () => {
    const pinned = expectation();
    const running = (name: string, image: string): KubeObject => {
      const containers = [
        { name: 'hacheck', image: 'hacheck' },
        { name, image },
      ];
      return complete({ spec: { template: { ...template.template, spec: { containers } } } });
    };
    const { mainContainer, imageDigest = '' } = pinned;
    expect(verdictOf(running(mainContainer, `registry/web:paasta-1@${imageDigest}`), pinned)).toMatchObject({ state: 'proven' });
    expect(verdictOf(running(mainContainer, 'registry/web:paasta-1'), pinned)).toBeUndefined();
    expect(verdictOf(running('other', `registry/web:paasta-1@${imageDigest}`), pinned)).toBeUndefined();
    expect(verdictOf(complete(), pinned)).toBeUndefined();
    const none = complete({ spec: { replicas: 0 }, status: { replicas: 0, updatedReplicas: undefined, readyReplicas: undefined } });
    expect(verdictOf(none, expectation({ replicas: 0 }))).toEqual({ state: 'proven', ready: 0, wanted: 0 });
  });

  it('takes the count of an autoscaler for the wanted one', () => {
    const seven = complete({ spec: { replicas: 7 }, status: { replicas: 7, updatedReplicas: 7, readyReplicas: 7 } });
    expect(verdictOf(seven)).toBeUndefined();
    expect(verdictOf(seven, expectation({ imageDigest: undefined, autoscaled: true }))).toEqual({ state: 'proven', ready: 7, wanted: 7 });
  });

  it('warns of a Service that selects none of its pods, and waits for a budget that was not noticed', () => {
    expect(standing(unpinned, { workload: complete() }, [service({ serves: 'web.main' })], NOW)?.warnings).toEqual([]);
    expect(standing(unpinned, { workload: complete() }, [service({ serves: 'shop' })], NOW)?.warnings).toMatchObject([
      { code: 'SERVICE_WITHOUT_PODS', severity: 'warning' },
    ]);
    const budget: KubeObject = {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'web-main', namespace: 'paastasvc-web', generation: 2 },
      status: { observedGeneration: 1 },
    };
    expect(standing(unpinned, { workload: complete() }, [budget], NOW)).toBeUndefined();
  });

  it('warns of a budget that is not in force: no old pod is left for which it could be', () => {
    const budget: KubeObject = {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'web-main', namespace: 'paastasvc-web' },
      status: { conditions: [{ type: 'DisruptionAllowed', status: 'False', reason: 'SyncFailed', message: 'no scale' }] },
    };
    expect(standing(unpinned, { workload: complete() }, [budget], NOW)).toMatchObject({
      verdict: { state: 'proven' },
      warnings: [{ code: 'PDB_NOT_IN_FORCE', severity: 'warning' }],
    });
  });
});
