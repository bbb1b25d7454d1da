/**
 * Scanning with js-yaml where it is stricter or laxer than libyaml, which PaaSTA reads with. js-yaml follows YAML 1.2; these are the
 * differences that real files and the vectors show:
 * - inside `[ ]`, `{ }` and quotes libyaml ignores indentation (a closing `]` in column 1 is common);
 * - a tab after a token is a blank like any other, but none may begin a line of a block;
 * - `]#`, `"#` and `|#` begin a comment; `-` before `,` or `]` is text;
 * - a key may be empty only after `?` or inside `{ }`;
 * - a block scalar that the file ends without a line end has none.
 */
import { CHOMPING_MODE, COLLECTION_STYLE, EVENT_ID, SCALAR_STYLE, YAMLException, getScalarValue, parseEvents, type Event, type ScalarEvent } from 'js-yaml';

/** Work that repairing a text may take: characters scanned. */
const MOST_WORK = 10_000_000;

/** Places on one line that are tried for a comment. */
const MOST_PLACES = 50;

/** A complaint at an offset of the original text. */
export class ScanError extends Error {
  readonly offset: number;
  readonly tooDeep: boolean;
  constructor(offset: number, reason: string, tooDeep = false) {
    super(reason);
    this.offset = offset;
    this.tooDeep = tooDeep;
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
  const state = new Repair(source);
  let work = 0;
  for (;;) {
    try {
      const events = parseEvents(state.scanned, { maxDepth });
      checkLeadingTabs(events, state);
      state.checkBlanks(events);
      return { events, text: state.text, original: (offset) => state.original(offset), scalar: (event) => scalarText(state.text, event) };
    } catch (error) {
      if (!(error instanceof YAMLException)) throw error;
      const offset = error.mark?.position ?? 0;
      work += state.text.length;
      if (work < MOST_WORK && (error.reason === 'deficient indentation' ? state.indent(offset) : state.blankComment(offset, error))) continue;
      throw new ScanError(state.original(offset), error.reason, error.reason.includes('maxDepth'));
    }
  }
}

/** Blank lines and comments, then `---` that does not begin its line: text, not the beginning of a document. */
const INDENTED_DASHES = /^((?:[ \t]*(?:#[^\r\n]*)?(?:\r\n|\r(?!\n)|\n))* +)---(?=[ \t\r\n]|$)/;

/** A copy with tabs after the first token of a line as spaces, and what is text for libyaml as letters: a lone `-` before `,`, `]` or `}`, an indented `---`. Linear. */
function blanked(source: string): string {
  const dashes = INDENTED_DASHES.exec(source)?.[1]?.length;
  if (dashes === undefined && !source.includes('\t') && !/-[,\]}]/.test(source)) return source;
  const out = [...source.split('')];
  if (dashes !== undefined) out.fill('x', dashes, dashes + 3);
  let leading = true;
  let last = '';
  for (let index = 0; index < out.length; index++) {
    const ch = out[index] as string;
    if (ch === '\n' || ch === '\r') leading = true;
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
    while (start > 0 && !'\r\n'.includes(this.text[start - 1] as string)) start--;
    if (this.insertions.some(({ at }) => at === start)) return false;
    const spaces = ' '.repeat(this.width);
    this.text = this.text.slice(0, start) + spaces + this.text.slice(start);
    this.scanned = this.scanned.slice(0, start) + spaces + this.scanned.slice(start);
    for (const one of [...this.insertions, ...this.blanks]) if (one.at > start) one.at += this.width;
    this.insertions.push({ at: start, count: this.width });
    this.insertions.sort((a, b) => a.at - b.at);
    return true;
  }

  /** Blanks a comment that begins right after a bracket, quote or block indicator, on the line of the offset or just before it. */
  blankComment(offset: number, error: YAMLException): boolean {
    let start = offset;
    for (let lines = 0; lines < 2 && start > 0; lines++) {
      while (start > 0 && !'\r\n'.includes(this.scanned[start - 1] as string)) start--;
      const line = /^[^\r\n]*/.exec(this.scanned.slice(start))?.[0] ?? '';
      const places = [...line.matchAll(/[\]}"'|>+0-9-](?=#)/g)].slice(0, MOST_PLACES).map((match) => match.index + 1).filter((to) => start + to <= offset + 1 && (/[\]}"']$/.test(line.slice(0, to)) || /(^|\s)[|>][-+0-9]*$/.test(line.slice(0, to))));
      // A quote that closes what begins on the line before one that seems to open something.
      const opens = (to: number): boolean => `"'`.includes(line[to - 1] as string) && line.slice(0, to).split(line[to - 1] as string).length % 2 === 0;
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

/** In a block, a line must not begin with a tab: libyaml takes it for the beginning of a token. */
function checkLeadingTabs(events: readonly Event[], state: Repair): void {
  const { text } = state;
  if (!text.includes('\t')) return;
  const spans = [...spansOf(events)].sort((a, b) => a.start - b.start);
  const open: Span[] = [];
  let next = 0;
  for (const match of text.matchAll(/(?<=^|[\r\n])([ ]*)\t/g)) {
    const column = (match[1] as string).length;
    const tab = match.index + column;
    for (; next < spans.length && (spans[next] as Span).start <= tab; next++) {
      while (open.length > 0 && (open.at(-1) as Span).end <= (spans[next] as Span).start) open.pop();
      open.push(spans[next] as Span);
    }
    while (open.length > 0 && (open.at(-1) as Span).end <= tab) open.pop();
    const span = open.at(-1);
    const harmless = span !== undefined && (span.style === 'flow' || span.style === 'quoted' || (span.indent >= 0 && column >= span.indent));
    if (!harmless) throw new ScanError(state.original(tab), 'tab characters must not be used in indentation');
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
      const span: Span | undefined = event.style === COLLECTION_STYLE.FLOW ? { start: event.start, end: Infinity, style: 'flow', indent: 0 } : undefined;
      if (span !== undefined) spans.push(span);
      open.push(span);
      last = Math.max(last, event.start);
    } else if (event.type === EVENT_ID.DOCUMENT) open.push(undefined);
    else if (event.type === EVENT_ID.POP) {
      const span = open.pop();
      // The closing bracket comes after the last thing inside; a tab before it is harmless too, and one after it begins a line.
      if (span !== undefined) span.end = last + 1;
    } else if (event.type === EVENT_ID.SCALAR && event.valueStart >= 0) {
      const style = event.style === SCALAR_STYLE.PLAIN ? 'plain' : event.style === SCALAR_STYLE.SINGLE_QUOTED || event.style === SCALAR_STYLE.DOUBLE_QUOTED ? 'quoted' : 'block-scalar';
      const inBlock = !open.some((one) => one !== undefined);
      spans.push({ start: event.valueStart, end: event.valueEnd, style, indent: style === 'block-scalar' ? event.indent : inBlock && open.length > 1 ? 1 : 0 });
      last = Math.max(last, event.valueEnd);
    }
  }
  return spans;
}

function scalarText(text: string, event: ScalarEvent): string {
  const value = getScalarValue(text, event);
  if (event.style !== SCALAR_STYLE.LITERAL_BLOCK && event.style !== SCALAR_STYLE.FOLDED_BLOCK) return value;
  if (event.valueEnd < text.length || /[\r\n]$/.test(text) || !value.endsWith('\n')) return value;
  const blank = /(?:^|[\r\n])[ ]*$/.test(text);
  return event.chomping === CHOMPING_MODE.KEEP || (event.chomping === CHOMPING_MODE.CLIP && !blank) ? value.slice(0, -1) : value;
}
