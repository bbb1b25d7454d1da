/** Two instances that are one object: without the check each pass would bounce one into the other, for ever. */
import { A, kubeSystem, world } from './world.ts';

const body = '{deploy_group: prod, cmd: serve, instances: 1}';

describe('instances of one object name', () => {
  it('are both refused, each with its line and the other; everything else goes on', async () => {
    const w = world({ 'web/kubernetes-lab.yaml': `a_b: ${body}\na--b: ${body}\nc: ${body}\n` }, [kubeSystem]);
    const result = await w.run(A);
    expect(result.instances).toMatchObject([
      {
        instance: 'a--b',
        state: 'failed',
        problems: [
          {
            code: 'NAME_COLLISION',
            file: 'web/kubernetes-lab.yaml',
            line: 2,
            message: 'web.a--b and web.a_b (web/kubernetes-lab.yaml:1) are both paastasvc-web/web-a--b in Kubernetes: neither is deployed',
          },
        ],
      },
      { instance: 'a_b', state: 'failed', problems: [{ code: 'NAME_COLLISION', line: 1 }] },
      { instance: 'c', state: 'deployed' },
    ]);
    expect(w.cluster.written.filter((said) => said.includes('a--b'))).toEqual([]);
  });

  it('are seen when only one of them is asked for', async () => {
    const w = world({ 'web/kubernetes-lab.yaml': `a_b: ${body}\n`, 'web/eks-lab.yaml': `a--b: ${body}\n` }, [kubeSystem]);
    const result = await w.run(A, {}, { service: 'web', instances: ['a_b'] });
    expect(result.instances).toMatchObject([{ instance: 'a_b', state: 'failed', problems: [{ code: 'NAME_COLLISION' }] }]);
    expect(w.cluster.written).toEqual([]);
  });

  it('in namespaces of their own are none', async () => {
    const w = world(
      { 'web/kubernetes-lab.yaml': `a_b: ${body}\na--b: {namespace: other, deploy_group: prod, cmd: serve, instances: 1}\n` },
      [kubeSystem],
    );
    expect((await w.run(A)).instances).toMatchObject([{ state: 'deployed' }, { state: 'deployed' }]);
  });
});

describe('instances of one registration', () => {
  it('one that listens elsewhere does not take the Service away from the one whose name it bears, deployed alone or not', async () => {
    const w = world(
      {
        'web/kubernetes-lab.yaml': `a: {deploy_group: first, cmd: serve, instances: 1, registrations: [web.main], container_port: 9000}\nmain: ${body}\n`,
        'web/smartstack.yaml': 'main: {proxy_port: 20001}\n',
      },
      [kubeSystem],
    );
    const target = (): unknown =>
      (w.cluster.objects.get('Service/paastasvc-web/web---main')?.spec?.['ports'] as { targetPort: number }[] | undefined)?.map(
        (p) => p.targetPort,
      );
    expect((await w.run(A, {}, { service: 'web', deployGroup: 'prod' })).problems).toEqual([]);
    expect(target()).toEqual([8888]);
    w.cluster.written.length = 0;
    const alone = await w.run(A, {}, { service: 'web', deployGroup: 'first' });
    expect(alone.problems.map((p) => `${p.severity} ${p.code} ${p.message}`)).toEqual([
      'error SERVICE_CONTRADICTION web.a and web.main share Service paastasvc-web/web---main but want different ports: 20001 → 9000 and 20001 → 8888',
    ]);
    expect(target()).toEqual([8888]);
    expect(w.cluster.written.filter((said) => said.startsWith('Service '))).toEqual([]);
  });
});
