/** Deploy in plain text, for the job log and the terminal. */
import { formatDuration } from '../contract/durations.ts';
import { shortVersion } from '../contract/deployment-version.ts';
import { describeProblem } from '../contract/errors.ts';
import { describeEffect, describeReason } from '../plan/words.ts';
import type { Plan } from '../plan/types.ts';
import type { ConvergeResult, InstanceResult } from './deploy-results.ts';

/** Well-known forms of tokens: what a service writes to its log is not masked by anybody else. */
const TOKENS = /\b(gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_[A-Za-z0-9_]{20,255}|glpat-[A-Za-z0-9_-]{20,64}|xox[abprs]-[A-Za-z0-9-]{10,250}|AKIA[0-9A-Z]{16}|eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{5,2000})/g;
// eslint wants no control characters in patterns; escape sequences of terminals begin with one.
const ESCAPES = new RegExp(`${String.fromCharCode(27)}\\[[0-9;?]{0,20}[ -/]{0,5}[@-~]`, 'g');
const LONGEST_LINE = 500;

/** A line of somebody else's log: no terminal codes, no tokens, of bearable length. */
export function foreignLine(line: string): string {
  const clean = [...line.slice(0, 4_000).replace(ESCAPES, '').replace(TOKENS, '***')].filter((c) => c === '\t' || (c.codePointAt(0) ?? 0) >= 32).join('');
  return clean.length > LONGEST_LINE ? `${clean.slice(0, LONGEST_LINE)}…` : clean;
}

/** Columns of a table, padded. */
export function columns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.min(60, Math.max(...rows.map((row) => (row[i] ?? '').length))));
  return rows.map((row) => row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0))).join('  ').trimEnd());
}

const SYMBOL: Readonly<Record<string, string>> = { create: '+', update: '~', scale: '~', start: '~', stop: '~', unchanged: '=', blocked: '!' };

/** One line for every instance that changes, a count for those that do not. */
export function planText(plan: Plan, hash: string): readonly string[] {
  const changing = plan.instances.filter((i) => i.action !== 'unchanged');
  const rows = changing.map((i) => [
    `${SYMBOL[i.action] ?? '~'} ${i.rendered.service}.${i.rendered.instance}`,
    i.action,
    i.problems[0]?.message ?? i.reasons.map(describeReason).join('; '),
    describeEffect(i),
  ]);
  const others = [...plan.namespaces, ...plan.shared].map((s) => [`${s.action === 'create' ? '+' : '~'} ${s.title}`, s.action, s.reasons.map(describeReason).join('; '), '']);
  const unchanged = plan.instances.length - changing.length;
  const same = unchanged === 0 ? [] : [`= ${unchanged} instance${unchanged === 1 ? '' : 's'} unchanged`];
  if (rows.length + others.length === 0) return [`plan ${hash}: nothing to do`, ...same];
  return [`plan ${hash}:`, ...columns([['  what', 'action', 'why', 'effect'], ...others, ...rows]), ...same];
}

/** Like `web.main`. */
export function titleOf(result: InstanceResult): string {
  return `${result.service}.${result.instance}`;
}

/** The end of one instance in a few words. */
export function outcomeText(result: InstanceResult): string {
  switch (result.state) {
    case 'unchanged':
      return result.wanted === 0 ? 'unchanged, stopped' : `unchanged, ${result.ready}/${result.wanted} ready`;
    case 'deployed':
      return `deployed, ${result.ready}/${result.wanted} ready after ${formatDuration(result.duration)}`;
    case 'stopped':
      return 'stopped';
    case 'planned':
      return result.action === 'unchanged' ? 'unchanged' : `would ${result.action}`;
    case 'superseded':
      return `superseded by ${result.supersededBy ?? 'a newer version'}`;
    case 'not-marked':
      return `nothing: deploy group '${result.deployGroup}' was never marked`;
    case 'cancelled':
      return `cancelled at ${result.ready}/${result.wanted} ready; the cluster goes on by itself`;
    case 'timeout':
      return `timed out at ${result.ready}/${result.wanted} ready`;
    case 'blocked':
      return `blocked: ${result.problems.find((p) => p.severity === 'error')?.message ?? 'not ours'}`;
    case 'failed':
      return `failed${result.diagnosis === undefined ? '' : ` (${result.diagnosis.code})`} at ${result.ready}/${result.wanted} ready`;
  }
}

/** Why an instance failed: object, container, cause, events, log, next step. Empty when it did not. */
export function failureText(result: InstanceResult): readonly string[] {
  const { diagnosis } = result;
  const problems = result.problems.filter((p) => p.severity === 'error').map((p) => `  ${describeProblem(p).split('\n').join('\n  ')}`);
  if (diagnosis === undefined) return problems.length === 0 ? [] : [`${titleOf(result)}: ${result.state}`, ...problems];
  return [
    `${titleOf(result)}: ${diagnosis.code}`,
    ...(diagnosis.object === '' ? [] : [`  object: ${diagnosis.object}${diagnosis.container === undefined ? '' : `, container ${diagnosis.container}`}`]),
    `  cause: ${diagnosis.cause}`,
    ...(diagnosis.events.length === 0 ? [] : ['  events:', ...diagnosis.events.slice(-10).map((e) => `    ${foreignLine(e)}`)]),
    ...(result.log.length === 0 ? [] : [`  last ${result.log.length} log line${result.log.length === 1 ? '' : 's'}:`, ...result.log.map((l) => `    | ${foreignLine(l)}`)]),
    `  next: ${diagnosis.next}`,
    ...problems,
  ];
}

/** The table at the end. */
export function resultText(result: ConvergeResult): readonly string[] {
  const rows = result.instances.filter((i) => i.state !== 'unchanged' || result.instances.length <= 20).map((i) => [titleOf(i), i.version === undefined ? '-' : shortVersion(i.version), outcomeText(i)]);
  const unchanged = result.instances.filter((i) => i.state === 'unchanged').length;
  const { reads, writes } = result.requests;
  return [
    ...columns(rows),
    ...(unchanged > 0 && result.instances.length > 20 ? [`${unchanged} instances unchanged`] : []),
    `${result.writes} write${result.writes === 1 ? '' : 's'}, ${reads + writes} API requests, ${formatDuration(result.duration)}`,
  ];
}
