/** Text of a YAML file before it is scanned: lines and columns, forbidden characters. */

/** Offsets at which the lines of a text begin. */
export type LineTable = readonly number[];

export function lineTable(text: string): LineTable {
  const starts = [0];
  for (const match of text.matchAll(/\r\n|\r|\n/g)) starts.push(match.index + match[0].length);
  return starts;
}

/** Line and column, both from 1, of an offset. */
export function place(lines: LineTable, offset: number): { readonly line: number; readonly column: number } {
  let low = 0;
  let high = lines.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((lines[middle] as number) <= offset) low = middle;
    else high = middle - 1;
  }
  return { line: low + 1, column: offset - (lines[low] as number) + 1 };
}

const FORBIDDEN =
  /[\x00-\x08\x0B\x0C\x0E-\x1F\x7F-\x84\x86-\x9F\uFEFF\uFFFE\uFFFF]|[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/;

/** The first character that a YAML file must not hold. */
export function checkCharacters(text: string): { readonly offset: number; readonly message: string; readonly hint: string } | undefined {
  const match = FORBIDDEN.exec(text);
  if (match === null) return undefined;
  const code = (match[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  return {
    offset: match.index,
    message: code === '0000' ? 'the file holds a NUL byte' : `the file holds the control character U+${code}`,
    hint: code === '0000' ? 'is this a text file in UTF-8 (not UTF-16)?' : 'remove it, or write it as an escape inside double quotes',
  };
}
