/** Kinds of workloads that nobody asked for but whose pods are there: an instance that changes its kind leaves the old one behind. */
import type { KindName } from '../objects/types.ts';
import type { Sight } from './observe.ts';

/** StatefulSets cost a list of their own: only when a pod names one, or when pods may not be read. */
export function kindsOfOwners(sight: Sight): readonly KindName[] {
  if (sight.versions.has('StatefulSet') || sight.unreadable.has('StatefulSet')) return [];
  const named = sight.owned.some(
    (o) => o.kind === 'Pod' && o.metadata.ownerReferences?.some((owner) => owner.kind === 'StatefulSet') === true,
  );
  return named || sight.unreadable.has('Pod') ? ['StatefulSet'] : [];
}
