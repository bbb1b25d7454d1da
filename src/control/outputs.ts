import { shortVersion } from '../shared/contract/deployment-version.ts';
import { cell, code, table } from '../shared/contract/markdown.ts';
import type { Runtime } from '../shared/contract/ports.ts';
import { controlEffect, type ControlOutcome, type ControlResult, type ControlState, type ControlVerb } from '../shared/marking/index.ts';

/** What action-control/action.yml promises. */
export const OUTPUTS = ['tags', 'changed', 'results'] as const;

/** Everything that a run came to. */
export interface ControlReport {
  readonly service: string;
  readonly verb: ControlVerb;
  readonly stopBindsTo: 'mark' | 'commit';
  readonly repository: string;
  readonly outcome: ControlOutcome;
}

/** Written before a failure is thrown, too. */
export function writeOutputs(runtime: Pick<Runtime, 'setOutput'>, { outcome }: Pick<ControlReport, 'outcome'>): void {
  const { results } = outcome;
  runtime.setOutput('tags', JSON.stringify(results.flatMap(({ tag }) => tag ?? [])));
  runtime.setOutput('changed', String(results.some(({ state }) => state === 'written')));
  runtime.setOutput(
    'results',
    JSON.stringify(
      results.map(({ cluster, instance, deployGroup, state, tag, version, before }) => ({
        cluster,
        instance,
        deploy_group: deployGroup,
        state,
        tag: tag ?? null,
        git_sha: version?.sha ?? null,
        image_version: version?.imageVersion ?? null,
        before: before ?? null,
      })),
    ),
  );
}

const PAST: Readonly<Record<ControlVerb, string>> = { start: 'started', stop: 'stopped', restart: 'restarted' };

/** One line for each instance. */
export function resultLine(verb: ControlVerb, { cluster, instance, state, tag, version, before }: ControlResult): string {
  const name = `${cluster}.${instance}`;
  const under = version === undefined ? '' : ` at ${shortVersion(version)}`;
  switch (state) {
    case 'written':
      return `${name}${under}: to be ${PAST[verb]} (${tag ?? ''})${verb === 'start' && before === 'start' ? '; it was not stopped: a start of it is a restart' : ''}`;
    case 'planned':
      return `${name}${under}: would be ${PAST[verb]} (${tag ?? ''})`;
    case 'unchanged':
      return `${name}${under}: already stopped (${tag ?? ''})`;
    case 'not-marked':
      return `${name}: nothing is marked for its deploy group`;
    case 'failed':
      return `${name}: failed`;
    case 'not-tried':
      return `${name}: not tried`;
  }
}

const SAID: Readonly<Record<ControlState, string>> = {
  written: 'tag written',
  planned: 'would be written',
  unchanged: 'no change',
  'not-marked': '**never marked**',
  failed: '**failed**',
  'not-tried': '**not tried**',
};

/** Job summary. */
export function controlSummary({ service, verb, stopBindsTo, repository, outcome }: ControlReport): string {
  const rows = outcome.results.map(({ cluster, instance, deployGroup, state, tag, version }) => [
    code(`${cluster}.${instance}`),
    code(deployGroup),
    version === undefined ? '' : code(shortVersion(version)),
    SAID[state],
    tag === undefined ? '' : code(tag),
  ]);
  const effects = [
    ...new Set(outcome.results.filter(({ version }) => version !== undefined).map((result) => controlEffect(verb, result, stopBindsTo))),
  ];
  return [
    `### ${verb}: ${service}`,
    '',
    `Tags of ${cell(repository)}.`,
    '',
    table(['instance', 'deploy group', 'version', '', 'tag'], rows),
    '',
    ...effects.map((effect) => `- ${cell(effect)}`),
    '',
  ].join('\n');
}
