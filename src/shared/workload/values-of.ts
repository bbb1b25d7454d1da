/** Reading of loosely typed values (system configuration, keys that only one renderer reads) without a cast in sight. */
import { isMap, numberOf, type Value, type ValueMap } from '../contract/values.ts';
import { pythonText } from '../contract/python-text.ts';

export type Fields = Record<string, unknown>;

/** The members that are set: `undefined` and `null` are left out, as an API server treats them. */
export function compact(fields: Readonly<Fields>): Fields {
  const kept: Fields = {};
  for (const [key, value] of Object.entries(fields)) if (value !== undefined && value !== null) kept[key] = value;
  return kept;
}

export function listOf(value: Value | undefined): readonly Value[] {
  return Array.isArray(value) ? (value as readonly Value[]) : [];
}

export function mapOf(value: Value | undefined): ValueMap {
  return isMap(value) ? value : {};
}

export function textOf(value: Value | undefined): string | undefined {
  return value === undefined || value === null ? undefined : pythonText(value);
}

export function textsOf(value: Value | undefined): readonly string[] {
  return listOf(value).map(pythonText);
}

/** Python's truth of a flag; the default when the key is absent. */
export function flagOf(value: Value | undefined, otherwise: boolean): boolean {
  return value === undefined ? otherwise : value === true || (typeof value === 'string' && value !== '') || (numberOf(value) ?? 0) !== 0;
}

/** A value as it goes into an object: numbers as numbers, mappings without prototype tricks. */
export function plainOf(value: Value): unknown {
  if (Array.isArray(value)) return (value as readonly Value[]).map(plainOf);
  if (isMap(value)) return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, plainOf(entry)]));
  if (typeof value === 'object' && value !== null) return numberOf(value) ?? pythonText(value);
  return typeof value === 'bigint' ? Number(value) : value;
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
