/**
 * When doom is failure: it must persist, over at least two sightings, because crashes recover and pulls succeed on the
 * second attempt. Refusals of the API server do not mend themselves and fail fast.
 */
import type { FailureCode, Verdict } from './types.ts';

/** Milliseconds for which a cause must have been seen before it is a failure. */
const PERSISTENCE: Readonly<Record<FailureCode, number>> = {
  QUOTA_EXCEEDED: 1_500,
  ADMISSION_DENIED: 1_500,
  TIMEOUT: 2_000,
  PAUSED: 5_000,
  // `judge` has already let the probe's own window, and the scheduler's, go by.
  PROBE_FAILING: 5_000,
  UNSCHEDULABLE: 5_000,
  // Long enough for the kubelet's second pull (after 10 s): an image may be a moment late.
  IMAGE_NOT_FOUND: 15_000,
  CONTAINER_CONFIG: 10_000,
  CONTAINER_CANNOT_RUN: 10_000,
  // Long enough for the third start of a crashing container (10 s after the second).
  CRASH_LOOP: 15_000,
  OOM_KILLED: 15_000,
  // The kubelet's second pull comes after 10 s, its third after 30 s.
  IMAGE_PULL_FAILED: 25_000,
  UNKNOWN: 25_000,
};
/** After old pods have left, their room is free, but the controller's next attempt may be some way off. */
const AFTER_FREEING = 15_000;
/** Between two crashes a container runs for a moment: a gap of this length does not end a series of sightings. */
const GAP = 10_000;
const LONGEST_PAUSE = GAP / 2;

interface Series {
  readonly first: number;
  readonly last: number;
  readonly sightings: number;
}

/** What was seen so far. Plain data; start with `NO_HISTORY`. */
export interface History {
  readonly seen: Readonly<Partial<Record<FailureCode, Series>>>;
  /** When old pods were last seen to be leaving. */
  readonly freeingAt: number | undefined;
}

export const NO_HISTORY: History = { seen: {}, freeingAt: undefined };

export interface Settled {
  readonly verdict: Verdict;
  readonly history: History;
  /** Milliseconds after which to judge again even if nothing changes; `undefined`: not needed. */
  readonly lookAgainIn: number | undefined;
}

/** Adds a verdict of `judge` to the history and turns `doomed` into `failed` when it has persisted. `now` in milliseconds. */
export function settle(history: History, verdict: Verdict, now: number): Settled {
  if (verdict.state === 'proven' || verdict.state === 'superseded' || verdict.state === 'failed')
    return { verdict, history: NO_HISTORY, lookAgainIn: undefined };
  const freeingAt = verdict.state === 'progressing' && verdict.freeing === true ? now : history.freeingAt;
  const kept = Object.fromEntries(Object.entries(history.seen).filter(([, series]) => now - series.last <= GAP)) as History['seen'];
  if (verdict.state === 'progressing') return { verdict, history: { seen: kept, freeingAt }, lookAgainIn: undefined };

  const { code } = verdict.diagnosis;
  const before = kept[code];
  const series: Series = { first: before?.first ?? now, last: now, sightings: (before?.sightings ?? 0) + 1 };
  const refused = code === 'QUOTA_EXCEEDED';
  const needed =
    refused && freeingAt !== undefined ? Math.max(PERSISTENCE[code], AFTER_FREEING - (series.first - freeingAt)) : PERSISTENCE[code];
  const lasted = now - series.first;
  const next: History = { seen: { ...kept, [code]: series }, freeingAt };
  if (series.sightings >= 2 && lasted >= needed) return { verdict: { ...verdict, state: 'failed' }, history: next, lookAgainIn: undefined };
  return { verdict, history: next, lookAgainIn: Math.min(Math.max(needed - lasted, 250), LONGEST_PAUSE) };
}
