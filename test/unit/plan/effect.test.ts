import type { KubeObject } from '../../../src/shared/objects/types.ts';
import {
  bounceEffect,
  completeEffect,
  describeEffect,
  earlierBounces,
  foresee,
  makePlan,
  objectKey,
  podAmounts,
  rememberedBounces,
  type InstancePlan,
  type Plan,
  type Rehearsed,
} from '../../../src/shared/plan/index.ts';
import { formatAmount } from '../../../src/shared/plan/amounts.ts';
import { describeForesight } from '../../../src/shared/plan/effect-words.ts';
import { limitProblems } from '../../../src/shared/plan/limit-ranges.ts';
import { quotaCounts } from '../../../src/shared/plan/quotas.ts';
import { rendering, type Given } from '../workload/world.ts';
import { live } from './live.ts';

const NEXT = 'f'.repeat(40);
const MI = 2 ** 20;
const base = (method: string, instances = 3, more = ''): Given => ({
  service: 'web',
  yaml: `cpus: 0.1\nmem: 64\ninstances: ${instances}\ndeploy_group: prod\ncmd: serve\nbounce_method: ${method}${more}`,
});

/** A bounce to another version; `before` is what runs. */
function bounce(before: Given, after: Given): Plan {
  const now = rendering(before);
  const next = rendering({ ...after, sha: NEXT });
  const objects = [live(now.workload), ...now.companions.map((c) => live(c))];
  return makePlan(
    [next],
    { objects: new Map(objects.map((o) => [objectKey(o), o])) },
    { cluster: 'lab-east', adopt: false, namespaces: [], services: [] },
  );
}
const first = (plan: Plan): InstancePlan => plan.instances[0] as InstancePlan;
const three = ({ effect }: InstancePlan, name: string): readonly (number | undefined)[] =>
  [effect.usage?.before[name], effect.usage?.peak[name], effect.usage?.after[name]].map((n) =>
    n === undefined ? n : Number(n.toFixed(6)),
  );

describe('what a bounce asks of the cluster', () => {
  it.each<[string, Given, Given, number, number, (number | undefined)[], string]>([
    ['crossover', base('crossover'), base('crossover'), 3, 3, [3, 6, 3], 'bounces 3 pods (crossover): up to 3 extra, at least 3 serving'],
    [
      'crossover with a margin',
      base('crossover', 10, '\nbounce_margin_factor: 0.7'),
      base('crossover', 10, '\nbounce_margin_factor: 0.7'),
      10,
      7,
      [10, 20, 10],
      'bounces 10 pods (crossover): up to 10 extra, at least 7 serving',
    ],
    [
      'half the overprovision',
      base('crossover', 4, '\nbounce_overprovision_factor: 0.5'),
      base('crossover', 4, '\nbounce_overprovision_factor: 0.5'),
      2,
      4,
      [4, 6, 4],
      'bounces 4 pods (crossover): up to 2 extra, at least 4 serving',
    ],
    [
      'twice the overprovision makes no more pods than are wanted',
      base('crossover', 4, '\nbounce_overprovision_factor: 2.0'),
      base('crossover', 4, '\nbounce_overprovision_factor: 2.0'),
      4,
      4,
      [4, 8, 4],
      'bounces 4 pods (crossover): up to 4 extra, at least 4 serving',
    ],
    ['brutal', base('brutal'), base('brutal'), 3, 0, [3, 6, 3], 'bounces 3 pods (brutal): up to 3 extra, at least 0 serving'],
    [
      'downthenup',
      base('downthenup'),
      base('downthenup'),
      0,
      0,
      [3, 3, 3],
      'bounces 3 pods (downthenup): no extra pods, at least 0 serving',
    ],
    // the controller first brings the old pods to the new count
    [
      'more instances at the same time',
      base('crossover', 2),
      base('crossover', 5),
      5,
      2,
      [2, 10, 5],
      'bounces 2 pods (crossover): up to 5 extra, at least 2 serving',
    ],
    [
      'fewer instances at the same time',
      base('crossover', 5),
      base('crossover', 2),
      2,
      2,
      [5, 5, 2],
      'bounces 5 pods (crossover): up to 2 extra, at least 2 serving',
    ],
  ])('%s', (_, before, after, surge, minimum, pods, words) => {
    const plan = first(bounce(before, after));
    expect([plan.effect.surge, plan.effect.minimumServing]).toEqual([surge, minimum]);
    expect(three(plan, 'pods')).toEqual(pods);
    expect(describeEffect(plan)).toBe(words);
  });

  it('upthendown: all new beside all old', () => {
    const plan = first(bounce(base('upthendown'), base('upthendown')));
    expect([plan.effect.surge, plan.effect.minimumServing, three(plan, 'pods')]).toEqual([3, 3, [3, 6, 3]]);
  });

  it('takes the larger mix when pods get larger or smaller', () => {
    const small = { ...base('crossover', 4, '\nbounce_overprovision_factor: 0.25') };
    const large = { ...small, yaml: small.yaml.replace('cpus: 0.1', 'cpus: 0.5') };
    expect(three(first(bounce(small, large)), 'requests.cpu')).toEqual([0.4, 2.1, 2]);
    expect(three(first(bounce(large, small)), 'requests.cpu')).toEqual([2, 2.1, 0.4]);
  });

  it('a Deployment that may neither surge nor miss a pod misses one, as its controller has it', () => {
    const workload: KubeObject = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'x' },
      spec: { strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: '0%' } } },
    };
    expect(bounceEffect(workload, 3, 3)).toMatchObject({ surge: 0, minimumServing: 2 });
  });

  it('says what the PodDisruptionBudget would let go', () => {
    expect(first(bounce(base('brutal'), base('brutal'))).effect.budget).toEqual({ allowed: 0, missing: 3, fits: false });
    const margin = '\nbounce_margin_factor: 0.7';
    expect(first(bounce(base('crossover', 10, margin), base('crossover', 10, margin))).effect.budget).toEqual({
      allowed: 3,
      missing: 3,
      fits: true,
    });
  });

  it('remembers five bounces, the last one first, and reads nothing else', () => {
    expect(rememberedBounces([], 0.2)).toBe('1');
    expect(rememberedBounces([5, 4, 3, 2, 1], 61.4)).toBe('61 5 4 3 2');
    const noted = (text: string): KubeObject => ({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'x', annotations: { 'paasta-actions/bounce-seconds': text } },
    });
    expect(earlierBounces(noted('61 5 x -3 4 3 2 1'))).toEqual([61, 5, 4, 3, 2]);
    expect(earlierBounces(undefined)).toEqual([]);
  });

  it('carries earlier bounces in the plan, in words beside the numbers', () => {
    const now = rendering(base('crossover'));
    const deployment = live(now.workload);
    deployment.metadata.annotations = { ...deployment.metadata.annotations, 'paasta-actions/bounce-seconds': '95 40' };
    const objects = [deployment, ...now.companions.map((c) => live(c))];
    const plan = makePlan(
      [rendering({ ...base('crossover'), sha: NEXT })],
      { objects: new Map(objects.map((o) => [objectKey(o), o])) },
      { cluster: 'c', adopt: false, namespaces: [], services: [] },
    );
    expect(describeForesight(first(plan), undefined)).toEqual([
      'pods 3 → 6 → 3, cpu 0.3 → 0.6 → 0.3, memory 192Mi → 384Mi → 192Mi (now, at the peak, afterwards)',
      'within its PodDisruptionBudget (0 pods may be missing)',
      'earlier bounces took 1m 35s, 40 s',
    ]);
    // the annotation is no difference: it is in no hash and belongs to another manager
    expect(
      first(
        makePlan(
          [now],
          { objects: new Map(objects.map((o) => [objectKey(o), o])) },
          { cluster: 'c', adopt: false, namespaces: [], services: [] },
        ),
      ).action,
    ).toBe('unchanged');
  });

  it('leaves blocked and unchanged instances alone', () => {
    const plan = first(
      makePlan([rendering(base('crossover'))], { objects: new Map() }, { cluster: 'c', adopt: false, namespaces: [], services: [] }),
    );
    expect(completeEffect({ ...plan, action: 'blocked' }, []).effect.usage).toEqual(plan.effect.usage);
    expect(
      completeEffect(
        { ...plan, action: 'unchanged', effect: { bounces: false, replaced: 0, surge: 0, minimumServing: 0, difference: 0 } },
        [],
      ).effect.usage,
    ).toBeUndefined();
  });
});

describe('amounts of a pod', () => {
  it.each<[string, object, Record<string, number>]>([
    [
      'containers together',
      {
        containers: [
          { resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { cpu: 1 } } },
          { resources: { requests: { cpu: 0.2 } } },
        ],
      },
      { 'requests.cpu': 0.3, 'requests.memory': 64 * MI, 'limits.cpu': 1, pods: 1 },
    ],
    [
      'a request that is missing is its limit',
      { containers: [{ resources: { limits: { memory: '1Gi' } } }] },
      { 'requests.memory': 1024 * MI, 'limits.memory': 1024 * MI, pods: 1 },
    ],
    [
      'one init container that is larger',
      { initContainers: [{ resources: { requests: { cpu: 2 } } }], containers: [{ resources: { requests: { cpu: 0.5, memory: '1Mi' } } }] },
      { 'requests.cpu': 2, 'requests.memory': MI, pods: 1 },
    ],
    [
      'sidecars run beside',
      {
        initContainers: [{ restartPolicy: 'Always', resources: { requests: { cpu: 1 } } }],
        containers: [{ resources: { requests: { cpu: 0.5 } } }],
      },
      { 'requests.cpu': 1.5, pods: 1 },
    ],
    [
      'overhead',
      { overhead: { cpu: '50m' }, containers: [{ resources: { requests: { cpu: '0.1' } } }] },
      { 'requests.cpu': 0.15, pods: 1 },
    ],
    ['nothing', {}, { pods: 1 }],
  ])('%s', (_, spec, expected) => {
    expect(
      Object.fromEntries(Object.entries(podAmounts(spec as Record<string, unknown>)).map(([k, v]) => [k, Number(v.toFixed(6))])),
    ).toEqual(expected);
  });

  it.each([
    ['requests.cpu', 0.30000000000000004, '0.3'],
    ['requests.memory', 192 * MI, '192Mi'],
    ['limits.memory', 1.5 * 1024 * MI, '1536Mi'],
    ['memory', 2 ** 31, '2Gi'],
    ['requests.memory', 0, '0'],
    ['pods', 4, '4'],
    ['requests.storage', 1.3e9, '1.2Gi'],
  ])('%s %d is %s', (name, amount, text) => {
    expect(formatAmount(name, amount)).toBe(text);
  });
});

const quota = (hard: Record<string, string>, used: Record<string, string>, spec: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ResourceQuota',
  metadata: { name: 'q', namespace: 'paastasvc-web' },
  spec: { hard, ...spec },
  status: { hard, used },
});
const seen = (plan: Plan, quotas: KubeObject[] | undefined, more: { ranges?: KubeObject[]; rehearsed?: Rehearsed } = {}): Plan =>
  foresee(plan, {
    quotas,
    limitRanges: more.ranges ?? [],
    rehearsed: new Map(more.rehearsed === undefined ? [] : [['web.main', more.rehearsed]]),
  });
const said = (plan: Plan): readonly string[] => (first(plan).foreseen ?? []).map((p) => `${p.severity} ${p.code} ${p.message}`);

describe('quotas', () => {
  const crossover = bounce(base('crossover'), base('crossover'));
  it.each<[string, Plan, KubeObject, string[]]>([
    [
      'room enough',
      crossover,
      quota({ pods: '6', cpu: '1', 'requests.memory': '1Gi' }, { pods: '3', cpu: '300m', 'requests.memory': '192Mi' }),
      [],
    ],
    [
      'room for a part of the surge',
      crossover,
      quota({ pods: '4' }, { pods: '3' }),
      [
        'warning QUOTA_TIGHT ResourceQuota paastasvc-web/q: pods: 3 more at the peak, 1 left (3 of 4 used); the bounce goes on in smaller steps',
      ],
    ],
    [
      'room for no new pod',
      crossover,
      quota({ cpu: '350m' }, { cpu: '300m' }),
      ['error QUOTA_EXCEEDED ResourceQuota paastasvc-web/q: cpu: 0.3 more at the peak, 0.05 left (0.3 of 0.35 used)'],
    ],
    [
      'no room, but old pods go first',
      bounce(base('brutal'), base('brutal')),
      quota({ pods: '3' }, { pods: '3' }),
      [
        'warning QUOTA_TIGHT ResourceQuota paastasvc-web/q: pods: 3 more at the peak, 0 left (3 of 3 used); the bounce goes on in smaller steps',
      ],
    ],
    ['no surge at all', bounce(base('downthenup'), base('downthenup')), quota({ pods: '3' }, { pods: '3' }), []],
    [
      'what is wanted does not fit',
      bounce(base('downthenup'), base('downthenup', 5)),
      quota({ pods: '4', 'limits.memory': '300Mi' }, { pods: '3', 'limits.memory': '192Mi' }),
      [
        'error QUOTA_EXCEEDED ResourceQuota paastasvc-web/q: limits.memory: 128Mi more, 108Mi left (192Mi of 300Mi used)',
        'error QUOTA_EXCEEDED ResourceQuota paastasvc-web/q: pods: 2 more, 1 left (3 of 4 used)',
      ],
    ],
    ['a scope that does not count these pods', crossover, quota({ pods: '3' }, { pods: '3' }, { scopes: ['Terminating'] }), []],
    ['of another namespace', crossover, { ...quota({ pods: '3' }, { pods: '3' }), metadata: { name: 'q', namespace: 'elsewhere' } }, []],
  ])('%s', (_, plan, q, expected) => {
    expect(said(seen(plan, [q]))).toEqual(expected);
  });

  it('counts objects that are made', () => {
    const created = makePlan(
      [rendering(base('crossover'))],
      { objects: new Map() },
      { cluster: 'c', adopt: false, namespaces: [], services: [] },
    );
    expect(said(seen(created, [quota({ 'count/deployments.apps': '0', 'count/poddisruptionbudgets.policy': '5' }, {})]))).toEqual([
      'error QUOTA_EXCEEDED ResourceQuota paastasvc-web/q: count/deployments.apps: 1 more, 0 left (0 of 0 used)',
    ]);
  });

  it('adds up the instances of a namespace: each alone would fit', () => {
    const both = ['main', 'canary'].map((instance) => rendering({ ...base('crossover', 2), instance }));
    const plan = makePlan(both, { objects: new Map() }, { cluster: 'c', adopt: false, namespaces: [], services: [] });
    const looked = seen(plan, [quota({ pods: '3' }, { pods: '0' })]);
    expect(looked.quotas).toMatchObject([{ resource: 'pods', after: 4, fits: 'no', instances: ['web.canary', 'web.main'] }]);
    expect(looked.instances.flatMap((i) => i.foreseen ?? [])).toHaveLength(2);
    expect(looked.instances[0]?.foreseen?.[0]?.message).toContain('together with web.');
  });

  it('says nothing about quotas that could not be read', () => {
    const plan = seen(crossover, undefined);
    expect([plan.quotas, first(plan).foreseen]).toEqual([undefined, undefined]);
  });

  it.each<[string, object, object, boolean]>([
    ['no scope', {}, {}, true],
    ['NotTerminating', { scopes: ['NotTerminating'] }, {}, true],
    ['BestEffort', { scopes: ['BestEffort'] }, { containers: [{ resources: { requests: { cpu: 1 } } }] }, false],
    ['BestEffort of a pod that asks for nothing', { scopes: ['BestEffort'] }, {}, true],
    ['NotBestEffort', { scopes: ['NotBestEffort'] }, { containers: [{ resources: { requests: { cpu: 1 } } }] }, true],
    [
      'a priority class',
      { scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'In', values: ['high'] }] } },
      { priorityClassName: 'high' },
      true,
    ],
    [
      'another priority class',
      { scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'In', values: ['high'] }] } },
      { priorityClassName: 'low' },
      false,
    ],
    [
      'none of them',
      { scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'NotIn', values: ['high'] }] } },
      {},
      true,
    ],
    ['a scope that we do not know counts nothing', { scopes: ['Later'] }, {}, false],
  ])('scope: %s', (_, spec, pod, expected) => {
    expect(quotaCounts(quota({}, {}, spec), pod as Record<string, unknown>)).toBe(expected);
  });
});

describe('limit ranges', () => {
  const range = (...limits: object[]): KubeObject => ({
    apiVersion: 'v1',
    kind: 'LimitRange',
    metadata: { name: 'sizes', namespace: 'paastasvc-web' },
    spec: { limits },
  });
  const { workload } = rendering(base('crossover'));
  it.each<[string, object[], string[]]>([
    ['within', [{ type: 'Container', min: { cpu: '50m' }, max: { memory: '64Mi' } }], []],
    [
      'too large',
      [{ type: 'Container', max: { memory: '32Mi' } }],
      ['LimitRange paastasvc-web/sizes: container main: maximum memory is 32Mi, but the limit is 64Mi'],
    ],
    [
      'too small',
      [{ type: 'Container', min: { cpu: '200m' } }],
      ['LimitRange paastasvc-web/sizes: container main: minimum cpu is 0.2, but the request is 0.1'],
    ],
    [
      'of the pod',
      [{ type: 'Pod', max: { cpu: '500m' } }],
      ['LimitRange paastasvc-web/sizes: pod: maximum cpu is 0.5, but the limit is 1.1'],
    ],
    [
      'the ratio',
      [{ type: 'Container', maxLimitRequestRatio: { cpu: '2' } }],
      ['LimitRange paastasvc-web/sizes: container main: the limit of cpu may be 2 times the request, but is 11 times'],
    ],
    [
      'a limit that is missing',
      [{ type: 'Container', max: { 'hugepages-2Mi': '2Mi' } }],
      ['LimitRange paastasvc-web/sizes: container main: maximum hugepages-2Mi is 2Mi, but there is no limit'],
    ],
    ['a default that fills it in', [{ type: 'Container', max: { 'hugepages-2Mi': '2Mi' }, default: { 'hugepages-2Mi': '2Mi' } }], []],
    ['claims are not pods', [{ type: 'PersistentVolumeClaim', max: { storage: '1Mi' } }], []],
  ])('%s', (_, limits, expected) => {
    expect(limitProblems(workload, [range(...limits)]).map((p) => p.message)).toEqual(expected);
  });

  it('are silent where admission let a pod pass, and where it refused it in its own words', () => {
    const plan = bounce(base('crossover'), base('crossover'));
    const ranges = [range({ type: 'Container', max: { memory: '32Mi' } })];
    expect(said(seen(plan, [], { ranges }))).toHaveLength(1);
    expect(said(seen(plan, [], { ranges, rehearsed: { problems: [], pod: { pods: 1 } } }))).toEqual([]);
    expect(
      said(seen(plan, [], { ranges, rehearsed: { problems: [{ severity: 'error', code: 'ADMISSION_DENIED', message: 'no' }] } })),
    ).toEqual(['error ADMISSION_DENIED no']);
  });
});

describe('a rehearsed pod', () => {
  const plan = bounce(base('crossover'), base('crossover'));
  it('brings what webhooks put beside it into the numbers', () => {
    const looked = seen(plan, [quota({ 'requests.cpu': '1' }, { 'requests.cpu': '300m' })], {
      rehearsed: { problems: [], pod: { pods: 1, 'requests.cpu': 0.3, 'requests.memory': 64 * MI } },
    });
    expect(three(first(looked), 'requests.cpu')).toEqual([0.3, 1.2, 0.9]);
    expect(said(looked)).toEqual([
      'warning QUOTA_TIGHT ResourceQuota paastasvc-web/q: requests.cpu: 0.9 more at the peak, 0.6 more afterwards, 0.7 left (0.3 of 1 used); the bounce goes on in smaller steps',
    ]);
  });

  it('that a quota refuses tells less than the numbers: an old pod may go first', () => {
    const refused: Rehearsed = { problems: [{ severity: 'error', code: 'QUOTA_EXCEEDED', message: 'exceeded quota' }] };
    expect(
      said(seen(bounce(base('downthenup'), base('downthenup')), [quota({ pods: '3' }, { pods: '3' })], { rehearsed: refused })),
    ).toEqual([]);
    expect(said(seen(plan, undefined, { rehearsed: refused }))).toEqual(['error QUOTA_EXCEEDED exceeded quota']);
  });
});
