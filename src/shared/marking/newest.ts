import type { DeploymentVersion } from '../contract/deployment-version.ts';
import { controlIndex, inByteOrder, marksByGroup, rollbacksOf as rollbackMarks, runningSince, type Mark } from '../deployments/index.ts';
import type { Ref } from '../deployments/types.ts';

/** Deploy tags of a group, newest first; of two of the same second the first in byte order of the names counts as newer. */
export function marksOf(refs: readonly Ref[], group: string): readonly Mark[] {
  return marksByGroup(inByteOrder(refs)).get(group) ?? [];
}

/** Timestamps of the rollback tags of a group on a commit, newest first. The image version is not compared, as in PaaSTA's `get_rollback_tags_for_sha`. */
export function rollbacksOf(refs: readonly Ref[], group: string, sha: string): readonly string[] {
  return rollbackMarks(inByteOrder(refs), group, sha).map(({ timestamp }) => timestamp);
}

/** Branches that are stopped under the version that their group runs: what deploy will read of the same tags. */
export function stoppedBranches(
  refs: readonly Ref[],
  branches: readonly string[],
  current: DeploymentVersion,
  marks: readonly Mark[],
): readonly string[] {
  const index = controlIndex(inByteOrder(refs));
  const since = runningSince(marks);
  return branches.filter((branch) => index.state(branch, current.sha, since).desiredState === 'stop');
}

/** What all names begin with: one listing serves them all. */
export function commonBeginning(names: readonly string[]): string {
  const [first = '', ...others] = names;
  let length = first.length;
  for (const name of others) while (!name.startsWith(first.slice(0, length))) length--;
  return first.slice(0, length);
}
