import { sameVersion, type DeploymentVersion } from '../contract/deployment-version.ts';
import { imageVersionFor, parseTag, type ControlTag } from '../contract/tags.ts';
import type { Ref } from '../deployments/types.ts';
import type { Mark } from './types.ts';

/** Deploy tags of a group, newest first; of two of the same second the first in byte order of the names counts as newer. */
export function marksOf(refs: readonly Ref[], group: string): readonly Mark[] {
  const marks: Mark[] = [];
  for (const ref of refs) {
    const tag = parseTag(ref.name);
    if (tag?.kind !== 'deploy') continue;
    const imageVersion = imageVersionFor(tag, group);
    if (imageVersion !== undefined) marks.push({ tag: tag.name, timestamp: tag.timestamp, sha: ref.sha, imageVersion });
  }
  return marks.sort((a, b) => (a.timestamp === b.timestamp ? (a.tag < b.tag ? -1 : 1) : a.timestamp > b.timestamp ? -1 : 1));
}

/** Timestamps of the rollback tags of a group on a commit, newest first. The image version is not compared, as in PaaSTA's `get_rollback_tags_for_sha`. */
export function rollbacksOf(refs: readonly Ref[], group: string, sha: string): readonly string[] {
  return refs
    .flatMap((ref) => {
      const tag = ref.sha === sha ? parseTag(ref.name) : undefined;
      return tag?.kind === 'rollback' && imageVersionFor(tag, group) !== undefined ? [tag.timestamp] : [];
    })
    .sort()
    .reverse();
}

/**
 * Is the instance stopped under the version that its group runs? The newest start or stop tag on that commit decides, unless
 * another version was marked after it (a stop binds to the mark that it was made under).
 */
export function isStopped(refs: readonly Ref[], branch: string, current: DeploymentVersion, marks: readonly Mark[]): boolean {
  let last: ControlTag | undefined;
  for (const ref of refs) {
    const tag = ref.sha === current.sha ? parseTag(ref.name) : undefined;
    if (tag === undefined || (tag.kind !== 'start' && tag.kind !== 'stop')) continue;
    if (tag.branch !== branch && tag.outerBranch !== branch) continue;
    if (last === undefined || tag.token >= last.token) last = tag;
  }
  if (last?.kind !== 'stop') return false;
  const { token } = last;
  return !marks.some((mark) => mark.timestamp > token && !sameVersion(mark, current));
}
