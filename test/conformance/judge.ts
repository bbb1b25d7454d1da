/** The product's answer to one case, against what the case and the rules want. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { equalByValue } from './compare.ts';
import { DIFFERENCES } from './differences.ts';
import type { Answer, Case, Difference, Plug } from './types.ts';

const KINDS = join(dirname(fileURLToPath(import.meta.url)), 'kinds');

/** `undefined`: there is none. A plug that cannot be loaded is reported and does not stop the other kinds. */
export async function loadPlug(kind: string): Promise<Plug | undefined> {
  const file = join(KINDS, `${kind}.ts`);
  if (!existsSync(file)) return undefined;
  try {
    return ((await import(file)) as { readonly plug: Plug }).plug;
  } catch (error) {
    process.stderr.write(`! kind ${kind} cannot be loaded: ${error instanceof Error ? error.message : String(error)}\n`);
    return undefined;
  }
}

/** The wanted value after every rule that applies, and those rules. Equal without any rule is equal. */
export function judge(
  plug: Plug,
  answer: Answer,
  test: Case,
): { readonly verdict: 'equal' | 'listed' | 'unexplained'; readonly rules: readonly Difference[]; readonly wanted: unknown } {
  const same = (wanted: unknown): boolean =>
    plug.equal === undefined ? equalByValue(answer.ours, wanted) : plug.equal({ ours: answer.ours, wanted }, test);
  if (same(answer.wanted)) return { verdict: 'equal', rules: [], wanted: answer.wanted };
  const rules = DIFFERENCES.filter((rule) => rule.kinds.includes(test.kind) && rule.applies(test));
  // A rule counts only when it changes what is wanted.
  let wanted = answer.wanted;
  const used = rules.filter((rule) => {
    const next = rule.instead(wanted, test);
    const changed = !equalByValue(next, wanted);
    wanted = next;
    return changed;
  });
  return { verdict: used.length > 0 && same(wanted) ? 'listed' : 'unexplained', rules: used, wanted };
}
