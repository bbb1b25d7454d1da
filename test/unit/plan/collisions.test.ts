import { foreignInstance, objectKey } from '../../../src/shared/plan/index.ts';
import { rendering } from '../workload/world.ts';

describe('an object of ours that belongs to another instance', () => {
  const ours = rendering({ service: 'web', instance: 'a_b', yaml: 'cpus: 1\nnamespace: paasta' });
  const live = (labels: Record<string, string>): ReadonlyMap<string, typeof ours.workload> =>
    new Map([[objectKey(ours.workload), { ...ours.workload, metadata: { ...ours.workload.metadata, labels } }]]);

  it('is not overwritten', () => {
    expect(foreignInstance(ours, live({ 'paasta.yelp.com/service': 'web', 'paasta.yelp.com/instance': 'a--b' }))).toMatchObject({
      code: 'NAME_COLLISION',
      message: 'Deployment paasta/web-a--b, which web.a_b would be, belongs to web.a--b: it is left as it is',
    });
  });

  it('its own, one without labels and none are no collision', () => {
    expect(foreignInstance(ours, live(ours.workload.metadata.labels ?? {}))).toBeUndefined();
    expect(foreignInstance(ours, live({}))).toBeUndefined();
    expect(foreignInstance(ours, new Map())).toBeUndefined();
  });
});
