/**
 * Readiness of what stands beside a workload: budgets, autoscalers, Services. None of it makes pods serve, so that what is wrong with it is a
 * warning; what its controller has not seen yet is waited for, not for ever.
 */
import { warning, type Problem } from '../contract/errors.ts';
import type { Condition, KubeObject, Pod } from '../objects/types.ts';
import { argument, plainText } from './text.ts';
import { isReady, isTerminating } from './versions.ts';

/** Labels of one pod. */
export type PodLabels = Readonly<Record<string, string>>;

export type CompanionVerdict =
  | { readonly state: 'ready' }
  /** `what` completes "waiting for …"; `otherwise` is what is wrong when it was waited for in vain. */
  | { readonly state: 'waiting'; readonly what: string; readonly otherwise?: Problem }
  | { readonly state: 'warned'; readonly problem: Problem };

const READY: CompanionVerdict = { state: 'ready' };
/** An autoscaler asks for its metrics every 15 s, and a new pod has none for a while. */
const METRICS = 45_000;

function titleOf(object: KubeObject): string {
  return `${object.kind} ${object.metadata.namespace === undefined ? '' : `${object.metadata.namespace}/`}${object.metadata.name}`;
}

function describeCommand(object: KubeObject, kind: string): string {
  return `kubectl -n ${argument(object.metadata.namespace ?? 'default')} describe ${kind} ${argument(object.metadata.name)}`;
}

function condition(object: KubeObject, type: string): Condition | undefined {
  const list = object.status?.['conditions'];
  return Array.isArray(list) ? (list as readonly Condition[]).find((c) => c.type === type) : undefined;
}

function numberIn(part: Readonly<Record<string, unknown>> | undefined, key: string): number | undefined {
  const value = part?.[key];
  return typeof value === 'number' ? value : undefined;
}

function said({ reason, message }: Condition): string {
  return plainText([reason, message].filter((text) => text !== undefined && text !== '').join(': '), 400);
}

function unseen(object: KubeObject): CompanionVerdict | undefined {
  const generation = object.metadata.generation;
  const observed = numberIn(object.status, 'observedGeneration');
  return generation !== undefined && (observed === undefined || observed < generation)
    ? { state: 'waiting', what: `the cluster to notice ${titleOf(object)}` }
    : undefined;
}

function budget(object: KubeObject): CompanionVerdict {
  const allowed = condition(object, 'DisruptionAllowed');
  if (allowed?.status === 'False' && allowed.reason === 'SyncFailed') {
    // So it is while pods outlive their ReplicaSet, and for a moment after the last of them.
    return {
      state: 'waiting',
      what: `${titleOf(object)} to be in force`,
      otherwise: warning('PDB_NOT_IN_FORCE', `${titleOf(object)} does not work: ${said(allowed)}`, {
        hint: describeCommand(object, 'pdb'),
      }),
    };
  }
  return unseen(object) ?? READY;
}

function autoscaler(object: KubeObject, now: number): CompanionVerdict {
  const able = condition(object, 'AbleToScale');
  if (able?.status === 'False')
    return {
      state: 'warned',
      problem: warning('AUTOSCALER_STUCK', `${titleOf(object)} cannot scale: ${said(able)}`, { hint: describeCommand(object, 'hpa') }),
    };
  const active = condition(object, 'ScalingActive');
  // A workload of no pods is not scaled, on purpose.
  if (active?.status !== 'False' || active.reason === 'ScalingDisabled') return READY;
  if (!(now - Date.parse(active.lastTransitionTime ?? '') >= METRICS)) return READY;
  return {
    state: 'warned',
    problem: warning('AUTOSCALER_BLIND', `${titleOf(object)} cannot read its metric and leaves the count as it is: ${said(active)}`, {
      hint: `check the metrics provider in soa-configs and the metrics adapter of the cluster: ${describeCommand(object, 'hpa')}`,
    }),
  };
}

function service(object: KubeObject, serving: readonly PodLabels[]): CompanionVerdict {
  const selector = object.spec?.['selector'];
  if (typeof selector !== 'object' || selector === null || serving.length === 0) return READY;
  const wanted = Object.entries(selector as Record<string, unknown>);
  if (serving.some((labels) => wanted.every(([key, value]) => labels[key] === value))) return READY;
  return {
    state: 'warned',
    problem: warning(
      'SERVICE_WITHOUT_PODS',
      `${titleOf(object)} selects none of the ready pods (selector ${wanted.map(([key, value]) => `${key}=${String(value)}`).join(',')})`,
      { hint: 'its clients reach nobody; deploy again, and check who changed the labels of the pods or the selector' },
    ),
  };
}

/** Labels of the pods that serve. */
export function servingLabels(pods: readonly Pod[]): readonly PodLabels[] {
  return pods.filter(isReady).map((pod) => pod.metadata.labels ?? {});
}

/**
 * Judges one object by its kind. `serving`: labels of the instance's ready pods. `now` in milliseconds. Kinds without a state of their own
 * are ready as soon as they exist.
 */
export function judgeCompanion(object: KubeObject, serving: readonly PodLabels[], now: number): CompanionVerdict {
  if (isTerminating(object)) return { state: 'waiting', what: `${titleOf(object)}, which is being deleted, to be gone` };
  switch (object.kind) {
    case 'PodDisruptionBudget':
      return budget(object);
    case 'HorizontalPodAutoscaler':
      return autoscaler(object, now);
    case 'Service':
      return service(object, serving);
    default:
      return READY;
  }
}
