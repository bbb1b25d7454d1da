import { rolloutDecision, type OldReplica, type RolloutState } from '../../../src/shared/bounce/rollout.ts';

const old = (...ids: string[]): OldReplica[] =>
  ids.map((id) => ({
    id,
    workload: id.startsWith('s') ? 'set' : id.startsWith('x') ? 'other' : 'one',
    ready: !id.endsWith('!'),
    draining: id.endsWith('~'),
    ordinal: id.startsWith('s') ? Number(id[1]) : undefined,
  }));
const state = (more: Partial<RolloutState>): RolloutState => ({
  method: 'upthendown',
  wanted: 3,
  marginFactor: 1,
  surge: 3,
  exists: true,
  size: 3,
  happyNew: 0,
  old: old('a', 'b', 'c'),
  oldLeft: 3,
  ...more,
});

describe('one look at two workloads side by side', () => {
  it.each<[string, Partial<RolloutState>, boolean, string[], boolean]>([
    ['upthendown creates the new one first', { exists: false, size: 0 }, true, [], true],
    ['upthendown drains nothing while one of the new ones is missing', { happyNew: 2 }, false, [], true],
    ['upthendown drains all once all of the new ones are happy', { happyNew: 3 }, false, ['a', 'b', 'c'], false],
    ['upthendown counts no more than is wanted', { happyNew: 5 }, false, ['a', 'b', 'c'], false],
    ['upthendown of a stopped instance lets the old ones go', { wanted: 0, size: 0 }, false, ['a', 'b', 'c'], false],
    ['crossover replaces one by one', { method: 'crossover', happyNew: 1 }, false, ['c'], true],
    ['crossover takes the unready ones first', { method: 'crossover', happyNew: 1, old: old('a!', 'b', 'c') }, false, ['a!'], true],
    ['crossover does not count what is on its way out', { method: 'crossover', happyNew: 1, old: old('a', 'b', 'c~') }, false, [], true],
    [
      'crossover with a margin begins at once',
      { method: 'crossover', wanted: 4, marginFactor: 0.5, happyNew: 0, old: old('a', 'b', 'c', 'd') },
      false,
      ['c', 'd'],
      true,
    ],
    ['ordered pods go from the end', { method: 'crossover', happyNew: 1, old: old('s0', 's1', 's2') }, false, ['s2'], true],
    [
      'an unready one in the middle of ordered pods holds its place',
      { method: 'crossover', happyNew: 1, old: old('s0!', 's1', 's2') },
      false,
      [],
      true,
    ],
    ['downthenup drains all and creates nothing', { method: 'downthenup', exists: false, size: 0 }, false, ['a', 'b', 'c'], false],
    [
      'downthenup waits for the end of the last pod',
      { method: 'downthenup', exists: false, size: 0, old: [], oldLeft: 1 },
      false,
      [],
      false,
    ],
    ['downthenup creates when nothing is left', { method: 'downthenup', exists: false, size: 0, old: [], oldLeft: 0 }, true, [], false],
    ['brutal does both at once', { method: 'brutal', exists: false, size: 0 }, true, ['a', 'b', 'c'], false],
    [
      'a leftover that never served goes as soon as the others serve enough',
      { old: old('a', 'b', 'c', 'x!', 'xx!') },
      false,
      ['x!', 'xx!'],
      true,
    ],
    ['a leftover stays while the others do not serve enough', { old: old('a', 'b!', 'x!') }, false, [], true],
    [
      'two versions of an interrupted crossover: what is too much goes',
      { method: 'crossover', old: old('a', 'b', 'c', 'x1', 'x2', 'x3') },
      false,
      ['x1', 'x2', 'x3'],
      true,
    ],
  ])('%s', (_name, more, create, drain, needsOld) => {
    const decision = rolloutDecision(state(more));
    expect({ create: decision.create, drain: [...decision.drain].sort(), needsOld: decision.needsOld }).toEqual({
      create,
      drain,
      needsOld,
    });
  });

  it.each<[string, Partial<RolloutState>, number]>([
    ['upthendown asks for all at once', { exists: false, size: 0 }, 3],
    ['so does a crossover with a full surge', { method: 'crossover', exists: false, size: 0 }, 3],
    ['a small surge begins small', { method: 'crossover', exists: false, size: 0, surge: 1 }, 1],
    ['and grows as the old ones go', { method: 'crossover', size: 1, surge: 1, old: old('a') }, 3],
    ['it never shrinks what is there', { method: 'crossover', size: 2, surge: 0 }, 2],
    ['no surge waits for a place', { method: 'crossover', exists: false, size: 0, surge: 0 }, 0],
  ])('size: %s', (_name, more, size) => {
    expect(rolloutDecision(state(more)).size).toBe(size);
  });

  it('never lets capacity fall below the margin, whatever comes', () => {
    // A small simulation with a seed: pods get ready and unready at random, decisions are carried out at once.
    let seed = 7;
    const random = (n: number): number => (seed = (seed * 48271) % 2147483647) % n;
    for (let game = 0; game < 300; game++) {
      const method = (['crossover', 'upthendown'] as const)[random(2)] ?? 'crossover';
      const wanted = 1 + random(8);
      const marginFactor = (1 + random(10)) / 10;
      let replicas = old(...Array.from({ length: wanted }, (_, i) => `a${i}`));
      let happyNew = 0;
      for (let turn = 0; turn < 60 && (replicas.length > 0 || happyNew < wanted); turn++) {
        if (random(3) > 0) happyNew = Math.min(wanted, happyNew + 1);
        const before = replicas.length;
        const { drain } = rolloutDecision(
          state({ method, wanted, marginFactor, exists: true, size: wanted, happyNew, old: replicas, oldLeft: before }),
        );
        replicas = replicas.filter(({ id }) => !drain.includes(id));
        expect(happyNew + replicas.length).toBeGreaterThanOrEqual(Math.ceil(Math.round(wanted * marginFactor * 10) / 10));
      }
      expect(replicas).toEqual([]);
    }
  });
});
