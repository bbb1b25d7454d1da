/** No regular expression of the product looks again and again at a long text: 100 kB take less than 50 ms of the processor. */
import { allPatterns, attacks, cost, patternsOf } from './patterns.ts';

/** A pattern that is not linear shows at this length already, and cannot hang the test. */
const SCREEN = 3_000;
const LENGTH = 100_000;

/** Milliseconds of the best of three looks. */
function best(pattern: RegExp, text: string): number {
  return Math.min(...[1, 2, 3].map(() => cost(pattern, text)));
}

/** The costliest text for a pattern at screening length, and what a look at it takes. */
function worst(pattern: RegExp): { attack: (length: number) => string; screened: number } {
  let found = { attack: (length: number): string => 'a'.repeat(length), screened: 0 };
  for (const attack of attacks(pattern)) {
    const screened = cost(pattern, attack(SCREEN));
    if (screened > found.screened) found = { attack, screened: screened > 4 ? best(pattern, attack(SCREEN)) : screened };
    if (found.screened > 50) break;
  }
  return found;
}

describe('regular expressions', () => {
  it('take less than 50 ms for 100 kB', () => {
    const patterns = allPatterns();
    expect(patterns.length).toBeGreaterThan(300);
    const slow: string[] = [];
    for (const { where, pattern } of patterns) {
      const { attack, screened } = worst(pattern);
      // a quadratic pattern takes about 4 ms here, and a thousand times that at full length
      const milliseconds = screened > 4 ? screened * (LENGTH / SCREEN) : best(pattern, attack(LENGTH));
      if (milliseconds >= 50) slow.push(`${where}: ${milliseconds.toFixed(0)} ms`);
    }
    expect(slow).toEqual([]);
  }, 120_000);

  it('of schemas and those that are put together are among them', () => {
    const places = allPatterns().map(({ where }) => where);
    expect(places.filter((where) => where.startsWith('src/shared/soa-configs/schemas/')).length).toBeGreaterThan(20);
    expect(places).toContain('src/shared/soa-configs/schemas/kubernetes.json ^([a-z0-9]([a-z0-9_-]*[a-z0-9])?)?$');
    expect(places.filter((where) => /^src\/(?:shared\/report\/foreign|deploy\/plan-files)\.ts:/.test(where)).length).toBeGreaterThan(1);
    expect(() => patternsOf('const a = new RegExp(user);', 'x.ts')).toThrow('x.ts:1: nobody knows what this expression will be');
    expect(() => patternsOf('const a = new RegExp(`^${user}$`);', 'x.ts')).toThrow("nobody knows what 'user' will be");
  });

  it('are found out when they are not linear', () => {
    expect(worst(/\s+$/).screened * (LENGTH / SCREEN)).toBeGreaterThan(50);
  });
});
