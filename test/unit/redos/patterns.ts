/** Every regular expression that is written in src/, with its place. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const ROOT = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));

export interface Pattern {
  readonly where: string;
  readonly pattern: RegExp;
}

export function patternsOf(text: string, file: string): Pattern[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2024, true);
  const found: Pattern[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isRegularExpressionLiteral(node)) {
      const literal = node.getText();
      const end = literal.lastIndexOf('/');
      found.push({ where: `${file}:${String(source.getLineAndCharacterOfPosition(node.getStart()).line + 1)} ${literal}`, pattern: new RegExp(literal.slice(1, end), literal.slice(end + 1).replace('g', '')) });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

export function allPatterns(): Pattern[] {
  return readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .sort()
    .flatMap((name) => patternsOf(readFileSync(join(ROOT, 'src', name), 'utf8'), `src/${name}`));
}

/** Makers of texts on which patterns that look again and again take long: one part repeated, with an end that does not match. */
export function attacks(pattern: RegExp): ((length: number) => string)[] {
  const own = [...new Set(pattern.source.replaceAll(/\\./g, (escape) => ({ '\\s': ' ', '\\d': '0', '\\w': 'a', '\\n': '\n', '\\t': '\t', '\\r': '\r' })[escape] ?? escape.slice(1)))];
  const parts = [...new Set([...own, 'a', 'A', '0', ' ', '-', '/', '.', '_', '\n', 'a ', 'a.', 'a-', 'a/', 'a0', '- ', '."', 'a:', ': ', 'a=', '\u00e9'])];
  const start = /^\^?([A-Za-z]+)/.exec(pattern.source)?.[1] ?? '';
  return parts.flatMap((part) => {
    const body = (length: number): string => part.repeat(Math.ceil(length / part.length)).slice(0, length);
    return [(length: number) => `${body(length)}\u0000`, ...(start === '' ? [] : [(length: number) => `${start}${body(length)}\u0000`])];
  });
}

/** Milliseconds of the processor that one look takes. */
export function cost(pattern: RegExp, text: string): number {
  const before = process.cpuUsage();
  pattern.lastIndex = 0;
  pattern.exec(text);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}
