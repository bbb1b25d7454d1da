import { observeEarly } from '../../../src/shared/converge/index.ts';
import type { FakeCluster } from './fake-cluster.ts';
import { A, instance, kubeSystem, refusal, world } from './world.ts';

const FILES = { 'web/kubernetes-lab.yaml': `main: ${instance.replace('instances: 2', 'min_instances: 2, max_instances: 4')}\n` };

/** Kinds that were listed, in order. */
function listed(cluster: FakeCluster): string[] {
  const kinds: string[] = [];
  const list = cluster.list.bind(cluster);
  cluster.list = (kind, options) => {
    kinds.push(kind.kind);
    return list(kind, options);
  };
  return kinds;
}

describe('a look at the cluster that was begun early', () => {
  it('is taken as it is: nothing more is listed', async () => {
    const w = world(FILES, [kubeSystem]);
    expect((await w.run(A)).instances).toMatchObject([{ state: 'deployed' }]);
    const kinds = listed(w.cluster);
    w.cluster.written.length = 0;
    const early = observeEarly(w.cluster, ['web']);
    await early;
    expect(kinds.splice(0).sort()).toEqual([
      'Deployment',
      'HorizontalPodAutoscaler',
      'Namespace',
      'PodDisruptionBudget',
      'Service',
      'StatefulSet',
    ]);
    expect((await w.run(A, { early })).instances).toMatchObject([{ state: 'unchanged' }]);
    expect([kinds, w.cluster.written]).toEqual([[], []]);
  });

  it('is made anew where the cluster may be read in namespaces only', async () => {
    const w = world(FILES, [kubeSystem]);
    w.cluster.refused.set('list-all Deployment', refusal(403, 'may not list deployments at cluster scope'));
    const early = observeEarly(w.cluster, ['web']);
    expect(await early).toBeUndefined();
    expect((await w.run(A, { early })).instances).toMatchObject([{ state: 'deployed' }]);
  });

  it('ends the run when the server cannot be reached', async () => {
    const w = world(FILES, [kubeSystem]);
    w.cluster.refused.set('list Service', new Error('connection refused'));
    const early = observeEarly(w.cluster, ['web']);
    early.catch(() => undefined);
    await expect(w.run(A, { early })).rejects.toThrow('connection refused');
  });
});
