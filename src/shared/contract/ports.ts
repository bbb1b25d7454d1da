/**
 * Interfaces of the world outside that every room may name. The implementations live in `shared/runtime`; tests pass
 * fakes as parameters.
 */
import type { Problem } from './errors.ts';

/** Where a run speaks. In a job these become workflow commands, on a terminal plain text. */
export interface Log {
  /** Shown with `RUNNER_DEBUG=1` (action) or `-v` (command): every request and every decision. */
  debug(message: string): void;
  info(message: string): void;
  /** An annotation of the problem's severity, on its file and line when it has them. */
  problem(problem: Problem): void;
  /** Collapsed block in the job log. Groups do not nest. */
  group<T>(title: string, body: () => Promise<T>): Promise<T>;
}

/** Registers a secret so that it never reaches a log. Call it before the first use of the secret. */
export type Mask = (secret: string) => void;

/** Time as a parameter: tests pass their own. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Resolves after the time, rejects with `CancelledError` when the signal aborts first. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

/** An entry of a directory. */
export interface Entry {
  readonly name: string;
  readonly kind: 'file' | 'directory' | 'other';
}

/**
 * Read access to a directory tree (soa-configs, system configuration). Paths are relative to its root, with `/`.
 * Synchronous: a thousand small files are read faster this way than through promises.
 */
export interface TreeReader {
  /** Where the tree is, for messages. */
  readonly root: string;
  /** Text of a file; `undefined` when it does not exist. Throws `UserError` when it cannot be read or leaves the tree. */
  read(path: string): string | undefined;
  /** Entries of a directory in byte order of their names; empty when it does not exist. */
  list(path: string): readonly Entry[];
}

/** What a stage gets from the job (or the command line) that it runs in. Implemented by `shared/runtime`. */
export interface Runtime {
  /** Name of the action, such as `paasta-itest`: prefix of messages and part of the user agent. */
  readonly name: string;
  /** Value of an input, trimmed; empty string when it is not given. The name is kebab-case. */
  input(name: string): string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Directory in which relative paths of inputs are meant. */
  readonly workingDirectory: string;
  readonly platform: NodeJS.Platform;
  readonly log: Log;
  readonly mask: Mask;
  readonly clock: Clock;
  /** Aborted by SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
  /** Writes an output of the step (a command line prints the ones that PaaSTA prints). */
  setOutput(name: string, value: string): void;
  /** Appends Markdown to the job summary. */
  addSummary(markdown: string): Promise<void>;
}
