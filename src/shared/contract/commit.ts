/** Commit ids. Rule: validators of paasta_tools/cli/utils.py, anchored at both ends (register P1). */
import { problem, type Problem } from './errors.ts';
import { quoted } from './validity.ts';

const FULL = /^[0-9a-f]{40}$/;
const SHORT = /^[0-9a-f]{4,39}$/;

/** A full commit id: 40 lower-case hexadecimal digits. */
export function isCommit(text: string): boolean {
  return FULL.test(text);
}

/** 4 to 39 hexadecimal digits: has to be expanded by the repository. */
export function isShortCommit(text: string): boolean {
  return SHORT.test(text);
}

/** First 8 digits, for people. */
export function shortCommit(sha: string): string {
  return sha.slice(0, 8);
}

/** A full id in lower case. Upper-case digits are accepted; everything else is a problem. */
export function parseCommit(text: string, input = 'commit'): string | Problem {
  const sha = text.trim().toLowerCase();
  if (isCommit(sha)) return sha;
  if (sha === '')
    return problem('BAD_COMMIT', `${input}: commit id is missing`, {
      input,
      hint: 'give the full 40 digits: ${{ github.sha }} in a workflow, git rev-parse HEAD on a terminal',
    });
  const hint = isShortCommit(sha)
    ? 'give all 40 digits: a shortened id can mean another commit tomorrow'
    : 'give the full 40 hexadecimal digits: ${{ github.sha }} in a workflow, git rev-parse HEAD on a terminal';
  return problem('BAD_COMMIT', `${input}: ${quoted(text)} is not a full commit id`, { input, hint });
}
