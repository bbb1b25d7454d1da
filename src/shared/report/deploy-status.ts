/** What a GitHub Deployment shows of a deploy. */
import { shortVersion } from '../contract/deployment-version.ts';
import { isGood, type InstanceResult } from './deploy-results.ts';
import { titleOf } from './deploy-text.ts';

/** GitHub refuses longer descriptions. */
const LIMIT = 140;

export interface DeploymentStatus {
  readonly state: 'in_progress' | 'success' | 'failure' | 'inactive';
  readonly description: string;
}

function short(text: string): string {
  const characters = [...text.replace(/\s+/g, ' ')];
  return characters.length <= LIMIT ? characters.join('') : `${characters.slice(0, LIMIT - 1).join('')}…`;
}

export function startedStatus(cluster: string): DeploymentStatus {
  return { state: 'in_progress', description: short(`deploying to ${cluster}`) };
}

/** Of the instances of one deploy group. */
export function finalStatus(cluster: string, results: readonly InstanceResult[]): DeploymentStatus {
  const bad = results.filter((r) => !isGood(r));
  const first = bad[0];
  if (first !== undefined) {
    const code =
      first.state === 'cancelled'
        ? 'cancelled'
        : (first.diagnosis?.code ?? first.problems.find((p) => p.severity === 'error')?.code ?? first.state);
    const cause = first.diagnosis?.cause ?? first.problems.find((p) => p.severity === 'error')?.message ?? '';
    return {
      state: 'failure',
      description: short(
        `${cluster}: ${titleOf(first)} ${code}${bad.length > 1 ? ` (and ${bad.length - 1} more)` : ''}${cause === '' ? '' : `: ${cause}`}`,
      ),
    };
  }
  if (results.length > 0 && results.every((r) => r.state === 'superseded'))
    return { state: 'inactive', description: short(`${cluster}: superseded by ${results[0]?.supersededBy ?? 'a newer version'}`) };
  const version = results.find((r) => r.version !== undefined)?.version;
  return {
    state: 'success',
    description: short(
      `${cluster}: ${results.length} instance${results.length === 1 ? '' : 's'}${version === undefined ? '' : ` of ${shortVersion(version)}`} ${results.every((r) => r.state === 'unchanged') ? 'unchanged' : 'running'}`,
    ),
  };
}
