/** What the refs of a `tags` case say by the mended patterns, written anew here: not the product's. */
import type { Case, JsonMap } from './types.ts';

function escaped(text: unknown): string {
  return String(text).replace(/[.*+?^${}()|[\]\\-]/g, '\\$&');
}

/** Newest mark by the mended pattern: group letter by letter, ASCII digits, annotated tags dereferenced; none for no group. */
export function newestMark(test: Case, group: string): readonly (string | null)[] {
  if (group === '') return [null, null, null];
  const refs = test.input['refs'] as readonly (readonly [string, string])[];
  const pattern = new RegExp(`^refs/tags/paasta-${escaped(group)}(?:\\+(.*))?-([0-9]{8}T[0-9]{6})-deploy$`);
  let best: readonly (string | null)[] = [null, null, null];
  let newest = '';
  for (const [name, sha] of refs) {
    const [, imageVersion, time] = pattern.exec(name) ?? [];
    if (time === undefined || time <= newest) continue;
    newest = time;
    const commit = refs.find(([other]) => other === `${name}^{}`)?.[1] ?? sha;
    best = [name, commit, imageVersion ?? null];
  }
  return best;
}

/** State that the tags of a control branch say about a commit, the branch taken letter by letter after one prefix. */
export function outerState(test: Case, branch: string, sha: string): JsonMap {
  let best: JsonMap = { desired_state: 'start', force_bounce: null };
  const refs = test.input['refs'] as readonly (readonly [string, string])[];
  for (const [name, commit] of refs) {
    const [, token, state] = new RegExp(`^refs/tags/paasta-(?:paasta-)?${escaped(branch)}-([^-]+)-(start|stop)$`).exec(name) ?? [];
    const pointed = refs.find(([other]) => other === `${name}^{}`)?.[1] ?? commit;
    if (token !== undefined && state !== undefined && pointed === sha && token >= String(best['force_bounce'] ?? ''))
      best = { desired_state: state, force_bounce: token };
  }
  return best;
}
