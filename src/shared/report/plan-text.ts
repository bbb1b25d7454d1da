/** The plan as a table for the terminal and the job log. */
import { describeForesight } from '../plan/effect-words.ts';
import type { InstancePlan, Plan, Step } from '../plan/types.ts';
import { describeEffect, describeReason } from '../plan/words.ts';
import { columns, foreignLine } from './foreign.ts';

const SYMBOL: Readonly<Record<string, string>> = {
  create: '+',
  update: '~',
  scale: '~',
  start: '~',
  stop: '~',
  delete: '-',
  unchanged: '=',
  blocked: '!',
  left: '…',
};

export function instanceTitle({ rendered }: Pick<InstancePlan, 'rendered'>): string {
  return `${rendered.service}.${rendered.instance}`;
}

export function whyOf(plan: InstancePlan): string {
  return plan.problems[0]?.message ?? plan.reasons.map(describeReason).join('; ');
}

export function stepWhy(step: Step): string {
  return step.reasons.map(describeReason).join('; ');
}

/** One line for every instance that changes and what is known of its effect below it; a count for those that do not. */
export function planText(plan: Plan, hash: string): readonly string[] {
  const changing = plan.instances.filter((i) => i.action !== 'unchanged');
  const others = [...plan.namespaces, ...plan.shared].map((s) => ({
    row: [`${SYMBOL[s.action] ?? '~'} ${s.title}`, s.action, stepWhy(s), ''],
    below: [] as readonly string[],
  }));
  const rows = changing.map((i) => ({
    row: [`${SYMBOL[i.action] ?? '~'} ${instanceTitle(i)}`, i.action, whyOf(i), describeEffect(i)],
    below: [
      ...describeForesight(i, plan.quotas),
      ...(i.foreseen ?? []).map((p) => `${p.severity === 'error' ? '✗' : '!'} ${foreignLine(p.message)}`),
    ],
  }));
  const unchanged = plan.instances.length - changing.length;
  const same = unchanged === 0 ? [] : [`= ${unchanged} instance${unchanged === 1 ? '' : 's'} unchanged`];
  const all = [...others, ...rows];
  if (all.length === 0) return [`plan ${hash}: nothing to do`, ...same];
  const [head = '', ...lines] = columns([['  what', 'action', 'why', 'effect'], ...all.map(({ row }) => row)]);
  return [`plan ${hash}:`, head, ...lines.flatMap((line, at) => [line, ...(all[at]?.below ?? []).map((text) => `    ${text}`)]), ...same];
}
