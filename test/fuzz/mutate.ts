/** Inputs for the fuzzer: a seeded random source, and mutations of bytes and of tokens. The same seed gives the same inputs. */

/** Whole number from 0 and below the bound. */
export type Random = (below: number) => number;

/** Mulberry32: small, fast, and the same on every machine. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * below);
  };
}

/** What breaks readers of any format: ends of ranges, odd characters, names that every object has. */
const COMMON = [
  '\0',
  '\t',
  '\n',
  '\r\n',
  '\u0085',
  '\u2028',
  '\ufeff',
  '\u00e9',
  'e\u0301',
  '\u{1f600}',
  '\x1b[31m',
  '%',
  '\\',
  "'",
  '"',
  '`',
  '::',
  '::error::x',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '-1',
  '0',
  '-0',
  '1e999',
  '9007199254740993',
  '99999999999999999999',
  '0x10',
  '010',
  '1.0',
  'null',
  'true',
  'NaN',
  '../',
  '//',
  '',
];

export interface MutationOptions {
  readonly dictionary: readonly string[];
  /** Longest input, in bytes. */
  readonly maxBytes: number;
}

/** A few mutations of `input`, one after the other; `other` is spliced in now and then. */
export function mutate(input: Buffer, other: Buffer, random: Random, { dictionary, maxBytes }: MutationOptions): Buffer {
  let bytes = input;
  // Few changes keep most of the structure, so that the input gets past the first check.
  for (let left = 1 + random(1 + random(8)); left > 0; left--) bytes = mutateOnce(bytes, other, random, dictionary).subarray(0, maxBytes);
  return bytes;
}

function mutateOnce(bytes: Buffer, other: Buffer, random: Random, dictionary: readonly string[]): Buffer {
  const at = random(bytes.length + 1);
  const [from, to] = span(bytes, random);
  const chunk = bytes.subarray(from, to);
  const replace = (start: number, end: number, ...put: readonly Buffer[]): Buffer =>
    Buffer.concat([bytes.subarray(0, start), ...put, bytes.subarray(end)]);
  const word = (): Buffer => Buffer.from(pick(random(3) === 0 ? COMMON : dictionary, random) ?? '');
  switch (random(12)) {
    case 0:
      return replace(at, at + 1, Buffer.from([random(256)]));
    case 1: {
      const changed = Buffer.from(bytes);
      if (at < changed.length) changed[at] = (changed[at] as number) ^ (1 << random(8));
      return changed;
    }
    case 2:
      return replace(from, to);
    case 3:
      return replace(at, at, chunk);
    case 4:
      return replace(from, to, word());
    case 5:
    case 6:
      return replace(at, at, word());
    case 7: {
      const [start, end] = span(other, random);
      return replace(from, to, other.subarray(start, end));
    }
    case 8:
      return replace(at, bytes.length, other.subarray(random(other.length + 1)));
    case 9:
      return replaceToken(bytes, other, random, word());
    case 10:
      return swapLines(bytes, random);
    default: {
      // A long row of one thing is what finds bad regular expressions and recursion.
      const unit = chunk.length === 0 || random(2) === 0 ? word() : chunk.subarray(0, 24);
      return replace(at, at, Buffer.concat(Array.from({ length: 1 << random(random(5) === 0 ? 15 : 6) }, () => unit)));
    }
  }
}

function span(bytes: Buffer, random: Random): readonly [number, number] {
  const from = random(bytes.length + 1);
  return [from, Math.min(bytes.length, from + random(1 + (random(4) === 0 ? bytes.length : 12)))];
}

function pick<T>(list: readonly T[], random: Random): T | undefined {
  return list[random(list.length)];
}

/** Words, numbers, quoted text, blank space and single signs; their concatenation is the text. */
function tokensOf(bytes: Buffer): readonly string[] {
  return bytes.toString('latin1').match(/[A-Za-z0-9_.\x80-\xff-]+|"[^"\n]*"|\s+|[^]/g) ?? [];
}

function replaceToken(bytes: Buffer, other: Buffer, random: Random, word: Buffer): Buffer {
  const tokens = [...tokensOf(bytes)];
  const taken = random(2) === 0 ? word.toString('latin1') : (pick(tokensOf(other), random) ?? '');
  const at = random(tokens.length);
  if (random(3) === 0) tokens.splice(at, 1);
  else tokens[at] = taken;
  return Buffer.from(tokens.join(''), 'latin1');
}

function swapLines(bytes: Buffer, random: Random): Buffer {
  const lines = bytes.toString('latin1').split('\n');
  const [a, b] = [random(lines.length), random(lines.length)];
  // The indentation of a line moves too: that is how a mapping becomes part of another.
  [lines[a], lines[b]] = [lines[b] ?? '', random(4) === 0 ? `  ${lines[a] ?? ''}` : (lines[a] ?? '')];
  return Buffer.from(lines.join('\n'), 'latin1');
}
