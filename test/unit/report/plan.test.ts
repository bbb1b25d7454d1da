import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import type { KubeObject } from '../../../src/shared/objects/types.ts';
import { foresee, makePlan, objectKey, planHash, type Plan } from '../../../src/shared/plan/index.ts';
import { planDifferences, planDocument, planJson, readPlan } from '../../../src/shared/report/plan-json.ts';
import { planMarkdown, planPage } from '../../../src/shared/report/plan-markdown.ts';
import { planText } from '../../../src/shared/report/plan-text.ts';
import { rendering, type Given } from '../workload/world.ts';
import { live } from '../plan/live.ts';

const NEXT = 'f'.repeat(40);
const SECRET = 'hunter2-in-an-environment';
const web: Given = {
  service: 'web',
  yaml: `cpus: 0.1\nmem: 64\ninstances: 3\ndeploy_group: prod\ncmd: serve\nenv: {PASSWORD: ${SECRET}, TOKEN: SECRET(db_token)}`,
};
const namespace: KubeObject = {
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'paastasvc-web', labels: { 'app.kubernetes.io/managed-by': 'paasta-actions' } },
};
const ANNOTATION = 'paasta-actions/bounce-seconds';

/** A bounce, a start that a quota does not allow, one that a policy refuses, one of somebody else, and one that stays. */
function example(order: readonly number[] = [0, 1, 2, 3, 4], soaCommit = ''): Plan {
  const running = rendering(web);
  const deployment = live(running.workload);
  deployment.metadata.annotations = { ...deployment.metadata.annotations, [ANNOTATION]: '48 52' };
  const same = rendering({ ...web, instance: 'same' });
  const theirs = structuredClone(rendering({ ...web, instance: 'theirs' }).workload);
  delete theirs.metadata.labels?.['app.kubernetes.io/managed-by'];
  const wanted = [
    rendering({ ...web, sha: NEXT, soaCommit, yaml: web.yaml.replace(SECRET, `${SECRET}-changed`) }),
    rendering({ ...web, instance: 'new', soaCommit, yaml: web.yaml.replace('instances: 3', 'instances: 2') }),
    rendering({ ...web, instance: 'pol', soaCommit }),
    rendering({ ...web, instance: 'theirs', soaCommit }),
    same,
  ];
  const objects = [
    deployment,
    ...running.companions.map((c) => live(c)),
    live(same.workload),
    ...same.companions.map((c) => live(c)),
    theirs,
  ];
  if (order[0] !== 0) objects.reverse();
  const plan = makePlan(
    order.map((at) => wanted[at] as (typeof wanted)[number]),
    { objects: new Map(objects.map((o) => [objectKey(o), o])) },
    { cluster: 'lab-east', adopt: false, namespaces: [namespace], services: [] },
  );
  const quota: KubeObject = {
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: { name: 'compute', namespace: 'paastasvc-web' },
    spec: { hard: { pods: '8', 'requests.cpu': '4' } },
    status: { used: { pods: '6', 'requests.cpu': '600m' } },
  };
  const refused = {
    problems: [
      {
        severity: 'error',
        code: 'ADMISSION_DENIED',
        message:
          'an admission rule of the cluster refuses deployments web-pol in namespace paastasvc-web: at most 2 replicas | <b>here</b>',
        hint: 'ask the owner',
      },
    ],
  } as const;
  return foresee(plan, { quotas: [quota], limitRanges: [], rehearsed: new Map([['web.pol', refused]]) });
}

describe('a plan in its three forms', () => {
  const plan = example();

  it('as a table', () => {
    expect(planText(plan, 'abc')).toEqual([
      'plan abc:',
      '  what                     action   why                                                           effect',
      '+ Namespace paastasvc-web  create   does not exist yet',
      '+ web.new                  create   does not exist yet                                            starts 2 pods',
      '    pods 0 → 2, cpu 0 → 0.2, memory 0 → 128Mi',
      '    ✗ ResourceQuota paastasvc-web/compute: pods: 8 more at the peak, 5 more afterwards, 2 left (6 of 8 used) together with web.main, web.pol',
      '+ web.pol                  create   does not exist yet                                            starts 3 pods',
      '    pods 0 → 3, cpu 0 → 0.3, memory 0 → 192Mi',
      '    ✗ ResourceQuota paastasvc-web/compute: pods: 8 more at the peak, 5 more afterwards, 2 left (6 of 8 used) together with web.main, web.new',
      '    ✗ an admission rule of the cluster refuses deployments web-pol in namespace paastasvc-web: at most 2 replicas | <b>here</b>',
      '~ web.main                 update   new version 8f3c0d9a → ffffffff; configuration changed: containers[main].env[PASSWORD].value  bounces 3 pods (crossover): up to 3 extra, at least 3 serving',
      '    pods 3 → 6 → 3, cpu 0.3 → 0.6 → 0.3, memory 192Mi → 384Mi → 192Mi (now, at the peak, afterwards)',
      '    within its PodDisruptionBudget (0 pods may be missing)',
      '    earlier bounces took 48 s, 52 s',
      '    ✗ ResourceQuota paastasvc-web/compute: pods: 8 more at the peak, 5 more afterwards, 2 left (6 of 8 used) together with web.new, web.pol',
      '! web.theirs               blocked  Deployment paastasvc-web/web-theirs exists and was made by PaaSTA, not by us: it is left as it is  nothing: blocked',
      '= 1 instance unchanged',
    ]);
  });

  it('as Markdown, in which nobody can hide markup', () => {
    expect(planMarkdown(plan, 'abc')).toEqual([
      'Plan `abc`',
      '',
      '| what | action | why | effect |',
      '| --- | --- | --- | --- |',
      '| Namespace paastasvc-web | create | does not exist yet | |',
      '| web.new | create | does not exist yet | starts 2 pods<br>pods 0 → 2, cpu 0 → 0.2, memory 0 → 128Mi |',
      '| web.pol | create | does not exist yet | starts 3 pods<br>pods 0 → 3, cpu 0 → 0.3, memory 0 → 192Mi |',
      '| web.main | update | new version 8f3c0d9a → ffffffff; configuration changed: containers\\[main\\].env\\[PASSWORD\\].value | bounces 3 pods (crossover): up to 3 extra, at least 3 serving<br>pods 3 → 6 → 3, cpu 0.3 → 0.6 → 0.3, memory 192Mi → 384Mi → 192Mi (now, at the peak, afterwards)<br>within its PodDisruptionBudget (0 pods may be missing)<br>earlier bounces took 48 s, 52 s |',
      '| web.theirs | blocked | Deployment paastasvc-web/web-theirs exists and was made by PaaSTA, not by us: it is left as it is | nothing: blocked |',
      '',
      '| | quota | |',
      '| --- | --- | --- |',
      '| ❌ | paastasvc-web/compute | pods: 8 more at the peak, 5 more afterwards, 2 left (6 of 8 used) |',
      '| ✅ | paastasvc-web/compute | requests.cpu: 0.8 more at the peak, 0.5 more afterwards, 3.4 left (0.6 of 4 used) |',
      '',
      '- ❌ web.new: `QUOTA_EXCEEDED` ResourceQuota paastasvc-web/compute: pods: 8 more at the peak, 5 more afterwards, 2 left (6 of 8 used) together with web.main, web.pol **Next:** raise the ResourceQuota, or lower cpus, mem or instances (or bounce\\_overprovision\\_factor, for the peak)',
      '- ❌ web.pol: `QUOTA_EXCEEDED` ResourceQuota paastasvc-web/compute: pods: 8 more at the peak, 5 more afterwards, 2 left (6 of 8 used) together with web.main, web.new **Next:** raise the ResourceQuota, or lower cpus, mem or instances (or bounce\\_overprovision\\_factor, for the peak)',
      '- ❌ web.pol: `ADMISSION_DENIED` an admission rule of the cluster refuses deployments web-pol in namespace paastasvc-web: at most 2 replicas \\| &lt;b&gt;here&lt;/b&gt; **Next:** ask the owner',
      '- ❌ web.main: `QUOTA_EXCEEDED` ResourceQuota paastasvc-web/compute: pods: 8 more at the peak, 5 more afterwards, 2 left (6 of 8 used) together with web.new, web.pol **Next:** raise the ResourceQuota, or lower cpus, mem or instances (or bounce\\_overprovision\\_factor, for the peak)',
      '',
      '1 instance unchanged.',
    ]);
  });

  it('as a document of the schema that is documented', () => {
    const schema = JSON.parse(readFileSync(join(process.cwd(), 'docs', 'plan.schema.json'), 'utf8')) as object;
    const validate = new Ajv({ strict: true, allowUnionTypes: true }).compile(schema);
    const document = JSON.parse(planJson(plan, planHash(plan))) as ReturnType<typeof planDocument>;
    expect([validate(document), validate.errors]).toEqual([true, null]);
    expect(document).toMatchObject({
      schema: 'paasta-plan/v1',
      cluster: 'lab-east',
      changes: true,
      errors: true,
      actions: { blocked: 1, create: 2, unchanged: 1, update: 1 },
      shared: [{ action: 'create', title: 'Namespace paastasvc-web' }],
      quotas: [
        { resource: 'pods', hard: 8, used: 6, peak: 8, after: 5, fits: 'no' },
        { resource: 'requests.cpu', fits: 'yes' },
      ],
    });
    expect(document.instances.map((i) => i.instance)).toEqual(['main', 'new', 'pol', 'same', 'theirs']);
    expect(document.instances[0]).toEqual({
      service: 'web',
      instance: 'main',
      namespace: 'paastasvc-web',
      kind: 'Deployment',
      name: 'web-main',
      action: 'update',
      sha: NEXT,
      image_version: null,
      image: expect.stringContaining(NEXT) as string,
      bounce_method: 'crossover',
      reasons: [
        { kind: 'new-version', text: 'new version 8f3c0d9a → ffffffff' },
        { kind: 'configuration', text: 'configuration changed: containers[main].env[PASSWORD].value' },
      ],
      effect: {
        text: 'bounces 3 pods (crossover): up to 3 extra, at least 3 serving',
        bounces: true,
        side_by_side: false,
        replaced: 3,
        surge: 3,
        minimum_serving: 3,
        difference: 0,
        usage: expect.objectContaining({
          peak: expect.objectContaining({ pods: 6, 'requests.cpu': 0.6, 'requests.memory': 402653184 }) as object,
        }) as object,
        disruption_budget: { allowed: 0, missing: 0, fits: true },
        earlier_bounces_seconds: [48, 52],
      },
      steps: [
        {
          action: 'update',
          title: 'Deployment paastasvc-web/web-main',
          digest: expect.stringMatching(/^[0-9a-f]{16}$/) as string,
          reasons: ['new version 8f3c0d9a → ffffffff', 'configuration changed: containers[main].env[PASSWORD].value'],
        },
      ],
      problems: [
        {
          severity: 'error',
          code: 'QUOTA_EXCEEDED',
          message: expect.stringContaining('8 more at the peak') as string,
          next: expect.stringContaining('raise the ResourceQuota') as string,
        },
      ],
    });
  });

  it('never holds the value of a field: environment and secrets stay where they are', () => {
    const all = [...planText(plan, 'abc'), planPage(plan, 'abc', []), planJson(plan, 'abc')].join('\n');
    expect(JSON.stringify(plan)).toContain(SECRET);
    expect(all).not.toContain(SECRET);
    expect(all).not.toMatch(/valueFrom|secretKeyRef/);
  });

  it('masks tokens in what a webhook said', () => {
    const token = `ghp_${'a'.repeat(36)}`;
    const loud: Plan = {
      ...plan,
      instances: plan.instances.map((i) => ({ ...i, foreseen: [{ severity: 'error', code: 'ADMISSION_DENIED', message: `no ${token}` }] })),
    };
    expect([...planText(loud, 'abc'), planPage(loud, 'abc', []), planJson(loud, 'abc')].join('\n')).not.toContain(token);
  });

  it('says so when there is nothing', () => {
    const nothing: Plan = { ...plan, namespaces: [], instances: plan.instances.filter((i) => i.action === 'unchanged') };
    expect(planText(nothing, 'abc')).toEqual(['plan abc: nothing to do', '= 1 instance unchanged']);
    expect(planMarkdown(nothing, 'abc')).toEqual(['Plan `abc`: nothing to do.', '', '1 instance unchanged.']);
    expect(planDocument(nothing, 'abc')).toMatchObject({ changes: false, errors: false });
    expect(planPage(nothing, 'abc', [{ severity: 'error', code: 'X', message: 'web.broken: no' }])).toContain(
      '- ❌ lab-east: `X` web.broken: no',
    );
  });
});

describe('identity of a plan', () => {
  it('is the same in any order, under any commit of soa-configs, with any quota', () => {
    const hash = planHash(example());
    expect(planHash(example([4, 2, 0, 3, 1]))).toBe(hash);
    expect(planHash(example([0, 1, 2, 3, 4], 'c'.repeat(40)))).toBe(hash);
    expect(planHash({ ...example(), quotas: [] })).toBe(hash);
  });

  it('is another one for another cluster, another content, another ground', () => {
    const plan = example();
    const hash = planHash(plan);
    expect(planHash({ ...plan, cluster: 'lab-west' })).not.toBe(hash);
    const onOther = (change: (o: KubeObject) => void): Plan => ({
      ...plan,
      instances: plan.instances.map((i) => ({
        ...i,
        steps: i.steps.map((s) => {
          if (s.live === undefined) return s;
          const copy = structuredClone(s.live);
          change(copy);
          return { ...s, live: copy };
        }),
      })),
    });
    expect(
      planHash(
        onOther((o) => {
          o.metadata.uid = 'made-anew';
        }),
      ),
    ).not.toBe(hash);
    expect(
      planHash(
        onOther((o) => {
          o.metadata.labels = { ...o.metadata.labels, 'paasta.yelp.com/config_sha': 'configother' };
        }),
      ),
    ).not.toBe(hash);
    // what controllers write all the time is no ground
    expect(
      planHash(
        onOther((o) => {
          o.metadata.resourceVersion = '99';
          o.metadata.generation = 7;
          o.status = { readyReplicas: 1 };
        }),
      ),
    ).toBe(hash);
  });

  it('says what differs between an approved plan and the one of now', () => {
    const approved = readPlan(planJson(example(), planHash(example())));
    if (approved === undefined) throw new Error('a plan can be read again');
    const now = planDocument(
      {
        ...example(),
        cluster: 'lab-west',
        instances: example()
          .instances.filter((i) => i.rendered.instance !== 'new')
          .map((i) =>
            i.rendered.instance === 'main'
              ? {
                  ...i,
                  steps: i.steps.map((s) => ({
                    ...s,
                    force: true,
                    reasons: [...s.reasons, { kind: 'drift', manager: 'kubectl', fields: ['spec.replicas'] }],
                  })),
                }
              : i,
          ),
      },
      'x',
    );
    expect(planDifferences(approved, now)).toEqual([
      'it is a plan of cluster lab-east',
      'no longer: create PodDisruptionBudget paastasvc-web/web-new',
      'no longer: create Deployment paastasvc-web/web-new',
      'otherwise: update Deployment paastasvc-web/web-main: was new version 8f3c0d9a → ffffffff; configuration changed: containers[main].env[PASSWORD].value, is new version 8f3c0d9a → ffffffff; configuration changed: containers[main].env[PASSWORD].value; drift: spec.replicas changed by kubectl',
    ]);
    expect(planDifferences(now, approved, 2)).toHaveLength(3);
    expect(planDifferences(approved, approved)).toEqual([]);
  });

  it.each([
    '',
    '{}',
    '[]',
    'null',
    '{"schema":"paasta-plan/v2","hash":"a","cluster":"b","shared":[],"instances":[]}',
    '{"schema":"paasta-plan/v1"}',
  ])('takes %s for no plan', (text) => {
    expect(readPlan(text)).toBeUndefined();
  });
});
