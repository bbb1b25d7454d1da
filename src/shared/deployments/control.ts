/** Start and stop tags. Rule: desired states of generate_deployments_for_service.py. */
import { isTimestamp } from '../contract/timestamps.ts';
import { parseTag } from '../contract/tags.ts';
import type { Control, Ref } from './types.ts';

/** What the start and stop tags on one commit say about one control branch. */
export interface ControlState extends Control {
  readonly branch: string;
  readonly sha: string;
}

/** All that was said about a branch on a commit, in the order of the list. */
type Sayings = { readonly branch: string; readonly sha: string; readonly outer: boolean; readonly state: Control }[];

const STARTED: Control = { desiredState: 'start', forceBounce: null };

function sayings(refs: readonly Ref[]): Sayings {
  return refs.flatMap((ref) => {
    const tag = parseTag(ref.name);
    if (tag?.kind !== 'start' && tag?.kind !== 'stop') return [];
    const state: Control = { desiredState: tag.kind, forceBounce: tag.token };
    const said = { branch: tag.branch, sha: ref.sha, outer: false, state };
    // `paasta-paasta-dev.main-…` is branch dev.main with a doubled prefix, and branch main of a cluster paasta-dev.
    return tag.outerBranch === tag.branch ? [said] : [said, { ...said, branch: tag.outerBranch, outer: true }];
  });
}

/** The greatest token wins (compared as text); of equal ones the later in the list, so that `-stop` beats `-start`. */
function last(states: readonly Control[]): Control | undefined {
  let winner: Control | undefined;
  for (const state of states) if (winner === undefined || (state.forceBounce ?? '') >= (winner.forceBounce ?? '')) winner = state;
  return winner;
}

/** The state of every branch and commit that has start or stop tags, as PaaSTA computes it. */
export function controlStates(refs: readonly Ref[]): readonly ControlState[] {
  const grouped = new Map<string, Sayings>();
  for (const said of sayings(refs)) {
    if (said.outer) continue;
    const key = `${said.sha} ${said.branch}`;
    const known = grouped.get(key);
    if (known === undefined) grouped.set(key, [said]);
    else known.push(said);
  }
  return [...grouped.values()].flatMap((all) => {
    const [first] = all;
    const winner = last(all.map(({ state }) => state));
    return first === undefined || winner === undefined ? [] : [{ branch: first.branch, sha: first.sha, ...winner }];
  });
}

/** Looks up control states of one list of refs. */
export interface ControlIndex {
  /**
   * State of a branch while its group runs a commit. `since`: stops that were said before this timestamp do not count, because
   * another version ran in between (design §5.8); without it every stop on that commit counts, as in PaaSTA.
   */
  state(branch: string, sha: string, since?: string): Control;
}

export function controlIndex(refs: readonly Ref[]): ControlIndex {
  const byKey = new Map<string, Control[]>();
  for (const { branch, sha, state } of sayings(refs)) {
    const key = `${sha} ${branch}`;
    const known = byKey.get(key);
    if (known === undefined) byKey.set(key, [state]);
    else known.push(state);
  }
  return {
    state(branch, sha, since) {
      const states = byKey.get(`${sha} ${branch}`) ?? [];
      // A token that is no timestamp says nothing about when it was said: it counts.
      const bound =
        since === undefined
          ? states
          : states.filter(
              ({ desiredState, forceBounce }) =>
                desiredState === 'start' || forceBounce === null || !isTimestamp(forceBounce) || forceBounce >= since,
            );
      return last(bound) ?? STARTED;
    },
  };
}
