/** A few paged lists, whatever the number of instances. */
import { problem, UserError, type Problem } from '../contract/errors.ts';
import { KINDS, type Kind, type KindName, type KubeObject } from '../objects/types.ts';
import { MARKER, objectKey } from '../plan/index.ts';
import { pooled } from './pool.ts';
import { statusOf, type ClusterAccess } from './ports.ts';

/** What was seen, with the place from which each kind's watch goes on. */
export interface Sight {
  readonly objects: Map<string, KubeObject>;
  readonly versions: Map<string, string>;
  /** Kinds that we may not read: they are left out, the others go on. */
  readonly unreadable: Map<string, readonly Problem[]>;
  /** ReplicaSets and pods. */
  readonly owned: KubeObject[];
}

/** Kinds that every pass looks at. Namespaces come without selector: one that others made serves too. */
const BASE: readonly KindName[] = ['Namespace', 'Deployment', 'Service', 'PodDisruptionBudget', 'ReplicaSet', 'Pod'];

export interface Selectors {
  /** Of everything that is managed, by PaaSTA or by us. */
  readonly managed: string;
  /** Of workloads, ReplicaSets and pods: also narrowed to the services at hand. */
  readonly workloads: string;
}

const OURS = `${MARKER.label}=${MARKER.value}`;

function selectorOf(kind: KindName, selectors: Selectors): string | undefined {
  if (kind === 'Namespace') return undefined;
  if (kind === 'Deployment' || kind === 'StatefulSet' || kind === 'ReplicaSet' || kind === 'Pod') return selectors.workloads;
  return OURS;
}

export function emptySight(): Sight {
  return { objects: new Map(), versions: new Map(), unreadable: new Map(), owned: [] };
}

/** Lists kinds into the sight. A kind that is refused is remembered as unreadable; an unreachable server is thrown. */
export async function look(cluster: ClusterAccess, kinds: readonly KindName[], selectors: Selectors, sight: Sight): Promise<void> {
  await pooled(kinds, 4, async (name) => {
    const kind: Kind = KINDS[name];
    const labelSelector = selectorOf(name, selectors);
    try {
      const listed = await cluster.list(kind, labelSelector === undefined ? {} : { labelSelector });
      sight.versions.set(name, listed.resourceVersion);
      for (const object of listed.items) {
        if (name === 'Pod' || name === 'ReplicaSet') sight.owned.push(object);
        else sight.objects.set(objectKey(object), object);
      }
    } catch (error) {
      const status = statusOf(error);
      if (!(error instanceof UserError) || (status !== 403 && status !== 404)) throw error;
      sight.unreadable.set(name, error.problems);
    }
  });
}

export async function observe(cluster: ClusterAccess, selectors: Selectors, further: readonly KindName[] = []): Promise<Sight> {
  const sight = emptySight();
  await look(cluster, [...BASE, ...further], selectors, sight);
  const deployments = sight.unreadable.get('Deployment');
  if (deployments !== undefined) throw new UserError(deployments);
  return sight;
}

/**
 * Objects that we are about to create but that a label does not show: of the same name, made by somebody else. One request
 * for a single name, one list for many; none in a namespace that does not exist yet.
 */
export async function lookForStrangers(cluster: ClusterAccess, creates: readonly KubeObject[], sight: Sight): Promise<readonly KubeObject[]> {
  const groups = new Map<string, KubeObject[]>();
  for (const object of creates) {
    const namespace = object.metadata.namespace;
    if (object.kind === 'Namespace' || namespace === undefined) continue;
    if (!sight.unreadable.has('Namespace') && !sight.objects.has(`Namespace//${namespace}`)) continue;
    const key = `${object.kind} ${namespace}`;
    groups.set(key, [...(groups.get(key) ?? []), object]);
  }
  const found: KubeObject[] = [];
  await pooled([...groups.values()], 8, async (group) => {
    const first = group[0] as KubeObject;
    const kind: Kind | undefined = KINDS[first.kind as KindName];
    if (kind === undefined) return;
    try {
      if (group.length <= 2) {
        for (const object of group) {
          const live = await cluster.get(kind, object.metadata.namespace, object.metadata.name);
          if (live !== undefined) found.push(live);
        }
        return;
      }
      const names = new Set(group.map((o) => o.metadata.name));
      const listed = await cluster.list(kind, { namespace: first.metadata.namespace as string });
      found.push(...listed.items.filter((o) => names.has(o.metadata.name)));
    } catch (error) {
      if (statusOf(error) !== 403) throw error;
      // Writing will say what is missing.
    }
  });
  return found;
}

/** A problem of a kind that may not be read, for the instances that need it. */
export function unreadableProblem(kind: string, problems: readonly Problem[]): Problem {
  return problems[0] ?? problem('CLUSTER_FORBIDDEN', `${kind} objects cannot be read`);
}

