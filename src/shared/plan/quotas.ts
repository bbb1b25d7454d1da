/** What is planned against the ResourceQuotas of its namespaces, in numbers. */
import { quantity } from '../contract/quantity.ts';
import { problem, warning, type Problem } from '../contract/errors.ts';
import { KINDS, type KindName, type KubeObject } from '../objects/types.ts';
import { formatAmount, more, podAmounts, podSpecOf, sumOf, type Amounts } from './amounts.ts';
import { isJsonMap } from './fields.ts';
import type { InstancePlan, Plan, QuotaUse } from './types.ts';

/** Other spellings of the same count. */
const SAME: Readonly<Record<string, string>> = {
  cpu: 'requests.cpu',
  memory: 'requests.memory',
  'ephemeral-storage': 'requests.ephemeral-storage',
  'count/pods': 'pods',
  services: 'count/services',
  configmaps: 'count/configmaps',
  secrets: 'count/secrets',
};
/** Amounts below this are rounding. */
const NOTHING = 1e-9;

interface Extra {
  readonly title: string;
  readonly plan: InstancePlan | undefined;
  readonly namespace: string;
  readonly peak: Amounts;
  readonly after: Amounts;
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? (value as readonly unknown[]).map(String) : [];
}

/** Does a quota of these scopes count pods of this spec? Kubernetes' rules of scopes; ours never have a deadline. */
function inScope(scope: string, operator: string, values: readonly string[], spec: Readonly<Record<string, unknown>>): boolean {
  const amounts = Object.keys(podAmounts(spec)).length > 1;
  const terminating = typeof spec['activeDeadlineSeconds'] === 'number';
  switch (scope) {
    case 'Terminating':
      return terminating;
    case 'NotTerminating':
      return !terminating;
    case 'BestEffort':
      return !amounts;
    case 'NotBestEffort':
      return amounts;
    case 'PriorityClass': {
      const name = typeof spec['priorityClassName'] === 'string' ? spec['priorityClassName'] : undefined;
      if (operator === 'In') return name !== undefined && values.includes(name);
      if (operator === 'NotIn') return name === undefined || !values.includes(name);
      return (name !== undefined) === (operator !== 'DoesNotExist');
    }
    default:
      return false;
  }
}

export function quotaCounts(quota: KubeObject, spec: Readonly<Record<string, unknown>>): boolean {
  const selector = isJsonMap(quota.spec?.['scopeSelector']) ? quota.spec['scopeSelector']['matchExpressions'] : undefined;
  const expressions = Array.isArray(selector) ? (selector as readonly unknown[]).filter(isJsonMap) : [];
  return [
    ...texts(quota.spec?.['scopes']).map((scope) => inScope(scope, 'Exists', [], spec)),
    ...expressions.map((e) => inScope(String(e['scopeName']), String(e['operator']), texts(e['values']), spec)),
  ].every(Boolean);
}

/** `count/deployments.apps` of an object. */
function countName(object: KubeObject): string {
  const kind = KINDS[object.kind as KindName] as (typeof KINDS)[KindName] | undefined;
  const group = object.apiVersion.includes('/') ? `.${object.apiVersion.split('/')[0] ?? ''}` : '';
  return `count/${kind?.plural ?? `${object.kind.toLowerCase()}s`}${group}`;
}

function created(objects: readonly KubeObject[]): Amounts {
  return sumOf(objects.map((object) => ({ [countName(object)]: 1 })));
}

function extras(plan: Plan): readonly Extra[] {
  const shared = plan.shared
    .filter((s) => s.action === 'create')
    .map((s): Extra => ({
      title: s.title,
      plan: undefined,
      namespace: s.object.metadata.namespace ?? '',
      peak: created([s.object]),
      after: created([s.object]),
    }));
  const instances = plan.instances.flatMap((instance): Extra[] => {
    const { usage } = instance.effect;
    if (usage === undefined) return [];
    const objects = created(instance.steps.filter((s) => s.action === 'create').map((s) => s.object));
    return [
      {
        title: `${instance.rendered.service}.${instance.rendered.instance}`,
        plan: instance,
        namespace: instance.rendered.namespace,
        peak: sumOf([more(usage.peak, usage.before), objects]),
        after: sumOf([more(usage.after, usage.before), objects]),
      },
    ];
  });
  return [...shared, ...instances];
}

/** Can the bounce go on when the surge does not fit? It can when old pods may go first, or when one new pod has room. */
function goesOn(extra: Extra, resource: string, left: number): boolean {
  const { plan } = extra;
  if (plan === undefined || !plan.effect.bounces) return false;
  if (plan.effect.minimumServing < Math.min(plan.effect.replaced, plan.effect.replaced + plan.effect.difference)) return true;
  return left + NOTHING >= (podAmounts(podSpecOf(plan.rendered.workload))[resource] ?? 0);
}

function useOf(quota: KubeObject, resource: string, all: readonly Extra[]): QuotaUse | undefined {
  const name = SAME[resource] ?? resource;
  const drawing = all.filter(
    (e) =>
      (e.plan === undefined || !/^(?:pods$|requests\.|limits\.)/.test(name) || quotaCounts(quota, podSpecOf(e.plan.rendered.workload))) &&
      ((e.peak[name] ?? 0) > NOTHING || (e.after[name] ?? 0) > NOTHING),
  );
  if (drawing.length === 0) return undefined;
  const hard = quantity((quota.spec?.['hard'] as Record<string, unknown> | undefined)?.[resource]);
  if (hard === undefined) return undefined;
  const used = quantity((quota.status?.['used'] as Record<string, unknown> | undefined)?.[resource]) ?? 0;
  const [peak, after] = [sumOf(drawing.map((e) => e.peak))[name] ?? 0, sumOf(drawing.map((e) => e.after))[name] ?? 0];
  const left = hard - used;
  const fits =
    peak <= left + NOTHING ? 'yes' : after <= left + NOTHING && drawing.every((e) => goesOn(e, name, left - after)) ? 'slower' : 'no';
  return {
    namespace: quota.metadata.namespace ?? '',
    quota: quota.metadata.name,
    resource,
    hard,
    used,
    peak,
    after,
    fits,
    instances: drawing.map((e) => e.title).sort(),
  };
}

/** Every line of a quota that the plan draws on, the ones that do not fit first. */
export function quotaUses(plan: Plan, quotas: readonly KubeObject[]): readonly QuotaUse[] {
  const all = extras(plan);
  const uses = quotas.flatMap((quota) => {
    const own = all.filter((e) => e.namespace === quota.metadata.namespace);
    return own.length === 0
      ? []
      : Object.keys((quota.spec?.['hard'] as object | undefined) ?? {})
          .sort()
          .flatMap((resource) => useOf(quota, resource, own) ?? []);
  });
  const order = { no: 0, slower: 1, yes: 2 } as const;
  const key = (u: QuotaUse): string => `${u.namespace} ${u.quota} ${u.resource}`;
  return [...uses].sort((a, b) => order[a.fits] - order[b.fits] || (key(a) < key(b) ? -1 : 1));
}

/** `requests.cpu: 0.3 more at the peak, 0.2 left (0.8 of 1 used)`. */
export function describeQuotaUse(use: QuotaUse): string {
  const amount = (n: number): string => formatAmount(use.resource, n);
  const wants =
    use.peak > use.after + NOTHING
      ? `${amount(use.peak)} more at the peak${use.after > NOTHING ? `, ${amount(use.after)} more afterwards` : ''}`
      : `${amount(use.after)} more`;
  return `${use.resource}: ${wants}, ${amount(Math.max(0, use.hard - use.used))} left (${amount(use.used)} of ${amount(use.hard)} used)`;
}

/** What a quota says against an instance: an error when it cannot come to its end, a warning when it only takes longer. */
export function quotaProblem(use: QuotaUse, title: string): Problem | undefined {
  if (use.fits === 'yes') return undefined;
  const others = use.instances.filter((name) => name !== title);
  const together =
    others.length === 0
      ? ''
      : ` together with ${others.slice(0, 3).join(', ')}${others.length > 3 ? ` and ${others.length - 3} more` : ''}`;
  const said = `ResourceQuota ${use.namespace}/${use.quota}: ${describeQuotaUse(use)}${together}`;
  const hint = 'raise the ResourceQuota, or lower cpus, mem or instances (or bounce_overprovision_factor, for the peak)';
  return use.fits === 'slower'
    ? warning('QUOTA_TIGHT', `${said}; the bounce goes on in smaller steps`, { hint })
    : problem('QUOTA_EXCEEDED', said, { hint });
}
