/** A YAML file that was read: its value, and where everything in it stands. */
import type { Value } from '../contract/values.ts';
import type { Position } from './types.ts';
import { constructScalar, emptyMap, isTruthy } from './yaml-values.ts';
import { place, type LineTable } from './yaml-text.ts';

/** How far below a key its comments are looked for. */
const COMMENT_WINDOW = 2_000;

export interface ScalarNode {
  readonly kind: 'scalar';
  tag: string;
  readonly text: string;
  readonly start: number;
}
export interface SequenceNode {
  readonly kind: 'sequence';
  readonly tag: string;
  readonly items: Node[];
  readonly start: number;
}
export interface MappingNode {
  readonly kind: 'mapping';
  readonly tag: string;
  pairs: [Node, Node][];
  readonly start: number;
  flat: 'no' | 'now' | 'yes';
}
export type Node = ScalarNode | SequenceNode | MappingNode;

/** The second sight of a key in one mapping. */
export interface DuplicateKey {
  readonly key: string;
  readonly position: Position;
  readonly first: Position;
}

/** What the reader noticed, as offsets of the text. */
export interface Noticed {
  /** An alias that contains itself. */
  readonly recursiveAt: number | undefined;
  readonly duplicates: readonly { readonly key: string; readonly at: number; readonly first: number }[];
}

/** A file that was read: its value and where everything in it stands. */
export interface YamlDocument {
  readonly file: string;
  readonly text: string;
  /** The document's value; `null` for an empty file. */
  readonly value: Value;
  /** The value as PaaSTA reads a file: an empty or false document is an empty mapping. */
  readonly read: Value;
  /** Place of the first alias that contains itself; the value then has a cycle and must not be walked. */
  readonly recursive: Position | undefined;
  /** Where the value at a path stands; the key when `which` is `key`. The nearest existing ancestor when the path does not exist. */
  position(path?: readonly (string | number)[], which?: 'key' | 'value'): Position;
  /** Keys that stand twice in one mapping: the last one counts, in PaaSTA without a word. */
  readonly duplicates: readonly DuplicateKey[];
  /** True when the path exists in the file (merge keys resolved). */
  has(path: readonly (string | number)[]): boolean;
  /** Comments that belong to the key of a path (anchors and merge keys followed): on its line and on the lines of comments below. With their `#`. */
  comments(path: readonly (string | number)[]): readonly string[];
  /** Scalar at a path when of keys that are there twice the first counted, not the last. */
  firstScalar(path: readonly (string | number)[]): Value | undefined;
}

/** Ties a value to the nodes that it was made of. */
export function documentOf(
  file: string,
  text: string,
  lines: LineTable,
  root: Node | undefined,
  value: Value,
  { recursiveAt, duplicates }: Noticed,
): YamlDocument {
  const firsts = new Map(duplicates.map(({ at, first }) => [at, first]));
  // A mapping is looked into again and again: every instance of a file asks where it stands.
  const indexes = new Map<MappingNode, ReadonlyMap<string, readonly [Node, Node]>>();
  const pairsOf = (mapping: MappingNode): ReadonlyMap<string, readonly [Node, Node]> => {
    let index = indexes.get(mapping);
    if (index === undefined) {
      index = new Map(mapping.pairs.flatMap((pair) => (pair[0].kind === 'scalar' ? [[pair[0].text, pair] as const] : [])));
      indexes.set(mapping, index);
    }
    return index;
  };
  const find = (
    path: readonly (string | number)[],
    which: 'first' | 'last' = 'last',
  ): { readonly key: number; readonly value: number; readonly found: boolean; readonly node?: Node | undefined } => {
    let node = root;
    let key = root?.start ?? 0;
    for (const part of path) {
      let next: Node | undefined;
      let nextKey: number | undefined;
      if (node?.kind === 'mapping') {
        const pair = pairsOf(node).get(String(part));
        if (pair !== undefined) [nextKey, next] = [pair[0].start, pair[1]];
        const first = which === 'first' && nextKey !== undefined ? firsts.get(nextKey) : undefined;
        if (first !== undefined) [nextKey, next] = [first, node.pairs.find(([k]) => k.start === first)?.[1]];
      } else if (node?.kind === 'sequence' && typeof part === 'number') {
        next = node.items[part];
        nextKey = next?.start;
      }
      if (next === undefined) return { key, value: node?.start ?? key, found: false };
      node = next;
      key = nextKey as number;
    }
    return { key, value: node?.start ?? key, found: true, node };
  };
  return {
    file,
    text,
    value,
    read: isTruthy(value) ? value : emptyMap(),
    recursive: recursiveAt === undefined ? undefined : { file, ...place(lines, recursiveAt) },
    duplicates: duplicates.map(({ key, at, first }) => ({
      key,
      position: { file, ...place(lines, at) },
      first: { file, ...place(lines, first) },
    })),
    position(path = [], which = 'key') {
      const found = find(path);
      return { file, ...place(lines, which === 'key' || !found.found ? found.key : found.value) };
    },
    has: (path) => find(path).found,
    comments(path) {
      const found = find(path, 'first');
      if (!found.found) return [];
      const [first = '', ...rest] = text.slice(found.key, found.key + COMMENT_WINDOW).split(/\r\n|\r|\n/);
      const own = /(?:^|\s)(#.*)$/.exec(first)?.[1];
      const below = rest.findIndex((line) => !/^\s*(?:#.*)?$/.test(line));
      return [
        ...(own === undefined ? [] : [own]),
        ...rest
          .slice(0, below < 0 ? undefined : below)
          .map((line) => line.trim())
          .filter((line) => line !== ''),
      ];
    },
    firstScalar(path) {
      const { node } = find(path, 'first');
      return node?.kind === 'scalar' ? constructScalar(node.tag, node.text) : undefined;
    },
  };
}
