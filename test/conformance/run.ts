/**
 * `npm run conformance -- [DIR] [--kind K] [--case ID]`: runs vectors against the product.
 * Prints per kind equal, listed differences, unexplained, not yet covered. Exits 1 on anything unexplained, on uncovered cases
 * of the kinds that are due, on a rule that no case uses (neither here nor in the default directory nor among the rare ones) or that excuses
 * too much, and on a directory without cases.
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { defaultDirectory, RARE, readCases } from './cases.ts';
import { differencesBetween, shown } from './compare.ts';
import { DIFFERENCES } from './differences.ts';
import { judge, loadPlug } from './judge.ts';
import type { Answer, Case, Difference, Plug } from './types.ts';

/** Kinds whose cases must all be covered. */
const DUE: readonly string[] = ['bounce', 'config', 'hash', 'instances', 'names', 'objects', 'tags', 'validate', 'yaml'];
const UNLABELLED_SHARE = 0.02;
const MOST_RULES = 40;

interface Tally {
  equal: number;
  listed: number;
  uncovered: number;
  readonly unexplained: string[];
  readonly excused: Map<Difference, number>;
}

function showCase(test: Case, answer: Answer | undefined, result: ReturnType<typeof judge> | undefined): void {
  process.stdout.write(`${test.id} (${test.kind}) ${test.notes.join(' ')}\n`);
  const files = test.input['files'];
  for (const [name, value] of Object.entries(test.input)) {
    if (name === 'files' && typeof files === 'object' && files !== null && !Array.isArray(files)) {
      for (const [path, text] of Object.entries(files)) process.stdout.write(`--- ${path}\n${String(text)}\n`);
    } else process.stdout.write(`--- input.${name}: ${shown(value, 1)}\n`);
  }
  process.stdout.write(`--- expected: ${shown(test.expected, 1)}\n`);
  if (answer === undefined || result === undefined) {
    process.stdout.write('--- ours: not yet covered\n');
    return;
  }
  process.stdout.write(`--- ours: ${shown(answer.ours, 1)}\n--- ${result.verdict} ${result.rules.map((rule) => rule.name).join(', ')}\n`);
  for (const line of differencesBetween(answer.ours, result.wanted)) process.stdout.write(`    ${line}\n`);
}

/** Rules that explain a case for which they were made. Other sets are drawn anew, and need not hold a rare case. */
async function usedElsewhere(wanted: readonly Difference[], directories: readonly string[]): Promise<ReadonlySet<Difference>> {
  const used = new Set<Difference>();
  for (const test of directories.flatMap(readCases)) {
    if (!wanted.some((rule) => !used.has(rule) && rule.kinds.includes(test.kind))) continue;
    const plug = await loadPlug(test.kind);
    const answer = await plug?.answer(test);
    const result = plug === undefined || answer === undefined ? undefined : judge(plug, answer, test);
    if (result?.verdict === 'listed') for (const rule of result.rules) used.add(rule);
  }
  return used;
}

async function ruleFaults(tallies: ReadonlyMap<string, Tally>, wholeSet: boolean, isReference: boolean): Promise<string[]> {
  const faults: string[] = [];
  if (DIFFERENCES.length > MOST_RULES) faults.push(`${DIFFERENCES.length} rules; at most ${MOST_RULES} are allowed`);
  for (const [kind, tally] of tallies) {
    const total = tally.equal + tally.listed + tally.uncovered + tally.unexplained.length;
    for (const [rule, count] of tally.excused) {
      // On a slice of a few dozen cases a share says nothing: one case is always allowed.
      if (!rule.foreseen && count > Math.max(1, total * UNLABELLED_SHARE))
        faults.push(`rule ${rule.name} excuses ${count} of ${total} cases of ${kind}; more than 2 %`);
    }
  }
  if (wholeSet) {
    const unused = DIFFERENCES.filter(
      (rule) =>
        rule.kinds.some((kind) => (tallies.get(kind)?.equal ?? 0) > 0) && !rule.kinds.some((kind) => tallies.get(kind)?.excused.has(rule)),
    );
    const elsewhere = await usedElsewhere(unused, [...(isReference ? [] : [defaultDirectory()]), RARE]);
    for (const rule of unused) if (!elsewhere.has(rule)) faults.push(`rule ${rule.name} is used by no case`);
  }
  return faults;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { kind: { type: 'string' }, case: { type: 'string' }, verbose: { type: 'boolean', short: 'v' } },
  });
  const directory = positionals[0] === undefined ? defaultDirectory() : resolve(positionals[0]);
  const cases = readCases(directory).filter(
    (test) => (values.kind === undefined || test.kind === values.kind) && (values.case === undefined || test.id === values.case),
  );
  if (cases.length === 0) {
    process.stderr.write(
      `no cases in ${directory}${values.kind === undefined ? '' : ` of kind ${values.kind}`}${values.case === undefined ? '' : ` with id ${values.case}`}\n`,
    );
    return 1;
  }
  const plugs = new Map<string, Plug | undefined>();
  const tallies = new Map<string, Tally>();
  for (const test of cases) {
    if (!plugs.has(test.kind)) plugs.set(test.kind, await loadPlug(test.kind));
    const plug = plugs.get(test.kind);
    const tally = tallies.get(test.kind) ?? { equal: 0, listed: 0, uncovered: 0, unexplained: [], excused: new Map<Difference, number>() };
    tallies.set(test.kind, tally);
    let answer: Answer | undefined;
    let result: ReturnType<typeof judge> | undefined;
    try {
      answer = await plug?.answer(test);
      result = plug === undefined || answer === undefined ? undefined : judge(plug, answer, test);
    } catch (error) {
      tally.unexplained.push(
        `${test.id}: the runner's plug, or a rule, threw: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      );
      if (values.case !== undefined) showCase(test, answer, undefined);
      continue;
    }
    if (values.case !== undefined) showCase(test, answer, result);
    if (result === undefined || answer === undefined) {
      tally.uncovered++;
      continue;
    }
    if (result.verdict === 'equal') tally.equal++;
    else if (result.verdict === 'listed') {
      tally.listed++;
      for (const rule of result.rules) tally.excused.set(rule, (tally.excused.get(rule) ?? 0) + 1);
    } else
      tally.unexplained.push(
        `${test.id} [${test.notes.join(' ')}]\n      ${differencesBetween(answer.ours, result.wanted).slice(0, 6).join('\n      ')}`,
      );
  }

  let failed = false;
  for (const [kind, tally] of [...tallies].sort(([a], [b]) => (a < b ? -1 : 1))) {
    process.stdout.write(
      `${kind}: ${tally.equal} equal, ${tally.listed} listed differences, ${tally.unexplained.length} unexplained, ${tally.uncovered} not yet covered\n`,
    );
    for (const [rule, count] of tally.excused) process.stdout.write(`    ${rule.name} ×${count}: ${rule.reason}\n`);
    const limit = values.verbose === true ? Infinity : 10;
    for (const line of tally.unexplained.slice(0, limit)) process.stdout.write(`  ! ${line}\n`);
    if (tally.unexplained.length > limit) process.stdout.write(`  ! … ${tally.unexplained.length - limit} more (-v shows all)\n`);
    if (tally.unexplained.length > 0 || (tally.uncovered > 0 && DUE.includes(kind))) failed = true;
  }
  const isReference = directory === defaultDirectory();
  const whole = values.kind === undefined && values.case === undefined && (isReference || cases.length > 1_000);
  for (const fault of values.case === undefined ? await ruleFaults(tallies, whole, isReference) : []) {
    process.stdout.write(`! ${fault}\n`);
    failed = true;
  }
  return failed ? 1 : 0;
}

// `… | head` closes the pipe early: that is no failure of the run.
process.stdout.on('error', () => process.exit());
process.exitCode = await main();
