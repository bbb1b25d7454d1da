/** The job summary of a deploy, in Markdown. Everything that others wrote is made harmless. */
import { formatDuration } from '../contract/durations.ts';
import { cell as escaped, fenced } from '../contract/markdown.ts';
import { shortVersion } from '../contract/deployment-version.ts';
import { describeEffect, describeReason } from '../plan/words.ts';
import type { Plan } from '../plan/types.ts';
import { isGood, type ConvergeResult, type InstanceResult } from './deploy-results.ts';
import { foreignLine, outcomeText, titleOf } from './deploy-text.ts';

export interface DeployFacts {
  readonly cluster: string;
  readonly server: string;
  readonly soaDir: string;
  /** Commit of soa-configs; empty when unknown. */
  readonly soaCommit: string;
  readonly mode: string;
}

/** Text of others in a table cell or a sentence. */
function cell(text: string): string {
  return escaped(foreignLine(text.replace(/\r?\n/g, ' ')));
}

/** A code block that its content cannot end. */
function block(lines: readonly string[]): readonly string[] {
  return fenced(lines.map(foreignLine).join('\n'), 'text').split('\n');
}

const ICON: Readonly<Record<InstanceResult['state'], string>> = {
  unchanged: '✅',
  deployed: '✅',
  stopped: '⏹️',
  planned: '📝',
  failed: '❌',
  timeout: '⏰',
  blocked: '⛔',
  superseded: '⏭️',
  cancelled: '🛑',
  'not-marked': '➖',
};

function heading(result: ConvergeResult, facts: DeployFacts): string {
  const bad = result.instances.filter((i) => !isGood(i)).length;
  const failed = bad > 0 || result.problems.some((p) => p.severity === 'error');
  const word = result.cancelled ? 'cancelled' : failed ? (bad > 0 ? `failed: ${bad} of ${result.instances.length}` : 'failed') : facts.mode === 'plan' ? 'plan' : result.writes === 0 ? 'nothing to do' : 'done';
  return `### paasta deploy to ${cell(facts.cluster)}: ${word}`;
}

/** Rows of the plan that change something. */
export function planMarkdown(plan: Plan, hash: string): readonly string[] {
  const rows = plan.instances
    .filter((i) => i.action !== 'unchanged')
    .map((i) => `| ${cell(`${i.rendered.service}.${i.rendered.instance}`)} | ${i.action} | ${cell(i.problems[0]?.message ?? i.reasons.map(describeReason).join('; '))} | ${cell(describeEffect(i))} |`);
  const others = [...plan.namespaces, ...plan.shared].map((s) => `| ${cell(s.title)} | ${s.action} | ${cell(s.reasons.map(describeReason).join('; '))} | |`);
  const unchanged = plan.instances.filter((i) => i.action === 'unchanged').length;
  const same = unchanged === 0 ? [] : ['', `${unchanged} instance${unchanged === 1 ? '' : 's'} unchanged.`];
  if (rows.length + others.length === 0) return [`Plan \`${hash}\`: nothing to do.`, ...same];
  return [`Plan \`${hash}\``, '', '| what | action | why | effect |', '| --- | --- | --- | --- |', ...others, ...rows, ...same];
}

function failureMarkdown(result: InstanceResult): readonly string[] {
  const { diagnosis } = result;
  const problems = result.problems.filter((p) => p.severity === 'error').map((p) => `- \`${p.code}\` ${cell(p.message)}${p.hint === undefined ? '' : ` **Next:** ${cell(p.hint)}`}`);
  if (diagnosis === undefined) return problems.length === 0 ? [] : ['', `#### ❌ ${cell(titleOf(result))}`, '', ...problems];
  const where = diagnosis.object === '' ? '' : ` ${cell(diagnosis.object)}${diagnosis.container === undefined ? '' : `, container ${cell(diagnosis.container)}`}:`;
  return [
    '',
    `#### ❌ ${cell(titleOf(result))}: \`${diagnosis.code}\``,
    '',
    `${where} ${cell(diagnosis.cause)}`.trim(),
    '',
    `**Next:** ${cell(diagnosis.next)}`,
    ...(diagnosis.events.length === 0 ? [] : ['', '<details><summary>events</summary>', '', ...block(diagnosis.events.slice(-10)), '', '</details>']),
    ...(result.log.length === 0 ? [] : ['', `Last ${result.log.length} log line${result.log.length === 1 ? '' : 's'}:`, '', ...block(result.log)]),
    ...(problems.length === 0 ? [] : ['', ...problems]),
  ];
}

export function deploySummary(result: ConvergeResult, facts: DeployFacts): string {
  const shown = result.instances.filter((i) => i.state !== 'unchanged' || result.instances.length <= 50);
  const hidden = result.instances.length - shown.length;
  const rows = shown.map(
    (i) => `| ${ICON[i.state]} | ${cell(titleOf(i))} | ${i.version === undefined ? '' : `\`${shortVersion(i.version)}\``} | ${cell(outcomeText(i))} | ${i.duration === 0 ? '' : formatDuration(i.duration)} |`,
  );
  const bad = result.instances.filter((i) => !isGood(i));
  const general = result.problems.filter((p) => p.severity === 'error').map((p) => `- \`${p.code}\` ${p.file === undefined ? '' : `${cell(p.file)}${p.line === undefined ? '' : `:${p.line}`}: `}${cell(p.message)}${p.hint === undefined ? '' : ` **Next:** ${cell(p.hint)}`}`);
  return [
    heading(result, facts),
    '',
    `Cluster ${cell(facts.cluster)} at ${cell(facts.server)}; soa-configs ${cell(facts.soaDir)}${facts.soaCommit === '' ? '' : ` at \`${facts.soaCommit.slice(0, 12)}\``}; ${result.writes} write${result.writes === 1 ? '' : 's'}, ${result.requests.reads + result.requests.writes} API requests, ${formatDuration(result.duration)}.`,
    ...(rows.length === 0 ? [] : ['', '| | instance | version | outcome | took |', '| --- | --- | --- | --- | --- |', ...rows]),
    ...(hidden === 0 ? [] : ['', `${hidden} more unchanged.`]),
    ...(general.length === 0 ? [] : ['', ...general]),
    ...bad.flatMap(failureMarkdown),
    ...(result.plan === undefined ? [] : ['', '<details><summary>plan</summary>', '', ...planMarkdown(result.plan, result.planHash), '', '</details>']),
    '',
    // A blank line: what is appended next would belong to the HTML block.
    '',
  ].join('\n');
}
