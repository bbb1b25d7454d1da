/**
 * Watches that pods leave the EndpointSlices before they end. Both moments are when the run saw them, by its own clock; an end is taken
 * back to what the kubelet says of the container, in whole seconds. What is kept: uids of the pods in the watched slices, and a few
 * numbers for each pod that served and is ending.
 */
import { CancelledError, UserError } from '../contract/errors.ts';
import { paastaPrefixed, YELP_PREFIXES, type LabelPrefixes } from '../contract/names.ts';
import { KINDS, type Pod } from '../objects/types.ts';
import type { InstancePlan } from '../plan/index.ts';
import { LEAST_SECONDS, type DrainProof } from '../report/drain-proof.ts';
import type { Change, ConvergePorts } from './ports.ts';
import { among } from './selectors.ts';
import type { TrafficWatch } from './traffic.ts';

/** Milliseconds that a run may go on after its last verdict, to see pods end that will have ended by then. */
const LONGEST_WAIT = 10_000;
/** A kubelet tells of the end of a container within this time: what it says from before is another clock. */
const REPORT_LAG = 5_000;

interface Watched {
  readonly title: string;
  readonly name: string;
  readonly namespace: string;
  /** Milliseconds since the epoch, each. */
  left: number | undefined;
  ended: number | undefined;
  /** When the end is expected, as far as preStop tells. */
  due: number | undefined;
}

/** When the container stopped, or `undefined` while it runs. */
function endOf(pod: Pod): { readonly finishedAt: number | undefined } | undefined {
  const statuses = pod.status?.containerStatuses ?? [];
  // The sidecar may stay for longer: what serves is the first container.
  const main = statuses.find(({ name }) => name === pod.spec.containers[0]?.name);
  const terminated = main?.state?.terminated;
  if (terminated === undefined) return undefined;
  const at = Date.parse(terminated.finishedAt ?? '');
  return { finishedAt: Number.isNaN(at) ? undefined : at };
}

/** Seconds that preStop sleeps for sure. */
function sleepOf(pod: Pod): number {
  const hook = (
    pod.spec.containers[0]?.['lifecycle'] as
      | { readonly preStop?: { readonly sleep?: { readonly seconds?: number }; readonly exec?: { readonly command?: readonly string[] } } }
      | undefined
  )?.preStop;
  return hook?.sleep?.seconds ?? Number(/\bsleep ([0-9]+)/.exec(hook?.exec?.command?.join(' ') ?? '')?.[1] ?? 0);
}

export class DrainWatch {
  readonly #ports: ConvergePorts;
  readonly #prefixes: LabelPrefixes;
  readonly #traffic: TrafficWatch;
  /** Pods of bouncing instances that served, by uid. */
  readonly #pods = new Map<string, Watched>();
  /** Uids that served before their pod was heard of: since when they serve no more. */
  readonly #early = new Map<string, number | undefined>();
  readonly #titles = new Set<string>();

  constructor(ports: ConvergePorts, traffic: TrafficWatch, prefixes: LabelPrefixes = YELP_PREFIXES) {
    this.#ports = ports;
    this.#prefixes = prefixes;
    this.#traffic = traffic;
    traffic.listen((uid, serves) => {
      if (uid !== undefined) this.#moved(uid, serves);
    });
  }

  /** Begins to watch the instances whose pods will end; nothing is opened when there are none. */
  follow(plans: readonly InstancePlan[]): void {
    const ending = plans.filter(
      ({ rendered, effect, rollout, steps }) =>
        steps.length > 0 && rendered.services.length > 0 && (effect.bounces || effect.difference < 0 || rollout.kind === 'side-by-side'),
    );
    if (ending.length === 0) return;
    for (const { rendered } of ending) this.#titles.add(`${rendered.service}.${rendered.instance}`);
    this.#traffic.follow(ending);
  }

  #moved(uid: string, serves: boolean): void {
    const left = serves ? undefined : this.#ports.clock.now();
    const pod = this.#pods.get(uid);
    if (pod !== undefined) pod.left = left;
    else this.#early.set(uid, left);
  }

  /** A change of pods that somebody else watches. */
  pods(change: Change): void {
    if (this.#titles.size === 0) return;
    if (change.type === 'reset') for (const item of change.items) this.#pod(item as Pod, false);
    else if (change.type === 'put') this.#pod(change.object as Pod, false);
    else if (change.type === 'gone') this.#pod(change.object as Pod, true);
  }

  #pod(pod: Pod, isGone: boolean): void {
    const { uid = '', deletionTimestamp, labels = {}, name, namespace = '' } = pod.metadata;
    // Only what ends is of interest, and of that only what served.
    if (deletionTimestamp === undefined && !isGone) return;
    const title = `${labels[paastaPrefixed('service', this.#prefixes)] ?? ''}.${labels[paastaPrefixed('instance', this.#prefixes)] ?? ''}`;
    if (!this.#titles.has(title)) return;
    const known = this.#pods.get(uid) ?? this.#met(uid, { title, name, namespace });
    if (known === undefined || known.ended !== undefined) return;
    const now = this.#ports.clock.now();
    known.due ??= now + sleepOf(pod) * 1_000;
    const end = endOf(pod);
    if (end === undefined && !isGone) return;
    const said = end?.finishedAt;
    known.ended = said !== undefined && said <= now && said >= now - REPORT_LAG ? said : now;
  }

  #met(uid: string, about: Pick<Watched, 'title' | 'name' | 'namespace'>): Watched | undefined {
    if (!this.#early.has(uid)) return undefined;
    const pod: Watched = { ...about, left: this.#early.get(uid), ended: undefined, due: undefined };
    this.#early.delete(uid);
    this.#pods.set(uid, pod);
    return pod;
  }

  /** What was seen, by instance; waits for pods that end soon, but not for others. */
  async finish(isCancelled: boolean): Promise<ReadonlyMap<string, DrainProof>> {
    if (!this.#traffic.isBlind && !isCancelled) await this.#lastEnds();
    await this.#traffic.end();
    if (this.#traffic.isBlind) return new Map();
    const now = this.#ports.clock.now();
    const byTitle = new Map<string, Watched[]>();
    for (const pod of this.#pods.values()) byTitle.set(pod.title, [...(byTitle.get(pod.title) ?? []), pod]);
    return new Map([...byTitle].map(([title, pods]) => [title, proofOf(pods, now)]));
  }

  #ending(): readonly Watched[] {
    return [...this.#pods.values()].filter(({ ended }) => ended === undefined);
  }

  async #lastEnds(): Promise<void> {
    const { clock, cluster, signal } = this.#ports;
    const begun = clock.now();
    const last = Math.max(0, ...this.#ending().map(({ due }) => due ?? begun));
    if (last === 0 || last - begun > LONGEST_WAIT - 2_000) return;
    const namespaces = new Set(this.#ending().map(({ namespace }) => namespace));
    const services = new Set([...this.#titles].map((title) => title.split('.')[0] ?? ''));
    const label = paastaPrefixed('service', this.#prefixes);
    const [only] = namespaces;
    const enough = new AbortController();
    const timer = clock.sleep(LONGEST_WAIT, AbortSignal.any([signal, enough.signal])).then(
      () => enough.abort(),
      () => undefined,
    );
    try {
      for await (const change of cluster.watch(KINDS.Pod, {
        labelSelector: among(label, services) ?? label,
        ...(namespaces.size === 1 && only !== undefined ? { namespace: only } : {}),
        signal: AbortSignal.any([signal, enough.signal]),
      })) {
        this.pods(change);
        // What ended in between ended not before the last look at it.
        if (change.type === 'reset') this.#vanished(new Set(change.items.map(({ metadata }) => metadata.uid ?? '')), begun);
        if (this.#ending().length === 0) break;
      }
    } catch (error) {
      if (!(error instanceof UserError || error instanceof CancelledError)) throw error;
    } finally {
      enough.abort();
      await timer;
    }
  }

  #vanished(here: ReadonlySet<string>, at: number): void {
    for (const [uid, pod] of this.#pods) if (pod.ended === undefined && !here.has(uid)) pod.ended = at;
  }
}

function proofOf(pods: readonly Watched[], now: number): DrainProof {
  const ended = pods.flatMap(({ name, left, ended: at }) =>
    at === undefined ? [] : [{ pod: name, ...(left === undefined ? {} : { seconds: (at - left) / 1_000 }) }],
  );
  const isBad = ({ seconds }: { readonly seconds?: number }): boolean => seconds === undefined || seconds < LEAST_SECONDS;
  const good = ended.filter((pod) => !isBad(pod)).map(({ seconds = 0 }) => seconds);
  const ending = pods.filter(({ ended: at, left }) => at === undefined && left !== undefined).map(({ left = now }) => (now - left) / 1_000);
  return {
    pods: ended.length,
    ...(good.length === 0 ? {} : { minimum: Math.min(...good) }),
    violations: ended.filter(isBad),
    ending: ending.length,
    ...(ending.length === 0 ? {} : { soFar: Math.min(...ending) }),
  };
}
