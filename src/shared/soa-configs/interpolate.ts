/** The part of Python's `str.format` that makes sense in a deploy group: `{cluster}`, `{instance}`, `{service}`, `{{`, `}}`, conversions, width. */
import { pythonText } from '../contract/python-text.ts';

export class BadPlaceholder extends Error {
  readonly hint: string;
  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

/** The text with its placeholders replaced; throws `BadPlaceholder` where Python would raise. */
export function interpolate(text: string, facts: Readonly<Record<string, string>>): string {
  const known = `known: ${Object.keys(facts)
    .map((k) => `{${k}}`)
    .join(', ')}; write '{{' for a brace`;
  let out = '';
  let index = 0;
  while (index < text.length) {
    const ch = text[index] as string;
    if (ch === '{' && text[index + 1] === '{') {
      out += '{';
      index += 2;
    } else if (ch === '}') {
      if (text[index + 1] !== '}') throw new BadPlaceholder(`'${text}' has a single '}'`, known);
      out += '}';
      index += 2;
    } else if (ch === '{') {
      const end = text.indexOf('}', index);
      if (end < 0) throw new BadPlaceholder(`'${text}' has a '{' that is never closed`, known);
      out += field(text.slice(index + 1, end), text, facts, known);
      index = end + 1;
    } else {
      out += ch;
      index++;
    }
  }
  return out;
}

function field(body: string, text: string, facts: Readonly<Record<string, string>>, known: string): string {
  const match = /^([A-Za-z_]\w*)(?:\[(\d+)\])?(?:!([rsa]))?(?::(?:(.)?([<>^]))?(0)?(\d+)?(?:\.(\d+))?s?)?$/su.exec(body);
  const name = match?.[1];
  const value = name === undefined ? undefined : facts[name];
  if (match === null || value === undefined || !Object.hasOwn(facts, name ?? ''))
    throw new BadPlaceholder(`'{${body}}' in '${text}' is not a placeholder of a deploy group`, known);
  let out = value;
  if (match[2] !== undefined) {
    const letter = [...value][Number(match[2])];
    if (letter === undefined) throw new BadPlaceholder(`'{${body}}' in '${text}' points past the end of '${value}'`, known);
    out = letter;
  }
  if (match[3] === 'r' || match[3] === 'a') out = pythonText([out]).slice(1, -1);
  if (match[8] !== undefined) out = [...out].slice(0, Number(match[8])).join('');
  const width = Math.min(Number(match[7] ?? 0), 1_000);
  const missing = Math.max(0, width - [...out].length);
  const fill = match[4] ?? (match[6] === '0' ? '0' : ' ');
  if (match[5] === '>') return fill.repeat(missing) + out;
  if (match[5] === '^') return fill.repeat(Math.floor(missing / 2)) + out + fill.repeat(Math.ceil(missing / 2));
  return out + fill.repeat(missing);
}
