/**
 * The only place that starts programs. `@actions/exec` cannot end a whole process group, which PaaSTA's own `_run` could
 * not either (paasta_tools/utils.py): a timed out `make` left its `docker build` running and the call outlived its timeout.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { statSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { problem, UserError } from '../contract/errors.ts';
import type { Log } from '../contract/ports.ts';
import { forgetGroup, groupAlive, signalGroup, trackGroup } from './group.ts';

export type Stream = 'stdout' | 'stderr';

export interface RunOptions {
  readonly cwd?: string;
  /** The whole environment of the program; ours when absent. Merge with `runtime.env` to add to it. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Written to standard input, which is closed afterwards. Secrets go here, never into `argv`. */
  readonly input?: string;
  /** Milliseconds until the whole process group is ended. No limit when absent. */
  readonly timeout?: number;
  /** Ends the whole process group when it aborts. */
  readonly signal?: AbortSignal;
  /** Every line as soon as it is complete, without its line end. */
  readonly onLine?: (line: string, stream: Stream) => void;
  /** Characters of each stream that are kept for the result: the last ones. 16 Mi when absent. */
  readonly maxOutput?: number;
  /** Milliseconds between SIGTERM and SIGKILL. 5 s when absent. */
  readonly grace?: number;
}

export interface RunResult {
  /** Exit code; -1 when a signal ended the program. */
  readonly code: number;
  readonly signal: NodeJS.Signals | null;
  readonly timedOut: boolean;
  readonly cancelled: boolean;
  readonly stdout: string;
  readonly stderr: string;
  /** Milliseconds. */
  readonly duration: number;
}

/** What rooms take as a parameter, so that tests can pass a fake. */
export type Run = (argv: readonly string[], options?: RunOptions) => Promise<RunResult>;

const DEFAULT_MAX_OUTPUT = 16 * 1024 * 1024;
const DEFAULT_GRACE = 5_000;
/** A line longer than this is handed out in pieces: progress bars without line ends must not fill the memory. */
const MAX_LINE = 64 * 1024;
/** A background process that inherited our pipes must not keep a finished program "running": quiet time and total time allowed. */
const QUIET_AFTER_EXIT = 1_000;
const LONGEST_AFTER_EXIT = 5_000;

/**
 * Runs a program and waits for its end. No shell, ever. Never throws for a non-zero exit, a timeout or a cancellation:
 * those are in the result, and the caller knows what they mean.
 *
 * Throws `UserError`: PROGRAM_NOT_FOUND, PROGRAM_NOT_EXECUTABLE, NO_SUCH_DIRECTORY.
 */
export const run: Run = async (argv, options = {}) => {
  const [program, ...args] = argv;
  if (program === undefined || program === '') throw new Error('run: empty argv');
  const started = performance.now();
  if (isAborted(options.signal)) return { code: -1, signal: null, timedOut: false, cancelled: true, stdout: '', stderr: '', duration: 0 };

  const child = await start(program, args, options);
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const stdout = collect(child, 'stdout', options);
  const stderr = collect(child, 'stderr', options);
  feed(child, options.input);

  let ending: 'timeout' | 'cancel' | undefined;
  let terminated: Promise<void> = Promise.resolve();
  const end = (why: 'timeout' | 'cancel'): void => {
    if (ending !== undefined) return;
    ending = why;
    terminated = endGroup(child, options.grace ?? DEFAULT_GRACE);
  };
  const timer = options.timeout === undefined ? undefined : setTimeout(() => end('timeout'), options.timeout);
  const onAbort = (): void => end('cancel');
  // It may have been said while the program began: then no event comes any more.
  if (isAborted(options.signal)) onAbort();
  else options.signal?.addEventListener('abort', onAbort, { once: true });

  try {
    const { code, signal } = await exited(child);
    // A group member that ignores SIGTERM outlives its parent: wait until the group is really gone.
    await terminated;
    await drained(child, closed, () => Math.max(stdout.last(), stderr.last()));
    return {
      code: code ?? -1,
      signal,
      timedOut: ending === 'timeout',
      cancelled: ending === 'cancel',
      stdout: stdout.finish(),
      stderr: stderr.finish(),
      duration: performance.now() - started,
    };
  } finally {
    clearTimeout(timer);
    forgetGroup(child);
    options.signal?.removeEventListener('abort', onAbort);
  }
};

/** Runs programs and says each one for `RUNNER_DEBUG`: what is run, where, and how it ended. */
export function tracedRun(log: Pick<Log, 'debug'>): Run {
  return async (argv, options = {}) => {
    log.debug(`run ${describeCommand(argv)}${options.cwd === undefined ? '' : ` (in ${options.cwd})`}`);
    const result = await run(argv, options);
    const how = result.timedOut
      ? 'ended by its timeout'
      : result.cancelled
        ? 'ended by the cancellation'
        : result.signal === null
          ? `exit ${String(result.code)}`
          : `ended by ${result.signal}`;
    log.debug(`  ${how} after ${String(Math.round(result.duration))} ms`);
    return result;
  };
}

/** A command for people: words that a shell would split or expand are quoted. Never pass secrets in argv. */
export function describeCommand(argv: readonly string[]): string {
  return argv.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(' ');
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

async function start(program: string, args: readonly string[], options: RunOptions): Promise<ChildProcess> {
  return await new Promise((resolve, reject) => {
    // `detached` makes the child the leader of a session and process group of its own, so that all of it can be ended.
    const child = spawn(program, args, {
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.env === undefined ? {} : { env: { ...options.env } }),
      detached: true,
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      windowsHide: true,
    });
    child.once('spawn', () => {
      trackGroup(child);
      resolve(child);
    });
    child.once('error', (error: NodeJS.ErrnoException) => {
      reject(translate(error, program, options));
    });
  });
}

function translate(error: NodeJS.ErrnoException, program: string, options: RunOptions): Error {
  const cwd = options.cwd;
  if (error.code === 'ENOENT' && cwd !== undefined && !isDirectory(cwd)) {
    return new UserError(
      problem('NO_SUCH_DIRECTORY', `cannot run '${program}': the directory '${cwd}' does not exist`, {
        hint: 'check the working directory, or check out the repository first',
      }),
      { cause: error },
    );
  }
  if (error.code === 'ENOENT') {
    return new UserError(
      problem('PROGRAM_NOT_FOUND', `the program '${program}' is not installed (or not on PATH)`, {
        hint: `install '${program}' on this runner`,
      }),
      { cause: error },
    );
  }
  if (error.code === 'EACCES') {
    return new UserError(
      problem('PROGRAM_NOT_EXECUTABLE', `the program '${program}' may not be executed`, { hint: `check its permissions (chmod +x)` }),
      { cause: error },
    );
  }
  return error;
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function feed(child: ChildProcess, input: string | undefined): void {
  if (input === undefined || child.stdin === null) return;
  // A program that ends without reading its input closes the pipe: not an error of ours, its exit code says more.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
}

interface Collected {
  /** Time of the last output, as of `performance.now()`. */
  last(): number;
  /** Hands out an unfinished last line and returns what was kept. */
  finish(): string;
}

function collect(child: ChildProcess, name: Stream, options: RunOptions): Collected {
  const limit = options.maxOutput ?? DEFAULT_MAX_OUTPUT;
  const decoder = new StringDecoder('utf8');
  let kept: string[] = [];
  let size = 0;
  let rest = '';
  let last = performance.now();
  const handOut = (line: string): void => options.onLine?.(line.endsWith('\r') ? line.slice(0, -1) : line, name);
  const take = (text: string): void => {
    kept.push(text);
    size += text.length;
    if (size > 2 * limit) {
      kept = [kept.join('').slice(-limit)];
      size = limit;
    }
    if (options.onLine === undefined) return;
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    lines.forEach(handOut);
    while (rest.length > MAX_LINE) {
      handOut(rest.slice(0, MAX_LINE));
      rest = rest.slice(MAX_LINE);
    }
  };
  child[name]?.on('data', (chunk: Buffer) => {
    last = performance.now();
    take(decoder.write(chunk));
  });
  return {
    last: () => last,
    finish: () => {
      take(decoder.end());
      if (rest !== '') handOut(rest);
      rest = '';
      return kept.join('').slice(-limit);
    },
  };
}

async function exited(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  if (child.exitCode !== null || child.signalCode !== null) return { code: child.exitCode, signal: child.signalCode };
  return await new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      resolve({ code, signal });
    });
  });
}

/** Resolves when both pipes are closed, or when a background process holds them and says nothing more. */
async function drained(child: ChildProcess, closed: Promise<void>, lastOutput: () => number): Promise<void> {
  const ended = performance.now();
  let open = true;
  const end = closed.then(() => {
    open = false;
  });
  while (open) {
    const now = performance.now();
    if (now - Math.max(ended, lastOutput()) > QUIET_AFTER_EXIT || now - ended > LONGEST_AFTER_EXIT) break;
    await Promise.race([end, pause(50)]);
  }
  child.stdout?.destroy();
  child.stderr?.destroy();
}

/** SIGTERM to the group, SIGKILL to what is left of it after the grace. */
async function endGroup(child: ChildProcess, grace: number): Promise<void> {
  signalGroup(child, 'SIGTERM');
  const deadline = performance.now() + grace;
  while (groupAlive(child)) {
    if (performance.now() >= deadline) {
      signalGroup(child, 'SIGKILL');
      return;
    }
    await pause(20);
  }
}

async function pause(milliseconds: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
}
