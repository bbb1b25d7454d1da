/** What namespaces hold beside instances. Without it pods of new namespaces cannot pull, and a secret could end in a plan. */
import type { KubeObject } from '../../../src/shared/objects/types.ts';
import type { Value } from '../../../src/shared/soa-configs/index.ts';
import { A, FILES, kubeSystem, refusal, world } from './world.ts';

const SECRET = 'aGlkZGVuLXBhc3N3b3Jk';
const original = (type = 'kubernetes.io/dockerconfigjson', content = SECRET): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'regcred', namespace: 'paasta' },
  type,
  data: { '.dockerconfigjson': content },
});
const PULL: Record<string, Value> = { image_pull_secrets: ['regcred'] };

describe('a namespace that we make', () => {
  it('gets PaaSTA’s LimitRange after itself and before the instances, once', async () => {
    const w = world();
    await w.run(A);
    const order = w.cluster.written;
    expect(order.indexOf('LimitRange limit-mem-cpu-disk-per-container')).toBeGreaterThan(order.indexOf('Namespace paastasvc-web'));
    expect(order.indexOf('LimitRange limit-mem-cpu-disk-per-container')).toBeLessThan(order.indexOf('Deployment web-main'));
    expect(w.cluster.objects.get('LimitRange/paastasvc-web/limit-mem-cpu-disk-per-container')?.spec).toEqual({
      limits: [
        {
          type: 'Container',
          default: { cpu: '1', memory: '1024Mi', 'ephemeral-storage': '1Gi' },
          defaultRequest: { cpu: '1', memory: '1024Mi', 'ephemeral-storage': '1Gi' },
        },
      ],
    });
    w.cluster.written.length = 0;
    await w.run(A);
    expect(w.cluster.written).toEqual([]);
  });

  it('gets what it misses with the next change: a run that died after the namespace leaves nothing half-made', async () => {
    const w = world();
    await w.run(A);
    w.cluster.objects.delete('LimitRange/paastasvc-web/limit-mem-cpu-disk-per-container');
    w.cluster.objects.delete('Deployment/paastasvc-web/web-main');
    w.cluster.written.length = 0;
    await w.run(A);
    expect(w.cluster.written[0]).toBe('LimitRange limit-mem-cpu-disk-per-container');
  });

  it('gets none with namespace_limits: false, and not with another prefix than PaaSTA’s', async () => {
    const off = world(FILES, [kubeSystem], { namespace_limits: false });
    await off.run(A);
    expect(off.cluster.written.filter((said) => said.startsWith('LimitRange'))).toEqual([]);
    const own = world({ ...FILES, 'web/kubernetes-lab.yaml': 'main: {namespace: mine, deploy_group: prod, cmd: serve}\n' });
    await own.run(A);
    expect(own.cluster.written.filter((said) => said.startsWith('LimitRange'))).toEqual([]);
  });

  it('is filled by us only when it is ours', async () => {
    const w = world(FILES, [kubeSystem, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'paastasvc-web' } }, original()], PULL);
    await w.run(A);
    expect(w.cluster.written.filter((said) => /^(LimitRange|Secret|RoleBinding|Namespace paastasvc)/.test(said))).toEqual([]);
  });

  it('binds the roles of the system configuration, none by default', async () => {
    const w = world(FILES, [kubeSystem], {
      namespace_role_bindings: [
        { cluster_role: 'paasta-api-server-per-namespace', users: ['yelp.com/paasta-api-server'], service_accounts: ['ci/deployer'] },
      ],
    });
    await w.run(A);
    expect(w.cluster.objects.get('RoleBinding/paastasvc-web/paasta-api-server-per-namespace')).toMatchObject({
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'paasta-api-server-per-namespace' },
      subjects: [
        { kind: 'User', name: 'yelp.com/paasta-api-server' },
        { kind: 'ServiceAccount', namespace: 'ci', name: 'deployer' },
      ],
    });
    const wrong = await world(FILES, [kubeSystem], { namespace_role_bindings: [{ users: ['somebody'] }] }).run(A);
    expect(wrong.problems.map(({ code }) => code)).toContain('SYSTEM_CONFIG_TYPE');
  });

  it('is made without limits when they may not be read: a warning, not a failure', async () => {
    const w = world();
    w.cluster.refused.set('list LimitRange', refusal(403, 'no'));
    const result = await w.run(A);
    expect(result.instances).toMatchObject([{ state: 'deployed' }]);
    expect(result.problems).toMatchObject([{ severity: 'warning', code: 'NAMESPACE_INCOMPLETE' }]);
  });
});

describe('pull secrets', () => {
  it('are copied before the instances are written, and every pod names them', async () => {
    const w = world(FILES, [kubeSystem, original()], PULL);
    await w.run(A);
    expect(w.cluster.written.indexOf('Secret regcred')).toBeLessThan(w.cluster.written.indexOf('Deployment web-main'));
    expect(w.cluster.objects.get('Secret/paastasvc-web/regcred')).toMatchObject({
      type: 'kubernetes.io/dockerconfigjson',
      data: { '.dockerconfigjson': SECRET },
      metadata: { annotations: { 'paasta-actions/copy-of': 'paasta/regcred' } },
    });
    expect(JSON.stringify(w.cluster.objects.get('Deployment/paastasvc-web/web-main'))).toContain('"imagePullSecrets":[{"name":"regcred"}]');
    w.cluster.written.length = 0;
    await w.run(A);
    expect(w.cluster.written).toEqual([]);
  });

  it('follow their original, without their content in plan, log or results', async () => {
    const w = world(FILES, [kubeSystem, original()], PULL);
    const first = await w.run(A);
    w.cluster.objects.set('Secret/paasta/regcred', original(undefined, 'bmV3'));
    w.cluster.written.length = 0;
    const second = await w.run(A);
    expect(w.cluster.written).toEqual(['Secret regcred']);
    expect(w.cluster.objects.get('Secret/paastasvc-web/regcred')?.['data']).toEqual({ '.dockerconfigjson': 'bmV3' });
    for (const told of [first, second]) expect(JSON.stringify(told.plan)).not.toMatch(/aGlkZGVu|bmV3/);
    expect(w.log.lines.join('\n')).not.toMatch(/aGlkZGVu|bmV3/);
  });

  it.each([
    ['does not exist', [], 'PULL_SECRET_MISSING'],
    ['is no pull secret', [original('Opaque')], 'PULL_SECRET_TYPE'],
  ] as const)('whose original %s are not copied, and it is said', async (_, more, code) => {
    const w = world(FILES, [kubeSystem, ...more], PULL);
    const result = await w.run(A);
    expect(result.problems.map((said) => said.code)).toEqual([code]);
    expect(w.cluster.written).not.toContain('Secret regcred');
    expect(result.instances).toMatchObject([{ state: 'deployed' }]);
  });
});
