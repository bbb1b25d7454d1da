/**
 * Which pods the Services of bouncing instances send traffic to, told by EndpointSlices as they change. A pod is ready before the
 * endpoint controller has put it in: who counts capacity must look here (PaaSTA asks haproxy: `check_haproxy`).
 */
import { messageOf, UserError } from '../contract/errors.ts';
import { podsInTraffic, SERVICE_NAME_LABEL, type EndpointSlice } from '../objects/endpoint-slices.ts';
import { KINDS, type KubeObject } from '../objects/types.ts';
import { objectKey, type InstancePlan } from '../plan/index.ts';
import type { Change, ConvergePorts } from './ports.ts';
import { among } from './selectors.ts';

/** What slices say; holds uids and names only. */
export class Traffic {
  readonly #bySlice = new Map<string, { readonly service: string; readonly uids: ReadonlySet<string> }>();
  /** For each pod, in how many slices of which Service it is. */
  readonly #services = new Map<string, Map<string, number>>();
  readonly #onMove: (uid: string, serves: boolean) => void;
  #known = false;

  /** `onMove` hears when a pod comes into traffic, and when the last Service has dropped it. */
  constructor(onMove: (uid: string, serves: boolean) => void = () => undefined) {
    this.#onMove = onMove;
  }

  /** The first list has arrived. */
  get known(): boolean {
    return this.#known;
  }

  has(uid: string): boolean {
    return this.#services.has(uid);
  }

  /** Names of the Services that send it traffic. */
  servicesOf(uid: string): readonly string[] {
    return [...(this.#services.get(uid)?.keys() ?? [])];
  }

  take(change: Change): void {
    if (change.type === 'put') this.#put(change.object);
    else if (change.type === 'gone') this.#set(objectKey(change.object), undefined, new Set());
    else if (change.type === 'reset') {
      const gone = new Set(this.#bySlice.keys());
      for (const slice of change.items) {
        this.#put(slice);
        gone.delete(objectKey(slice));
      }
      for (const key of gone) this.#set(key, undefined, new Set());
      this.#known = true;
    }
  }

  #put(slice: KubeObject): void {
    this.#set(objectKey(slice), slice.metadata.labels?.[SERVICE_NAME_LABEL] ?? '', new Set(podsInTraffic(slice as EndpointSlice)));
  }

  #set(key: string, service: string | undefined, uids: ReadonlySet<string>): void {
    const before = this.#bySlice.get(key);
    if (service === undefined || uids.size === 0) this.#bySlice.delete(key);
    else this.#bySlice.set(key, { service, uids });
    // First who comes: a pod that only changes its slice never leaves.
    if (service !== undefined) for (const uid of uids) if (before?.uids.has(uid) !== true) this.#move(uid, service, 1);
    if (before !== undefined) for (const uid of before.uids) if (!uids.has(uid)) this.#move(uid, before.service, -1);
  }

  #move(uid: string, service: string, by: number): void {
    const counts = this.#services.get(uid) ?? new Map<string, number>();
    const served = counts.size > 0;
    const count = (counts.get(service) ?? 0) + by;
    if (count <= 0) counts.delete(service);
    else counts.set(service, count);
    if (counts.size === 0) this.#services.delete(uid);
    else this.#services.set(uid, counts);
    if (served !== counts.size > 0) this.#onMove(uid, counts.size > 0);
  }
}

/** One watch for everything that bounces in a run. */
export class TrafficWatch {
  readonly #ports: ConvergePorts;
  readonly #end = new AbortController();
  readonly #services = new Set<string>();
  readonly #listeners = new Set<(uid: string | undefined, serves: boolean) => void>();
  readonly #traffic = new Traffic((uid, serves) => this.#tell(uid, serves));
  #watching: Promise<void> | undefined;
  #blind = false;

  constructor(ports: ConvergePorts) {
    this.#ports = ports;
  }

  /** Something is watched. */
  get follows(): boolean {
    return this.#watching !== undefined;
  }

  /** Nobody tells, or nobody was asked. */
  get isBlind(): boolean {
    return this.#blind || !this.follows;
  }

  /** Names of the Services that send a pod traffic; `undefined` while the first list is on its way. */
  servicesOf(uid: string): readonly string[] | undefined {
    return this.#traffic.known ? this.#traffic.servicesOf(uid) : undefined;
  }

  /** Hears of each pod that comes or goes, and with `undefined` that the first list is there or none will come. Returns how to end it. */
  listen(listener: (uid: string | undefined, serves: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #tell(uid: string | undefined, serves: boolean): void {
    for (const listener of this.#listeners) listener(uid, serves);
  }

  /** Begins to watch the slices of these instances, in every namespace that they are in. */
  follow(plans: readonly InstancePlan[]): void {
    const namespaces = new Set<string>();
    const names = new Set<string>();
    for (const { rendered, rollout } of plans) {
      const places = [rendered.namespace, ...(rollout.kind === 'side-by-side' ? rollout.old.map((o) => o.metadata.namespace ?? '') : [])];
      for (const namespace of places) namespaces.add(namespace);
      for (const { metadata } of rendered.services) {
        names.add(metadata.name);
        for (const namespace of places) this.#services.add(`${namespace}/${metadata.name}`);
      }
    }
    if (names.size === 0) return;
    const [only] = namespaces;
    this.#watching = this.#watch({
      labelSelector: among(SERVICE_NAME_LABEL, names) ?? SERVICE_NAME_LABEL,
      ...(namespaces.size === 1 && only !== undefined ? { namespace: only } : {}),
    });
  }

  async #watch(listing: { readonly labelSelector: string; readonly namespace?: string }): Promise<void> {
    const signal = AbortSignal.any([this.#ports.signal, this.#end.signal]);
    const about = (slice: KubeObject): boolean =>
      this.#services.has(`${slice.metadata.namespace ?? ''}/${slice.metadata.labels?.[SERVICE_NAME_LABEL] ?? ''}`);
    try {
      for await (const change of this.#ports.cluster.watch(KINDS.EndpointSlice, { ...listing, signal })) {
        if (change.type === 'reset') {
          this.#traffic.take({ type: 'reset', items: change.items.filter(about) });
          this.#tell(undefined, false);
        } else if (change.type !== 'put' || about(change.object)) this.#traffic.take(change);
      }
    } catch (error) {
      if (signal.aborted) return;
      this.#blind = true;
      this.#ports.log.info(
        `no drain proof: cannot watch endpointslices (${error instanceof UserError ? (error.problems[0]?.message ?? '') : messageOf(error)})`,
      );
      this.#tell(undefined, false);
    }
  }

  /** Ends the watch. */
  async end(): Promise<void> {
    this.#end.abort();
    await this.#watching;
  }
}
