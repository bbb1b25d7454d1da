/** The server's back-pressure: without it a server that has too much to do gets every refused request again at once. */
import { CancelledError } from '../../../src/shared/contract/errors.ts';
import { Pressure } from '../../../src/shared/kubernetes/pressure.ts';

/** Time that passes only when somebody sleeps. */
function fakeClock(): { now(): number; sleep(milliseconds: number, signal?: AbortSignal): Promise<void> } {
  let now = 0;
  return {
    now: () => now,
    sleep: async (milliseconds, signal) => {
      if (signal?.aborted === true) throw new CancelledError();
      now += milliseconds;
      return Promise.resolve();
    },
  };
}

const never = new AbortController().signal;

async function enter(pressure: Pressure, times: number): Promise<void> {
  for (let i = 0; i < times; i++) await pressure.enter(never);
}

describe('back-pressure', () => {
  it('leaves the width alone when one answer in twenty is a 429', async () => {
    const clock = fakeClock();
    const pressure = new Pressure(clock);
    const before = pressure.width;
    for (let n = 0; n < 400; n++) {
      await pressure.enter(never);
      pressure.answered(n % 20 === 0, 1_000);
      pressure.leave();
    }
    expect(pressure.width).toBe(before);
    expect(clock.now()).toBe(0);
  });

  it('halves what is in flight when a quarter and more are refused, and waits as long as the server asked', async () => {
    const clock = fakeClock();
    const pressure = new Pressure(clock);
    await enter(pressure, 8);
    for (let n = 0; n < 8; n++) {
      pressure.answered(true, 3_000);
      pressure.leave();
    }
    expect(pressure.width).toBeLessThanOrEqual(4);
    expect(pressure.width).toBeGreaterThanOrEqual(1);
    await pressure.enter(never);
    expect(clock.now()).toBe(3_000);
  });

  it('lets no more in than the width, and the next one in when one leaves', async () => {
    const pressure = new Pressure(fakeClock());
    await enter(pressure, 8);
    for (let n = 0; n < 8; n++) {
      pressure.answered(true, 0);
      pressure.leave();
    }
    const { width } = pressure;
    await enter(pressure, width);
    let isIn = false;
    const next = pressure.enter(never).then(() => {
      isIn = true;
    });
    await Promise.resolve();
    expect(isIn).toBe(false);
    pressure.leave();
    await next;
    expect(isIn).toBe(true);
  });

  it('widens again with every good answer', async () => {
    const pressure = new Pressure(fakeClock());
    const before = pressure.width;
    await enter(pressure, 8);
    for (let n = 0; n < 8; n++) {
      pressure.answered(true, 0);
      pressure.leave();
    }
    const narrow = pressure.width;
    for (let n = 0; n < 5_000; n++) {
      await pressure.enter(never);
      pressure.answered(false, undefined);
      pressure.leave();
    }
    expect(narrow).toBeLessThan(before);
    expect(pressure.width).toBe(before);
  });

  it('ends a wait for a turn when the run is cancelled', async () => {
    const pressure = new Pressure(fakeClock());
    await enter(pressure, 64);
    const abort = new AbortController();
    const waiting = pressure.enter(abort.signal);
    abort.abort();
    await expect(waiting).rejects.toBeInstanceOf(CancelledError);
  });
});
