/** Files of a soa-configs tree. What cannot be listed or read becomes a problem, and the rest is read all the same. */
import { UserError, problem, type Problem } from '../contract/errors.ts';
import type { TreeReader } from '../contract/ports.ts';
import { isMap, type ValueMap } from '../contract/values.ts';
import { readText } from './system-config.ts';
import { mappingHint, typeName } from './type-name.ts';
import { readYaml, type YamlDocument } from './yaml.ts';

/** A service name that can be a directory of the tree: nothing that leaves it. */
export function isName(service: string): boolean {
  return service !== '' && service !== '.' && service !== '..' && !/[/\\\0]/.test(service);
}

export function listNames(
  tree: TreeReader,
  path: string,
  problems: Problem[],
  keep: (entry: ReturnType<TreeReader['list']>[number]) => boolean,
): string[] {
  try {
    return tree
      .list(path)
      .filter(keep)
      .map((entry) => entry.name);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    problems.push(...error.problems);
    return [];
  }
}

/**
 * Reads a YAML file; `undefined` when it is absent or broken (then a problem was added). A file with a value that contains itself is broken,
 * unless the caller can keep away from that value (`mayRecur`): then the problem is added and the document returned.
 */
export function readFile(tree: TreeReader, path: string, problems: Problem[], mayRecur = false): YamlDocument | undefined {
  const text = readText(tree, path, problems);
  if (text === undefined) return undefined;
  const { document, problem: broken } = readYaml(text, path);
  if (document === undefined) {
    problems.push(broken);
    return undefined;
  }
  if (document.recursive !== undefined) {
    problems.push(
      problem('YAML_RECURSIVE', 'an alias stands inside the value that it names', {
        ...document.recursive,
        hint: 'remove the alias: a value cannot contain itself',
      }),
    );
    if (!mayRecur) return undefined;
  }
  return document;
}

/** Reads a file that must be a mapping. */
export function readMapping(
  tree: TreeReader,
  path: string,
  problems: Problem[],
  mayRecur = false,
): { readonly document: YamlDocument; readonly map: ValueMap } | undefined {
  const document = readFile(tree, path, problems, mayRecur);
  if (document === undefined) return undefined;
  if (isMap(document.read)) return { document, map: document.read };
  problems.push(
    problem('NOT_A_MAPPING', `the file must hold a mapping, not ${typeName(document.read)}`, {
      ...document.position(),
      hint: mappingHint(document.read) ?? "write 'key: value' lines; a space must follow the colon",
    }),
  );
  return undefined;
}
