/** Waits until pods left the EndpointSlices of their Services (or are in them again). */
import { CancelledError, UserError } from '../contract/errors.ts';
import { SERVICE_NAME_LABEL, selects } from '../objects/endpoint-slices.ts';
import { KINDS, type KubeObject, type Pod } from '../objects/types.ts';
import type { ConvergePorts } from './ports.ts';
import { Traffic } from './traffic.ts';

/** Milliseconds within which the endpoint controller is expected to have noticed. */
export const LEAVE_LIMIT = 30_000;

/** Services of a namespace that choose any pod with these labels. */
export async function servicesOf(
  ports: Pick<ConvergePorts, 'cluster'>,
  namespace: string,
  labels: readonly Readonly<Record<string, string>>[],
): Promise<readonly KubeObject[]> {
  const { items } = await ports.cluster.list(KINDS.Service, { namespace });
  return items.filter((service) => labels.some((of) => selects(service, of)));
}

/**
 * Follows the slices of these Services until every pod is out of them (`there: false`) or in them, at most `limit` milliseconds.
 * Returns the uids for which that came true. Throws `UserError` when slices may not be read, `CancelledError` when told to stop.
 */
export async function untilTraffic(
  ports: ConvergePorts,
  namespace: string,
  services: readonly string[],
  pods: readonly Pod[],
  there: boolean,
  limit: number,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const wanted = pods.map((pod) => pod.metadata.uid ?? '');
  if (services.length === 0 || pods.length === 0) return new Set(there ? [] : wanted);
  const traffic = new Traffic();
  const reached = (): string[] => wanted.filter((uid) => traffic.has(uid) === there);
  const end = new AbortController();
  const stop = AbortSignal.any([signal, end.signal]);
  let timedOut = false;
  const timer = ports.clock.sleep(limit, stop).then(
    () => {
      timedOut = true;
      end.abort();
    },
    () => undefined,
  );
  try {
    for await (const change of ports.cluster.watch(KINDS.EndpointSlice, {
      namespace,
      labelSelector: `${SERVICE_NAME_LABEL} in (${[...services].sort().join(',')})`,
      signal: stop,
    })) {
      traffic.take(change);
      if (traffic.known && reached().length === wanted.length) break;
    }
  } catch (error) {
    if (error instanceof UserError || !timedOut) throw error;
  } finally {
    end.abort();
    await timer;
  }
  if (signal.aborted) throw new CancelledError();
  // Nothing was ever told: nobody knows.
  return new Set(traffic.known ? reached() : []);
}
