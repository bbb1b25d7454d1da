/**
 * Where an instance may run, as requirements on node labels. Rules: `allowlist_denylist_to_requirements`, `raw_selectors_to_requirements`
 * in paasta_tools/kubernetes_tools.py.
 */
import { nodeLabel, YELP_PREFIXES, type LabelPrefixes } from '../contract/names.ts';
import { pythonText } from '../contract/python-text.ts';
import { isMap, type Value, type ValueMap } from '../contract/values.ts';
import { keysOf } from './yaml-values.ts';

export interface NodeRequirement {
  readonly key: string;
  readonly operator: string;
  readonly values: readonly string[];
}

/** An instance that selects one of these has chosen its zone itself: the pool's affinity would contradict it. */
export const ZONE_LABELS: readonly string[] = [
  'topology.kubernetes.io/zone',
  'yelp.com/habitat',
  'yelp.com/eni_config',
  'karpenter.sh/nodepool',
  'topology.ebs.csi.aws.com/zone',
];
export const OPERATORS: readonly string[] = ['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt'];

/** Requirements of `deploy_whitelist` and `deploy_blacklist`. */
export function locationRequirements(
  whitelist: readonly [string, readonly string[]] | null,
  blacklist: readonly (readonly [string, string])[],
  prefixes: LabelPrefixes = YELP_PREFIXES,
): readonly NodeRequirement[] {
  const allowed = whitelist === null ? [] : [{ key: nodeLabel(whitelist[0], prefixes), operator: 'In', values: whitelist[1] }];
  return [...allowed, ...blacklist.map(([type, place]) => ({ key: nodeLabel(type, prefixes), operator: 'NotIn', values: [place] }))];
}

/** Requirements of `node_selectors` whose values are lists; `undefined` when an entry has no known operator. */
export function selectorRequirements(selectors: ValueMap, prefixes: LabelPrefixes = YELP_PREFIXES): readonly NodeRequirement[] | undefined {
  const found: NodeRequirement[] = [];
  for (const label of keysOf(selectors)) {
    const value = selectors[label];
    if (!Array.isArray(value) || value.length === 0) continue;
    const list = value as readonly Value[];
    const key = nodeLabel(label, prefixes);
    if (typeof list[0] === 'string') {
      found.push({ key, operator: 'In', values: list.map(pythonText) });
      continue;
    }
    for (const entry of list) {
      if (!isMap(entry) || typeof entry.operator !== 'string' || !OPERATORS.includes(entry.operator)) return undefined;
      const { operator } = entry;
      if (operator === 'In' || operator === 'NotIn') {
        if (!Array.isArray(entry.values)) return undefined;
        found.push({ key, operator, values: (entry.values as readonly Value[]).map(pythonText) });
      } else if (operator === 'Gt' || operator === 'Lt') {
        if (entry.value === undefined) return undefined;
        found.push({ key, operator, values: [pythonText(entry.value)] });
      } else found.push({ key, operator, values: [] });
    }
  }
  return found;
}
