/** Reasons and effects in words. */
import { shortVersion } from '../contract/deployment-version.ts';
import { assertNever } from '../contract/errors.ts';
import type { Effect, InstancePlan, Reason } from './types.ts';

function some(fields: readonly string[]): string {
  const short = fields.map((f) => f.replace(/^spec\.template\.spec\./, '').replace(/^spec\.template\.metadata\./, 'pod ').replace(/^metadata\./, ''));
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
    case 'adopt':
      return `adopt from ${reason.owner}`;
    default:
      return assertNever(reason);
  }
}

function pods(n: number): string {
  return `${n} pod${n === 1 ? '' : 's'}`;
}

export function describeEffect(plan: Pick<InstancePlan, 'action' | 'effect' | 'rendered'>): string {
  const { effect, action, rendered } = plan;
  if (action === 'blocked') return 'nothing: blocked';
  if (action === 'unchanged') return 'nothing';
  if (effect.bounces) return describeBounce(effect, rendered.bounceMethod);
  if (action === 'create') return rendered.desiredState === 'stop' ? 'created stopped: no pods' : `starts ${pods(rendered.replicas)}`;
  if (effect.difference === 0) return 'no pod is touched';
  const count = pods(Math.abs(effect.difference));
  const fromNothing = effect.difference > 0 && effect.minimumServing === 0;
  return effect.difference > 0 ? `${fromNothing ? 'starts' : 'adds'} ${count}` : `${rendered.replicas === 0 ? 'stops' : 'removes'} ${count}`;
}

function describeBounce(effect: Effect, method: string): string {
  const surge = effect.surge === 0 ? 'no extra pods' : `up to ${effect.surge} extra`;
  return `bounces ${pods(effect.replaced)} (${method}): ${surge}, at least ${effect.minimumServing} serving`;
}
