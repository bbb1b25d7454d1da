/** The part of a plan that puts a second workload beside the old ones: what goes at the end, and what it does to the pods. */
import { neededReplicas } from '../bounce/arithmetic.ts';
import type { KubeObject } from '../objects/types.ts';
import type { RenderedInstance } from '../workload/types.ts';
import { podsOf, sideBySideEffect } from './effect.ts';
import { isLeaving } from './identity.ts';
import { isOurs, keyFor, replicasOf, titleOf } from './marks.ts';
import type { Effect, Reason, RolloutWhy, Step } from './types.ts';

function deletion(live: KubeObject, reasons: readonly Reason[]): Step {
  const { name, namespace } = live.metadata;
  const object: KubeObject = {
    apiVersion: live.apiVersion,
    kind: live.kind,
    metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
  };
  return { action: 'delete', title: titleOf(live), object, reasons, force: false, live };
}

/** Deletions at the end: autoscalers first, for they would put back what is taken away; budgets last. */
export function deletions(
  rendered: RenderedInstance,
  baseName: string,
  old: readonly KubeObject[],
  why: RolloutWhy,
  objects: ReadonlyMap<string, KubeObject>,
): readonly Step[] {
  const reasons: readonly Reason[] = [{ kind: 'rollout', why }];
  const left = [...new Set(old.map((o) => o.metadata.namespace))].filter((namespace) => namespace !== rendered.namespace);
  const companions = (kind: string): readonly KubeObject[] =>
    left.flatMap((namespace) => objects.get(keyFor(kind, namespace, baseName)) ?? []).filter((o) => isOurs(o) && !isLeaving(o));
  return [...companions('HorizontalPodAutoscaler'), ...old.filter((o) => !isLeaving(o)), ...companions('PodDisruptionBudget')].map((o) =>
    deletion(o, reasons),
  );
}

/** The autoscaler of an instance that is to have none any more: stopped, or not autoscaled. */
export function abandonedAutoscaler(
  rendered: RenderedInstance,
  baseName: string,
  objects: ReadonlyMap<string, KubeObject>,
): Step | undefined {
  if (rendered.companions.some((c) => c.kind === 'HorizontalPodAutoscaler')) return undefined;
  const live = objects.get(keyFor('HorizontalPodAutoscaler', rendered.namespace, baseName));
  if (live === undefined || !isOurs(live) || isLeaving(live)) return undefined;
  return deletion(live, [{ kind: 'configuration', fields: [titleOf(live)] }]);
}

/** Pods of the new workload that may run beside `wanted` others (`bounce_overprovision_factor`). `upthendown` needs all of them. */
export function surgeBeside(rendered: RenderedInstance, wanted: number): number {
  const strategy = (rendered.workload.spec?.['strategy'] ?? {}) as { rollingUpdate?: { maxSurge?: unknown } };
  if (rendered.bounceMethod === 'upthendown' || strategy.rollingUpdate?.maxSurge === undefined) return wanted;
  return podsOf(strategy.rollingUpdate.maxSurge, wanted, 'up');
}

/** What two workloads side by side do to the pods: `running` ones are there, the wanted workload's own included. */
export function rolloutEffect(rendered: RenderedInstance, own: number, old: readonly KubeObject[], wanted: number): Effect {
  const leaving = old.reduce((sum, o) => sum + replicasOf(o), 0);
  const running = own + leaving;
  const all = sideBySideEffect(running, wanted);
  if (!all.bounces) return all;
  const surge = Math.max(0, own + leaving - wanted, Math.min(leaving, surgeBeside(rendered, wanted)));
  const effect = { ...all, replaced: leaving, surge };
  switch (rendered.bounceMethod) {
    case 'upthendown':
      return effect;
    case 'crossover':
      return { ...effect, minimumServing: Math.min(running, neededReplicas(wanted, rendered.bounceMarginFactor)) };
    case 'brutal':
      return { ...effect, minimumServing: own };
    case 'downthenup':
      return { ...effect, surge: own > 0 ? surge : 0, minimumServing: own };
  }
}
