/** The plan as files, and the plan that was approved before. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, extname, resolve } from 'node:path';
import { messageOf, problem, UserError, type Problem } from '../shared/contract/errors.ts';
import { quoted } from '../shared/contract/validity.ts';
import { HASH_DIGITS } from '../shared/plan/hash.ts';
import type { Plan } from '../shared/plan/index.ts';
import { planDifferences, planDocument, planJson, readPlan, type PlanDocument } from '../shared/report/plan-json.ts';
import { planPage } from '../shared/report/plan-markdown.ts';

const FORMATS: Readonly<Record<string, (plan: Plan, hash: string, problems: readonly Problem[]) => string>> = {
  '.json': planJson,
  '.md': planPage,
};
const HASH = new RegExp(`^[0-9a-f]{${HASH_DIGITS}}$`);

/** What is wrong with a name for `plan-file`; the ending says the format. */
export function planFileProblem(value: string, input: string): Problem | undefined {
  if (extname(value) in FORMATS) return undefined;
  return problem('BAD_INPUT', `${input}: ${quoted(value)} ends neither in .json nor in .md`, {
    input,
    hint: 'write plan.json for the document, plan.md for Markdown, or both: plan.json, plan.md',
  });
}

/** Writes the plan into every file that was asked for. Throws `UserError` PLAN_FILE. */
export function writePlanFiles(files: readonly string[], directory: string, plan: Plan, hash: string, problems: readonly Problem[]): void {
  for (const file of files) {
    const path = resolve(directory, file);
    try {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, (FORMATS[extname(file)] as (typeof FORMATS)[string])(plan, hash, problems));
    } catch (error) {
      throw new UserError(
        problem('PLAN_FILE', `plan-file: ${quoted(file)} cannot be written: ${messageOf(error)}`, {
          input: 'plan-file',
          hint: 'name a file in a directory that this user may write to',
        }),
      );
    }
  }
}

/** The plan that was approved. */
export interface Expected {
  readonly hash: string;
  /** Known when the input names the file. */
  readonly document: PlanDocument | undefined;
}

/** Reads `expected-plan`: a hash, or the JSON file that `plan-file` wrote. Throws `UserError` BAD_INPUT. */
export function readExpected(value: string, directory: string): Expected {
  if (HASH.test(value)) return { hash: value, document: undefined };
  const no = (message: string): UserError =>
    new UserError(
      problem('BAD_INPUT', `expected-plan: ${message}`, {
        input: 'expected-plan',
        hint: `give the output 'plan-hash' of the approved plan (${HASH_DIGITS} hexadecimal digits) or the .json file that plan-file wrote`,
      }),
    );
  let text: string;
  try {
    text = readFileSync(resolve(directory, value), 'utf8');
  } catch {
    throw no(`${quoted(value)} is neither the hash of a plan nor a file that can be read`);
  }
  const document = readPlan(text);
  if (document === undefined) throw no(`${quoted(value)} is not a plan of this version`);
  return { hash: document.hash, document };
}

/** Throws `UserError` PLAN_CHANGED when the plan is not the approved one. */
export function requireExpected(expected: Expected, plan: Plan, hash: string): void {
  if (expected.hash === hash) return;
  const now = planDocument(plan, hash);
  const differences = expected.document === undefined ? [] : planDifferences(expected.document, now);
  const what = differences.length === 0 ? (now.changes ? '' : '; nothing is left to be done') : `; ${differences.join('; ')}`;
  throw new UserError(
    problem(
      'PLAN_CHANGED',
      `the plan is ${hash}, but ${expected.hash} was approved: soa-configs, marks or the cluster changed since${what}. Nothing was written`,
      { input: 'expected-plan', hint: `look at the plan of now, and approve ${hash}` },
    ),
  );
}
