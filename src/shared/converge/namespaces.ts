/** What namespaces that we make hold beside instances: limits, role bindings, and copies of the secrets with which images are pulled. */
import { problem, UserError, warning, type Problem } from '../contract/errors.ts';
import type { LabelPrefixes } from '../contract/names.ts';
import { canonicalJson } from '../contract/canonical-json.ts';
import { KINDS, type KindName, type KubeObject } from '../objects/types.ts';
import { isOurs, keyFor, MARKER, objectKey, type Plan, type Step } from '../plan/index.ts';
import type { SystemConfig } from '../soa-configs/types.ts';
import { ANNOTATIONS, limitRange, pullSecretCopies, roleBindings, systemPullSecrets } from '../workload/index.ts';
import { look, type Selectors, type Sight } from './observe.ts';
import { pooled } from './pool.ts';
import { statusOf, type ClusterAccess } from './ports.ts';

export interface Furnishing {
  readonly cluster: ClusterAccess;
  readonly system: SystemConfig;
  readonly prefixes: LabelPrefixes;
}

/** Only these are copied: whoever may write the system configuration gets at no other secrets through it. */
const PULL_SECRET_TYPES = ['kubernetes.io/dockerconfigjson', 'kubernetes.io/dockercfg'];

function changing(plan: Plan): ReadonlySet<string> {
  const steps = [...plan.shared, ...plan.instances.flatMap(({ steps: own }) => own)];
  return new Set([
    ...plan.namespaces.map(({ object }) => object.metadata.name),
    ...steps.flatMap(({ object }) => object.metadata.namespace ?? []),
  ]);
}

/** Reads the originals and the copies; puts the copies into the sight without their content, so that no plan can hold it. */
async function lookAtSecrets(
  sight: Sight,
  { cluster, system }: Furnishing,
): Promise<{ readonly types: ReadonlyMap<string, string>; readonly problems: readonly Problem[] }> {
  const wanted = systemPullSecrets(system);
  const types = new Map<string, string>();
  const problems: Problem[] = [];
  const contents = new Map<string, string>();
  await pooled(wanted, 4, async ({ name, namespace }) => {
    const title = `${namespace}/${name}`;
    try {
      const original = await cluster.get(KINDS.Secret, namespace, name);
      if (original === undefined)
        problems.push(
          problem('PULL_SECRET_MISSING', `Secret ${title} does not exist: it cannot be copied, and pods that name it pull without it`, {
            hint: 'make it (kubectl create secret docker-registry), or take it out of image_pull_secrets of the system configuration',
          }),
        );
      else if (!PULL_SECRET_TYPES.includes(String(original['type'])))
        problems.push(
          problem(
            'PULL_SECRET_TYPE',
            `Secret ${title} is of type ${String(original['type'])}: only ${PULL_SECRET_TYPES.join(' and ')} are copied`,
          ),
        );
      else {
        types.set(title, String(original['type']));
        contents.set(title, canonicalJson(original['data'] ?? {}));
      }
    } catch (error) {
      if (!(error instanceof UserError) || statusOf(error) !== 403) throw error;
      problems.push(...error.problems);
    }
  });
  if (types.size === 0) return { types, problems };
  try {
    const { items } = await cluster.list(KINDS.Secret, { labelSelector: `${MARKER.label}=${MARKER.value}` });
    for (const copy of items) {
      const of = copy.metadata.annotations?.[ANNOTATIONS.copyOf];
      if (of === undefined) continue;
      // Another content is a difference of the one field that the plan may show.
      const said = contents.get(of) === canonicalJson(copy['data'] ?? {}) ? of : `${of}, with another content`;
      sight.objects.set(keyFor('Secret', copy.metadata.namespace, copy.metadata.name), withoutContent(copy, said));
    }
  } catch (error) {
    if (!(error instanceof UserError) || statusOf(error) !== 403) throw error;
    return { types: new Map(), problems: [...problems, ...error.problems] };
  }
  return { types, problems };
}

function withoutContent(copy: KubeObject, of: string): KubeObject {
  const { data: _data, ...rest } = copy;
  const managedFields = (copy.metadata.managedFields ?? []).map((entry) => {
    const { 'f:data': _owned, ...fields } = entry.fieldsV1 ?? {};
    return { ...entry, fieldsV1: fields };
  });
  return {
    ...rest,
    metadata: { ...copy.metadata, annotations: { ...copy.metadata.annotations, [ANNOTATIONS.copyOf]: of }, managedFields },
  };
}

/**
 * What belongs into namespaces that are ours or that the plan makes; in those of others nothing is put. Limits and bindings are looked at only
 * where the plan writes something, so that a pass without a change asks nothing more; pull secrets always, when there are any.
 */
export async function furnish(
  plan: Plan,
  names: readonly string[],
  sight: Sight,
  selectors: Selectors,
  furnishing: Furnishing,
): Promise<{ readonly objects: readonly KubeObject[]; readonly problems: readonly Problem[] }> {
  const { cluster, system } = furnishing;
  if (sight.unreadable.has('Namespace')) return { objects: [], problems: [] };
  const own = [...new Set(names)].sort().filter((name) => {
    const live = sight.objects.get(keyFor('Namespace', undefined, name));
    return live === undefined || isOurs(live);
  });
  const moved = changing(plan);
  const here = own.filter((name) => moved.has(name));
  const bound = here.map((name) => roleBindings(name, system));
  const problems: Problem[] = [...(bound[0]?.problems ?? [])];
  const inside = [...here.flatMap((name) => limitRange(name, system) ?? []), ...bound.flatMap(({ bindings }) => bindings)];
  const kinds = [...new Set(inside.map(({ kind }) => kind as KindName))];
  await look(cluster, kinds, selectors, sight);
  for (const kind of kinds) {
    if (sight.unreadable.has(kind))
      problems.push(
        warning(
          'NAMESPACE_INCOMPLETE',
          `${kind} objects may not be read: none is put into the namespaces ${here.slice(0, 5).join(', ')}${here.length > 5 ? ', …' : ''}`,
          { hint: `grant list, create and patch on ${KINDS[kind].plural}, or leave them out in the system configuration` },
        ),
      );
  }
  const readable = inside.filter(({ kind }) => !sight.unreadable.has(kind));
  if (own.length === 0 || systemPullSecrets(system).length === 0) return { objects: readable, problems };
  const secrets = await lookAtSecrets(sight, furnishing);
  return {
    objects: [...readable, ...own.flatMap((name) => pullSecretCopies(name, system, secrets.types))],
    problems: [...problems, ...secrets.problems],
  };
}

/** A step as it is written: a copy of a pull secret with its content, whoever changed that; everything else as it is. */
export async function withContent(step: Step, cluster: ClusterAccess): Promise<Step> {
  const { object } = step;
  const of = object.kind === 'Secret' ? object.metadata.annotations?.[ANNOTATIONS.copyOf] : undefined;
  if (of === undefined) return step;
  const [namespace = '', name = ''] = of.split('/');
  const original = await cluster.get(KINDS.Secret, namespace, name);
  if (original === undefined)
    throw Object.assign(new UserError(problem('PULL_SECRET_MISSING', `Secret ${of} does not exist any more`)), { status: 404 });
  return { ...step, object: { ...object, data: original['data'] ?? {} }, force: true };
}

/** True for what must be there before anything else of a namespace. */
export function isNamespace({ object }: { readonly object: KubeObject }): boolean {
  return objectKey(object).startsWith('Namespace/');
}
