/**
 * GitHub's OpenAPI description (cut to our paths by scripts/cut-openapi.ts) as a judge: which operation a request is,
 * whether request and response are what GitHub documents, and the required fields that an answer of ours leaves out.
 */
import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import type { ValidateFunction } from 'ajv';
import ajvFormats from 'ajv-formats';

export type Json = null | boolean | number | string | Json[] | JsonObject;
export interface JsonObject {
  [key: string]: Json;
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema?: JsonObject;
  readonly $ref?: string;
}
interface Content {
  readonly content?: Readonly<Record<string, { readonly schema?: JsonObject }>>;
  readonly $ref?: string;
  readonly required?: boolean;
}
interface OperationText {
  readonly operationId: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: Content;
  readonly responses: Readonly<Record<string, Content>>;
}

interface Description {
  readonly info: Readonly<Record<string, string>>;
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationText>>>>;
  readonly components: Readonly<Record<string, Readonly<Record<string, JsonObject>>>>;
}

/** An operation of the description that a request was recognised as. */
export interface Operation {
  /** Such as `git/create-ref`. */
  readonly id: string;
  readonly method: string;
  readonly template: string;
  /** Decoded path parameters. */
  readonly parameters: Readonly<Record<string, string>>;
}

const description = JSON.parse(readFileSync(new URL('./api.github.com.cut.json', import.meta.url), 'utf8')) as Description;
const rootId = 'https://description.test/';

/** OpenAPI 3.0 `nullable` as JSON Schema: ajv knows only type unions. */
function toJsonSchema(value: Json): Json {
  if (Array.isArray(value)) return value.map(toJsonSchema);
  if (value === null || typeof value !== 'object') return value;
  const out: JsonObject = {};
  for (const [key, inner] of Object.entries(value)) {
    if (key === '$ref' && typeof inner === 'string') out[key] = rootId + inner;
    else if (key !== 'nullable') out[key] = toJsonSchema(inner);
  }
  // GitHub sends the documented default `""` for addresses that were not given.
  if (out['format'] !== undefined && out['default'] === '') return { anyOf: [out, { const: '' }] };
  if (value['nullable'] !== true) return out;
  if (
    typeof out['type'] === 'string' &&
    out['$ref'] === undefined &&
    out['allOf'] === undefined &&
    out['anyOf'] === undefined &&
    out['oneOf'] === undefined
  ) {
    out['type'] = [out['type'], 'null'];
    if (Array.isArray(out['enum'])) out['enum'] = [...out['enum'], null];
    return out;
  }
  return { anyOf: [out, { type: 'null' }] };
}

const ajv = new Ajv({ strict: false, allErrors: true, logger: false });
ajvFormats.default(ajv);
ajv.addSchema({ $id: rootId, components: toJsonSchema(description.components as unknown as JsonObject) } as object);
/** Query and path values arrive as text. */
const coercing = new Ajv({ strict: false, allErrors: true, logger: false, coerceTypes: 'array' });
ajvFormats.default(coercing);

const compiled = new Map<string, ValidateFunction>();
function validator(key: string, schema: JsonObject, using: Ajv = ajv): ValidateFunction {
  const known = compiled.get(key);
  if (known !== undefined) return known;
  const made = using.compile(toJsonSchema(schema) as object);
  compiled.set(key, made);
  return made;
}

/** Rejections of a value in readable form, empty when it is fine. */
function reject(key: string, schema: JsonObject, value: unknown, using?: Ajv): string[] {
  const validate = validator(key, schema, using);
  if (validate(value) === true) return [];
  return (validate.errors ?? []).slice(0, 5).map((error) => `${error.instancePath || '(body)'} ${error.message ?? ''}`.trim());
}

function follow<T extends { readonly $ref?: string }>(value: T): T {
  if (value.$ref === undefined) return value;
  const [, , section = '', name = ''] = value.$ref.split('/');
  return description.components[section]?.[name] as unknown as T;
}

/** The only segments that span slashes: GitHub lets refs and file paths contain them. */
const multiSegment = /^(\{ref\}|\{path\}|\{basehead\}|\{branch\}|\{environment_name\})$/;
const patterns = Object.entries(description.paths)
  .map(([template, methods]) => ({
    template,
    methods,
    literals: template.split('/').filter((segment) => !segment.startsWith('{')).length,
    names: [...template.matchAll(/\{([^}]+)\}/g)].map((match) => match[1] ?? ''),
    regex: new RegExp(
      `^${template
        .split('/')
        .map((segment) => (multiSegment.test(segment) ? '(.+?)' : segment.startsWith('{') ? '([^/]+)' : segment.replace(/[.]/g, '\\.')))
        .join('/')}$`,
    ),
  }))
  .sort((a, b) => b.literals - a.literals);

/** Which documented operation this is. `undefined`: the description does not know it. */
export function recognise(method: string, path: string): Operation | undefined {
  for (const { template, methods, names, regex } of patterns) {
    const match = regex.exec(path);
    const operation = methods[method.toLowerCase()];
    if (match === null || operation === undefined) continue;
    const parameters = Object.fromEntries(names.map((name, index) => [name, decodeURIComponent(match[index + 1] ?? '')]));
    return { id: operation.operationId, method: method.toLowerCase(), template, parameters };
  }
  return undefined;
}

function textOf(operation: Operation): OperationText {
  const found = description.paths[operation.template]?.[operation.method];
  if (found === undefined) throw new Error(`no operation ${operation.method} ${operation.template}`);
  return found;
}

/** What the description rejects about a request: unknown or wrong query parameters, a body that is missing or not as documented. */
export function rejectRequest(operation: Operation, query: URLSearchParams, body: unknown): string[] {
  const text = textOf(operation);
  const parameters = (text.parameters ?? []).map(follow);
  const problems: string[] = [];
  for (const [name, value] of query) {
    const parameter = parameters.find((candidate) => candidate.in === 'query' && candidate.name === name);
    if (parameter === undefined) problems.push(`query parameter ${name} is not documented`);
    else if (parameter.schema !== undefined) {
      const schema: JsonObject = { type: 'object', properties: { value: parameter.schema } };
      problems.push(
        ...reject(`${operation.id} query ${name}`, schema, { value }, coercing).map((text_) => `query parameter ${name}: ${text_}`),
      );
    }
  }
  for (const parameter of parameters) {
    if (parameter.in !== 'path' || parameter.schema === undefined) continue;
    const schema: JsonObject = { type: 'object', properties: { value: parameter.schema } };
    problems.push(
      ...reject(`${operation.id} path ${parameter.name}`, schema, { value: operation.parameters[parameter.name] ?? '' }, coercing).map(
        (text_) => `path parameter ${parameter.name}: ${text_}`,
      ),
    );
  }
  const schema = text.requestBody?.content?.['application/json']?.schema;
  if (schema === undefined) {
    if (body !== undefined) problems.push('a body is sent to an operation that documents none');
  } else if (body === undefined) {
    if (text.requestBody?.required === true) problems.push('the documented body is missing');
  } else {
    problems.push(...reject(`${operation.id} body`, schema, body));
    problems.push(...unknownFields(schema, body, 'body'));
  }
  return problems;
}

/** Schema of an answer: `undefined` when the status has no body, `null` when the status is not documented. */
function responseSchema(operation: Operation, status: number): JsonObject | null | undefined {
  const response = textOf(operation).responses[String(status)];
  if (response === undefined) return null;
  return follow(response).content?.['application/json']?.schema;
}

/** Errors that any operation may give although the description lists them for few. */
const anywhere = new Set([401, 403, 404, 422, 429, 500, 502, 503]);

export function rejectResponse(operation: Operation, status: number, body: unknown): string[] {
  const schema = responseSchema(operation, status);
  if (schema === null) {
    if (!anywhere.has(status)) return [`status ${String(status)} is not documented`];
    return reject('basic error', { $ref: '#/components/schemas/basic-error' }, body);
  }
  if (schema === undefined) return body === undefined || status >= 400 ? [] : [`status ${String(status)} documents no body`];
  return [...reject(`${operation.id} ${String(status)}`, schema, body), ...unknownFields(schema, body, 'answer')];
}

/** All alternatives of a schema, `$ref` and `allOf` followed. */
function alternatives(schema: JsonObject): JsonObject[] {
  const at = follow(schema as { $ref?: string }) as JsonObject;
  const inner = ['oneOf', 'anyOf', 'allOf'].flatMap((key) => (Array.isArray(at[key]) ? (at[key] as JsonObject[]) : []));
  return inner.length === 0 ? [at] : [...(at['properties'] === undefined ? [] : [at]), ...inner.flatMap(alternatives)];
}

/** Fields that no alternative documents: the description does not forbid them, yet they are typos of ours. */
function unknownFields(schema: JsonObject, value: unknown, at: string): string[] {
  const options = alternatives(schema);
  if (Array.isArray(value)) {
    const items = options.flatMap((option) => (option['items'] === undefined ? [] : [option['items'] as JsonObject]));
    return items.length === 0
      ? []
      : value.slice(0, 3).flatMap((item, index) => unknownFields({ anyOf: items }, item, `${at}/${String(index)}`));
  }
  if (typeof value !== 'object' || value === null) return [];
  const open = options.some((option) => option['properties'] === undefined || option['additionalProperties'] !== undefined);
  return Object.entries(value).flatMap(([key, inner]) => {
    const found = options.flatMap((option) => {
      const property = (option['properties'] as JsonObject | undefined)?.[key];
      return property === undefined ? [] : [property as JsonObject];
    });
    if (found.length === 0) return open ? [] : [`${at}/${key} is not documented`];
    return unknownFields({ anyOf: found }, inner, `${at}/${key}`);
  });
}

/** An answer with every required field: ours where given, else a value that the schema allows. */
export function complete(operation: Operation, status: number, body: Json): Json {
  const schema = responseSchema(operation, status);
  return schema === undefined || schema === null ? body : fill(schema, body, 0);
}

function fill(schema: JsonObject, given: Json | undefined, depth: number): Json {
  const at = follow(schema as { $ref?: string }) as JsonObject;
  const choices = (at['oneOf'] ?? at['anyOf']) as JsonObject[] | undefined;
  if (given === undefined) return sample(at, depth);
  if (choices !== undefined) {
    const shape = Array.isArray(given) ? 'array' : typeof given;
    const fitting = choices.find((choice) =>
      alternatives(choice).some(
        (option) =>
          option['type'] === shape &&
          (!isObject(given) || Object.keys(given).every((key) => (option['properties'] as JsonObject | undefined)?.[key] !== undefined)),
      ),
    );
    return fitting === undefined ? given : fill(fitting, given, depth);
  }
  if (Array.isArray(given))
    return at['items'] === undefined ? given : given.map((item) => fill(at['items'] as JsonObject, item, depth + 1));
  if (!isObject(given)) return given;
  const out: JsonObject = { ...given };
  for (const part of [
    at,
    ...((at['allOf'] as JsonObject[] | undefined) ?? []).map((inner) => follow(inner as { $ref?: string }) as JsonObject),
  ]) {
    const properties = (part['properties'] ?? {}) as Record<string, JsonObject>;
    const required = new Set((part['required'] ?? []) as string[]);
    for (const [name, property] of Object.entries(properties)) {
      const value = given[name];
      if (value !== undefined || required.has(name)) out[name] = fill(property, value, depth + 1);
    }
  }
  return out;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function sample(schema: JsonObject, depth: number): Json {
  if (schema['nullable'] === true) return null;
  const choices = (schema['oneOf'] ?? schema['anyOf'] ?? schema['allOf']) as JsonObject[] | undefined;
  const first = choices?.[0];
  if (first !== undefined) return fill(first, undefined, depth);
  const allowed = schema['enum'];
  if (Array.isArray(allowed)) return allowed[0] ?? null;
  switch (schema['type']) {
    case 'boolean':
      return false;
    case 'integer':
    case 'number':
      return typeof schema['minimum'] === 'number' ? schema['minimum'] : 0;
    case 'array':
      return [];
    case 'string':
      return sampleText(schema);
    default:
      return depth > 12 ? {} : fill({ ...schema, type: 'object' }, {}, depth + 1);
  }
}

function sampleText(schema: JsonObject): string {
  switch (schema['format']) {
    case 'uri':
      return 'https://api.github.com/';
    case 'date-time':
      return '2026-01-01T00:00:00Z';
    case 'email':
      return 'nobody@example.com';
    default:
      return typeof schema['minLength'] === 'number' ? '0'.repeat(schema['minLength']) : '';
  }
}

export const descriptionSource = description.info['x-package'] ?? '';
