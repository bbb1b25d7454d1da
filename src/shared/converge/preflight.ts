/**
 * Rights that a plan needs, asked before its first write. Without those to its workload an instance is left alone, whole; a companion that may
 * not be written (a budget, an autoscaler) is left out and fails the verdict. One SelfSubjectAccessReview for each verb and kind when there are many namespaces, one SelfSubjectRulesReview for a namespace
 * otherwise; where that is not the whole truth (authorizers by webhook), exact questions.
 */
import { problem, UserError, type Problem } from '../contract/errors.ts';
import type { Log } from '../contract/ports.ts';
import { KINDS, type Kind, type KindName, type KubeObject } from '../objects/types.ts';
import { allSteps, type InstancePlan, type Plan, type Step } from '../plan/index.ts';
import { verbsOfDrain } from './drain-method.ts';
import { pooled } from './pool.ts';
import { statusOf, type ClusterAccess } from './ports.ts';

/** Questions in flight. */
const WIDTH = 8;

interface Need {
  /** Empty: at cluster scope. */
  readonly namespace: string;
  readonly verb: string;
  readonly kind: Kind;
  readonly subresource?: string;
}

interface Rule {
  readonly verbs?: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
}

export interface Refused {
  readonly instance: InstancePlan;
  readonly problems: readonly Problem[];
}

export interface Permitted {
  /** Without what may not be written. */
  readonly plan: Plan;
  readonly refused: readonly Refused[];
  /** What is left out of instances that are written all the same, by `service.instance`. */
  readonly lacking: ReadonlyMap<string, readonly Problem[]>;
  /** Of shared objects. */
  readonly problems: readonly Problem[];
}

function groupOf(kind: Kind): string {
  return kind.apiVersion.includes('/') ? (kind.apiVersion.split('/')[0] ?? '') : '';
}

/** `pods/proxy`, as rules of RBAC write it. */
function resourceOf({ kind, subresource }: Need): string {
  return subresource === undefined ? kind.plural : `${kind.plural}/${subresource}`;
}

function pairOf(need: Need): string {
  return `${need.verb} ${resourceOf(need)}.${groupOf(need.kind)}`;
}

function keyOf(need: Need): string {
  return `${pairOf(need)} ${need.namespace}`;
}

/** Verbs of one write: server-side apply patches, and creates what is not there. */
function needsOf(step: Step): readonly Need[] {
  const kind: Kind | undefined = KINDS[step.object.kind as KindName];
  if (kind === undefined) return [];
  const verbs =
    step.action === 'delete'
      ? ['delete']
      : step.action === 'create'
        ? ['create', 'patch']
        : step.recreates === true
          ? ['delete', 'create', 'patch']
          : ['patch'];
  return verbs.map((verb) => ({ namespace: kind.namespaced ? (step.object.metadata.namespace ?? '') : '', verb, kind }));
}

/** Pods beside a new workload are drained from outside, which takes labels off them and asks them by their drain method. */
function needsOfDrain({ rendered }: InstancePlan, old: KubeObject): readonly Need[] {
  const namespace = old.metadata.namespace ?? '';
  const asks = verbsOfDrain(rendered, old).map((verb): Need => ({ namespace, verb, kind: KINDS.Pod, subresource: 'proxy' }));
  return [{ namespace, verb: 'patch', kind: KINDS.Pod }, ...asks];
}

/** Everything without which the workload is not as it shall be. */
function needsOfWorkload(instance: InstancePlan): readonly Need[] {
  const { rollout, steps } = instance;
  const old = rollout.kind === 'side-by-side' ? rollout.old : [];
  return [...steps.filter((s) => isOfWorkload(s, instance)).flatMap(needsOf), ...old.flatMap((o) => needsOfDrain(instance, o))];
}

/** Side by side every deletion belongs to the bounce. Alone it is an autoscaler that nothing needs any more: no reason not to stop. */
function isOfWorkload(step: Step, { rendered, rollout }: InstancePlan): boolean {
  return step.object.kind === rendered.workload.kind || (step.action === 'delete' && rollout.kind === 'side-by-side');
}

function needsOfInstance(instance: InstancePlan): readonly Need[] {
  return [...needsOfWorkload(instance), ...instance.steps.flatMap(needsOf)];
}

function covers(rules: readonly Rule[], need: Need): boolean {
  const has = (list: readonly string[] | undefined, value: string): boolean => list?.some((one) => one === '*' || one === value) === true;
  const hasResource = (list: readonly string[] | undefined): boolean =>
    has(list, resourceOf(need)) || (need.subresource !== undefined && has(list, `*/${need.subresource}`));
  return rules.some(
    (r) =>
      (r.resourceNames ?? []).length === 0 && has(r.verbs, need.verb) && has(r.apiGroups, groupOf(need.kind)) && hasResource(r.resources),
  );
}

function review(kind: Kind, spec: Record<string, unknown>): KubeObject {
  return { apiVersion: kind.apiVersion, kind: kind.kind, metadata: { name: '' }, spec };
}

async function isAllowed(cluster: ClusterAccess, need: Need): Promise<boolean> {
  const answer = await cluster.create(
    review(KINDS.SelfSubjectAccessReview, {
      resourceAttributes: {
        ...(need.namespace === '' ? {} : { namespace: need.namespace }),
        verb: need.verb,
        group: groupOf(need.kind),
        resource: need.kind.plural,
        ...(need.subresource === undefined ? {} : { subresource: need.subresource }),
      },
    }),
  );
  return answer?.status?.['allowed'] === true;
}

async function rulesIn(cluster: ClusterAccess, namespace: string): Promise<{ readonly rules: readonly Rule[]; readonly isWhole: boolean }> {
  const status = (await cluster.create(review(KINDS.SelfSubjectRulesReview, { namespace })))?.status as
    { resourceRules?: readonly Rule[]; incomplete?: boolean } | undefined;
  return { rules: status?.resourceRules ?? [], isWhole: status?.incomplete === false };
}

function distinct<T>(all: readonly T[], key: (one: T) => string): readonly T[] {
  return [...new Map(all.map((one) => [key(one), one])).values()];
}

/** Those of the needs that are not granted. */
async function missing(cluster: ClusterAccess, needs: readonly Need[]): Promise<readonly Need[]> {
  const found: Need[] = [];
  const all = distinct(needs, keyOf);
  const cluster_wide = all.filter((n) => n.namespace === '');
  let namespaced = all.filter((n) => n.namespace !== '');
  await pooled(cluster_wide, WIDTH, async (need) => {
    if (!(await isAllowed(cluster, need))) found.push(need);
  });
  if (new Set(namespaced.map((n) => n.namespace)).size > 1) {
    const everywhere = new Set<string>();
    await pooled(distinct(namespaced, pairOf), WIDTH, async (need) => {
      if (await isAllowed(cluster, { ...need, namespace: '' })) everywhere.add(pairOf(need));
    });
    namespaced = namespaced.filter((n) => !everywhere.has(pairOf(n)));
  }
  await pooled([...new Set(namespaced.map((n) => n.namespace))], WIDTH, async (namespace) => {
    const { rules, isWhole } = await rulesIn(cluster, namespace);
    for (const need of namespaced.filter((n) => n.namespace === namespace && !covers(rules, n)))
      if (isWhole || !(await isAllowed(cluster, need))) found.push(need);
  });
  return found;
}

/** One problem for each kind and namespace. */
function problemsOf(needs: readonly Need[], { server, context }: ClusterAccess['target']): readonly Problem[] {
  const groups = new Map<string, Need[]>();
  for (const need of needs) {
    const key = `${resourceOf(need)} ${need.namespace}`;
    groups.set(key, [...(groups.get(key) ?? []), need]);
  }
  return [...groups.values()].map((group) => {
    const first = group[0] as Need;
    const { kind, namespace } = first;
    const verbs = [...new Set(group.map((n) => n.verb))].sort();
    const name = `${kind.plural}${groupOf(kind) === '' ? '' : `.${groupOf(kind)}`}${first.subresource === undefined ? '' : `/${first.subresource}`}`;
    const quotedVerbs = verbs.map((v) => `'${v}'`).join(' and ');
    return problem(
      'CLUSTER_FORBIDDEN',
      `context '${context}' on ${server} may not ${verbs.join(' and ')} ${name} ${namespace === '' ? 'at cluster scope' : `in namespace ${namespace}`}: nothing that needs it was written`,
      {
        hint: `grant the verb${verbs.length > 1 ? 's' : ''} ${quotedVerbs} on '${name}' to that user with a ${namespace === '' ? 'ClusterRoleBinding' : `RoleBinding in ${namespace}`} (docs/rbac.md)`,
      },
    );
  });
}

/** The plan without what may not be written. Asks nothing for a plan without writes; a server that does not answer such questions is no obstacle. */
export async function preflight(
  plan: Plan,
  { cluster, log }: { readonly cluster: ClusterAccess; readonly log: Pick<Log, 'debug'> },
): Promise<Permitted> {
  const whole: Permitted = { plan, refused: [], lacking: new Map(), problems: [] };
  if (allSteps(plan).length === 0) return whole;
  let lacking: readonly Need[];
  try {
    lacking = await missing(cluster, [
      ...[...plan.namespaces, ...plan.shared].flatMap(needsOf),
      ...plan.instances.flatMap(needsOfInstance),
    ]);
  } catch (error) {
    if (!(error instanceof UserError) || statusOf(error) === undefined) throw error;
    log.debug(`rights could not be asked for: ${error.message}`);
    return whole;
  }
  if (lacking.length === 0) return whole;
  const keys = new Set(lacking.map(keyOf));
  const lackingOf = (needs: readonly Need[]): readonly Need[] => distinct(needs, keyOf).filter((n) => keys.has(keyOf(n)));
  const said = (needs: readonly Need[]): readonly Problem[] => problemsOf(lackingOf(needs), cluster.target);
  const closed = new Map(
    plan.namespaces
      .filter((s) => lackingOf(needsOf(s)).length > 0)
      .map((s) => [s.object.kind === 'Namespace' ? s.object.metadata.name : '', s]),
  );
  const refused: Refused[] = [];
  const left = new Map<string, readonly Problem[]>();
  const instances = plan.instances.flatMap((instance): InstancePlan[] => {
    if (instance.steps.length === 0) return [instance];
    const namespace = closed.get(instance.rendered.namespace);
    const base = [...(namespace === undefined ? [] : needsOf(namespace)), ...needsOfWorkload(instance)];
    const problems = said([...base, ...needsOfInstance(instance)]);
    if (problems.length === 0) return [instance];
    if (lackingOf(base).length > 0) {
      refused.push({ instance, problems });
      return [];
    }
    left.set(`${instance.rendered.service}.${instance.rendered.instance}`, problems);
    return [{ ...instance, steps: instance.steps.filter((s) => lackingOf(needsOf(s)).length === 0) }];
  });
  const mayStep = (step: Step): boolean => lackingOf(needsOf(step)).length === 0 && !closed.has(step.object.metadata.namespace ?? '-');
  const others = [...plan.namespaces.filter((s) => s.object.kind !== 'Namespace'), ...plan.shared].filter(
    (s) => lackingOf(needsOf(s)).length > 0,
  );
  return {
    plan: { ...plan, namespaces: plan.namespaces.filter(mayStep), shared: plan.shared.filter(mayStep), instances },
    refused,
    lacking: left,
    problems: said(others.flatMap(needsOf)),
  };
}
