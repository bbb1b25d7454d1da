/** What js-yaml reads and libyaml refuses: PaaSTA would not load the file. */
import { COLLECTION_STYLE, EVENT_ID, SCALAR_STYLE, type Event } from 'js-yaml';
import type { Repair } from './yaml-repair.ts';
import { ScanError } from './yaml-scan-error.ts';

/** Blank lines and comments, then the end of a document. */
const ENDED_AT_ONCE = /^((?:[ \t]*(?:#[^\r\n]*)?(?:\r\n|\r(?!\n)|\n))*)\.\.\.(?=[ \t\r\n]|$)/;

/** Directives, blank lines and comments, then what follows them on its line. */
const DIRECTIVES = /^((?:(?:%[^\r\n]*|[ \t]*(?:#[^\r\n]*)?)(?:\r\n|\r(?!\n)|\n))*)( *)(---(?=[ \t\r\n]|$)|%)?/;

/** Before it is scanned: where documents begin and end, and directives. Throws `ScanError`. */
export function checkDocument(source: string): void {
  const end = ENDED_AT_ONCE.exec(source)?.[1]?.length;
  if (end !== undefined) throw new ScanError(end, "'...' ends a document before there is one", { hint: 'remove the line' });
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

/** What the scan gave. Throws `ScanError`. */
export function checkEvents(events: readonly Event[], state: Repair): void {
  checkRoot(events, state);
  checkBlockTabs(events, state);
  checkLeadingTabs(events, state);
  checkAfterLists(events, state);
  state.checkBlanks(events);
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
