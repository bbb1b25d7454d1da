/** YAML nodes to values, as PyYAML's safe loader constructs them: merge keys, last of duplicate keys wins, aliases shared. */
import { Float, isMap, type Value } from '../contract/values.ts';
import type { MappingNode, Node, SequenceNode } from './yaml-document.ts';
import { YamlFault } from './yaml-fault.ts';
import { LIMITS } from './yaml-limits.ts';
import { BadScalar, CORE, SetValue, Timestamp, constructScalar, emptyMap, rememberKeys } from './yaml-values.ts';

/** Makes the values of one document; throws `YamlFault`. */
export class Constructor {
  private mergedKeys = 0;
  private readonly values = new Map<Node, Value>();
  private readonly building = new Set<Node>();
  /** Keys that stand twice in one mapping. */
  readonly duplicates: { readonly key: string; readonly at: number; readonly first: number }[] = [];

  construct(node: Node): Value {
    if (this.values.has(node)) return this.values.get(node) as Value;
    const name = node.tag.startsWith(CORE) ? node.tag.slice(CORE.length) : undefined;
    if (node.kind === 'scalar') {
      if (name !== undefined && ['seq', 'map', 'set', 'omap', 'pairs'].includes(name))
        throw new YamlFault(node.start, `tag '!!${name}' needs a collection, not '${node.text}'`);
      try {
        const value = constructScalar(node.tag, node.text);
        this.values.set(node, value);
        return value;
      } catch (error) {
        if (error instanceof BadScalar)
          throw new YamlFault(node.start, error.message, node.text === '' ? undefined : 'quote it when you mean the text');
        throw error;
      }
    }
    if (this.building.has(node)) throw new YamlFault(node.start, 'a key contains itself');
    if (node.kind === 'sequence') return this.constructSequence(node, name);
    if (name === 'map') {
      const map = emptyMap();
      this.values.set(node, map);
      this.fill(node, map);
      return map;
    }
    if (name === 'set') {
      const set = new SetValue();
      this.values.set(node, set);
      const map = emptyMap();
      for (const [, key] of this.fill(node, map)) set.push(key);
      return set;
    }
    throw new YamlFault(
      node.start,
      name === undefined || !['seq', 'omap', 'pairs', 'str', 'int', 'float', 'bool', 'null', 'timestamp', 'binary'].includes(name)
        ? `unknown tag '${node.tag.replace(CORE, '!!')}'`
        : `tag '!!${name}' does not fit a mapping`,
    );
  }

  private constructSequence(node: SequenceNode, name: string | undefined): Value {
    if (name === 'seq') {
      const list: Value[] = [];
      this.values.set(node, list);
      for (const item of node.items) list.push(this.construct(item));
      return list;
    }
    if (name === 'omap' || name === 'pairs') {
      const list: Value[] = [];
      this.values.set(node, list);
      for (const item of node.items) {
        if (item.kind !== 'mapping' || item.pairs.length !== 1)
          throw new YamlFault(item.start, `tag '!!${name}' needs a list of mappings with one key each`);
        const [key, value] = item.pairs[0] as [Node, Node];
        list.push([this.construct(key), this.construct(value)]);
      }
      return list;
    }
    throw new YamlFault(
      node.start,
      name === undefined || !['map', 'set', 'str', 'int', 'float', 'bool', 'null', 'timestamp', 'binary'].includes(name)
        ? `unknown tag '${node.tag.replace(CORE, '!!')}'`
        : `tag '!!${name}' does not fit a list`,
    );
  }

  /** Fills a mapping; returns property names with the keys as they are, in order of first sight. */
  private fill(node: MappingNode, map: Record<string, Value>): readonly (readonly [string, Value])[] {
    this.flatten(node);
    const names = new Map<string, string>();
    const keys: (readonly [string, Value])[] = [];
    let odd = false;
    for (const [keyNode, valueNode] of node.pairs) {
      if (keyNode.kind !== 'scalar')
        throw new YamlFault(keyNode.start, 'a list or mapping cannot be a key', 'quote it when you mean the text');
      const key = this.construct(keyNode);
      const identity = identityOf(key);
      let property = names.get(identity);
      if (property === undefined) {
        property = typeof key === 'string' ? key : keyNode.text;
        while (property in map) property += ' ';
        if (typeof key !== 'string' || /^\d+$/.test(key)) odd = true;
        names.set(identity, property);
        keys.push([property, key]);
        map[property] = null;
      }
      map[property] = this.construct(valueNode);
    }
    if (odd) rememberKeys(map, keys);
    return keys;
  }

  /** Merge keys (`<<`) are replaced by the pairs that they name, before the own ones: own keys win, of a list the first. */
  private flatten(node: MappingNode): void {
    if (node.flat !== 'no') return;
    node.flat = 'now';
    const merged: [Node, Node][] = [];
    const own: [Node, Node][] = [];
    const take = (source: Node, at: number): [Node, Node][] => {
      if (source.kind !== 'mapping')
        throw new YamlFault(
          at,
          `'<<' needs a mapping or a list of mappings, not ${source.kind === 'scalar' ? (source.text === '' ? 'nothing' : `'${source.text}'`) : 'a list'}`,
          "write '<<: *anchor' with an anchor that names a mapping",
        );
      // A mapping that merges itself brings in what it has anyway.
      if (source.flat === 'now') return [];
      this.flatten(source);
      this.mergedKeys += source.pairs.length;
      if (this.mergedKeys > LIMITS.mergedKeys)
        throw new YamlFault(at, `merge keys bring in more than ${LIMITS.mergedKeys} keys`, 'this looks like an alias bomb', 'YAML_BOMB');
      return source.pairs;
    };
    for (const pair of node.pairs) {
      const [key, value] = pair;
      if (key.kind === 'scalar' && key.tag === `${CORE}merge`) {
        if (value.kind === 'sequence') for (const part of value.items.map((item) => take(item, item.start)).reverse()) merged.push(...part);
        else merged.push(...take(value, key.start));
        continue;
      }
      if (key.kind === 'scalar' && key.tag === `${CORE}value`) key.tag = `${CORE}str`;
      own.push(pair);
    }
    this.noteDuplicates(own);
    node.pairs = merged.length === 0 ? own : [...merged, ...own];
    node.flat = 'yes';
  }

  private noteDuplicates(pairs: readonly [Node, Node][]): void {
    if (pairs.length < 2) return;
    const seen = new Map<string, Node>();
    for (const [key] of pairs) {
      if (key.kind !== 'scalar') continue;
      const identity = `${key.tag} ${key.text}`;
      const first = seen.get(identity);
      if (first === undefined) seen.set(identity, key);
      else this.duplicates.push({ key: key.text, at: key.start, first: first.start });
    }
  }
}

/** Two keys are one for Python when they are equal: `1`, `1.0` and `true` are the same key. */
function identityOf(key: Value): string {
  if (typeof key === 'string') return `s${key}`;
  if (key === null) return 'null';
  if (typeof key === 'boolean') return `n${key ? 1 : 0}`;
  if (typeof key === 'number') return `n${key}`;
  if (typeof key === 'bigint') return `n${key}`;
  if (key instanceof Float) return `n${key.value}`;
  if (key instanceof Timestamp) return `t${key.text}`;
  if (key instanceof Uint8Array) return `b${[...key].join(',')}`;
  return isMap(key) ? 'map' : 'other';
}
