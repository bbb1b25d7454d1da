import { canonicalHash, canonicalJson, deepMerge, Float, formatTimestamp, isDeployStep, nextSecond, parseCommit, parseJobId, parseSecretReference, parseTimestamp, pythonFloat, pythonJson, pythonText, type ValueMap } from '../../../src/shared/contract/index.ts';

describe('commits', () => {
  it('wants all forty digits, in either case', () => {
    expect(parseCommit(` ${'AB'.repeat(20)} `)).toBe('ab'.repeat(20));
    for (const bad of ['', 'abcd', 'g'.repeat(40), `${'a'.repeat(40)};rm`, 'a'.repeat(41)]) expect(parseCommit(bad)).toMatchObject({ code: 'BAD_COMMIT' });
    expect(parseCommit('abcd')).toMatchObject({ hint: expect.stringContaining('all 40 digits') });
  });
});

describe('timestamps', () => {
  it('are UTC to the second', () => {
    expect(formatTimestamp(Date.UTC(2024, 0, 2, 3, 4, 5, 999))).toBe('20240102T030405');
    expect(nextSecond('20240228T235959')).toBe('20240229T000000');
    expect(parseTimestamp('20240229T235959')).toBe(Date.UTC(2024, 1, 29, 23, 59, 59));
    for (const bad of ['', '20240230T000000', '20241301T000000', '20240101T000060', '20240101T240000', '2024010T000000', '20240101T000000Z']) expect(() => parseTimestamp(bad)).toThrow(/is not a timestamp/);
  });
});

describe('Python\'s texts', () => {
  it.each<[number, string]>([[1, '1.0'], [0.1, '0.1'], [1e16, '1e+16'], [123456789012345680, '1.2345678901234568e+17'], [1e15, '1000000000000000.0'], [0.0001, '0.0001'], [0.00001, '1e-05'], [1.5e-7, '1.5e-07'], [-0, '-0.0'], [Infinity, 'inf'], [-Infinity, '-inf'], [NaN, 'nan'], [1e300, '1e+300'], [12.5, '12.5'], [0.007, '0.007']])('float %d is %s', (value, text) => {
    expect(pythonFloat(value)).toBe(text);
  });

  it('writes values of env', () => {
    expect([null, true, false, 3, new Float(512), 12345678901234567890n, 'x'].map((value) => pythonText(value))).toEqual(['None', 'True', 'False', '3', '512.0', '12345678901234567890', 'x']);
    expect(pythonText(['a', 1, [new Float(2)], { "k'": null }])).toBe(`['a', 1, [2.0], {"k'": None}]`);
  });

  it('writes JSON as json.dumps does', () => {
    expect(pythonJson({ b: [1, 'é"\u2028'], a: null })).toBe('{"b": [1, "\\u00e9\\"\\u2028"], "a": null}');
    expect(pythonJson(new Map([['b', 1], ['10', 2], ['2', 3]]))).toBe('{"b": 1, "10": 2, "2": 3}');
  });
});

describe('canonical JSON', () => {
  it('is the same for equal values', () => {
    expect(canonicalJson({ b: 1, a: { d: undefined, c: [undefined, new Float(1)] } })).toBe('{"a":{"c":[null,1]},"b":1}');
    expect(canonicalHash({ a: 1, b: 2 }, 8)).toBe(canonicalHash({ b: 2, a: 1 }, 8));
    expect(canonicalHash({ a: 1 }, 8)).toMatch(/^[0-9a-f]{8}$/);
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
    expect([parseSecretReference('SECRET(a) '), parseSecretReference('secret(a)'), parseSecretReference('SECRET(a b)')]).toEqual([undefined, undefined, undefined]);
    expect(['itest', 'command-x', 'push-to-registry'].map(isDeployStep)).toEqual([false, false, false]);
    expect(['prod.main', 'command', 'performance-check'].map(isDeployStep)).toEqual([true, true, true]);
    expect(parseJobId('a.b.git1.config2')).toEqual({ service: 'a', instance: 'b', gitHash: 'git1', configHash: 'config2' });
    expect(() => parseJobId('a.b.c')).toThrow(/not a job id/);
  });
});
