/** Lists of refs as servers give them. */
import { problem, type Problem } from '../contract/errors.ts';
import { isOurs, parseTag } from '../contract/tags.ts';
import { quoted } from '../contract/validity.ts';
import type { Ref } from './types.ts';

const PEELED = '^{}';

/**
 * Dereferences annotated tags: a `…^{}` entry says which commit the tag before it points at. PaaSTA takes the id of the tag
 * object, for which no image exists. Lists without such entries come back unchanged.
 */
export function peeledRefs(refs: readonly Ref[]): readonly Ref[] {
  const commits = new Map<string, string>();
  for (const ref of refs) if (ref.name.endsWith(PEELED)) commits.set(ref.name.slice(0, -PEELED.length), ref.sha);
  if (commits.size === 0) return refs;
  return refs.filter((ref) => !ref.name.endsWith(PEELED)).map((ref) => ({ name: ref.name, sha: commits.get(ref.name) ?? ref.sha }));
}

/** Byte order of the names, as git servers list refs: the order that decides between marks of the same second. */
export function inByteOrder(refs: readonly Ref[]): readonly Ref[] {
  const sorted = refs.every((ref, i) => i === 0 || byteOrder(refs[i - 1]?.name ?? '', ref.name) <= 0);
  return sorted ? refs : [...refs].sort((a, b) => byteOrder(a.name, b.name));
}

function byteOrder(a: string, b: string): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    // UTF-16 order differs from byte order only where a surrogate meets a character from U+E000 on.
    if (x !== y) return x >= 0xd800 && y >= 0xd800 ? (a.codePointAt(i) ?? 0) - (b.codePointAt(i) ?? 0) : x - y;
  }
  return a.length - b.length;
}

/** One warning about tags that start with `paasta-` but are none of ours, with examples. */
export function malformedTags(refs: readonly Ref[], service: string): Problem | undefined {
  const names = refs
    .filter((ref) => isOurs(ref.name) && !ref.name.endsWith(PEELED) && parseTag(ref.name) === undefined)
    .map((ref) => ref.name);
  if (names.length === 0) return undefined;
  return {
    ...problem(
      'MALFORMED_TAG',
      `${service}: ${names.length} tag${names.length === 1 ? ' starts' : 's start'} with paasta- but mark${names.length === 1 ? 's' : ''} nothing: ${names.slice(0, 3).map(quoted).join(', ')}${names.length > 3 ? ', …' : ''}`,
      {
        hint: 'marks are named paasta-<deploy group>[+<image version>]-<YYYYmmddTHHMMSS>-deploy; delete the others if they were meant to be marks',
      },
    ),
    severity: 'warning',
  };
}
