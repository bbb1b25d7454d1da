/**
 * Control branches of before 2016 (`paasta-<cluster>.<instance>`, then `paasta-<deploy group>`): a branch that said which commit runs.
 * PaaSTA stopped to read them when marks became tags; those who migrated in bulk got marks of the time 00000000T000000.
 */
import { warning, type Problem } from '../shared/contract/errors.ts';
import { deployTag, tagRef } from '../shared/contract/tags.ts';
import { quoted } from '../shared/contract/validity.ts';
import type { GroupedBranch, Ref } from '../shared/deployments/index.ts';

/** Branches that can be control branches begin so. */
export const LEGACY_PREFIX = 'refs/heads/paasta-';
/** Older than every mark: a mark always wins. */
const BEFORE_ALL = '00000000T000000';

export interface LegacyBranches {
  /** Marks that say the same as the branches; empty unless they are to be read. */
  readonly marks: readonly Ref[];
  /** One for the service, when it has any. */
  readonly problem: Problem | undefined;
}

/** What the branches of a service say. `instances`: its own, in the order of the files; of two branches of one group the first counts. */
export function legacyBranches(service: string, instances: readonly GroupedBranch[], refs: readonly Ref[], read: boolean): LegacyBranches {
  const heads = new Map(
    refs.filter(({ name }) => name.startsWith(LEGACY_PREFIX)).map((ref) => [ref.name.slice(LEGACY_PREFIX.length), ref]),
  );
  const found = new Map<string, Ref>();
  const marks = new Map<string, Ref>();
  for (const { branch, deployGroup = 'None' } of instances) {
    for (const name of [branch, deployGroup]) {
      const head = heads.get(name);
      if (head === undefined) continue;
      found.set(name, head);
      if (!marks.has(deployGroup)) marks.set(deployGroup, { name: tagRef(deployTag(deployGroup, BEFORE_ALL)), sha: head.sha });
    }
  }
  if (found.size === 0) return { marks: [], problem: undefined };
  const names = [...found.keys()].map((name) => `paasta-${name}`);
  const shown = `${names.slice(0, 3).map(quoted).join(', ')}${names.length > 3 ? ', …' : ''}`;
  const what = `${service}: ${names.length === 1 ? 'the branch' : `${String(names.length)} branches`} ${shown} ${names.length === 1 ? 'is a control branch' : 'are control branches'} of before 2016`;
  return read
    ? {
        marks: [...marks.values()],
        problem: warning('LEGACY_CONTROL_BRANCHES', `${what}; read where a deploy group has no mark`, {
          hint: 'mark the deploy groups with mark-for-deployment, then delete the branches',
        }),
      }
    : {
        marks: [],
        problem: warning('LEGACY_CONTROL_BRANCHES', `${what}: not read`, {
          hint: 'if the deploy groups are marked by tags, delete the branches; else set legacy-control-branches: true until they are',
        }),
      };
}
