/** States of a deploy and of replication, as PaaSTA's status shows them. */

export type DeployStatus = 'Running' | 'Deploying' | 'Waiting' | 'Stopped';

/** Counters of a Deployment's or StatefulSet's status; `undefined` where the API server leaves them out. */
export interface ReplicaCounts {
  readonly replicas?: number | undefined;
  readonly readyReplicas?: number | undefined;
  readonly updatedReplicas?: number | undefined;
}

/**
 * First match decides. A surplus of ready replicas (a surge) is Waiting too. Upstream: `get_kubernetes_app_deploy_status`.
 */
export function deployStatus(status: ReplicaCounts, desiredInstances: number): DeployStatus {
  const { replicas = 0, readyReplicas, updatedReplicas } = status;
  if (readyReplicas === undefined) return desiredInstances === 0 ? 'Stopped' : 'Waiting';
  if (readyReplicas !== desiredInstances) return 'Waiting';
  if (updatedReplicas !== undefined && updatedReplicas < desiredInstances) return 'Deploying';
  return replicas === 0 && desiredInstances === 0 ? 'Stopped' : 'Running';
}

export interface Replication {
  readonly underReplicated: boolean;
  /** Percent; 100 when nothing is expected. */
  readonly ratio: number;
}

/** Upstream: `is_under_replicated`. */
export function replication(available: number, expected: number, criticalPercent: number): Replication {
  const ratio = expected === 0 ? 100 : (available / expected) * 100;
  return { underReplicated: ratio < Math.trunc(criticalPercent), ratio };
}
