/** What was seen of pods that ended in a bounce: did they leave traffic before? */
import { warning, type Problem } from '../contract/errors.ts';

export interface DrainProof {
  /** Pods that served and ended. */
  readonly pods: number;
  /** Least seconds between leaving the EndpointSlices and the end, of the pods that are no violations; absent when there are none. */
  readonly minimum?: number;
  /** Pods that ended within a second of leaving, or before: nodes may still have sent them requests. */
  readonly violations: readonly {
    readonly pod: string;
    /** Absent: it ended while it was still in a slice. */ readonly seconds?: number;
  }[];
  /** Pods out of traffic whose end was not waited for. */
  readonly ending: number;
  /** Least seconds for which those have been out of traffic. */
  readonly soFar?: number;
}

/** Seconds out of traffic that are the least for a proof: ends are told in whole seconds, and nodes need a moment to learn of it. */
export const LEAST_SECONDS = 1;
/** Pods that are named. */
const NAMED = 10;

const seconds = (value: number): string => `${(Math.floor(value * 10) / 10).toFixed(1)} s`;
const pods = (count: number): string => `${count} pod${count === 1 ? '' : 's'}`;

/** One line; `undefined` when no pod that served ended. */
export function drainProofText(proof: DrainProof): string | undefined {
  const { violations, minimum, ending, soFar } = proof;
  const good = proof.pods - violations.length;
  const parts: string[] = [];
  if (violations.length > 0) {
    const named = violations
      .slice(0, NAMED)
      .map((v) => `${v.pod} (${v.seconds === undefined ? 'still in its EndpointSlice' : seconds(Math.max(0, v.seconds))})`);
    parts.push(
      `${pods(violations.length)} ended less than ${seconds(LEAST_SECONDS)} after leaving traffic: ${named.join(', ')}${violations.length > NAMED ? `, and ${violations.length - NAMED} more` : ''}`,
    );
  }
  if (good > 0 && minimum !== undefined)
    parts.push(`${pods(good)} left traffic at least ${seconds(minimum)} before ${good === 1 ? 'it' : 'they'} ended`);
  if (ending > 0) parts.push(`${pods(ending)} still ending, out of traffic for ${seconds(soFar ?? 0)} so far`);
  return parts.length === 0 ? undefined : `drain proof: ${parts.join('; ')}`;
}

/** The warning that violations are worth. */
export function drainProblem(title: string, proof: DrainProof): Problem | undefined {
  if (proof.violations.length === 0) return undefined;
  return warning('DRAIN_TOO_SHORT', `${title}: ${drainProofText({ ...proof, pods: proof.violations.length, ending: 0 }) ?? ''}`, {
    hint: 'requests may be lost: set lifecycle.pre_stop_drain_seconds to 5 or more, so that pods go on serving while every node learns that they left',
  });
}

/** For outputs. */
export function drainProofJson(proof: DrainProof): Record<string, unknown> {
  return {
    pods: proof.pods,
    minimum_seconds: proof.minimum ?? null,
    violations: proof.violations.map((v) => ({ pod: v.pod, seconds: v.seconds ?? null })),
    ending: proof.ending,
  };
}
