/** Typed reading of the keys of an instance. What has the wrong type becomes a problem on its line, and the default stands in. */
import { problem, type Problem } from '../contract/errors.ts';
import { nearNames } from '../contract/near.ts';
import { pythonText } from '../contract/python-text.ts';
import { isMap, numberOf, type NumberValue, type Value, type ValueMap } from '../contract/values.ts';
import type { InstanceKey, InstanceSettings } from './settings-types.ts';
import { typeName } from './type-name.ts';
import type { InstanceConfig } from './types.ts';
import { emptyMap } from './yaml-values.ts';

/** A path into an instance: it begins with a key that the schemas know. */
type Path = readonly [InstanceKey, ...(string | number)[]];

export interface NumberRule {
  readonly integer?: boolean;
  readonly min?: number;
  readonly max?: number;
  /** The minimum itself is not allowed. */
  readonly above?: boolean;
  /** What the number says, for messages: `cores`, `MiB`. */
  readonly unit?: string;
}

/** Reads keys of one instance. Every method names the setting that the key feeds, so that a fault can be told apart. */
export class SettingReader<Setting extends string> {
  readonly problems: Problem[] = [];
  readonly faults: Partial<Record<Setting, Problem>> = {};
  private readonly instance: InstanceConfig;

  constructor(instance: InstanceConfig) {
    this.instance = instance;
  }

  raw(key: InstanceKey): Value | undefined {
    return this.instance.config[key];
  }

  /** Records that a setting cannot be determined. */
  fault(setting: Setting, code: string, message: string, path: Path | readonly [], hint?: string): void {
    const said = problem(code, `${this.instance.instance}: ${message}`, {
      ...this.instance.position(path),
      ...(hint === undefined ? {} : { hint }),
    });
    this.problems.push(said);
    this.faults[setting] ??= said;
  }

  /** Another setting that follows from one that cannot be determined. */
  follows(setting: Setting, ...causes: readonly Setting[]): void {
    const cause = causes.map((name) => this.faults[name]).find((found) => found !== undefined);
    if (cause !== undefined) this.faults[setting] ??= cause;
  }

  private wrong(setting: Setting, path: Path, wanted: string, value: Value): void {
    const key = path.join('.');
    const quotedNumber = typeof value === 'string' && /^[-+]?[\d.]+([eE][-+]?\d+)?$/.test(value) && /number/.test(wanted);
    const hint = quotedNumber
      ? /[eE]/.test(value)
        ? `YAML 1.1 reads ${value} as text: write it as ${Number(value)}`
        : `remove the quotes around ${value}`
      : `for the default, remove the line`;
    this.fault(setting, 'WRONG_TYPE', `${key} must be ${wanted}, not ${typeName(value)}`, path, hint);
  }

  /** A number, as the file spells it. `null` counts as wrong. */
  number(setting: Setting, path: Path, fallback: NumberValue, rule: NumberRule = {}, from: Value | undefined = this.at(path)): NumberValue {
    if (from === undefined) return fallback;
    const value = numberOf(from);
    const kind = `${rule.integer === true ? 'a whole number' : 'a number'}${rule.unit === undefined ? '' : ` of ${rule.unit}`}`;
    if (value === undefined || Number.isNaN(value)) {
      this.wrong(setting, path, kind, from);
      return fallback;
    }
    const { min = -Infinity, max = Infinity } = rule;
    const low = rule.above === true ? value <= min : value < min;
    if (low || value > max || !Number.isFinite(value)) {
      const bounds = max === Infinity ? `${rule.above === true ? 'above' : 'at least'} ${min}` : `between ${min} and ${max}`;
      this.fault(setting, 'OUT_OF_RANGE', `${path.join('.')} must be ${kind}, ${bounds}, not ${pythonText(from)}`, path);
      return fallback;
    }
    if (rule.integer === true && !Number.isInteger(value)) {
      this.wrong(setting, path, kind, from);
      return fallback;
    }
    return from as NumberValue;
  }

  plainNumber(setting: Setting, path: Path, fallback: number, rule: NumberRule = {}): number {
    return numberOf(this.number(setting, path, fallback, rule)) ?? fallback;
  }

  /** A number that may be absent; `null` in the file is absent. */
  optionalNumber(setting: Setting, path: Path, rule: NumberRule = {}): number | null {
    const value = this.at(path);
    if (value === undefined || value === null) return null;
    return this.faults[setting] === undefined ? this.plainNumber(setting, path, 0, rule) : null;
  }

  text(setting: Setting, path: Path, fallback: string): string {
    const value = this.at(path);
    if (value === undefined) return fallback;
    if (typeof value === 'string') return value;
    this.wrong(setting, path, 'text', value);
    return fallback;
  }

  optionalText(setting: Setting, path: Path): string | null {
    const value = this.at(path);
    if (value === undefined || value === null) return null;
    if (typeof value === 'string') return value;
    this.wrong(setting, path, 'text', value);
    return null;
  }

  flag(setting: Setting, path: Path, fallback: boolean): boolean {
    const value = this.at(path);
    if (value === undefined || value === null) return fallback;
    if (typeof value === 'boolean') return value;
    this.wrong(setting, path, 'true or false', value);
    return fallback;
  }

  /** One of a few words. */
  oneOf<Word extends string>(setting: Setting, path: Path, words: readonly Word[], fallback: Word): Word;
  oneOf<Word extends string>(setting: Setting, path: Path, words: readonly Word[], fallback: Word | null): Word | null;
  oneOf<Word extends string>(setting: Setting, path: Path, words: readonly Word[], fallback: Word | null): Word | null {
    const value = this.at(path);
    if (value === undefined || (value === null && fallback === null)) return fallback;
    const found = words.find((word) => word === value);
    if (found !== undefined) return found;
    const near = typeof value === 'string' ? nearNames(value, words) : [];
    this.fault(
      setting,
      'UNKNOWN_VALUE',
      `${path.join('.')} must be one of ${words.join(', ')}, not ${typeName(value)}`,
      path,
      near.length === 0 ? undefined : `did you mean '${near[0] ?? ''}'?`,
    );
    return fallback;
  }

  list(setting: Setting, path: Path): readonly Value[] {
    const value = this.at(path);
    if (value === undefined || value === null) return [];
    if (Array.isArray(value)) return value as readonly Value[];
    this.wrong(setting, path, 'a list', value);
    return [];
  }

  texts(setting: Setting, path: Path): readonly string[] {
    const out: string[] = [];
    this.list(setting, path).forEach((value, index) => {
      if (typeof value === 'string') out.push(value);
      else this.wrong(setting, [...path, index], 'text', value);
    });
    return out;
  }

  map(setting: Setting, path: Path): ValueMap {
    const value = this.at(path);
    if (value === undefined || value === null) return emptyMap();
    if (isMap(value)) return value;
    this.wrong(setting, path, 'a mapping', value);
    return emptyMap();
  }

  /** A list of mappings that all have certain text keys. */
  maps(setting: Setting, path: Path, needed: readonly string[]): readonly ValueMap[] {
    const out: ValueMap[] = [];
    this.list(setting, path).forEach((value, index) => {
      if (!isMap(value)) return this.wrong(setting, [...path, index], 'a mapping', value);
      const missing = needed.filter((key) => typeof value[key] !== 'string');
      if (missing.length > 0)
        return this.fault(
          setting,
          'MISSING_KEY',
          `${path.join('.')} entry ${index + 1} needs ${missing.join(' and ')} as text`,
          [...path, index],
          `every entry has ${needed.join(', ')}`,
        );
      out.push(value);
      return undefined;
    });
    return out;
  }

  private at(path: readonly (string | number)[]): Value | undefined {
    let value: Value | undefined = this.instance.config;
    for (const part of path) {
      if (Array.isArray(value) && typeof part === 'number') value = (value as readonly Value[])[part];
      else if (isMap(value)) value = value[String(part)];
      else return undefined;
    }
    return value;
  }
}

/** Reader of the settings that an instance has. */
export type InstanceReader = SettingReader<keyof InstanceSettings>;
