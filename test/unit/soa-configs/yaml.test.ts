import { Float } from '../../../src/shared/contract/values.ts';
import { readYaml } from '../../../src/shared/soa-configs/yaml.ts';
import { SetValue, entriesOf } from '../../../src/shared/soa-configs/yaml-values.ts';
import { processorTime } from '../../support/processor-time.ts';

function value(text: string): unknown {
  const { document, problem } = readYaml(text, 'f.yaml');
  if (document === undefined) throw new Error(JSON.stringify(problem));
  return document.value;
}

function refused(text: string): string {
  const { problem } = readYaml(text, 'f.yaml');
  return problem === undefined
    ? 'accepted'
    : `${problem.line ?? 0}:${problem.column ?? 0} ${problem.message}${problem.hint === undefined ? '' : ` | ${problem.hint}`}`;
}

// Plain scalars as YAML 1.1 by libyaml reads them: 1.2 readers give other values for most of these.
it.each<[string, unknown]>([
  ['yes', true],
  ['Off', false],
  ['y', 'y'],
  ['N', 'N'],
  ['010', 8],
  ['0o10', '0o10'],
  ['0x1F', 31],
  ['1_000', 1000],
  ['1:30', 90],
  ['01:30', '01:30'],
  ['1e3', '1e3'],
  ['1.0e+3', new Float(1000)],
  ['5.', new Float(5)],
  ['-.5', '-.5'],
  ['.5', 0.5],
  ['~', null],
  ['None', 'None'],
  ['9007199254740993', 9007199254740993n],
  ['"5"', '5'],
  ['! 5', 5],
])('reads %s as PaaSTA does', (text, expected) => {
  expect(value(`k: ${text}\n`)).toEqual({ k: expected });
});

it('keeps the last of duplicate keys, and keys of the prototype as keys', () => {
  const map = value('a: 1\na: 2\n__proto__: {x: 1}\nconstructor: 3\n') as Record<string, unknown>;
  expect(Object.keys(map)).toEqual(['a', '__proto__', 'constructor']);
  expect(map['a']).toBe(2);
  expect(({} as Record<string, unknown>)['x']).toBeUndefined();
});

it('keeps the order of keys that look like numbers, and keys that are none', () => {
  const map = value('"10": a\n"2": b\n1: c\n') as never;
  expect(entriesOf(map).map(([, key]) => key)).toEqual(['10', '2', 1]);
});

it('merges as PaaSTA does: own keys win, of a list the first', () => {
  expect(value('a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc:\n  <<: [*a, *b]\n  z: 3\n')).toMatchObject({ c: { x: 1, y: 1, z: 3 } });
});

it('reads what libyaml reads and YAML 1.2 refuses', () => {
  expect(value('args: [\n"a",\n\t"b",\n]\n')).toEqual({ args: ['a', 'b'] });
  expect(value("key: 'a\nb\n  c'\n")).toEqual({ key: 'a b c' });
  expect(value('a: [1, -, 2]#c\n')).toEqual({ a: [1, '-', 2] });
  expect(value('a: |\n  x')).toEqual({ a: 'x' });
  expect(value('\uFEFFa: 1\r\nb: 2\rc: 3\n')).toEqual({ a: 1, b: 2, c: 3 });
  expect(value('a: !!set {x, y}\n')).toEqual({ a: SetValue.from(['x', 'y']) });
});

// The quote that opens "#b" was taken for one that closes, and its text for a comment; the indented dashes for the beginning of the file.
it('repairs nothing that libyaml refuses', () => {
  expect(readYaml('a:\n  - "#b"\n  x- "#c"\n', 'f.yaml').problem?.code).toBe('YAML_INVALID');
  expect(readYaml(' ---\na: 1\n', 'f.yaml').problem?.code).toBe('YAML_INVALID');
  // After a list that is not indented a key begins a line, whatever stands before it there.
  expect(readYaml('a:\n- {x: 1}t {y: 1}\n', 'f.yaml').problem?.code).toBe('YAML_INVALID');
  expect(value('a:\n- {x: 1}\n"b": 2\nc:\n- 1\n&k d: 3\n? e\n: - f\ng: 4\n')).toBeDefined();
  expect(value(' ---\n')).toBe('---');
  expect(value('a: ["#b"]#c\n')).toEqual({ a: ['#b'] });
});

it('says where every value stands, through anchors and merge keys', () => {
  const { document } = readYaml('_t: &t\n  cpus: 1\nmain:\n  <<: *t\n  env: {A: b}\n', 'f.yaml');
  expect(document?.position(['main', 'cpus'])).toEqual({ file: 'f.yaml', line: 2, column: 3 });
  expect(document?.position(['main', 'env', 'A'])).toEqual({ file: 'f.yaml', line: 5, column: 9 });
  expect(document?.position(['main', 'env', 'missing'])).toEqual({ file: 'f.yaml', line: 5, column: 3 });
});

it('keeps positions right when the text had to be repaired before scanning', () => {
  const { document } = readYaml('a: [\n1,\n]\nb: 2\n', 'f.yaml');
  expect(document?.position(['a', 0])).toEqual({ file: 'f.yaml', line: 2, column: 1 });
  expect(document?.position(['b'])).toEqual({ file: 'f.yaml', line: 4, column: 1 });
});

it.each<[string, string, string]>([
  [
    'tab as indentation',
    'main:\n\tcpus: 1\n',
    '2:1 a tab character is used as indentation | indent with spaces: YAML does not allow tabs there',
  ],
  ['key = value', 'main:\n  cpus: 1\n  mem = 512\n', "3:3 'mem = 512' is not 'key: value' | did you mean 'mem: 512'?"],
  [
    'unclosed quote',
    'main:\n  cmd: "run\n  cpus: 1\n',
    "2:8 a double quote is opened and never closed | add the closing \"; inside single quotes write '' for one quote",
  ],
  ['unclosed bracket', 'a: [1, 2\n', "2:1 a '[' or '{' is never closed | add the missing ']' or '}'"],
  ['second colon', 'cmd: echo a: b\n', "1:12 a second ': ' in 'cmd: echo a: b' makes no sense to YAML | put the value in quotes"],
  ['unknown alias', 'a: *missing\n', "1:4 alias '*missing' has no anchor '&missing' above it | quote the text if it begins with '*'"],
  ['anchor twice', 'a: &x 1\nb: &x 2\n', "2:4 anchor '&x' is defined twice | give the second one another name"],
  [
    'empty merge',
    'a:\n  <<:\n',
    "2:3 '<<' needs a mapping or a list of mappings, not nothing | write '<<: *anchor' with an anchor that names a mapping",
  ],
  ['impossible date', 'a: 2001-13-01\n', "1:4 '2001-13-01' is not a date: month must be in 1..12 | quote it when you mean the text"],
  ['two documents', 'a: 1\n---\nb: 2\n', "3:1 the file holds more than one document | remove the second '---'"],
  ['unknown tag', 'a: !Ref b\n', "1:4 unknown tag '!Ref' | quote it when you mean the text"],
  ['NUL', 'a: b\0c\n', '1:5 the file holds a NUL byte | is this a text file in UTF-8 (not UTF-16)?'],
  ['conflict marker', 'a: 1\n<<<<<<< HEAD\nb: 2\n', '2:1 a merge conflict marker of git is left in the file | resolve the conflict'],
  [
    'half a character',
    'a: "\\ud800"\n',
    '1:4 the text holds an escape of half a character (\\ud800 to \\udfff) | write \\U and eight digits',
  ],
  [
    'odd anchor',
    'a: &? 1\n',
    "1:4 '&?' is not the name of an anchor | letters, digits, - and _ only; quote the text if it begins with '&'",
  ],
  ['missing key', ': value\n', "1:1 a key is missing before the colon | write 'key: value'"],
])('explains %s', (_name, text, message) => {
  expect(refused(text)).toBe(message);
});

// libyaml refuses all of these, js-yaml none: a file that PaaSTA refuses must not be deployed by us.
it.each<[string, string, string]>([
  ['a tab behind a dash', '- a\n-\tb\n', '2:2 a tab character is used as indentation'],
  ['a tab behind a dash and a blank', 'a:\n  - \tb: 1\n', '2:5 a tab character is used as indentation'],
  ['a tab behind two dashes', '- - \ta\n', '1:5 a tab character is used as indentation'],
  ['a tab in the indentation of a block', 'a: |\n\n \tx\n', '3:2 a tab character is used as indentation'],
  ['no blank behind a colon before a bracket', 'k: {a:[1]}\n', '1:6 a blank is missing after the colon'],
  ['no blank behind a colon before a comma', 'k: [1:, 2]\n', '1:6 a blank is missing after the colon'],
  ['a colon that begins a text', 'k: {:a: 1}\n', '1:5 a key is missing before the colon'],
  ['an empty key in braces', 'k: {a: 1, : 2}\n', '1:11 a key is missing before the colon'],
  ['a key over two lines', 'k: {a\n b: 1}\n', '1:5 a key must stand on one line'],
  ['a colon on the line after its key', 'k: {a\n : 1}\n', '1:5 a key must stand on one line'],
  ['a key over two lines of U+2028', 'k: {a\u2028b: 1}\n', '1:5 a key must stand on one line'],
  ['a key of more than 1024 characters', `a: 1\n${'x'.repeat(1_025)}: 1\n`, '2:1 a key has at most 1024 characters'],
  ['the same in braces and quotes', `{"${'x'.repeat(1_023)}": 1}\n`, '1:2 a key has at most 1024 characters'],
  ['an anchor beside a bracket', 'a: &x[1]\nb: *x\n', "1:4 '&x' is not the name of an anchor"],
  ['dashes inside quotes', 'a: "x\n--- y"\n', "2:1 '---' at the beginning of a line ends the document, also inside quotes"],
  ['dots inside quotes', "a: '\n...\n'\n", "2:1 '...' at the beginning of a line ends the document, also inside quotes"],
  ['a mapping beside its key', 'a: &x b: c\n', '1:4 a mapping begins on the line of its key'],
  ['a tag without a blank', 'k: [!]\n', "1:6 a blank is missing after the tag '!'"],
  ['a tag beside a bracket', 'k: [!!seq[], x]\n', "1:10 a blank is missing after the tag '!!seq'"],
  ['a text at the top that is not indented', '|\na: 1\n', '2:1 the text of a block must be indented'],
  ['an end before the beginning', '# x\n...\na: 1\n', "2:1 '...' ends a document before there is one"],
  ['an unknown directive', '%FOO bar\n---\na: 1\n', '1:1 there are no other directives than %YAML and %TAG'],
  ['an indented directive', ' %TAG ! x\n---\na: 1\n', "1:2 '%' begins a directive"],
  ['indented dashes behind a directive', '%TAG ! x\n ---\na: 1\n', "2:2 '---' after a directive must begin its line"],
  ['a line that U+2028 begins', 'a: x\u2028y\n', '2:1 the invisible character U+2028 ends a line here or just above'],
])('refuses %s', (_name, text, message) => {
  expect(refused(text)).toContain(message);
});

// And here it is the other way round, or another value.
it.each<[string, string, unknown]>([
  ['a key of 1024 characters', `${'x'.repeat(1_024)}: 1\n`, { ['x'.repeat(1_024)]: 1 }],
  ['a longer key behind ?', `? ${'x'.repeat(2_000)}\n: 1\n`, { ['x'.repeat(2_000)]: 1 }],
  ['a comment beside a comma', 'a: [1,# x\n  2]\n', { a: [1, 2] }],
  ['dashes inside quotes that begin no line', 'a: "x\n --- y"\nb: "---"\n', { a: 'x --- y', b: '---' }],
  ['blank lines behind an escaped line end', 'a: "x\\\n\n \n  y \\\n  z\\\\\n\n"\n', { a: 'x\n\ny z\\\n' }],
  ['an escaped line end of two characters', 'a: "x\\\r\n  y\\\r\n\r\n  z"\r\n', { a: 'xy\nz' }],
  ['an anchor beside a text with a colon', 'a: &x:b\nc: *x\n', { a: ':b', c: ':b' }],
  ['? inside brackets', '[?a]\n', [{ a: null }]],
  ['? inside braces', '{?a: [-x], b?c: 1}\n', { a: ['-x'], 'b?c': 1 }],
  ['quoted keys need no blank', '{"a":[1]}\n', { a: [1] }],
  ['U+2028 ends a comment', '# x\u2028b: 1\n', { b: 1 }],
  ['U+2028 is nothing between', 'a: \u2028\nb: {c: \u2028}\n', { a: null, b: { c: null } }],
  ['U+2028 inside of quotes stays', 'a: "x \u2028 y"\n', { a: 'x\u2028y' }],
  ['U+2028 inside of a block stays', 'a: |\n  x\u2028  y\n', { a: 'x\u2028y\n' }],
  ['U+0085 is a line end', 'a: x\u0085b: "y\u0085 z"\u0085c: |\u0085  d\u0085  e\u0085', { a: 'x', b: 'y z', c: 'd\ne\n' }],
  ['a last line of blanks, deeper than the text', 'a: |\n  x\n     ', { a: 'x\n   ' }],
  ['a last line of blanks', 'a: |\n  x\n  ', { a: 'x\n' }],
  ['a tab in the first line of a block with a given indentation', 'a: |1\n \tx\n', { a: '\tx\n' }],
  ['a tab below a text that is the whole file', 'x\n\t', 'x'],
])('reads %s', (_name, text, expected) => {
  expect(value(text)).toEqual(expected);
});

it('ends the name of an anchor at the colon', () => {
  expect(entriesOf(value('&a: 1\n') as never)).toEqual([['', null, 1]]);
});

// Without the bounds these texts take gigabytes, or the stack.
it('bounds bombs', () => {
  const laughs = ['a: &a [x,x,x,x,x,x,x,x,x,x]'];
  for (let i = 1; i < 10; i++)
    laughs.push(
      `${String.fromCharCode(97 + i)}: &${String.fromCharCode(97 + i)} [${Array(10)
        .fill(`*${String.fromCharCode(96 + i)}`)
        .join(',')}]`,
    );
  expect(refused(`${laughs.join('\n')}\n`)).toMatch(/with its aliases expanded the file has more than 1000000 values/);
  expect(refused(`a: ${'['.repeat(5000)}${']'.repeat(5000)}\n`)).toMatch(/nested more than 100 levels deep/);
  expect(refused(`a: ${'x'.repeat(1_100_000)}\n`)).toMatch(/at most 1048576 are read/);
  // A mapping that merges itself brings in what it has anyway; the alias is noticed.
  expect(readYaml('a: &a {x: 1, <<: *a}\n', 'f.yaml').document).toMatchObject({
    value: { a: { x: 1 } },
    recursive: { line: 1, column: 18 },
  });
  expect(readYaml('a: &x [*x]\n', 'f.yaml').document?.recursive).toEqual({ file: 'f.yaml', line: 1, column: 8 });
});

it('stays fast on text that would make a careless pattern backtrack', () => {
  const milliseconds = processorTime(() => {
    for (const unit of ['a', '-', '[', '"', '#', ' ', '\t', ': ', '1:', '1_', '}#', "'#", '|#', '{{', '<', '=', '\n', '\n\t', 'a: [\n'])
      readYaml(`k: ${unit.repeat(Math.floor(50_000 / unit.length))}`, 'f.yaml');
  });
  expect(milliseconds).toBeLessThan(15_000);
});
