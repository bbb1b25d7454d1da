/** The rollouts of a run: two workloads side by side, each by itself until its verdict is there. */
import { messageOf, problem, UserError, warning, type Problem } from '../contract/errors.ts';
import { isLeaving, titleOf, type InstancePlan } from '../plan/index.ts';
import type { Board } from './board.ts';
import { Rollout, type RolloutPorts } from './rollout.ts';
import type { Verdicts } from './verdicts.ts';
import type { Target } from './wait.ts';

/** A version that failed stays beside the old one, for people to look at; said with what to do about it. */
export function keptBeside(plan: InstancePlan | undefined, { verdict, end }: Verdicts, board: Board, target: Target): Problem | undefined {
  if (plan?.rollout.kind !== 'side-by-side' || !(verdict.state === 'failed' || end === 'timeout')) return undefined;
  const { workload, oldWorkloads = [] } = board.evidence(target.place);
  const old = oldWorkloads.filter((o) => !isLeaving(o));
  if (workload === undefined || old.length === 0) return undefined;
  return warning(
    'OLD_KEEPS_SERVING',
    `${target.title}: ${old.map(titleOf).join(', ')} keep${old.length === 1 ? 's' : ''} serving; ${titleOf(workload)} stays beside ${old.length === 1 ? 'it' : 'them'} to be looked at`,
    { hint: 'the next run goes on with it; a newer mark, or the old one again, removes it' },
  );
}

export class Rollouts {
  readonly #ports: RolloutPorts;
  readonly #signal: AbortSignal;
  readonly #onProblems: (title: string, problems: readonly Problem[]) => void;
  readonly #running = new Map<string, { readonly stop: AbortController; readonly end: Promise<void> }>();

  constructor(ports: RolloutPorts, signal: AbortSignal, onProblems: (title: string, problems: readonly Problem[]) => void) {
    this.#ports = ports;
    this.#signal = signal;
    this.#onProblems = onProblems;
  }

  begin(plan: InstancePlan, target: Target): void {
    const stop = new AbortController();
    const rollout = new Rollout(plan, target.place, target.expectation, this.#ports);
    const end = rollout
      .run(AbortSignal.any([this.#signal, stop.signal]))
      .catch((error: unknown) =>
        error instanceof UserError ? error.problems : [problem('ROLLOUT_FAILED', `${target.title}: ${messageOf(error)}`)],
      )
      .then((problems) => {
        if (problems.length > 0 && !stop.signal.aborted && !this.#signal.aborted) this.#onProblems(target.title, problems);
      });
    this.#running.set(target.title, { stop, end });
  }

  /** Its verdict is final: what is old stays as it is. */
  stop(title: string): void {
    this.#running.get(title)?.stop.abort();
  }

  /** Ends all of them; resolves when the last write is through. */
  async end(): Promise<void> {
    for (const { stop } of this.#running.values()) stop.abort();
    await Promise.all([...this.#running.values()].map(({ end }) => end));
  }
}
