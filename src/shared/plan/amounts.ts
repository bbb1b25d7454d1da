/** What pods ask for, under the names that a ResourceQuota counts by. Cores for CPU, bytes for memory and disk, pieces for the rest. */
import { quantity } from '../contract/quantity.ts';
import { isJsonMap } from './fields.ts';

/** By quota name: `pods`, `requests.cpu`, `limits.memory`, `requests.nvidia.com/gpu`, `count/deployments.apps`. */
export type Amounts = Readonly<Record<string, number>>;

type Json = Readonly<Record<string, unknown>>;

function add(into: Record<string, number>, amounts: Amounts): void {
  for (const [name, amount] of Object.entries(amounts)) into[name] = (into[name] ?? 0) + amount;
}

/** Every name of any of them. */
function namesOf(all: readonly Amounts[]): readonly string[] {
  return [...new Set(all.flatMap((amounts) => Object.keys(amounts)))].sort();
}

export function sumOf(all: readonly Amounts[]): Amounts {
  const sum: Record<string, number> = {};
  for (const amounts of all) add(sum, amounts);
  return sum;
}

export function largestOf(all: readonly Amounts[]): Amounts {
  return Object.fromEntries(namesOf(all).map((name) => [name, Math.max(0, ...all.map((amounts) => amounts[name] ?? 0))]));
}

export function times(amounts: Amounts, count: number): Amounts {
  return Object.fromEntries(Object.entries(amounts).map(([name, amount]) => [name, amount * count]));
}

/** What `a` has more than `b`; nothing is below zero. */
export function more(a: Amounts, b: Amounts): Amounts {
  return Object.fromEntries(namesOf([a, b]).map((name) => [name, Math.max(0, (a[name] ?? 0) - (b[name] ?? 0))]));
}

function listOf(value: unknown): readonly Json[] {
  return Array.isArray(value) ? (value as readonly unknown[]).filter(isJsonMap) : [];
}

/** Requests and limits of a container; the API server fills a missing request from its limit. */
export function containerAmounts(container: Json): Amounts {
  const resources = isJsonMap(container['resources']) ? container['resources'] : {};
  const limits = isJsonMap(resources['limits']) ? resources['limits'] : {};
  const requests = {
    ...limits,
    ...Object.fromEntries(
      Object.entries(isJsonMap(resources['requests']) ? resources['requests'] : {}).filter(
        ([, value]) => value !== null && value !== undefined,
      ),
    ),
  };
  const amounts: Record<string, number> = {};
  for (const [group, values] of [
    ['requests', requests],
    ['limits', limits],
  ] as const) {
    for (const [name, value] of Object.entries(values)) {
      const amount = quantity(value);
      if (amount !== undefined) amounts[`${group}.${name}`] = amount;
    }
  }
  return amounts;
}

/** One pod of this spec, by Kubernetes' rule: containers and sidecars together, or one init container when that is more; and the overhead. */
export function podAmounts(spec: Json): Amounts {
  const init = listOf(spec['initContainers']);
  const running = sumOf([...listOf(spec['containers']), ...init.filter((c) => c['restartPolicy'] === 'Always')].map(containerAmounts));
  const starting = init.filter((c) => c['restartPolicy'] !== 'Always').map(containerAmounts);
  const overhead = Object.fromEntries(
    Object.entries(isJsonMap(spec['overhead']) ? spec['overhead'] : {}).map(([name, value]) => [`requests.${name}`, quantity(value) ?? 0]),
  );
  return { ...sumOf([largestOf([running, ...starting]), overhead]), pods: 1 };
}

/** `spec` of the pod template of a workload. */
export function podSpecOf(workload: { readonly spec?: Json }): Json {
  const template = workload.spec?.['template'];
  const spec = isJsonMap(template) ? template['spec'] : undefined;
  return isJsonMap(spec) ? spec : {};
}

const BYTES: readonly (readonly [string, number])[] = [
  ['Gi', 2 ** 30],
  ['Mi', 2 ** 20],
  ['Ki', 2 ** 10],
];

/** `0.3` cores, `192Mi`, `4`. */
export function formatAmount(name: string, amount: number): string {
  if (!/(?:memory|storage|hugepages)/.test(name)) return String(Number(amount.toFixed(3)));
  const [unit, size] = BYTES.find(([, bytes]) => amount >= bytes && Number.isInteger(Number((amount / bytes).toFixed(6)))) ??
    BYTES.find(([, bytes]) => amount >= bytes) ?? ['', 1];
  return `${Number((amount / size).toFixed(1))}${unit}`;
}
