/** What a bounce will do, from the strategy that the workload carries. */
import type { KubeObject } from '../objects/types.ts';
import type { Effect } from './types.ts';

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
  const strategy = (workload.spec?.['strategy'] ?? {}) as { type?: string; rollingUpdate?: { maxSurge?: unknown; maxUnavailable?: unknown } };
  if (workload.kind === 'StatefulSet') return { bounces: true, replaced: running, surge: 0, minimumServing: Math.max(0, wanted - 1), difference };
  if (strategy.type === 'Recreate') return { bounces: true, replaced: running, surge: 0, minimumServing: 0, difference };
  const surge = podsOf(strategy.rollingUpdate?.maxSurge ?? '25%', wanted, 'up');
  let unavailable = podsOf(strategy.rollingUpdate?.maxUnavailable ?? '25%', wanted, 'down');
  // The Deployment controller never lets both be zero.
  if (surge === 0 && unavailable === 0) unavailable = 1;
  return { bounces: true, replaced: running, surge, minimumServing: Math.max(0, Math.min(running, wanted) - unavailable), difference };
}
