/**
 * Problems and errors. Two kinds of failure exist: one that the user can fix (`UserError`, made of problems that say
 * what happened, why and what to do next) and everything else, which is ours and is reported with its stack.
 */

/** How loudly a problem is said. `error` makes a run fail. */
export type Severity = 'error' | 'warning' | 'notice';

/** One thing that is wrong (or worth knowing), with the place where it can be mended when that is known. */
export interface Problem {
  readonly severity: Severity;
  /** Stable identifier such as `UNKNOWN_DEPLOY_GROUP`; tests, alerts and docs match on it, not on the prose. */
  readonly code: string;
  /** One sentence: what is wrong, with the value at fault and the legal values. */
  readonly message: string;
  /** What to do next. */
  readonly hint?: string;
  /** File as the user knows it (relative to the soa-configs root or to the repository). */
  readonly file?: string;
  /** Line, from 1. */
  readonly line?: number;
  /** Column, from 1. */
  readonly column?: number;
  /** Name of the action input (kebab-case) that is at fault. */
  readonly input?: string;
}

/** The user can fix it. Carries every problem that was found, never only the first. */
export class UserError extends Error {
  readonly problems: readonly Problem[];
  /** Exit code of the process: 1 unless PaaSTA's contract says otherwise. */
  readonly exitCode: number;
  /** The stage's own job summary tells the problems already. */
  readonly summarised: boolean;

  constructor(
    problems: readonly Problem[] | Problem,
    options: { readonly exitCode?: number; readonly cause?: unknown; readonly summarised?: boolean } = {},
  ) {
    const list = Array.isArray(problems) ? (problems as readonly Problem[]) : [problems as Problem];
    super(list.map(describeProblem).join('\n'), options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'UserError';
    this.problems = list;
    this.exitCode = options.exitCode ?? 1;
    this.summarised = options.summarised ?? false;
  }
}

/** The run was cancelled by a signal; ends with exit code 130. */
export class CancelledError extends Error {
  constructor(message = 'cancelled') {
    super(message);
    this.name = 'CancelledError';
  }
}

/** Everything was done and told; the exit code says more. `mode: plan` ends with 2 when there are changes. */
export class ExitWith extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`exit code ${exitCode}`);
    this.name = 'ExitWith';
    this.exitCode = exitCode;
  }
}

/** Shorthand for a problem of severity `error`. */
export function problem(code: string, message: string, rest: Omit<Problem, 'severity' | 'code' | 'message'> = {}): Problem {
  return { severity: 'error', code, message, ...rest };
}

/** Shorthand for a problem of severity `warning`. */
export function warning(code: string, message: string, rest: Omit<Problem, 'severity' | 'code' | 'message'> = {}): Problem {
  return { severity: 'warning', code, message, ...rest };
}

/** `file:line:column: message (hint)`: the one textual form of a problem. */
export function describeProblem(p: Problem): string {
  const place =
    p.file === undefined ? '' : `${p.file}${p.line === undefined ? '' : `:${p.line}${p.column === undefined ? '' : `:${p.column}`}`}: `;
  return `${place}${p.message}${p.hint === undefined ? '' : `\n  next: ${p.hint}`}`;
}

/** For exhaustive switches: a value that the type system says cannot occur. */
export function assertNever(value: never): never {
  throw new Error(`unexpected value: ${JSON.stringify(value)}`);
}

/** Text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
