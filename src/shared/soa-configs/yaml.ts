/**
 * The one door to the YAML library. One parse gives values and positions: js-yaml scans the text into events, and this
 * composes them as PaaSTA's reader (PyYAML's safe loader on libyaml, YAML 1.1) does: merge keys, last of duplicate keys
 * wins, anchors defined once, aliases shared. Bombs are bounded by depth, aliases, merged keys and expanded size.
 */
import { COLLECTION_STYLE, EVENT_ID, SCALAR_STYLE, type ScalarEvent } from 'js-yaml';
import { problem, type Problem } from '../contract/errors.ts';
import { Float, isMap, type Value } from '../contract/values.ts';
import { BadScalar, SetValue, Timestamp, constructScalar, emptyMap, implicitTag, rememberKeys } from './yaml-values.ts';
import { explainSyntax } from './yaml-messages.ts';
import { documentOf, type MappingNode, type Node, type ScalarNode, type SequenceNode, type YamlDocument } from './yaml-document.ts';
import { ScanError, scanYaml, type Scan } from './yaml-scan.ts';
import { checkCharacters, lineTable, place } from './yaml-text.ts';

const CORE = 'tag:yaml.org,2002:';
/** Bounds of a file; far above what configuration needs. */
export const LIMITS = { characters: 1_048_576, depth: 100, aliases: 20_000, mergedKeys: 100_000, expandedNodes: 1_000_000 } as const;

/** Escape of a surrogate, which is no character. */
const HALF_CHARACTER = /(?<!\\)(?:\\\\)*\\u[dD][89a-fA-F]/;

/** What is wrong, at an offset of the text. */
class At extends Error {
  readonly offset: number;
  readonly hint: string | undefined;
  readonly code: string;
  constructor(offset: number, message: string, hint?: string, code = 'YAML_INVALID') {
    super(message);
    this.offset = offset;
    this.hint = hint;
    this.code = code;
  }
}

export type { YamlDocument } from './yaml-document.ts';

export type YamlResult = { readonly document: YamlDocument; readonly problem?: undefined } | { readonly document?: undefined; readonly problem: Problem };

/** Reads one YAML file. Never throws for its content: what is wrong comes back as a problem with file, line and column. */
export function readYaml(text: string, file: string): YamlResult {
  const source = text.startsWith('\uFEFF') ? text.slice(1) : text;
  if (source.length > LIMITS.characters)
    return { problem: problem('FILE_TOO_LARGE', `the file has ${source.length} characters; at most ${LIMITS.characters} are read`, { file, hint: 'configuration files are small: is this the right file?' }) };
  const lines = lineTable(source);
  try {
    const reader = new Reader(source);
    const node = reader.compose();
    const value = node === undefined ? null : reader.construct(node);
    return { document: documentOf(file, source, lines, node, value, reader) };
  } catch (error) {
    if (error instanceof At) return { problem: { ...problem(error.code, error.message, { file, ...place(lines, error.offset) }), ...(error.hint === undefined ? {} : { hint: error.hint }) } };
    if (error instanceof ScanError) {
      const said = explainSyntax(source, error.offset, error.message, lines);
      return { problem: problem('YAML_INVALID', said.message, { file, ...place(lines, said.offset), ...(said.hint === undefined ? {} : { hint: said.hint }) }) };
    }
    throw error;
  }
}

class Reader {
  private readonly source: string;
  private readonly scan: Scan;
  private index = 0;
  private last = 0;
  private anchors = new Map<string, Node>();
  private handles = new Map<string, string>();
  private aliases = 0;
  private mergedKeys = 0;
  private readonly values = new Map<Node, Value>();
  private readonly building = new Set<Node>();
  private readonly sizes = new Map<Node, number>();
  private readonly incomplete = new Set<Node>();
  recursiveAt: number | undefined;
  readonly duplicates: { readonly key: string; readonly at: number; readonly first: number }[] = [];

  constructor(source: string) {
    const bad = checkCharacters(source);
    if (bad !== undefined) throw new At(bad.offset, bad.message, bad.hint, 'YAML_CHARACTER');
    try {
      this.scan = scanYaml(source, LIMITS.depth);
    } catch (error) {
      if (error instanceof ScanError && error.tooDeep) throw new At(error.offset, `nested more than ${LIMITS.depth} levels deep`, 'flatten the structure', 'YAML_TOO_DEEP');
      throw error;
    }
    this.source = this.scan.text;
  }

  compose(): Node | undefined {
    let root: Node | undefined;
    let documents = 0;
    while (this.index < this.scan.events.length) {
      const event = this.event(this.index++);
      if (event.type !== EVENT_ID.DOCUMENT) continue;
      documents++;
      this.handles = new Map();
      for (const directive of event.directives) if (directive.kind === 'tag') this.handles.set(directive.handle, directive.prefix);
      this.anchors = new Map();
      const next = this.scan.events[this.index];
      const node = next === undefined || next.type === EVENT_ID.POP ? undefined : this.node();
      if (documents === 1) root = node;
      else throw new At(node?.start ?? this.last, 'the file holds more than one document', "remove the second '---'");
      this.index++;
    }
    if (root !== undefined && this.size(root) > LIMITS.expandedNodes)
      throw new At(root.start, `with its aliases expanded the file has more than ${LIMITS.expandedNodes} values`, 'this looks like an alias bomb: remove the nested aliases', 'YAML_BOMB');
    return root;
  }

  private event(index: number): Scan['events'][number] {
    const event = this.scan.events[index];
    if (event === undefined) throw new Error('YAML events end early');
    return event;
  }

  /** Offset in the file of an offset in the scanned text. */
  private at(offset: number): number {
    return this.scan.original(offset);
  }

  private node(): Node {
    const event = this.event(this.index++);
    if (event.type === EVENT_ID.ALIAS) {
      const name = this.source.slice(event.anchorStart, event.anchorEnd);
      const at = this.at(event.anchorStart - 1);
      this.last = event.anchorEnd;
      if (++this.aliases > LIMITS.aliases) throw new At(at, `more than ${LIMITS.aliases} aliases`, 'this looks like an alias bomb', 'YAML_BOMB');
      const found = this.anchors.get(name);
      if (found === undefined)
        throw new At(at, `alias '*${name}' has no anchor '&${name}' above it`, this.anchors.size === 0 ? `quote the text if it begins with '*'` : `anchors so far: ${[...this.anchors.keys()].map((k) => `&${k}`).join(', ')}`);
      if (this.incomplete.has(found)) this.recursiveAt ??= at;
      return found;
    }
    if (event.type === EVENT_ID.SCALAR) {
      const start = this.startOf(event.valueStart < 0 ? -1 : this.valueStart(event), event);
      const tag = this.tagOf(event);
      const text = this.scan.scalar(event);
      const plain = event.style === SCALAR_STYLE.PLAIN;
      if (event.style === SCALAR_STYLE.DOUBLE_QUOTED && HALF_CHARACTER.test(this.source.slice(event.valueStart, event.valueEnd))) throw new At(start, 'the text holds an escape of half a character (\\ud800 to \\udfff)', 'write \\U and eight digits');
      this.last = Math.max(event.valueEnd, event.tagEnd, event.anchorEnd, this.last);
      const node: ScalarNode = { kind: 'scalar', tag: tag === undefined ? (plain ? implicitTag(text) : `${CORE}str`) : tag === '!' ? (event.valueStart < 0 ? `${CORE}str` : implicitTag(text)) : tag, text, start };
      this.anchor(event, node);
      return node;
    }
    if (event.type === EVENT_ID.SEQUENCE) {
      const node: SequenceNode = { kind: 'sequence', tag: this.collectionTag(event, 'seq'), items: [], start: this.startOf(event.start, event) };
      this.last = Math.max(this.last, event.start, event.anchorEnd, event.tagEnd);
      this.anchor(event, node);
      this.incomplete.add(node);
      while (this.event(this.index).type !== EVENT_ID.POP) node.items.push(this.node());
      this.index++;
      this.incomplete.delete(node);
      return node;
    }
    if (event.type === EVENT_ID.MAPPING) {
      const node: MappingNode = { kind: 'mapping', tag: this.collectionTag(event, 'map'), pairs: [], start: this.startOf(event.start, event), flat: 'no' };
      this.last = Math.max(this.last, event.start, event.anchorEnd, event.tagEnd);
      this.anchor(event, node);
      this.incomplete.add(node);
      while (this.event(this.index).type !== EVENT_ID.POP) {
        this.refuseEmptyKey(event);
        node.pairs.push([this.node(), this.node()]);
      }
      this.index++;
      this.incomplete.delete(node);
      return node;
    }
    throw new Error(`unexpected YAML event ${event.type}`);
  }

  /** `: value` without a key is an error in a block and for a pair inside `[ ]`; `{: value}` and `? ` are not. */
  private refuseEmptyKey(mapping: { readonly start: number; readonly style: number }): void {
    const key = this.event(this.index);
    if (key.type !== EVENT_ID.SCALAR || key.valueStart >= 0 || key.anchorStart >= 0 || key.tagStart >= 0) return;
    const before = /^(?:[\s,[{}\]"'-]|#[^\r\n]*[\r\n])*/.exec(this.source.slice(this.last));
    const at = this.last + (before?.[0].length ?? 0);
    if (this.source[at] !== ':' || (mapping.style === COLLECTION_STYLE.FLOW && this.source[mapping.start] === '{')) return;
    throw new At(this.at(at), 'a key is missing before the colon', "write 'key: value'");
  }

  /** Quoted scalars are reported without their quote: the place for people is the quote. */
  private valueStart(event: ScalarEvent): number {
    return event.style === SCALAR_STYLE.SINGLE_QUOTED || event.style === SCALAR_STYLE.DOUBLE_QUOTED ? event.valueStart - 1 : event.valueStart;
  }

  private startOf(own: number, event: { readonly anchorStart: number; readonly tagStart: number }): number {
    const starts = [own, event.anchorStart < 0 ? -1 : event.anchorStart - 1, event.tagStart].filter((n) => n >= 0);
    return this.at(starts.length === 0 ? this.last : Math.min(...starts));
  }

  private anchor(event: { readonly anchorStart: number; readonly anchorEnd: number }, node: Node): void {
    if (event.anchorStart < 0) return;
    const name = this.source.slice(event.anchorStart, event.anchorEnd);
    if (!/^[-\w]+$/.test(name)) throw new At(this.at(event.anchorStart - 1), `'&${name}' is not the name of an anchor`, "letters, digits, - and _ only; quote the text if it begins with '&'");
    if (this.anchors.has(name)) throw new At(this.at(event.anchorStart - 1), `anchor '&${name}' is defined twice`, 'give the second one another name');
    this.anchors.set(name, node);
  }

  private tagOf(event: { readonly tagStart: number; readonly tagEnd: number }): string | undefined {
    if (event.tagStart < 0) return undefined;
    const raw = this.source.slice(event.tagStart, event.tagEnd);
    if (raw.startsWith('!<')) return raw.slice(2, -1);
    if (raw === '!') return '!';
    const match = /^(!(?:[-\w]*!)?)(.*)$/s.exec(raw);
    const handle = match?.[1] ?? '!';
    const prefix = this.handles.get(handle) ?? (handle === '!!' ? CORE : handle);
    return `${prefix}${match?.[2] ?? ''}`;
  }

  private collectionTag(event: { readonly tagStart: number; readonly tagEnd: number }, fallback: 'seq' | 'map'): string {
    const tag = this.tagOf(event);
    return tag === undefined || tag === '!' ? `${CORE}${fallback}` : tag;
  }

  /** Values that the node has when every alias is written out. */
  private size(node: Node): number {
    const known = this.sizes.get(node);
    if (known !== undefined) return known;
    if (node.kind === 'scalar') return 1;
    this.sizes.set(node, 1);
    let total = 1;
    if (node.kind === 'sequence') for (const item of node.items) total += this.size(item);
    else for (const [k, v] of node.pairs) total += this.size(k) + this.size(v);
    this.sizes.set(node, total);
    return total;
  }

  construct(node: Node): Value {
    if (this.values.has(node)) return this.values.get(node) as Value;
    const name = node.tag.startsWith(CORE) ? node.tag.slice(CORE.length) : undefined;
    if (node.kind === 'scalar') {
      if (name !== undefined && ['seq', 'map', 'set', 'omap', 'pairs'].includes(name)) throw new At(node.start, `tag '!!${name}' needs a collection, not '${node.text}'`);
      try {
        const value = constructScalar(node.tag, node.text);
        this.values.set(node, value);
        return value;
      } catch (error) {
        if (error instanceof BadScalar) throw new At(node.start, error.message, node.text === '' ? undefined : 'quote it when you mean the text');
        throw error;
      }
    }
    if (this.building.has(node)) throw new At(node.start, 'a key contains itself');
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
    throw new At(node.start, name === undefined || !['seq', 'omap', 'pairs', 'str', 'int', 'float', 'bool', 'null', 'timestamp', 'binary'].includes(name) ? `unknown tag '${node.tag.replace(CORE, '!!')}'` : `tag '!!${name}' does not fit a mapping`);
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
        if (item.kind !== 'mapping' || item.pairs.length !== 1) throw new At(item.start, `tag '!!${name}' needs a list of mappings with one key each`);
        const [key, value] = item.pairs[0] as [Node, Node];
        list.push([this.construct(key), this.construct(value)]);
      }
      return list;
    }
    throw new At(node.start, name === undefined || !['map', 'set', 'str', 'int', 'float', 'bool', 'null', 'timestamp', 'binary'].includes(name) ? `unknown tag '${node.tag.replace(CORE, '!!')}'` : `tag '!!${name}' does not fit a list`);
  }

  /** Fills a mapping; returns property names with the keys as they are, in order of first sight. */
  private fill(node: MappingNode, map: Record<string, Value>): readonly (readonly [string, Value])[] {
    this.flatten(node);
    const names = new Map<string, string>();
    const keys: (readonly [string, Value])[] = [];
    let odd = false;
    for (const [keyNode, valueNode] of node.pairs) {
      if (keyNode.kind !== 'scalar') throw new At(keyNode.start, 'a list or mapping cannot be a key', 'quote it when you mean the text');
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
      if (source.kind !== 'mapping') throw new At(at, `'<<' needs a mapping or a list of mappings, not ${source.kind === 'scalar' ? (source.text === '' ? 'nothing' : `'${source.text}'`) : 'a list'}`, "write '<<: *anchor' with an anchor that names a mapping");
      if (source.flat === 'now') throw new At(at, 'a mapping merges itself', "remove the '<<'");
      this.flatten(source);
      this.mergedKeys += source.pairs.length;
      if (this.mergedKeys > LIMITS.mergedKeys) throw new At(at, `merge keys bring in more than ${LIMITS.mergedKeys} keys`, 'this looks like an alias bomb', 'YAML_BOMB');
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
