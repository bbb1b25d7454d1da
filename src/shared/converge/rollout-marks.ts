/** How a pod says that it is on its way out, so that any later run sees it. */
import type { Pod } from '../objects/types.ts';
import { drainedAt } from './drain-labels.ts';
import { statusOf, type ClusterAccess } from './ports.ts';

/** The ReplicaSet controller ends the cheapest pods first. */
export const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost';
/** On its way out. */
const CHEAP = '-1000';
/** Through with its drain: it goes before those that still serve, of which the controller would take any when all cost the same. */
const CHEAPEST = '-2000';

const costOf = (pod: Pod): string | undefined => pod.metadata.annotations?.[DELETION_COST];

export function isMarkedToGo(pod: Pod): boolean {
  return costOf(pod) === CHEAP || isMarkedFirst(pod) || drainedAt(pod) !== undefined;
}

/** The controller will take it before any pod that is not marked so. */
export function isMarkedFirst(pod: Pod): boolean {
  return costOf(pod) === CHEAPEST;
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

export async function markToGo(cluster: ClusterAccess, pod: Pod): Promise<void> {
  if (costOf(pod) !== CHEAP && !isMarkedFirst(pod)) await annotate(cluster, pod, CHEAP);
}

/** Returns whether it is written. */
export async function markFirst(cluster: ClusterAccess, pod: Pod): Promise<boolean> {
  return isMarkedFirst(pod) || annotate(cluster, pod, CHEAPEST);
}

export async function unmark(cluster: ClusterAccess, pod: Pod): Promise<void> {
  if (costOf(pod) === CHEAP || isMarkedFirst(pod)) await annotate(cluster, pod, null);
}
