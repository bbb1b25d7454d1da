import { NO_HISTORY, settle, type FailureCode, type Verdict } from '../../../src/shared/health/index.ts';

const doomed = (code: FailureCode): Verdict => ({
  state: 'doomed',
  ready: 0,
  wanted: 2,
  diagnosis: { code, object: 'Pod p', cause: 'c', next: 'n', events: [], inCommit: false },
});
const progressing: Verdict = { state: 'progressing', ready: 0, wanted: 2, waitingFor: 'x' };
const freeing: Verdict = { ...progressing, freeing: true };
const proven: Verdict = { state: 'proven', ready: 2, wanted: 2 };

/** State after every verdict, one a second unless a time is given. */
function states(verdicts: readonly (Verdict | readonly [number, Verdict])[]): readonly string[] {
  let history = NO_HISTORY;
  return verdicts.map((entry, i) => {
    const [seconds, verdict] = Array.isArray(entry) ? (entry as readonly [number, Verdict]) : [i, entry as Verdict];
    const settled = settle(history, verdict, seconds * 1_000);
    history = settled.history;
    return settled.verdict.state;
  });
}

describe('settle', () => {
  it('fails a refusal within three seconds, after two sightings', () => {
    expect(states([doomed('QUOTA_EXCEEDED'), doomed('QUOTA_EXCEEDED'), doomed('QUOTA_EXCEEDED')])).toEqual(['doomed', 'doomed', 'failed']);
    expect(states([[0, doomed('ADMISSION_DENIED')]])).toEqual(['doomed']);
  });

  it('is patient with a quota when old pods have just made room', () => {
    expect(
      states([
        [0, freeing],
        [1, doomed('QUOTA_EXCEEDED')],
        [3, doomed('QUOTA_EXCEEDED')],
        [6, proven],
      ]),
    ).toEqual(['progressing', 'doomed', 'doomed', 'proven']);
  });

  it.each<[FailureCode, number]>([
    ['IMAGE_NOT_FOUND', 15],
    ['CRASH_LOOP', 15],
    ['IMAGE_PULL_FAILED', 25],
    ['PROBE_FAILING', 5],
    ['UNSCHEDULABLE', 5],
    ['CONTAINER_CONFIG', 10],
  ])('%s fails after %i s, not before', (code, seconds) => {
    const all = states(Array.from({ length: seconds + 1 }, () => doomed(code)));
    expect(all.slice(0, -1).every((state) => state === 'doomed')).toBe(true);
    expect(all.at(-1)).toBe('failed');
  });

  it('forgets a cause that has passed', () => {
    expect(
      states([
        [0, doomed('CRASH_LOOP')],
        [5, doomed('CRASH_LOOP')],
        [16, progressing],
        [17, doomed('CRASH_LOOP')],
        [20, doomed('CRASH_LOOP')],
      ]).at(-1),
    ).toBe('doomed');
    expect(
      states([
        [0, doomed('CRASH_LOOP')],
        [14, proven],
        [15, doomed('CRASH_LOOP')],
      ]).at(-1),
    ).toBe('doomed');
  });

  it('bridges the moment in which a crashing container runs', () => {
    expect(
      states([
        [0, doomed('CRASH_LOOP')],
        [5, doomed('CRASH_LOOP')],
        [8, progressing],
        [14, doomed('CRASH_LOOP')],
        [16, doomed('CRASH_LOOP')],
      ]).at(-1),
    ).toBe('failed');
  });

  it('says when to look again, soon enough not to lose the series', () => {
    expect(settle(NO_HISTORY, doomed('IMAGE_PULL_FAILED'), 0).lookAgainIn).toBe(5_000);
    expect(settle(NO_HISTORY, doomed('QUOTA_EXCEEDED'), 0).lookAgainIn).toBe(1_500);
    expect(settle(NO_HISTORY, progressing, 0).lookAgainIn).toBeUndefined();
  });
});
