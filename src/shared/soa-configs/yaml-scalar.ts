/** The text that a scalar stands for, where libyaml and js-yaml do not agree on it. */
import { CHOMPING_MODE, SCALAR_STYLE, getScalarValue, type ScalarEvent } from 'js-yaml';

/** Line ends that js-yaml does not know. */
export const OTHER_BREAK = /[\u0085\u2028\u2029]/;

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

/** Text of a scalar as libyaml gives it. */
export function scalarText(text: string, event: ScalarEvent): string {
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
