/** `packed-refs` by bisection: equal to reading all of it, and far less reading. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gitDirectory, newestPackedMark, packedRefs } from '../../../src/shared/git/packed-refs.ts';

interface Line {
  readonly name: string;
  readonly sha: string;
  readonly peeled?: string;
}

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'paasta-packed-'));
  for (const part of ['objects', 'refs/tags', 'refs/heads']) mkdirSync(join(directory, part), { recursive: true });
  writeFileSync(join(directory, 'HEAD'), 'ref: refs/heads/main\n');
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const HEADER = '# pack-refs with: peeled fully-peeled sorted \n';
function pack(lines: readonly Line[], header = HEADER): Line[] {
  const sorted = [...lines].sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
  writeFileSync(
    join(directory, 'packed-refs'),
    header + sorted.map(({ name, sha, peeled }) => `${sha} ${name}\n${peeled === undefined ? '' : `^${peeled}\n`}`).join(''),
  );
  return sorted;
}
const sha = (n: number): string => n.toString(16).padStart(40, '0');
/** Repeatable randomness. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor(state / 65_536) % sides;
  };
}

describe('refs with a prefix', () => {
  it('are those that a naive reader finds, for random files, prefixes, long names and annotated tags', () => {
    for (let seed = 1; seed <= 60; seed += 1) {
      const roll = dice(seed);
      const names = new Set<string>();
      for (let n = roll(900); n >= 0; n -= 1) {
        const group = ['a', 'a-b', 'prod.main', 'prodXmain', 'a+1', 'ü', 'x'.repeat(roll(20) === 0 ? 3_000 : 3)][roll(7)] ?? '';
        names.add(
          `refs/${['tags/paasta-', 'tags/v', 'heads/paasta-', 'tags/paasta-paasta-'][roll(4)] ?? ''}${group}-${String(roll(99_999_999)).padStart(8, '0')}T000000-deploy`,
        );
      }
      const lines = pack([...names].map((name, n): Line => ({ name, sha: sha(n), ...(roll(5) === 0 ? { peeled: sha(n + 5_000) } : {}) })));
      const all = lines.map(({ name, sha: own, peeled }) => ({ name, sha: peeled ?? own }));
      for (const prefix of [
        'refs/tags/paasta-',
        'refs/tags/paasta-a',
        'refs/tags/paasta-a-',
        'refs/tags/paasta-ü',
        'refs/tags/paasta-zzz',
        'refs/tags/paasta-xxx',
        'refs/heads/paasta-',
        'refs/tags/v',
        all.at(-1)?.name ?? '',
        all[0]?.name ?? '',
      ]) {
        expect(packedRefs(directory, prefix)?.found).toEqual(all.filter(({ name }) => name.startsWith(prefix)));
      }
      for (const group of ['a', 'a-b', 'prod.main', 'a+1', 'none']) {
        const marks = all.filter(({ name }) =>
          new RegExp(`^refs/tags/paasta-${group.replace(/[.+]/g, '\\$&')}(?:\\+[^/]*)?-\\d{8}T\\d{6}-deploy$`).test(name),
        );
        const time = (name: string): string => name.slice(-'20260101T000000-deploy'.length);
        const newest = marks.reduce<(typeof marks)[number] | undefined>(
          (best, mark) => (best === undefined || time(mark.name) > time(best.name) ? mark : best),
          undefined,
        );
        expect(newestPackedMark(directory, group)?.found?.name).toBe(newest?.name);
      }
    }
  });

  it('of a repository without packed refs are none', () => {
    expect(packedRefs(directory, 'refs/tags/paasta-')).toEqual({ found: [], bytesRead: 0 });
  });

  it.each([
    [
      'a loose tag with the prefix',
      () => {
        writeFileSync(join(directory, 'refs/tags/paasta-a-20260101T000000-deploy'), `${sha(1)}\n`);
      },
    ],
    [
      'a file that git has not sorted',
      () => {
        pack([], '# pack-refs with: peeled fully-peeled \n');
      },
    ],
    [
      'a file that does not say what annotated tags point at',
      () => {
        pack([], '# pack-refs with: sorted \n');
      },
    ],
    [
      'a file without header',
      () => {
        pack([{ name: 'refs/tags/paasta-a-20260101T000000-deploy', sha: sha(1) }], '');
      },
    ],
    [
      'a reftable',
      () => {
        mkdirSync(join(directory, 'reftable'));
      },
    ],
  ])('are left to git for %s', (_, spoil) => {
    pack([]);
    spoil();
    expect(packedRefs(directory, 'refs/tags/paasta-')).toBeUndefined();
    expect(newestPackedMark(directory, 'a')).toBeUndefined();
  });

  it('are read although another name is loose', () => {
    const [line] = pack([{ name: 'refs/tags/paasta-a-20260101T000000-deploy', sha: sha(1) }]);
    writeFileSync(join(directory, 'refs/tags/v1'), `${sha(1)}\n`);
    expect(packedRefs(directory, 'refs/tags/paasta-')?.found).toEqual([line]);
  });
});

describe('the newest mark among 100,000 tags', () => {
  const tags = (groups: number): Line[] =>
    Array.from({ length: 100_000 }, (_, n) => ({
      name: `refs/tags/paasta-g${String(n % groups).padStart(3, '0')}-2026${String(Math.floor(n / groups))
        .padStart(6, '0')
        .slice(0, 4)}T${String(Math.floor(n / groups)).padStart(6, '0')}-deploy`,
      sha: sha(n),
    }));

  it.each([[1], [100]])('of %d groups is found by reading less than 0.3 MB', (groups) => {
    pack(tags(groups));
    const read = newestPackedMark(directory, 'g000');
    expect(read?.found?.sha).toBe(sha(100_000 - groups));
    expect(read?.bytesRead).toBeLessThan(300_000);
  });
});

describe('the directory of a repository', () => {
  it('is found where git looks, and never guessed', () => {
    expect(gitDirectory(directory)).toBe(directory);
    expect(gitDirectory(join(directory, 'refs'))).toBeUndefined();
    const work = join(directory, 'work');
    mkdirSync(work);
    writeFileSync(join(work, '.git'), 'gitdir: elsewhere\n');
    expect(gitDirectory(work)).toBeUndefined();
    writeFileSync(join(directory, 'commondir'), '../..\n');
    expect(gitDirectory(directory)).toBeUndefined();
  });
});
