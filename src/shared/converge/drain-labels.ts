/**
 * Takes pods out of every Service from outside, while they still run: without their registration labels no selector finds them. Their
 * ReplicaSet keeps them, as registrations are no part of its selector. What was taken off, and when, is noted on the pod: any later
 * run can go on from there, or put it back.
 */
import type { Clock } from '../contract/ports.ts';
import type { LabelPrefixes } from '../contract/names.ts';
import type { Pod } from '../objects/types.ts';
import { statusOf, type ClusterAccess } from './ports.ts';

/** JSON: when the pod was drained, and the registration labels that were taken off it. */
export const DRAINED_ANNOTATION = 'paasta-actions/drained';

interface DrainNote {
  readonly at: number;
  readonly labels: Readonly<Record<string, string>>;
}

function noteOf(pod: Pod): DrainNote | undefined {
  const text = pod.metadata.annotations?.[DRAINED_ANNOTATION];
  if (text === undefined) return undefined;
  try {
    const { at, labels } = JSON.parse(text) as { readonly at?: unknown; readonly labels?: unknown };
    const read =
      typeof labels === 'object' && labels !== null
        ? Object.entries(labels).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
        : [];
    return { at: Date.parse(String(at)) || 0, labels: Object.fromEntries(read) };
  } catch {
    // Somebody wrote over it: the pod was drained, more is not known.
    return { at: 0, labels: {} };
  }
}

function registrationsOf(pod: Pod, prefixes: LabelPrefixes): Readonly<Record<string, string>> {
  const prefix = `registrations.${prefixes.paasta}`;
  return Object.fromEntries(Object.entries(pod.metadata.labels ?? {}).filter(([key]) => key.startsWith(prefix)));
}

/** Milliseconds since the epoch; `undefined` when it was never drained. */
export function drainedAt(pod: Pod): number | undefined {
  return noteOf(pod)?.at;
}

/** Labels of a pod as they were before any drain. */
export function labelsBefore(pod: Pod): Readonly<Record<string, string>> {
  return { ...pod.metadata.labels, ...noteOf(pod)?.labels };
}

/** Labels of a pod once its registrations are off. */
export function labelsWithout(pod: Pod, prefixes: LabelPrefixes): Readonly<Record<string, string>> {
  const off = registrationsOf(pod, prefixes);
  return Object.fromEntries(Object.entries(pod.metadata.labels ?? {}).filter(([key]) => !(key in off)));
}

/** The pod as it is after the patch; `undefined` when it (this uid of it) is gone. */
async function patched(
  cluster: ClusterAccess,
  pod: Pod,
  labels: Readonly<Record<string, string | null>>,
  note: string | null,
): Promise<Pod | undefined> {
  try {
    // With the uid in it the API server refuses to change another pod of the same name.
    return (await cluster.patch(pod, { metadata: { uid: pod.metadata.uid, labels, annotations: { [DRAINED_ANNOTATION]: note } } })) as Pod;
  } catch (error) {
    const status = statusOf(error);
    if (status === 404 || status === 409 || status === 422) return undefined;
    throw error;
  }
}

/**
 * Nothing is written for a pod that has no registrations left, unless it was never `noted`. `undefined`: it is gone. Throws `UserError`
 * when pods may not be patched.
 */
export async function takeLabelsOff(
  cluster: ClusterAccess,
  pod: Pod,
  prefixes: LabelPrefixes,
  clock: Pick<Clock, 'now'>,
  noted: boolean,
): Promise<Pod | undefined> {
  const off = registrationsOf(pod, prefixes);
  const before = noteOf(pod);
  if (Object.keys(off).length === 0 && (before !== undefined || !noted)) return pod;
  const note = { at: new Date(clock.now()).toISOString(), labels: { ...before?.labels, ...off } };
  return patched(cluster, pod, Object.fromEntries(Object.keys(off).map((key) => [key, null])), JSON.stringify(note));
}

/** The opposite of `takeLabelsOff`. */
export async function putLabelsBack(cluster: ClusterAccess, pod: Pod): Promise<Pod | undefined> {
  const note = noteOf(pod);
  return note === undefined ? pod : patched(cluster, pod, note.labels, null);
}
