/** Runs the steps of a test run one after the other, says what each is doing and how long it took, and counts tests. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, stripVTControlCharacters } from 'node:util';
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
  /** What failed, each with the head of what it said. */
  readonly failures: readonly string[];
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

/** Lines kept of what a failed test, or a failed step without tests, said. */
const SAID = 25;

/** What is read of the report that jest writes. */
interface JestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numRuntimeErrorTestSuites: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly message: string;
    readonly status: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

const indented = (text: string): string =>
  stripVTControlCharacters(text)
    .trim()
    .split('\n')
    .slice(0, SAID)
    .map((line) => `    ${line}`)
    .join('\n');

function failuresOf(report: JestReport): readonly string[] {
  return report.testResults.flatMap((file) => {
    const failed = file.assertionResults.filter((test) => test.status === 'failed');
    const name = relative(ROOT, file.name);
    if (failed.length === 0) return file.status === 'failed' ? [`${name}\n${indented(file.message)}`] : [];
    return failed.map((test) => `${name}: ${test.fullName}\n${indented(test.failureMessages.join('\n'))}`);
  });
}

async function runStep(step: Step, index: number, total: number): Promise<Outcome> {
  const scratch = mkdtempSync(join(tmpdir(), 'paasta-step-'));
  const report = join(scratch, 'jest.json');
  const notRunFile = join(scratch, 'not-run');
  console.log(`\n== ${index}/${total} ${step.name}: ${step.about}`);
  const began = performance.now();
  const argv = step.jest === true ? [...step.argv, '--json', `--outputFile=${report}`] : step.argv;
  let said = '';
  const code = await new Promise<number>((resolve, reject) => {
    const child = spawn(argv[0] as string, argv.slice(1), {
      cwd: ROOT,
      // jest prints its JSON nowhere else when a file is named; its own report goes to stderr
      stdio: step.jest === true ? ['ignore', 'ignore', 'inherit'] : ['ignore', 'pipe', 'pipe'],
      env: {
        ...(process.stdout.isTTY ? { FORCE_COLOR: '1' } : {}),
        ...process.env,
        PATH: `${BIN}:${process.env['PATH'] ?? ''}`,
        PAASTA_TEST_NOT_RUN: notRunFile,
      },
    });
    for (const [from, to] of [
      [child.stdout, process.stdout],
      [child.stderr, process.stderr],
    ] as const)
      from?.setEncoding('utf8').on('data', (text: string) => {
        to.write(text);
        said = (said + text).slice(-20_000);
      });
    child.on('error', reject).on('exit', (status, signal) => {
      const end = (): void => {
        child.stdout?.destroy();
        child.stderr?.destroy();
        resolve(status ?? (signal === null ? 1 : 130));
      };
      // What it started may hold the pipes open for longer than it lives itself.
      const late = setTimeout(end, 1_000);
      child.on('close', () => {
        clearTimeout(late);
        end();
      });
    });
  });
  const seconds = (performance.now() - began) / 1_000;
  let passed = code === 0 ? 1 : 0;
  let failed = code === 0 ? 0 : 1;
  let failures: readonly string[] = [];
  if (step.jest === true && existsSync(report)) {
    const counts = JSON.parse(readFileSync(report, 'utf8')) as JestReport;
    failures = failuresOf(counts);
    passed = counts.numPassedTests;
    failed = counts.numFailedTests + counts.numRuntimeErrorTestSuites;
    if (code !== 0 && failed === 0) failed = 1;
  }
  if (code !== 0 && failures.length === 0)
    failures = [`ended with exit code ${code}\n${indented(said.trimEnd().split('\n').slice(-SAID).join('\n'))}`];
  const notRun = existsSync(notRunFile) ? [...new Set(readFileSync(notRunFile, 'utf8').split('\n').filter(Boolean))] : [];
  rmSync(scratch, { recursive: true, force: true });
  console.log(
    `== ${step.name}: ${passed} passed, ${failed} failed${notRun.length === 0 ? '' : `, ${notRun.length} not run`} in ${seconds.toFixed(1)} s`,
  );
  return { name: step.name, passed, failed, seconds, notRun, failures };
}

/** The step's earlier result on these same files, or its run. */
async function runOrReuse(step: Step, index: number, total: number, again: boolean, root: string): Promise<Outcome> {
  const before = step.always === true ? undefined : stateOf(root);
  const earlier = before === undefined || again ? undefined : passedBefore(before, step);
  if (earlier !== undefined) {
    console.log(
      `\n== ${index}/${total} ${step.name}: ${earlier.passed} passed on these same files at ${earlier.at} in ${earlier.seconds.toFixed(1)} s, not repeated`,
    );
    return { name: step.name, passed: earlier.passed, failed: 0, seconds: 0, notRun: [], failures: [], earlier: true };
  }
  const outcome = await runStep(step, index, total);
  // A file that changed meanwhile may have been read before or after.
  if (before !== undefined && outcome.failed === 0 && outcome.notRun.length === 0 && stateOf(root) === before)
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
 * on the same files of `root` is not repeated unless `--again` is given or `CI` is set.
 */
export async function runSteps(steps: readonly Step[], root = ROOT): Promise<number> {
  const again = isAgain() || !['', 'false'].includes(process.env['CI'] ?? '');
  const outcomes: Outcome[] = [];
  for (const [i, step] of steps.entries()) outcomes.push(await runOrReuse(step, i + 1, steps.length, again, root));
  console.log('\nwhere the time went');
  for (const o of outcomes)
    console.log(
      `  ${o.name.padEnd(14)} ${o.seconds.toFixed(1).padStart(7)} s  ${String(o.passed).padStart(5)} passed  ${String(o.failed).padStart(3)} failed${o.earlier === true ? '  (earlier)' : ''}`,
    );
  // Last, where a log that is cut still has it.
  if (outcomes.some((o) => o.failures.length > 0)) {
    console.log('\nwhat failed');
    for (const o of outcomes) for (const failure of o.failures) console.log(`  ${o.name}: ${failure}`);
  }
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
