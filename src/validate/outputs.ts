import { describeProblem, type Problem } from '../shared/contract/errors.ts';
import { cell, code, table } from '../shared/contract/markdown.ts';
import type { Log, Runtime } from '../shared/contract/ports.ts';
import type { CheckAnnotation, NewCheckRun } from '../shared/github/index.ts';

/** What action-validate/action.yml promises. */
export const OUTPUTS = ['ok', 'errors', 'warnings', 'services', 'problems', 'sarif-file', 'json-file', 'check-run-id'] as const;

/** What one service came to. */
export interface ServiceReport {
  readonly service: string;
  /** Names of the checks that failed. */
  readonly failed: readonly string[];
  readonly errors: number;
  readonly warnings: number;
}

/** Everything that a run came to. Files of the problems are relative to the root of the repository. */
export interface ValidateReport {
  readonly services: readonly ServiceReport[];
  /** In order of file and line. */
  readonly problems: readonly Problem[];
  readonly failOn: 'error' | 'warning';
}

/** GitHub shows so many annotations of a severity from one step and drops the rest without a word. */
const MOST_COMMANDS = 10;
const MOST_ROWS = 200;
const MOST_IN_OUTPUT = 500;

export function countOf(problems: readonly Problem[], severity: Problem['severity']): number {
  return problems.filter((found) => found.severity === severity).length;
}

export function hasFailed({ problems, failOn }: Pick<ValidateReport, 'problems' | 'failOn'>): boolean {
  return problems.some(({ severity }) => severity === 'error' || (failOn === 'warning' && severity === 'warning'));
}

/** `2 errors, 1 warning in 3 services`. */
export function headline({ services, problems }: ValidateReport): string {
  const count = (number: number, what: string): string => `${String(number)} ${what}${number === 1 ? '' : 's'}`;
  return `${count(countOf(problems, 'error'), 'error')}, ${count(countOf(problems, 'warning'), 'warning')} in ${count(services.length, 'service')}`;
}

/** All outputs but those of files and of the check run, which their makers write. */
export function writeOutputs(runtime: Pick<Runtime, 'setOutput'>, report: ValidateReport): void {
  const { services, problems } = report;
  runtime.setOutput('ok', String(!hasFailed(report)));
  runtime.setOutput('errors', String(countOf(problems, 'error')));
  runtime.setOutput('warnings', String(countOf(problems, 'warning')));
  runtime.setOutput('services', JSON.stringify(services.map(({ service }) => service)));
  runtime.setOutput('problems', JSON.stringify(loudestFirst(problems).slice(0, MOST_IN_OUTPUT).map(plain)));
}

function plain({ severity, code: id, message, hint, file, line, column }: Problem): Readonly<Record<string, unknown>> {
  return { severity, code: id, message, hint: hint ?? null, file: file ?? null, line: line ?? null, column: column ?? null };
}

/** The report as JSON, whole. */
export function json(report: ValidateReport): string {
  const { services, problems } = report;
  return `${JSON.stringify({ ok: !hasFailed(report), errors: countOf(problems, 'error'), warnings: countOf(problems, 'warning'), services, problems: problems.map(plain) }, null, 2)}\n`;
}

/** Errors before warnings before notices; within them the order stays. */
export function loudestFirst(problems: readonly Problem[]): readonly Problem[] {
  const rank = { error: 0, warning: 1, notice: 2 } as const;
  return [...problems].sort((a, b) => rank[a.severity] - rank[b.severity]);
}

/** As many annotations as GitHub shows; all others as lines of the log. */
export async function annotate(log: Log, problems: readonly Problem[], most = MOST_COMMANDS): Promise<void> {
  const rest: Problem[] = [];
  const told = new Map<string, number>();
  for (const found of loudestFirst(problems)) {
    const before = told.get(found.severity) ?? 0;
    told.set(found.severity, before + 1);
    if (before < most) log.problem(found);
    else rest.push(found);
  }
  if (rest.length === 0) return;
  await log.group(`${String(rest.length)} more`, () => {
    for (const found of rest) log.info(`${found.severity}: ${describeProblem(found)} [${found.code}]`);
    return Promise.resolve();
  });
}

/** Job summary, and text of the check run. */
export function summary(report: ValidateReport): string {
  const { services, problems } = report;
  const title = `### validate: ${headline(report)}`;
  if (problems.length === 0) return `${title}\n\n${services.length === 0 ? 'No service has changed.' : 'All files are valid.'}\n`;
  const rows = loudestFirst(problems)
    .slice(0, MOST_ROWS)
    .map((found) => [
      found.severity,
      found.file === undefined
        ? ''
        : code(
            `${found.file}${found.line === undefined ? '' : `:${String(found.line)}${found.column === undefined ? '' : `:${String(found.column)}`}`}`,
          ),
      cell(found.message),
      cell(found.hint ?? ''),
      code(found.code),
    ]);
  const more = problems.length > MOST_ROWS ? `\n\nand ${String(problems.length - MOST_ROWS)} more: see the log.` : '';
  return `${title}\n\n${table(['', 'where', 'what', 'next step', 'code'], rows)}${more}\n`;
}

/** The check run; problems of files outside the repository are in its text only. */
export function checkRunOf(report: ValidateReport, sha: string, detailsUrl: string): NewCheckRun {
  const { problems } = report;
  return {
    name: 'paasta validate',
    sha,
    conclusion: hasFailed(report) ? 'failure' : countOf(problems, 'warning') > 0 ? 'neutral' : 'success',
    title: headline(report),
    summary: summary(report),
    annotations: loudestFirst(problems).flatMap((found): readonly CheckAnnotation[] => {
      if (found.file === undefined || /^(?:\/|\.\.(?:\/|$)|[A-Za-z]:)/.test(found.file)) return [];
      const level = found.severity === 'error' ? 'failure' : found.severity;
      return [
        {
          path: found.file,
          startLine: found.line ?? 1,
          level,
          title: found.code,
          message: found.hint === undefined ? found.message : `${found.message}\nnext: ${found.hint}`,
        },
      ];
    }),
    detailsUrl,
  };
}

/** One line for each service, as PaaSTA has it. */
export function serviceLine({ service, failed, errors, warnings }: ServiceReport): string {
  const counts = [
    ...(errors > 0 ? [`${String(errors)} error${errors === 1 ? '' : 's'}`] : []),
    ...(warnings > 0 ? [`${String(warnings)} warning${warnings === 1 ? '' : 's'}`] : []),
  ].join(', ');
  return `${errors > 0 ? '✗' : '✓'} ${service}${counts === '' ? '' : `: ${counts}`}${failed.length === 0 ? '' : ` (${failed.join(', ')})`}`;
}
