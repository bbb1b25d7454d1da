import { UserError, problem } from '../../../src/shared/contract/errors.ts';
import { preflight } from '../../../src/shared/converge/preflight.ts';
import { rehearse, samplePod } from '../../../src/shared/converge/rehearse.ts';
import type { KubeObject } from '../../../src/shared/objects/types.ts';
import { makePlan, objectKey, type InstancePlan, type Plan } from '../../../src/shared/plan/index.ts';
import { rendering, type Given } from '../workload/world.ts';
import { live } from '../plan/live.ts';
import { fakeCluster, type FakeCluster } from './fake-cluster.ts';

const NEXT = 'f'.repeat(40);
const log = { debug: (): void => undefined };
const given = (instance: string, more: Partial<Given> = {}): Given => ({
  service: 'web',
  instance,
  yaml: 'cpus: 0.1\nmem: 64\ninstances: 2\ndeploy_group: prod\ncmd: serve',
  ...more,
});
const namespace = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels: { 'app.kubernetes.io/managed-by': 'paasta-actions' } },
});

function plan(wanted: readonly Given[], there: readonly Given[] = [], namespaces: readonly KubeObject[] = []): Plan {
  const objects = there.map((g) => rendering(g)).flatMap((r) => [live(r.workload), ...r.companions.map((c) => live(c))]);
  return makePlan(
    wanted.map((g) => rendering(g)),
    { objects: new Map(objects.map((o) => [objectKey(o), o])) },
    { cluster: 'lab', adopt: false, namespaces, services: [] },
  );
}
const auto = (instance: string): Given =>
  given(instance, { yaml: 'cpus: 0.1\nmem: 64\nmin_instances: 1\nmax_instances: 3\ndeploy_group: prod\ncmd: serve' });

/** A cluster that answers questions about rights; `asked` has every question. */
function rights(
  rules: readonly object[],
  { incomplete = false, everywhere = [] as readonly string[] } = {},
): FakeCluster & { asked: string[] } {
  const asked: string[] = [];
  return {
    ...fakeCluster(),
    asked,
    async create(object: KubeObject) {
      if (object.kind === 'SelfSubjectRulesReview') {
        asked.push(`rules ${String(object.spec?.['namespace'])}`);
        return { ...object, status: { resourceRules: rules, incomplete } };
      }
      const {
        verb,
        resource,
        namespace: where,
      } = object.spec?.['resourceAttributes'] as { verb: string; resource: string; namespace?: string };
      asked.push(`${verb} ${resource} ${where ?? '*'}`);
      return { ...object, status: { allowed: everywhere.includes(`${verb} ${resource}`) } };
    },
  };
}
const all = { verbs: ['*'], apiGroups: ['*'], resources: ['*'] };
const rule = (group: string, resource: string, ...verbs: string[]): object => ({ apiGroups: [group], resources: [resource], verbs });

describe('rights that a plan needs', () => {
  it('are asked with one request for one namespace', async () => {
    const cluster = rights([all]);
    const whole = plan([given('main'), given('other')]);
    const permitted = await preflight(whole, { cluster, log });
    expect(permitted).toEqual({ plan: whole, refused: [], lacking: new Map(), problems: [] });
    expect(cluster.asked).toEqual(['rules paastasvc-web']);
  });

  it('are not asked when nothing is written', async () => {
    const cluster = rights([]);
    await preflight(plan([given('main')], [given('main')]), { cluster, log });
    expect(cluster.asked).toEqual([]);
  });

  it('are asked once for each verb and kind when there are many namespaces, and once more where that is not granted', async () => {
    const pairs = ['create deployments', 'patch deployments', 'create poddisruptionbudgets', 'patch poddisruptionbudgets'];
    const cluster = rights([all], { everywhere: pairs.slice(0, 3) });
    const services = ['a', 'b', 'c'].map((service) => given('main', { service }));
    expect((await preflight(plan(services), { cluster, log })).refused).toEqual([]);
    expect(cluster.asked.slice(0, 4).sort()).toEqual([...pairs].sort().map((pair) => `${pair} *`));
    expect(cluster.asked.slice(4)).toEqual(['rules paastasvc-a', 'rules paastasvc-b', 'rules paastasvc-c']);
  });

  it('to the workload are needed: without them an instance is left alone, whole; the others go on', async () => {
    const cluster = rights([rule('apps', 'deployments', 'patch'), rule('policy', 'poddisruptionbudgets', '*')]);
    const { plan: left, refused } = await preflight(plan([given('main', { sha: NEXT }), given('new')], [given('main')]), { cluster, log });
    expect(left.instances.map((i) => i.rendered.instance)).toEqual(['main']);
    expect(refused.map((r) => [r.instance.rendered.instance, r.problems.map((p) => p.message)])).toEqual([
      [
        'new',
        [
          "context 'lab' on https://cluster.invalid may not create deployments.apps in namespace paastasvc-web: nothing that needs it was written",
        ],
      ],
    ]);
  });

  it('to a companion are named, and it is left out: the workload goes on', async () => {
    const cluster = rights([
      rule('apps', 'deployments', 'create', 'patch'),
      rule('policy', 'poddisruptionbudgets', '*'),
      rule('autoscaling', 'horizontalpodautoscalers', 'get'),
    ]);
    const { plan: left, refused, lacking } = await preflight(plan([given('main'), auto('scaled')]), { cluster, log });
    expect(refused).toEqual([]);
    expect(left.instances.find((i) => i.rendered.instance === 'scaled')?.steps.map((s) => s.object.kind)).toEqual([
      'PodDisruptionBudget',
      'Deployment',
    ]);
    expect([...lacking].map(([title, problems]) => [title, problems.map((p) => `${p.code} ${p.message} → ${p.hint ?? ''}`)])).toEqual([
      [
        'web.scaled',
        [
          "CLUSTER_FORBIDDEN context 'lab' on https://cluster.invalid may not create and patch horizontalpodautoscalers.autoscaling in namespace paastasvc-web: nothing that needs it was written → grant the verbs 'create' and 'patch' on 'horizontalpodautoscalers.autoscaling' to that user with a RoleBinding in paastasvc-web (docs/rbac.md)",
        ],
      ],
    ]);
  });

  it('of single objects are no rights of the kind', async () => {
    const cluster = rights([{ ...all, resourceNames: ['one'] }]);
    expect((await preflight(plan([given('main')]), { cluster, log })).refused).toHaveLength(1);
  });

  it('are asked exactly where the rules are not the whole truth, as with the authorizers of clouds', async () => {
    const cluster = rights([], {
      incomplete: true,
      everywhere: ['create deployments', 'patch deployments', 'create poddisruptionbudgets', 'patch poddisruptionbudgets'],
    });
    expect((await preflight(plan([given('main')]), { cluster, log })).refused).toEqual([]);
    expect(cluster.asked).toHaveLength(5);
  });

  it('to make a namespace are asked at cluster scope and hold back its instances only', async () => {
    const cluster = rights([all]);
    const { plan: left, refused } = await preflight(
      plan([given('main'), given('main', { service: 'api' })], [], [namespace('paastasvc-web')]),
      { cluster, log },
    );
    expect(left.instances.map((i) => i.rendered.service)).toEqual(['api']);
    expect(left.namespaces).toEqual([]);
    expect(refused[0]?.problems[0]?.message).toContain('may not create and patch namespaces at cluster scope');
  });

  it('include deleting and draining when a second workload takes the place of the first', async () => {
    const up = (sha?: string): Given =>
      given('main', {
        yaml: 'cpus: 0.1\nmem: 64\ninstances: 2\ndeploy_group: prod\ncmd: serve\nbounce_method: upthendown',
        ...(sha === undefined ? {} : { sha }),
      });
    const cluster = rights([rule('apps', 'deployments', 'create', 'patch'), rule('policy', 'poddisruptionbudgets', '*')]);
    const { refused } = await preflight(plan([up(NEXT)], [up()]), { cluster, log });
    expect(refused[0]?.problems.map((p) => /may not (.*): nothing/.exec(p.message)?.[1])).toEqual([
      'delete deployments.apps in namespace paastasvc-web',
      'patch pods in namespace paastasvc-web',
    ]);
  });

  const http = (): string =>
    `drain_method: http\ndrain_method_params: {${['drain', 'stop_draining', 'is_draining', 'is_safe_to_kill'].map((call) => `${call}: {url_format: "http://{host}:{port}/${call}", method: ${call.startsWith('is') ? 'GET' : 'PUT'}, success_codes: 200}`).join(', ')}}`;
  const MESH = 'main: {proxy_port: 20001}';
  it.each<[string, string, Partial<Given>, readonly string[]]>([
    ['http', http(), {}, ['get and update pods/proxy']],
    [
      'hacheck with its sidecar',
      'drain_method: hacheck',
      { smartstack: MESH, system: { hacheck_sidecar_image_url: 'registry.example.net/hacheck:7' } },
      ['create and get pods/proxy'],
    ],
    ['hacheck without one', 'drain_method: hacheck', { smartstack: MESH }, []],
    ['noop', 'drain_method: noop', {}, []],
  ])('include asking the old pods by their drain method: %s', async (_, lines, more, missing) => {
    const up = (sha?: string): Given =>
      given('main', {
        yaml: `cpus: 0.1\nmem: 64\ninstances: 2\ndeploy_group: prod\nbounce_method: upthendown\n${lines}`,
        ...more,
        ...(sha === undefined ? {} : { sha }),
      });
    const allowed = ['apps/deployments', 'policy/poddisruptionbudgets', '/services', '/pods'].map((name) =>
      rule(name.split('/')[0] ?? '', name.split('/')[1] ?? '', '*'),
    );
    const { refused } = await preflight(plan([up(NEXT)], [up()]), { cluster: rights(allowed), log });
    expect(refused.flatMap((r) => r.problems.map((p) => /may not (.*) in namespace/.exec(p.message)?.[1]))).toEqual(missing);
    for (const whole of ['pods/proxy', '*/proxy'])
      expect((await preflight(plan([up(NEXT)], [up()]), { cluster: rights([...allowed, rule('', whole, '*')]), log })).refused).toEqual([]);
  });

  it('to delete an autoscaler are no reason not to stop: it is named and left', async () => {
    const cluster = rights([
      rule('apps', 'deployments', 'create', 'patch'),
      rule('policy', 'poddisruptionbudgets', '*'),
      rule('autoscaling', 'horizontalpodautoscalers', 'create', 'patch'),
    ]);
    const stopped = { ...auto('scaled'), control: { desiredState: 'stop' as const, forceBounce: null } };
    const { plan: left, refused, lacking } = await preflight(plan([stopped], [auto('scaled')]), { cluster, log });
    expect(refused).toEqual([]);
    expect(left.instances[0]?.steps.map((s) => `${s.action} ${s.object.kind} ${String(s.scaleTo)}`)).toEqual(['update Deployment 0']);
    expect([...lacking.values()].flat().map((p) => p.message)).toEqual([
      "context 'lab' on https://cluster.invalid may not delete horizontalpodautoscalers.autoscaling in namespace paastasvc-web: nothing that needs it was written",
    ]);
  });

  it('are no obstacle when nobody answers such questions', async () => {
    const refusal = Object.assign(new UserError(problem('CLUSTER_FORBIDDEN', 'no')), { status: 403 });
    const cluster = fakeCluster();
    cluster.refused.set('create SelfSubjectRulesReview', refusal);
    const whole = plan([given('main')]);
    expect((await preflight(whole, { cluster, log })).plan).toBe(whole);
  });

  it('a lost server is no missing right', async () => {
    const cluster = fakeCluster();
    cluster.refused.set('create SelfSubjectRulesReview', new UserError(problem('CLUSTER_UNREACHABLE', 'gone')));
    await expect(preflight(plan([given('main')]), { cluster, log })).rejects.toThrow('gone');
  });
});

describe('a rehearsal', () => {
  const refusal = (status: number, code: string, message: string): UserError =>
    Object.assign(new UserError(problem(code, message)), { status });
  const first = (p: Plan): InstancePlan => p.instances[0] as InstancePlan;

  it('asks nothing when nothing is written, and quotas only in a run that writes', async () => {
    const lists: string[] = [];
    const cluster = fakeCluster();
    const counting = {
      ...cluster,
      list: async (...args: Parameters<typeof cluster.list>) => {
        lists.push(args[0].kind);
        return cluster.list(...args);
      },
    };
    await rehearse(plan([given('main')], [given('main')]), { cluster: counting, log, dryRun: true });
    expect(lists).toEqual([]);
    await rehearse(plan([given('main')]), { cluster: counting, log, dryRun: false });
    expect(lists).toEqual(['ResourceQuota']);
    await rehearse(plan([given('main')]), { cluster: counting, log, dryRun: true });
    expect(lists.slice(1).sort()).toEqual(['LimitRange', 'ResourceQuota']);
    expect(cluster.written).toEqual([]);
  });

  it('says what the API server refuses, of the workload and of its pod', async () => {
    const cluster = fakeCluster();
    cluster.refused.set('patch Deployment', refusal(422, 'OBJECT_INVALID', 'spec: no'));
    cluster.refused.set('create Pod', refusal(403, 'ADMISSION_DENIED', 'webhook: no'));
    const seen = await rehearse(plan([given('main')]), { cluster, log, dryRun: true });
    expect(first(seen.plan).foreseen?.map((p) => p.message)).toEqual(['spec: no', 'webhook: no']);
  });

  it.each<[string, UserError, string]>([
    ['a missing right', refusal(403, 'CLUSTER_FORBIDDEN', 'may not create pods'), 'admission could not be asked: may not create pods'],
    [
      'a webhook without dry-run',
      refusal(400, 'CLUSTER_REFUSED', 'admission webhook "x" does not support dry run'),
      'a pod of Deployment paastasvc-web/web-main could not be rehearsed: admission webhook "x" does not support dry run',
    ],
    [
      'a webhook that is down',
      refusal(500, 'CLUSTER_REFUSED', 'failed calling webhook'),
      'a pod of Deployment paastasvc-web/web-main could not be rehearsed: failed calling webhook',
    ],
  ])('takes %s for a notice, not for a refusal', async (_, error, message) => {
    const cluster = fakeCluster();
    cluster.refused.set('create Pod', error);
    const seen = await rehearse(plan([given('main')]), { cluster, log, dryRun: true });
    expect(first(seen.plan).foreseen).toBeUndefined();
    expect(seen.problems.map((p) => [p.severity, p.code, p.message])).toEqual([['notice', 'NOT_REHEARSED', message]]);
  });

  it('asks nothing about namespaces that are not there yet', async () => {
    const cluster = fakeCluster();
    cluster.refused.set('create Pod', refusal(404, 'NAMESPACE_MISSING', 'no namespace'));
    cluster.refused.set('patch Deployment', refusal(404, 'NAMESPACE_MISSING', 'no namespace'));
    const seen = await rehearse(plan([given('main')], [], [namespace('paastasvc-web')]), { cluster, log, dryRun: true });
    expect([first(seen.plan).foreseen, seen.problems]).toEqual([undefined, []]);
  });

  it('plans the pod as its controller would make it', () => {
    const instance = first(
      plan([
        given('main', {
          yaml: 'cpus: 0.1\nmem: 64\ninstances: 2\ndeploy_group: prod\ncmd: serve\npersistent_volumes: [{container_path: /data, size: 5, mode: RW, storage_class_name: fast}]\nbounce_method: downthenup',
        }),
      ]),
    );
    const pod = samplePod(instance);
    expect(pod.metadata).toMatchObject({
      name: 'web-main-rehearsal',
      namespace: 'paastasvc-web',
      labels: { 'paasta.yelp.com/instance': 'main' },
    });
    const claims = (pod.spec?.['volumes'] as { name: string; persistentVolumeClaim?: { claimName: string } }[]).filter(
      (v) => v.persistentVolumeClaim !== undefined,
    );
    expect(claims).toHaveLength(1);
    expect(claims[0]?.persistentVolumeClaim?.claimName).toBe(`${claims[0]?.name ?? ''}-web-main-0`);
  });
});
