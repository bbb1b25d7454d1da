/** Foreign text in Markdown (job summaries, comments): it must neither end a cell nor become markup. */
import { withoutTrailing } from './trailing.ts';

/** Text inside a table cell or a sentence. */
export function cell(text: string): string {
  return (
    text
      .replace(/[&<>]/g, (c) => (c === '&' ? '&amp;' : c === '<' ? '&lt;' : '&gt;'))
      .replace(/[\\`*_[\]|~#]/g, '\\$&')
      // A mention would notify people, an address would become a link.
      .replace(/@(?=\w)/g, '@\u200b')
      .replace(/\r?\n|\r/g, '<br>')
  );
}

/** Text as code inside a line or a cell. */
export function code(text: string): string {
  const line = text.replace(/[\r\n]+/g, ' ').replaceAll('|', '\\|');
  const fence = '`'.repeat(Math.max(0, ...[...line.matchAll(/`+/g)].map(([run]) => run.length)) + 1);
  return fence.length === 1 ? `\`${line}\`` : `${fence} ${line} ${fence}`;
}

/** Lines as a code block that the text cannot close. */
export function fenced(text: string, language = ''): string {
  const fence = '`'.repeat(Math.max(2, ...[...text.matchAll(/`{3,}/g)].map(([run]) => run.length)) + 1);
  return `${fence}${language}\n${withoutTrailing(text, '\n')}\n${fence}`;
}

/** A table; the cells must be escaped already (`cell`, `code`). */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** A part that is folded away until it is clicked. */
export function details(title: string, body: string): string {
  return `<details><summary>${cell(title)}</summary>\n\n${body}\n\n</details>`;
}
