import { Float } from '../../../src/shared/contract/values.ts';
import { readYaml } from '../../../src/shared/soa-configs/yaml.ts';
import { SetValue, entriesOf } from '../../../src/shared/soa-configs/yaml-values.ts';

function value(text: string): unknown {
  const { document, problem } = readYaml(text, 'f.yaml');
  if (document === undefined) throw new Error(JSON.stringify(problem));
  return document.value;
}

function refused(text: string): string {
  const { problem } = readYaml(text, 'f.yaml');
  return problem === undefined ? 'accepted' : `${problem.line ?? 0}:${problem.column ?? 0} ${problem.message}${problem.hint === undefined ? '' : ` | ${problem.hint}`}`;
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
  ['tab as indentation', 'main:\n\tcpus: 1\n', '2:1 a tab character is used as indentation | indent with spaces: YAML does not allow tabs there'],
  ['key = value', 'main:\n  cpus: 1\n  mem = 512\n', "3:3 'mem = 512' is not 'key: value' | did you mean 'mem: 512'?"],
  ['unclosed quote', 'main:\n  cmd: "run\n  cpus: 1\n', '2:8 a double quote is opened and never closed | add the closing "; inside single quotes write \'\' for one quote'],
  ['unclosed bracket', 'a: [1, 2\n', "2:1 a '[' or '{' is never closed | add the missing ']' or '}'"],
  ['second colon', 'cmd: echo a: b\n', "1:12 a second ': ' in 'cmd: echo a: b' makes no sense to YAML | put the value in quotes"],
  ['unknown alias', 'a: *missing\n', "1:4 alias '*missing' has no anchor '&missing' above it | quote the text if it begins with '*'"],
  ['anchor twice', 'a: &x 1\nb: &x 2\n', "2:4 anchor '&x' is defined twice | give the second one another name"],
  ['empty merge', 'a:\n  <<:\n', "2:3 '<<' needs a mapping or a list of mappings, not nothing | write '<<: *anchor' with an anchor that names a mapping"],
  ['impossible date', 'a: 2001-13-01\n', "1:4 '2001-13-01' is not a date: month must be in 1..12 | quote it when you mean the text"],
  ['two documents', 'a: 1\n---\nb: 2\n', "3:1 the file holds more than one document | remove the second '---'"],
  ['unknown tag', 'a: !Ref b\n', "1:4 unknown tag '!Ref' | quote it when you mean the text"],
  ['NUL', 'a: b\0c\n', '1:5 the file holds a NUL byte | is this a text file in UTF-8 (not UTF-16)?'],
  ['conflict marker', 'a: 1\n<<<<<<< HEAD\nb: 2\n', '2:1 a merge conflict marker of git is left in the file | resolve the conflict'],
  ['half a character', 'a: "\\ud800"\n', '1:4 the text holds an escape of half a character (\\ud800 to \\udfff) | write \\U and eight digits'],
  ['odd anchor', 'a: &? 1\n', "1:4 '&?' is not the name of an anchor | letters, digits, - and _ only; quote the text if it begins with '&'"],
  ['missing key', ': value\n', "1:1 a key is missing before the colon | write 'key: value'"],
])('explains %s', (_name, text, message) => {
  expect(refused(text)).toBe(message);
});

// Without the bounds these texts take gigabytes, or the stack.
it('bounds bombs', () => {
  const laughs = ['a: &a [x,x,x,x,x,x,x,x,x,x]'];
  for (let i = 1; i < 10; i++) laughs.push(`${String.fromCharCode(97 + i)}: &${String.fromCharCode(97 + i)} [${Array(10).fill(`*${String.fromCharCode(96 + i)}`).join(',')}]`);
  expect(refused(`${laughs.join('\n')}\n`)).toMatch(/with its aliases expanded the file has more than 1000000 values/);
  expect(refused(`a: ${'['.repeat(5000)}${']'.repeat(5000)}\n`)).toMatch(/nested more than 100 levels deep/);
  expect(refused(`a: ${'x'.repeat(1_100_000)}\n`)).toMatch(/at most 1048576 are read/);
  expect(refused('a: &a {<<: *a}\n')).toMatch(/a mapping merges itself/);
  expect(readYaml('a: &x [*x]\n', 'f.yaml').document?.recursive).toEqual({ file: 'f.yaml', line: 1, column: 8 });
});

it('stays fast on text that would make a careless pattern backtrack', () => {
  const start = Date.now();
  for (const unit of ['a', '-', '[', '"', '#', ' ', '\t', ': ', '1:', '1_', '}#', "'#", '|#', '{{', '<', '=', '\n', '\n\t', 'a: [\n']) readYaml(`k: ${unit.repeat(Math.floor(50_000 / unit.length))}`, 'f.yaml');
  expect(Date.now() - start).toBeLessThan(15_000);
});
