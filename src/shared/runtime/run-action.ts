/** The one place that starts a stage, catches what it throws and decides about the exit code. */
import { constants } from 'node:os';
import { CancelledError, ExitWith, messageOf, UserError, type Problem } from '../contract/errors.ts';
import { cell, table } from '../contract/markdown.ts';
import type { Runtime } from '../contract/ports.ts';
import { createActionRuntime, type OwnedRuntime } from './action-runtime.ts';
import { readableStack } from './positions.ts';

/** What shells and PaaSTA say for "ended by Ctrl-C". */
export const CANCELLED = 130;
/** Milliseconds that a finished run may keep the process alive, before it is ended: a socket left open must not burn a job's minutes. */
const BACKSTOP = 3_000;

/**
 * Runs a stage as a step of a job: `await runAction('paasta-itest', (runtime) => main(runtime, wire(runtime)))`.
 * Sets the exit code and never throws.
 */
export async function runAction(name: string, main: (runtime: Runtime) => Promise<void>): Promise<void> {
  await conclude(createActionRuntime(name), main);
}

/** What else is said of a failure: `summary` is false where a table would only repeat the lines that were just printed. */
export interface Telling {
  readonly summary: boolean;
}

/** Runs a stage in a runtime, closes the runtime and makes the process end with the right code. */
export async function conclude(
  { runtime, close }: OwnedRuntime,
  main: (runtime: Runtime) => Promise<void>,
  telling: Telling = { summary: true },
): Promise<void> {
  let done = false;
  const quit = (code: number): never => {
    done = true;
    return process.exit(code);
  };
  let strays = 0;
  const stray = (error: unknown): void => {
    // Saying it could fail in the same way: never a second time.
    if (++strays > 1) quit(1);
    void report(runtime, error, telling).then(quit);
  };
  // `paasta … | head`: nobody reads any more. As if SIGPIPE had ended us, which Node ignores.
  const unread = (error: NodeJS.ErrnoException): void => {
    if (error.code === 'EPIPE') quit(128 + constants.signals.SIGPIPE);
    stray(error);
  };
  process.stdout.on('error', unread);
  process.stderr.on('error', unread);
  const early = (code: number): void => {
    // Node ends with 13 when nothing is left to wait for and the stage has not ended: a promise that nobody will ever settle.
    if (done || code !== 13) return;
    runtime.log.problem({
      severity: 'error',
      code: 'ENDED_EARLY',
      message: `${runtime.name} stopped before it was done`,
      hint: whereToReport(runtime),
    });
    process.exitCode = 1;
  };
  process.on('uncaughtException', stray);
  process.on('unhandledRejection', stray);
  process.once('exit', early);
  const code = await runMain(runtime, main, telling);
  done = true;
  process.off('uncaughtException', stray);
  process.off('unhandledRejection', stray);
  close();
  process.exitCode = code;
  // The loop is empty then, and everything written is out. What Node would still do is take its heap apart, and that has been seen to
  // turn for ever: a socket that was let go while it connected (24.21, `Environment::CleanupHandles`).
  process.once('exit', (last) => process.exit(last));
  // Unreferenced: does not itself keep the process alive.
  setTimeout(() => process.exit(code), BACKSTOP).unref();
}

/** Runs a stage and says how it ended. Returns the exit code; never throws. */
export async function runMain(
  runtime: Runtime,
  main: (runtime: Runtime) => Promise<void>,
  telling: Telling = { summary: true },
): Promise<number> {
  try {
    await main(runtime);
    return 0;
  } catch (error) {
    return await report(runtime, error, telling);
  }
}

async function report(runtime: Runtime, error: unknown, { summary }: Telling): Promise<number> {
  try {
    if (isCancellation(runtime, error)) {
      runtime.log.problem({ severity: 'error', code: 'CANCELLED', message: `${runtime.name} was cancelled` });
      return CANCELLED;
    }
    if (error instanceof ExitWith) return runtime.signal.aborted ? CANCELLED : error.exitCode;
    if (error instanceof UserError) {
      for (const found of error.problems) runtime.log.problem(found);
      if (summary && !error.summarised) await runtime.addSummary(problemsSummary(runtime.name, error.problems));
      return runtime.signal.aborted ? CANCELLED : error.exitCode;
    }
    runtime.log.problem({
      severity: 'error',
      code: 'INTERNAL_ERROR',
      message: `${runtime.name} failed in a way that is not your fault: ${messageOf(error)}`,
      hint: whereToReport(runtime),
    });
    runtime.log.info(stackOf(error));
    if (summary)
      await runtime.addSummary(`### ${runtime.name}: internal error\n\n${cell(messageOf(error))}\n\n${whereToReport(runtime)}\n`);
  } catch (second) {
    runtime.log.info(`${stackOf(error)}\n${stackOf(second)}`);
  }
  return runtime.signal.aborted ? CANCELLED : 1;
}

function isCancellation(runtime: Runtime, error: unknown): boolean {
  return error instanceof CancelledError || (runtime.signal.aborted && error instanceof Error && error.name === 'AbortError');
}

function whereToReport({ env }: Runtime): string {
  const repository = env['GITHUB_ACTION_REPOSITORY'];
  if (repository === undefined || repository === '') return 'please report it with the lines below at the issue tracker of paasta-actions';
  return `please report it with the lines below at ${env['GITHUB_SERVER_URL'] ?? 'https://github.com'}/${repository}/issues`;
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error.stack === undefined ? `${error.name}: ${error.message}` : readableStack(error.stack);
  return error.cause === undefined ? own : `${own}\ncaused by: ${stackOf(error.cause)}`;
}

/** Job summary of a failure: one row for each problem. */
export function problemsSummary(name: string, problems: readonly Problem[]): string {
  const rows = problems.map((p) => [p.severity, cell(placeOf(p)), cell(p.message), cell(p.hint ?? ''), `\`${p.code}\``]);
  return `### ${name} failed\n\n${table(['', 'where', 'what', 'next step', 'code'], rows)}\n`;
}

function placeOf(p: Problem): string {
  if (p.file !== undefined) return `${p.file}${p.line === undefined ? '' : `:${p.line}`}`;
  return p.input === undefined ? '' : `input ${p.input}`;
}
