/**
 * Deploys in this process against a real API server, each run with a connection of its own, and ends a run in the middle of its n-th
 * write as a kill would: nothing that it has begun is finished. Beside it an observer counts what serves.
 */
import {
  converge,
  type ClusterAccess,
  type ConvergeRequest,
  type ConvergeResult,
  type VersionSource,
} from '../../src/shared/converge/index.ts';
import { connectCluster, type Cluster as Door } from '../../src/shared/kubernetes/index.ts';
import { podsInTraffic, type EndpointSlice } from '../../src/shared/objects/endpoint-slices.ts';
import { KINDS, type KindName, type KubeObject, type Pod } from '../../src/shared/objects/types.ts';
import { objectKey } from '../../src/shared/plan/index.ts';
import { systemClock } from '../../src/shared/runtime/clock.ts';
import { loadSoaConfigs, systemConfigOf, type Value } from '../../src/shared/soa-configs/index.ts';
import { DRAINED_ANNOTATION } from '../../src/shared/converge/drain-labels.ts';
import type { Change } from '../../src/shared/converge/ports.ts';
import type { Cluster } from '../testbed/index.ts';
import { memoryTree } from './memory-tree.ts';
import { recordingLog, type RecordingLog } from './recording.ts';

/** Watches, of which those of EndpointSlices tell only their first list until `traffic` says so. */
async function* lateTraffic(access: Door, traffic: Promise<void>, args: Parameters<Door['watch']>): AsyncGenerator<Change> {
  for await (const change of access.watch(...args)) {
    if (args[0].plural === KINDS.EndpointSlice.plural && change.type !== 'reset') await traffic;
    yield change;
  }
}

/** The API server as a run meets it: slow where the options say so, and after `killAfter` writes nothing is ever answered. */
function disturbed(
  access: Door,
  { killAfter: limit = Number.POSITIVE_INFINITY, traffic, slow }: RunOptions,
  kill: () => void,
): { readonly access: ClusterAccess; readonly writes: () => number } {
  let writes = 0;
  let dead = false;
  let held = 0;
  const isDrain = (patch: unknown): boolean => JSON.stringify(patch).includes(`"${DRAINED_ANNOTATION}":"`);
  const forever = new Promise<never>(() => undefined);
  const proxy = new Proxy(access, {
    get(target, name) {
      const own: unknown = Reflect.get(target, name, target);
      if (typeof own !== 'function') return own;
      const call = own.bind(target) as (...args: unknown[]) => unknown;
      if (name === 'watch' && traffic !== undefined) return (...args: Parameters<Door['watch']>) => lateTraffic(target, traffic, args);
      if (!['apply', 'patch', 'delete'].includes(String(name)))
        return (...args: unknown[]) => (dead && name !== 'watch' ? forever : call(...args));
      return async (...args: unknown[]) => {
        if (dead) return forever;
        if ((args[1] as { dryRun?: boolean } | undefined)?.dryRun === true) return call(...args);
        if (slow !== undefined && name === 'patch' && isDrain(args[1]) && held++ < slow.pods) await slow.until;
        if (++writes < limit) return call(...args);
        dead = true;
        // The server does what it was asked; nobody hears the answer.
        await (call(...args) as Promise<unknown>).catch(() => undefined);
        kill();
        return forever;
      };
    },
  });
  return { access: proxy as unknown as ClusterAccess, writes: () => writes };
}

export interface Run {
  /** `undefined`: it was killed. */
  readonly result: ConvergeResult | undefined;
  readonly writes: number;
  readonly log: RecordingLog;
}

export interface RunOptions {
  readonly files: Readonly<Record<string, string>>;
  readonly version: string;
  readonly killAfter?: number;
  /** Until then the run hears of no change of traffic, as with an endpoint controller that has much to do. */
  readonly traffic?: Promise<void>;
  /** The first pods that are drained stay in traffic until then. */
  readonly slow?: { readonly pods: number; readonly until: Promise<void> };
  readonly forceBounce?: string;
  readonly stop?: boolean;
  readonly soaCommit?: string;
  readonly request?: Partial<ConvergeRequest>;
  readonly system?: Readonly<Record<string, Value>>;
}

async function connect(cluster: Pick<Cluster, 'kubeconfigPath'>, signal: AbortSignal, userAgent: string): Promise<Door> {
  return connectCluster({
    kubeconfig: { kind: 'file', path: cluster.kubeconfigPath },
    userAgent,
    log: recordingLog(),
    mask: () => undefined,
    clock: systemClock,
    signal,
    env: {},
  });
}

/** One run of deploy. */
export async function runDeploy(cluster: Pick<Cluster, 'kubeconfigPath'>, options: RunOptions): Promise<Run> {
  const abort = new AbortController();
  const door = await connect(cluster, abort.signal, 'paasta-actions deploy');
  const log = recordingLog();
  const system = systemConfigOf({
    clusters: ['lab'],
    docker_registry: 'registry.invalid',
    volumes: [],
    pre_stop: 'native',
    ...options.system,
  });
  const control = {
    desiredState: options.stop === true ? ('stop' as const) : ('start' as const),
    forceBounce: options.forceBounce ?? null,
  };
  const versions: VersionSource = {
    deployments: (service) =>
      Promise.resolve({
        service,
        source: 'test',
        version: () => ({ sha: options.version, imageVersion: null, dockerImage: `services-${service}:paasta-${options.version}` }),
        control: () => control,
        problems: [],
      }),
  };
  const killed = new Promise<undefined>((resolve) => {
    abort.signal.addEventListener('abort', () => {
      resolve(undefined);
    });
  });
  const kill = (): void => {
    abort.abort();
  };
  const cut = disturbed(door, options, kill);
  const soa = loadSoaConfigs(memoryTree(options.files), system);
  const request: ConvergeRequest = {
    selection: { cluster: 'lab', service: undefined, instances: [], deployGroup: undefined },
    mode: 'apply',
    adopt: false,
    timeout: 60_000,
    soa: options.soaCommit === undefined ? soa : { ...soa, commit: options.soaCommit },
    system,
    options: { pinDigest: false, preStop: 'native' },
    ...options.request,
  };
  const running = converge(request, { cluster: cut.access, versions, digests: undefined, log, clock: systemClock, signal: abort.signal });
  running.catch(() => undefined);
  try {
    return { result: await Promise.race([running, killed]), writes: cut.writes(), log };
  } finally {
    await door.close();
  }
}

/** Who serves, and whether pods were told to end before they left: by revisions of the API server's store, which are one row for all kinds. */
class Serving {
  readonly #slices = new Map<string, ReadonlySet<string>>();
  readonly #left = new Map<string, bigint>();
  readonly #ended = new Map<string, { readonly name: string; readonly at: bigint }>();

  /** A list follows: what left before it is not known. */
  clear(): void {
    this.#slices.clear();
  }

  slice(slice: EndpointSlice, isGone: boolean): void {
    const before = this.#slices.get(objectKey(slice)) ?? new Set();
    const now = new Set(isGone ? [] : podsInTraffic(slice));
    this.#slices.set(objectKey(slice), now);
    for (const uid of before) if (!now.has(uid)) this.#left.set(uid, BigInt(slice.metadata.resourceVersion ?? 0));
    for (const uid of now) this.#left.delete(uid);
  }

  pod({ metadata }: KubeObject, isGone: boolean): void {
    const { uid = '', name, deletionTimestamp, resourceVersion = '0' } = metadata;
    if ((isGone || deletionTimestamp !== undefined) && !this.#ended.has(uid)) this.#ended.set(uid, { name, at: BigInt(resourceVersion) });
  }

  get pods(): readonly string[] {
    return [...this.#slices.values()].flatMap((uids) => [...uids]);
  }

  endedInTraffic(): readonly string[] {
    const here = new Set(this.pods);
    return [...this.#ended]
      .filter(([uid, { at }]) => here.has(uid) || (this.#left.get(uid) ?? 0n) > at)
      .map(([, { name }]) => name)
      .sort();
  }
}

/** What the API server says about who serves, from its own watch. */
export interface Observer {
  /** Ready endpoints now. */
  serving(): number;
  /** Fewest ready endpoints since the last call of `begin`. */
  fewest(): number;
  /** Most versions that had ready pods at one moment since `begin`. */
  mostVersions(): number;
  /** Names of pods that were told to end while a Service still sent them traffic. */
  endedInTraffic(): readonly string[];
  /** Most pods that were not on their way out at one moment since `begin`. */
  mostPods(): number;
  begin(): void;
  stop(): Promise<void>;
}

/** Follows the EndpointSlices of a Service (in any namespace) and the pods of a service, or of one instance. */
export async function observeService(cluster: Cluster, service: string, paastaService: string, instance?: string): Promise<Observer> {
  const abort = new AbortController();
  const door = await connect(cluster, abort.signal, 'observer');
  const pods = new Map<string, Pod>();
  const traffic = new Serving();
  let [fewest, most, crowd] = [Number.POSITIVE_INFINITY, 0, 0];
  const staying = (): Pod[] =>
    [...pods.values()].filter(
      (p) => p.metadata.deletionTimestamp === undefined && p.status?.phase !== 'Failed' && p.status?.phase !== 'Succeeded',
    );
  const serving = (): number => traffic.pods.length;
  const versions = (): number =>
    new Set(
      staying()
        .filter((p) => p.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true)
        .map((p) => p.metadata.labels?.['paasta.yelp.com/git_sha']),
    ).size;
  const note = (): void => {
    fewest = Math.min(fewest, serving());
    most = Math.max(most, versions());
    crowd = Math.max(crowd, staying().length);
  };
  const follow = async (
    kind: KindName,
    labelSelector: string,
    put: (o: KubeObject) => void,
    gone: (o: KubeObject) => void,
    clear: () => void,
  ): Promise<void> => {
    for await (const change of door.watch(KINDS[kind], { labelSelector, signal: abort.signal })) {
      if (change.type === 'reset') {
        clear();
        change.items.forEach(put);
      } else if (change.type === 'put') put(change.object);
      else if (change.type === 'gone') gone(change.object);
      note();
    }
  };
  const done = Promise.allSettled([
    follow(
      'EndpointSlice',
      `kubernetes.io/service-name=${service}`,
      (o) => {
        traffic.slice(o as EndpointSlice, false);
      },
      (o) => {
        traffic.slice(o as EndpointSlice, true);
      },
      () => {
        traffic.clear();
      },
    ),
    follow(
      'Pod',
      `paasta.yelp.com/service=${paastaService}${instance === undefined ? '' : `,paasta.yelp.com/instance=${instance}`}`,
      (o) => {
        pods.set(objectKey(o), o as Pod);
        traffic.pod(o, false);
      },
      (o) => {
        pods.delete(objectKey(o));
        traffic.pod(o, true);
      },
      () => {
        pods.clear();
      },
    ),
  ]);
  return {
    serving,
    fewest: () => fewest,
    mostVersions: () => most,
    mostPods: () => crowd,
    endedInTraffic: () => traffic.endedInTraffic(),
    begin: () => {
      fewest = serving();
      most = versions();
      crowd = staying().length;
    },
    stop: async () => {
      abort.abort();
      await done;
      await door.close();
    },
  };
}
