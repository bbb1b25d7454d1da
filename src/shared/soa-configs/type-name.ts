import { pythonText } from '../contract/python-text.ts';
import { isMap, type Value } from '../contract/values.ts';

/** Name of a value's type as people say it. */
export function typeName(value: Value | undefined): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'boolean') return `the boolean ${value}`;
  if (typeof value === 'string') return `the text '${value.length > 40 ? `${value.slice(0, 40)}…` : value}'`;
  if (Array.isArray(value)) return 'a list';
  if (isMap(value)) return 'a mapping';
  return pythonText(value);
}

/** What somebody meant who wrote `key = value`, or no space after the colon, where a mapping belongs: YAML reads it as text. */
export function mappingHint(value: unknown): string | undefined {
  const written = typeof value === 'string' ? /^([A-Za-z_][\w.-]{0,100})(?: ?= ?|:(?!\/))(\S{1,100})/.exec(value) : null;
  return written === null ? undefined : `did you mean '${written[1] ?? ''}: ${written[2] ?? ''}'?`;
}
