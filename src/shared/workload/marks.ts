/** What our objects carry beside PaaSTA's labels: the ownership marker and notes for the next pass. Never in a pod template, never in a hash. */

/** On every object that we make (design §5.3). Objects of the same name without it are not ours. */
export const OWNERSHIP_LABEL = 'app.kubernetes.io/managed-by';
export const OWNERSHIP_VALUE = 'paasta-actions';

/** Version of the way in which the config hash is made: a change of it bounces everything, and the plan says that it did. */
export const HASH_VERSION = 1;

export const ANNOTATIONS = {
  /** `HASH_VERSION` with which the hash label was made. */
  hashVersion: 'paasta-actions/config-hash-version',
  /** Replicas wanted when the object was rendered; autoscaled workloads have another number later. */
  desiredReplicas: 'paasta-actions/desired-replicas',
  /** Commit of soa-configs. */
  soaConfigsCommit: 'paasta-actions/soa-configs-commit',
} as const;
