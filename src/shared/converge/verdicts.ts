/** Verdicts as a wait ends with them, and what is said of them. */
import { formatDuration } from '../contract/durations.ts';
import type { Problem } from '../contract/errors.ts';
import type { Diagnosis, ReadyPods, Verdict } from '../health/index.ts';

export interface Verdicts {
  readonly verdict: Verdict;
  /** How the wait for it ended. */
  readonly end: 'settled' | 'timeout' | 'cancelled';
  /** Milliseconds since the epoch; of a proof, when it was there. */
  readonly at: number;
  /** About what stands beside a workload that is proven. */
  readonly warnings: readonly Problem[];
  /** Pods of the instance that are ready in the end, whatever their version; absent when it is proven. */
  readonly stillReady?: readonly ReadyPods[];
}

/** `2/3 ready, waiting for …` */
export function describeVerdict(verdict: Verdict): string {
  switch (verdict.state) {
    case 'proven':
      return verdict.wanted === 0 ? 'stopped' : `${verdict.ready}/${verdict.wanted} ready`;
    case 'progressing':
      return `${verdict.ready}/${verdict.wanted} ready, waiting for ${verdict.waitingFor}`;
    case 'doomed':
      return `${verdict.ready}/${verdict.wanted} ready, in trouble: ${verdict.diagnosis.cause}`;
    case 'failed':
      return `failed (${verdict.diagnosis.code}): ${verdict.diagnosis.cause}`;
    default:
      return `superseded by ${verdict.by}`;
  }
}

/** Of a verdict that ended in failure or in time-out. */
export function diagnosisOf({ verdict, end }: Verdicts, timeout: number): Diagnosis | undefined {
  if (verdict.state === 'failed') return verdict.diagnosis;
  if (end !== 'timeout') return undefined;
  if (verdict.state === 'doomed') return verdict.diagnosis;
  // What stood in the way without being doom yet explains more than what was waited for.
  if (verdict.state === 'progressing' && verdict.suspect !== undefined)
    return { ...verdict.suspect, cause: `not done after ${formatDuration(timeout)}: ${verdict.suspect.cause}` };
  const waitingFor = verdict.state === 'progressing' ? verdict.waitingFor : '';
  return {
    code: 'TIMEOUT',
    object: '',
    cause: `not done after ${formatDuration(timeout)}: still waiting for ${waitingFor}`,
    next: /^the (?:workload to be created|bounce to begin)/.test(waitingFor)
      ? 'no run has written it so far: run deploy with mode: apply, or wait longer'
      : 'look at the pods of the instance; run again with a longer timeout if they only need more time',
    events: [],
    inCommit: false,
  };
}
