/** Small questions about Kubernetes objects, answered the same way everywhere. All of them tolerate what is missing. */
import type { Condition, ContainerStatus, KubeObject, Pod } from './types.ts';

/** `<kind> <namespace>/<name>`, for messages; the namespace is left out for kinds that have none. */
export function objectName(object: KubeObject): string {
  return `${object.kind} ${objectPath(object)}`;
}

/** `<namespace>/<name>`, or the name alone. */
export function objectPath(object: KubeObject): string {
  const { namespace, name } = object.metadata;
  return namespace === undefined || namespace === '' ? name : `${namespace}/${name}`;
}

/** Identity of an object over all kinds: equal for the same object, whatever version of the API it was read through. */
export function objectKey(object: KubeObject): string {
  return `${object.kind}/${object.metadata.namespace ?? ''}/${object.metadata.name}`;
}

export function labelOf(object: KubeObject, key: string): string | undefined {
  return object.metadata.labels?.[key];
}

export function annotationOf(object: KubeObject, key: string): string | undefined {
  return object.metadata.annotations?.[key];
}

/** True when every label of a selector is on the object. An empty selector selects nothing here. */
export function selects(selector: Readonly<Record<string, string>>, object: KubeObject): boolean {
  const wanted = Object.entries(selector);
  return wanted.length > 0 && wanted.every(([key, value]) => labelOf(object, key) === value);
}

/** The object that controls this one (a ReplicaSet for a pod, a Deployment for a ReplicaSet). */
export function controllerOf(object: KubeObject): { readonly kind: string; readonly name: string; readonly uid: string } | undefined {
  return object.metadata.ownerReferences?.find(({ controller }) => controller === true);
}

export function isTerminating(object: KubeObject): boolean {
  return object.metadata.deletionTimestamp !== undefined;
}

export function conditionOf(object: { readonly status?: { readonly conditions?: unknown } | undefined }, type: string): Condition | undefined {
  const conditions = object.status?.conditions;
  return Array.isArray(conditions) ? (conditions as readonly Condition[]).find((condition) => condition.type === type) : undefined;
}

export function isReady(pod: Pod): boolean {
  return conditionOf(pod, 'Ready')?.status === 'True';
}

/** Statuses of all containers, those of init containers first. */
export function containerStatuses(pod: Pod): readonly ContainerStatus[] {
  return [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
}

export function containerStatus(pod: Pod, container: string): ContainerStatus | undefined {
  return containerStatuses(pod).find(({ name }) => name === container);
}

/** Digest in an image reference or image id (`registry/name@sha256:…`, `docker-pullable://…`, `sha256:…`). */
export function digestIn(image: string): string | undefined {
  return /sha256:[0-9a-f]{64}$/.exec(image)?.[0];
}

/** Containers of a pod template (Deployment, StatefulSet, ReplicaSet, Job). */
export function templateContainers(workload: KubeObject): readonly { readonly name: string; readonly image?: string; readonly env?: readonly { readonly name: string; readonly value?: string }[] }[] {
  const template = workload.spec?.['template'];
  const spec = typeof template === 'object' && template !== null ? (template as { readonly spec?: { readonly containers?: unknown } }).spec : undefined;
  return Array.isArray(spec?.containers) ? (spec.containers as readonly { readonly name: string }[]) : [];
}

/** `spec.replicas` of a workload; Kubernetes' default is 1. */
export function specReplicas(workload: KubeObject): number {
  const replicas = workload.spec?.['replicas'];
  return typeof replicas === 'number' ? replicas : 1;
}
