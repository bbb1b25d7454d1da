import { NO_PROOF, watchProof, type Proof, type Verdict } from '../../../src/shared/health/index.ts';
import type { Pod } from '../../../src/shared/objects/types.ts';

const proven: Verdict = { state: 'proven', ready: 1, wanted: 1 };
const progressing: Verdict = { state: 'progressing', ready: 0, wanted: 1, waitingFor: '1 more of 1 pods to be ready' };
const doomed: Verdict = {
  state: 'doomed',
  ready: 0,
  wanted: 1,
  diagnosis: { code: 'CRASH_LOOP', object: 'Pod web-1', cause: 'it crashes', next: 'mend it', events: [], inCommit: true },
};
const pod = (restartCount: number, uid = 'one'): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: `web-${uid}`, uid },
  spec: { containers: [] },
  status: { containerStatuses: [{ name: 'main', ready: true, restartCount, image: '', imageID: '' }] },
});
const WINDOW = 60_000;

/** Looks one after another, as `[second, verdict, pods]`. */
function looks(
  ...given: readonly (readonly [number, Verdict, readonly Pod[]])[]
): readonly { readonly stable: boolean; readonly state: string; readonly lapse: string | undefined; readonly left: number | undefined }[] {
  let proof: Proof = NO_PROOF;
  return given.map(([second, verdict, pods]) => {
    const watched = watchProof(proof, verdict, pods, WINDOW, second * 1_000);
    proof = watched.proof;
    return { stable: watched.stable, state: watched.verdict.state, lapse: watched.lapse, left: watched.left };
  });
}

describe('stability window', () => {
  it('ends when the proof held for its whole length', () => {
    expect(looks([0, proven, [pod(0)]], [59, proven, [pod(0)]], [60, proven, [pod(0)]]).map((l) => [l.stable, l.left])).toEqual([
      [false, 60_000],
      [false, 1_000],
      [true, 0],
    ]);
  });

  it('begins anew when the proof is lost, or a container was started again between two looks', () => {
    expect(
      looks([0, proven, [pod(0)]], [30, progressing, [pod(0)]], [40, proven, [pod(0)]], [70, proven, [pod(0)]], [100, proven, [pod(0)]]),
    ).toMatchObject([{}, { lapse: 'it is not proven any more', left: undefined }, { left: 60_000 }, { stable: false }, { stable: true }]);
    expect(looks([0, proven, [pod(0)]], [30, proven, [pod(1)]], [60, proven, [pod(1)]], [90, proven, [pod(1)]])).toMatchObject([
      {},
      { lapse: 'a container of pod web-one was started again', left: 60_000 },
      { stable: false },
      { stable: true },
    ]);
  });

  it('does not mind pods that leave or come: the proof counts them', () => {
    expect(
      looks([0, proven, [pod(0), pod(0, 'two')]], [30, proven, [pod(0), pod(5, 'three')]], [60, proven, [pod(0), pod(5, 'three')]]),
    ).toMatchObject([{}, { lapse: undefined }, { stable: true }]);
  });

  it('believes doom at once when the proof was lost three times: a crash loop between short lives', () => {
    const up = (second: number): readonly [number, Verdict, readonly Pod[]] => [second, proven, [pod(0)]];
    const down = (second: number): readonly [number, Verdict, readonly Pod[]] => [second, doomed, [pod(0)]];
    expect(looks(up(0), down(20), up(40), down(60), up(80), down(100)).map((l) => l.state)).toEqual([
      'proven',
      'doomed',
      'proven',
      'doomed',
      'proven',
      'failed',
    ]);
  });
});
