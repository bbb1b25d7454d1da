/** Moving field ownership before an adoption, so that fields which we do not render go away with the next apply instead of staying for ever. */
import type { KubeObject } from '../objects/types.ts';
import type { ClusterAccess } from './ports.ts';

type Fields = Record<string, unknown>;
type Managed = NonNullable<KubeObject['metadata']['managedFields']>[number];

function merge(into: Fields, from: Fields): Fields {
  for (const [key, value] of Object.entries(from)) {
    const there = into[key];
    into[key] = typeof there === 'object' && there !== null && typeof value === 'object' && value !== null ? merge({ ...(there as Fields) }, value as Fields) : value;
  }
  return into;
}

/** Ownership entries after the move; `undefined` when nothing is to be moved. */
export function movedOwnership(managed: readonly Managed[], manager: string, isSource: (m: Managed) => boolean = () => true): readonly Managed[] | undefined {
  // Status and counts stay with the controllers that report them.
  const movable = (m: Managed): boolean => (m.subresource ?? '') === '' && m.operation === 'Update' && m.manager !== 'kube-controller-manager' && m.fieldsV1 !== undefined && isSource(m);
  const from = managed.filter(movable);
  if (from.length === 0) return undefined;
  const own = managed.find((m) => m.manager === manager && m.operation === 'Apply' && (m.subresource ?? '') === '');
  const fieldsV1 = [...(own === undefined ? [] : [own]), ...from].reduce<Fields>((all, m) => merge(all, structuredClone(m.fieldsV1 ?? {})), {});
  const first = from[0] as Managed;
  const ours: Managed = { manager, operation: 'Apply', fieldsType: 'FieldsV1', fieldsV1, ...(first.apiVersion === undefined ? {} : { apiVersion: first.apiVersion }) };
  return [...managed.filter((m) => !movable(m) && m !== own), ours];
}

/** False when there was nothing to move. */
export async function takeOwnership(cluster: ClusterAccess, live: KubeObject, manager: string, isSource?: (m: Managed) => boolean): Promise<boolean> {
  const moved = movedOwnership(live.metadata.managedFields ?? [], manager, isSource);
  if (moved === undefined) return false;
  await cluster.patch(
    live,
    [
      { op: 'test', path: '/metadata/resourceVersion', value: live.metadata.resourceVersion },
      { op: 'replace', path: '/metadata/managedFields', value: moved },
    ],
    'application/json-patch+json',
  );
  return true;
}
