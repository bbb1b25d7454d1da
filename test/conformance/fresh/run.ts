/**
 * `npm run conformance:fresh -- [--kind K] [--count N] [--seed S] [--mode mild|harsh] [--dir DIR] [--keep FILE] [--rare FILE]`: vectors that
 * nobody has seen.
 * Proves first that PaaSTA, brought from PyPI, answers the visible vectors of DIR as they stand. Then makes N new inputs per kind and mode
 * out of them, asks PaaSTA and the product, and judges by the rules. Exits 1 on anything unexplained; FILE takes those cases as vectors
 * (`npm run conformance -- DIRECTORY-OF-FILE --case ID` shows one). `--rare` adds to FILE the shortest case of each rule that no visible case
 * uses: so a rule that only a larger sample needs is proven by PaaSTA's own answer, too.
 */
import { appendFileSync, closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { defaultDirectory, RARE, readCases, readLines } from '../cases.ts';
import { differencesBetween, equalByValue } from '../compare.ts';
import { DIFFERENCES } from '../differences.ts';
import { judge, loadPlug } from '../judge.ts';
import type { Case, Plug } from '../types.ts';
import { answersTo, bringPaasta, freshCases } from './paasta.ts';

const KINDS = ['yaml', 'config', 'names', 'tags', 'instances', 'validate', 'objects', 'hash', 'bounce'];
const MODES = ['mild', 'harsh'];
const SHOWN = 10;

function options(): {
  kinds: readonly string[];
  modes: readonly string[];
  count: number;
  seed: number;
  directory: string;
  keep: string | undefined;
  rare: string | undefined;
} {
  const { values } = parseArgs({
    options: {
      kind: { type: 'string' },
      count: { type: 'string', default: '300' },
      seed: { type: 'string', default: '1' },
      mode: { type: 'string' },
      dir: { type: 'string' },
      keep: { type: 'string' },
      rare: { type: 'string' },
    },
  });
  const kinds = KINDS.filter((kind) => values.kind === undefined || values.kind === kind);
  const modes = MODES.filter((mode) => values.mode === undefined || values.mode === mode);
  const [count, seed] = [Number(values.count), Number(values.seed)];
  if (kinds.length === 0 || modes.length === 0 || !Number.isSafeInteger(count) || count < 1 || !Number.isSafeInteger(seed) || seed < 0)
    throw new Error(`--kind is one of ${KINDS.join(', ')}; --mode one of ${MODES.join(', ')}; --count from 1, --seed from 0`);
  return {
    kinds,
    modes,
    count,
    seed,
    directory: values.dir === undefined ? defaultDirectory() : resolve(values.dir),
    keep: values.keep,
    rare: values.rare,
  };
}

/** What of an answer is PaaSTA's: texts of messages are not compared, nor what depends on its client library; paths of faults in any order. */
function proven(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(proven);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !['config_sha', 'output', 'message', 'by'].includes(key))
      .map(([key, entry]) => [
        key,
        key === 'all_at' && Array.isArray(entry) ? entry.map((at) => JSON.stringify(at)).sort() : proven(entry),
      ]),
  );
}

/** How many of the visible cases of a kind the driver answers otherwise. */
async function prove(python: string, kind: string, lines: readonly string[]): Promise<number> {
  const cases = lines.map((line) => JSON.parse(line) as Case);
  // The getters that a case of kind config asks for stand in its answer.
  const asked = cases.map((test, i) => {
    const getters = test.expected['getters'];
    return kind === 'config' && getters !== undefined
      ? JSON.stringify({ ...test, getters: Object.keys(getters as object) })
      : (lines[i] ?? '');
  });
  let [index, reproduced] = [0, 0];
  for await (const { expected } of answersTo(python, asked)) {
    const wanted = cases[index++];
    if (wanted === undefined) break;
    if (equalByValue(proven(expected), proven(wanted.expected))) reproduced++;
    else
      process.stdout.write(`  ! ${wanted.id}: ${differencesBetween(proven(expected), proven(wanted.expected)).slice(0, 3).join('; ')}\n`);
  }
  process.stdout.write(`${kind}: ${reproduced} of the visible cases reproduced, ${cases.length - reproduced} not\n`);
  return cases.length - reproduced;
}

interface Outcome {
  readonly equal: boolean;
  readonly rules: readonly string[];
  readonly text?: string;
}

async function compared(plug: Plug, test: Case): Promise<Outcome> {
  try {
    const answer = await plug.answer(test);
    if (answer === undefined) return { equal: false, rules: [], text: 'not covered' };
    const { verdict, rules, wanted } = judge(plug, answer, test);
    if (verdict === 'equal') return { equal: true, rules: [] };
    if (verdict === 'listed') return { equal: false, rules: rules.map((rule) => rule.name) };
    return { equal: false, rules: [], text: differencesBetween(answer.ours, wanted).slice(0, 4).join('\n      ') };
  } catch (error) {
    return {
      equal: false,
      rules: [],
      text: `the plug or a rule threw: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    };
  }
}

/** `kind rule` of the rules that no case of the directory, nor a rare one, uses. */
async function unusedRules(directory: string): Promise<Set<string>> {
  const unused = new Set(DIFFERENCES.flatMap(({ name, kinds }) => kinds.map((kind) => `${kind} ${name}`)));
  for (const test of [...readCases(directory), ...readCases(RARE)]) {
    const plug = await loadPlug(test.kind);
    for (const rule of plug === undefined ? [] : (await compared(plug, test)).rules) unused.delete(`${test.kind} ${rule}`);
  }
  return unused;
}

async function main(): Promise<number> {
  const { kinds, modes, count, seed, directory, keep, rare } = options();
  const python = await bringPaasta();
  if (keep !== undefined) mkdirSync(dirname(resolve(keep)), { recursive: true });
  const file = keep === undefined ? undefined : openSync(resolve(keep), 'w');
  const unused = rare === undefined ? new Set<string>() : await unusedRules(directory);
  const shortest = new Map<string, string>();
  let failed = false;
  for (const kind of kinds) {
    const lines = readLines(directory).filter((line) => (JSON.parse(line) as Case).kind === kind);
    const plug = await loadPlug(kind);
    if (lines.length === 0 || plug === undefined) throw new Error(`no cases of kind ${kind} in ${directory}, or nothing that answers them`);
    if ((await prove(python, kind, lines)) > 0) failed = true;
    for (const mode of modes) {
      let [equal, listed, unexplained] = [0, 0, 0];
      const rules = new Map<string, number>();
      for await (const test of freshCases(python, { directory, kind, mode, count, seed })) {
        const outcome = await compared(plug, test);
        if (outcome.equal) equal++;
        else if (outcome.text === undefined) {
          listed++;
          const line = JSON.stringify(test);
          for (const rule of outcome.rules) {
            rules.set(rule, (rules.get(rule) ?? 0) + 1);
            const key = `${kind} ${rule}`;
            if (unused.has(key) && line.length < (shortest.get(key)?.length ?? Infinity)) shortest.set(key, line);
          }
        } else {
          if (++unexplained <= SHOWN) process.stdout.write(`  ! ${test.id}\n      ${outcome.text}\n`);
          if (file !== undefined) writeSync(file, `${JSON.stringify(test)}\n`);
        }
      }
      process.stdout.write(`${kind} ${mode}: ${equal} equal, ${listed} listed differences, ${unexplained} unexplained\n`);
      for (const [rule, times] of rules) process.stdout.write(`    ${rule} ×${times}\n`);
      if (unexplained > 0 || equal + listed + unexplained < count) failed = true;
    }
  }
  if (file !== undefined) closeSync(file);
  if (rare !== undefined) appendFileSync(resolve(rare), [...new Set(shortest.values())].map((line) => `${line}\n`).join(''));
  return failed ? 1 : 0;
}

process.stdout.on('error', () => process.exit());
process.exitCode = await main();
