/** An object of ours that belongs to another instance, perhaps of a service that this run does not look at (`a_b` and `a--b` are one name to Kubernetes). */
import { problem, type Problem } from '../contract/errors.ts';
import { paastaPrefixed, YELP_PREFIXES, type LabelPrefixes } from '../contract/names.ts';
import type { KubeObject } from '../objects/types.ts';
import type { RenderedInstance } from '../workload/types.ts';
import { objectKey, titleOf } from './marks.ts';

/** Why an instance may not be written although the name of its workload is ours; `undefined`: it may. */
export function foreignInstance(
  rendered: RenderedInstance,
  objects: ReadonlyMap<string, KubeObject>,
  prefixes: LabelPrefixes = YELP_PREFIXES,
): Problem | undefined {
  const labels = objects.get(objectKey(rendered.workload))?.metadata.labels;
  const [service, instance] = [labels?.[paastaPrefixed('service', prefixes)], labels?.[paastaPrefixed('instance', prefixes)]];
  if (service === undefined || instance === undefined || (service === rendered.service && instance === rendered.instance)) return undefined;
  return problem(
    'NAME_COLLISION',
    `${titleOf(rendered.workload)}, which ${rendered.service}.${rendered.instance} would be, belongs to ${service}.${instance}: it is left as it is`,
    { hint: 'rename one of them, or give one a namespace of its own' },
  );
}
