import { imageIdOf, planFor, preStopMs } from '../../testbed/fake/plan.ts';

const pod = (annotations: Record<string, string> = {}, ownedByJob = false) => ({
  name: 'web-1',
  namespace: 'paasta',
  annotations,
  ownedByJob,
});
const main = { name: 'main', image: 'reg/web:broken' };

describe('what a fake pod does', () => {
  it('gets ready by default; a pod of a Job completes', () => {
    expect(planFor(pod(), main, [])).toMatchObject({ behaviour: 'ready', 'ready-after-ms': 0 });
    expect(planFor(pod({}, true), main, [])).toMatchObject({ behaviour: 'complete' });
  });

  it("merges matching rules, then the pod's annotations, then the container's", () => {
    const rules = [
      { image: ':broken$', behaviour: 'never-ready', log: 'rule' },
      { namespace: 'other', behaviour: 'oom' },
      { pod: '^web', 'ready-after-ms': 5 },
    ] as const;
    expect(
      planFor(
        pod({
          'fake.paasta-testbed/log': 'pod',
          'fake.paasta-testbed/main.ready-after-ms': '7',
          'fake.paasta-testbed/side.behaviour': 'oom',
        }),
        main,
        rules,
      ),
    ).toMatchObject({ behaviour: 'never-ready', log: 'pod', 'ready-after-ms': 7 });
  });

  it.each([
    [{ behaviour: 'reday' }, /unknown behaviour 'reday'; known: ready/],
    [{ 'redy-after-ms': '1' }, /unknown key 'redy-after-ms'/],
    [{ 'ready-after-ms': 'soon' }, /must be a number, not 'soon'/],
  ])('says what is wrong with %j', (keys, text) => {
    // a typo that became `ready` would make a test of a failure pass
    const annotations = Object.fromEntries(Object.entries(keys).map(([k, v]) => [`fake.paasta-testbed/${k}`, v]));
    expect(planFor(pod(annotations), main, [])).toEqual({ mistake: expect.stringMatching(text) as string });
  });
});

describe('imageID', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  it.each([
    [`127.0.0.1:5000/team/web:tag@${digest}`, `127.0.0.1:5000/team/web@${digest}`],
    [`reg/web@${digest}`, `reg/web@${digest}`],
    ['127.0.0.1:5000/web:1', '127.0.0.1:5000/web@sha256:of-127.0.0.1:5000/web:1'],
    ['127.0.0.1:5000/web', '127.0.0.1:5000/web@sha256:of-127.0.0.1:5000/web'],
  ])('%s', (image, wanted) => {
    expect(imageIdOf(image, (r) => `of-${r}`)).toBe(wanted);
  });
});

describe('how long a preStop hook takes', () => {
  it.each([
    [undefined, 0],
    [{ sleep: { seconds: 3 } }, 3000],
    [{ exec: { command: ['/bin/sh', '-c', 'sleep 30'] } }, 30_000],
    [{ exec: { command: ['/bin/true'] } }, 0],
  ])('%j', (hook, ms) => {
    expect(preStopMs(hook)).toBe(ms);
  });
});
