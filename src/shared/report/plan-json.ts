/** The plan as a document: stable, versioned, described by docs/plan.schema.json. Names and numbers only, never values of fields. */
import type { Problem } from '../contract/errors.ts';
import { allSteps, stepDigest } from '../plan/hash.ts';
import type { Amounts } from '../plan/amounts.ts';
import type { InstancePlan, Plan, Step } from '../plan/types.ts';
import { describeEffect, describeReason } from '../plan/words.ts';
import { foreignLine } from './foreign.ts';

/** Grows when something is removed or changes its meaning; additions leave it. */
export const PLAN_SCHEMA = 'paasta-plan/v1';

export interface PlannedStep {
  readonly action: Step['action'];
  readonly title: string;
  readonly digest: string;
  readonly reasons: readonly string[];
}

export interface PlannedInstance {
  readonly service: string;
  readonly instance: string;
  readonly namespace: string;
  readonly kind: string;
  readonly name: string;
  readonly action: InstancePlan['action'];
  readonly sha: string;
  readonly image_version: string | null;
  readonly image: string;
  readonly bounce_method: string;
  readonly reasons: readonly { readonly kind: string; readonly text: string }[];
  readonly effect: {
    readonly text: string;
    readonly bounces: boolean;
    readonly side_by_side: boolean;
    readonly replaced: number;
    readonly surge: number;
    readonly minimum_serving: number;
    readonly difference: number;
    readonly usage: { readonly before: Amounts; readonly peak: Amounts; readonly after: Amounts } | null;
    readonly disruption_budget: { readonly allowed: number; readonly missing: number; readonly fits: boolean } | null;
    readonly earlier_bounces_seconds: readonly number[];
  };
  readonly steps: readonly PlannedStep[];
  readonly problems: readonly PlannedProblem[];
}

export interface PlannedProblem {
  readonly severity: Problem['severity'];
  readonly code: string;
  readonly message: string;
  readonly next: string | null;
}

export interface PlanDocument {
  readonly schema: typeof PLAN_SCHEMA;
  readonly cluster: string;
  readonly hash: string;
  /** Something would be written. */
  readonly changes: boolean;
  /** Something stands in the way of it. */
  readonly errors: boolean;
  readonly actions: Readonly<Record<string, number>>;
  /** Namespaces and Services, which instances share. */
  readonly shared: readonly PlannedStep[];
  readonly instances: readonly PlannedInstance[];
  readonly quotas:
    | readonly {
        readonly namespace: string;
        readonly quota: string;
        readonly resource: string;
        readonly hard: number;
        readonly used: number;
        readonly peak: number;
        readonly after: number;
        readonly fits: 'yes' | 'slower' | 'no';
        readonly instances: readonly string[];
      }[]
    | null;
  readonly problems: readonly PlannedProblem[];
}

function stepOf(step: Step): PlannedStep {
  return { action: step.action, title: step.title, digest: stepDigest(step), reasons: step.reasons.map(describeReason) };
}

function problemOf(found: Problem): PlannedProblem {
  return {
    severity: found.severity,
    code: found.code,
    message: foreignLine(found.message),
    next: found.hint === undefined ? null : foreignLine(found.hint),
  };
}

/** Floating point sums, without their tails. */
function rounded(amounts: Amounts): Amounts {
  return Object.fromEntries(Object.entries(amounts).map(([name, amount]) => [name, Number(amount.toFixed(6))]));
}

function instanceOf(plan: InstancePlan): PlannedInstance {
  const { rendered, effect } = plan;
  const { usage, budget } = effect;
  return {
    service: rendered.service,
    instance: rendered.instance,
    namespace: rendered.namespace,
    kind: rendered.workload.kind,
    name: rendered.name,
    action: plan.action,
    sha: rendered.version.sha,
    image_version: rendered.version.imageVersion,
    image: rendered.image,
    bounce_method: rendered.bounceMethod,
    reasons: plan.reasons.map((reason) => ({ kind: reason.kind, text: describeReason(reason) })),
    effect: {
      text: describeEffect(plan),
      bounces: effect.bounces,
      side_by_side: plan.rollout.kind === 'side-by-side',
      replaced: effect.replaced,
      surge: effect.surge,
      minimum_serving: effect.minimumServing,
      difference: effect.difference,
      usage: usage === undefined ? null : { before: rounded(usage.before), peak: rounded(usage.peak), after: rounded(usage.after) },
      disruption_budget: budget === undefined ? null : { allowed: budget.allowed, missing: budget.missing, fits: budget.fits },
      earlier_bounces_seconds: effect.earlier ?? [],
    },
    steps: plan.steps.map(stepOf),
    problems: [...plan.problems, ...(plan.foreseen ?? [])].map(problemOf),
  };
}

/** `problems`: of the run as a whole. */
export function planDocument(plan: Plan, hash: string, problems: readonly Problem[] = plan.problems): PlanDocument {
  const actions: Record<string, number> = {};
  for (const { action } of plan.instances) actions[action] = (actions[action] ?? 0) + 1;
  const instances = plan.instances.map(instanceOf).sort((a, b) => (`${a.service}.${a.instance}` < `${b.service}.${b.instance}` ? -1 : 1));
  const errors = [...problems, ...plan.instances.flatMap((i) => [...i.problems, ...(i.foreseen ?? [])])].some(
    (p) => p.severity === 'error',
  );
  return {
    schema: PLAN_SCHEMA,
    cluster: plan.cluster,
    hash,
    changes: allSteps(plan).length > 0,
    errors,
    actions: Object.fromEntries(Object.entries(actions).sort()),
    shared: [...plan.namespaces, ...plan.shared].map(stepOf),
    instances,
    quotas:
      plan.quotas?.map(({ namespace, quota, resource, hard, used, peak, after, fits, instances: names }) => ({
        namespace,
        quota,
        resource,
        hard,
        used,
        peak,
        after,
        fits,
        instances: names,
      })) ?? null,
    problems: problems.map(problemOf),
  };
}

/** The text of the document, with a line end. */
export function planJson(plan: Plan, hash: string, problems?: readonly Problem[]): string {
  return `${JSON.stringify(planDocument(plan, hash, problems), null, 2)}\n`;
}

/** What differs between an approved plan and the one of now, by writes. At most `limit` lines. */
export function planDifferences(
  approved: Pick<PlanDocument, 'cluster' | 'shared' | 'instances'>,
  now: Pick<PlanDocument, 'cluster' | 'shared' | 'instances'>,
  limit = 10,
): readonly string[] {
  const stepsOf = (d: typeof approved): ReadonlyMap<string, PlannedStep> =>
    new Map([...d.shared, ...d.instances.flatMap((i) => i.steps)].map((s) => [s.title, s]));
  const [before, after] = [stepsOf(approved), stepsOf(now)];
  const why = (s: PlannedStep): string => (s.reasons.length === 0 ? '' : ` (${s.reasons.join('; ')})`);
  const lines = [
    ...(approved.cluster === now.cluster ? [] : [`it is a plan of cluster ${approved.cluster}`]),
    ...[...before.values()].filter((s) => !after.has(s.title)).map((s) => `no longer: ${s.action} ${s.title}`),
    ...[...after.values()].filter((s) => !before.has(s.title)).map((s) => `new: ${s.action} ${s.title}${why(s)}`),
    ...[...after.values()].flatMap((s) => {
      const was = before.get(s.title);
      return was === undefined || was.digest === s.digest
        ? []
        : [
            `otherwise: ${s.action} ${s.title}${was.reasons.join() === s.reasons.join() ? ' (same reasons, another content)' : `: was ${was.reasons.join('; ') || 'without a reason'}, is ${s.reasons.join('; ') || 'without a reason'}`}`,
          ];
    }),
  ];
  return lines.length > limit ? [...lines.slice(0, limit), `and ${lines.length - limit} more`] : lines;
}

/** A document that `planJson` wrote; `undefined` when the text is none of this version. */
export function readPlan(text: string): PlanDocument | undefined {
  try {
    const read = JSON.parse(text) as Partial<PlanDocument> | null;
    const whole =
      read?.schema === PLAN_SCHEMA &&
      typeof read.hash === 'string' &&
      typeof read.cluster === 'string' &&
      Array.isArray(read.shared) &&
      Array.isArray(read.instances);
    return whole ? (read as PlanDocument) : undefined;
  } catch {
    return undefined;
  }
}
