import type { KubeObject } from '../../../src/shared/objects/types.ts';
import type { FakeCluster } from './fake-cluster.ts';
import { A, B, FILES, instance, kubeSystem, refusal, world } from './world.ts';

const TWO = { ...FILES, 'shop/kubernetes-lab.yaml': `main: ${instance}\n` };

/** Lists and watches of ReplicaSets and pods, with what they select. */
function looksAtPods(cluster: FakeCluster): string[] {
  const looks: string[] = [];
  const [list, watch] = [cluster.list.bind(cluster), cluster.watch.bind(cluster)];
  const note = (verb: string, kind: string, selector = ''): void => {
    if (kind === 'Pod' || kind === 'ReplicaSet') looks.push(`${verb} ${kind} ${selector}`);
  };
  cluster.list = (kind, options) => {
    note('list', kind.kind, options?.labelSelector);
    return list(kind, options);
  };
  cluster.watch = (kind, options) => {
    note('watch', kind.kind, options.labelSelector);
    return watch(kind, options);
  };
  return looks;
}

const deployment = (cluster: FakeCluster, service: string): KubeObject => {
  const found = cluster.objects.get(`Deployment/paastasvc-${service}/${service}-main`);
  if (found === undefined) throw new Error(`no Deployment of ${service}`);
  return found;
};

describe('an instance that stands as its Deployment says', () => {
  it('needs no look at ReplicaSets and pods', async () => {
    const w = world(TWO, [kubeSystem]);
    await w.run(A);
    const looks = looksAtPods(w.cluster);
    const again = await w.run(A);
    expect(again.instances.map(({ service, state, ready, wanted }) => [service, state, ready, wanted])).toEqual([
      ['shop', 'unchanged', 2, 2],
      ['web', 'unchanged', 2, 2],
    ]);
    expect([looks, again.writes]).toEqual([[], 0]);
  });

  it('needs no watch when something beside the instances is written only', async () => {
    const w = world(FILES, [kubeSystem]);
    await w.run(A);
    const key = 'Namespace//paastasvc-web';
    const namespace = w.cluster.objects.get(key) as KubeObject;
    const { 'paasta.yelp.com/managed': _, ...labels } = namespace.metadata.labels ?? {};
    w.cluster.objects.set(key, { ...namespace, metadata: { ...namespace.metadata, labels } });
    const watched: string[] = [];
    const watch = w.cluster.watch.bind(w.cluster);
    w.cluster.watch = (kind, options) => {
      watched.push(kind.kind);
      return watch(kind, options);
    };
    w.cluster.written.length = 0;
    const result = await w.run(A);
    expect([result.instances.map((i) => i.state), w.cluster.written, watched]).toEqual([['unchanged'], ['Namespace paastasvc-web'], []]);
  });

  it('stays unchanged where pods may not be read', async () => {
    const w = world(FILES, [kubeSystem]);
    await w.run(A);
    w.cluster.refused.set('list Pod', refusal(403, 'may not list pods'));
    expect((await w.run(A)).instances).toMatchObject([{ state: 'unchanged', problems: [] }]);
  });

  it('leaves the pods of its service alone while another one bounces', async () => {
    const w = world(TWO, [kubeSystem]);
    await w.run(A);
    w.files['web/kubernetes-lab.yaml'] = `main: ${instance.replace('serve', 'serve more')}\n`;
    const looks = looksAtPods(w.cluster);
    expect((await w.run(A)).instances.map((i) => i.state)).toEqual(['unchanged', 'deployed']);
    const selector = 'paasta.yelp.com/managed=true,paasta.yelp.com/service in (web)';
    expect(looks.sort()).toEqual([
      `list Pod ${selector}`,
      `list ReplicaSet ${selector}`,
      `watch Pod ${selector}`,
      `watch ReplicaSet ${selector}`,
    ]);
  });

  it('is looked at and waited for when its counts are not complete', async () => {
    const w = world(TWO, [kubeSystem]);
    await w.run(A);
    const short = deployment(w.cluster, 'web');
    w.cluster.tell({ ...short, status: { ...short.status, readyReplicas: 1 } });
    const pod = [...w.cluster.objects.values()].find((o) => o.kind === 'Pod' && o.metadata.name === 'web-main-1') as KubeObject;
    w.cluster.tell({ ...pod, status: { ...pod.status, conditions: [{ type: 'Ready', status: 'False' }] } });
    const looks = looksAtPods(w.cluster);
    setTimeout(() => {
      w.cluster.tell(pod);
    }, 50);
    expect((await w.run(A)).instances.map((i) => [i.service, i.state])).toEqual([
      ['shop', 'unchanged'],
      ['web', 'unchanged'],
    ]);
    expect(looks).toHaveLength(4);
    expect(w.log.lines.join('\n')).toContain('info web.main: 1/2 ready, waiting for 1 more of 2 pods to be ready');
  });

  it('is looked at where the server does not tell of terminating pods', async () => {
    const w = world(FILES, [kubeSystem]);
    await w.run(A);
    const old = deployment(w.cluster, 'web');
    w.cluster.tell({ ...old, status: { ...old.status, terminatingReplicas: undefined } });
    const looks = looksAtPods(w.cluster);
    expect((await w.run(A)).instances).toMatchObject([{ state: 'unchanged' }]);
    expect(looks).toHaveLength(2);
  });

  it('is looked at in mode wait; a plan looks at no pods', async () => {
    const w = world(FILES, [kubeSystem]);
    await w.run(A);
    const looks = looksAtPods(w.cluster);
    await w.run(A, { mode: 'wait' });
    expect(looks.splice(0)).toHaveLength(2);
    await w.run(B, { mode: 'plan' });
    expect(looks).toEqual([]);
  });

  it('is not looked at where the image is pinned: the template names the digest', async () => {
    const w = world(FILES, [kubeSystem]);
    w.digests = { resolveDigest: () => Promise.resolve(`sha256:${'d'.repeat(64)}`) };
    await w.run(A);
    const looks = looksAtPods(w.cluster);
    expect((await w.run(A)).instances).toMatchObject([{ state: 'unchanged' }]);
    expect(looks).toEqual([]);
  });

  it('is looked at for upthendown, which may have left pods of a workload that is gone', async () => {
    const w = world({ 'web/kubernetes-lab.yaml': `main: ${instance.replace('{', '{bounce_method: upthendown, ')}\n` }, [kubeSystem]);
    await w.run(A);
    const looks = looksAtPods(w.cluster);
    expect((await w.run(A)).instances).toMatchObject([{ state: 'unchanged' }]);
    expect(looks).toHaveLength(2);
  });
});
