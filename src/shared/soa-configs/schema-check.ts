/** The one door to the schema validator: a YAML document against the schema of its kind, every fault with its place. */
import { Ajv, type AnySchema, type ErrorObject, type ValidateFunction } from 'ajv';
import { problem, type Problem } from '../contract/errors.ts';
import { nearNames } from '../contract/near.ts';
import { Float, isMap, type Value } from '../contract/values.ts';
import adhoc from './schemas/adhoc.json' with { type: 'json' };
import autotunedKubernetes from './schemas/autotuned-kubernetes.json' with { type: 'json' };
import common from './schemas/common.json' with { type: 'json' };
import deploy from './schemas/deploy.json' with { type: 'json' };
import eks from './schemas/eks.json' with { type: 'json' };
import kubernetes from './schemas/kubernetes.json' with { type: 'json' };
import monitoring from './schemas/monitoring.json' with { type: 'json' };
import rollback from './schemas/rollback.json' with { type: 'json' };
import service from './schemas/service.json' with { type: 'json' };
import smartstack from './schemas/smartstack.json' with { type: 'json' };
import tron from './schemas/tron.json' with { type: 'json' };
import { mappingHint, typeName } from './type-name.ts';
import { entriesOf, Timestamp } from './yaml-values.ts';
import type { YamlDocument } from './yaml.ts';

export type Path = readonly (string | number)[];

/** A problem with the path of the value in its document. */
export interface PlacedProblem extends Problem {
  readonly path: Path;
}

const SCHEMAS = {
  service,
  adhoc,
  kubernetes,
  rollback,
  tron,
  eks,
  smartstack,
  'autotuned_defaults/kubernetes': autotunedKubernetes,
} as const satisfies Readonly<Record<string, AnySchema>>;
export type SchemaKind = keyof typeof SCHEMAS;
/** Kinds that PaaSTA checks, in its order: their faults fail a run. */
export const SCHEMA_KINDS = Object.keys(SCHEMAS) as readonly SchemaKind[];
/** Kinds that PaaSTA has no check for. */
const OWN_SCHEMAS = { deploy, monitoring } as const satisfies Readonly<Record<string, AnySchema>>;
export type OwnSchemaKind = keyof typeof OWN_SCHEMAS;

/** The schema of a kind, and the shapes that it shares with others. */
export function schemaOf(kind: SchemaKind | OwnSchemaKind): { readonly schema: object; readonly common: object } {
  return { schema: { ...SCHEMAS, ...OWN_SCHEMAS }[kind], common };
}

/** Which members of a converted value were written as floats: `1.0` is no whole number for PaaSTA's schemas. */
let floats = new WeakMap<object, Set<string | number>>();
const compiled = new Map<SchemaKind | OwnSchemaKind, ValidateFunction>();
let ajv: Ajv | undefined;

/** Stands before the name of a key that is not text: then no schema knows it, as Python's validator does not. */
const NOT_TEXT = '\u0000';

/**
 * JSON Schema's `integer` accepts 1.0, and ajv's also `.inf` where numbers may be infinite; draft 4 as PaaSTA runs it accepts neither. Where
 * names are matched, it falls over a key that is not text.
 */
function asPythonChecks(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(asPythonChecks);
  if (typeof schema !== 'object' || schema === null) return schema;
  const copy = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, asPythonChecks(value)]));
  const { type } = schema as { readonly type?: unknown };
  return {
    ...copy,
    ...(type === 'integer' || (Array.isArray(type) && type.includes('integer')) ? { whole: true } : {}),
    ...('patternProperties' in schema ? { propertyNames: { not: { pattern: `^${NOT_TEXT}` } } } : {}),
  };
}

function validatorOf(kind: SchemaKind | OwnSchemaKind): ValidateFunction {
  let found = compiled.get(kind);
  if (found !== undefined) return found;
  if (ajv === undefined) {
    ajv = new Ajv({ allErrors: true, strict: false, strictNumbers: false, verbose: true });
    ajv.addKeyword({
      keyword: 'whole',
      type: 'number',
      errors: false,
      validate: (
        _schema: unknown,
        value: unknown,
        _parent: unknown,
        place?: { readonly parentData?: unknown; readonly parentDataProperty?: string | number },
      ) => {
        const parent = place?.parentData;
        return (
          Number.isFinite(value) &&
          (typeof parent !== 'object' ||
            parent === null ||
            place?.parentDataProperty === undefined ||
            floats.get(parent)?.has(place.parentDataProperty) !== true)
        );
      },
    });
    ajv.addSchema(asPythonChecks(common) as AnySchema);
  }
  found = ajv.compile(asPythonChecks({ ...SCHEMAS, ...OWN_SCHEMAS }[kind]) as AnySchema);
  compiled.set(kind, found);
  return found;
}

/** A value as the validator knows values. Dates and bytes become what has none of the JSON types. */
function plain(value: Value): unknown {
  if (value instanceof Float) return value.value;
  // Beyond what a number can be, only the size counts: it stays a whole number.
  if (typeof value === 'bigint') return Math.min(Math.max(Number(value), -Number.MAX_VALUE), Number.MAX_VALUE);
  if (value instanceof Timestamp || value instanceof Date || value instanceof Uint8Array) return Symbol('not JSON');
  if (Array.isArray(value)) {
    const list = (value as readonly Value[]).map(plain);
    note(
      list,
      (value as readonly Value[]).flatMap((entry, index) => (entry instanceof Float ? [index] : [])),
    );
    return list;
  }
  if (!isMap(value)) return value;
  // The validator compares objects by their prototype's methods, so this one has the usual prototype; keys are defined, not assigned.
  const map: Record<string, unknown> = {};
  const marked: string[] = [];
  for (const [given, key, entry] of entriesOf(value)) {
    const name = typeof key === 'string' ? given : `${NOT_TEXT}${given}`;
    Object.defineProperty(map, name, { value: plain(entry), enumerable: true, writable: true, configurable: true });
    if (entry instanceof Float) marked.push(name);
  }
  note(map, marked);
  return map;
}

function note(container: object, marked: readonly (string | number)[]): void {
  if (marked.length > 0) floats.set(container, new Set(marked));
}

/** All faults of a document against the schema of its kind. */
export function checkSchema(kind: SchemaKind | OwnSchemaKind, document: YamlDocument): readonly PlacedProblem[] {
  floats = new WeakMap();
  const validate = validatorOf(kind);
  const value = plain(document.value);
  const errors = validate(value) ? [] : (validate.errors ?? []);
  const unknown = ({ keyword, params }: ErrorObject): string => {
    const { propertyName = '', additionalProperty = '' } = params as Readonly<Record<string, string>>;
    return keyword === 'propertyNames' ? propertyName : keyword === 'additionalProperties' ? additionalProperty : '';
  };
  const refused = new Set(
    errors.filter((error) => unknown(error).startsWith(NOT_TEXT)).map((error) => [...pathOf(error), unknown(error).slice(1)].join('\n')),
  );
  const faults: PlacedProblem[] = oddKeys(document.value, []).map((path) => {
    const told = placed(document, path, 'KEY_NOT_TEXT', `the key '${String(path.at(-1))}' is not text`, 'put it in quotes');
    // Where any key may stand, PaaSTA takes it.
    return refused.has(path.join('\n')) ? told : { ...told, severity: 'warning' };
  });
  for (const error of relevant(errors))
    if (!unknown(error).startsWith(NOT_TEXT) && !error.schemaPath.includes('/propertyNames/')) faults.push(fault(document, error));
  return faults;
}

/** Paths of keys that YAML does not read as text. */
function oddKeys(value: Value, path: Path): readonly Path[] {
  if (Array.isArray(value)) return (value as readonly Value[]).flatMap((entry, index) => oddKeys(entry, [...path, index]));
  if (!isMap(value)) return [];
  return entriesOf(value).flatMap(([name, key, entry]) => (typeof key === 'string' ? oddKeys(entry, [...path, name]) : [[...path, name]]));
}

export function placed(document: YamlDocument, path: Path, code: string, message: string, hint?: string): PlacedProblem {
  return { ...problem(code, message, { ...document.position(path), ...(hint === undefined ? {} : { hint }) }), path };
}

/** Of a failed choice (oneOf, anyOf) the choice itself is told, not what each branch misses. */
function relevant(errors: readonly ErrorObject[]): readonly ErrorObject[] {
  const choices = errors.filter((error) => ['oneOf', 'anyOf', 'not'].includes(error.keyword));
  // What a value of the wrong type should look like inside does not matter.
  const mistyped = new Set(
    errors
      .filter((error) => error.keyword === 'type' && error.schemaPath.split('/').every((part) => !['oneOf', 'anyOf', 'not'].includes(part)))
      .map((error) => error.instancePath),
  );
  return errors.filter((error) => {
    if (error.keyword === 'if' || (choices.includes(error) && mistyped.has(error.instancePath))) return false;
    return !choices.some((choice) => choice !== error && error.schemaPath.startsWith(`${choice.schemaPath}/`));
  });
}

function pathOf(error: ErrorObject): Path {
  return error.instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~').replace(NOT_TEXT, ''))
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}

/** What other systems call a key; no slip of the keyboard leads from one to the other. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  command: 'cmd',
  entrypoint: 'cmd',
  memory: 'mem',
  environment: 'env',
  replicas: 'instances',
  count: 'instances',
  port: 'container_port',
  volumes: 'extra_volumes',
  strategy: 'bounce_method',
  cron: 'schedule',
};
/** A longer list of keys helps nobody. */
const MOST_KEYS = 20;

function keyHint(key: string, known: readonly string[], forms: readonly string[]): string {
  const other = Object.hasOwn(OTHER_NAMES, key) ? OTHER_NAMES[key] : undefined;
  const near = other !== undefined && known.includes(other) ? [other] : nearNames(key, known);
  if (near.length > 0) return `did you mean '${near.join("' or '")}'?`;
  if (known.length > MOST_KEYS) return 'remove it, or look its name up in docs/instance-keys.md';
  return known.length > 0
    ? `known: ${[...known].sort().join(', ')}`
    : forms.length > 0
      ? `keys have the form ${forms.join(' or ')} there`
      : 'remove it: no key may stand there';
}

/** What the author of a value of the wrong type most likely has to write. `wanted`: the words of TYPES. */
function typeHint(wanted: string, value: unknown): string | undefined {
  if (typeof value === 'string') {
    if (wanted.includes('number') && value.trim() !== '' && Number.isFinite(Number(value)))
      return /e/i.test(value) ? `write the number without an exponent: YAML 1.1 reads '${value}' as text` : 'remove the quotes';
    if (wanted === 'true or false') return 'write true or false without quotes';
    if (wanted === 'a list' && value !== '' && value.length <= 40) return `write it as a list: [${value}]`;
    return wanted.includes('a mapping') ? mappingHint(value) : undefined;
  }
  return wanted.includes('text') && (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'symbol')
    ? 'put it in quotes'
    : undefined;
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  integer: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
  null: 'null',
};

function fault(document: YamlDocument, error: ErrorObject): PlacedProblem {
  const path = pathOf(error);
  const name = path.length === 0 ? 'the file' : path.join('.');
  const params = error.params as Readonly<Record<string, unknown>>;
  const value = typeof error.data === 'symbol' ? 'a date or binary value' : typeName(error.data as Value | undefined);
  switch (error.keyword) {
    case 'type': {
      const wanted = (Array.isArray(params['type']) ? params['type'] : [params['type']])
        .map((type) => TYPES[String(type)] ?? String(type))
        .join(' or ');
      return placed(document, path, 'SCHEMA_TYPE', `${name} must be ${wanted}, not ${value}`, typeHint(wanted, error.data));
    }
    case 'whole':
      return placed(
        document,
        path,
        'SCHEMA_TYPE',
        Number.isFinite(error.data) ? `${name} must be a whole number without '.0'` : `${name} must be a whole number, not ${value}`,
      );
    case 'additionalProperties': {
      const key = String(params['additionalProperty']);
      const { properties = {}, patternProperties = {} } = (error.parentSchema ?? {}) as {
        readonly properties?: object;
        readonly patternProperties?: object;
      };
      const known = Object.keys(properties);
      const shape = known.length === 0 && path.length === 0;
      return {
        ...placed(
          document,
          [...path, key],
          shape ? 'INSTANCE_NAME' : 'UNKNOWN_KEY',
          shape
            ? `'${key}' is not a name of an instance: lower-case letters and digits, with - and _ inside`
            : `unknown key '${key}'${path.length === 0 ? '' : ` in ${name}`}`,
          shape ? undefined : keyHint(key, known, Object.keys(patternProperties)),
        ),
        path,
      };
    }
    case 'required':
      return placed(
        document,
        path,
        'MISSING_KEY',
        `${name} needs the key '${String(params['missingProperty'])}'`,
        `write '${String(params['missingProperty'])}: …'`,
      );
    case 'dependencies':
      return placed(document, path, 'MISSING_KEY', `${name}: '${String(params['property'])}' needs '${String(params['deps'])}' beside it`);
    case 'enum':
      return placed(
        document,
        path,
        'UNKNOWN_VALUE',
        `${name} must be one of ${(params['allowedValues'] as readonly unknown[]).join(', ')}, not ${value}`,
        nearHint(error.data, params['allowedValues']),
      );
    case 'minimum':
    case 'maximum':
    case 'exclusiveMinimum':
    case 'exclusiveMaximum':
      return placed(
        document,
        path,
        'OUT_OF_RANGE',
        `${name} must be ${String(params['comparison'])} ${String(params['limit'])}, not ${value}`,
      );
    case 'pattern':
      return placed(document, path, 'SCHEMA_PATTERN', `${name}: ${value} does not fit the form ${String(params['pattern'])}`);
    case 'minProperties':
      return placed(document, path, 'EMPTY', `${name} is empty`, 'give it at least one key, or remove it');
    case 'uniqueItems':
      return placed(
        document,
        path,
        'DUPLICATE_ITEM',
        `${name} has the same entry twice (entries ${Number(params['j']) + 1} and ${Number(params['i']) + 1})`,
      );
    case 'maxLength':
    case 'maxItems':
      return placed(
        document,
        path,
        'TOO_LONG',
        `${name} may have at most ${String(params['limit'])} ${error.keyword === 'maxLength' ? 'characters' : 'entries'}`,
      );
    case 'oneOf':
    case 'anyOf':
    case 'not':
      return choiceFault(document, path, name, error);
    default:
      return placed(document, path, 'SCHEMA_INVALID', `${name} ${error.message ?? 'is not valid'}`);
  }
}

function nearHint(value: unknown, allowed: unknown): string | undefined {
  const near = typeof value === 'string' && Array.isArray(allowed) ? nearNames(value, allowed.map(String)) : [];
  return near.length === 0 ? undefined : `did you mean '${near[0] ?? ''}'?`;
}

function choiceFault(document: YamlDocument, path: Path, name: string, error: ErrorObject): PlacedProblem {
  const has = (key: string): boolean => typeof error.data === 'object' && error.data !== null && key in error.data;
  const at = (key: string): Path => (has(key) ? [...path, key] : path);
  if (error.keyword === 'not')
    return placed(
      document,
      at('iam_role'),
      'CONFLICTING_KEYS',
      `${name}: service_account_name and iam_role exclude each other`,
      'keep one of the two',
    );
  const text = JSON.stringify(error.schema);
  if (text.includes('healthcheck_mode')) {
    const message = has('healthcheck_cmd')
      ? `${name}: healthcheck_cmd needs healthcheck_mode: cmd`
      : `${name}: healthcheck_mode does not fit: cmd needs a healthcheck_cmd, the others are tcp, http and https`;
    return placed(document, at(has('healthcheck_cmd') ? 'healthcheck_cmd' : 'healthcheck_mode'), 'HEALTHCHECK_INVALID', message);
  }
  if (text.includes('drain_method'))
    return placed(
      document,
      at('drain_method_params'),
      'DRAIN_INVALID',
      `${name}: drain_method http needs drain_method_params with drain, stop_draining, is_draining and is_safe_to_kill; other methods do not take all four`,
    );
  const value = typeof error.data === 'symbol' ? 'a date or binary value' : typeName(error.data as Value);
  const forms = [
    ...new Set(
      (Array.isArray(error.schema) ? (error.schema as readonly { readonly type?: unknown }[]) : []).map(({ type }) =>
        typeof type === 'string' ? TYPES[type] : undefined,
      ),
    ),
  ];
  // Of forms that differ in their type the types say enough.
  return placed(
    document,
    path,
    'SCHEMA_CHOICE',
    forms.length > 1 && !forms.includes(undefined)
      ? `${name} must be ${forms.join(' or ')}, not ${value}`
      : `${name} has none of the allowed forms (${value})`,
  );
}
