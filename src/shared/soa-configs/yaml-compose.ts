/**
 * YAML events to nodes, as libyaml composes them: anchors are defined once, aliases shared, tags resolved; what libyaml refuses and js-yaml
 * does not is refused here. Alias bombs are bounded.
 */
import { COLLECTION_STYLE, EVENT_ID, SCALAR_STYLE, type ScalarEvent } from 'js-yaml';
import type { MappingNode, Node, ScalarNode, SequenceNode } from './yaml-document.ts';
import { YamlFault } from './yaml-fault.ts';
import { LIMITS } from './yaml-limits.ts';
import { ScanError } from './yaml-scan-error.ts';
import { scanYaml, type Scan } from './yaml-scan.ts';
import { checkCharacters } from './yaml-text.ts';
import { CORE, implicitTag } from './yaml-values.ts';

/** Longest key that libyaml recognises. */
const LONGEST_KEY = 1_024;
const LINE_END = /[\r\n\u0085\u2028\u2029]/;

/** What ends a document, on a line of its own or at the beginning of one: inside quotes, too. */
const DOCUMENT_INDICATOR = /(?<=[\r\n\u0085\u2028\u2029])(?:---|\.\.\.)(?=[ \t\r\n\u0085\u2028\u2029]|$)/;

/** Escape of a surrogate, which is no character. */
const HALF_CHARACTER = /(?<!\\)(?:\\\\)*\\u[dD][89a-fA-F]/;

/** Composes the first document of a text; throws `YamlFault` and `ScanError`. */
export class Composer {
  private readonly original: string;
  private readonly source: string;
  private readonly scan: Scan;
  private index = 0;
  private last = 0;
  private anchors = new Map<string, Node>();
  private handles = new Map<string, string>();
  private aliases = 0;
  private readonly sizes = new Map<Node, number>();
  private readonly incomplete = new Set<Node>();
  /** Where the first alias stands that is inside what it names. */
  recursiveAt: number | undefined;

  constructor(source: string) {
    const bad = checkCharacters(source);
    if (bad !== undefined) throw new YamlFault(bad.offset, bad.message, bad.hint, 'YAML_CHARACTER');
    try {
      this.scan = scanYaml(source, LIMITS.depth);
    } catch (error) {
      if (error instanceof ScanError && error.tooDeep)
        throw new YamlFault(error.offset, `nested more than ${LIMITS.depth} levels deep`, 'flatten the structure', 'YAML_TOO_DEEP');
      throw error;
    }
    this.original = source;
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
      else throw new YamlFault(node?.start ?? this.last, 'the file holds more than one document', "remove the second '---'");
      this.index++;
    }
    if (root !== undefined && this.size(root) > LIMITS.expandedNodes)
      throw new YamlFault(
        root.start,
        `with its aliases expanded the file has more than ${LIMITS.expandedNodes} values`,
        'this looks like an alias bomb: remove the nested aliases',
        'YAML_BOMB',
      );
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
      if (++this.aliases > LIMITS.aliases)
        throw new YamlFault(at, `more than ${LIMITS.aliases} aliases`, 'this looks like an alias bomb', 'YAML_BOMB');
      const found = this.anchors.get(name);
      if (found === undefined)
        throw new YamlFault(
          at,
          `alias '*${name}' has no anchor '&${name}' above it`,
          this.anchors.size === 0
            ? `quote the text if it begins with '*'`
            : `anchors so far: ${[...this.anchors.keys()].map((k) => `&${k}`).join(', ')}`,
        );
      if (this.incomplete.has(found)) this.recursiveAt ??= at;
      return found;
    }
    if (event.type === EVENT_ID.SCALAR) {
      const start = this.startOf(event.valueStart < 0 ? -1 : this.valueStart(event), event);
      const tag = this.tagOf(event);
      const text = this.scan.scalar(event);
      const plain = event.style === SCALAR_STYLE.PLAIN;
      if (event.style === SCALAR_STYLE.DOUBLE_QUOTED && HALF_CHARACTER.test(this.source.slice(event.valueStart, event.valueEnd)))
        throw new YamlFault(start, 'the text holds an escape of half a character (\\ud800 to \\udfff)', 'write \\U and eight digits');
      if (event.style === SCALAR_STYLE.DOUBLE_QUOTED || event.style === SCALAR_STYLE.SINGLE_QUOTED)
        this.refuseIndicator(start, this.at(event.valueEnd));
      this.last = Math.max(event.valueEnd, event.tagEnd, event.anchorEnd, this.last);
      const node: ScalarNode = {
        kind: 'scalar',
        tag:
          tag === undefined
            ? plain
              ? implicitTag(text)
              : `${CORE}str`
            : tag === '!'
              ? event.valueStart < 0
                ? `${CORE}str`
                : implicitTag(text)
              : tag,
        text,
        start,
      };
      this.anchor(event, node);
      return node;
    }
    if (event.type === EVENT_ID.SEQUENCE) {
      const node: SequenceNode = {
        kind: 'sequence',
        tag: this.collectionTag(event, 'seq'),
        items: [],
        start: this.startOf(event.start, event),
      };
      this.last = Math.max(this.last, event.start, event.anchorEnd, event.tagEnd);
      this.anchor(event, node);
      this.incomplete.add(node);
      while (this.event(this.index).type !== EVENT_ID.POP) node.items.push(this.node());
      this.index++;
      this.incomplete.delete(node);
      return node;
    }
    if (event.type === EVENT_ID.MAPPING) {
      const node: MappingNode = {
        kind: 'mapping',
        tag: this.collectionTag(event, 'map'),
        pairs: [],
        start: this.startOf(event.start, event),
        flat: 'no',
      };
      this.last = Math.max(this.last, event.start, event.anchorEnd, event.tagEnd);
      this.anchor(event, node);
      this.incomplete.add(node);
      while (this.event(this.index).type !== EVENT_ID.POP) {
        this.refuseEmptyKey();
        const key = this.node();
        this.refuseLongKey(event);
        this.refuseMappingBeside(event);
        node.pairs.push([key, this.node()]);
      }
      this.index++;
      this.incomplete.delete(node);
      return node;
    }
    throw new Error(`unexpected YAML event ${event.type}`);
  }

  private refuseIndicator(start: number, end: number): void {
    const found = DOCUMENT_INDICATOR.exec(this.original.slice(start, end));
    if (found !== null)
      throw new YamlFault(
        start + found.index,
        `'${found[0]}' at the beginning of a line ends the document, also inside quotes`,
        'indent the line',
      );
  }

  /** `: value` without a key is an error; `? ` alone is not. */
  private refuseEmptyKey(): void {
    const key = this.event(this.index);
    if (key.type !== EVENT_ID.SCALAR || key.valueStart >= 0 || key.anchorStart >= 0 || key.tagStart >= 0) return;
    const before = /^(?:[\s,[{}\]"'-]|#[^\r\n]*[\r\n])*/.exec(this.source.slice(this.last));
    const at = this.last + (before?.[0].length ?? 0);
    if (this.source[at] !== ':') return;
    throw new YamlFault(this.at(at), 'a key is missing before the colon', "write 'key: value'");
  }

  /** A key ends within 1024 characters, inside `[ ]` or `{ }` also on its line, unless `?` begins it. */
  private refuseLongKey(mapping: { readonly style: number }): void {
    const key = this.event(this.index - 1);
    if (key.type !== EVENT_ID.SCALAR || key.valueStart < 0) return;
    const start = this.valueStart(key);
    const rest = /^["']?\s*:/.exec(this.source.slice(key.valueEnd, key.valueEnd + LONGEST_KEY));
    const long = key.valueEnd + (rest?.[0].length ?? 0) - 1 - start > LONGEST_KEY;
    const broken =
      mapping.style === COLLECTION_STYLE.FLOW && rest !== null && LINE_END.test(this.source.slice(start, key.valueEnd) + rest[0]);
    if ((!long && !broken) || /\?\s+$/.test(this.source.slice(0, start))) return;
    throw new YamlFault(
      this.at(start),
      long ? `a key has at most ${LONGEST_KEY} characters` : 'a key must stand on one line',
      long ? "write '? ' before it, and its colon on the next line" : 'put it and its colon on one line',
    );
  }

  /** `a: &x b: c`: a mapping in a block begins on a line of its own, also behind an anchor or a tag. */
  private refuseMappingBeside(mapping: { readonly style: number }): void {
    const value = this.event(this.index);
    if (mapping.style === COLLECTION_STYLE.FLOW || value.type !== EVENT_ID.MAPPING || value.style === COLLECTION_STYLE.FLOW) return;
    if (!/[\r\n]/.test(this.source.slice(this.last, value.start)))
      throw new YamlFault(this.at(value.start), 'a mapping begins on the line of its key', 'put it on the next line, indented');
  }

  /** Quoted scalars are reported without their quote: the place for people is the quote. */
  private valueStart(event: ScalarEvent): number {
    return event.style === SCALAR_STYLE.SINGLE_QUOTED || event.style === SCALAR_STYLE.DOUBLE_QUOTED
      ? event.valueStart - 1
      : event.valueStart;
  }

  private startOf(own: number, event: { readonly anchorStart: number; readonly tagStart: number }): number {
    const starts = [own, event.anchorStart < 0 ? -1 : event.anchorStart - 1, event.tagStart].filter((n) => n >= 0);
    return this.at(starts.length === 0 ? this.last : Math.min(...starts));
  }

  private anchor(event: { readonly anchorStart: number; readonly anchorEnd: number }, node: Node): void {
    if (event.anchorStart < 0) return;
    const name = this.source.slice(event.anchorStart, event.anchorEnd);
    if (!/^[-\w]+$/.test(name) || '[{'.includes(this.source[event.anchorEnd] ?? ' '))
      throw new YamlFault(
        this.at(event.anchorStart - 1),
        `'&${name}' is not the name of an anchor`,
        "letters, digits, - and _ only; quote the text if it begins with '&'",
      );
    if (this.anchors.has(name))
      throw new YamlFault(this.at(event.anchorStart - 1), `anchor '&${name}' is defined twice`, 'give the second one another name');
    this.anchors.set(name, node);
  }

  private tagOf(event: { readonly tagStart: number; readonly tagEnd: number }): string | undefined {
    if (event.tagStart < 0) return undefined;
    const raw = this.source.slice(event.tagStart, event.tagEnd);
    if (/[[\]{}]/.test(this.source[event.tagEnd] ?? ' '))
      throw new YamlFault(this.at(event.tagEnd), `a blank is missing after the tag '${raw}'`, 'put a space or a value after it');
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
}
