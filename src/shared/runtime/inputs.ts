/**
 * Inputs of a stage, said once in a table. The table is read into one frozen object with every problem reported together,
 * and the contract test compares it with action.yml, README and workflows. A value that is not understood never becomes a
 * default.
 */
import { parseCommit } from '../contract/commit.ts';
import { formatDuration, parseDuration } from '../contract/durations.ts';
import { problem, UserError, type Problem } from '../contract/errors.ts';
import { nearNames } from '../contract/near.ts';
import type { Runtime } from '../contract/ports.ts';
import { withoutTrailing } from '../contract/trailing.ts';
import {
  clusterNameProblem,
  deployGroupProblem,
  imageVersionProblem,
  instanceNameProblem,
  normaliseServiceName,
  quoted,
  serviceNameProblem,
} from '../contract/validity.ts';

/** How one input is read. `T` is what the stage gets. */
export interface InputReader<T> {
  readonly required: boolean;
  /** The default as action.yml says it; `undefined` when action.yml names none. */
  readonly default: string | undefined;
  /** The value is masked before anything else happens to it. */
  readonly secret: boolean;
  /** Reads a text that is not empty. */
  parse(text: string, name: string, runtime: InputSource): T | Problem | readonly Problem[];
  /** The value when neither the input nor a default is given. */
  absent(runtime: InputSource): T;
}

/** The part of the runtime that readers look at. */
export type InputSource = Pick<Runtime, 'input' | 'env' | 'mask'>;

/** Inputs by their kebab-case names. */
export type InputSpec = Readonly<Record<string, InputReader<unknown>>>;

type Camel<S extends string> = S extends `${infer Head}-${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : S;

/** The object that `readInputs` makes of a table: camelCase names, the types of the readers. */
export type Inputs<S extends InputSpec> = { readonly [K in keyof S & string as Camel<K>]: S[K] extends InputReader<infer T> ? T : never };

/** A rule between inputs ("cannot use a with b"). Runs only when every input could be read by itself. */
export type CrossRule<S extends InputSpec> = (inputs: Inputs<S>) => readonly Problem[] | Problem | undefined;

/**
 * Reads every input of a table. Throws one `UserError` with all problems: INPUT_REQUIRED, BAD_INPUT, UNKNOWN_INPUT, BAD_DURATION,
 * BAD_COMMIT, BAD_SERVICE_NAME and the other codes of the readers.
 */
export function readInputs<const S extends InputSpec>(runtime: InputSource, spec: S, rules: readonly CrossRule<S>[] = []): Inputs<S> {
  const problems: Problem[] = misspelled(runtime, Object.keys(spec));
  const values: Record<string, unknown> = {};
  for (const [name, reader] of Object.entries(spec)) {
    const given = runtime.input(name);
    if (reader.secret && given !== '') runtime.mask(given);
    const text = given === '' ? (reader.default ?? '') : given;
    if (text === '') {
      if (reader.required)
        problems.push(problem('INPUT_REQUIRED', `${name}: this input is required`, { input: name, hint: `set '${name}'` }));
      else values[camel(name)] = reader.absent(runtime);
      continue;
    }
    const value = reader.parse(text, name, runtime);
    if (isProblem(value)) problems.push(value);
    else if (Array.isArray(value) && value.length > 0 && value.every(isProblem)) problems.push(...value);
    else values[camel(name)] = value;
  }
  const inputs = Object.freeze(values) as Inputs<S>;
  if (problems.length === 0) for (const rule of rules) problems.push(...[rule(inputs) ?? []].flat());
  if (problems.length > 0) throw new UserError(problems);
  return inputs;
}

/** `deploy-group` → `deployGroup`. */
export function camel(name: string): string {
  return name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function isProblem(value: unknown): value is Problem {
  return typeof value === 'object' && value !== null && 'severity' in value && 'code' in value && 'message' in value;
}

/** GitHub only warns about `with: timout:`; that value would silently be the default. */
function misspelled(runtime: InputSource, known: readonly string[]): Problem[] {
  const found: Problem[] = [];
  for (const [variable, value] of Object.entries(runtime.env)) {
    if (!variable.startsWith('INPUT_') || value === undefined || value === '') continue;
    const name = variable.slice('INPUT_'.length).toLowerCase();
    if (known.includes(name)) continue;
    const near = nearNames(name, known);
    if (near.length > 0)
      found.push(
        problem('UNKNOWN_INPUT', `${name}: there is no such input`, {
          input: name,
          hint: `did you mean ${near.map((n) => `'${n}'`).join(' or ')}?`,
        }),
      );
  }
  return found;
}

interface Common {
  readonly required?: boolean;
  readonly secret?: boolean;
}

interface WithDefault extends Common {
  readonly default?: string;
}

function reader<T>(options: WithDefault, parse: InputReader<T>['parse'], absent: (runtime: InputSource) => T): InputReader<T> {
  return { required: options.required ?? false, default: options.default, secret: options.secret ?? false, parse, absent };
}

/** Free text; empty when not given. `check` returns what is wrong with it. */
export function text(
  options: WithDefault & { readonly check?: (value: string, input: string) => Problem | undefined } = {},
): InputReader<string> {
  return reader(
    options,
    (value, name) => options.check?.(value, name) ?? value,
    () => '',
  );
}

/** Free text; `undefined` when not given. */
export function optionalText(
  options: Common & { readonly check?: (value: string, input: string) => Problem | undefined } = {},
): InputReader<string | undefined> {
  return reader<string | undefined>(
    options,
    (value, name) => options.check?.(value, name) ?? value,
    () => undefined,
  );
}

/** A token or password: masked before its first use; empty when not given. */
export function secret(options: Common & { readonly env?: string } = {}): InputReader<string> {
  const { env } = options;
  return reader(
    { ...options, secret: true },
    (value) => value,
    (runtime) => {
      const value = env === undefined ? '' : (runtime.env[env] ?? '');
      if (value !== '') runtime.mask(value);
      return value;
    },
  );
}

/** `true` or `false` and nothing else (GitHub's own rule: any capitalisation of the whole word). */
export function flag(options: Common & { readonly default?: 'true' | 'false' } = {}): InputReader<boolean> {
  return reader<boolean>(
    { ...options, default: options.default ?? 'false' },
    (value, name) => {
      if (/^(?:true|True|TRUE)$/.test(value)) return true;
      if (/^(?:false|False|FALSE)$/.test(value)) return false;
      return bad(name, `${quoted(value)} is neither true nor false`, "write 'true' or 'false'");
    },
    () => false,
  );
}

/** `true`, `false`, or `undefined` when not given: for settings whose default is decided elsewhere. */
export function optionalFlag(options: Common = {}): InputReader<boolean | undefined> {
  const inner = flag();
  return reader<boolean | undefined>(
    options,
    (value, name, runtime) => inner.parse(value, name, runtime),
    () => undefined,
  );
}

interface Bounds {
  readonly min?: number;
  readonly max?: number;
}

/** A whole number within bounds. Needs a default unless required; use `optionalInteger` otherwise. */
export function integer(options: WithDefault & Bounds): InputReader<number> {
  return reader<number>(
    options,
    (value, name) => parseInteger(value, name, options),
    () => NaN,
  );
}

/** A whole number within bounds; `undefined` when not given. */
export function optionalInteger(options: Common & Bounds = {}): InputReader<number | undefined> {
  return reader<number | undefined>(
    options,
    (value, name) => parseInteger(value, name, options),
    () => undefined,
  );
}

function parseInteger(value: string, name: string, { min, max }: Bounds): number | Problem {
  const range =
    min !== undefined && max !== undefined
      ? `a whole number from ${min} to ${max}`
      : min !== undefined
        ? `a whole number of at least ${min}`
        : max !== undefined
          ? `a whole number of at most ${max}`
          : 'a whole number';
  const number = /^-?\d{1,15}$/.test(value) ? Number(value) : NaN;
  if (Number.isNaN(number) || (min !== undefined && number < min) || (max !== undefined && number > max))
    return bad(name, `${quoted(value)} is not ${range}`, `write ${range}`);
  return number;
}

/** A duration in milliseconds (`90s`, `10m`, `1h30m`; a bare number is seconds). Bounds in milliseconds, both included. */
export function duration(options: WithDefault & Bounds): InputReader<number> {
  return reader<number>(
    options,
    (value, name) => parseBounded(value, name, options),
    () => NaN,
  );
}

/** A duration in milliseconds; `undefined` when not given. */
export function optionalDuration(options: Common & Bounds = {}): InputReader<number | undefined> {
  return reader<number | undefined>(
    options,
    (value, name) => parseBounded(value, name, options),
    () => undefined,
  );
}

function parseBounded(value: string, name: string, { min = 1, max = 86_400_000 * 7 }: Bounds): number | Problem {
  const milliseconds = parseDuration(value, name);
  if (typeof milliseconds !== 'number') return milliseconds;
  if (milliseconds < min || milliseconds > max) {
    return problem('BAD_DURATION', `${name}: ${quoted(value)} is out of range`, {
      input: name,
      hint: `write a duration from ${formatDuration(min)} to ${formatDuration(max)}`,
    });
  }
  return milliseconds;
}

/** One word of a list. */
export function choice<const C extends string>(options: WithDefault & { readonly of: readonly C[] }): InputReader<C> {
  return reader<C>(
    options,
    (value, name) => {
      const found = options.of.find((one) => one === value);
      if (found !== undefined) return found;
      const near = nearNames(value, options.of);
      return bad(
        name,
        `${quoted(value)} is not known`,
        `${near.length === 0 ? '' : `did you mean '${near.join("' or '")}'? `}legal values: ${options.of.join(', ')}`,
      );
    },
    () => options.of[0] as C,
  );
}

/** Words separated by commas, blanks or line ends; each is checked. Empty when not given. */
export function list(
  options: WithDefault & { readonly check?: (value: string, input: string) => Problem | undefined } = {},
): InputReader<readonly string[]> {
  return reader<readonly string[]>(
    options,
    (value, name) => {
      const words = [...new Set(value.split(/[\s,]+/).filter((word) => word !== ''))];
      const problems = words.flatMap((word) => options.check?.(word, name) ?? []);
      return problems.length > 0 ? problems : words;
    },
    () => [],
  );
}

/** A full commit id in lower case; `undefined` when not given. */
export function commit(options: Common = {}): InputReader<string | undefined> {
  return reader<string | undefined>(
    options,
    (value, name) => parseCommit(value, name),
    () => undefined,
  );
}

/** A service: trailing `/` and one leading `services-` are taken off; `undefined` when not given. */
export function service(options: Common = {}): InputReader<string | undefined> {
  return reader<string | undefined>(
    options,
    (value, name) => {
      const normal = normaliseServiceName(value);
      return serviceNameProblem(normal, name) ?? normal;
    },
    () => undefined,
  );
}

/** An image version; `null` when not given, as in `DeploymentVersion`. */
export function imageVersion(options: Common = {}): InputReader<string | null> {
  return reader<string | null>(
    options,
    (value, name) => imageVersionProblem(value, name) ?? value,
    () => null,
  );
}

/** A deploy group; `undefined` when not given. */
export function deployGroup(options: Common = {}): InputReader<string | undefined> {
  return optionalText({ ...options, check: deployGroupProblem });
}

/** A cluster; `undefined` when not given. */
export function cluster(options: Common = {}): InputReader<string | undefined> {
  return optionalText({ ...options, check: clusterNameProblem });
}

/** Instances of a service; empty means all. */
export function instances(options: Common = {}): InputReader<readonly string[]> {
  return list({ ...options, check: instanceNameProblem });
}

/** A path whose default depends on the environment (`$PAASTA_SOA_DIR`, else `/nail/etc/services`). */
function directory(options: { readonly env: string; readonly fallback: string }): InputReader<string> {
  return reader<string>(
    {},
    (value) => value,
    (runtime) => {
      const value = runtime.env[options.env];
      return value === undefined || value === '' ? options.fallback : value;
    },
  );
}

/** The soa-configs tree and the system configuration, with PaaSTA's defaults: every stage has them. */
export const TREE_INPUTS = {
  'soa-dir': directory({ env: 'PAASTA_SOA_DIR', fallback: '/nail/etc/services' }),
  'system-config-dir': directory({ env: 'PAASTA_SYSTEM_CONFIG_DIR', fallback: '/etc/paasta' }),
} satisfies InputSpec;

/** An http(s) address without credentials; a trailing slash is dropped; `undefined` when not given. */
export function url(options: Common & { readonly env?: string } = {}): InputReader<string | undefined> {
  const { env } = options;
  return reader<string | undefined>(
    options,
    (value, name) => {
      const parsed = URL.parse(value);
      if (parsed === null || !/^https?:$/.test(parsed.protocol))
        return bad(name, `${quoted(value)} is not an http(s) address`, 'write it as https://host[:port][/path]');
      if (parsed.username !== '' || parsed.password !== '')
        return bad(name, 'credentials do not belong in an address', 'give the token in its own input');
      return withoutTrailing(value, '/');
    },
    (runtime) => (env === undefined ? undefined : runtime.env[env] === '' ? undefined : runtime.env[env]),
  );
}

function bad(input: string, message: string, hint: string): Problem {
  return problem('BAD_INPUT', `${input}: ${message}`, { input, hint });
}
