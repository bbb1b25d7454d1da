import type { Problem } from '../shared/contract/errors.ts';
import { cell, code, table } from '../shared/contract/markdown.ts';
import type { Runtime } from '../shared/contract/ports.ts';
import { shortVersion } from '../shared/contract/deployment-version.ts';
import { deploymentsFromFile, type Generated } from '../shared/deployments/index.ts';

/** What action-generate-deployments/action.yml promises. */
export const OUTPUTS = ['changed', 'services', 'failed', 'requests'] as const;

/** What became of a service. */
export interface Outcome {
  readonly service: string;
  /** `written` also stands for what a dry run would write. `failed`: its file is as it was. */
  readonly state: 'written' | 'unchanged' | 'failed';
  /** What changed, for people. */
  readonly changes: readonly string[];
  readonly problems: readonly Problem[];
}

export interface GenerateReport {
  readonly outcomes: readonly Outcome[];
  /** Requests to GitHub's API, and how many repositories they were about. */
  readonly requests: number;
  readonly repositories: number;
  readonly dryRun: boolean;
  /** Milliseconds. */
  readonly duration: number;
}

/** Rows of a table in the job summary: GitHub shows at most 1 MiB of it. */
const ROWS = 200;

/** Not generated, or only in part: what made an error. */
export function failedOnes({ outcomes }: Pick<GenerateReport, 'outcomes'>): readonly Outcome[] {
  return outcomes.filter(({ problems }) => problems.some(({ severity }) => severity === 'error'));
}

export function writtenOnes({ outcomes }: Pick<GenerateReport, 'outcomes'>): readonly Outcome[] {
  return outcomes.filter(({ state }) => state === 'written');
}

export function writeOutputs(runtime: Pick<Runtime, 'setOutput'>, report: GenerateReport): void {
  const written = writtenOnes(report);
  runtime.setOutput('changed', String(written.length > 0));
  runtime.setOutput('services', JSON.stringify(written.map(({ service }) => service)));
  runtime.setOutput('failed', JSON.stringify(failedOnes(report).map(({ service }) => service)));
  runtime.setOutput('requests', String(report.requests));
}

/** One sentence about the whole run. */
export function headline(report: GenerateReport): string {
  const { outcomes, requests, repositories, dryRun, duration } = report;
  const failed = failedOnes(report).length;
  const counts = [
    `${String(writtenOnes(report).length)} ${dryRun ? 'would be written' : 'written'}`,
    `${String(outcomes.filter(({ state }) => state === 'unchanged').length)} unchanged`,
    ...(failed === 0 ? [] : [`${String(failed)} failed`]),
  ].join(', ');
  const asked =
    repositories === 0
      ? ''
      : `; ${String(requests)} request${requests === 1 ? '' : 's'} to GitHub for ${String(repositories)} ${repositories === 1 ? 'repository' : 'repositories'}`;
  return `${dryRun ? 'dry run: ' : ''}deployments.json of ${String(outcomes.length)} service${outcomes.length === 1 ? '' : 's'}: ${counts}${asked} (${(duration / 1_000).toFixed(1)} s)`;
}

/** Job summary. */
export function generateSummary(report: GenerateReport): string {
  const [written, failed] = [writtenOnes(report), failedOnes(report)];
  const parts = ['### generate-deployments', '', `${headline(report)}.`, ''];
  if (failed.length > 0)
    parts.push(
      table(
        ['not generated', 'why', 'next step'],
        failed.slice(0, ROWS).map(({ service, problems }) => {
          const [first] = problems.filter(({ severity }) => severity === 'error');
          return [
            code(service),
            cell(
              `${first?.file === undefined ? '' : `${first.file}${first.line === undefined ? '' : `:${String(first.line)}`}: `}${first?.message ?? ''}`,
            ),
            cell(first?.hint ?? ''),
          ];
        }),
      ),
      '',
    );
  if (written.length > 0)
    parts.push(
      table(
        [report.dryRun ? 'would be written' : 'written', 'changes'],
        written
          .slice(0, ROWS)
          .map(({ service, changes }) => [code(service), cell(changes.slice(0, 10).join('\n') + (changes.length > 10 ? '\n…' : ''))]),
      ),
      '',
    );
  if (Math.max(failed.length, written.length) > ROWS)
    parts.push(`Only the first ${String(ROWS)} of each are shown; the outputs \`services\` and \`failed\` have all.`, '');
  return parts.join('\n');
}

/** How the new content differs from the old file, for people: versions of deploy groups, then starts, stops and restarts. */
export function changesBetween(service: string, previous: string | undefined, next: Generated): readonly string[] {
  const changes: string[] = [];
  const old = deploymentsFromFile(service, previous ?? '{"v2": {"deployments": {}, "controls": {}}}', '');
  for (const [group, { git_sha: sha, image_version: imageVersion }] of next.v2.deployments) {
    const before = old.version(group);
    if (before === undefined) changes.push(`${group}: ${shortVersion({ sha, imageVersion })}`);
    else if (before.sha !== sha || before.imageVersion !== imageVersion)
      changes.push(`${group}: ${shortVersion(before)} → ${shortVersion({ sha, imageVersion })}`);
  }
  for (const [key, { desired_state: state, force_bounce: token }] of next.v2.controls) {
    const branch = key.slice(service.length + 1);
    const before = old.control(branch);
    if (before.desiredState !== state) changes.push(`${branch}: ${state === 'stop' ? 'stopped' : 'started'}`);
    else if (before.forceBounce !== token) changes.push(`${branch}: ${token === null ? 'as marked' : `restarted at ${token}`}`);
  }
  const gone = groupsIn(previous).filter((group) => !next.v2.deployments.has(group));
  if (gone.length > 0) changes.push(`no longer: ${gone.join(', ')}`);
  return changes.length === 0 ? [previous === undefined ? 'nothing is marked yet' : 'instances'] : changes;
}

/** Deploy groups of an old file; none when it cannot be read. */
export function groupsIn(text: string | undefined): readonly string[] {
  try {
    const value = JSON.parse(text ?? '{}') as { readonly v2?: { readonly deployments?: object } } | null;
    return Object.keys(value?.v2?.deployments ?? {});
  } catch {
    return [];
  }
}
