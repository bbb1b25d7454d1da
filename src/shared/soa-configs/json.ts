/**
 * JSON as Python reads it, with positions: the system configuration is JSON, and an error in it must name its line. `1.0` stays a
 * float, `NaN` and `Infinity` are read, the last of duplicate keys wins. No recursion deeper than the limit.
 */
import { problem, type Problem } from '../contract/errors.ts';
import type { Value } from '../contract/values.ts';
import type { Position } from './types.ts';
import { emptyMap, floatValue, rememberKeys } from './yaml-values.ts';
import { lineTable, place } from './yaml-text.ts';

const MAX_DEPTH = 200;
const MAX_CHARACTERS = 16_777_216;

export interface JsonDocument {
  readonly file: string;
  readonly value: Value;
  /** Where the key (or list item) at a path stands; the nearest known ancestor otherwise. */
  position(path?: readonly (string | number)[]): Position;
}

export type JsonResult =
  { readonly document: JsonDocument; readonly problem?: undefined } | { readonly document?: undefined; readonly problem: Problem };

class At extends Error {
  readonly offset: number;
  readonly hint: string | undefined;
  constructor(offset: number, message: string, hint?: string) {
    super(message);
    this.offset = offset;
    this.hint = hint;
  }
}

/** Reads one JSON file. Never throws for its content. */
export function readJson(text: string, file: string): JsonResult {
  if (text.length > MAX_CHARACTERS)
    return { problem: problem('FILE_TOO_LARGE', `the file has ${text.length} characters; at most ${MAX_CHARACTERS} are read`, { file }) };
  const lines = lazily(() => lineTable(text));
  // Most files are never asked for a position: where their keys stand is worked out by another reading, when one is.
  const offsets = lazily(() => offsetsOf(text));
  try {
    const value = new Parser(text).document();
    return {
      document: {
        file,
        value,
        position: (path = []) => {
          for (let length = path.length; length >= 0; length--) {
            const offset = offsets().get(JSON.stringify(path.slice(0, length)));
            if (offset !== undefined) return { file, ...place(lines(), offset) };
          }
          return { file, line: 1, column: 1 };
        },
      },
    };
  } catch (error) {
    if (!(error instanceof At)) throw error;
    return {
      problem: {
        ...problem('JSON_INVALID', error.message, { file, ...place(lines(), error.offset) }),
        ...(error.hint === undefined ? {} : { hint: error.hint }),
      },
    };
  }
}

function lazily<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

/** Where the keys and list items of a readable text stand, by the JSON of their path. */
function offsetsOf(text: string): ReadonlyMap<string, number> {
  const offsets = new Map<string, number>();
  new Parser(text, offsets).document();
  return offsets;
}

/** Keys and list items on the way to a value; `undefined`: nobody wants to know. */
type Path = readonly (string | number)[] | undefined;

/** True for what stands in text for itself: no quote, backslash or control character (of the end of the text there is `NaN`). */
function isPlain(code: number): boolean {
  return code >= 0x20 && code !== 0x22 && code !== 0x5c;
}

class Parser {
  private readonly text: string;
  private readonly offsets: Map<string, number> | undefined;
  private index = 0;

  constructor(text: string, offsets?: Map<string, number>) {
    this.text = text;
    this.offsets = offsets;
  }

  /** Notes where the value of a key or a list item of a path begins; the path to it. */
  private into(path: Path, key: string | number, start: number): Path {
    if (path === undefined || this.offsets === undefined) return undefined;
    const inner = [...path, key];
    this.offsets.set(JSON.stringify(inner), start);
    return inner;
  }

  document(): Value {
    if (this.text.startsWith('\uFEFF')) throw new At(0, 'the file begins with a byte order mark', 'save it as UTF-8 without BOM');
    this.blank();
    if (this.index >= this.text.length) throw new At(0, 'the file is empty', "an empty configuration is written '{}'");
    const value = this.value(this.offsets === undefined ? undefined : [], 0);
    this.blank();
    if (this.index < this.text.length)
      throw new At(this.index, `text after the end of the value: '${this.shown()}'`, 'one file holds one JSON value');
    return value;
  }

  private blank(): void {
    while (this.index < this.text.length && ' \t\r\n'.includes(this.text[this.index] as string)) this.index++;
  }

  private shown(): string {
    return this.text.slice(this.index, this.index + 20).split(/[\r\n]/)[0] ?? '';
  }

  private value(path: Path, depth: number): Value {
    if (depth > MAX_DEPTH) throw new At(this.index, `nested more than ${MAX_DEPTH} levels deep`);
    this.blank();
    const ch = this.text[this.index];
    if (ch === '{') return this.object(path, depth);
    if (ch === '[') return this.array(path, depth);
    if (ch === '"') return this.string();
    for (const [word, value] of [
      ['true', true],
      ['false', false],
      ['null', null],
      ['NaN', NaN],
      ['Infinity', Infinity],
      ['-Infinity', -Infinity],
    ] as const) {
      if (this.text.startsWith(word, this.index)) {
        this.index += word.length;
        return value;
      }
    }
    const number = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?/y;
    number.lastIndex = this.index;
    const match = number.exec(this.text);
    if (match !== null) {
      this.index += match[0].length;
      if (match[1] !== undefined || match[2] !== undefined) return floatValue(Number(match[0]));
      const whole = Number(match[0]);
      return Number.isSafeInteger(whole) ? (whole === 0 ? 0 : whole) : BigInt(match[0]);
    }
    if (ch === undefined) throw new At(this.index, 'the file ends in the middle of a value', 'was it cut off?');
    if (ch === "'") throw new At(this.index, 'text is written in single quotes', 'JSON wants double quotes');
    if (ch === '#' || this.text.startsWith('//', this.index)) throw new At(this.index, 'JSON has no comments', 'remove the comment');
    throw new At(
      this.index,
      `expected a value, found '${this.shown()}'`,
      /^(True|False|None)\b/.test(this.shown()) ? 'JSON writes true, false and null' : 'text needs double quotes',
    );
  }

  private object(path: Path, depth: number): Value {
    const map = emptyMap();
    const keys: [string, Value][] = [];
    let odd = false;
    this.index++;
    this.blank();
    if (this.text[this.index] === '}') {
      this.index++;
      return map;
    }
    for (;;) {
      this.blank();
      const start = this.index;
      if (this.text[this.index] !== '"') {
        if (this.text[this.index] === '}')
          throw new At(start, "a comma before '}'", 'remove the comma: JSON allows none after the last entry');
        throw new At(
          start,
          this.index >= this.text.length ? "a '{' is never closed" : `expected a key in double quotes, found '${this.shown()}'`,
          'keys are written "key": value',
        );
      }
      const key = this.string();
      this.blank();
      if (this.text[this.index] !== ':')
        throw new At(
          this.index,
          `expected ':' after the key "${key}"`,
          this.text[this.index] === '=' ? `did you mean "${key}": …?` : undefined,
        );
      this.index++;
      const inner = this.into(path, key, start);
      if (!(key in map)) keys.push([key, key]);
      if (/^\d+$/.test(key)) odd = true;
      map[key] = this.value(inner, depth + 1);
      this.blank();
      if (this.text[this.index] === ',') {
        this.index++;
        continue;
      }
      if (this.text[this.index] === '}') {
        this.index++;
        if (odd) rememberKeys(map, keys);
        return map;
      }
      throw new At(
        this.index,
        this.index >= this.text.length ? "a '{' is never closed" : `expected ',' or '}', found '${this.shown()}'`,
        'is a comma missing at the end of the line above?',
      );
    }
  }

  private array(path: Path, depth: number): Value {
    const list: Value[] = [];
    this.index++;
    this.blank();
    if (this.text[this.index] === ']') {
      this.index++;
      return list;
    }
    for (;;) {
      this.blank();
      if (this.text[this.index] === ']')
        throw new At(this.index, "a comma before ']'", 'remove the comma: JSON allows none after the last entry');
      const inner = this.into(path, list.length, this.index);
      list.push(this.value(inner, depth + 1));
      this.blank();
      if (this.text[this.index] === ',') {
        this.index++;
        continue;
      }
      if (this.text[this.index] === ']') {
        this.index++;
        return list;
      }
      throw new At(
        this.index,
        this.index >= this.text.length ? "a '[' is never closed" : `expected ',' or ']', found '${this.shown()}'`,
        'is a comma missing at the end of the line above?',
      );
    }
  }

  private string(): string {
    const start = this.index++;
    let out = '';
    for (;;) {
      const ch = this.text[this.index];
      if (ch === undefined) throw new At(start, 'a double quote is opened and never closed', 'add the closing "');
      if (ch === '"') {
        this.index++;
        return out;
      }
      if (ch === '\\') {
        const code = this.text[this.index + 1] ?? '';
        const simple = (
          { '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' } as Readonly<Record<string, string>>
        )[code];
        if (simple !== undefined) {
          out += simple;
          this.index += 2;
          continue;
        }
        const hex = this.text.slice(this.index + 2, this.index + 6);
        if (code !== 'u' || !/^[0-9a-fA-F]{4}$/.test(hex))
          throw new At(this.index, `unknown escape '\\${code}'`, "write a backslash as '\\\\'");
        out += String.fromCharCode(parseInt(hex, 16));
        this.index += 6;
        continue;
      }
      if (ch < ' ')
        throw new At(
          this.index,
          ch === '\n' || ch === '\r' ? 'a double quote is not closed on its line' : 'a control character stands inside text',
          ch === '\n' || ch === '\r' ? 'add the closing ", or write line breaks as \\n' : 'write it as an escape such as \\t',
        );
      // Everything up to what needs a look of its own, in one piece.
      const from = this.index;
      while (isPlain(this.text.charCodeAt(this.index))) this.index++;
      out += this.text.slice(from, this.index);
    }
  }
}
