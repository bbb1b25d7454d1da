import {
  bounceDecision,
  ceilOfProduct,
  deployStatus,
  isSuccessCode,
  maxUnavailable,
  neededReplicas,
  parseBounceMethod,
  percentLeft,
  percentOf,
  replication,
  type BounceMethodName,
  type BounceState,
} from '../../../src/shared/bounce/index.ts';

const old = (count: number): string[] => Array.from({ length: count }, (_, i) => `old${i}`);

describe('exact arithmetic', () => {
  // In floating point each of these is one off: a bounce would keep one replica too many or let one percent too few go.
  it('takes decimals for what people wrote', () => {
    expect(ceilOfProduct(100, 0.07)).toBe(7);
    expect(ceilOfProduct(100, 0.56)).toBe(56);
    expect(neededReplicas(3, 0.66)).toBe(2);
    expect(neededReplicas(10, 1e-7)).toBe(1);
    expect([0.9, 0.8, 0.34, 0.85, 1, 0.985].map(percentLeft)).toEqual([10, 20, 66, 15, 0, 1]);
    expect([0.29, 0.57, 1.5, 0.005].map(percentOf)).toEqual([29, 57, 150, 0]);
  });
});

describe('bounce methods', () => {
  it.each<[string, BounceMethodName, BounceState, boolean, number]>([
    [
      'crossover drains what the new ones replace',
      'crossover',
      { wanted: 5, newAppRunning: true, happyNew: 3, oldNonDraining: old(5) },
      false,
      3,
    ],
    [
      'crossover with margin drains early',
      'crossover',
      { wanted: 100, newAppRunning: true, happyNew: 0, oldNonDraining: old(100), marginFactor: 0.95 },
      false,
      5,
    ],
    [
      'crossover, big numbers',
      'crossover',
      { wanted: 500, newAppRunning: true, happyNew: 100, oldNonDraining: old(400), marginFactor: 0.95 },
      false,
      25,
    ],
    [
      'crossover rounds in favour of traffic',
      'crossover',
      { wanted: 3, newAppRunning: true, happyNew: 0, oldNonDraining: old(3), marginFactor: 0.66 },
      false,
      1,
    ],
    ['brutal drains all', 'brutal', { wanted: 5, newAppRunning: false, happyNew: 0, oldNonDraining: old(5) }, true, 5],
    ['upthendown waits for every new one', 'upthendown', { wanted: 5, newAppRunning: true, happyNew: 4, oldNonDraining: old(5) }, false, 0],
    ['upthendown then drains all', 'upthendown', { wanted: 5, newAppRunning: true, happyNew: 5, oldNonDraining: old(5) }, false, 5],
    [
      'downthenup creates nothing before all are gone',
      'downthenup',
      { wanted: 5, newAppRunning: false, happyNew: 0, oldNonDraining: old(5) },
      false,
      5,
    ],
    ['downthenup then creates', 'downthenup', { wanted: 5, newAppRunning: false, happyNew: 0, oldNonDraining: [] }, true, 0],
    ['down creates nothing', 'down', { wanted: 5, newAppRunning: false, happyNew: 0, oldNonDraining: old(2) }, false, 2],
  ])('%s', (_name, method, state, createApp, drained) => {
    const decision = bounceDecision(method, state);
    expect(decision.createApp).toBe(createApp);
    expect(decision.drain).toEqual(state.oldNonDraining.slice(state.oldNonDraining.length - drained));
  });

  it('refuses margins and methods that do not exist', () => {
    for (const marginFactor of [0, -1, 1.01, NaN])
      expect(() => bounceDecision('crossover', { wanted: 1, newAppRunning: true, happyNew: 0, oldNonDraining: [], marginFactor })).toThrow(
        /bounce_margin_factor/,
      );
    expect(() => parseBounceMethod('crosover')).toThrow(/did you mean 'crossover'/);
  });

  it('lets at least one go, and none of none', () => {
    expect([maxUnavailable(0, 1), maxUnavailable(3, 1), maxUnavailable(10, 0.69), maxUnavailable(20, 0)]).toEqual([0, 1, 3, 20]);
  });
});

describe('states', () => {
  it.each([
    [{}, 0, 'Stopped'],
    [{}, 1, 'Waiting'],
    [{ replicas: 11, readyReplicas: 11, updatedReplicas: 11 }, 10, 'Waiting'],
    [{ replicas: 10, readyReplicas: 10, updatedReplicas: 9 }, 10, 'Deploying'],
    [{ replicas: 0, readyReplicas: 0, updatedReplicas: 0 }, 0, 'Stopped'],
    [{ replicas: 3, readyReplicas: 3, updatedReplicas: 3 }, 3, 'Running'],
  ])('%j with %i wanted is %s', (status, desired, expected) => {
    expect(deployStatus(status, desired)).toBe(expected);
  });

  it('computes replication', () => {
    expect(replication(1, 100, 50)).toEqual({ underReplicated: true, ratio: 1 });
    expect(replication(0, 0, 50)).toEqual({ underReplicated: false, ratio: 100 });
    expect(replication(1, 2, 50)).toEqual({ underReplicated: false, ratio: 50 });
  });

  it('reads lists of status codes', () => {
    expect([
      isSuccessCode('200-399,404', 404),
      isSuccessCode('200-399, 404', 500),
      isSuccessCode(200, 200),
      isSuccessCode(' 200', 200),
      isSuccessCode('+2_00', 200),
    ]).toEqual([true, false, true, true, true]);
    // The last two: a list that stops reading at the first code that fits would hide the mistake until a drain fails.
    for (const bad of ['', 'ok', '200-', '1-2-3', '-5', '2__00', '_200', '100-999,', '100-999,ok'])
      for (const status of [100, 999]) expect(() => isSuccessCode(bad, status)).toThrow(/success_codes/);
  });
});
