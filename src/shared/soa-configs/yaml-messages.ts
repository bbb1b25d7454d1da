/** Syntax errors of YAML in plain English, with a hint for the mistakes that people make. */
import { withoutTrailing } from '../contract/trailing.ts';
import type { LineTable } from './yaml-text.ts';
import { place } from './yaml-text.ts';

export interface Said {
  readonly message: string;
  readonly hint: string | undefined;
  readonly offset: number;
}

function lineAt(text: string, lines: LineTable, line: number): string {
  const start = lines[line - 1] ?? 0;
  const end = lines[line] ?? text.length;
  return withoutTrailing(text.slice(start, end), '\r\n');
}

/** What a syntax error of js-yaml means to the author of the file. `offset` may move to the line that is at fault. */
export function explainSyntax(text: string, offset: number, reason: string, lines: LineTable): Said {
  const { line } = place(lines, offset);
  const at = (message: string, hint: string | undefined, where = offset): Said => ({ message, hint, offset: where });
  const current = lineAt(text, lines, line);
  const previous = line > 1 ? lineAt(text, lines, line - 1) : '';

  for (const [candidate, number] of [
    [current, line],
    [previous, line - 1],
  ] as const) {
    const start = lines[number - 1] ?? 0;
    const tab = (reason.startsWith('tab characters') ? /^(?: |[-?](?=[ \t]))*\t/ : /^ *\t/).exec(candidate);
    if (tab !== null)
      return at('a tab character is used as indentation', 'indent with spaces: YAML does not allow tabs there', start + tab[0].length - 1);
    if (/^(<{7}|={7}|>{7})( |$)/.test(candidate))
      return at('a merge conflict marker of git is left in the file', 'resolve the conflict', start);
  }
  const invisible = /[\u0085\u2028\u2029]/.exec(`${previous}\n${current}`)?.[0];
  if (invisible !== undefined)
    return at(
      `the invisible character U+${invisible.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')} ends a line here or just above`,
      'remove it, or write it as an escape inside double quotes',
    );
  if (/within a (single|double) quoted scalar/.test(reason)) {
    const opened = openQuote(text, offset);
    return at(
      `a ${reason.includes('single') ? 'single' : 'double'} quote is opened and never closed`,
      `add the closing ${reason.includes('single') ? "'" : '"'}; inside single quotes write '' for one quote`,
      opened ?? offset,
    );
  }
  if (/within a flow collection/.test(reason)) return at("a '[' or '{' is never closed", "add the missing ']' or '}'");
  for (const [candidate, number] of [
    [current, line],
    [previous, line - 1],
  ] as const) {
    const assignment = /^(\s*(?:- )?)([\w.-]+)\s*=\s*(.*)$/.exec(candidate);
    if (assignment !== null && !/^[^=]*:(\s|$)/.test(candidate))
      return at(
        `'${candidate.trim()}' is not 'key: value'`,
        `did you mean '${assignment[2] ?? ''}: ${assignment[3] ?? ''}'?`,
        (lines[number - 1] ?? 0) + (assignment[1] ?? '').length,
      );
    const glued = /^(\s*(?:- )?)([A-Za-z_][\w.-]*):([^\s:/].*)$/.exec(candidate);
    if (glued !== null)
      return at(
        `'${candidate.trim()}' has no space after the colon`,
        `did you mean '${glued[2] ?? ''}: ${glued[3] ?? ''}'?`,
        (lines[number - 1] ?? 0) + (glued[1] ?? '').length,
      );
  }
  if (/unknown escape sequence/.test(reason))
    return at('an escape inside double quotes is unknown', "use single quotes when you mean a backslash, or write '\\\\'");
  if (/bad indentation of a mapping entry|can not read a block mapping entry|whitespace character is expected/.test(reason)) {
    const colon = /:\s.*:(\s|$)/.test(current);
    return colon
      ? at(`a second ': ' in '${current.trim()}' makes no sense to YAML`, 'put the value in quotes')
      : at('the indentation does not fit the lines above', 'keys of one mapping begin in the same column');
  }
  if (/bad indentation of a sequence entry|deficient indentation/.test(reason))
    return at('the indentation does not fit the lines above', "the '-' of one list stand in the same column");
  if (/expected the node content|cannot start|reserved/.test(reason))
    return at(`'${current.trim()}' cannot be read here`, 'put the value in quotes when it is text');
  if (/end of the stream or a document separator|document/.test(reason))
    return at('the file has text here that belongs to nothing above', 'check the indentation and for a missing key');
  if (/missed comma/.test(reason)) return at("a comma is missing between the entries of '[ ]' or '{ }'", "add the ',' or quote the text");
  return at(`not valid YAML: ${reason}`, undefined);
}

/** Offset of the quote that is still open where the text ends: the last one that begins a value. */
function openQuote(text: string, end: number): number | undefined {
  let found: number | undefined;
  let index = 0;
  while (index < end) {
    const match = /(?:^|[\s[{,])(["'])/gm;
    match.lastIndex = index;
    const next = match.exec(text);
    if (next === null || next.index >= end) break;
    const quote = next[1] as string;
    const start = next.index + next[0].length - 1;
    let close = start + 1;
    for (; close < text.length; close++) {
      if (quote === '"' && text[close] === '\\') close++;
      else if (text[close] === quote) {
        if (quote === "'" && text[close + 1] === "'") close++;
        else break;
      }
    }
    if (close >= text.length) {
      found = start;
      break;
    }
    index = close + 1;
  }
  return found;
}
