import type { Runtime } from '../shared/contract/ports.ts';
import { cell } from '../shared/contract/markdown.ts';
import { shortVersion, type DeploymentVersion } from '../shared/contract/deployment-version.ts';
import type { MarkOutcome } from '../shared/marking/index.ts';

/** What action-mark-for-deployment/action.yml promises. */
export const OUTPUTS = ['tag', 'marked', 'commit', 'previous-commit', 'previous-image-version', 'compare-url', 'deployment-id'] as const;

/** Everything that a mark came to. */
export interface MarkReport {
  readonly service: string;
  readonly deployGroup: string;
  readonly version: DeploymentVersion;
  readonly repository: string;
  readonly outcome: MarkOutcome;
  /** `undefined`: there is nothing to compare with, or no page. */
  readonly compareUrl: string | undefined;
  readonly dryRun: boolean;
}

/** Writes all outputs but `deployment-id`; what does not exist is empty. */
export function writeOutputs(runtime: Pick<Runtime, 'setOutput'>, { outcome, version, compareUrl }: MarkReport): void {
  runtime.setOutput('tag', outcome.tag);
  runtime.setOutput('marked', String(outcome.marked));
  runtime.setOutput('commit', version.sha);
  runtime.setOutput('previous-commit', outcome.previous?.sha ?? '');
  runtime.setOutput('previous-image-version', outcome.previous?.imageVersion ?? '');
  runtime.setOutput('compare-url', compareUrl ?? '');
}

/** One sentence about what was done. */
export function headline({ deployGroup, version, outcome, dryRun }: MarkReport): string {
  const what = `${deployGroup} for ${shortVersion(version)}`;
  if (outcome.already) return `${what} was already marked`;
  return dryRun ? `dry run: would mark ${what}` : `marked ${what}`;
}

/** Job summary. */
export function markSummary(report: MarkReport, deploymentId: number | undefined): string {
  const { service, outcome, repository, compareUrl, version } = report;
  const { previous } = outcome;
  const rows: readonly (readonly [string, string])[] = [
    ['tag', `\`${outcome.tag}\``],
    ['repository', cell(repository)],
    ['commit', `\`${version.sha}\``],
    ...(version.imageVersion === null ? [] : [['image version', `\`${version.imageVersion}\``] as const]),
    [
      'before',
      previous === undefined
        ? 'nothing: the first mark of this group'
        : `\`${shortVersion(previous)}\` (\`${previous.tag}\`)${compareUrl === undefined || previous.sha === version.sha ? '' : `, [changes](${compareUrl})`}`,
    ],
    ...(outcome.digest === undefined ? [] : [['image', `\`${outcome.digest}\``] as const]),
    ...(deploymentId === undefined ? [] : [['GitHub deployment', String(deploymentId)] as const]),
    ...outcome.problems.map((found) => [found.severity, cell(found.message)] as const),
  ];
  return [
    `### mark-for-deployment: ${service}`,
    '',
    `${headline(report)}.`,
    '',
    '| | |',
    '| --- | --- |',
    ...rows.map(([name, value]) => `| ${name} | ${value} |`),
    '',
  ].join('\n');
}
