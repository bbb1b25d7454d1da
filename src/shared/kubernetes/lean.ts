/**
 * What is kept of objects that others write and that are only looked at to judge a workload. Of pods there are thousands, and most of each is
 * a copy of its template: environment, mounts, and who wrote which field. None of it says how the pod is.
 */
import type { KubeObject, ObjectMeta } from '../objects/types.ts';

type Json = Readonly<Record<string, unknown>>;

const OF_METADATA: ReadonlySet<string> = new Set(['managedFields']);
/** Name, image, ports, probes, lifecycle and resources stay: a failure is explained with them. */
const OF_CONTAINER: ReadonlySet<string> = new Set(['env', 'envFrom', 'volumeMounts', 'volumeDevices', 'securityContext']);
const OF_POD: ReadonlySet<string> = new Set(['volumes', 'tolerations', 'affinity', 'topologySpreadConstraints']);

/** A new object and not `delete`: that leaves a hash table behind, which is larger than what is saved. */
function without(object: Json, names: ReadonlySet<string>): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(object)) if (!names.has(name)) kept[name] = value;
  return kept;
}

function leanPod(spec: Json): Record<string, unknown> {
  const kept = without(spec, OF_POD);
  for (const list of ['containers', 'initContainers']) {
    const containers = kept[list] as readonly Json[] | undefined;
    if (containers !== undefined) kept[list] = containers.map((container) => without(container, OF_CONTAINER));
  }
  return kept;
}

/** Of its template only the labels are asked for. */
function leanReplicaSet(spec: Json): Record<string, unknown> {
  const template = spec['template'] as Json | undefined;
  return template === undefined ? spec : { ...spec, template: { ...template, spec: {} } };
}

/** Drops from a pod, a ReplicaSet or an event what nobody looks at; every other object comes back as it is. */
export function lean(object: KubeObject): KubeObject {
  const { kind, spec } = object;
  if (kind !== 'Pod' && kind !== 'ReplicaSet' && kind !== 'Event') return object;
  const kept = { ...object, metadata: without(object.metadata, OF_METADATA) as ObjectMeta };
  if (spec !== undefined && kind !== 'Event') kept.spec = kind === 'Pod' ? leanPod(spec) : leanReplicaSet(spec);
  return kept;
}
