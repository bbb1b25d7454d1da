/** Reasons and effects in words. */
import { shortVersion } from '../contract/deployment-version.ts';
import { assertNever } from '../contract/errors.ts';
import type { Effect, InstancePlan, Reason, RolloutWhy } from './types.ts';

function some(fields: readonly string[]): string {
  const short = fields.map((f) =>
    f
      .replace(/^spec\.template\.spec\./, '')
      .replace(/^spec\.template\.metadata\./, 'pod ')
      .replace(/^metadata\./, ''),
  );
  return short.length > 3 ? `${short.slice(0, 3).join(', ')} and ${short.length - 3} more` : short.join(', ');
}

export function describeReason(reason: Reason): string {
  switch (reason.kind) {
    case 'new':
      return 'does not exist yet';
    case 'new-version':
      return `new version ${reason.from === undefined ? '(unknown)' : shortVersion(reason.from)} → ${shortVersion(reason.to)}`;
    case 'configuration':
      return `configuration changed: ${some(reason.fields)}`;
    case 'drift':
      return `drift: ${some(reason.fields)} changed by ${reason.manager}`;
    case 'scale':
      return `scale ${reason.from} → ${reason.to}`;
    case 'start':
      return `start: 0 → ${reason.to}`;
    case 'stop':
      return `stop: ${reason.from} → 0`;
    case 'renderer':
      return `renderer changed v${reason.from} → v${reason.to}`;
    case 'adopt':
      return `adopt from ${reason.owner}`;
    case 'restart':
      return 'restart asked for';
    case 'secrets':
      return `secrets changed: ${some(reason.names)}`;
    case 'rollout':
      return describeRollout(reason.why);
    default:
      return assertNever(reason);
  }
}

/** Why a second workload is put beside the one that runs. */
export function describeRollout(why: RolloutWhy): string {
  switch (why.kind) {
    case 'upthendown':
      return 'side by side: upthendown';
    case 'kind':
      return `side by side: ${why.from} becomes ${why.to}`;
    case 'namespace':
      return `side by side: moves from namespace ${why.from} to ${why.to}`;
    case 'immutable':
      return `side by side: ${some(why.fields)} cannot be changed in place`;
    case 'name':
      return `side by side: ${why.from} becomes ${why.to}`;
    default:
      return assertNever(why);
  }
}

function pods(n: number): string {
  return `${n} pod${n === 1 ? '' : 's'}`;
}

export function describeEffect(plan: Pick<InstancePlan, 'action' | 'effect' | 'rendered'>): string {
  const { effect, action, rendered } = plan;
  if (action === 'blocked') return 'nothing: blocked';
  if (action === 'unchanged') return 'nothing';
  if (action === 'left') return 'left for the next pass (rate limit)';
  if (effect.bounces) return describeBounce(effect, rendered.bounceMethod);
  if (action === 'create') return rendered.desiredState === 'stop' ? 'created stopped: no pods' : `starts ${pods(rendered.replicas)}`;
  if (effect.difference === 0) return 'no pod is touched';
  const count = pods(Math.abs(effect.difference));
  const fromNothing = effect.difference > 0 && effect.minimumServing === 0;
  return effect.difference > 0
    ? `${fromNothing ? 'starts' : 'adds'} ${count}`
    : `${rendered.replicas === 0 ? 'stops' : 'removes'} ${count}`;
}

function describeBounce(effect: Effect, method: string): string {
  const surge = effect.surge === 0 ? 'no extra pods' : `up to ${effect.surge} extra`;
  return `bounces ${pods(effect.replaced)} (${method}): ${surge}, at least ${effect.minimumServing} serving`;
}
