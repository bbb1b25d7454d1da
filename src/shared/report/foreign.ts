/** Text of others, made harmless; and columns for terminals. */

/** Well-known forms of tokens: what a service writes to its log is not masked by anybody else. */
const TOKENS =
  /\b(gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_[A-Za-z0-9_]{20,255}|glpat-[A-Za-z0-9_-]{20,64}|xox[abprs]-[A-Za-z0-9-]{10,250}|AKIA[0-9A-Z]{16}|eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{5,2000})/g;
// eslint wants no control characters in patterns; escape sequences of terminals begin with one.
const ESCAPES = new RegExp(`${String.fromCharCode(27)}\\[[0-9;?]{0,20}[ -/]{0,5}[@-~]`, 'g');
const LONGEST_LINE = 500;

/** A line of somebody else's log: no terminal codes, no tokens, of bearable length. */
export function foreignLine(line: string): string {
  const clean = [...line.slice(0, 4_000).replace(ESCAPES, '').replace(TOKENS, '***')]
    .filter((c) => c === '\t' || (c.codePointAt(0) ?? 0) >= 32)
    .join('');
  return clean.length > LONGEST_LINE ? `${clean.slice(0, LONGEST_LINE)}…` : clean;
}

/** Columns of a table, padded. */
export function columns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.min(60, Math.max(...rows.map((row) => (row[i] ?? '').length))));
  return rows.map((row) =>
    row
      .map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}
