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
  /** Seconds that the last bounces took, the last one first; written after a proven bounce by a field manager of its own. */
  bounceSeconds: 'paasta-actions/bounce-seconds',
  /** Token of the last restart; absent when there was none. */
  forceBounce: 'paasta-actions/force-bounce',
  /** Our hash of a workload that was adopted and whose pods keep the label that they had. */
  adoptedHash: 'paasta-actions/adopted-config-hash',
  /** JSON: signature of every secret in the environment, `null` where there was none; absent without secrets. */
  secretSignatures: 'paasta-actions/secret-signatures',
  /** Of a pull secret in a namespace that we made: `namespace/name` of the original. */
  copyOf: 'paasta-actions/copy-of',
} as const;
