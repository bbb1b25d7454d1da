/** Everything that watches have told so far, ordered by instance. */
import { YELP_PREFIXES, paastaPrefixed, type LabelPrefixes } from '../contract/names.ts';
import type { Evidence } from '../health/types.ts';
import type { Event, KubeObject, Pod, ReplicaSet } from '../objects/types.ts';
import { isLeaving, isOurs, keyFor, objectKey } from '../plan/index.ts';

/** What the board must know to find an instance's objects. */
export interface Place {
  readonly service: string;
  readonly instance: string;
  readonly namespace: string;
  readonly workloadKind: string;
  /** Of the wanted workload. */
  readonly name: string;
  /** Workloads of the instance that were there besides the wanted one when it was planned. */
  readonly old?: readonly KubeObject[];
  /** A workload with this hash is the wanted one, whatever its name: somebody else makes it. */
  readonly configHash?: string;
}

type Shelf = Map<string, KubeObject>;

/** Newer of two versions of an object; versions of one cluster are numbers that grow. */
function isOlder(a: KubeObject, b: KubeObject): boolean {
  const x = a.metadata.resourceVersion ?? '';
  const y = b.metadata.resourceVersion ?? '';
  return /^\d+$/.test(x) && /^\d+$/.test(y) && BigInt(x) < BigInt(y);
}

/** `Deployment/paastasvc-web/web-main`: the workload that a pod or a ReplicaSet belongs to, as far as it says so. */
function workloadKeyOf(owned: KubeObject): string | undefined {
  const owner = owned.metadata.ownerReferences?.find((reference) => reference.controller === true);
  if (owner === undefined) return undefined;
  if (owner.kind !== 'ReplicaSet') return keyFor(owner.kind, owned.metadata.namespace, owner.name);
  // A ReplicaSet is named after its Deployment and the hash of its pods' template.
  const end = `-${owned.metadata.labels?.['pod-template-hash'] ?? ''}`;
  return owner.name.endsWith(end) && end !== '-'
    ? keyFor('Deployment', owned.metadata.namespace, owner.name.slice(0, -end.length))
    : undefined;
}

/** Namespaces in which things of an instance are. */
export function namespacesOfPlace(place: Place): readonly string[] {
  return [...new Set([place.namespace, ...(place.old ?? []).map((o) => o.metadata.namespace ?? '')])];
}

export class Board {
  readonly #workloads: Shelf = new Map();
  readonly #owned = new Map<string, Map<string, KubeObject>>();
  readonly #ownerOf = new Map<string, string>();
  readonly #events = new Map<string, Map<string, Event>>();
  readonly #serviceLabel: string;
  readonly #instanceLabel: string;
  readonly #applied = new Map<string, KubeObject>();
  readonly #workloadsOf = new Map<string, Set<string>>();
  readonly #listeners = new Set<(about: string) => void>();
  readonly #configLabel: string;

  constructor(prefixes: LabelPrefixes = YELP_PREFIXES) {
    this.#serviceLabel = paastaPrefixed('service', prefixes);
    this.#instanceLabel = paastaPrefixed('instance', prefixes);
    this.#configLabel = paastaPrefixed('config_sha', prefixes);
  }

  /** By `objectKey`; not pods and ReplicaSets. */
  object(key: string): KubeObject | undefined {
    return this.#workloads.get(key);
  }

  /** `namespace/service.instance` of an object that carries the labels. */
  instanceOf(object: KubeObject): string | undefined {
    const service = object.metadata.labels?.[this.#serviceLabel];
    const instance = object.metadata.labels?.[this.#instanceLabel];
    return service === undefined || instance === undefined ? undefined : `${object.metadata.namespace ?? ''}/${service}.${instance}`;
  }

  /** What the API server answered to our own write: a watch may still say older things about it. */
  wrote(object: KubeObject): void {
    this.#applied.set(objectKey(object), object);
    this.put(object);
  }

  /** We deleted it: what we wrote to it counts no more, and it is on its way out until a watch says that it is gone. */
  removed(object: KubeObject): void {
    const key = objectKey(object);
    this.#applied.delete(key);
    const known = this.#workloads.get(key);
    if (known === undefined || isLeaving(known)) return;
    this.#workloads.set(key, { ...known, metadata: { ...known.metadata, deletionTimestamp: new Date(0).toISOString() } });
    this.#tell(this.instanceOf(object));
  }

  /** Called with `namespace/service.instance` whenever something about it is told. Returns how to end it. */
  listen(listener: (about: string) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #tell(about: string | undefined): string | undefined {
    if (about !== undefined) for (const listener of this.#listeners) listener(about);
    return about;
  }

  /** Returns the instance that it concerns. */
  put(object: KubeObject): string | undefined {
    return this.#tell(this.#put(object));
  }

  #put(object: KubeObject): string | undefined {
    if (object.kind === 'Event') return this.#putEvent(object as Event);
    const uid = object.metadata.uid ?? objectKey(object);
    if (object.kind === 'Pod' || object.kind === 'ReplicaSet') {
      const owner = this.instanceOf(object);
      if (owner === undefined) return undefined;
      const shelf: Shelf = this.#owned.get(owner) ?? new Map<string, KubeObject>();
      this.#owned.set(owner, shelf.set(uid, object));
      this.#ownerOf.set(uid, owner);
      return owner;
    }
    const key = objectKey(object);
    // Answers and watches overtake each other: what is older than what is known tells nothing any more.
    if ([this.#applied.get(key), this.#workloads.get(key)].some((known) => known !== undefined && isOlder(object, known))) return undefined;
    this.#workloads.set(key, object);
    const about = this.instanceOf(object);
    if (about !== undefined) this.#workloadsOf.set(about, (this.#workloadsOf.get(about) ?? new Set<string>()).add(key));
    return about;
  }

  gone(object: KubeObject): string | undefined {
    return this.#tell(this.#gone(object));
  }

  #gone(object: KubeObject): string | undefined {
    const uid = object.metadata.uid ?? objectKey(object);
    if (object.kind === 'Event') return undefined;
    if (object.kind === 'Pod' || object.kind === 'ReplicaSet') {
      const owner = this.#ownerOf.get(uid) ?? this.instanceOf(object);
      if (owner !== undefined) this.#owned.get(owner)?.delete(uid);
      this.#ownerOf.delete(uid);
      return owner;
    }
    const ours = this.#applied.get(objectKey(object));
    if (ours === undefined || !isOlder(object, ours)) this.#workloads.delete(objectKey(object));
    return this.instanceOf(object);
  }

  /** Everything of one kind anew. */
  reset(kind: string, items: readonly KubeObject[]): void {
    if (kind === 'Pod' || kind === 'ReplicaSet') {
      for (const shelf of this.#owned.values()) for (const [uid, object] of shelf) if (object.kind === kind) shelf.delete(uid);
    } else if (kind !== 'Event') {
      for (const [key, object] of this.#workloads) if (object.kind === kind && !this.#applied.has(key)) this.#workloads.delete(key);
    }
    for (const item of items) this.put(item);
  }

  #putEvent(event: Event): string | undefined {
    const about = event.involvedObject;
    const key = keyFor(about.kind ?? '', about.namespace ?? event.metadata.namespace, about.name ?? '');
    const shelf = this.#events.get(key) ?? new Map<string, Event>();
    this.#events.set(key, shelf.set(event.metadata.uid ?? event.metadata.name, event));
    const owner = about.uid === undefined ? undefined : this.#ownerOf.get(about.uid);
    if (owner !== undefined) return owner;
    const workload = this.#workloads.get(key);
    return workload === undefined ? undefined : this.instanceOf(workload);
  }

  /** Workloads of an instance in the namespaces of its place. */
  #workloadsIn(place: Place): readonly KubeObject[] {
    const keys = namespacesOfPlace(place).flatMap((namespace) => [
      ...(this.#workloadsOf.get(`${namespace}/${place.service}.${place.instance}`) ?? []),
    ]);
    return keys.flatMap((key) => this.#workloads.get(key) ?? []).filter((o) => o.kind === 'Deployment' || o.kind === 'StatefulSet');
  }

  evidence(place: Place): Evidence {
    const owned = namespacesOfPlace(place).flatMap((namespace) => [
      ...(this.#owned.get(`${namespace}/${place.service}.${place.instance}`)?.values() ?? []),
    ]);
    const all = this.#workloadsIn(place);
    const carries = (o: KubeObject): boolean =>
      place.configHash !== undefined &&
      o.kind === place.workloadKind &&
      o.metadata.namespace === place.namespace &&
      o.metadata.labels?.[this.#configLabel] === place.configHash;
    const workload = all.find(carries) ?? this.#workloads.get(keyFor(place.workloadKind, place.namespace, place.name));
    const key = workload === undefined ? keyFor(place.workloadKind, place.namespace, place.name) : objectKey(workload);
    const known = new Set((place.old ?? []).map((o) => o.metadata.uid));
    const others = all.filter((o) => objectKey(o) !== key);
    const old = others.filter((o) => isOurs(o) || known.has(o.metadata.uid));
    const newer = old.find((o) => !known.has(o.metadata.uid) && !isLeaving(o));
    // What somebody else made beside it is not ours to wait for.
    const foreign = new Set(others.filter((o) => !old.includes(o)).map(objectKey));
    const [own, leaving]: [KubeObject[], KubeObject[]] = [[], []];
    for (const object of owned) {
      const of = workloadKeyOf(object);
      if (of === undefined || of === key) own.push(object);
      else if (!foreign.has(of)) leaving.push(object);
    }
    const about = [...(workload === undefined ? [] : [workload]), ...own];
    return {
      workload,
      replicaSets: own.filter((o): o is ReplicaSet => o.kind === 'ReplicaSet'),
      pods: own.filter((o): o is Pod => o.kind === 'Pod'),
      events: about.flatMap((o) => [...(this.#events.get(objectKey(o))?.values() ?? [])]),
      oldPods: leaving.filter((o): o is Pod => o.kind === 'Pod'),
      oldWorkloads: old.filter((o) => o !== newer),
      ...(newer === undefined ? {} : { newer }),
    };
  }

  /** Pods of one workload, the terminating ones included. */
  podsOf(workload: KubeObject, place: Place): readonly Pod[] {
    const key = objectKey(workload);
    const shelf = this.#owned.get(`${workload.metadata.namespace ?? ''}/${place.service}.${place.instance}`);
    return [...(shelf?.values() ?? [])].filter((o): o is Pod => o.kind === 'Pod' && workloadKeyOf(o) === key);
  }
}
