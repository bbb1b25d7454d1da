/** The plan in Markdown, for the job summary and for a comment on a pull request. Everything that others wrote is made harmless. */
import { cell as escaped } from '../contract/markdown.ts';
import type { Problem } from '../contract/errors.ts';
import { describeForesight } from '../plan/effect-words.ts';
import { describeQuotaUse } from '../plan/quotas.ts';
import type { Plan } from '../plan/types.ts';
import { describeEffect } from '../plan/words.ts';
import { foreignLine } from './foreign.ts';
import { instanceTitle, stepWhy, whyOf } from './plan-text.ts';

/** A comment on GitHub holds 65,536 characters; the rest is for what stands around the plan. */
const ROWS = 150;

/** Text of others in a table cell or a sentence. */
export function cell(text: string): string {
  return escaped(foreignLine(text.replace(/\r?\n/g, ' ')));
}

function problemLine(title: string, found: Problem): string {
  const icon = found.severity === 'error' ? '❌' : '⚠️';
  return `- ${icon} ${cell(title)}: \`${found.code}\` ${cell(found.message)}${found.hint === undefined ? '' : ` **Next:** ${cell(found.hint)}`}`;
}

/** Rows of the plan that change something, what it does to quotas, and what stands in its way. */
export function planMarkdown(plan: Plan, hash: string): readonly string[] {
  const changing = plan.instances.filter((i) => i.action !== 'unchanged');
  const rows = changing.map(
    (i) =>
      `| ${cell(instanceTitle(i))} | ${i.action} | ${cell(whyOf(i))} | ${[describeEffect(i), ...describeForesight(i, undefined)].map(cell).join('<br>')} |`,
  );
  const others = [...plan.namespaces, ...plan.shared].map((s) => `| ${cell(s.title)} | ${s.action} | ${cell(stepWhy(s))} | |`);
  const unchanged = plan.instances.length - changing.length;
  const same = unchanged === 0 ? [] : ['', `${unchanged} instance${unchanged === 1 ? '' : 's'} unchanged.`];
  const all = [...others, ...rows];
  if (all.length === 0) return [`Plan \`${hash}\`: nothing to do.`, ...same];
  const hidden = all.length - ROWS;
  const foreseen = changing.flatMap((i) => (i.foreseen ?? []).map((p) => problemLine(instanceTitle(i), p)));
  const quotas = (plan.quotas ?? []).map(
    (use) =>
      `| ${use.fits === 'yes' ? '✅' : use.fits === 'slower' ? '⚠️' : '❌'} | ${cell(`${use.namespace}/${use.quota}`)} | ${cell(describeQuotaUse(use))} |`,
  );
  return [
    `Plan \`${hash}\``,
    '',
    '| what | action | why | effect |',
    '| --- | --- | --- | --- |',
    ...all.slice(0, ROWS),
    ...(hidden > 0 ? ['', `${hidden} more change; the plan as JSON has them all.`] : []),
    ...(quotas.length === 0 ? [] : ['', '| | quota | |', '| --- | --- | --- |', ...quotas.slice(0, ROWS)]),
    ...(foreseen.length === 0 ? [] : ['', ...foreseen.slice(0, ROWS)]),
    ...same,
  ];
}

/** The plan alone, as a comment or a file. */
export function planPage(plan: Plan, hash: string, problems: readonly Problem[]): string {
  const general = problems.map((p) => problemLine(plan.cluster, p));
  return [
    `### paasta plan for ${cell(plan.cluster)}`,
    '',
    ...planMarkdown(plan, hash),
    ...(general.length === 0 ? [] : ['', ...general]),
    '',
  ].join('\n');
}
