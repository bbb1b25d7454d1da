import type { KubeObject, Pod } from '../../../src/shared/objects/types.ts';
import { podsOf, readyDeployment } from './fake-cluster.ts';
import { A, world, type World } from './world.ts';

/** The deployment comes up; then, after `after` milliseconds, `then` happens to its first pod. */
function comesUp(w: World, after: number, then: (pod: Pod) => void): void {
  w.cluster.onApply = (object: KubeObject) => {
    if (object.kind !== 'Deployment') return;
    w.cluster.tell(readyDeployment(object));
    const pods = podsOf(object, 2) as Pod[];
    for (const pod of pods) w.cluster.tell(pod);
    setTimeout(() => {
      then(structuredClone(pods[0] as Pod));
    }, after);
  };
}
const told = (w: World): string => w.log.lines.filter((line) => line.startsWith('info web.main:')).join('\n');

describe('a bounced instance must stay ready', () => {
  it('for its window, which is said; an unchanged one has none', async () => {
    const w = world();
    const began = performance.now();
    const first = await w.run(A, { stability: 400 });
    const took = performance.now() - began;
    expect(first.instances).toMatchObject([{ state: 'deployed', ready: 2 }]);
    expect(told(w)).toContain('info web.main: 2/2 ready; must stay so for 400 ms\ninfo web.main: stayed ready for 400 ms');
    // from the write to the proof, without the window
    expect(first.instances[0]?.duration).toBeLessThanOrEqual(took - 400);
    w.log.lines.length = 0;
    expect((await w.run(A, { stability: 60_000 })).instances).toMatchObject([{ state: 'unchanged' }]);
    expect(told(w)).toBe('');
  });

  it('fails with its diagnosis when it crashes in the window', async () => {
    const w = world();
    comesUp(w, 100, (pod) => {
      const crashed = {
        name: 'main',
        ready: false,
        restartCount: 6,
        image: 'x',
        imageID: 'x',
        state: { waiting: { reason: 'CreateContainerConfigError', message: 'secret "db" not found' } },
      };
      for (const i of [0, 1])
        w.cluster.tell({
          ...pod,
          metadata: { ...pod.metadata, name: `web-main-${i}`, uid: pod.metadata.uid?.replace('-0-', `-${i}-`) as string },
          status: { ...pod.status, phase: 'Pending', conditions: [{ type: 'Ready', status: 'False' }], containerStatuses: [crashed] },
        });
    });
    const result = await w.run(A, { stability: 30_000, timeout: 2_000 });
    expect(result.instances).toMatchObject([
      {
        state: 'timeout',
        ready: 0,
        diagnosis: { code: 'CONTAINER_CONFIG', cause: expect.stringContaining('secret "db" not found') as string },
      },
    ]);
    expect(told(w)).toContain('info web.main: not stable: it is not proven any more');
  });

  it('begins anew when it recovers', async () => {
    const w = world();
    comesUp(w, 100, (pod) => {
      w.cluster.tell({ ...pod, status: { ...pod.status, conditions: [{ type: 'Ready', status: 'False' }] } });
      setTimeout(() => {
        w.cluster.tell(pod);
      }, 100);
    });
    const result = await w.run(A, { stability: 400 });
    expect(result.instances).toMatchObject([{ state: 'deployed' }]);
    expect(told(w)).toMatch(
      /not stable: it is not proven any more\ninfo web\.main: 1\/2 ready, waiting for 1 more of 2 pods to be ready \(proven once already, but not for 400 ms\)\ninfo web\.main: 2\/2 ready; must stay so for 400 ms\ninfo web\.main: stayed ready for 400 ms/,
    );
  });

  it('may end its window after the time to get ready is over; what falls after it is not waited for', async () => {
    const w = world();
    expect((await w.run(A, { stability: 2_500, timeout: 2_000 })).instances).toMatchObject([{ state: 'deployed' }]);
    const falls = world();
    comesUp(falls, 2_300, (pod) => {
      falls.cluster.tell({ ...pod, status: { ...pod.status, conditions: [{ type: 'Ready', status: 'False' }] } });
    });
    expect((await falls.run(A, { stability: 5_000, timeout: 2_000 })).instances).toMatchObject([
      {
        state: 'timeout',
        diagnosis: {
          code: 'TIMEOUT',
          cause: expect.stringContaining(
            'not done after 2.0 s: still waiting for 1 more of 2 pods to be ready (proven once already, but not for 5.0 s)',
          ) as string,
        },
      },
    ]);
  });

  it('is cancelled when the run is, not deployed', async () => {
    const w = world();
    comesUp(w, 100, () => {
      w.abort.abort();
    });
    expect((await w.run(A, { stability: 5_000 })).instances).toMatchObject([{ state: 'cancelled' }]);
  });

  it('has no window when it is stopped', async () => {
    const w = world();
    w.cluster.onApply = (object) => {
      if (object.kind === 'Deployment') w.cluster.tell(readyDeployment(object));
    };
    w.control = { desiredState: 'stop', forceBounce: null };
    expect((await w.run(A, { stability: 60_000 })).instances).toMatchObject([{ state: 'stopped' }]);
  });
});
