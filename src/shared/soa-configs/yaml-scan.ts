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
      return { events, text: state.text, original: (offset) => state.original(offset), scalar: (event) => scalarText(state.text, event) };
    } catch (error) {
      if (!(error instanceof YAMLException)) throw error;
      const offset = error.mark?.position ?? 0;
      work += state.text.length;
      if (work < MOST_WORK && (error.reason === 'deficient indentation' ? state.indent(offset) : state.blankComment(offset))) continue;
      throw new ScanError(state.original(offset), error.reason, error.reason.includes('maxDepth'));
    }
  }
}

/** A copy with tabs after the first token of a line as spaces, and a lone `-` before `,`, `]` or `}` as a letter. Linear. */
function blanked(source: string): string {
  if (!source.includes('\t') && !/-[,\]}]/.test(source)) return source;
  const out = [...source.split('')];
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
    for (const one of this.insertions) if (one.at > start) one.at += this.width;
    this.insertions.push({ at: start, count: this.width });
    this.insertions.sort((a, b) => a.at - b.at);
    return true;
  }

  /** Blanks a comment that begins right after a bracket, quote or block indicator, on the line of the offset or just before it. */
  blankComment(offset: number): boolean {
    let start = offset;
    for (let lines = 0; lines < 2 && start > 0; lines++) {
      while (start > 0 && !'\r\n'.includes(this.scanned[start - 1] as string)) start--;
      const pattern = /[\]}"'|>+0-9-]#[^\r\n]*/g;
      const line = this.scanned.slice(start, offset + 1) + (/^[^\r\n]*/.exec(this.scanned.slice(offset + 1))?.[0] ?? '');
      for (const match of line.split(/[\r\n]/)[0]?.matchAll(pattern) ?? []) {
        const from = start + match.index + 1;
        if (from > offset + 1) continue;
        const before = this.scanned.slice(start, from);
        if (!/[\]}"']$/.test(before) && !/(^|\s)[|>][-+0-9]*$/.test(before)) continue;
        this.scanned = this.scanned.slice(0, from) + ' '.repeat(match[0].length - 1) + this.scanned.slice(from + match[0].length - 1);
        return true;
      }
      start--;
    }
    return false;
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
