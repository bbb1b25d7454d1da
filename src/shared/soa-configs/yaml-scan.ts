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
import { YAMLException, parseEvents, type Event, type ScalarEvent } from 'js-yaml';
import { Repair } from './yaml-repair.ts';
import { scalarText } from './yaml-scalar.ts';
import { ScanError } from './yaml-scan-error.ts';
import { checkDocument, checkEvents } from './yaml-strictness.ts';

/** Work that repairing a text may take: characters scanned. */
const MOST_WORK = 10_000_000;

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
  checkDocument(source);
  const state = new Repair(source);
  let work = 0;
  for (;;) {
    try {
      const events = parseEvents(state.scanned, { maxDepth });
      if (work < MOST_WORK && state.separateIndicators(events)) {
        work += state.text.length;
        continue;
      }
      checkEvents(events, state);
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
