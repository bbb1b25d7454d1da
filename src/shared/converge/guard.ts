/** Never deploy to another cluster than the one that is meant: a kubeconfig says where, these records say who. */
import { problem, UserError, type Problem } from '../contract/errors.ts';
import { isMap } from '../contract/values.ts';
import { KINDS, type KubeObject } from '../objects/types.ts';
import { MARKER } from '../plan/index.ts';
import type { SystemConfig } from '../soa-configs/types.ts';
import { statusOf, type ClusterAccess } from './ports.ts';

/** ConfigMap in which a cluster carries its name, made at the first deploy. */
export const RECORD = { namespace: 'paasta', name: 'paasta-cluster' } as const;

export interface ClusterSettings {
  /** `kube_clusters.<cluster>.context` of the system configuration. */
  readonly context: string | undefined;
  /** `kube_clusters.<cluster>.identity`: uid of namespace kube-system. */
  readonly identity: string | undefined;
}

/** What the system configuration says about reaching a cluster. */
export function clusterSettings(system: SystemConfig, cluster: string): ClusterSettings {
  const all = system.values['kube_clusters'];
  const entry = isMap(all) ? all[cluster] : undefined;
  const text = (key: string): string | undefined => {
    const value = isMap(entry) ? entry[key] : undefined;
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  return { context: text('context'), identity: text('identity') };
}

export interface Identity {
  readonly uid: string | undefined;
  /** The record that is to be written at the first deploy; `undefined` when it is there. */
  readonly record: KubeObject | undefined;
  readonly problems: readonly Problem[];
}

/** The record that a cluster carries; `undefined`: there is none; `'hidden'`: it may not be read. */
export async function readRecord(access: ClusterAccess): Promise<KubeObject | 'hidden' | undefined> {
  try {
    return await access.get(KINDS.ConfigMap, RECORD.namespace, RECORD.name);
  } catch (error) {
    if (statusOf(error) !== 403) throw error;
    return 'hidden';
  }
}

/**
 * Throws `WRONG_CLUSTER` when the server is not the cluster that is meant. `kubeSystem` is the namespace from a list that was
 * made anyway, `undefined` when namespaces may not be listed.
 */
export async function checkIdentity(
  access: ClusterAccess,
  cluster: string,
  settings: ClusterSettings,
  kubeSystem: KubeObject | undefined,
  record: KubeObject | 'hidden' | undefined,
): Promise<Identity> {
  const at = `${access.target.server} (context '${access.target.context}')`;
  const wrong = (message: string, hint: string): UserError =>
    new UserError(problem('WRONG_CLUSTER', message, { input: 'kube-context', hint }));
  let uid = kubeSystem?.metadata.uid;
  if (uid === undefined) {
    try {
      uid = (await access.get(KINDS.Namespace, undefined, 'kube-system'))?.metadata.uid;
    } catch (error) {
      if (statusOf(error) !== 403) throw error;
    }
  }
  if (settings.identity !== undefined && uid !== settings.identity) {
    throw wrong(
      uid === undefined
        ? `cannot tell whether ${at} is cluster '${cluster}': its identity cannot be read`
        : `${at} is not cluster '${cluster}': its identity is ${uid}, expected ${settings.identity}`,
      uid === undefined
        ? "grant 'get' on namespace kube-system"
        : `use the kubeconfig and context of '${cluster}', or correct kube_clusters.${cluster}.identity in the system configuration`,
    );
  }
  if (record === 'hidden') return { uid, record: undefined, problems: [] };
  const data = (record?.['data'] ?? {}) as { cluster?: string; identity?: string };
  if (data.cluster !== undefined && data.cluster !== cluster) {
    throw wrong(
      `${at} is cluster '${data.cluster}', not '${cluster}' (ConfigMap ${RECORD.namespace}/${RECORD.name})`,
      `use the kubeconfig and context of '${cluster}'; if the cluster was renamed, delete that ConfigMap`,
    );
  }
  if (data.identity !== undefined && uid !== undefined && data.identity !== uid) {
    throw wrong(
      `${at} carries the record of another cluster: ConfigMap ${RECORD.namespace}/${RECORD.name} says identity ${data.identity}, the server has ${uid}`,
      'if this cluster was restored from a backup on purpose, delete that ConfigMap',
    );
  }
  if (record !== undefined) return { uid, record: undefined, problems: [] };
  const labels = { [MARKER.label]: MARKER.value };
  return {
    uid,
    record: {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: RECORD.name, namespace: RECORD.namespace, labels },
      data: { cluster, ...(uid === undefined ? {} : { identity: uid }) },
    },
    problems: [],
  };
}
