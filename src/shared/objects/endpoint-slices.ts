/** EndpointSlices: which pods a Service sends traffic to. */
import type { KubeObject } from './types.ts';

/** Label of a slice that names its Service. */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';

export interface Endpoint {
  /** `null` and absent mean unknown, which readers take for true (`ready`) and for the same as `ready` (`serving`). */
  conditions?: { ready?: boolean | null; serving?: boolean | null; terminating?: boolean | null };
  targetRef?: { kind?: string; name?: string; namespace?: string; uid?: string };
  [key: string]: unknown;
}

export interface EndpointSlice extends KubeObject {
  kind: 'EndpointSlice';
  endpoints?: Endpoint[] | null;
}

/** Does the proxy of a node send new connections to it? A pod that is being ended is not `ready` any more. */
export function isInTraffic(endpoint: Endpoint): boolean {
  return endpoint.conditions?.ready ?? true;
}

/** Uids of the pods that a slice sends traffic to. */
export function podsInTraffic(slice: EndpointSlice): readonly string[] {
  return (slice.endpoints ?? []).flatMap((endpoint) =>
    endpoint.targetRef?.kind === 'Pod' && endpoint.targetRef.uid !== undefined && isInTraffic(endpoint) ? [endpoint.targetRef.uid] : [],
  );
}

/** Does the selector of a Service choose pods with these labels? A Service without a selector chooses nothing. */
export function selects(service: KubeObject, labels: Readonly<Record<string, string>>): boolean {
  const selector = (service.spec?.['selector'] ?? {}) as Readonly<Record<string, string>>;
  const wanted = Object.entries(selector);
  return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value);
}
