/** Where pods may run. Upstream: `get_node_selector`, `get_node_affinity`, `get_pod_anti_affinity`, `create_pod_topology_spread_constraints`. */
import { problem, type Problem } from '../contract/errors.ts';
import { nodeLabel, paastaPrefixed, type LabelPrefixes } from '../contract/names.ts';
import { pythonText } from '../contract/python-text.ts';
import { isMap, type Value, type ValueMap } from '../contract/values.ts';
import type { InstanceSettings } from '../soa-configs/instance-settings.ts';
import { locationRequirements, OPERATORS, ZONE_LABELS } from '../soa-configs/node-requirements.ts';
import type { SystemConfig } from '../soa-configs/types.ts';
import { compact, listOf, mapOf, plainOf, textOf, textsOf, type Fields } from './values-of.ts';

const HOST = 'kubernetes.io/hostname';

/** A value of a setting that cannot be rendered; the path is that of the key in the instance. */
export type Refuse = (path: readonly (string | number)[], problem: Problem) => void;

/** `pool` and the `node_selectors` whose value is text. */
export function nodeSelector(settings: InstanceSettings, prefixes: LabelPrefixes): Record<string, string> {
  const selector: Record<string, string> = {};
  for (const [key, value] of Object.entries(mapOf(settings.config['node_selectors'])))
    if (typeof value === 'string') selector[nodeLabel(key, prefixes)] = value;
  selector[paastaPrefixed('pool', prefixes)] = settings.pool;
  return selector;
}

/** One requirement per selector: a list of texts is `In`, a list of mappings says its operator. Other values are no requirement. */
function requirements(selectors: ValueMap, prefixes: LabelPrefixes, path: readonly string[], refuse: Refuse): Fields[] {
  const found: Fields[] = [];
  for (const [name, value] of Object.entries(selectors)) {
    const key = nodeLabel(name, prefixes);
    const entries = listOf(value);
    if (entries.length === 0) continue;
    if (typeof entries[0] === 'string') {
      found.push({ key, operator: 'In', values: entries.map(pythonText) });
      continue;
    }
    for (const [index, entry] of entries.entries()) {
      const condition = mapOf(entry);
      const operator = textOf(condition['operator']) ?? '';
      if (!OPERATORS.includes(operator)) {
        refuse(
          [...path, name, index],
          problem('BAD_SELECTOR_OPERATOR', `node selector ${name}: '${operator}' is not an operator; legal are ${OPERATORS.join(', ')}`),
        );
        continue;
      }
      // Without its values a condition would select nothing, or everything.
      const needs = operator === 'In' || operator === 'NotIn' ? 'values' : operator === 'Gt' || operator === 'Lt' ? 'value' : undefined;
      if (needs !== undefined && !Object.hasOwn(condition, needs)) {
        refuse([...path, name, index], problem('BAD_SELECTOR_OPERATOR', `node selector ${name}: ${operator} needs '${needs}'`));
        continue;
      }
      const values =
        operator === 'In' || operator === 'NotIn'
          ? textsOf(condition['values'])
          : operator === 'Gt' || operator === 'Lt'
            ? [pythonText(condition['value'] ?? null)]
            : [];
      found.push({ key, operator, values });
    }
  }
  return found;
}

/** White- and blacklist, selectors and the pool's own affinity in one required term; `node_selectors_preferred` beside it. `null`: none. */
export function nodeAffinity(settings: InstanceSettings, system: SystemConfig, prefixes: LabelPrefixes, refuse: Refuse): Fields | null {
  const selectors = mapOf(settings.config['node_selectors']);
  const required: Fields[] = locationRequirements(settings.deployWhitelist, settings.deployBlacklist, prefixes).map((requirement) => ({
    ...requirement,
    values: [...requirement.values],
  }));
  required.push(...requirements(selectors, prefixes, ['node_selectors'], refuse));
  const ofPool = mapOf(mapOf(system.values['pool_node_affinities'])[settings.pool]);
  if (!ZONE_LABELS.some((key) => Object.hasOwn(selectors, key))) required.push(...requirements(ofPool, prefixes, [], refuse));
  const preferred = listOf(settings.config['node_selectors_preferred']).map((entry, index) => ({
    weight: plainOf(mapOf(entry)['weight'] ?? null),
    preference: {
      matchExpressions: requirements(mapOf(mapOf(entry)['preferences']), prefixes, ['node_selectors_preferred', String(index)], refuse),
    },
  }));
  if (required.length === 0 && preferred.length === 0) return null;
  return compact({
    requiredDuringSchedulingIgnoredDuringExecution:
      required.length === 0 ? undefined : { nodeSelectorTerms: [{ matchExpressions: required }] },
    preferredDuringSchedulingIgnoredDuringExecution: preferred.length === 0 ? undefined : preferred,
  });
}

/** `undefined`: nothing is asked for. A condition without service and instance stays a condition, of which no term comes. */
function conditionsOf(value: Value | undefined): readonly ValueMap[] | undefined {
  const conditions = (isMap(value) ? (Object.keys(value).length === 0 ? [] : [value]) : listOf(value)).filter(isMap);
  return conditions.length === 0 ? undefined : conditions;
}

function labelsOf(condition: ValueMap, prefixes: LabelPrefixes): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const key of ['service', 'instance']) {
    const value = textOf(condition[key]);
    if (value !== undefined) labels[paastaPrefixed(key, prefixes)] = value;
  }
  return labels;
}

/** `anti_affinity` required and `anti_affinity_preferred` weighted, both per host. An empty condition says nothing. `null`: none. */
export function podAntiAffinity(settings: InstanceSettings, prefixes: LabelPrefixes): Fields | null {
  const term = (condition: ValueMap): Fields | undefined => {
    const matchLabels = labelsOf(condition, prefixes);
    return Object.keys(matchLabels).length === 0 ? undefined : { labelSelector: { matchLabels }, topologyKey: HOST };
  };
  const required = conditionsOf(settings.config['anti_affinity'])?.flatMap((condition) => term(condition) ?? []);
  const preferred = conditionsOf(settings.config['anti_affinity_preferred'])?.flatMap((condition) => {
    const podAffinityTerm = term(condition);
    return podAffinityTerm === undefined ? [] : [{ weight: plainOf(condition['weight'] ?? null), podAffinityTerm }];
  });
  if (required === undefined && preferred === undefined) return null;
  return compact({ requiredDuringSchedulingIgnoredDuringExecution: required, preferredDuringSchedulingIgnoredDuringExecution: preferred });
}

/** Spread of an instance's pods; the instance's list replaces the system's. */
export function topologySpread(settings: InstanceSettings, prefixes: LabelPrefixes, refuse: Refuse): Fields[] {
  const matchLabels = {
    [paastaPrefixed('service', prefixes)]: settings.service,
    [paastaPrefixed('instance', prefixes)]: settings.instance,
  };
  return settings.topologySpreadConstraints.flatMap((entry, index) => {
    const constraint = mapOf(entry);
    const topologyKey = textOf(constraint['topology_key']);
    if (topologyKey === undefined) {
      refuse(
        ['topology_spread_constraints', index],
        problem('NO_TOPOLOGY_KEY', 'a topology spread constraint has no topology_key', {
          hint: 'name a node label, such as topology.kubernetes.io/zone',
        }),
      );
      return [];
    }
    return [
      compact({
        labelSelector: { matchLabels },
        topologyKey,
        maxSkew: plainOf(constraint['max_skew'] ?? 1),
        whenUnsatisfiable: textOf(constraint['when_unsatisfiable']) ?? 'ScheduleAnyway',
        matchLabelKeys:
          constraint['match_label_keys'] === undefined || constraint['match_label_keys'] === null
            ? undefined
            : textsOf(constraint['match_label_keys']),
      }),
    ];
  });
}
