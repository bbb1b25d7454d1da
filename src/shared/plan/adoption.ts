/** Adoption without a restart: PaaSTA's config hash is another than ours, but the same pods need no new name. */
import { YELP_PREFIXES, type LabelPrefixes } from '../contract/names.ts';
import type { KubeObject } from '../objects/types.ts';
import { configHashKeys } from '../workload/labels.ts';
import { ANNOTATIONS } from '../workload/marks.ts';
import type { RenderedInstance } from '../workload/types.ts';
import { differences, isJsonMap } from './fields.ts';
import { leftBehind } from './left-behind.ts';
import { configHashOf, isOurs } from './marks.ts';
import { carryOver } from './plan.ts';

/** The instance with another value in its hash labels; what it is worth in our own way is noted beside. */
function underHash(rendered: RenderedInstance, hash: string, prefixes: LabelPrefixes): RenderedInstance {
  const labels = Object.fromEntries(configHashKeys(prefixes).map((key) => [key, hash]));
  const workload = structuredClone(rendered.workload);
  workload.metadata.labels = { ...workload.metadata.labels, ...labels };
  workload.metadata.annotations = { ...workload.metadata.annotations, [ANNOTATIONS.adoptedHash]: rendered.configHash };
  const template = workload.spec?.['template'];
  const metadata = isJsonMap(template) && isJsonMap(template['metadata']) ? template['metadata'] : {};
  const own = isJsonMap(metadata['labels']) ? metadata['labels'] : {};
  workload.spec = {
    ...workload.spec,
    template: { ...(isJsonMap(template) ? template : {}), metadata: { ...metadata, labels: { ...own, ...labels } } },
  };
  return { ...rendered, workload, configHash: hash };
}

/**
 * The instance as it is to be planned. A workload that is adopted keeps its hash labels when its pods are, label for label and field for
 * field, those that we render: then only the ownership moves. So does one that was adopted like this, until it changes. A restart that was
 * asked for before the adoption counts as made.
 */
export function keepHash(
  rendered: RenderedInstance,
  live: KubeObject | undefined,
  adopt: boolean,
  prefixes: LabelPrefixes = YELP_PREFIXES,
): RenderedInstance {
  const hash = live === undefined ? undefined : configHashOf(live, prefixes);
  if (live === undefined || hash === undefined || hash === rendered.configHash || live.kind !== rendered.workload.kind) return rendered;
  if (isOurs(live))
    return live.metadata.annotations?.[ANNOTATIONS.adoptedHash] === rendered.configHash ? underHash(rendered, hash, prefixes) : rendered;
  if (!adopt) return rendered;
  const kept = underHash(rendered, hash, prefixes);
  const ours = carryOver(kept, live, prefixes);
  const touchesPods = (field: string): boolean => field.startsWith('spec.template') || field.startsWith('spec.selector');
  return [...differences(ours, live), ...leftBehind(ours, live)].some(touchesPods) ? rendered : kept;
}
