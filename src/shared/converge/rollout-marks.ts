/** How a pod says that it is on its way out, so that any later run sees it. */
import type { Pod } from '../objects/types.ts';
import { drainedAt } from './drain-labels.ts';
import { statusOf, type ClusterAccess } from './ports.ts';

/** The ReplicaSet controller ends the cheapest pods first. */
export const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost';
const CHEAP = '-1000';

export function isMarkedToGo(pod: Pod): boolean {
  return pod.metadata.annotations?.[DELETION_COST] === CHEAP || drainedAt(pod) !== undefined;
}

async function annotate(cluster: ClusterAccess, pod: Pod, value: string | null): Promise<void> {
  try {
    // With the uid in it the API server refuses to change another pod of the same name.
    await cluster.patch(pod, { metadata: { uid: pod.metadata.uid, annotations: { [DELETION_COST]: value } } });
  } catch (error) {
    const status = statusOf(error);
    if (status !== 404 && status !== 409 && status !== 422) throw error;
  }
}

export async function markToGo(cluster: ClusterAccess, pod: Pod): Promise<void> {
  if (pod.metadata.annotations?.[DELETION_COST] !== CHEAP) await annotate(cluster, pod, CHEAP);
}

export async function unmark(cluster: ClusterAccess, pod: Pod): Promise<void> {
  if (pod.metadata.annotations?.[DELETION_COST] === CHEAP) await annotate(cluster, pod, null);
}
