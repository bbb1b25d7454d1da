/**
 * The fuzzer's kept inputs, old crashers among them, and a short round with a fixed seed. Without it a reader that throws a TypeError at
 * somebody's file, or that thinks for minutes, is found by that somebody.
 */
import { attempt, fuzz } from '../../fuzz/fuzz.ts';
import { corpusOf, TARGETS, type Target } from '../../fuzz/targets.ts';

describe.each(TARGETS.map((target): [string, Target] => [target.name, target]))('%s', (name, target) => {
  it.each(corpusOf(name).map((kept): [string, Buffer] => [kept.name, kept.bytes]))('reads %s', (_, bytes) => {
    expect(attempt(target, bytes).wrong).toBeUndefined();
  });

  it('reads 300 mutants', () => {
    const { executions, outcomes, findings } = fuzz(target, { seed: 1, executions: 300 });
    expect(findings.map((finding) => `${finding.message}\n${JSON.stringify(finding.input.toString('latin1').slice(0, 500))}`)).toEqual([]);
    expect(executions).toBe(300);
    // Mutants that all fail at the first check would test nothing.
    expect(outcomes).toBeGreaterThan(5);
  });
});

describe('the fuzzer', () => {
  const broken = (run: Target['run']): Target => ({ name: 'yaml', dictionary: ['x'], maxBytes: 1_000, run });

  it('finds what throws anything but a UserError, with the input, and the same with the same seed', () => {
    const target = broken((input) => {
      if (input.includes('xx')) throw new TypeError('cannot read properties of undefined');
      return { problems: [] };
    });
    const [first, second] = [fuzz(target, { seed: 2, executions: 500 }), fuzz(target, { seed: 2, executions: 500 })];
    expect(first.findings).toHaveLength(1);
    expect(first.findings[0]?.message).toContain('TypeError: cannot read properties');
    expect(first.findings[0]?.input.includes('xx')).toBe(true);
    expect(second.findings[0]?.input.equals(first.findings[0]?.input ?? Buffer.alloc(0))).toBe(true);
  });

  it('finds what thinks for more than a second of processor time', () => {
    const target = broken(() => {
      const before = process.cpuUsage();
      while (process.cpuUsage(before).user < 1_100_000);
      return { problems: [] };
    });
    expect(fuzz(target, { seed: 3, executions: 1 }).findings[0]?.message).toContain('ms of processor time');
  });
});
