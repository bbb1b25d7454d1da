/**
 * The decision of a bounce: create the new version? which old replicas to drain? Pure. Upstream: `brutal_bounce`, `upthendown_bounce`,
 * `crossover_bounce`, `downthenup_bounce`, `down_bounce` of paasta_tools/bounce_lib.py.
 */
import { problem, UserError } from '../contract/errors.ts';
import { suggestName } from '../contract/near.ts';
import { neededReplicas } from './arithmetic.ts';

/** Methods that the drain tool may ask for too; instances know all but `down`. */
export const BOUNCE_METHODS = ['brutal', 'crossover', 'down', 'downthenup', 'upthendown'] as const;
export type BounceMethodName = (typeof BOUNCE_METHODS)[number];

export interface BounceState {
  /** Replicas wanted. */
  readonly wanted: number;
  /** Does the new version exist at all? */
  readonly newAppRunning: boolean;
  /** Replicas of the new version that are healthy. */
  readonly happyNew: number;
  /** Replicas of old versions that are not draining yet, most desirable first. */
  readonly oldNonDraining: readonly string[];
  /** 0 < m ≤ 1; only `crossover` looks at it. Default 1. */
  readonly marginFactor?: number | undefined;
}

export interface BounceDecision {
  readonly createApp: boolean;
  /** In the order of `oldNonDraining`. */
  readonly drain: readonly string[];
}

/** Throws `UserError` for a margin outside 0 < m ≤ 1 (crossover). */
export function bounceDecision(method: BounceMethodName, state: BounceState): BounceDecision {
  const { wanted, newAppRunning, happyNew, oldNonDraining } = state;
  const createApp = !newAppRunning;
  switch (method) {
    case 'brutal':
      return { createApp, drain: oldNonDraining };
    case 'upthendown':
      return { createApp, drain: newAppRunning && happyNew === wanted ? oldNonDraining : [] };
    case 'crossover':
      return { createApp, drain: oldNonDraining.slice(stillNeeded(wanted, happyNew, state.marginFactor ?? 1)) };
    case 'downthenup':
      return { createApp: oldNonDraining.length === 0 && createApp, drain: oldNonDraining };
    case 'down':
      return { createApp: false, drain: oldNonDraining };
  }
}

/** Old replicas that must stay so that, with the healthy new ones, enough serve. */
function stillNeeded(wanted: number, happyNew: number, margin: number): number {
  if (!(margin > 0 && margin <= 1)) {
    throw new UserError(
      problem('BAD_BOUNCE_MARGIN', `bounce_margin_factor ${margin} is not a share of the replicas`, {
        hint: 'write a number above 0 and up to 1; 0.95 keeps 95 % of the replicas serving',
      }),
    );
  }
  return Math.max(neededReplicas(wanted, margin) - happyNew, 0);
}

/** Checks a name that somebody wrote. Throws `UserError` that lists the legal ones. */
export function parseBounceMethod(name: string): BounceMethodName {
  const found = BOUNCE_METHODS.find((method) => method === name);
  if (found === undefined)
    throw new UserError(
      problem('UNKNOWN_BOUNCE_METHOD', `bounce_method '${name}' does not exist`, {
        hint: suggestName(
          name,
          BOUNCE_METHODS.filter((method) => method !== 'down'),
        ),
      }),
    );
  return found;
}

/** How many replicas may be down at once: at least one, none of none. Upstream: `max_unavailable` of kubernetes_tools.py. */
export function maxUnavailable(instances: number, marginFactor: number): number {
  return instances === 0 ? 0 : Math.max(instances - neededReplicas(instances, marginFactor), 1);
}
