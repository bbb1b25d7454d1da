/** Runs the steps of a test run one after the other, says what each is doing and how long it took, and counts tests. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { keepPassed, passedBefore, stateOf } from './passed.ts';

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const BIN = join(ROOT, 'node_modules', '.bin');

export interface Step {
  readonly name: string;
  /** What it does and how long it usually takes. */
  readonly about: string;
  /** Argument list; the program is looked up in node_modules/.bin first. */
  readonly argv: readonly string[];
  /** Name of a jest project: its tests are counted one by one instead of the step as a whole. */
  readonly jest?: boolean;
  /** It does something to the machine: it runs each time. */
  readonly always?: boolean;
}

export interface Outcome {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  readonly seconds: number;
  /** Tests that could not run here, each with what is missing. */
  readonly notRun: readonly string[];
  /** It did not run again: it had passed on these files. */
  readonly earlier?: boolean;
}

const jestRun = (project: string, ...rest: readonly string[]): readonly string[] => [
  'node',
  '--experimental-vm-modules',
  '--disable-warning=ExperimentalWarning',
  '--import',
  './test/support/end-at-once.mjs',
  join('node_modules', 'jest', 'bin', 'jest.js'),
  '--selectProjects',
  project,
  ...rest,
];

/** The step that runs one jest project. */
export function jestStep(project: string, about: string, ...rest: readonly string[]): Step {
  return { name: project, about, argv: jestRun(project, ...rest), jest: true };
}

async function runStep(step: Step, index: number, total: number): Promise<Outcome> {
  const scratch = mkdtempSync(join(tmpdir(), 'paasta-step-'));
  const report = join(scratch, 'jest.json');
  const notRunFile = join(scratch, 'not-run');
  console.log(`\n== ${index}/${total} ${step.name}: ${step.about}`);
  const began = performance.now();
  const argv = step.jest === true ? [...step.argv, '--json', `--outputFile=${report}`] : step.argv;
  const code = await new Promise<number>((resolve, reject) => {
    const child = spawn(argv[0] as string, argv.slice(1), {
      cwd: ROOT,
      // jest prints its JSON nowhere else when a file is named; its own report goes to stderr
      stdio: ['ignore', step.jest === true ? 'ignore' : 'inherit', 'inherit'],
      env: { ...process.env, PATH: `${BIN}:${process.env['PATH'] ?? ''}`, PAASTA_TEST_NOT_RUN: notRunFile },
    });
    child.on('error', reject).on('exit', (status, signal) => {
      resolve(status ?? (signal === null ? 1 : 130));
    });
  });
  const seconds = (performance.now() - began) / 1_000;
  let passed = code === 0 ? 1 : 0;
  let failed = code === 0 ? 0 : 1;
  if (step.jest === true && existsSync(report)) {
    const counts = JSON.parse(readFileSync(report, 'utf8')) as {
      numPassedTests: number;
      numFailedTests: number;
      numRuntimeErrorTestSuites: number;
    };
    passed = counts.numPassedTests;
    failed = counts.numFailedTests + counts.numRuntimeErrorTestSuites;
    if (code !== 0 && failed === 0) failed = 1;
  }
  const notRun = existsSync(notRunFile) ? [...new Set(readFileSync(notRunFile, 'utf8').split('\n').filter(Boolean))] : [];
  rmSync(scratch, { recursive: true, force: true });
  console.log(
    `== ${step.name}: ${passed} passed, ${failed} failed${notRun.length === 0 ? '' : `, ${notRun.length} not run`} in ${seconds.toFixed(1)} s`,
  );
  return { name: step.name, passed, failed, seconds, notRun };
}

/** The step's earlier result on these same files, or its run. */
async function runOrReuse(step: Step, index: number, total: number, again: boolean): Promise<Outcome> {
  const before = step.always === true ? undefined : stateOf(ROOT);
  const earlier = before === undefined || again ? undefined : passedBefore(before, step);
  if (earlier !== undefined) {
    console.log(
      `\n== ${index}/${total} ${step.name}: ${earlier.passed} passed on these same files at ${earlier.at} in ${earlier.seconds.toFixed(1)} s, not repeated`,
    );
    return { name: step.name, passed: earlier.passed, failed: 0, seconds: 0, notRun: [], earlier: true };
  }
  const outcome = await runStep(step, index, total);
  // A file that changed meanwhile may have been read before or after.
  if (before !== undefined && outcome.failed === 0 && outcome.notRun.length === 0 && stateOf(ROOT) === before)
    keepPassed(before, step, { passed: outcome.passed, seconds: outcome.seconds, at: new Date().toISOString().replace(/\.\d+/, '') });
  return outcome;
}

function isAgain(): boolean {
  try {
    return parseArgs({ options: { again: { type: 'boolean', default: false } } }).values.again;
  } catch (error) {
    console.error(
      `${error instanceof Error ? error.message : String(error)}\nusage: npm test [-- --again]; --again repeats what has passed on the same files`,
    );
    process.exit(2);
  }
}

/**
 * Runs every step even when an earlier one failed, prints where the time went and the closing line; the exit code. A step that has passed
 * on the same files is not repeated unless `--again` is given or `CI` is set.
 */
export async function runSteps(steps: readonly Step[]): Promise<number> {
  const again = isAgain() || !['', 'false'].includes(process.env['CI'] ?? '');
  const outcomes: Outcome[] = [];
  for (const [i, step] of steps.entries()) outcomes.push(await runOrReuse(step, i + 1, steps.length, again));
  console.log('\nwhere the time went');
  for (const o of outcomes)
    console.log(
      `  ${o.name.padEnd(14)} ${o.seconds.toFixed(1).padStart(7)} s  ${String(o.passed).padStart(5)} passed  ${String(o.failed).padStart(3)} failed${o.earlier === true ? '  (earlier)' : ''}`,
    );
  const notRun = outcomes.flatMap((o) => o.notRun);
  const allowed = process.env['PAASTA_TEST_ALLOW_MISSING'] === '1';
  if (notRun.length > 0) {
    console.log(
      `\nNOT RUN on this machine (${allowed ? 'allowed by PAASTA_TEST_ALLOW_MISSING=1' : 'set PAASTA_TEST_ALLOW_MISSING=1 to accept this'}):`,
    );
    for (const line of notRun) console.log(`  ${line}`);
  }
  const passed = outcomes.reduce((n, o) => n + o.passed, 0);
  const failed = outcomes.reduce((n, o) => n + o.failed, 0);
  if (outcomes.some((o) => o.earlier === true))
    console.log('\n(earlier): passed before on these same files; to repeat them: npm test -- --again');
  console.log(`\n${passed} passed, ${failed} failed`);
  return failed > 0 || (notRun.length > 0 && !allowed) ? 1 : 0;
}
