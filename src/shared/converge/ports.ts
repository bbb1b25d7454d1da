/** What convergence needs of the outside. Implemented by the adapters, wired by the stage, faked in tests. */
import type { Clock, Log } from '../contract/ports.ts';
import type { Deployments } from '../deployments/types.ts';
import type { Kind, KubeObject, ProxyMethod } from '../objects/types.ts';

export interface Listing {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface Listed {
  readonly items: KubeObject[];
  readonly resourceVersion: string;
}

/** What a watch says; `reset` carries everything that exists. */
export type Change =
  | { readonly type: 'reset'; readonly items: readonly KubeObject[] }
  | { readonly type: 'put'; readonly object: KubeObject }
  | { readonly type: 'gone'; readonly object: KubeObject }
  | { readonly type: 'lost'; readonly message: string }
  | { readonly type: 'back' };

export type Applied =
  | { readonly outcome: 'applied'; readonly object: KubeObject; readonly created: boolean; readonly warnings: readonly string[] }
  | {
      readonly outcome: 'conflict';
      readonly conflicts: readonly { readonly manager: string; readonly field: string }[];
      readonly message: string;
    };

/** A request to a port of a pod. */
export interface PodRequest {
  readonly scheme: 'http' | 'https';
  readonly port: number;
  /** Path and query. */
  readonly path: string;
  readonly method: ProxyMethod;
  readonly form?: Readonly<Record<string, string>>;
}

/** A cluster. Refusals of the API server are thrown as `UserError` with its `status` on them. */
export interface ClusterAccess {
  readonly target: { readonly server: string; readonly context: string };
  readonly requests: { readonly reads: number; readonly writes: number };
  list(kind: Kind, options?: Listing): Promise<Listed>;
  get(kind: Kind, namespace: string | undefined, name: string): Promise<KubeObject | undefined>;
  /** Asks for metadata only: the content of a Secret is never read. */
  exists(kind: Kind, namespace: string | undefined, name: string): Promise<boolean>;
  apply(
    object: KubeObject,
    options?: { readonly fieldManager?: string; readonly force?: boolean; readonly dryRun?: boolean },
  ): Promise<Applied>;
  /** `undefined` when one of that name exists. */
  create(object: KubeObject, options?: { readonly dryRun?: boolean }): Promise<KubeObject | undefined>;
  patch(object: KubeObject, body: unknown, contentType?: string): Promise<KubeObject>;
  /** False when there was nothing to delete. `uid`: only this very object. */
  delete(
    kind: Kind,
    namespace: string | undefined,
    name: string,
    options?: { readonly uid?: string; readonly propagation?: 'Foreground' | 'Background' | 'Orphan' },
  ): Promise<boolean>;
  watch(kind: Kind, options: Listing & { readonly resourceVersion?: string; readonly signal: AbortSignal }): AsyncGenerator<Change>;
  /** Through the API server's proxy. `status` is `undefined` when the pod was not reached (`body` says why). */
  podRequest(
    namespace: string,
    pod: string,
    request: PodRequest,
    signal: AbortSignal,
  ): Promise<{ readonly status: number | undefined; readonly body: string }>;
  logs(
    namespace: string,
    pod: string,
    container: string,
    options?: { readonly tailLines?: number; readonly previous?: boolean },
  ): Promise<string | undefined>;
}

/** Which version every deploy group of a service runs. */
export interface VersionSource {
  deployments(service: string): Promise<Deployments>;
}

/** Digest of an image by its tag; `undefined` when the registry has no such image. */
export interface DigestSource {
  resolveDigest(reference: string): Promise<string | undefined>;
  /** Digests of the images behind an index: some nodes report the one that they run. */
  members?(reference: string): Promise<readonly string[] | undefined>;
}

export interface ConvergePorts {
  readonly cluster: ClusterAccess;
  readonly versions: VersionSource;
  /** Absent when images are not pinned. */
  readonly digests: DigestSource | undefined;
  readonly log: Log;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Status that the API server gave a refusal; `undefined` for anything else that was thrown. */
export function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('status' in error)) return undefined;
  return typeof error.status === 'number' ? error.status : undefined;
}
