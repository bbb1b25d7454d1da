/** What a bounce will do, from the strategy that the workload carries. */
import type { KubeObject } from '../objects/types.ts';
import { ANNOTATIONS } from '../workload/marks.ts';
import { largestOf, podAmounts, podSpecOf, sumOf, times, type Amounts } from './amounts.ts';
import type { Budget, Effect, InstancePlan, Usage } from './types.ts';

/** Pods that a percentage or a number means; the API server rounds surge up and unavailability down. */
export function podsOf(value: unknown, replicas: number, round: 'up' | 'down'): number {
  if (typeof value === 'number') return value;
  const percent = typeof value === 'string' ? /^(\d{1,6})%$/.exec(value)?.[1] : undefined;
  if (percent === undefined) return 0;
  const scaled = Number(percent) * replicas;
  return round === 'up' ? Math.ceil(scaled / 100) : Math.floor(scaled / 100);
}

/** Running pods are not replaced; there may be more or fewer of them afterwards. */
export function noEffect(serving: number, wanted = serving): Effect {
  return { bounces: false, replaced: 0, surge: 0, minimumServing: Math.min(serving, wanted), difference: wanted - serving };
}

/** Effect of a changed pod template: `running` pods of the old one are there, `wanted` of the new one shall be. */
export function bounceEffect(workload: KubeObject, running: number, wanted: number): Effect {
  const difference = wanted - running;
  if (running === 0 || wanted === 0) return { bounces: false, replaced: running, surge: 0, minimumServing: 0, difference };
  const strategy = (workload.spec?.['strategy'] ?? {}) as {
    type?: string;
    rollingUpdate?: { maxSurge?: unknown; maxUnavailable?: unknown };
  };
  if (workload.kind === 'StatefulSet')
    return { bounces: true, replaced: running, surge: 0, minimumServing: Math.max(0, Math.min(running, wanted) - 1), difference };
  if (strategy.type === 'Recreate') return { bounces: true, replaced: running, surge: 0, minimumServing: 0, difference };
  const surge = podsOf(strategy.rollingUpdate?.maxSurge ?? '25%', wanted, 'up');
  let unavailable = podsOf(strategy.rollingUpdate?.maxUnavailable ?? '25%', wanted, 'down');
  // The Deployment controller never lets both be zero.
  if (surge === 0 && unavailable === 0) unavailable = 1;
  // Never more new pods than are wanted, however much surge is allowed.
  return {
    bounces: true,
    replaced: running,
    surge: Math.min(surge, wanted),
    minimumServing: Math.max(0, Math.min(running, wanted) - unavailable),
    difference,
  };
}

/** Effect of new pods beside the old ones, which go only when all of the new ones serve. */
export function sideBySideEffect(running: number, wanted: number): Effect {
  if (running === 0 || wanted === 0)
    return { bounces: false, replaced: running, surge: 0, minimumServing: 0, difference: wanted - running };
  return { bounces: true, replaced: running, surge: running, minimumServing: Math.min(running, wanted), difference: wanted - running };
}

/**
 * Requests and limits of all pods before, at the peak, and after. Pods of one kind are exchanged for the other step by step, so that the
 * peak of every resource is at one of the ends: as many old pods as may be (`mostOld`), or as many new ones.
 */
export function usageOf(effect: Effect, before: Amounts, old: Amounts, fresh: Amounts, wanted: number, mostOld: number): Usage {
  const after = times(fresh, wanted);
  if (!effect.bounces || effect.surge === 0) return { before, peak: largestOf([before, after]), after };
  const most = wanted + effect.surge;
  const ends = [
    sumOf([times(old, mostOld), times(fresh, Math.max(0, Math.min(wanted, most - mostOld)))]),
    sumOf([times(old, Math.min(mostOld, effect.surge)), times(fresh, wanted)]),
  ];
  return { before, peak: largestOf([before, after, ...ends]), after };
}

/** What the PodDisruptionBudget of the instance says to the bounce. It binds evictions, not bounces: a bounce that takes more is no error, but is said. */
export function budgetOf(companions: readonly KubeObject[], effect: Effect, wanted: number): Budget | undefined {
  const budget = companions.find((c) => c.kind === 'PodDisruptionBudget');
  if (budget === undefined || !effect.bounces) return undefined;
  const allowed = Math.min(wanted, podsOf(budget.spec?.['maxUnavailable'], wanted, 'up'));
  const missing = Math.max(0, wanted - effect.minimumServing);
  return { allowed, missing, fits: missing <= allowed };
}

/** Bounces of which a workload remembers the duration. */
export const REMEMBERED = 5;

/** Seconds that earlier bounces of a workload took, the last one first. */
export function earlierBounces(live: KubeObject | undefined): readonly number[] {
  const noted = live?.metadata.annotations?.[ANNOTATIONS.bounceSeconds] ?? '';
  return noted
    .split(' ')
    .filter((word) => /^\d{1,7}$/.test(word))
    .map(Number)
    .slice(0, REMEMBERED);
}

/** The annotation after one more bounce. */
export function rememberedBounces(earlier: readonly number[], seconds: number): string {
  return [Math.max(1, Math.round(seconds)), ...earlier].slice(0, REMEMBERED).join(' ');
}

/** A plan with everything about its effect that needs no further look at the cluster. `old`: the workloads that run now. */
export function completeEffect(plan: InstancePlan, old: readonly KubeObject[]): InstancePlan {
  if (plan.action === 'blocked' || plan.action === 'unchanged') return plan;
  const counted = old.map((object) => ({ amounts: podAmounts(podSpecOf(object)), replicas: runningOf(object) }));
  const running = counted.reduce((sum, { replicas }) => sum + replicas, 0);
  const wanted = running + plan.effect.difference;
  const before = sumOf(counted.map(({ amounts, replicas }) => times(amounts, replicas)));
  const perPod = podAmounts(podSpecOf(plan.rendered.workload));
  // Without a bounce, running pods stay as they are.
  const next = plan.effect.bounces || counted.length === 0 ? perPod : (counted[0]?.amounts ?? perPod);
  const oldPod = largestOf(counted.map(({ amounts }) => amounts));
  const usage = usageOf(plan.effect, before, oldPod, running === 0 ? perPod : next, wanted, mostOldPods(plan, running, wanted));
  const budget = budgetOf(plan.rendered.companions, plan.effect, wanted);
  const earlier = old.map(earlierBounces).find((seconds) => seconds.length > 0) ?? [];
  return { ...plan, effect: { ...plan.effect, usage, earlier, ...(budget === undefined ? {} : { budget }) } };
}

/** A Deployment whose count changes, too, brings its old pods to the new count before it replaces them. */
export function mostOldPods(plan: Pick<InstancePlan, 'rollout'>, running: number, wanted: number): number {
  return plan.rollout.kind === 'native' ? Math.max(running, wanted) : running;
}

function runningOf(workload: KubeObject): number {
  const replicas = workload.spec?.['replicas'];
  return typeof replicas === 'number' ? replicas : 1;
}
