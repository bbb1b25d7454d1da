/** A small cluster for tests: one Deployment with ReplicaSets and pods of two versions. */
import type { ContainerStatus, Event, KubeObject, Pod, ReplicaSet } from '../../../src/shared/objects/types.ts';
import type { Evidence, Expectation } from '../../../src/shared/health/index.ts';

export const T0 = Date.parse('2026-01-01T00:00:00Z');
export const SHA = '1'.repeat(40);
export const OLD = '2'.repeat(40);
export const DIGEST = `sha256:${'a'.repeat(64)}`;

export function at(seconds: number): string {
  return new Date(T0 + seconds * 1_000).toISOString();
}

export function labels(sha = SHA, config = 'config11111111'): Record<string, string> {
  return {
    'paasta.yelp.com/service': 'web',
    'paasta.yelp.com/instance': 'main',
    'paasta.yelp.com/git_sha': sha,
    'paasta.yelp.com/config_sha': config,
  };
}

export function expectation(more: Partial<Expectation> = {}): Expectation {
  return {
    version: { sha: SHA, imageVersion: null },
    configHash: 'config11111111',
    replicas: 2,
    marginFactor: 1,
    imageDigest: DIGEST,
    mainContainer: 'main',
    since: T0,
    ...more,
  };
}

export function workload(
  more: {
    readonly labels?: Record<string, string>;
    readonly spec?: Record<string, unknown>;
    readonly status?: Record<string, unknown>;
    readonly kind?: string;
    readonly generation?: number;
  } = {},
): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: more.kind ?? 'Deployment',
    metadata: { name: 'web-main', namespace: 'paastasvc-web', uid: 'w', generation: more.generation ?? 3, labels: more.labels ?? labels() },
    spec: { replicas: 2, ...more.spec },
    status: { observedGeneration: 3, ...more.status },
  };
}

export function replicaSet(sha: string, replicas: number, conditions: readonly Record<string, string>[] = []): ReplicaSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name: `web-main-${sha.slice(0, 6)}`, namespace: 'paastasvc-web', labels: labels(sha) },
    spec: { replicas, template: { metadata: { name: '', labels: labels(sha) }, spec: {} } },
    status: { replicas, conditions: conditions as never },
  };
}

export interface PodParts {
  readonly sha?: string;
  readonly ready?: boolean;
  readonly terminating?: number;
  readonly phase?: string;
  readonly status?: Partial<ContainerStatus>;
  readonly init?: Partial<ContainerStatus>;
  readonly spec?: Record<string, unknown>;
  readonly conditions?: readonly Record<string, string>[];
  readonly more?: Record<string, unknown>;
  /** Seconds at which it ceased to be ready. */
  readonly readyLost?: number;
}

export function pod(name: string, parts: PodParts = {}): Pod {
  const ready = parts.ready ?? false;
  const container = (status: Partial<ContainerStatus>): ContainerStatus => ({
    name: 'main',
    ready,
    restartCount: 0,
    image: 'reg/services-web:paasta-1',
    imageID: ready ? `reg/services-web@${DIGEST}` : '',
    ...(ready ? { state: { running: { startedAt: at(0) } } } : {}),
    ...status,
  });
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'paastasvc-web',
      uid: name,
      creationTimestamp: at(0),
      labels: labels(parts.sha),
      ...(parts.terminating === undefined ? {} : { deletionTimestamp: at(parts.terminating) }),
    },
    spec: { nodeName: 'n1', containers: [{ name: 'main', image: 'reg/services-web:paasta-1', ...parts.spec }] },
    status: {
      phase: parts.phase ?? (ready ? 'Running' : 'Pending'),
      conditions: [
        {
          type: 'Ready',
          status: ready ? 'True' : 'False',
          ...(parts.readyLost === undefined ? {} : { lastTransitionTime: at(parts.readyLost) }),
        },
        ...((parts.conditions ?? []) as never[]),
      ],
      containerStatuses: [container(parts.status ?? {})],
      ...(parts.init === undefined ? {} : { initContainerStatuses: [container({ name: 'prepare', ...parts.init })] }),
      ...parts.more,
    },
  };
}

export function event(
  name: string,
  reason: string,
  message: string,
  more: { readonly seconds?: number; readonly count?: number; readonly kind?: string; readonly fieldPath?: string } = {},
): Event {
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${name}.${reason}` },
    involvedObject: { kind: more.kind ?? 'Pod', name, ...(more.fieldPath === undefined ? {} : { fieldPath: more.fieldPath }) },
    type: 'Warning',
    reason,
    message,
    count: more.count ?? 1,
    lastTimestamp: at(more.seconds ?? 5),
  };
}

export function evidence(parts: Partial<Evidence>): Evidence {
  return { workload: workload(), replicaSets: [replicaSet(SHA, 2)], pods: [], events: [], ...parts };
}
