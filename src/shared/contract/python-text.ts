/**
 * Text of a value as Python's `str()` writes it: what containers see for numbers and booleans under `env`, and what PaaSTA
 * puts into quantities (`512.0Mi`). Pinned by the `float-text` vectors.
 */
import { Float, isMap, type Value } from './values.ts';

/** `repr` of a float: shortest digits that read back, exponent form below 1e-4 and from 1e16 on. */
export function pythonFloat(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const [mantissa = '0', power = '0'] = Math.abs(value).toExponential().split('e');
  const exponent = Number(power);
  const digits = mantissa.replace('.', '');
  if (value !== 0 && (exponent < -4 || exponent >= 16)) {
    const size = Math.abs(exponent).toString().padStart(2, '0');
    return `${sign}${mantissa}e${exponent < 0 ? '-' : '+'}${size}`;
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  return `${sign}${whole}.${digits.slice(exponent + 1) || '0'}`;
}

/** A date without time, or a moment, as Python prints it. The YAML reader keeps its ISO text; without that, midnight prints as a date. */
function pythonDate(value: Date): string {
  if ('text' in value && typeof value.text === 'string') return value.text.replace('T', ' ');
  const iso = value.toISOString();
  if (iso.endsWith('T00:00:00.000Z')) return iso.slice(0, 10);
  return iso.slice(0, 19).replace('T', ' ') + (value.getUTCMilliseconds() === 0 ? '' : `.${iso.slice(20, 23)}000`);
}

/** `repr` of text: single quotes unless the text has one and no double quote. */
function pythonQuoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  // What cannot be seen is escaped: control and format characters, and every space but the common one.
  const escaped = text.replace(/[\\\p{C}\p{Z}]/gu, (c) => {
    if (c === ' ') return c;
    if (c === '\\') return '\\\\';
    if (c === '\n') return '\\n';
    if (c === '\r') return '\\r';
    if (c === '\t') return '\\t';
    const code = c.codePointAt(0) ?? 0;
    const size = code < 0x100 ? 2 : code < 0x1_0000 ? 4 : 8;
    return `\\${size === 2 ? 'x' : size === 4 ? 'u' : 'U'}${code.toString(16).padStart(size, '0')}`;
  });
  return `${quote}${quote === "'" ? escaped.replaceAll("'", "\\'") : escaped}${quote}`;
}

function pythonBytes(value: Uint8Array): string {
  const body = [...value].map((b) =>
    b === 92
      ? '\\\\'
      : b === 39
        ? "\\'"
        : b === 10
          ? '\\n'
          : b === 13
            ? '\\r'
            : b === 9
              ? '\\t'
              : b < 32 || b > 126
                ? `\\x${b.toString(16).padStart(2, '0')}`
                : String.fromCharCode(b),
  );
  return `b'${body.join('')}'`;
}

/** `repr` of a date or of a moment without a time zone, from its text. */
function pythonMoment(text: string): string {
  const numbers = (text.match(/[0-9]+/g) ?? []).map(Number);
  if (numbers.length === 3) return `datetime.date(${numbers.join(', ')})`;
  // Seconds and microseconds that are 0 are left out, from the right.
  while (numbers.length > 5 && numbers.at(-1) === 0) numbers.pop();
  return `datetime.datetime(${numbers.join(', ')})`;
}

function pythonRepr(value: Value): string {
  if (typeof value === 'string') return pythonQuoted(value);
  if (value instanceof Date) return pythonMoment(pythonDate(value));
  return pythonText(value);
}

/** `str()` of a value: `True`, `None`, `1.0`, `1e-05`, `{'a': [1, 'b']}`. */
export function pythonText(value: Value): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'string') return value;
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Float) return pythonFloat(value.value);
  if (typeof value === 'number') return Number.isSafeInteger(value) && !Object.is(value, -0) ? value.toString() : pythonFloat(value);
  if (value instanceof Date) return pythonDate(value);
  if (value instanceof Uint8Array) return pythonBytes(value);
  if (isMap(value))
    return `{${Object.entries(value)
      .map(([key, entry]) => `${pythonQuoted(key)}: ${pythonRepr(entry)}`)
      .join(', ')}}`;
  return `[${value.map(pythonRepr).join(', ')}]`;
}

/** What can be written as JSON; a Map keeps the order of all its keys, also of those that look like numbers. */
export type Json =
  null | boolean | number | bigint | Float | string | readonly Json[] | { readonly [key: string]: Json } | ReadonlyMap<string, Json>;

/** JSON as Python's `json.dumps` writes it: a space after `:` and `,`, everything beyond ASCII escaped; keys in the order given. */
export function pythonJson(value: Json): string {
  if (typeof value === 'string')
    return JSON.stringify(value).replace(/[\u007f-\uffff]/g, (c) =>
      c === '\u007f' ? c : `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
  if (typeof value === 'number' || typeof value === 'bigint' || value instanceof Float)
    return pythonText(value).replace('inf', 'Infinity').replace('nan', 'NaN');
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${(value as readonly Json[]).map(pythonJson).join(', ')}]`;
  const entries: Iterable<readonly [string, Json]> =
    value instanceof Map ? (value as ReadonlyMap<string, Json>) : Object.entries(value as { readonly [key: string]: Json });
  return `{${[...entries].map(([key, entry]) => `${pythonJson(key)}: ${pythonJson(entry)}`).join(', ')}}`;
}
