import { keepHash, objectKey, planHash, makePlan } from '../../../src/shared/plan/index.ts';
import type { KubeObject } from '../../../src/shared/objects/types.ts';
import type { RenderedInstance } from '../../../src/shared/workload/index.ts';
import { rendering } from '../workload/world.ts';

const THEIRS = 'configdeadbeef';
const HASHES = ['paasta.yelp.com/config_sha', 'yelp.com/paasta_config_sha'];
const ours = rendering({ yaml: 'cpus: 1\ninstances: 3' });
type Template = { metadata: { labels: Record<string, string>; annotations: Record<string, string> }; spec: Record<string, unknown> };

/** The object as PaaSTA would have it: another hash, no mark of ours; then changed. */
function theirs(change: (template: Template, object: KubeObject) => void = () => undefined): KubeObject {
  const object = structuredClone(ours.workload);
  const template = object.spec?.['template'] as Template;
  for (const labels of [object.metadata.labels ?? {}, template.metadata.labels]) for (const key of HASHES) labels[key] = THEIRS;
  delete object.metadata.labels?.['app.kubernetes.io/managed-by'];
  delete object.metadata.annotations;
  change(template, object);
  return object;
}
const hashOf = (one: RenderedInstance): unknown => [
  one.configHash,
  one.workload.metadata.labels?.[HASHES[0] ?? ''],
  (one.workload.spec?.['template'] as Template).metadata.labels[HASHES[1] ?? ''],
];

describe('adoption without a restart', () => {
  it('keeps their hash where the pods are the same, and notes what it is worth', () => {
    const kept = keepHash(ours, theirs(), true);
    expect(hashOf(kept)).toEqual([THEIRS, THEIRS, THEIRS]);
    expect(kept.workload.metadata.annotations?.['paasta-actions/adopted-config-hash']).toBe(ours.configHash);
  });

  it('goes on so with what was adopted, until the configuration changes', () => {
    const adopted = keepHash(ours, theirs(), true);
    expect(hashOf(keepHash(ours, adopted.workload, false))).toEqual([THEIRS, THEIRS, THEIRS]);
    const plan = makePlan(
      [keepHash(ours, adopted.workload, false)],
      { objects: new Map([adopted.workload, ...ours.companions].map((o) => [objectKey(o), o])) },
      { cluster: 'lab-east', adopt: false, namespaces: [], services: [] },
    );
    expect(plan.instances[0]?.steps).toEqual([]);
    expect(planHash(plan)).toHaveLength(16);
    const changed = rendering({ yaml: 'cpus: 2\ninstances: 3' });
    expect(keepHash(changed, adopted.workload, false)).toBe(changed);
  });

  it.each<readonly [string, (template: Template, object: KubeObject) => void]>([
    [
      'another value in the pod',
      (template) => {
        (template.spec['containers'] as { image: string }[])[0] = {
          ...(template.spec['containers'] as { image: string }[])[0],
          image: 'registry.invalid/another',
        };
      },
    ],
    [
      'something that we do not render',
      (template, object) => {
        template.metadata.annotations['theirs'] = 'yes';
        object.metadata.managedFields = [
          {
            manager: 'OpenAPI-Generator',
            operation: 'Update',
            fieldsV1: { 'f:spec': { 'f:template': { 'f:metadata': { 'f:annotations': { 'f:theirs': {} } } } } },
          },
        ];
      },
    ],
    [
      'another selector',
      (_, object) => {
        object.spec = { ...object.spec, selector: { matchLabels: { app: 'x' } } };
      },
    ],
    [
      'no hash at all',
      (_, object) => {
        delete object.metadata.labels?.[HASHES[0] ?? ''];
      },
    ],
  ])('not with %s', (_, change) => {
    expect(keepHash(ours, theirs(change), true)).toBe(ours);
  });

  it('takes a default that they wrote for no difference', () => {
    const object = theirs((template, live) => {
      template.spec['restartPolicy'] = 'Always';
      live.metadata.managedFields = [
        {
          manager: 'OpenAPI-Generator',
          operation: 'Update',
          fieldsV1: { 'f:spec': { 'f:template': { 'f:spec': { 'f:schedulerName': {}, 'f:restartPolicy': {} } } } },
        },
      ];
      template.spec['schedulerName'] = 'default-scheduler';
    });
    expect(hashOf(keepHash(ours, object, true))).toEqual([THEIRS, THEIRS, THEIRS]);
  });

  it('not without being asked, and not where there is nothing', () => {
    expect(keepHash(ours, theirs(), false)).toBe(ours);
    expect(keepHash(ours, undefined, true)).toBe(ours);
  });
});
