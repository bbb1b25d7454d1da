/** Deploy in plain text, for the job log and the terminal. */
import { formatDuration } from '../contract/durations.ts';
import { shortVersion } from '../contract/deployment-version.ts';
import { describeProblem } from '../contract/errors.ts';
import type { ConvergeResult, InstanceResult } from './deploy-results.ts';
import { columns, foreignLine } from './foreign.ts';

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
      return result.action === 'unchanged'
        ? 'unchanged'
        : `would ${result.action}${result.problems.some((p) => p.severity === 'error') ? ', and be refused' : ''}`;
    case 'left':
      return 'left for the next pass (rate limit)';
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

/** Who serves while it failed, which is what a person who was woken asks first; `undefined`: not known. */
export function meanwhileText({ stillReady }: InstanceResult): string | undefined {
  if (stillReady === undefined) return undefined;
  if (stillReady.length === 0) return 'no pod of it is ready';
  const parts = stillReady.map(({ version, pods }) => `${pods} pod${pods === 1 ? '' : 's'} of ${version}`);
  return `${parts.join(' and ')} ${stillReady.length === 1 && stillReady[0]?.pods === 1 ? 'is' : 'are'} ready`;
}

/** Why an instance failed: object, container, cause, who serves, events, log, next step. Empty when it did not. */
export function failureText(result: InstanceResult): readonly string[] {
  const { diagnosis } = result;
  const meanwhile = meanwhileText(result);
  const problems = result.problems.filter((p) => p.severity === 'error').map((p) => `  ${describeProblem(p).split('\n').join('\n  ')}`);
  if (diagnosis === undefined)
    return problems.length === 0
      ? []
      : [`${titleOf(result)}: ${result.state === 'planned' ? 'would be refused' : result.state}`, ...problems];
  return [
    `${titleOf(result)}: ${diagnosis.code}`,
    ...(diagnosis.object === ''
      ? []
      : [`  object: ${diagnosis.object}${diagnosis.container === undefined ? '' : `, container ${diagnosis.container}`}`]),
    `  cause: ${diagnosis.cause}`,
    ...(meanwhile === undefined ? [] : [`  meanwhile: ${meanwhile}`]),
    ...(diagnosis.events.length === 0 ? [] : ['  events:', ...diagnosis.events.slice(-10).map((e) => `    ${foreignLine(e)}`)]),
    ...(result.log.length === 0
      ? []
      : [
          `  last ${result.log.length} log line${result.log.length === 1 ? '' : 's'}:`,
          ...result.log.map((l) => `    | ${foreignLine(l)}`),
        ]),
    `  next: ${diagnosis.next}`,
    ...problems,
  ];
}

/** The table at the end. */
export function resultText(result: ConvergeResult): readonly string[] {
  const rows = result.instances
    .filter((i) => i.state !== 'unchanged' || result.instances.length <= 20)
    .map((i) => [titleOf(i), i.version === undefined ? '-' : shortVersion(i.version), outcomeText(i)]);
  const unchanged = result.instances.filter((i) => i.state === 'unchanged').length;
  const { reads, writes } = result.requests;
  return [
    ...columns(rows),
    ...(unchanged > 0 && result.instances.length > 20 ? [`${unchanged} instances unchanged`] : []),
    `${result.writes} write${result.writes === 1 ? '' : 's'}, ${reads + writes} API requests, ${formatDuration(result.duration)}`,
  ];
}
