/**
 * Scalars as PaaSTA's reader sees them: the implicit resolvers and constructors of PyYAML's safe loader (YAML 1.1). Rules checked
 * against libyaml by the `yaml` conformance vectors.
 */
import { Float, isMap, type Value, type ValueMap } from '../contract/values.ts';

/** A YAML timestamp. `text` is its ISO form as Python prints it; `dateOnly` when it has no time of day. */
export class Timestamp extends Date {
  readonly text: string;
  readonly dateOnly: boolean;
  constructor(milliseconds: number, text: string, dateOnly: boolean) {
    super(milliseconds);
    this.text = text;
    this.dateOnly = dateOnly;
  }
}

/** A YAML `!!set`: its members in file order. */
export class SetValue extends Array<Value> {}

/** Keys of a mapping that are not text, in order; see `entriesOf`. */
const KEYS: unique symbol = Symbol('keys');
type KeyedMap = ValueMap & { [KEYS]?: readonly (readonly [string, Value])[] };

/** Remembers the keys of a mapping as they are: for keys that are not text, and for text that JavaScript would sort (`10`). */
export function rememberKeys(map: ValueMap, keys: readonly (readonly [string, Value])[]): void {
  Object.defineProperty(map, KEYS, { value: keys, enumerable: false, writable: true, configurable: true });
}

/** Entries in file order, whatever the keys look like: property name, key as the file says it, value. */
export function entriesOf(map: ValueMap): readonly (readonly [name: string, key: Value, value: Value])[] {
  const kept = (map as KeyedMap)[KEYS];
  if (kept === undefined) return Object.keys(map).map((name) => [name, name, map[name] as Value]);
  return kept.map(([name, key]) => [name, key, map[name] as Value]);
}

/** Property names in file order. */
export function keysOf(map: ValueMap): readonly string[] {
  const kept = (map as KeyedMap)[KEYS];
  return kept === undefined ? Object.keys(map) : kept.map(([name]) => name);
}

/** True when every key of the mapping is text. */
export function hasTextKeys(map: ValueMap): boolean {
  const kept = (map as KeyedMap)[KEYS];
  return kept === undefined || kept.every(([, key]) => typeof key === 'string');
}

export function emptyMap(): Record<string, Value> {
  return Object.create(null) as Record<string, Value>;
}

/** Items of the list at a key; none when there is no list. */
export function listIn(map: ValueMap, key: string): readonly Value[] {
  const value = map[key];
  return Array.isArray(value) ? (value as readonly Value[]) : [];
}

const BOOL = /^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$/;
const FLOAT =
  /^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;
const INT = /^(?:[-+]?0b[01_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$/;
const NULL = /^(?:~|null|Null|NULL|)$/;
const TIMESTAMP =
  /^(?:\d{4}-\d{2}-\d{2}|\d{4}-\d{1,2}-\d{1,2}(?:[Tt]|[ \t]+)\d{1,2}:\d{2}:\d{2}(?:\.\d*)?(?:[ \t]*(?:Z|[-+]\d{1,2}(?::\d{2})?))?)$/;
const TIMESTAMP_PARTS =
  /^(\d{4})-(\d{1,2})-(\d{1,2})(?:(?:[Tt]|[ \t]+)(\d{1,2}):(\d{2}):(\d{2})(?:\.(\d*))?(?:[ \t]*(?:(Z)|([-+])(\d{1,2})(?::(\d{2}))?))?)?$/;

/** What the tags of YAML's own types begin with. */
export const CORE = 'tag:yaml.org,2002:';

/** Tag that a plain scalar has without being told. */
export function implicitTag(text: string): string {
  if (BOOL.test(text)) return `${CORE}bool`;
  if (FLOAT.test(text)) return `${CORE}float`;
  if (INT.test(text)) return `${CORE}int`;
  if (text === '<<') return `${CORE}merge`;
  if (NULL.test(text)) return `${CORE}null`;
  if (TIMESTAMP.test(text)) return `${CORE}timestamp`;
  if (text === '=') return `${CORE}value`;
  return `${CORE}str`;
}

/** A value that its tag does not allow: `!!int abc`, `2001-13-01`. The message is for people. */
export class BadScalar extends Error {}

/** Value of a scalar with a resolved tag; throws `BadScalar`. */
export function constructScalar(tag: string, text: string): Value {
  switch (tag) {
    case `${CORE}str`:
      return text;
    case `${CORE}null`:
      return null;
    case `${CORE}bool`: {
      const lower = text.toLowerCase();
      if (lower === 'yes' || lower === 'true' || lower === 'on') return true;
      if (lower === 'no' || lower === 'false' || lower === 'off') return false;
      throw new BadScalar(`'${text}' is not a boolean`);
    }
    case `${CORE}int`:
      return constructInt(text);
    case `${CORE}float`:
      return constructFloat(text);
    case `${CORE}timestamp`:
      return constructTimestamp(text);
    case `${CORE}binary`:
      return constructBinary(text);
    case `${CORE}merge`:
      throw new BadScalar(`'${text}' is a merge key and cannot stand as a value; quote it when you mean the text`);
    case `${CORE}value`:
      throw new BadScalar(`'${text}' alone is reserved in YAML 1.1; quote it when you mean the text`);
    default:
      throw new BadScalar(`unknown tag '${tag.startsWith(CORE) ? `!!${tag.slice(CORE.length)}` : tag}'`);
  }
}

/** Python's own limit for the digits of an integer. */
const LONGEST_NUMBER = 4_300;

function whole(value: bigint): Value {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

function digits(text: string, base: 2 | 8 | 10 | 16): bigint {
  const pattern = { 2: /^[01]+$/, 8: /^[0-7]+$/, 10: /^[0-9]+$/, 16: /^[0-9a-fA-F]+$/ }[base];
  if (!pattern.test(text)) throw new BadScalar(`'${text}' is not an integer`);
  if (text.length > LONGEST_NUMBER) throw new BadScalar('a number of more than 4300 characters');
  return base === 10 ? BigInt(text) : BigInt(`${{ 2: '0b', 8: '0o', 16: '0x' }[base]}${text}`);
}

function constructInt(source: string): Value {
  let text = source.replaceAll('_', '');
  const negative = text.startsWith('-');
  if (/^[-+]/.test(text)) text = text.slice(1);
  if (text === '') throw new BadScalar(`'${source}' is not an integer`);
  let value: bigint;
  if (text === '0') value = 0n;
  else if (text.startsWith('0b')) value = digits(text.slice(2), 2);
  else if (text.startsWith('0x')) value = digits(text.slice(2), 16);
  else if (text.startsWith('0')) value = digits(text.replace(/^0o/, ''), 8);
  else if (text.includes(':') && text.length > LONGEST_NUMBER) throw new BadScalar('a number of more than 4300 characters');
  else if (text.includes(':')) value = text.split(':').reduce((sum, part) => sum * 60n + digits(part, 10), 0n);
  else value = digits(text, 10);
  return whole(negative ? -value : value);
}

/** A float as the rooms see it: integral values keep their nature. */
export function floatValue(value: number): Value {
  return Number.isInteger(value) ? new Float(value) : value;
}

function constructFloat(source: string): Value {
  let text = source.replaceAll('_', '').toLowerCase();
  const sign = text.startsWith('-') ? -1 : 1;
  if (/^[-+]/.test(text)) text = text.slice(1);
  if (text === '.inf' || text === 'inf' || text === 'infinity') return sign * Infinity;
  if (text === '.nan' || text === 'nan') return NaN;
  const one = (part: string): number => {
    if (!/^(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?$/.test(part)) throw new BadScalar(`'${source}' is not a number`);
    return Number(part);
  };
  if (!text.includes(':')) return floatValue(sign * one(text));
  let value = 0;
  let base = 1;
  for (const part of text.split(':').map(one).reverse()) {
    value += part * base;
    base *= 60;
  }
  return floatValue(sign * value);
}

function constructTimestamp(text: string): Value {
  const match = TIMESTAMP_PARTS.exec(text);
  if (match === null) throw new BadScalar(`'${text}' is not a date`);
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const pad = (n: number, width = 2): string => String(n).padStart(width, '0');
  if (year < 1) throw new BadScalar(`'${text}' is not a date: there is no year 0`);
  if (month < 1 || month > 12) throw new BadScalar(`'${text}' is not a date: month must be in 1..12`);
  if (day < 1 || day > new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate())
    throw new BadScalar(`'${text}' is not a date: day is out of range for month`);
  const date = `${pad(year, 4)}-${pad(month)}-${pad(day)}`;
  const at = (hour: number, minute: number, second: number, ms: number): number => {
    const d = new Date(0);
    d.setUTCFullYear(year, month - 1, day);
    d.setUTCHours(hour, minute, second, ms);
    return d.getTime();
  };
  if (match[4] === undefined) return new Timestamp(at(0, 0, 0, 0), date, true);
  const [hour, minute, second] = [Number(match[4]), Number(match[5]), Number(match[6])];
  if (hour > 23 || minute > 59 || second > 59) throw new BadScalar(`'${text}' is not a date: its time of day does not exist`);
  const micro = (match[7] ?? '').slice(0, 6).padEnd(6, '0');
  const fraction = Number(micro) === 0 ? '' : `.${micro}`;
  let zone = '';
  let offset = 0;
  if (match[9] !== undefined) {
    const [h, m] = [Number(match[10]), Number(match[11] ?? 0)];
    offset = (match[9] === '-' ? -1 : 1) * (h * 60 + m);
    if (Math.abs(offset) >= 1440) throw new BadScalar(`'${text}' is not a date: its offset is a day or more`);
    const shown = Math.abs(offset);
    zone = `${offset < 0 ? '-' : '+'}${pad(Math.floor(shown / 60))}:${pad(shown % 60)}`;
  } else if (match[8] !== undefined) zone = '+00:00';
  const iso = `${date}T${pad(hour)}:${pad(minute)}:${pad(second)}${fraction}${zone}`;
  return new Timestamp(at(hour, minute, second, Math.floor(Number(micro) / 1000)) - offset * 60_000, iso, false);
}

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** Python's lenient base64: other characters are left out, wrong padding is an error. */
function constructBinary(text: string): Value {
  const out: number[] = [];
  let quad = 0;
  let pads = 0;
  let left = 0;
  for (const ch of text) {
    if (ch > '\x7f') throw new BadScalar('base64 text holds characters outside ASCII');
    if (ch === '=') {
      if (quad >= 2 && quad + ++pads >= 4) return Uint8Array.from(out);
      continue;
    }
    const bits = BASE64.indexOf(ch);
    if (bits < 0) continue;
    pads = 0;
    if (quad === 0) left = bits;
    else if (quad === 1) {
      out.push((left << 2) | (bits >> 4));
      left = bits & 15;
    } else if (quad === 2) {
      out.push((left << 4) | (bits >> 2));
      left = bits & 3;
    } else out.push((left << 6) | bits);
    quad = (quad + 1) & 3;
  }
  if (quad !== 0) throw new BadScalar('base64 text with incorrect padding');
  return Uint8Array.from(out);
}

/** Python's truth of a value: null, false, zero and everything empty are false. */
export function isTruthy(value: Value | undefined): boolean {
  if (value === undefined || value === null || value === false || value === '' || value === 0 || value === 0n) return false;
  if (value instanceof Float) return value.value !== 0;
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length > 0;
  if (isMap(value)) return Object.keys(value).length > 0;
  return true;
}
