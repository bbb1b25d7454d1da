/** Comparing by value, as the README of the vectors defines it. */
import { Float } from '../../src/shared/contract/values.ts';
import { REFUSED } from './types.ts';

const REFUSAL = /^(error|raises|load-error|getter-error):/;

function isRefusal(value: unknown): boolean {
  if (typeof value === 'string') return REFUSAL.test(value);
  return (
    typeof value === 'object' &&
    value !== null &&
    'error' in value &&
    typeof value.error === 'string' &&
    Object.keys(value).every((key) => ['error', 'message', 'line', 'column'].includes(key))
  );
}

function plain(value: unknown): unknown {
  return value instanceof Float ? value.value : value;
}

/** Keys in any order, lists in order, `1` equals `1.0`, `undefined` members are absent, `REFUSED` equals any error of PaaSTA's. */
export function equalByValue(oursGiven: unknown, wantedGiven: unknown): boolean {
  const ours = plain(oursGiven);
  const wanted = plain(wantedGiven);
  if (ours === REFUSED || wanted === REFUSED) return ours === wanted || isRefusal(wanted);
  // An integer beyond 2^53 is written `{"$int": "…"}`, or as a number that JSON has already rounded.
  if (
    ours === wanted ||
    (typeof ours === 'bigint' &&
      (Number(ours) === wanted || (typeof wanted === 'object' && wanted !== null && '$int' in wanted && wanted.$int === ours.toString())))
  )
    return true;
  if (typeof ours !== 'object' || typeof wanted !== 'object' || ours === null || wanted === null) return false;
  if (Array.isArray(ours) || Array.isArray(wanted)) {
    return (
      Array.isArray(ours) &&
      Array.isArray(wanted) &&
      ours.length === wanted.length &&
      ours.every((entry, i) => equalByValue(entry, wanted[i]))
    );
  }
  const a = ours as Readonly<Record<string, unknown>>;
  const b = wanted as Readonly<Record<string, unknown>>;
  const keysOf = (map: Readonly<Record<string, unknown>>): string[] => Object.keys(map).filter((key) => map[key] !== undefined);
  const keys = keysOf(a);
  return (
    keys.length === keysOf(b).length && keys.every((key) => Object.hasOwn(b, key) && b[key] !== undefined && equalByValue(a[key], b[key]))
  );
}

/** Paths at which two values differ, for people. */
export function differencesBetween(ours: unknown, wanted: unknown, path = ''): readonly string[] {
  if (equalByValue(ours, wanted)) return [];
  const maps = [ours, wanted].every((v) => typeof v === 'object' && v !== null && !Array.isArray(v) && !(v instanceof Float));
  const lists = Array.isArray(ours) && Array.isArray(wanted) && ours.length === wanted.length;
  if (!maps && !lists) return [`${path === '' ? '(whole)' : path}: ours ${shown(ours)}, wanted ${shown(wanted)}`];
  const a = ours as Readonly<Record<string, unknown>>;
  const b = wanted as Readonly<Record<string, unknown>>;
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].flatMap((key) =>
    differencesBetween(a[key], b[key], path === '' ? key : `${path}.${key}`),
  );
}

/** Compact text of any value, refusals and special numbers included. */
export function shown(value: unknown, indent?: number): string {
  if (value === REFUSED) return '(refused)';
  const text = JSON.stringify(
    value,
    (_key, entry: unknown) => {
      if (entry === REFUSED) return '(refused)';
      if (typeof entry === 'bigint') return entry.toString();
      if (typeof entry === 'number' && !Number.isFinite(entry)) return String(entry);
      return entry;
    },
    indent,
  );
  if (text === undefined) return 'absent';
  return indent === undefined && text.length > 400 ? `${text.slice(0, 400)}…` : text;
}
