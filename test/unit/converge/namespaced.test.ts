import { instance, A, B, kubeSystem, refusal, world } from './world.ts';

const FILES = { 'web/kubernetes-lab.yaml': `main: ${instance}\n`, 'shop/kubernetes-lab.yaml': `main: ${instance}\n` };
const NAMESPACED = ['Deployment', 'Service', 'PodDisruptionBudget', 'ReplicaSet', 'Pod', 'Event'];

describe('a cluster that may be listed in namespaces only', () => {
  it('is listed and watched there: deploy, no-op and bounce work', async () => {
    const w = world(FILES, [kubeSystem]);
    for (const kind of NAMESPACED) w.cluster.refused.set(`list-all ${kind}`, refusal(403, `may not list ${kind} at cluster scope`));
    expect((await w.run(A)).instances.map((i) => [i.service, i.state])).toEqual([
      ['shop', 'deployed'],
      ['web', 'deployed'],
    ]);
    w.cluster.written.length = 0;
    expect((await w.run(A)).instances.map((i) => i.state)).toEqual(['unchanged', 'unchanged']);
    expect(w.cluster.written).toEqual([]);
    const bounced = await w.run(B);
    expect(bounced.instances.map((i) => i.state)).toEqual(['deployed', 'deployed']);
    expect(bounced.problems).toEqual([]);
  });

  it('one namespace that may not be read takes down its own instances only', async () => {
    const w = world(FILES, [kubeSystem]);
    w.cluster.refused.set('list-all Deployment', refusal(403, 'may not list deployments at cluster scope'));
    w.cluster.refused.set('list-paastasvc-shop Deployment', refusal(403, 'may not list deployments in namespace paastasvc-shop'));
    const result = await w.run(A);
    expect(result.instances).toMatchObject([
      {
        service: 'shop',
        state: 'failed',
        problems: [
          { code: 'CLUSTER_FORBIDDEN', message: 'may not list deployments in namespace paastasvc-shop', file: 'shop/kubernetes-lab.yaml' },
        ],
      },
      { service: 'web', state: 'deployed' },
    ]);
    expect(w.cluster.written).not.toContain('Deployment shop-main');
  });

  it('a kind that may be read nowhere is said as the cluster said it first', async () => {
    const w = world();
    w.cluster.refused.set('list-all PodDisruptionBudget', refusal(403, 'may not list poddisruptionbudgets at cluster scope'));
    w.cluster.refused.set('list-paastasvc-web PodDisruptionBudget', refusal(403, 'nor there'));
    const result = await w.run(A);
    expect(result.instances).toMatchObject([
      { state: 'deployed', problems: [{ message: 'may not list poddisruptionbudgets at cluster scope' }] },
    ]);
  });

  it('an autoscaler that may not be read is left as it is, and said', async () => {
    const w = world({ 'web/kubernetes-lab.yaml': `main: ${instance.replace('instances: 2', 'min_instances: 2, max_instances: 4')}\n` });
    w.cluster.refused.set('list HorizontalPodAutoscaler', refusal(403, 'may not list horizontalpodautoscalers'));
    const result = await w.run(A);
    expect(result.instances).toMatchObject([{ state: 'deployed', problems: [{ message: 'may not list horizontalpodautoscalers' }] }]);
    expect(w.cluster.written).not.toContain('HorizontalPodAutoscaler web-main');
  });
});
