/** Deploy and rollback tags of a service. Rules: `get_latest_deployment_tag`, `get_rollback_tags_for_sha`. */
import { sameVersion, type DeploymentVersion } from '../contract/deployment-version.ts';
import { groupsOf, imageVersionFor, parseTag, TAG_REF, type MarkAction } from '../contract/tags.ts';
import type { Ref } from './types.ts';

/** One mark: "this group should run this version", said at this second. */
export interface Mark extends DeploymentVersion {
  /** Name without `refs/tags/`. */
  readonly tag: string;
  readonly timestamp: string;
}

/** Marks by deploy group. A tag with a `+` can belong to several groups (`a+1` itself, or image version 1 of `a`). */
export type MarksByGroup = ReadonlyMap<string, readonly Mark[]>;

/** Newest first; of equal timestamps the one that the list has first. `refs` are dereferenced and in byte order. */
export function marksByGroup(refs: readonly Ref[], action: MarkAction = 'deploy'): MarksByGroup {
  const groups = new Map<string, Mark[]>();
  for (const ref of refs) {
    const tag = parseTag(ref.name);
    if (tag?.kind !== action) continue;
    for (const group of groupsOf(tag)) {
      const mark: Mark = {
        tag: ref.name.slice(TAG_REF.length),
        sha: ref.sha,
        imageVersion: imageVersionFor(tag, group) ?? null,
        timestamp: tag.timestamp,
      };
      const known = groups.get(group);
      if (known === undefined) groups.set(group, [mark]);
      else known.push(mark);
    }
  }
  // Sorting is stable: that keeps the order of the list between equals.
  for (const marks of groups.values()) marks.sort((a, b) => (a.timestamp === b.timestamp ? 0 : a.timestamp > b.timestamp ? -1 : 1));
  return groups;
}

/** Rollback records of a group that name a commit, newest first. The image version is not compared, as in PaaSTA. */
export function rollbacksOf(refs: readonly Ref[], group: string, sha: string): readonly Mark[] {
  return (
    marksByGroup(
      refs.filter((ref) => ref.sha === sha),
      'rollback',
    ).get(group) ?? []
  );
}

/** Since when the group runs what it runs: timestamp of the oldest mark of the unbroken row of marks of the newest version. */
export function runningSince(marks: readonly Mark[]): string | undefined {
  const [newest] = marks;
  const other = marks.findIndex((mark) => !sameVersion(mark, newest));
  return (other === -1 ? marks : marks.slice(0, other)).at(-1)?.timestamp;
}
