/**
 * The one door to a Kubernetes API server. Kubeconfig and its logins come from the client library; requests are raw JSON
 * over one pool (its typed calls open a connection each and drop fields that they do not know). This module is heavy:
 * import it late, and only where a cluster is talked to.
 */
import type { Clock, Log, Mask } from '../contract/ports.ts';
import { Cluster } from './cluster.ts';
import type { KubeconfigSource } from './credentials.ts';
import { Transport, type ProxyEnv } from './transport.ts';

export { Cluster, FIELD_MANAGER, kindOf, SCALE_MANAGER } from './cluster.ts';
export { contextNames, type KubeconfigSource } from './credentials.ts';
export { ApiRefusal } from './refusals.ts';
export type * from './types.ts';

export interface ConnectOptions {
  readonly kubeconfig: KubeconfigSource;
  /** Current context of the kubeconfig when absent. */
  readonly context?: string;
  readonly userAgent: string;
  readonly log: Pick<Log, 'debug'>;
  readonly mask: Mask;
  readonly clock: Clock;
  /** Ends every request and watch. */
  readonly signal: AbortSignal;
  /** Only HTTP(S)_PROXY and NO_PROXY are read from it. */
  readonly env: ProxyEnv;
  readonly retryFor?: number;
  readonly retryFirstFor?: number;
}

/** Reads the credentials (login plugins run now); the first request opens the connection. */
export async function connectCluster(options: ConnectOptions): Promise<Cluster> {
  const transport = new Transport({ ...options, source: options.kubeconfig, context: options.context });
  await transport.renew();
  return new Cluster(transport, options.clock, options.log);
}
