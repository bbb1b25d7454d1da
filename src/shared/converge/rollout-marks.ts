/** How a pod says that it is on its way out, so that any later run sees it. */
import type { Pod } from '../objects/types.ts';
import { drainedAt } from './drain-labels.ts';
import { statusOf, type ClusterAccess } from './ports.ts';

/** The ReplicaSet controller ends the cheapest pods first. */
export const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost';
const CHEAP = '-1000';

/** On its way out: its drain has begun. */
export function isMarkedToGo(pod: Pod): boolean {
  return isMarkedFirst(pod) || drainedAt(pod) !== undefined;
}

/** Through with its drain: the controller takes it before those that still serve, of which it would take any when all cost the same. */
export function isMarkedFirst(pod: Pod): boolean {
  return pod.metadata.annotations?.[DELETION_COST] === CHEAP;
}

/** False: somebody else changed it in the same moment, or it is gone. */
async function annotate(cluster: ClusterAccess, pod: Pod, value: string | null): Promise<boolean> {
  try {
    // With the uid in it the API server refuses to change another pod of the same name.
    await cluster.patch(pod, { metadata: { uid: pod.metadata.uid, annotations: { [DELETION_COST]: value } } });
    return true;
  } catch (error) {
    const status = statusOf(error);
    if (status !== 404 && status !== 409 && status !== 422) throw error;
    return false;
  }
}

/** Returns whether it is written. */
export async function markFirst(cluster: ClusterAccess, pod: Pod): Promise<boolean> {
  return annotate(cluster, pod, CHEAP);
}

export async function unmark(cluster: ClusterAccess, pod: Pod): Promise<void> {
  if (isMarkedFirst(pod)) await annotate(cluster, pod, null);
}
