/** The job summary of a deploy, in Markdown. Everything that others wrote is made harmless. */
import { formatDuration } from '../contract/durations.ts';
import { fenced } from '../contract/markdown.ts';
import { shortVersion } from '../contract/deployment-version.ts';
import { isGood, type ConvergeResult, type InstanceResult } from './deploy-results.ts';
import { drainProofText } from './drain-proof.ts';
import { meanwhileText, outcomeText, titleOf } from './deploy-text.ts';
import { foreignLine } from './foreign.ts';
import { cell, planMarkdown } from './plan-markdown.ts';

export interface DeployFacts {
  readonly cluster: string;
  readonly server: string;
  readonly soaDir: string;
  /** Commit of soa-configs; empty when unknown. */
  readonly soaCommit: string;
  readonly mode: string;
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
  left: '⏭️',
  'not-marked': '➖',
};

function heading(result: ConvergeResult, facts: DeployFacts): string {
  const bad = result.instances.filter((i) => !isGood(i)).length;
  const failed = bad > 0 || result.problems.some((p) => p.severity === 'error');
  const word = result.cancelled
    ? 'cancelled'
    : failed
      ? bad > 0
        ? `failed: ${bad} of ${result.instances.length}`
        : 'failed'
      : facts.mode === 'plan'
        ? 'plan'
        : result.writes === 0
          ? 'nothing to do'
          : 'done';
  return `### paasta deploy to ${cell(facts.cluster)}: ${word}`;
}

function failureMarkdown(result: InstanceResult): readonly string[] {
  const { diagnosis } = result;
  const meanwhile = meanwhileText(result);
  const problems = result.problems
    .filter((p) => p.severity === 'error')
    .map((p) => `- \`${p.code}\` ${cell(p.message)}${p.hint === undefined ? '' : ` **Next:** ${cell(p.hint)}`}`);
  if (diagnosis === undefined) return problems.length === 0 ? [] : ['', `#### ❌ ${cell(titleOf(result))}`, '', ...problems];
  // Most causes begin with the container themselves.
  const named = diagnosis.container === undefined || diagnosis.cause.includes(`container ${diagnosis.container}`);
  const where =
    diagnosis.object === '' ? '' : ` ${cell(diagnosis.object)}${named ? '' : `, container ${cell(diagnosis.container ?? '')}`}:`;
  return [
    '',
    `#### ❌ ${cell(titleOf(result))}: \`${diagnosis.code}\``,
    '',
    `${where} ${cell(diagnosis.cause)}`.trim(),
    '',
    ...(meanwhile === undefined ? [] : [`**Meanwhile:** ${cell(meanwhile)}.`, '']),
    `**Next:** ${cell(diagnosis.next)}`,
    ...(diagnosis.events.length === 0
      ? []
      : ['', '<details><summary>events</summary>', '', ...block(diagnosis.events.slice(-10)), '', '</details>']),
    ...(result.log.length === 0
      ? []
      : ['', `Last ${result.log.length} log line${result.log.length === 1 ? '' : 's'}:`, '', ...block(result.log)]),
    ...(problems.length === 0 ? [] : ['', ...problems]),
  ];
}

/** One line for each instance whose pods ended. */
function drainMarkdown(result: ConvergeResult): readonly string[] {
  const lines = result.instances.flatMap((i) => {
    const text = i.drain === undefined ? undefined : drainProofText(i.drain);
    return text === undefined ? [] : [`- ${(i.drain?.violations.length ?? 0) > 0 ? '⚠️ ' : ''}${cell(titleOf(i))}: ${cell(text)}`];
  });
  return lines.length === 0 ? [] : ['', ...lines];
}

export function deploySummary(result: ConvergeResult, facts: DeployFacts): string {
  // The plan itself is the table of a plan.
  const isPlan = facts.mode === 'plan' && result.plan !== undefined;
  const told = isPlan ? result.instances.filter((i) => i.state !== 'planned') : result.instances;
  const shown = told.filter((i) => i.state !== 'unchanged' || told.length <= 50);
  const hidden = told.length - shown.length;
  const rows = shown.map(
    (i) =>
      `| ${ICON[i.state]} | ${cell(titleOf(i))} | ${i.version === undefined ? '' : `\`${shortVersion(i.version)}\``} | ${cell(outcomeText(i))} | ${i.duration === 0 ? '' : formatDuration(i.duration)} |`,
  );
  const bad = told.filter((i) => !isGood(i));
  const general = result.problems
    .filter((p) => p.severity === 'error')
    .map(
      (p) =>
        `- \`${p.code}\` ${p.file === undefined ? '' : `${cell(p.file)}${p.line === undefined ? '' : `:${p.line}`}: `}${cell(p.message)}${p.hint === undefined ? '' : ` **Next:** ${cell(p.hint)}`}`,
    );
  return [
    heading(result, facts),
    '',
    `Cluster ${cell(facts.cluster)} at ${cell(facts.server)}; soa-configs ${cell(facts.soaDir)}${facts.soaCommit === '' ? '' : ` at \`${facts.soaCommit.slice(0, 12)}\``}; ${result.writes} write${result.writes === 1 ? '' : 's'}, ${result.requests.reads + result.requests.writes} API requests, ${formatDuration(result.duration)}.`,
    ...(isPlan && result.plan !== undefined ? ['', ...planMarkdown(result.plan, result.planHash)] : []),
    ...(rows.length === 0 ? [] : ['', '| | instance | version | outcome | took |', '| --- | --- | --- | --- | --- |', ...rows]),
    ...(hidden === 0 ? [] : ['', `${hidden} more unchanged.`]),
    ...drainMarkdown(result),
    ...(general.length === 0 ? [] : ['', ...general]),
    ...bad.flatMap(failureMarkdown),
    ...(isPlan || result.plan === undefined
      ? []
      : ['', '<details><summary>plan</summary>', '', ...planMarkdown(result.plan, result.planHash), '', '</details>']),
    '',
    // A blank line: what is appended next would belong to the HTML block.
    '',
  ].join('\n');
}
