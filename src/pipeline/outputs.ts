import { cell, code, table } from '../shared/contract/markdown.ts';
import type { Runtime } from '../shared/contract/ports.ts';
import { deployGroupsOf, type FlatStep } from './steps.ts';

/** What action-pipeline/action.yml promises. */
export const OUTPUTS = ['steps', 'deploy-groups', 'matrix', 'deploy-matrix'] as const;

export function writeOutputs(runtime: Pick<Runtime, 'setOutput'>, steps: readonly FlatStep[]): void {
  const running = steps.filter(({ disabled }) => !disabled);
  runtime.setOutput('steps', JSON.stringify(steps));
  runtime.setOutput('deploy-groups', JSON.stringify(deployGroupsOf(steps)));
  runtime.setOutput('matrix', JSON.stringify({ include: running }));
  runtime.setOutput('deploy-matrix', JSON.stringify({ include: running.filter(({ kind }) => kind === 'deploy') }));
}

function settingsText({ settings }: FlatStep): string {
  return Object.entries(settings)
    .filter(([key]) => key !== 'trigger_next_step_manually')
    .map(([key, value]) => `${key}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(', ');
}

/** Aligned lines for a log or a terminal. */
export function pipelineLines(steps: readonly FlatStep[]): readonly string[] {
  const rows = [
    ['STAGE', 'STEP', 'KIND', 'NEEDS', 'SETTINGS'],
    ...steps.map((one) => [
      String(one.stage),
      one.id,
      one.disabled ? `${one.kind} (disabled)` : one.kind,
      one.needs.join(', ') || '-',
      settingsText(one),
    ]),
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((text, column) => text.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** Job summary. */
export function pipelineSummary(service: string, steps: readonly FlatStep[]): string {
  const rows = steps.map((one) => [
    String(one.stage),
    code(one.id),
    one.disabled ? `${one.kind} (disabled)` : one.kind,
    one.needs.map(code).join(', '),
    cell(settingsText(one)),
  ]);
  return [`### pipeline: ${cell(service)}`, '', table(['stage', 'step', 'kind', 'needs', 'settings'], rows), ''].join('\n');
}
