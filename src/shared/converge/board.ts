/** Everything that watches have told so far, ordered by instance. */
import { YELP_PREFIXES, paastaPrefixed, type LabelPrefixes } from '../contract/names.ts';
import type { Evidence } from '../health/types.ts';
import type { Event, KubeObject, Pod, ReplicaSet } from '../objects/types.ts';
import { keyFor, objectKey } from '../plan/index.ts';

/** What the board must know to find an instance's objects. */
export interface Place {
  readonly service: string;
  readonly instance: string;
  readonly namespace: string;
  readonly workloadKind: string;
  readonly name: string;
}

type Shelf = Map<string, KubeObject>;

/** Newer of two versions of an object; versions of one cluster are numbers that grow. */
function isOlder(a: KubeObject, b: KubeObject): boolean {
  const x = a.metadata.resourceVersion ?? '';
  const y = b.metadata.resourceVersion ?? '';
  return /^\d+$/.test(x) && /^\d+$/.test(y) && BigInt(x) < BigInt(y);
}

export class Board {
  readonly #workloads: Shelf = new Map();
  readonly #owned = new Map<string, Map<string, KubeObject>>();
  readonly #ownerOf = new Map<string, string>();
  readonly #events = new Map<string, Map<string, Event>>();
  readonly #serviceLabel: string;
  readonly #instanceLabel: string;
  readonly #applied = new Map<string, KubeObject>();

  constructor(prefixes: LabelPrefixes = YELP_PREFIXES) {
    this.#serviceLabel = paastaPrefixed('service', prefixes);
    this.#instanceLabel = paastaPrefixed('instance', prefixes);
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

  /** Returns the instance that it concerns. */
  put(object: KubeObject): string | undefined {
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
    const ours = this.#applied.get(key);
    if (ours !== undefined && isOlder(object, ours)) return undefined;
    this.#workloads.set(key, object);
    return this.instanceOf(object);
  }

  gone(object: KubeObject): string | undefined {
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

  evidence(place: Place): Evidence {
    const owned = [...(this.#owned.get(`${place.namespace}/${place.service}.${place.instance}`)?.values() ?? [])];
    const workload = this.#workloads.get(keyFor(place.workloadKind, place.namespace, place.name));
    const about = [...(workload === undefined ? [] : [workload]), ...owned];
    return {
      workload,
      replicaSets: owned.filter((o): o is ReplicaSet => o.kind === 'ReplicaSet'),
      pods: owned.filter((o): o is Pod => o.kind === 'Pod'),
      events: about.flatMap((o) => [...(this.#events.get(objectKey(o))?.values() ?? [])]),
    };
  }
}
