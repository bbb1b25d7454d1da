/** A plan held against what limits its namespaces: quotas, limit ranges, and what the API server said to a rehearsal. */
import type { Problem } from '../contract/errors.ts';
import type { KubeObject } from '../objects/types.ts';
import type { Amounts } from './amounts.ts';
import { mostOldPods, usageOf } from './effect.ts';
import { limitProblems } from './limit-ranges.ts';
import { quotaProblem, quotaUses } from './quotas.ts';
import type { InstancePlan, Plan } from './types.ts';

/** What was learned of one instance by asking the API server, without writing. */
export interface Rehearsed {
  readonly problems: readonly Problem[];
  /** One pod as admission would make it, when it was allowed: with defaults of limit ranges and sidecars of webhooks. */
  readonly pod?: Amounts;
}

export interface Limits {
  /** `undefined`: they could not be read. */
  readonly quotas: readonly KubeObject[] | undefined;
  readonly limitRanges: readonly KubeObject[];
  /** By `service.instance`. */
  readonly rehearsed: ReadonlyMap<string, Rehearsed>;
}

function titleOf(plan: InstancePlan): string {
  return `${plan.rendered.service}.${plan.rendered.instance}`;
}

/** Pods with what admission adds to them, where they are new. */
function withPod(plan: InstancePlan, pod: Amounts | undefined): InstancePlan {
  const { effect } = plan;
  const running = effect.usage?.before['pods'] ?? 0;
  const after = effect.usage?.after['pods'] ?? 0;
  if (pod === undefined || effect.usage === undefined || (!effect.bounces && running > 0)) return plan;
  const old =
    running === 0 ? {} : Object.fromEntries(Object.entries(effect.usage.before).map(([name, amount]) => [name, amount / running]));
  return {
    ...plan,
    effect: { ...effect, usage: usageOf(effect, effect.usage.before, old, pod, after, mostOldPods(plan, running, after)) },
  };
}

/** The same plan, with what would stand in its way. */
export function foresee(plan: Plan, limits: Limits): Plan {
  const instances = plan.instances.map((i) => withPod(i, limits.rehearsed.get(titleOf(i))?.pod));
  const uses = limits.quotas === undefined ? undefined : quotaUses({ ...plan, instances }, limits.quotas);
  return {
    ...plan,
    ...(uses === undefined ? {} : { quotas: uses }),
    instances: instances.map((instance) => {
      if (instance.steps.length === 0) return instance;
      const title = titleOf(instance);
      const rehearsed = limits.rehearsed.get(title);
      const quotas = (uses ?? []).filter((u) => u.instances.includes(title)).flatMap((u) => quotaProblem(u, title) ?? []);
      // What admission let pass is within the limits.
      const ranges =
        rehearsed?.pod === undefined && (instance.effect.bounces || instance.effect.difference > 0)
          ? limitProblems(instance.rendered.workload, limits.limitRanges)
          : [];
      const refused = (rehearsed?.problems ?? []).filter((p) => !(p.code === 'QUOTA_EXCEEDED' && uses !== undefined));
      const said = refused.some((p) => p.code === 'ADMISSION_DENIED') ? refused : [...refused, ...ranges];
      const foreseen = [...quotas, ...said];
      return foreseen.length === 0 ? instance : { ...instance, foreseen };
    }),
  };
}
