/** What the testbed prints: steps with their reason and usual duration, and a sign of life during the long ones. */

/** Takes one line of output, without its newline. */
export type Log = (line: string) => void;

/** A step that can say where it is. */
export interface Progress {
  /** Replaces the text that the next sign of life ends with. */
  at(text: string): void;
}

export const silent: Log = () => undefined;

/** How often a running step says that it still runs. */
export const SIGN_OF_LIFE_MS = 15_000;

/** Prints to the terminal, each line marked so that it is told from the output of what runs beside it. */
export function terminal(prefix = 'testbed'): Log {
  return (line) => {
    process.stderr.write(`${prefix}: ${line}\n`);
  };
}

export function seconds(ms: number): string {
  return ms < 10_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`;
}

/** Runs one step: says what and why before, its duration after, and every 15 s that it goes on. */
export async function step<T>(log: Log, what: string, why: string, run: (progress: Progress) => Promise<T>): Promise<T> {
  const began = Date.now();
  let where = '';
  log(`${what} (${why})`);
  const timer = setInterval(() => {
    log(`  ... still at it after ${seconds(Date.now() - began)}${where === '' ? '' : `: ${where}`}`);
  }, SIGN_OF_LIFE_MS);
  try {
    const result = await run({
      at: (text) => {
        where = text;
      },
    });
    log(`  done in ${seconds(Date.now() - began)}`);
    return result;
  } finally {
    clearInterval(timer);
  }
}

/** Something that this machine lacks and the testbed cannot bring: said with the next step, not with a stack. */
export class TestbedError extends Error {
  readonly hint: string;

  constructor(message: string, hint = '') {
    super(hint === '' ? message : `${message}\n  ${hint}`);
    this.name = 'TestbedError';
    this.hint = hint;
  }
}

/** What the person can mend comes without a stack. */
export function inPlainWords(error: unknown): string {
  return error instanceof TestbedError ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error);
}

export const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
