/** Shapes of the door to the API server. Callers declare the part that they need as an interface of their own. */
import type { KubeObject, ProxyMethod } from '../objects/types.ts';

export interface ListOptions {
  /** All namespaces when absent. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Page size; 2,000 unless told, of pods 250. */
  readonly limit?: number;
}

export interface Listed {
  readonly items: KubeObject[];
  /** Where a watch may begin. */
  readonly resourceVersion: string;
}

/** A field of ours that somebody else owns. */
export interface FieldConflict {
  readonly manager: string;
  readonly field: string;
}

export type ApplyOutcome =
  | { readonly outcome: 'applied'; readonly object: KubeObject; readonly created: boolean; readonly warnings: readonly string[] }
  | { readonly outcome: 'conflict'; readonly conflicts: readonly FieldConflict[]; readonly message: string };

export interface ApplyOptions {
  readonly fieldManager?: string;
  /** Takes fields over from other managers. */
  readonly force?: boolean;
  /** The server checks everything (admission and quota included) and stores nothing. */
  readonly dryRun?: boolean;
}

/**
 * What a watch says. `reset` carries everything that exists now (the first list, or a new one after the server forgot
 * our place); `lost` and `back` are about the connection, said once each.
 */
export type Change =
  | { readonly type: 'reset'; readonly items: readonly KubeObject[] }
  | { readonly type: 'put'; readonly object: KubeObject }
  | { readonly type: 'gone'; readonly object: KubeObject }
  | { readonly type: 'lost'; readonly message: string }
  | { readonly type: 'back' };

export interface WatchOptions extends Omit<ListOptions, 'limit'> {
  /** Begin after this version (of a list); without it the watch lists first and says `reset`. */
  readonly resourceVersion?: string;
  readonly signal: AbortSignal;
}

export interface LogOptions {
  readonly tailLines?: number;
  /** Of the container before its last restart. */
  readonly previous?: boolean;
}

/** A request to a port of a pod. */
export interface PodRequest {
  readonly scheme: 'http' | 'https';
  readonly port: number;
  /** Path and query. */
  readonly path: string;
  readonly method: ProxyMethod;
  /** Sent as a form. */
  readonly form?: Readonly<Record<string, string>>;
}

export interface PodAnswer {
  /** `undefined`: the API server did not reach the pod; `body` says why. */
  readonly status: number | undefined;
  readonly body: string;
}

/** Requests that went out so far, by kind of verb. */
export interface RequestCount {
  readonly reads: number;
  readonly writes: number;
}
