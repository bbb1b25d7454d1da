/** Text that libyaml reads and js-yaml refuses, or reads otherwise: rewritten where js-yaml stumbles, with the way back to the original offsets. */
import { COLLECTION_STYLE, EVENT_ID, SCALAR_STYLE, type Event, type YAMLException } from 'js-yaml';
import { OTHER_BREAK } from './yaml-scalar.ts';
import { ScanError } from './yaml-scan-error.ts';

/** Places on one line that are tried for a comment. */
const MOST_PLACES = 50;

/** Blank lines and comments, then `---` that does not begin its line: text, not the beginning of a document. */
const INDENTED_DASHES = /^((?:[ \t]*(?:#[^\r\n]*)?(?:\r\n|\r(?!\n)|\n))* +)---(?=[ \t\r\n]|$)/;

/** Behind a text inside `[ ]` or `{ }`. */
const UNEXPECTED_COLON = /[ \r\n]{0,99}:[,?[\]{}]/y;

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
export class Repair {
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
