/**
 * Which workload of the cluster is the wanted one of an instance, and which are old (design §5.12). Told from the cluster alone, so
 * that a run that was killed anywhere is finished by the next one.
 */
import { sameVersion } from '../contract/deployment-version.ts';
import { problem, type Problem } from '../contract/errors.ts';
import { paastaPrefixed, YELP_PREFIXES, type LabelPrefixes } from '../contract/names.ts';
import { withoutTrailing } from '../contract/trailing.ts';
import type { KubeObject } from '../objects/types.ts';
import type { RenderedInstance } from '../workload/types.ts';
import { fixedFieldsThatDiffer } from './fixed-fields.ts';
import { configHashOf, isOurs, keyFor, objectKey, replicasOf, titleOf, versionLabels } from './marks.ts';
import type { RolloutWhy } from './types.ts';

const WORKLOADS: ReadonlySet<string> = new Set(['Deployment', 'StatefulSet']);
/** The label `controller-revision-hash` of a StatefulSet's pods holds its name and ten characters more. */
const LONGEST_NAME: Readonly<Record<string, number>> = { Deployment: 253, StatefulSet: 52 };
const HASH_PREFIX = 'config';

/** Live workloads by instance, whatever their name, kind and namespace. */
export type LiveIndex = ReadonlyMap<string, readonly KubeObject[]>;

function keyOf(service: string | undefined, instance: string | undefined): string {
  return `${service ?? ''} ${instance ?? ''}`;
}

export function liveIndex(objects: Iterable<KubeObject>, prefixes: LabelPrefixes = YELP_PREFIXES): LiveIndex {
  const [service, instance] = [paastaPrefixed('service', prefixes), paastaPrefixed('instance', prefixes)];
  const index = new Map<string, KubeObject[]>();
  for (const object of objects) {
    const labels = object.metadata.labels;
    if (!WORKLOADS.has(object.kind) || labels?.[service] === undefined || labels[instance] === undefined) continue;
    const key = keyOf(labels[service], labels[instance]);
    const known = index.get(key);
    if (known === undefined) index.set(key, [object]);
    else known.push(object);
  }
  return index;
}

/** Workloads of one instance; those that say that they belong to another cluster's half are left out. */
export function liveWorkloads(
  index: LiveIndex,
  of: { readonly service: string; readonly instance: string; readonly cluster: string },
  prefixes: LabelPrefixes = YELP_PREFIXES,
): readonly KubeObject[] {
  const cluster = paastaPrefixed('cluster', prefixes);
  return (index.get(keyOf(of.service, of.instance)) ?? []).filter((o) => (o.metadata.labels?.[cluster] ?? of.cluster) === of.cluster);
}

export function isLeaving(object: KubeObject): boolean {
  return object.metadata.deletionTimestamp !== undefined;
}

export interface Identity {
  /** The instance with the name, the selector and the autoscaler's target of the wanted workload. */
  readonly rendered: RenderedInstance;
  /** Every other workload of the instance; they go. */
  readonly old: readonly KubeObject[];
  /** Absent: nothing is old. */
  readonly why?: RolloutWhy;
  /** Fixed fields of a StatefulSet differ that its pods do not depend on. */
  readonly recreates: boolean;
  readonly problems: readonly Problem[];
}

/** `web-main-1a2b3c4d`; shortened where Kubernetes wants it. */
function nameBeside(rendered: RenderedInstance): string {
  const hash = rendered.configHash.slice(rendered.configHash.startsWith(HASH_PREFIX) ? HASH_PREFIX.length : 0).slice(0, 8);
  const room = (LONGEST_NAME[rendered.workload.kind] ?? 253) - hash.length - 1;
  return `${withoutTrailing(rendered.name.slice(0, room), '-')}-${hash}`;
}

/**
 * The instance under another workload name. A name that is not the instance's own adds the config hash to the selector: pods of the
 * workload beside it carry all the other labels, too. The autoscaler follows; the object of its metrics keeps its name, because
 * the metrics are recorded under it.
 */
export function underName(rendered: RenderedInstance, name: string, prefixes: LabelPrefixes = YELP_PREFIXES): RenderedInstance {
  if (name === rendered.name) return rendered;
  const workload = structuredClone(rendered.workload);
  workload.metadata.name = name;
  const selector = (workload.spec?.['selector'] ?? {}) as { matchLabels?: Record<string, string> };
  workload.spec = {
    ...workload.spec,
    selector: { ...selector, matchLabels: { ...selector.matchLabels, [paastaPrefixed('config_sha', prefixes)]: rendered.configHash } },
  };
  const companions = rendered.companions.map((companion) => {
    if (companion.kind !== 'HorizontalPodAutoscaler') return companion;
    const target = companion.spec?.['scaleTargetRef'] as Record<string, unknown>;
    return { ...companion, spec: { ...companion.spec, scaleTargetRef: { ...target, name } } };
  });
  return { ...rendered, name, workload, companions };
}

function whyOf(
  rendered: RenderedInstance,
  old: readonly KubeObject[],
  plain: KubeObject | undefined,
  fixed: readonly string[],
): RolloutWhy | undefined {
  const first = old.find((o) => !isLeaving(o)) ?? old[0];
  if (first === undefined) return undefined;
  const { kind, metadata } = first;
  if (metadata.namespace !== rendered.namespace) return { kind: 'namespace', from: metadata.namespace ?? '', to: rendered.namespace };
  if (kind !== rendered.workload.kind) return { kind: 'kind', from: kind, to: rendered.workload.kind };
  if (fixed.length > 0 && first === plain) return { kind: 'immutable', fields: fixed };
  if (rendered.bounceMethod === 'upthendown') return { kind: 'upthendown' };
  return { kind: 'name', from: metadata.name, to: rendered.name };
}

/** Volumes do not follow into another namespace: PaaSTA refuses, too. */
function stateElsewhere(rendered: RenderedInstance, old: readonly KubeObject[]): readonly Problem[] {
  const left = old.find((o) => o.kind === 'StatefulSet' && o.metadata.namespace !== rendered.namespace && !isLeaving(o));
  if (left === undefined) return [];
  return [
    problem(
      'STATE_CANNOT_MOVE',
      `${titleOf(left)} has volumes, which cannot follow the instance into namespace ${rendered.namespace}: it is left as it is`,
      { hint: `keep the namespace; or copy the data and delete ${titleOf(left)} (its volume claims stay), then run again` },
    ),
  ];
}

/**
 * The wanted workload is the live one that carries our hash and version; else `<name>` while nothing of that kind and name lives, or
 * when that can be changed in place; else `<name>-<hash8>`.
 */
export function identify(
  given: RenderedInstance,
  objects: ReadonlyMap<string, KubeObject>,
  live: readonly KubeObject[],
  adopt: boolean,
  prefixes: LabelPrefixes = YELP_PREFIXES,
): Identity {
  const { kind } = given.workload;
  const plain = objects.get(keyFor(kind, given.namespace, given.name));
  // What others made is theirs: it blocks its name and is nothing old of ours.
  const ours = live.filter((o) => adopt || isOurs(o));
  const at = (name: string, fixed: readonly string[] = []): Identity => {
    const rendered = underName(given, name, prefixes);
    const old = ours.filter((o) => objectKey(o) !== objectKey(rendered.workload));
    if (plain !== undefined && name !== given.name && adopt && !old.includes(plain) && !ours.includes(plain)) old.push(plain);
    const why = whyOf(rendered, old, plain, fixed);
    return { rendered, old, ...(why === undefined ? {} : { why }), recreates: false, problems: stateElsewhere(rendered, old) };
  };
  const carries = (o: KubeObject): boolean => {
    if (o.kind !== kind || o.metadata.namespace !== given.namespace || isLeaving(o)) return false;
    if (configHashOf(o, prefixes) !== given.configHash || !sameVersion(versionLabels(o, prefixes), given.version)) return false;
    return fixedFieldsThatDiffer(underName(given, o.metadata.name, prefixes).workload, o).length === 0;
  };
  const [current] = ours
    .filter(carries)
    .sort((a, b) => Number(b === plain) - Number(a === plain) || a.metadata.name.localeCompare(b.metadata.name));
  if (current !== undefined) return at(current.metadata.name);
  if (plain === undefined || (!isOurs(plain) && !adopt)) return at(given.name);
  if (isLeaving(plain)) return at(nameBeside(given));
  const fixed = fixedFieldsThatDiffer(given.workload, plain);
  if (fixed.length > 0 && kind === 'StatefulSet' && !fixed.includes('spec.selector')) return { ...at(given.name), recreates: true };
  // Where nothing serves, or nothing shall, there is nothing to put something beside.
  const isSideBySide = given.bounceMethod === 'upthendown' && kind === 'Deployment' && replicasOf(plain) > 0 && given.replicas > 0;
  return fixed.length > 0 || isSideBySide ? at(nameBeside(given), fixed) : at(given.name);
}
