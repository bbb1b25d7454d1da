import {
  canonicalHash,
  canonicalJson,
  deepMerge,
  Float,
  formatTimestamp,
  isDeployStep,
  meansShared,
  nameInParentheses,
  nextSecond,
  parseCommit,
  parseJobId,
  parseSecretReference,
  parseTimestamp,
  pythonFloat,
  pythonJson,
  pythonText,
  type ValueMap,
} from '../../../src/shared/contract/index.ts';
import { Timestamp } from '../../../src/shared/soa-configs/yaml-values.ts';

describe('commits', () => {
  it('wants all forty digits, in either case', () => {
    expect(parseCommit(` ${'AB'.repeat(20)} `)).toBe('ab'.repeat(20));
    for (const bad of ['', 'abcd', 'g'.repeat(40), `${'a'.repeat(40)};rm`, 'a'.repeat(41)])
      expect(parseCommit(bad)).toMatchObject({ code: 'BAD_COMMIT' });
    expect(parseCommit('abcd')).toMatchObject({ hint: expect.stringContaining('all 40 digits') });
  });
});

describe('timestamps', () => {
  it('are UTC to the second', () => {
    expect(formatTimestamp(Date.UTC(2024, 0, 2, 3, 4, 5, 999))).toBe('20240102T030405');
    expect(nextSecond('20240228T235959')).toBe('20240229T000000');
    expect(parseTimestamp('20240229T235959')).toBe(Date.UTC(2024, 1, 29, 23, 59, 59));
    for (const bad of [
      '',
      '20240230T000000',
      '20241301T000000',
      '20240101T000060',
      '20240101T240000',
      '2024010T000000',
      '20240101T000000Z',
      '00000101T000000',
      '20230229T000000',
    ])
      expect(() => parseTimestamp(bad)).toThrow(/is not a timestamp/);
  });

  // Python's strptime takes these too: tags with them come back as the same moment as in PaaSTA.
  it.each<[string, string]>([
    ['20240101T00000', '2024-01-01T00:00:00'],
    ['202411T000', '2024-01-01T00:00:00'],
    ['2024111T111111', '2024-11-01T11:11:11'],
    ['20240101t010203', '2024-01-01T01:02:03'],
    ['202401 2T030405', '2024-01-02T03:04:05'],
    ['00010101T000000', '0001-01-01T00:00:00'],
  ])('%s is %s', (text, moment) => {
    expect(new Date(parseTimestamp(text)).toISOString().slice(0, 19)).toBe(moment);
  });
});

describe("Python's texts", () => {
  it.each<[number, string]>([
    [1, '1.0'],
    [0.1, '0.1'],
    [1e16, '1e+16'],
    [123456789012345680, '1.2345678901234568e+17'],
    [1e15, '1000000000000000.0'],
    [0.0001, '0.0001'],
    [0.00001, '1e-05'],
    [1.5e-7, '1.5e-07'],
    [-0, '-0.0'],
    [Infinity, 'inf'],
    [-Infinity, '-inf'],
    [NaN, 'nan'],
    [1e300, '1e+300'],
    [12.5, '12.5'],
    [0.007, '0.007'],
  ])('float %d is %s', (value, text) => {
    expect(pythonFloat(value)).toBe(text);
  });

  it('writes values of env', () => {
    expect([null, true, false, 3, new Float(512), 12345678901234567890n, 'x'].map((value) => pythonText(value))).toEqual([
      'None',
      'True',
      'False',
      '3',
      '512.0',
      '12345678901234567890',
      'x',
    ]);
    expect(
      pythonText([
        '\t\u2028\u{e0001}é 😀',
        new Timestamp(0, '2001-12-14T21:59:43.100000', false),
        new Timestamp(0, '2001-12-14T21:59:00', false),
        new Timestamp(0, '2001-12-14', true),
      ]),
    ).toBe(
      "['\\t\\u2028\\U000e0001é 😀', datetime.datetime(2001, 12, 14, 21, 59, 43, 100000), datetime.datetime(2001, 12, 14, 21, 59), datetime.date(2001, 12, 14)]",
    );
    expect(pythonText(['a', 1, [new Float(2)], { "k'": null }])).toBe(`['a', 1, [2.0], {"k'": None}]`);
  });

  it('writes JSON as json.dumps does', () => {
    expect(pythonJson({ b: [1, 'é"\u2028'], a: null })).toBe('{"b": [1, "\\u00e9\\"\\u2028"], "a": null}');
    expect(
      pythonJson(
        new Map([
          ['b', 1],
          ['10', 2],
          ['2', 3],
        ]),
      ),
    ).toBe('{"b": 1, "10": 2, "2": 3}');
  });
});

describe('canonical JSON', () => {
  it('is the same for equal values', () => {
    expect(canonicalJson({ b: 1, a: { d: undefined, c: [undefined, new Float(1)] } })).toBe('{"a":{"c":[null,1]},"b":1}');
    expect(canonicalHash({ a: 1, b: 2 }, 8)).toBe(canonicalHash({ b: 2, a: 1 }, 8));
    expect(canonicalHash({ a: 1 }, 8)).toMatch(/^[0-9a-f]{8}$/);
  });

  it('writes every character as JSON.stringify does, in values and in names', () => {
    for (let code = 0; code <= 0xffff; code++) {
      const text = `a${String.fromCharCode(code)}`;
      if (canonicalJson(text) !== JSON.stringify(text)) throw new Error(`differs for a value with U+${code.toString(16)}`);
    }
    for (const text of ['', '"', '\\', '\n', 'é', '\ud83d\ude00', '\ud83d', '__proto__'])
      expect(canonicalJson({ [text]: text })).toBe(`{${JSON.stringify(text)}:${JSON.stringify(text)}}`);
  });
});

describe('small rules', () => {
  it('merges mappings, replaces the rest, and takes __proto__ for a key', () => {
    const evil = JSON.parse('{"__proto__": {"polluted": true}, "a": {"x": 1}}') as ValueMap;
    const merged = deepMerge(evil, { a: { y: 2 }, l: [1] });
    expect(canonicalJson(merged)).toBe('{"__proto__":{"polluted":true},"a":{"x":1,"y":2},"l":[1]}');
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    expect(deepMerge({ a: [] }, { a: { b: 1 } })).toEqual({ a: [] });
  });

  it('knows references to secrets, build words and job ids', () => {
    expect(parseSecretReference('SHARED_SECRET(a-b_c)')).toEqual({ shared: true, name: 'a-b_c' });
    // Text that is no reference: PaaSTA still says which secret it means, and fails where there is no parenthesis at all.
    expect(
      [
        ['SHARED_x', meansShared],
        ['SECRET(x)', meansShared],
        ['SECRET(a b)', nameInParentheses],
        ['SECRET a', nameInParentheses],
      ].map(([text, ask]) => (ask as (text: string) => unknown)(text as string)),
    ).toEqual([true, false, 'a b', undefined]);
    expect([parseSecretReference('SECRET(a) '), parseSecretReference('secret(a)'), parseSecretReference('SECRET(a b)')]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(['itest', 'command-x', 'push-to-registry'].map(isDeployStep)).toEqual([false, false, false]);
    expect(['prod.main', 'command', 'performance-check'].map(isDeployStep)).toEqual([true, true, true]);
    expect(parseJobId('a.b.git1.config2')).toEqual({ service: 'a', instance: 'b', gitHash: 'git1', configHash: 'config2' });
    expect(() => parseJobId('a.b.c')).toThrow(/not a job id/);
  });
});
