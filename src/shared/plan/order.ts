/**
 * Which instances come first, and how many. Upstream: the sort and `--rate-limit` of `setup_kube_deployments`: code before
 * configuration, so that a change of rendering never delays a developer's push.
 */
import { neededReplicas } from '../bounce/arithmetic.ts';
import type { KubeObject } from '../objects/types.ts';
import { noEffect } from './effect.ts';
import { replicasOf } from './marks.ts';
import type { InstancePlan } from './types.ts';

/** Does what runs now have as many ready pods as the instance wants? What does not run yet is not broken. */
export function isHealthy(plan: InstancePlan, live: readonly KubeObject[]): boolean {
  if (live.length === 0) return true;
  const wanted = Math.max(...live.map(replicasOf));
  const ready = live.reduce((sum, o) => sum + (typeof o.status?.['readyReplicas'] === 'number' ? o.status['readyReplicas'] : 0), 0);
  return ready >= neededReplicas(wanted, plan.rendered.bounceMarginFactor);
}

/** 0 and 1: new code; 2 and 3: configuration only; the odd ones are broken now. 4: nothing can be done. */
export function priority(plan: InstancePlan, healthy: boolean): number {
  if (plan.action === 'blocked') return 4;
  const isCode = plan.reasons.some((r) => r.kind === 'new-version' || r.kind === 'new');
  return (isCode ? 0 : 2) + (healthy ? 0 : 1);
}

/** In order, `limit` instances change; what is left has no steps any more. */
export function limited(plans: readonly InstancePlan[], limit: number): readonly InstancePlan[] {
  if (limit <= 0) return plans;
  let changed = 0;
  return plans.map((plan) => {
    if (plan.steps.length === 0 || ++changed <= limit) return plan;
    return { ...plan, action: 'left', steps: [], rollout: { kind: 'native' }, effect: noEffect(plan.effect.minimumServing) };
  });
}
