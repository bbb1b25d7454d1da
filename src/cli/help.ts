import { COMMON, type Option } from './options.ts';
import type { Word } from './words.ts';

const WIDTH = 100;
const INDENT = 34;

/** `paasta --help`. */
export function commandHelp(words: readonly Word[]): string {
  const width = Math.max(...words.map(({ name }) => name.length)) + 2;
  return [
    'usage: paasta WORD [options]',
    '',
    "PaaSTA's contract as commands: the same that the GitHub Actions of this repository do.",
    '',
    'words:',
    ...words.map(({ name, about }) => `  ${name.padEnd(width)}${about}`),
    '',
    "'paasta WORD --help' lists the options of a word.",
    '',
  ].join('\n');
}

/** `paasta WORD --help`. */
export function wordHelp(word: Word): string {
  const shown = [...word.options.filter(({ names, help }) => names.length > 0 && help !== ''), ...COMMON];
  return [
    `usage: paasta ${word.name} [options]${word.options
      .filter(({ positional }) => positional === true)
      .map(({ names: [name = ''] }) => ` [${name}]`)
      .join('')}`,
    '',
    ...wrap(`${word.about}.`, WIDTH),
    '',
    'options:',
    ...shown.flatMap(optionLines),
    '',
  ].join('\n');
}

function optionLines({ names, value, help }: Option): readonly string[] {
  const short = names.filter((name) => !name.startsWith('--'));
  const long = names.filter((name) => name.startsWith('--'));
  const left = `  ${[...short, ...long].join(', ')}${value === undefined ? '' : ` ${value}`}`;
  const [first = '', ...rest] = wrap(help, WIDTH - INDENT);
  const pad = ' '.repeat(INDENT);
  const lines = left.length < INDENT - 1 ? [`${left.padEnd(INDENT)}${first}`] : [left, `${pad}${first}`];
  return [...lines, ...rest.map((line) => `${pad}${line}`)];
}

function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
