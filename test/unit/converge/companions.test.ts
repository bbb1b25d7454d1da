import type { KubeObject } from '../../../src/shared/objects/types.ts';
import { podsOf, readyDeployment } from './fake-cluster.ts';
import { A, instance, refusal, world, type World } from './world.ts';

const SCALED = { 'web/kubernetes-lab.yaml': `main: ${instance.replace('instances: 2', 'min_instances: 2, max_instances: 2')}\n` };
const blind = [
  {
    type: 'ScalingActive',
    status: 'False',
    reason: 'FailedGetResourceMetric',
    message: 'no metrics server',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  },
];

/** A controller for everything, autoscalers that cannot read their metric. */
function controllers(w: World, also: (object: KubeObject) => void = () => undefined): void {
  w.cluster.onApply = (object) => {
    if (object.kind === 'HorizontalPodAutoscaler') w.cluster.tell({ ...object, status: { conditions: blind } });
    if (object.kind === 'Deployment' && object.spec?.['template'] !== undefined) {
      w.cluster.tell(readyDeployment(object));
      for (const pod of podsOf(object, 2)) w.cluster.tell(pod);
    }
    also(object);
  };
}

describe('what stands beside a workload', () => {
  it('a broken metric is a warning of the result, when it is deployed and when nothing is to be done', async () => {
    const w = world(SCALED);
    controllers(w);
    // Its controller tells of the autoscaler after the pods are ready: the stability window gives it time.
    const warned = {
      severity: 'warning',
      code: 'AUTOSCALER_BLIND',
      message:
        'HorizontalPodAutoscaler paastasvc-web/web-main cannot read its metric and leaves the count as it is: FailedGetResourceMetric: no metrics server',
    };
    expect((await w.run(A, { stability: 200 })).instances).toMatchObject([{ state: 'deployed', problems: [warned] }]);
    expect((await w.run(A)).instances).toMatchObject([{ state: 'unchanged', problems: [warned] }]);
  });

  it('a budget that its controller has not seen is waited for', async () => {
    const w = world();
    controllers(w, (object) => {
      if (object.kind !== 'PodDisruptionBudget') return;
      w.cluster.tell({ ...object, status: {} });
      setTimeout(() => {
        w.cluster.tell({ ...object, status: { observedGeneration: 1 } });
      }, 300);
    });
    expect((await w.run(A)).instances).toMatchObject([{ state: 'deployed', problems: [] }]);
    expect(w.log.lines.join('\n')).toContain(
      'web.main: 2/2 ready, waiting for the cluster to notice PodDisruptionBudget paastasvc-web/web-main',
    );
  });

  it('a budget that fails while an old pod outlives its ReplicaSet is waited for, one that goes on failing is a warning', async () => {
    const failed = [{ type: 'DisruptionAllowed', status: 'False', reason: 'SyncFailed', message: 'found no controllers for pod "old"' }];
    const w = world();
    controllers(w, (object) => {
      if (object.kind !== 'PodDisruptionBudget') return;
      w.cluster.tell({ ...object, status: { conditions: failed } });
      setTimeout(() => {
        w.cluster.tell({ ...object, status: { observedGeneration: 1 } });
      }, 300);
    });
    expect((await w.run(A)).instances).toMatchObject([{ state: 'deployed', problems: [] }]);
    expect(w.log.lines.join('\n')).toContain('web.main: 2/2 ready, waiting for PodDisruptionBudget paastasvc-web/web-main to be in force');
    // Nothing moves any more: what fails now does not pass by itself.
    const [budget] = [...w.cluster.objects.values()].filter(({ kind }) => kind === 'PodDisruptionBudget');
    if (budget === undefined) throw new Error('no budget');
    w.cluster.tell({ ...budget, status: { conditions: failed } });
    expect((await w.run(A)).instances).toMatchObject([
      { state: 'unchanged', problems: [{ severity: 'warning', code: 'PDB_NOT_IN_FORCE' }] },
    ]);
  });

  it('not being allowed to watch it is a warning, no failure', async () => {
    const w = world();
    w.cluster.refused.set('watch PodDisruptionBudget', refusal(403, 'may not watch poddisruptionbudgets'));
    const result = await w.run(A);
    expect(result.instances).toMatchObject([{ state: 'deployed' }]);
    expect(result.problems).toMatchObject([{ severity: 'warning', message: 'may not watch poddisruptionbudgets' }]);
  });
});
