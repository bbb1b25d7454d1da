import { readOverride } from '../../../src/shared/converge/live-facts.ts';
import type { KubeObject } from '../../../src/shared/objects/types.ts';
import { A, instance, kubeSystem, refusal, world } from './world.ts';

const configMap = (namespace: string, name: string, data: Record<string, string>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace },
  data,
});
const signature = (value: string): KubeObject =>
  configMap('paastasvc-web', 'paastasvc-web-secret-web-db--password-signature', { signature: value });
const secret: KubeObject = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'paastasvc-web-secret-web-db--password', namespace: 'paastasvc-web' },
  data: { db_password: 'c2VjcmV0' },
};
const namespace: KubeObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'paastasvc-web', uid: 'n' } };
const SECRETIVE = { 'web/kubernetes-lab.yaml': `main: ${instance.replace('cmd: serve', 'cmd: serve, env: {DB: SECRET(db_password)}')}\n` };
const SCALED = { 'web/kubernetes-lab.yaml': `main: ${instance.replace('instances: 2', 'min_instances: 2, max_instances: 6')}\n` };
const hpa = (objects: ReadonlyMap<string, KubeObject>): Record<string, unknown> | undefined =>
  objects.get('HorizontalPodAutoscaler/paastasvc-web/web-main')?.spec;

describe('secrets', () => {
  it('a changed signature bounces and the reason names the secret; an unchanged one writes nothing', async () => {
    const w = world(SECRETIVE, [kubeSystem, namespace, secret, signature('one')]);
    expect((await w.run(A)).instances).toMatchObject([{ state: 'deployed' }]);
    w.cluster.written.length = 0;
    expect((await w.run(A)).instances).toMatchObject([{ state: 'unchanged' }]);
    expect(w.cluster.written).toEqual([]);
    w.cluster.objects.set('ConfigMap/paastasvc-web/paastasvc-web-secret-web-db--password-signature', signature('two'));
    expect((await w.run(A)).instances).toMatchObject([{ state: 'deployed', reasons: ['secrets changed: SECRET(db_password)'] }]);
  });

  it('nobody is asked for signatures, overrides or secrets when no instance has any', async () => {
    const w = world();
    for (const what of ['list ConfigMap', 'get Secret']) w.cluster.refused.set(what, refusal(500, 'must not be asked'));
    expect((await w.run(A)).instances).toMatchObject([{ state: 'deployed' }]);
  });

  it('a secret that is not there holds back its instance only, by name, before anything is bounced', async () => {
    const w = world({ 'web/kubernetes-lab.yaml': `${SECRETIVE['web/kubernetes-lab.yaml']}other: ${instance}\n` }, [kubeSystem, namespace]);
    const result = await w.run(A);
    expect(result.instances).toMatchObject([
      {
        instance: 'main',
        state: 'failed',
        problems: [
          {
            code: 'SECRET_MISSING',
            file: 'web/kubernetes-lab.yaml',
            line: 1,
            message:
              'web.main needs Secret paastasvc-web-secret-web-db--password (variable DB) in namespace paastasvc-web, but it is not there: nothing is bounced',
          },
        ],
      },
      { instance: 'other', state: 'deployed' },
    ]);
    expect(w.cluster.written).not.toContain('Deployment web-main');
  });

  it('a namespace that is still to be made is made: the secret can only come afterwards', async () => {
    const w = world(SECRETIVE);
    const result = await w.run(A);
    expect(result.instances).toMatchObject([{ state: 'deployed', problems: [{ severity: 'warning', code: 'SECRET_MISSING' }] }]);
  });

  it('without the right to look at secrets, a signature that is missing is said', async () => {
    const w = world(SECRETIVE, [kubeSystem, namespace]);
    w.cluster.refused.set('get Secret', refusal(403, 'may not get secrets'));
    const result = await w.run(A);
    expect(result.instances).toMatchObject([
      {
        state: 'deployed',
        problems: [
          {
            severity: 'warning',
            code: 'SECRET_UNSIGNED',
            message: expect.stringContaining('there is no signature of SECRET(db_password)') as string,
          },
        ],
      },
    ]);
  });

  it('signatures that may not be read any more bounce nothing: those of the workload hold', async () => {
    const w = world(SECRETIVE, [kubeSystem, namespace, secret, signature('one')]);
    await w.run(A);
    w.cluster.written.length = 0;
    w.cluster.refused.set('get ConfigMap', refusal(403, 'may not get configmaps'));
    expect((await w.run(A)).instances).toMatchObject([{ state: 'unchanged' }]);
    expect(w.cluster.written).toEqual([]);
  });
});

describe('autoscaling bounds that hold for a time', () => {
  const entry = (value: object): KubeObject =>
    configMap('paasta', 'paasta-autoscaling-overrides', { 'web.main': JSON.stringify(value), 'other.main': 'nonsense' });
  const later = Math.floor(Date.now() / 1_000) + 3_600;

  it('win over the file until they expire', async () => {
    const w = world(SCALED, [kubeSystem, entry({ min_instances: 4, max_instances: 9, expire_after: later })]);
    await w.run(A);
    expect(hpa(w.cluster.objects)).toMatchObject({ minReplicas: 4, maxReplicas: 9 });
    expect(w.log.lines.join('\n')).toMatch(/web\.main: autoscaling bounds min 4 max 9 hold until \d{4}-.*Z \(paasta autoscale\)/);
    w.cluster.objects.set('ConfigMap/paasta/paasta-autoscaling-overrides', entry({ min_instances: 4, expire_after: 1 }));
    await w.run(A);
    expect(hpa(w.cluster.objects)).toMatchObject({ minReplicas: 2, maxReplicas: 6 });
  });

  it('that cannot be understood are ignored with a warning', async () => {
    const w = world(SCALED, [kubeSystem, entry({ min_instances: 'many', expire_after: later })]);
    expect((await w.run(A)).instances).toMatchObject([
      {
        problems: [
          {
            severity: 'warning',
            code: 'OVERRIDE_MALFORMED',
            message: expect.stringContaining('min_instances is "many", not a whole number from 1') as string,
          },
        ],
      },
    ]);
    expect(hpa(w.cluster.objects)).toMatchObject({ minReplicas: 2, maxReplicas: 6 });
  });

  it.each([
    [
      '{"min_instances": 5, "expire_after": 1893456000, "created_at": "2029-12-31T21:00:00Z"}',
      { minInstances: 5, maxInstances: undefined, until: 1_893_456_000_000 },
    ],
    [
      '{"min_instances": null, "max_instances": 7, "expire_after": 1893456000.5}',
      { minInstances: undefined, maxInstances: 7, until: 1_893_456_000_500 },
    ],
    ['{"expire_after": 1893456000}', undefined],
    ['{"min_instances": 5, "expire_after": 100}', undefined],
  ])('%s', (text, expected) => {
    expect(readOverride(text, 1_000_000)).toEqual(expected);
  });

  it.each([
    ['null', 'it is not a mapping'],
    ['{"min_instances": 0, "expire_after": 1893456000}', 'min_instances is 0'],
    ['{"min_instances": 1}', 'expire_after is not a number'],
    ['{', 'JSON'],
  ])('%s is malformed', (text, why) => {
    expect(() => readOverride(text, 1_000_000)).toThrow(why);
  });
});

describe('restart', () => {
  it('asks the registry again and runs what the tag says now; a change of configuration does not', async () => {
    const w = world();
    let digest = `sha256:${'1'.repeat(64)}`;
    const asked: string[] = [];
    w.digests = {
      resolveDigest: (reference) => {
        asked.push(reference);
        return Promise.resolve(digest);
      },
    };
    await w.run(A);
    digest = `sha256:${'2'.repeat(64)}`;
    w.control = { desiredState: 'start', forceBounce: '20240102T030405' };
    const restarted = await w.run(A);
    expect(asked).toHaveLength(2);
    expect(restarted.instances).toMatchObject([{ state: 'deployed', image: `registry.invalid/services-web:paasta-${A}@${digest}` }]);
    expect(restarted.instances[0]?.reasons[0]).toBe('restart asked for');
    await w.run(A);
    expect(asked).toHaveLength(2);
    digest = `sha256:${'3'.repeat(64)}`;
    w.files['web/kubernetes-lab.yaml'] = `main: ${instance.replace('mem: 64', 'mem: 65')}\n`;
    expect((await w.run(A)).instances).toMatchObject([
      { state: 'deployed', image: `registry.invalid/services-web:paasta-${A}@sha256:${'2'.repeat(64)}` },
    ]);
    expect(asked).toHaveLength(2);
  });
});
