/**
 * The system configuration: all `*.json` files of a directory and its subdirectories, hidden ones too, merged into one mapping.
 * Rule: `parse_system_paasta_config` in paasta_tools/utils.py. One leaf key in two files is an error even if the values are equal.
 */
import { UserError, problem, type Problem } from '../contract/errors.ts';
import type { TreeReader } from '../contract/ports.ts';
import { isMap, type Value, type ValueMap } from '../contract/values.ts';
import { readJson, type JsonDocument } from './json.ts';
import { typeName } from './type-name.ts';
import type { SystemConfig } from './types.ts';
import { emptyMap } from './yaml-values.ts';

const MAX_DEPTH = 20;

/** Loads the system configuration. Never throws for the content of its files: problems are listed, and what could be read is there. */
export function loadSystemConfig(tree: TreeReader): SystemConfig {
  const problems: Problem[] = [];
  const values = emptyMap();
  const origins = new Map<string, JsonDocument>();
  for (const path of jsonFiles(tree, '', 0, problems)) {
    const text = readText(tree, path, problems);
    if (text === undefined) continue;
    const { document, problem: broken } = readJson(text, path);
    if (document === undefined) {
      problems.push(broken);
      continue;
    }
    if (!isMap(document.value)) {
      problems.push(
        problem('SYSTEM_CONFIG_NOT_A_MAPPING', 'the file does not hold a JSON object', {
          file: path,
          line: 1,
          column: 1,
          hint: "begin it with '{'",
        }),
      );
      continue;
    }
    mergeInto(values, document.value, [], document, origins, problems);
  }
  return systemConfigOf(values, problems);
}

/** A system configuration from a mapping that is already merged. */
export function systemConfigOf(values: ValueMap, problems: readonly Problem[] = []): SystemConfig {
  const all = [...problems];
  const text = (key: string): string | undefined => {
    const value = values[key];
    if (value === undefined || value === null) return undefined;
    if (typeof value === 'string' && value !== '') return value;
    all.push(problem('SYSTEM_CONFIG_TYPE', `${key} of the system configuration must be a non-empty text, not ${typeName(value)}`));
    return undefined;
  };
  const clusters = values.clusters;
  let names: string[] = [];
  if (Array.isArray(clusters) && clusters.every((c) => typeof c === 'string')) names = [...(clusters as readonly string[])];
  else if (clusters !== undefined)
    all.push(
      problem('SYSTEM_CONFIG_TYPE', 'clusters of the system configuration must be a list of names', {
        hint: 'for example "clusters": ["prod-east", "prod-west"]',
      }),
    );
  return { values, cluster: text('cluster'), clusters: names, dockerRegistry: text('docker_registry'), problems: all };
}

function jsonFiles(tree: TreeReader, directory: string, depth: number, problems: Problem[]): readonly string[] {
  if (depth > MAX_DEPTH) return [];
  const found: string[] = [];
  let entries;
  try {
    entries = tree.list(directory);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    problems.push(...error.problems);
    return [];
  }
  for (const entry of entries) {
    const path = directory === '' ? entry.name : `${directory}/${entry.name}`;
    // Kubernetes mounts a ConfigMap as links into a directory `..data`: the same files twice.
    if (entry.kind === 'directory' && entry.name.startsWith('..')) continue;
    if (entry.kind === 'directory') found.push(...jsonFiles(tree, path, depth + 1, problems));
    else if (entry.kind === 'file' && entry.name.endsWith('.json')) found.push(path);
  }
  return depth === 0 ? found.sort() : found;
}

/** Text of a file; a refusal of the reader becomes a problem. */
export function readText(tree: TreeReader, path: string, problems: Problem[]): string | undefined {
  try {
    return tree.read(path);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    problems.push(...error.problems);
    return undefined;
  }
}

function mergeInto(
  target: Record<string, Value>,
  source: ValueMap,
  path: readonly string[],
  document: JsonDocument,
  origins: Map<string, JsonDocument>,
  problems: Problem[],
): void {
  for (const key of Object.keys(source)) {
    const value = source[key] as Value;
    const inner = [...path, key];
    const before = target[key];
    if (!(key in target)) {
      target[key] = adopt(value, inner, document, origins);
    } else if (isMap(before) && isMap(value)) mergeInto(before, value, inner, document, origins, problems);
    else {
      const first = origins.get(JSON.stringify(inner)) ?? nearestOrigin(inner, origins);
      const where = first?.position(inner);
      problems.push(
        problem(
          'SYSTEM_CONFIG_DUPLICATE',
          `${inner.join('.')} is set in two files: ${where === undefined ? 'another file' : `${where.file}${where.line === undefined ? '' : ` line ${where.line}`}`} and ${document.file}`,
          { ...document.position(inner), hint: 'keep one of the two: PaaSTA refuses a key that two files set, even with equal values' },
        ),
      );
    }
  }
}

function nearestOrigin(path: readonly string[], origins: Map<string, JsonDocument>): JsonDocument | undefined {
  for (let length = path.length; length > 0; length--) {
    const found = origins.get(JSON.stringify(path.slice(0, length)));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Copies mappings, so that later files can merge into them, and notes where every key came from. */
function adopt(value: Value, path: readonly string[], document: JsonDocument, origins: Map<string, JsonDocument>): Value {
  origins.set(JSON.stringify(path), document);
  if (!isMap(value)) return value;
  const copy = emptyMap();
  for (const key of Object.keys(value)) copy[key] = adopt(value[key] as Value, [...path, key], document, origins);
  return copy;
}
