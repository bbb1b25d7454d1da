import { differencesBetween, equalByValue, shown } from '../../conformance/compare.ts';
import { DIFFERENCES } from '../../conformance/differences.ts';
import { REFUSED } from '../../conformance/types.ts';
import { Float } from '../../../src/shared/contract/values.ts';

describe('comparing with the vectors', () => {
  it.each<[string, unknown, unknown, boolean]>([
    ['order of keys', { a: 1, b: 2 }, { b: 2, a: 1 }, true],
    ['order of lists', [1, 2], [2, 1], false],
    ['1 and 1.0', new Float(1), 1, true],
    ['a large integer and its text', 12345678901234567890n, { $int: '12345678901234567890' }, true],
    ['a large integer and its rounded number', 12345678901234567890n, 12345678901234567000, true],
    ['a large integer and no number', 12345678901234567890n, 'x', false],
    ['null and absent', { a: null }, {}, false],
    ['undefined and absent', { a: undefined }, {}, true],
    ['list and mapping', [], {}, false],
    ['text and number', '1', 1, false],
    ['a refusal and an error of PaaSTA', REFUSED, { error: 'KeyError', message: 'x' }, true],
    ['a refusal and a raised getter', { a: REFUSED }, { a: 'getter-error:KeyError' }, true],
    ['a refusal and a value', REFUSED, 'stopped', false],
    ['a value and an error', 'x', { error: 'KeyError' }, false],
    ['inherited members do not count', {}, { constructor: 1 }, false],
  ])('%s', (_name, ours, wanted, equal) => {
    expect(equalByValue(ours, wanted)).toBe(equal);
    expect(differencesBetween(ours, wanted).length === 0).toBe(equal);
  });

  it('says where values differ', () => {
    expect(differencesBetween({ a: { b: [1, 2] } }, { a: { b: [1, 3] }, c: 1 })).toEqual([
      'a.b.1: ours 2, wanted 3',
      'c: ours absent, wanted 1',
    ]);
    expect(shown(REFUSED)).toBe('(refused)');
  });

  it('has at most forty rules, each with a name, a kind and a reason, and no list of case ids', () => {
    expect(DIFFERENCES.length).toBeLessThanOrEqual(40);
    for (const rule of DIFFERENCES) {
      expect(rule.reason.length).toBeGreaterThan(20);
      expect(rule.kinds.length).toBeGreaterThan(0);
      expect(`${rule.applies.toString()}${rule.instead.toString()}`).not.toMatch(/[a-z]+-\d+-\d{5}/);
    }
  });
});
