/**
 * Scanning with js-yaml where it is stricter or laxer than libyaml, which PaaSTA reads with. js-yaml follows YAML 1.2; these are the
 * differences that real files and the vectors show:
 * - inside `[ ]`, `{ }` and quotes libyaml ignores indentation (a closing `]` in column 1 is common);
 * - a tab after a token is a blank like any other, but none may begin a line of a block;
 * - `]#`, `,#`, `"#` and `|#` begin a comment; `-` before `,` or `]` is text;
 * - a key may be empty only after `?`;
 * - a block scalar that the file ends without a line end has none, and one that is the whole document must be indented;
 * - inside `[ ]` and `{ }` a `?` or `:` that begins a token is an indicator, whatever follows, and `a:[1]` is an error;
 * - the colon is no part of the name in `&a: 1`, nor in `&a:1`;
 * - U+0085, U+2028 and U+2029 end a line;
 * - `...` ends a document, so that none may stand before the first.
 */
import {
  CHOMPING_MODE,
  COLLECTION_STYLE,
  EVENT_ID,
  SCALAR_STYLE,
  YAMLException,
  getScalarValue,
  parseEvents,
  type Event,
  type ScalarEvent,
} from 'js-yaml';

/** Work that repairing a text may take: characters scanned. */
const MOST_WORK = 10_000_000;

/** Places on one line that are tried for a comment. */
const MOST_PLACES = 50;

/** A complaint at an offset of the original text. */
export class ScanError extends Error {
  readonly offset: number;
  readonly tooDeep: boolean;
  /** Next step; when it is given the reason is for people, otherwise it is js-yaml's. */
  readonly hint: string | undefined;
  constructor(offset: number, reason: string, { tooDeep = false, hint }: { readonly tooDeep?: boolean; readonly hint?: string } = {}) {
    super(reason);
    this.offset = offset;
    this.tooDeep = tooDeep;
    this.hint = hint;
  }
}

export interface Scan {
  readonly events: readonly Event[];
  /** Text that the offsets of the events mean: the original with spaces added at the start of some lines. */
  readonly text: string;
  /** Offset in the original of an offset in `text`. */
  original(offset: number): number;
  /** Text of a scalar as libyaml gives it. */
  scalar(event: ScalarEvent): string;
}

/** Scans a text; throws `ScanError`. */
export function scanYaml(source: string, maxDepth: number): Scan {
  const end = ENDED_AT_ONCE.exec(source)?.[1]?.length;
  if (end !== undefined) throw new ScanError(end, "'...' ends a document before there is one", { hint: 'remove the line' });
  checkDirectives(source);
  const state = new Repair(source);
  let work = 0;
  for (;;) {
    try {
      const events = parseEvents(state.scanned, { maxDepth });
      if (work < MOST_WORK && state.separateIndicators(events)) {
        work += state.text.length;
        continue;
      }
      checkRoot(events, state);
      checkBlockTabs(events, state);
      checkLeadingTabs(events, state);
      checkAfterLists(events, state);
      state.checkBlanks(events);
      return { events, text: state.text, original: (offset) => state.original(offset), scalar: (event) => scalarText(state.text, event) };
    } catch (error) {
      if (!(error instanceof YAMLException)) throw error;
      const offset = error.mark?.position ?? 0;
      work += state.text.length;
      if (work < MOST_WORK && (error.reason === 'deficient indentation' ? state.indent(offset) : state.blankComment(offset, error)))
        continue;
      throw new ScanError(state.original(offset), error.reason, { tooDeep: error.reason.includes('maxDepth') });
    }
  }
}

/** Blank lines and comments, then `---` that does not begin its line: text, not the beginning of a document. */
const INDENTED_DASHES = /^((?:[ \t]*(?:#[^\r\n]*)?(?:\r\n|\r(?!\n)|\n))* +)---(?=[ \t\r\n]|$)/;

/** Blank lines and comments, then the end of a document. */
const ENDED_AT_ONCE = /^((?:[ \t]*(?:#[^\r\n]*)?(?:\r\n|\r(?!\n)|\n))*)\.\.\.(?=[ \t\r\n]|$)/;

/** Directives, blank lines and comments, then what follows them on its line. */
const DIRECTIVES = /^((?:(?:%[^\r\n]*|[ \t]*(?:#[^\r\n]*)?)(?:\r\n|\r(?!\n)|\n))*)( *)(---(?=[ \t\r\n]|$)|%)?/;

function checkDirectives(source: string): void {
  const [, head = '', spaces = '', next] = DIRECTIVES.exec(source) ?? [];
  if (next === '%' && spaces !== '')
    throw new ScanError(head.length + spaces.length, "'%' begins a directive, and must be the first character of its line", {
      hint: 'put the text in quotes, or remove the spaces before it',
    });
  const unknown = /(?<=^|[\r\n])%(?!(?:YAML|TAG)[ \t])/.exec(head);
  if (unknown !== null)
    throw new ScanError(unknown.index, 'there are no other directives than %YAML and %TAG', {
      hint: 'put the text in quotes, or remove the line',
    });
  if (next === '---' && spaces !== '' && /(?<=^|[\r\n])%/.test(head))
    throw new ScanError(head.length + spaces.length, "'---' after a directive must begin its line", {
      hint: 'remove the spaces before it',
    });
}

/** Behind a text inside `[ ]` or `{ }`. */
const UNEXPECTED_COLON = /[ \r\n]{0,99}:[,?[\]{}]/y;

/** Line ends that js-yaml does not know. */
const OTHER_BREAK = /[\u0085\u2028\u2029]/;

/** A copy with tabs after the first token of a line as spaces, and what is text for libyaml as letters: a lone `-` before `,`, `]` or `}`, an indented `---`; with a line feed for every other line end. Linear. */
function blanked(source: string): string {
  const dashes = INDENTED_DASHES.exec(source)?.[1]?.length;
  if (dashes === undefined && !source.includes('\t') && !/-[,\]}]/.test(source) && !OTHER_BREAK.test(source)) return source;
  const out = [...source.split('')];
  if (dashes !== undefined) out.fill('x', dashes, dashes + 3);
  let leading = true;
  let last = '';
  for (let index = 0; index < out.length; index++) {
    const ch = out[index] as string;
    if (OTHER_BREAK.test(ch)) out[index] = '\n';
    if (ch === '\n' || ch === '\r' || out[index] === '\n') leading = true;
    else if (ch === '\t') {
      if (!leading) out[index] = ' ';
    } else if (ch !== ' ') {
      leading = false;
      if (ch === '-' && '[,{:'.includes(last === '' ? ' ' : last) && ',]}'.includes(out[index + 1] ?? ' ')) out[index] = 'x';
      last = ch;
    }
  }
  return out.join('');
}

/** The text under repair: `text` is decoded, `scanned` (equally long) is what js-yaml sees. */
class Repair {
  text: string;
  scanned: string;
  private readonly insertions: { at: number; count: number }[] = [];
  /** Where comments were blanked, in the scanned text, with the complaint that led to it. */
  private readonly blanks: { at: number; readonly error: YAMLException }[] = [];
  private readonly width: number;

  constructor(source: string) {
    this.text = source;
    this.scanned = blanked(source);
    let width = 8;
    for (const match of source.matchAll(/^ +/gm)) width = Math.max(width, match[0].length + 2);
    this.width = width;
  }

  original(offset: number): number {
    let result = offset;
    for (const { at, count } of this.insertions) {
      if (at >= offset) break;
      result -= Math.min(count, offset - at);
    }
    return result;
  }

  /** Moves the line of an offset to the right; false when that was tried before. */
  indent(offset: number): boolean {
    let start = offset;
    while (start > 0 && !'\r\n'.includes(this.scanned[start - 1] as string)) start--;
    if (this.insertions.some(({ at }) => at === start)) return false;
    this.insert(start, this.width);
    return true;
  }

  private insert(at: number, count: number): void {
    const spaces = ' '.repeat(count);
    this.text = this.text.slice(0, at) + spaces + this.text.slice(at);
    this.scanned = this.scanned.slice(0, at) + spaces + this.scanned.slice(at);
    for (const one of [...this.insertions, ...this.blanks]) if (one.at > at) one.at += count;
    this.insertions.push({ at, count });
    this.insertions.sort((a, b) => a.at - b.at);
  }

  /** Puts a space after the first `?` that begins a text inside `[ ]` or `{ }`, or behind `&name` that another indicator ends; false when there is none. Throws for a `:` there. */
  separateIndicators(events: readonly Event[]): boolean {
    const flow: boolean[] = [];
    for (const event of events) {
      if ('anchorStart' in event && event.type !== EVENT_ID.ALIAS && event.anchorStart >= 0) {
        const end = /(?<=^[-\w]+)[:?%@`]/.exec(this.scanned.slice(event.anchorStart, event.anchorEnd))?.index;
        if (end !== undefined) {
          this.insert(event.anchorStart + end, 1);
          return true;
        }
      }
      if (event.type === EVENT_ID.POP) flow.pop();
      else if (event.type === EVENT_ID.DOCUMENT) flow.push(false);
      else if (event.type === EVENT_ID.SEQUENCE || event.type === EVENT_ID.MAPPING) flow.push(event.style === COLLECTION_STYLE.FLOW);
      else if (event.type === EVENT_ID.SCALAR && event.style === SCALAR_STYLE.PLAIN && event.valueStart >= 0 && flow.at(-1) === true) {
        const first = this.scanned[event.valueStart];
        if (first === ':')
          throw new ScanError(this.original(event.valueStart), 'a key is missing before the colon', {
            hint: "write 'key: value', or put the text in quotes",
          });
        UNEXPECTED_COLON.lastIndex = event.valueEnd;
        const inside = /:[,?[\]{}]/.exec(this.scanned.slice(event.valueStart, event.valueEnd + 1));
        if (inside !== null || UNEXPECTED_COLON.test(this.scanned))
          throw new ScanError(
            this.original(inside === null ? event.valueEnd : event.valueStart + inside.index),
            'a blank is missing after the colon',
            { hint: "write 'key: value'; text that ends in a colon needs quotes" },
          );
        if (first !== '?') continue;
        this.insert(event.valueStart + 1, 1);
        return true;
      }
    }
    return false;
  }

  /** Blanks a comment that begins right after a bracket, quote or block indicator, on the line of the offset or just before it. */
  blankComment(offset: number, error: YAMLException): boolean {
    let start = offset;
    for (let lines = 0; lines < 2 && start > 0; lines++) {
      while (start > 0 && !'\r\n'.includes(this.scanned[start - 1] as string)) start--;
      const line = /^[^\r\n]*/.exec(this.scanned.slice(start))?.[0] ?? '';
      const places = [...line.matchAll(/[\]}[{,"'|>+0-9-](?=#)/g)]
        .slice(0, MOST_PLACES)
        .map((match) => match.index + 1)
        .filter(
          (to) => start + to <= offset + 1 && (/[\]}[{,"']$/.test(line.slice(0, to)) || /(^|\s)[|>][-+0-9]*$/.test(line.slice(0, to))),
        );
      // A quote that closes what begins on the line before one that seems to open something.
      const opens = (to: number): boolean =>
        `"'`.includes(line[to - 1] as string) && line.slice(0, to).split(line[to - 1] as string).length % 2 === 0;
      const column = places.find((to) => !opens(to)) ?? places[0];
      if (column !== undefined) {
        const from = start + column;
        this.blanks.push({ at: from, error });
        this.scanned = this.scanned.slice(0, from) + ' '.repeat(line.length - column) + this.scanned.slice(start + line.length);
        return true;
      }
      start--;
    }
    return false;
  }

  /** A blanked comment that turns out to lie inside a text was none (`"#a"`): then the complaint stands. */
  checkBlanks(events: readonly Event[]): void {
    for (const { at, error } of this.blanks) {
      const inside = events.some((event) => event.type === EVENT_ID.SCALAR && event.valueStart <= at && at < event.valueEnd);
      if (inside) throw new ScanError(this.original(error.mark?.position ?? at), error.reason);
    }
  }
}

/** A block scalar that is the whole document: lines in column 1 are none of it, and only comments may stand there. */
function checkRoot(events: readonly Event[], state: Repair): void {
  const [, root] = events;
  if (root?.type !== EVENT_ID.SCALAR || (root.style !== SCALAR_STYLE.LITERAL_BLOCK && root.style !== SCALAR_STYLE.FOLDED_BLOCK)) return;
  const content = state.text.slice(root.valueStart, root.valueEnd);
  const outside = /(?<=^|[\r\n])[^\s#]/.exec(content);
  if (outside !== null)
    throw new ScanError(state.original(root.valueStart + outside.index), 'the text of a block must be indented', {
      hint: 'put a space before each of its lines',
    });
}

/** The indentation of a block scalar, when it is taken from the first line, must not go on with a tab. */
function checkBlockTabs(events: readonly Event[], state: Repair): void {
  if (!state.text.includes('\t')) return;
  for (const event of events) {
    if (event.type !== EVENT_ID.SCALAR || (event.style !== SCALAR_STYLE.LITERAL_BLOCK && event.style !== SCALAR_STYLE.FOLDED_BLOCK))
      continue;
    const tab = /^(?:[ ]*(?:\r\n|\r(?!\n)|\n))*[ ]*\t/.exec(state.text.slice(event.valueStart, event.valueEnd))?.[0].length;
    if (
      tab === undefined ||
      /[|>][-+]?[1-9][-+]?(?:[ \t]+#[^\r\n]*|[ \t]*)(?:\r\n|\r|\n)$/.test(
        state.text.slice(Math.max(0, event.valueStart - 500), event.valueStart),
      )
    )
      continue;
    throw new ScanError(state.original(event.valueStart + tab - 1), 'tab characters must not be used in indentation');
  }
}

/** In a block, a line must not begin with a tab: libyaml takes it for the beginning of a token. */
function checkLeadingTabs(events: readonly Event[], state: Repair): void {
  const { text } = state;
  if (!text.includes('\t')) return;
  const spans = [...spansOf(events)].sort((a, b) => a.start - b.start);
  const open: Span[] = [];
  let next = 0;
  // `-` and `?` leave the beginning of the line where it is.
  for (const match of text.matchAll(/(?<=^|[\r\n])((?: |[-?](?=[ \t]))*)\t/g)) {
    const column = (match[1] as string).length;
    const tab = match.index + column;
    for (; next < spans.length && (spans[next] as Span).start <= tab; next++) {
      while (open.length > 0 && (open.at(-1) as Span).end <= (spans[next] as Span).start) open.pop();
      open.push(spans[next] as Span);
    }
    while (open.length > 0 && (open.at(-1) as Span).end <= tab) open.pop();
    const span = open.at(-1);
    const harmless =
      span !== undefined && (span.style === 'flow' || span.style === 'quoted' || (span.indent >= 0 && column >= span.indent));
    if (!harmless) throw new ScanError(state.original(tab), 'tab characters must not be used in indentation');
  }
}

/** What may stand on a line before a key of a block: blanks, an explicit mark, anchor and tag, an opening quote. */
const BEFORE_KEY = /^[ \t]*(?:[?:][ \t]+)?(?:[&!]\S*[ \t]+)*["']?$/;

/** After a list as far left as its key, the next key begins a line: `- {a: 1}b: 2` is none. */
function checkAfterLists(events: readonly Event[], state: Repair): void {
  const open: ('list' | 'mapping' | 'other')[] = [];
  let afterList = false;
  for (const event of events) {
    if (event.type === EVENT_ID.POP) {
      afterList = open.pop() === 'list' && open.at(-1) === 'mapping';
      continue;
    }
    const start = event.type === EVENT_ID.SCALAR ? event.valueStart : 'start' in event ? event.start : -1;
    if (afterList && start >= 0) {
      const before = state.text.slice(
        Math.max(state.text.lastIndexOf('\n', start - 1), state.text.lastIndexOf('\r', start - 1)) + 1,
        start,
      );
      if (!BEFORE_KEY.test(before)) throw new ScanError(state.original(start), 'did not find expected key');
    }
    afterList = false;
    if (event.type === EVENT_ID.SEQUENCE) open.push(event.style === COLLECTION_STYLE.FLOW ? 'other' : 'list');
    else if (event.type === EVENT_ID.MAPPING) open.push(event.style === COLLECTION_STYLE.FLOW ? 'other' : 'mapping');
    else if (event.type === EVENT_ID.DOCUMENT) open.push('other');
  }
}

interface Span {
  readonly start: number;
  end: number;
  readonly style: 'flow' | 'quoted' | 'plain' | 'block-scalar';
  readonly indent: number;
}

/** Stretches of the text in which a leading tab may be harmless. */
function spansOf(events: readonly Event[]): readonly Span[] {
  const spans: Span[] = [];
  const open: (Span | undefined)[] = [];
  let last = 0;
  for (const event of events) {
    if (event.type === EVENT_ID.SEQUENCE || event.type === EVENT_ID.MAPPING) {
      const span: Span | undefined =
        event.style === COLLECTION_STYLE.FLOW ? { start: event.start, end: Infinity, style: 'flow', indent: 0 } : undefined;
      if (span !== undefined) spans.push(span);
      open.push(span);
      last = Math.max(last, event.start);
    } else if (event.type === EVENT_ID.DOCUMENT) open.push(undefined);
    else if (event.type === EVENT_ID.POP) {
      const span = open.pop();
      // The closing bracket comes after the last thing inside; a tab before it is harmless too, and one after it begins a line.
      if (span !== undefined) span.end = last + 1;
    } else if (event.type === EVENT_ID.SCALAR && event.valueStart >= 0) {
      const style =
        event.style === SCALAR_STYLE.PLAIN
          ? 'plain'
          : event.style === SCALAR_STYLE.SINGLE_QUOTED || event.style === SCALAR_STYLE.DOUBLE_QUOTED
            ? 'quoted'
            : 'block-scalar';
      const inBlock = !open.some((one) => one !== undefined);
      // After a text that is the whole document only blanks and comments come.
      const end = style === 'plain' && open.length === 1 ? Infinity : event.valueEnd;
      spans.push({
        start: event.valueStart,
        end,
        style,
        indent: style === 'block-scalar' ? event.indent : inBlock && open.length > 1 ? 1 : 0,
      });
      last = Math.max(last, event.valueEnd);
    }
  }
  return spans;
}

/** A line end escaped in double quotes, and the blank lines behind it: each of those is a line feed, as anywhere else. */
const ESCAPED_END = /(?<!\\)((?:\\\\)*)\\(\r\n|\r(?!\n)|\n)((?:[ \t]*(?:\r\n|\r(?!\n)|\n))+)/g;

function rawText(text: string, event: ScalarEvent): string {
  if (event.style !== SCALAR_STYLE.DOUBLE_QUOTED) return getScalarValue(text, event);
  const raw = text.slice(event.valueStart, event.valueEnd);
  const spelled = raw.replace(
    ESCAPED_END,
    (_, before: string, end: string, blank: string) => `${before}${'\\n'.repeat(blank.match(/\r\n|\r|\n/g)?.length ?? 0)}\\${end}`,
  );
  return spelled === raw ? getScalarValue(text, event) : getScalarValue(spelled, { ...event, valueStart: 0, valueEnd: spelled.length });
}

function scalarText(text: string, event: ScalarEvent): string {
  const given = rawText(text, event);
  const block = event.style === SCALAR_STYLE.LITERAL_BLOCK || event.style === SCALAR_STYLE.FOLDED_BLOCK;
  const value =
    event.valueStart >= 0 && OTHER_BREAK.test(text.slice(event.valueStart, event.valueEnd))
      ? unbroken(given, block ? event.indent : undefined)
      : given;
  if (!block || event.valueEnd < text.length || /[\r\n]$/.test(text) || !value.endsWith('\n')) return value;
  // The last line has no end. When it is blank and deeper than the text it belongs to the text, otherwise it is nothing.
  const blanks = /(?:^|[\r\n])([ ]*)$/.exec(text)?.[1]?.length;
  if (blanks !== undefined && blanks > event.indent) return value.slice(0, -1);
  return event.chomping === CHOMPING_MODE.KEEP || (event.chomping === CHOMPING_MODE.CLIP && blanks === undefined)
    ? value.slice(0, -1)
    : value;
}

/** Blanks around the line ends that js-yaml does not know fall away: all of them, or in a block the indentation. A next line is a line feed in a block, and a space elsewhere. */
function unbroken(value: string, indent: number | undefined): string {
  if (indent === undefined)
    return value.replace(/(?<![ \t])[ \t]*([\u0085\u2028\u2029])[ \t]*/g, (_, end: string) => (end === '\u0085' ? ' ' : end));
  return value.replace(
    /([\u0085\u2028\u2029])( *)/g,
    (_, end: string, blanks: string) => (end === '\u0085' ? '\n' : end) + blanks.slice(indent),
  );
}
