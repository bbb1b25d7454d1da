/** After the proof: it must hold for a while, because a crash often comes with the first traffic. */
import type { Pod } from '../objects/types.ts';
import type { Verdict } from './types.ts';

/** Proofs that were lost before doom is believed at its first sighting. */
const PATIENCE = 3;

/** What is known about an instance since its first proof. Plain data; start with `NO_PROOF`. */
export interface Proof {
  /** When the proof that still holds was seen first, in milliseconds; `undefined`: there is none. */
  readonly since: number | undefined;
  /** Container starts of every pod at that moment, by the pod's uid. */
  readonly restarts: ReadonlyMap<string, number>;
  /** Proofs that were lost. */
  readonly lost: number;
}

export const NO_PROOF: Proof = { since: undefined, restarts: new Map(), lost: 0 };

export interface Watched {
  readonly proof: Proof;
  readonly verdict: Verdict;
  /** It held for the whole window. */
  readonly stable: boolean;
  /** Milliseconds until the window ends; `undefined`: no proof holds. */
  readonly left: number | undefined;
  /** Why the proof was lost just now, for people. */
  readonly lapse?: string;
}

function restartsOf(pods: readonly Pod[]): Map<string, number> {
  return new Map(
    pods.map((pod) => [
      pod.metadata.uid ?? pod.metadata.name,
      (pod.status?.containerStatuses ?? []).reduce((sum, status) => sum + status.restartCount, 0),
    ]),
  );
}

/** Name of a pod one of whose containers was started again since the proof. */
function restarted(proof: Proof, pods: readonly Pod[]): string | undefined {
  const now = restartsOf(pods);
  return pods.find((pod) => {
    const uid = pod.metadata.uid ?? pod.metadata.name;
    const before = proof.restarts.get(uid);
    return before !== undefined && (now.get(uid) ?? 0) > before;
  })?.metadata.name;
}

/** `window` and `now` in milliseconds. A verdict that is no proof any more, or a container that was started again, begins the window anew. */
export function watchProof(proof: Proof, verdict: Verdict, pods: readonly Pod[], window: number, now: number): Watched {
  const held = proof.since;
  const none = (lost: number): Proof => ({ ...NO_PROOF, lost });
  if (verdict.state !== 'proven') {
    const lost = proof.lost + (held === undefined ? 0 : 1);
    // It came up and fell again and again: whatever stands in its way now is not early any more.
    const told: Verdict = verdict.state === 'doomed' && lost >= PATIENCE ? { ...verdict, state: 'failed' } : verdict;
    return {
      proof: none(lost),
      verdict: told,
      stable: false,
      left: undefined,
      ...(held === undefined || verdict.state === 'superseded' ? {} : { lapse: 'it is not proven any more' }),
    };
  }
  const culprit = held === undefined ? undefined : restarted(proof, pods);
  const begun: Proof =
    held === undefined || culprit !== undefined
      ? { since: now, restarts: restartsOf(pods), lost: proof.lost + (culprit === undefined ? 0 : 1) }
      : proof;
  const left = Math.max(0, (begun.since ?? now) + window - now);
  return {
    proof: begun,
    verdict,
    stable: left === 0,
    left,
    ...(culprit === undefined ? {} : { lapse: `a container of pod ${culprit} was started again` }),
  };
}
