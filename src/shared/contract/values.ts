/**
 * Values of configuration files, as PaaSTA's Python sees them. JSON, plus the one thing that JSON cannot say and that
 * matters to users: a float whose value is integral (`cpus: 1.0`) is printed as `1.0` wherever it becomes text.
 */

/** A YAML or JSON float whose value is integral. Every other number is a plain `number`. */
export class Float {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
  valueOf(): number {
    return this.value;
  }
  /** JSON of it is the number. */
  toJSON(): number {
    return this.value;
  }
}

/** A number as the file spells it: `Float` where a float has an integral value (`1.0`), which shows wherever it becomes text. */
export type NumberValue = number | bigint | Float;

export type Value = null | boolean | number | bigint | string | Float | Date | Uint8Array | readonly Value[] | ValueMap;
/** A mapping. Made without a prototype, so that keys such as `__proto__` and `constructor` are only keys. */
export interface ValueMap {
  readonly [key: string]: Value;
}

export function isMap(value: unknown): value is ValueMap {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Float) &&
    !(value instanceof Date) &&
    !(value instanceof Uint8Array)
  );
}

/** The number that a value says, `undefined` when it is not a number. Booleans are not numbers here. */
export function numberOf(value: Value | undefined): number | undefined {
  if (typeof value === 'number') return value;
  if (value instanceof Float) return value.value;
  if (typeof value === 'bigint') return Number(value);
  return undefined;
}
