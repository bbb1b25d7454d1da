/** Which version an object belongs to, by the labels that rendering puts on workloads and pod templates. */
import { shortVersion, type DeploymentVersion } from '../contract/deployment-version.ts';
import { paastaPrefixed, YELP_PREFIXES } from '../contract/names.ts';
import type { KubeObject, Pod, ReplicaSet } from '../objects/types.ts';
import type { Evidence, Expectation, ReadyPods } from './types.ts';

interface Carried {
  readonly sha: string | undefined;
  readonly imageVersion: string | null;
  readonly configHash: string | undefined;
}

function carried(labels: Readonly<Record<string, string>> | undefined, expectation: Expectation): Carried {
  const prefixes = expectation.labelPrefixes ?? YELP_PREFIXES;
  return {
    sha: labels?.[paastaPrefixed('git_sha', prefixes)],
    imageVersion: labels?.[paastaPrefixed('image_version', prefixes)] ?? null,
    configHash: labels?.[paastaPrefixed('config_sha', prefixes)],
  };
}

/** True when the labels are those of the version and configuration that this run waits for. */
export function isOurs(labels: Readonly<Record<string, string>> | undefined, expectation: Expectation): boolean {
  const found = carried(labels, expectation);
  return (
    found.sha === expectation.version.sha &&
    found.imageVersion === expectation.version.imageVersion &&
    found.configHash === expectation.configHash
  );
}

/** `1a2b3c4d (config 5e6f7a8b)`: what an object of another version is. */
export function describeVersion(labels: Readonly<Record<string, string>> | undefined, expectation: Expectation): string {
  const found = carried(labels, expectation);
  if (found.sha === undefined) return 'a version without PaaSTA labels';
  const version: DeploymentVersion = { sha: found.sha, imageVersion: found.imageVersion };
  const sameCode = found.sha === expectation.version.sha && found.imageVersion === expectation.version.imageVersion;
  return sameCode ? `configuration ${found.configHash ?? 'unknown'} of ${shortVersion(version)}` : `version ${shortVersion(version)}`;
}

/** A ReplicaSet that still wants or has pods. */
export function isActive(set: ReplicaSet): boolean {
  return (set.spec.replicas ?? 1) > 0 || (set.status?.replicas ?? 0) > 0 || (set.status?.readyReplicas ?? 0) > 0;
}

/** Labels that a ReplicaSet's pods carry. */
export function templateLabels(set: ReplicaSet): Readonly<Record<string, string>> | undefined {
  return set.spec.template.metadata?.labels ?? set.metadata.labels;
}

export function isTerminating(object: KubeObject): boolean {
  return object.metadata.deletionTimestamp !== undefined;
}

/** Evicted, preempted, lost with its node or finished: it does not count, its controller replaces it. */
export function isGone(pod: Pod): boolean {
  return pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded';
}

export function isReady(pod: Pod): boolean {
  return !isTerminating(pod) && !isGone(pod) && (pod.status?.conditions ?? []).some((c) => c.type === 'Ready' && c.status === 'True');
}

/** Who serves while the wanted version does not come up: ready pods by version, most first. */
export function readyByVersion(expectation: Expectation, { pods, oldPods = [] }: Pick<Evidence, 'pods' | 'oldPods'>): readonly ReadyPods[] {
  const counts = new Map<string, number>();
  for (const { metadata } of [...pods, ...oldPods].filter(isReady)) {
    const version = isOurs(metadata.labels, expectation) ? 'the wanted version' : describeVersion(metadata.labels, expectation);
    counts.set(version, (counts.get(version) ?? 0) + 1);
  }
  return [...counts].map(([version, count]) => ({ version, pods: count })).sort((a, b) => b.pods - a.pods);
}

/**
 * Overdue: its time to terminate is over for more than a minute and it serves nothing, as on a lost node. The API server keeps
 * such pods until the node comes back; no deploy waits for that.
 */
export function isOverdue(pod: Pod, now: number): boolean {
  const due = Date.parse(pod.metadata.deletionTimestamp ?? '');
  return now > due + 60_000 && !(pod.status?.conditions ?? []).some((c) => c.type === 'Ready' && c.status === 'True');
}
