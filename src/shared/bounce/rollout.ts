/**
 * One look at a bounce of two workloads side by side: create the new one? how large? which old replicas go? Pure; the decision itself is
 * PaaSTA's (`bounceDecision`), around it stands what `do_bounce` of bounce_lib.py does: which replicas come first.
 */
import { bounceDecision, type BounceMethodName } from './methods.ts';
import { neededReplicas } from './arithmetic.ts';

/** A replica of an old workload that is not terminating. */
export interface OldReplica {
  readonly id: string;
  readonly workload: string;
  readonly ready: boolean;
  /** Out of traffic, or marked to go: it goes, whatever is decided now. */
  readonly draining: boolean;
  /** Of a StatefulSet, which ends its replicas from the highest one down. */
  readonly ordinal?: number | undefined;
}

export interface RolloutState {
  readonly method: BounceMethodName;
  readonly wanted: number;
  readonly marginFactor: number;
  /** Replicas that may run beyond `wanted` (`bounce_overprovision_factor`); `upthendown` does not ask. */
  readonly surge: number;
  /** The new workload is there. */
  readonly exists: boolean;
  /** Its replicas as they are asked for now. */
  readonly size: number;
  /** Its replicas that are ready for `min_task_uptime`. */
  readonly happyNew: number;
  readonly old: readonly OldReplica[];
  /** Old replicas that still run, terminating ones included. */
  readonly oldLeft: number;
}

export interface RolloutDecision {
  readonly create: boolean;
  /** Replicas to ask of the new workload; never fewer than it has. */
  readonly size: number;
  /** Old replicas to drain; those that are draining already are not in it. */
  readonly drain: readonly string[];
  /** Capacity still depends on old replicas. */
  readonly needsOld: boolean;
}

/** Most desirable first: ready ones, then low ordinals. */
function byDesirability(a: OldReplica, b: OldReplica): number {
  return Number(b.ready) - Number(a.ready) || (a.ordinal ?? 0) - (b.ordinal ?? 0) || (a.id < b.id ? -1 : 1);
}

/** Of an ordered workload only the end can go: what stands before a kept replica stays. */
function onlyEnds(drain: ReadonlySet<string>, replicas: readonly OldReplica[]): ReadonlySet<string> {
  const lastKept = new Map<string, number>();
  for (const { id, workload, ordinal } of replicas)
    if (ordinal !== undefined && !drain.has(id)) lastKept.set(workload, Math.max(lastKept.get(workload) ?? -1, ordinal));
  return new Set(
    replicas.filter((r) => drain.has(r.id) && (r.ordinal === undefined || r.ordinal > (lastKept.get(r.workload) ?? -1))).map((r) => r.id),
  );
}

/** Replicas of old workloads that serve nothing, while others serve enough: leftovers of a version that never came up. */
function leftovers(replicas: readonly OldReplica[], needed: number): readonly string[] {
  const serving = new Map<string, number>();
  for (const { workload, ready } of replicas) serving.set(workload, (serving.get(workload) ?? 0) + Number(ready));
  const ready = replicas.filter((r) => r.ready).length;
  return ready < needed ? [] : replicas.filter((r) => serving.get(r.workload) === 0).map((r) => r.id);
}

/** Throws `UserError` for a margin outside 0 < m ≤ 1 (crossover). */
export function rolloutDecision(state: RolloutState): RolloutDecision {
  const { method, wanted, marginFactor, exists, size, old, oldLeft } = state;
  const staying = old.filter((r) => !r.draining).sort(byDesirability);
  const ask = (oldNonDraining: readonly string[]): ReturnType<typeof bounceDecision> =>
    bounceDecision(method, { wanted, newAppRunning: exists, happyNew: Math.min(state.happyNew, wanted), oldNonDraining, marginFactor });
  const decision = ask(staying.map(({ id }) => id));
  const drain = onlyEnds(new Set([...decision.drain, ...leftovers(staying, neededReplicas(wanted, marginFactor))]), staying);
  // `Recreate` waits for the end of the last old pod: never two versions side by side.
  const create = method === 'downthenup' ? !exists && oldLeft === 0 : decision.createApp;
  const room = method === 'crossover' ? Math.max(0, wanted + state.surge - old.length) : wanted;
  return {
    create,
    size: Math.max(exists ? size : 0, Math.min(wanted, room)),
    drain: [...drain],
    needsOld: ask(['one']).drain.length === 0,
  };
}
