/** Deployments of one service from the refs of its repository: the truth, without any file in between. */
import { dockerImage } from '../contract/image.ts';
import { controlIndex } from './control.ts';
import { marksByGroup, rollbacksOf, runningSince, type Mark } from './marks.ts';
import { malformedTags, peeledRefs } from './refs.ts';
import type { Deployed, Deployments, Ref } from './types.ts';

export interface RefOptions {
  /** Where the refs come from, for messages. */
  readonly source?: string;
  /**
   * To what a stop binds. `mark` (default): to the mark that it was made under; a later mark of another version starts the instance for
   * good. `commit`: to the commit, so that deploying the same commit again brings the stop back (PaaSTA, and deployments.json).
   */
  readonly stopBindsTo?: 'mark' | 'commit';
}

/** Deployments with what only refs know. */
export interface RefDeployments extends Deployments {
  /** Marks of a group, newest first. */
  marks(deployGroup: string): readonly Mark[];
  /** Rollback records of a group on a commit, newest first. */
  rollbacks(deployGroup: string, sha: string): readonly Mark[];
}

/**
 * `refs` in byte order of their names, as git servers list them (a list from elsewhere goes through `inByteOrder` first): between marks of
 * the same second the first in the list counts, between a start and a stop of the same second the last. `^{}` entries are understood.
 */
export function deploymentsFromRefs(service: string, refs: readonly Ref[], options: RefOptions = {}): RefDeployments {
  const ordered = peeledRefs(refs);
  const groups = marksByGroup(ordered);
  const controls = controlIndex(ordered);
  const malformed = malformedTags(ordered, service);
  const marks = (group: string): readonly Mark[] => groups.get(group) ?? [];
  return {
    service,
    source: options.source ?? 'the repository',
    problems: malformed === undefined ? [] : [malformed],
    marks,
    rollbacks: (group, sha) => rollbacksOf(ordered, group, sha),
    version(group): Deployed | undefined {
      const [newest] = marks(group);
      return newest === undefined
        ? undefined
        : { sha: newest.sha, imageVersion: newest.imageVersion, dockerImage: dockerImage(service, newest) };
    },
    control(branch, deployGroup = branch) {
      const all = marks(deployGroup);
      const [newest] = all;
      if (newest === undefined) return { desiredState: 'start', forceBounce: null };
      return controls.state(branch, newest.sha, options.stopBindsTo === 'commit' ? undefined : runningSince(all));
    },
  };
}
