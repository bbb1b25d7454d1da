/** A few paged lists, whatever the number of instances. */
import { problem, UserError, type Problem } from '../contract/errors.ts';
import { paastaPrefixed, YELP_PREFIXES, type LabelPrefixes } from '../contract/names.ts';
import { KINDS, type Kind, type KindName, type KubeObject } from '../objects/types.ts';
import { MARKER, objectKey } from '../plan/index.ts';
import { pooled } from './pool.ts';
import { among } from './selectors.ts';
import { statusOf, type ClusterAccess, type Listed, type Listing } from './ports.ts';

/** What was seen, with the place from which each kind's watch goes on. */
export interface Sight {
  readonly objects: Map<string, KubeObject>;
  readonly versions: Map<string, string>;
  /** Kinds that we may not read: they are left out, the others go on. */
  readonly unreadable: Map<string, readonly Problem[]>;
  /** Kinds that may be listed in namespaces only: where they were, with the place from which the watch goes on there. */
  readonly scopes: Map<string, ReadonlyMap<string, string>>;
  /** Kinds that may be read in some namespaces, but not in this one; by `hiddenKey`. */
  readonly hidden: Map<string, readonly Problem[]>;
}

type Put = (object: KubeObject) => unknown;

/**
 * Kinds that every pass looks at. Namespaces come without selector: one that others made serves too. StatefulSets also where none is
 * declared: an instance that changes its kind leaves one behind.
 */
const BASE: readonly KindName[] = ['Namespace', 'Deployment', 'StatefulSet', 'Service', 'PodDisruptionBudget'];
/** Most of what a cluster has to tell, and only asked of instances whose workload does not say enough. */
const OWNED: readonly KindName[] = ['ReplicaSet', 'Pod'];

export interface Selectors {
  /** Of everything that is managed, by PaaSTA or by us. */
  readonly managed: string;
  /** Of workloads, ReplicaSets and pods: also narrowed to the services at hand. */
  readonly workloads: string;
  /** Of the instances at hand: looked at one by one where the cluster as a whole may not be listed. */
  readonly namespaces: readonly string[];
}

export function selectorsFor(
  services: readonly string[],
  namespaces: readonly string[],
  prefixes: LabelPrefixes = YELP_PREFIXES,
): Selectors {
  const managed = `${paastaPrefixed('managed', prefixes)}=true`;
  const own = among(paastaPrefixed('service', prefixes), services);
  return { managed, namespaces: [...new Set(namespaces)], workloads: own === undefined ? managed : `${managed},${own}` };
}

/** Selector of what we made. */
export const OURS = `${MARKER.label}=${MARKER.value}`;

function selectorOf(kind: KindName, selectors: Selectors): string | undefined {
  if (kind === 'Namespace') return undefined;
  if (kind === 'Deployment' || kind === 'StatefulSet' || kind === 'ReplicaSet' || kind === 'Pod') return selectors.workloads;
  return OURS;
}

export function emptySight(): Sight {
  return { objects: new Map(), versions: new Map(), unreadable: new Map(), scopes: new Map(), hidden: new Map() };
}

/**
 * Lists kinds into the sight, or their objects elsewhere with `put`. A kind that is refused is remembered as unreadable; an unreachable server
 * is thrown.
 */
export async function look(
  cluster: ClusterAccess,
  kinds: readonly KindName[],
  selectors: Selectors,
  sight: Sight,
  put: Put = (object) => sight.objects.set(objectKey(object), object),
): Promise<void> {
  await pooled(kinds, 8, async (name) => {
    const kind: Kind = KINDS[name];
    const labelSelector = selectorOf(name, selectors);
    const listing: Listing = labelSelector === undefined ? {} : { labelSelector };
    try {
      sight.versions.set(name, keep(await cluster.list(kind, listing), put));
    } catch (error) {
      const found = refused(error);
      if (
        statusOf(error) !== 403 ||
        !kind.namespaced ||
        !(await lookInNamespaces(cluster, name, listing, selectors.namespaces, sight, put))
      )
        sight.unreadable.set(name, found);
    }
  });
}

/**
 * ReplicaSets and pods of what the selectors tell, and of nothing else. They go where the watches put what they tell of them, and not into the
 * sight, which would keep what is long out of date.
 */
export async function lookAtPods(cluster: ClusterAccess, selectors: Selectors, sight: Sight, put: Put): Promise<void> {
  await look(cluster, OWNED, selectors, sight, put);
}

function refused(error: unknown): readonly Problem[] {
  const status = statusOf(error);
  if (!(error instanceof UserError) || (status !== 403 && status !== 404)) throw error;
  return error.problems;
}

/** Puts all that was listed where it belongs; from where the watch goes on. */
function keep({ items, resourceVersion }: Listed, put: Put): string {
  for (const object of items) put(object);
  return resourceVersion;
}

export function hiddenKey(kind: string, namespace: string): string {
  return `${kind}/${namespace}`;
}

/** The kind in each namespace; false when it may be read in none of them. */
async function lookInNamespaces(
  cluster: ClusterAccess,
  name: KindName,
  listing: Listing,
  namespaces: readonly string[],
  sight: Sight,
  put: Put,
): Promise<boolean> {
  const places = new Map<string, string>();
  const hidden = new Map<string, readonly Problem[]>();
  await pooled(namespaces, 4, async (namespace) => {
    try {
      places.set(namespace, keep(await cluster.list(KINDS[name], { ...listing, namespace }), put));
    } catch (error) {
      hidden.set(hiddenKey(name, namespace), refused(error));
    }
  });
  if (places.size === 0) return false;
  for (const [key, problems] of hidden) sight.hidden.set(key, problems);
  sight.scopes.set(name, places);
  sight.versions.set(name, '');
  return true;
}

/** Why objects of a kind cannot be read in a namespace; `undefined`: they can. */
export function hiddenFrom(sight: Sight, kind: string, namespace: string): readonly Problem[] | undefined {
  return sight.unreadable.get(kind) ?? sight.hidden.get(hiddenKey(kind, namespace));
}

/** Where the watches of a kind go on: one for the cluster, or one for each namespace in which it was listed. */
export function streamsOf(
  sight: Sight,
  kind: KindName,
  listing: Listing,
): readonly { readonly kind: KindName; readonly resourceVersion: string | undefined; readonly listing: Listing }[] {
  const places = sight.scopes.get(kind);
  if (places === undefined) return [{ kind, resourceVersion: sight.versions.get(kind), listing }];
  return [...places].map(([namespace, resourceVersion]) => ({ kind, resourceVersion, listing: { ...listing, namespace } }));
}

/**
 * The look at a whole cluster, begun before it is known what is declared. `undefined` when it is not complete: then only a look that
 * knows the namespaces tells what may be read.
 */
export type EarlySight = Promise<Sight | undefined>;

/**
 * Begins the look at a whole cluster; `services` are all of the tree. Autoscalers are looked at with the rest: hardly a cluster has none, and
 * whether one is declared is known only in the end. Throws when the server cannot be reached.
 */
export async function observeEarly(cluster: ClusterAccess, services: readonly string[], prefixes?: LabelPrefixes): EarlySight {
  const sight = emptySight();
  await look(cluster, [...BASE, 'HorizontalPodAutoscaler'], selectorsFor(services, [], prefixes), sight);
  return sight.unreadable.size === 0 ? sight : undefined;
}

export async function observe(
  cluster: ClusterAccess,
  selectors: Selectors,
  further: readonly KindName[] = [],
  early?: EarlySight,
): Promise<Sight> {
  const begun = await early;
  if (begun !== undefined) {
    await look(
      cluster,
      further.filter((kind) => !begun.versions.has(kind)),
      selectors,
      begun,
    );
    return begun;
  }
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
export async function lookForStrangers(
  cluster: ClusterAccess,
  creates: readonly KubeObject[],
  sight: Sight,
): Promise<readonly KubeObject[]> {
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
