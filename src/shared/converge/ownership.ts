/** Moving field ownership before an adoption, so that fields which we do not render go away with the next apply instead of staying for ever. */
import { KINDS, type Kind, type KindName, type KubeObject } from '../objects/types.ts';
import { statusOf, type ClusterAccess } from './ports.ts';

/** An autoscaler and a rollout write several times a second at most. */
const TRIES = 5;

type Fields = Record<string, unknown>;
type Managed = NonNullable<KubeObject['metadata']['managedFields']>[number];

function merge(into: Fields, from: Fields): Fields {
  for (const [key, value] of Object.entries(from)) {
    const there = into[key];
    into[key] =
      typeof there === 'object' && there !== null && typeof value === 'object' && value !== null
        ? merge({ ...(there as Fields) }, value as Fields)
        : value;
  }
  return into;
}

/** The fields without `spec.replicas`, and that one alone; `undefined`: it is not among them. */
function withoutCount(fields: Fields): { readonly rest: Fields; readonly count: Fields } | undefined {
  const spec = fields['f:spec'];
  if (typeof spec !== 'object' || spec === null || !('f:replicas' in spec)) return undefined;
  const { 'f:replicas': replicas, ...others } = spec as Fields;
  return { rest: { ...fields, 'f:spec': others }, count: { 'f:spec': { 'f:replicas': replicas } } };
}

/**
 * Ownership entries after the move; `undefined` when nothing is to be moved. `leavesCount`: `spec.replicas` stays with whoever has it, so
 * that an apply without it resets nothing, whatever an autoscaler does meanwhile.
 */
export function movedOwnership(
  managed: readonly Managed[],
  manager: string,
  isSource: (m: Managed) => boolean = () => true,
  leavesCount = false,
): readonly Managed[] | undefined {
  // Status and counts stay with the controllers that report them.
  const movable = (m: Managed): boolean =>
    (m.subresource ?? '') === '' &&
    m.operation === 'Update' &&
    m.manager !== 'kube-controller-manager' &&
    m.fieldsV1 !== undefined &&
    isSource(m);
  const sources = managed.filter(movable);
  const split = sources.map((m) => ({ m, parts: leavesCount ? withoutCount(m.fieldsV1 ?? {}) : undefined }));
  const from = split
    .map(({ m, parts }) => (parts === undefined ? m : { ...m, fieldsV1: parts.rest }))
    .filter((m) => JSON.stringify(m.fieldsV1) !== '{"f:spec":{}}');
  const left = split.flatMap(({ m, parts }) => (parts === undefined ? [] : [{ ...m, fieldsV1: parts.count }]));
  if (from.length === 0) return undefined;
  const own = managed.find((m) => m.manager === manager && m.operation === 'Apply' && (m.subresource ?? '') === '');
  const fieldsV1 = [...(own === undefined ? [] : [own]), ...from].reduce<Fields>(
    (all, m) => merge(all, structuredClone(m.fieldsV1 ?? {})),
    {},
  );
  const first = from[0] as Managed;
  const ours: Managed = {
    manager,
    operation: 'Apply',
    fieldsType: 'FieldsV1',
    fieldsV1,
    ...(first.apiVersion === undefined ? {} : { apiVersion: first.apiVersion }),
  };
  return [...managed.filter((m) => !movable(m) && m !== own), ...left, ours];
}

/** False when there was nothing to move. */
export async function takeOwnership(
  cluster: ClusterAccess,
  live: KubeObject,
  manager: string,
  isSource?: (m: Managed) => boolean,
  leavesCount = false,
): Promise<boolean> {
  let object = live;
  for (let tries = 1; ; tries += 1) {
    const moved = movedOwnership(object.metadata.managedFields ?? [], manager, isSource, leavesCount);
    if (moved === undefined) return false;
    try {
      await cluster.patch(
        object,
        [
          { op: 'test', path: '/metadata/resourceVersion', value: object.metadata.resourceVersion },
          { op: 'replace', path: '/metadata/managedFields', value: moved },
        ],
        'application/json-patch+json',
      );
      return true;
    } catch (error) {
      // Somebody wrote to it since it was read, if only its status: what they own stays theirs.
      const status = statusOf(error);
      const kind: Kind | undefined = KINDS[object.kind as KindName];
      if ((status !== 409 && status !== 422) || tries >= TRIES || kind === undefined) throw error;
      const newer = await cluster.get(kind, object.metadata.namespace, object.metadata.name);
      if (newer === undefined || newer.metadata.resourceVersion === object.metadata.resourceVersion) throw error;
      object = newer;
    }
  }
}
