/** Every regular expression that is written in src/, in code and in JSON Schemas, with its place. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { processorTime } from '../../support/processor-time.ts';

const ROOT = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));

export interface Pattern {
  readonly where: string;
  readonly pattern: RegExp;
}

/** Parts of expressions that are put together from text, as they read when the program runs. */
const PARTS: Readonly<Record<string, string>> = { 'String.fromCharCode(27)': '\u001b', HASH_DIGITS: '16' };

/** The text of `new RegExp(…)`; `undefined` for those that schemas hand over, which are looked at there. */
function constructedText(argument: ts.Expression | undefined, where: string): string | undefined {
  if (argument !== undefined && ts.isIdentifier(argument) && argument.text === 'pattern') return undefined;
  if (argument !== undefined && ts.isStringLiteralLike(argument)) return argument.text;
  if (argument === undefined || !ts.isTemplateExpression(argument))
    throw new Error(`${where}: nobody knows what this expression will be: write it as a literal`);
  return (
    argument.head.text +
    argument.templateSpans
      .map(({ expression, literal }) => {
        const part = PARTS[expression.getText()];
        if (part === undefined)
          throw new Error(
            `${where}: nobody knows what '${expression.getText()}' will be: write the expression as a literal, or add the part to the table`,
          );
        return part + literal.text;
      })
      .join('')
  );
}

/** `pattern` and `patternProperties` of a schema: they are matched with what people write. */
export function schemaPatterns(schema: unknown, file: string): Pattern[] {
  if (Array.isArray(schema)) return schema.flatMap((one) => schemaPatterns(one, file));
  if (typeof schema !== 'object' || schema === null) return [];
  const { pattern, patternProperties } = schema as { readonly pattern?: unknown; readonly patternProperties?: object };
  return (
    [...(typeof pattern === 'string' ? [pattern] : []), ...Object.keys(patternProperties ?? {})]
      // As the validator compiles them.
      .map((text): Pattern => ({ where: `${file} ${text}`, pattern: new RegExp(text, 'u') }))
      .concat(Object.values(schema).flatMap((value) => schemaPatterns(value, file)))
  );
}

export function patternsOf(text: string, file: string): Pattern[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2024, true);
  const found: Pattern[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isRegularExpressionLiteral(node)) {
      const literal = node.getText();
      const end = literal.lastIndexOf('/');
      found.push({
        where: `${file}:${String(source.getLineAndCharacterOfPosition(node.getStart()).line + 1)} ${literal}`,
        pattern: new RegExp(literal.slice(1, end), literal.slice(end + 1).replace('g', '')),
      });
    }
    if (ts.isNewExpression(node) && node.expression.getText() === 'RegExp') {
      const where = `${file}:${String(source.getLineAndCharacterOfPosition(node.getStart()).line + 1)}`;
      const built = constructedText(node.arguments?.[0], where);
      if (built !== undefined) found.push({ where: `${where} ${built}`, pattern: new RegExp(built) });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

export function allPatterns(): Pattern[] {
  const text = (name: string): string => readFileSync(join(ROOT, 'src', name), 'utf8');
  return readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .sort()
    .flatMap((name) =>
      name.endsWith('.ts')
        ? patternsOf(text(name), `src/${name}`)
        : name.endsWith('.json')
          ? schemaPatterns(JSON.parse(text(name)), `src/${name}`)
          : [],
    );
}

/** Makers of texts on which patterns that look again and again take long: one part repeated, with an end that does not match. */
export function attacks(pattern: RegExp): ((length: number) => string)[] {
  const own = [
    ...new Set(
      pattern.source.replaceAll(
        /\\./g,
        (escape) => ({ '\\s': ' ', '\\d': '0', '\\w': 'a', '\\n': '\n', '\\t': '\t', '\\r': '\r' })[escape] ?? escape.slice(1),
      ),
    ),
  ];
  const parts = [
    ...new Set([
      ...own,
      'a',
      'A',
      '0',
      ' ',
      '-',
      '/',
      '.',
      '_',
      '\n',
      'a ',
      'a.',
      'a-',
      'a/',
      'a0',
      '- ',
      '."',
      'a:',
      ': ',
      'a=',
      '\u00e9',
    ]),
  ];
  const start = /^\^?([A-Za-z]+)/.exec(pattern.source)?.[1] ?? '';
  return parts.flatMap((part) => {
    const body = (length: number): string => part.repeat(Math.ceil(length / part.length)).slice(0, length);
    return [(length: number) => `${body(length)}\u0000`, ...(start === '' ? [] : [(length: number) => `${start}${body(length)}\u0000`])];
  });
}

/** Milliseconds of the processor that one look takes. */
export function cost(pattern: RegExp, text: string): number {
  pattern.lastIndex = 0;
  return processorTime(() => pattern.exec(text));
}
