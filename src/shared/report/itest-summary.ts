import { shortVersion, type DeploymentVersion } from '../contract/deployment-version.ts';
import { formatDuration } from '../contract/durations.ts';
import { cell, code, details, fenced, table } from '../contract/markdown.ts';

export interface ItestReport {
  readonly target: string;
  readonly result: 'passed' | 'failed' | 'timed out' | 'no image';
  /** Milliseconds. */
  readonly duration: number;
  readonly service?: string;
  readonly version?: DeploymentVersion;
  readonly dockerTag?: string;
  readonly imageId?: string | undefined;
  /** Last lines of the output, for a failure. */
  readonly tail: readonly string[];
}

/** Job summary of itest. */
export function itestSummary(report: ItestReport): string {
  const rows: (readonly [string, string])[] = [];
  if (report.version !== undefined) rows.push(['version', code(shortVersion(report.version))]);
  if (report.dockerTag !== undefined) rows.push(['DOCKER_TAG', code(report.dockerTag)]);
  if (report.imageId !== undefined) rows.push(['image', code(report.imageId)]);
  rows.push(['duration', formatDuration(report.duration)]);
  const mark = report.result === 'passed' ? '✅' : '❌';
  const title = `### ${mark} make ${report.target}${report.service === undefined ? '' : ` for ${cell(report.service)}`}: ${report.result}`;
  const tail = report.tail.length === 0 ? '' : `\n\n${details('last lines of the output', fenced(report.tail.join('\n')))}`;
  return `${title}\n\n${table(['', ''], rows)}${tail}\n`;
}
