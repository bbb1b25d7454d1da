/** One text for equal values: the ground of the config hash. */
import { sha256Hex } from './digests.ts';

/** Compact JSON with sorted keys (by UTF-16 code units, independent of the machine); `undefined` members are left out. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((entry) => canonicalJson(entry === undefined ? null : entry)).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const plain = 'toJSON' in value && typeof value.toJSON === 'function' ? (value.toJSON as () => unknown)() : value;
    if (typeof plain !== 'object' || plain === null || Array.isArray(plain)) return canonicalJson(plain);
    const members = plain as Readonly<Record<string, unknown>>;
    const keys = Object.keys(members).filter((key) => members[key] !== undefined).sort();
    return `{${keys.map((key) => `${JSON.stringify(key)}:${canonicalJson(members[key])}`).join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}

/** First `digits` hexadecimal digits of the SHA-256 of the canonical JSON. */
export function canonicalHash(value: unknown, digits = 64): string {
  return sha256Hex(canonicalJson(value)).slice(0, digits);
}
