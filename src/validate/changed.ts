/** Which services a change touches, as the checkout knows it. */
import { warning, type Problem } from '../shared/contract/errors.ts';
import type { Run } from '../shared/process/index.ts';

export interface Changed {
  /** `undefined`: all of them have to be looked at. */
  readonly services: readonly string[] | undefined;
  /** Why all services are looked at. */
  readonly problem?: Problem;
}

const timeout = 60_000;

/**
 * Services with files that differ between the working tree and the newest commit that it has in common with a base. `bases`: what may be
 * compared with, best first. When git cannot say, or something that all services share has changed, all services count.
 */
export async function changedServices(run: Run, soaPath: string, systemPath: string, bases: readonly string[]): Promise<Changed> {
  const git = (directory: string, argv: readonly string[]): ReturnType<Run> => run(['git', '-C', directory, ...argv], { timeout });
  for (const base of bases) {
    const known = await git(soaPath, ['rev-parse', '--verify', '--quiet', '--end-of-options', `${base}^{commit}`]);
    if (known.code !== 0) continue;
    const sha = known.stdout.trim();
    const common = await git(soaPath, ['merge-base', sha, 'HEAD']);
    // Without the history between them the base itself does: then services that changed there count, too.
    const from = common.code === 0 ? common.stdout.trim() : sha;
    const differing = await git(soaPath, ['diff', '--name-only', '--no-renames', '-z', '--relative', from, '--', '.']);
    const added = await git(soaPath, ['ls-files', '--others', '--exclude-standard', '-z', '--', '.']);
    if (differing.code !== 0) continue;
    const system = await git(systemPath, ['diff', '--quiet', from, '--', '.']);
    if (system.code === 1)
      return {
        services: undefined,
        problem: { severity: 'notice', code: 'ALL_SERVICES', message: 'the system configuration has changed: all services are validated' },
      };
    const paths = `${differing.stdout}\0${added.stdout}`.split('\0').filter((path) => path !== '');
    const shared = paths.find((path) => !path.includes('/') || path.startsWith('_shared/'));
    if (shared !== undefined)
      return {
        services: undefined,
        problem: {
          severity: 'notice',
          code: 'ALL_SERVICES',
          message: `${shared} has changed, which concerns all services: all are validated`,
        },
      };
    return { services: [...new Set(paths.map((path) => path.slice(0, path.indexOf('/'))))].filter((name) => !name.startsWith('.')).sort() };
  }
  const tried = bases.length === 0 ? 'there is no base to compare with' : `the checkout does not have ${bases.join(' or ')}`;
  return {
    services: undefined,
    problem: warning('CHANGES_UNKNOWN', `nobody can say what has changed (${tried}): all services are validated`, {
      input: 'changed-only',
      hint: 'check out with fetch-depth: 0, or name the base',
    }),
  };
}
