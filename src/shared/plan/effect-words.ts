/** What a plan does to pods, quotas and budgets, in words beside the one line of `describeEffect`. */
import { formatDuration } from '../contract/durations.ts';
import { formatAmount } from './amounts.ts';
import type { Effect, InstancePlan, QuotaUse } from './types.ts';

/** Resources that people think in. */
const SHOWN: readonly (readonly [string, string])[] = [
  ['pods', 'pods'],
  ['requests.cpu', 'cpu'],
  ['requests.memory', 'memory'],
];

/** `pods 3 → 6 → 3, cpu 0.3 → 0.6 → 0.3, memory 192Mi → 384Mi → 192Mi`: now, at the peak, afterwards; without a peak only now and afterwards. */
export function describeUsage({ usage }: Effect): string | undefined {
  if (usage === undefined) return undefined;
  const peaks = SHOWN.some(([name]) => (usage.peak[name] ?? 0) > Math.max(usage.before[name] ?? 0, usage.after[name] ?? 0) + 1e-9);
  const same = SHOWN.every(([name]) => Math.abs((usage.before[name] ?? 0) - (usage.after[name] ?? 0)) < 1e-9);
  if (!peaks && same) return undefined;
  const line = (name: string): string =>
    (peaks ? [usage.before, usage.peak, usage.after] : [usage.before, usage.after])
      .map((amounts) => formatAmount(name, amounts[name] ?? 0))
      .join(' → ');
  return `${SHOWN.map(([name, word]) => `${word} ${line(name)}`).join(', ')}${peaks ? ' (now, at the peak, afterwards)' : ''}`;
}

function count(n: number): string {
  return `${n} pod${n === 1 ? '' : 's'}`;
}

/** Everything else that is known of the effect, one line each. */
export function describeForesight(
  plan: Pick<InstancePlan, 'effect' | 'rendered'>,
  quotas: readonly QuotaUse[] | undefined,
): readonly string[] {
  const { effect, rendered } = plan;
  const title = `${rendered.service}.${rendered.instance}`;
  const own = (quotas ?? []).filter((use) => use.instances.includes(title));
  const fits = [...new Set(own.map((use) => use.quota))].filter((quota) => own.every((use) => use.quota !== quota || use.fits === 'yes'));
  const { budget } = effect;
  return [
    ...(describeUsage(effect) === undefined ? [] : [describeUsage(effect) as string]),
    ...(budget === undefined
      ? []
      : [
          budget.fits
            ? `within its PodDisruptionBudget (${count(budget.allowed)} may be missing)`
            : `${count(budget.missing)} missing for a while, its PodDisruptionBudget lets evictions take ${budget.allowed}`,
        ]),
    ...(fits.length === 0 ? [] : [`fits quota ${fits.join(', ')}`]),
    ...(effect.bounces && effect.earlier !== undefined && effect.earlier.length > 0
      ? [`earlier bounces took ${effect.earlier.map((s) => formatDuration(s * 1_000)).join(', ')}`]
      : []),
  ];
}
