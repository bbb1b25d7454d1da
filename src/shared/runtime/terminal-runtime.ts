/** The runtime of the `paasta` command: plain text. Does not load `@actions/core`. */
import { describeProblem, type Severity } from '../contract/errors.ts';
import type { Log, Runtime } from '../contract/ports.ts';
import type { OwnedRuntime } from './action-runtime.ts';
import { systemClock } from './clock.ts';
import { createRedaction } from './safe-text.ts';
import { listenToSignals } from './signals.ts';

/** A stream that a terminal runtime writes to; `isTTY` decides about colours. */
export interface TextStream {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

export interface TerminalOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory?: string;
  readonly stdout?: TextStream;
  readonly stderr?: TextStream;
  /** Shows debug lines. */
  readonly verbose?: boolean;
  /** Says which outputs are printed, and how; `undefined` prints nothing. */
  readonly printOutput?: (name: string, value: string) => string | undefined;
  /** Listens to SIGINT and SIGTERM unless given. */
  readonly signal?: AbortSignal;
}

const COLOURS: Readonly<Record<Severity, string>> = { error: '\u001b[31m', warning: '\u001b[33m', notice: '\u001b[36m' };
const PLAIN = '\u001b[0m';

/** Inputs come from the parsed command line, by their kebab-case names. Problems and debug lines go to standard error. */
export function createTerminalRuntime(name: string, inputs: Readonly<Record<string, string>>, options: TerminalOptions = {}): OwnedRuntime {
  const stdout = options.stdout ?? process.stdout;
  const stderr = options.stderr ?? process.stderr;
  const env = options.env ?? process.env;
  const coloured = stderr.isTTY === true && (env['NO_COLOR'] ?? '') === '';
  const { mask, redact } = createRedaction();
  const write = (stream: TextStream, text: string): void => {
    stream.write(`${redact(text)}\n`);
  };
  const log: Log = {
    debug: (message) => {
      if (options.verbose === true) write(stderr, `debug: ${printable(message)}`);
    },
    info: (message) => {
      write(stdout, message);
    },
    problem: (found) => {
      const label = `${found.severity}:`;
      write(
        stderr,
        `${coloured ? `${COLOURS[found.severity]}${label}${PLAIN}` : label} ${printable(describeProblem(found))} [${found.code}]`,
      );
    },
    group: async (title, body) => {
      write(stdout, title);
      return await body();
    },
  };
  const signals =
    options.signal === undefined
      ? listenToSignals({
          info: (message) => {
            write(stderr, message);
          },
        })
      : { signal: options.signal, close: () => undefined };
  const runtime: Runtime = {
    name,
    input: (input) => (inputs[input] ?? '').trim(),
    env,
    workingDirectory: options.workingDirectory ?? process.cwd(),
    platform: process.platform,
    log,
    mask,
    clock: systemClock,
    signal: signals.signal,
    setOutput: (output, value) => {
      const text = options.printOutput?.(output, value);
      if (text !== undefined) write(stdout, text);
    },
    addSummary: async (markdown) => {
      write(stdout, plainText(markdown));
      return await Promise.resolve();
    },
  };
  return { runtime, close: signals.close };
}

/** Control characters of a foreign text would move the cursor or change colours. */
function printable(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** The cells of a row, without the space around the bars between them. */
function joined(row: string): string {
  const cells = row.split(/(?<!\\)\|/);
  return cells
    .map((cell, index) => {
      const begun = index === 0 ? cell : cell.trimStart();
      return index === cells.length - 1 ? begun : begun.trimEnd();
    })
    .join('  ');
}

/** `[text](address)` becomes `text`. Each bracket is looked at once, also when none is ever closed. */
function withoutLinks(line: string): string {
  let shown = '';
  let at = 0;
  for (;;) {
    const open = line.indexOf('[', at);
    const close = open < 0 ? -1 : line.indexOf(']', open);
    if (close < 0) return shown + line.slice(at);
    if (line.charAt(close + 1) === '(') {
      const end = line.indexOf(')', close);
      if (end < 0) return shown + line.slice(at);
      shown += line.slice(at, open) + line.slice(open + 1, close);
      at = end + 1;
    } else {
      shown += line.slice(at, close + 1);
      at = close + 1;
    }
  }
}

/** Escaped characters while marks are taken away: from a private area of Unicode, so that they are no marks. */
const SHELTER = 0xe000;
const sheltered = (text: string): string =>
  text.replace(/\\([\\`*_[\]|~#])/g, (_, c: string) => String.fromCharCode(SHELTER + c.charCodeAt(0)));
const unsheltered = (text: string): string => text.replace(/[\ue000-\ue07f]/g, (c) => String.fromCharCode(c.charCodeAt(0) - SHELTER));

/** One line of prose without marks; the inverse of `cell` for what it escapes. */
function withoutMarks(line: string): string {
  const parts = sheltered(line).split(/(`[^`]*`)/);
  return unsheltered(
    parts
      .map((part, at) =>
        at % 2 === 1
          ? part.slice(1, -1)
          : withoutLinks(part)
              .replace(/<br\s*\/?>/g, ' ')
              .replace(/<\/?(?:details|summary|sub|b|i|code|pre)\s*\/?>/g, '')
              .replace(/\*\*([^*]+)\*\*/g, '$1')
              .replace(/@\u200b/g, '@')
              .replace(/&(amp|lt|gt);/g, (_, name: 'amp' | 'lt' | 'gt') => ({ amp: '&', lt: '<', gt: '>' })[name]),
      )
      .join(''),
  );
}

/** Markdown as a person reads it on a terminal: without the marks of headings, tables, code and links. Code blocks stay as they are. */
export function plainText(markdown: string): string {
  const shown: string[] = [];
  let fence: string | undefined;
  for (const line of markdown.split('\n')) {
    const mark = /^`{3,}/.exec(line)?.[0];
    if (mark !== undefined && (fence === undefined || line === fence)) {
      fence = fence === undefined ? mark : undefined;
    } else if (fence !== undefined) {
      shown.push(line);
    } else if (!/^\|[\s|]*\|$/.test(line) && !/^\|?\s*:?-{2,}:?\s*(?:\|\s*:?-{2,}:?\s*)*(?:\|\s*)?$/.test(line)) {
      shown.push(withoutMarks(line.replace(/^#{1,6}\s+/, '').replace(/^\|\s?(.*?)\s?\|\s*$/, (_, cells: string) => joined(cells))));
    }
  }
  return shown
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim();
}
