/** One text for equal values: the ground of the config hash. */
import { sha256Hex } from './digests.ts';

/** Text that is its own JSON between quotes. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** JSON of the names of members: the same few in every object. */
const NAMES = new Map<string, string>();

function nameOf(key: string): string {
  let name = NAMES.get(key);
  if (name === undefined) {
    if (NAMES.size >= 10_000) NAMES.clear();
    NAMES.set(key, (name = JSON.stringify(key)));
  }
  return name;
}

/** Compact JSON with sorted keys (by UTF-16 code units, independent of the machine); `undefined` members are left out. */
export function canonicalJson(value: unknown): string {
  if (typeof value === 'string') return PLAIN.test(value) ? `"${value}"` : JSON.stringify(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  // Built up in one text: this runs over every rendered object of a pass.
  if (Array.isArray(value)) {
    let text = '[';
    for (const entry of value as readonly unknown[]) text += `${text === '[' ? '' : ','}${canonicalJson(entry)}`;
    return `${text}]`;
  }
  if ('toJSON' in value && typeof value.toJSON === 'function') return canonicalJson((value.toJSON as () => unknown)());
  const members = value as Readonly<Record<string, unknown>>;
  let text = '{';
  for (const key of Object.keys(members).sort()) {
    const member = members[key];
    if (member !== undefined) text += `${text === '{' ? '' : ','}${nameOf(key)}:${canonicalJson(member)}`;
  }
  return `${text}}`;
}

/** First `digits` hexadecimal digits of the SHA-256 of the canonical JSON. */
export function canonicalHash(value: unknown, digits = 64): string {
  return sha256Hex(canonicalJson(value)).slice(0, digits);
}
