/** Pods of a plan against the LimitRanges of their namespace, by the rules of the API server's LimitRanger. */
import { problem, type Problem } from '../contract/errors.ts';
import { quantity } from '../contract/quantity.ts';
import type { KubeObject } from '../objects/types.ts';
import { containerAmounts, formatAmount, podAmounts, podSpecOf, type Amounts } from './amounts.ts';
import { isJsonMap } from './fields.ts';

type Json = Readonly<Record<string, unknown>>;

function mapOf(value: unknown): Json {
  return isJsonMap(value) ? value : {};
}

function listOf(value: unknown): readonly Json[] {
  return Array.isArray(value) ? (value as readonly unknown[]).filter(isJsonMap) : [];
}

/** A container as LimitRanger leaves it: what it does not say comes from `default` and `defaultRequest`. */
function withDefaults(container: Json, item: Json): Json {
  const resources = mapOf(container['resources']);
  const limits = { ...mapOf(item['default']), ...mapOf(resources['limits']) };
  const own = mapOf(resources['requests']);
  const requests = {
    ...mapOf(resources['limits']),
    ...Object.fromEntries(Object.entries(mapOf(item['defaultRequest'])).filter(([name]) => !(name in mapOf(resources['limits'])))),
    ...own,
  };
  return { ...container, resources: { limits, requests } };
}

interface Bound {
  readonly kind: 'min' | 'max';
  readonly words: string;
}

const BOUNDS: readonly Bound[] = [
  { kind: 'max', words: 'maximum' },
  { kind: 'min', words: 'minimum' },
];

/** What stands against amounts: a request below `min`, a limit (or request) above `max`, a limit that is missing, a ratio that is too large. */
function against(item: Json, amounts: Amounts, what: string): readonly string[] {
  const found: string[] = [];
  for (const { kind, words } of BOUNDS) {
    for (const [resource, value] of Object.entries(mapOf(item[kind]))) {
      const bound = quantity(value);
      const request = amounts[`requests.${resource}`];
      const limit = amounts[`limits.${resource}`];
      if (bound === undefined) continue;
      const show = (n: number): string => formatAmount(resource, n);
      if (kind === 'max' && limit === undefined) found.push(`${what}: ${words} ${resource} is ${show(bound)}, but there is no limit`);
      else if (kind === 'max' && Math.max(limit ?? 0, request ?? 0) > bound)
        found.push(
          `${what}: ${words} ${resource} is ${show(bound)}, but the ${(limit ?? 0) > bound ? 'limit' : 'request'} is ${show(Math.max(limit ?? 0, request ?? 0))}`,
        );
      else if (kind === 'min' && request === undefined)
        found.push(`${what}: ${words} ${resource} is ${show(bound)}, but there is no request`);
      else if (kind === 'min' && Math.min(request ?? 0, limit ?? Infinity) < bound)
        found.push(`${what}: ${words} ${resource} is ${show(bound)}, but the request is ${show(request ?? 0)}`);
    }
  }
  for (const [resource, value] of Object.entries(mapOf(item['maxLimitRequestRatio']))) {
    const [bound, request, limit] = [quantity(value), amounts[`requests.${resource}`], amounts[`limits.${resource}`]];
    if (bound !== undefined && request !== undefined && limit !== undefined && request > 0 && limit / request > bound)
      found.push(
        `${what}: the limit of ${resource} may be ${bound} times the request, but is ${Number((limit / request).toFixed(2))} times`,
      );
  }
  return found;
}

/** Problems of a workload's pods with the limits of their namespace. */
export function limitProblems(workload: KubeObject, ranges: readonly KubeObject[]): readonly Problem[] {
  const spec = podSpecOf(workload);
  const containers = [...listOf(spec['containers']), ...listOf(spec['initContainers'])];
  return ranges
    .filter((r) => r.metadata.namespace === workload.metadata.namespace)
    .flatMap((range) => {
      const items = listOf(range.spec?.['limits']);
      const defaults = items.find((i) => i['type'] === 'Container') ?? {};
      const filled = {
        ...spec,
        containers: listOf(spec['containers']).map((c) => withDefaults(c, defaults)),
        initContainers: listOf(spec['initContainers']).map((c) => withDefaults(c, defaults)),
      };
      const found = items.flatMap((item) => {
        if (item['type'] === 'Pod') return against(item, podAmounts(filled), 'pod');
        if (item['type'] !== 'Container') return [];
        return containers.flatMap((c) => against(item, containerAmounts(withDefaults(c, defaults)), `container ${String(c['name'])}`));
      });
      return found.map((said) =>
        problem('LIMIT_RANGE', `LimitRange ${range.metadata.namespace ?? ''}/${range.metadata.name}: ${said}`, {
          hint: 'bring cpus, mem and disk of the instance within the limits, or ask the owner of the LimitRange',
        }),
      );
    });
}
