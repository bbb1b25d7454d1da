/** What a checkout says about itself: its service, its commit, whether it is clean. */
import { problem, UserError } from '../contract/errors.ts';
import { suggestName } from '../contract/near.ts';
import type { Runtime, TreeReader } from '../contract/ports.ts';
import { withoutTrailing } from '../contract/trailing.ts';
import { normaliseServiceName, quoted, serviceNameProblem } from '../contract/validity.ts';
import type { Run } from '../process/index.ts';

/** The checked out commit. Throws `UserError` NO_CHECKOUT when the directory is none. */
export async function currentCommit(run: Run, directory: string): Promise<string> {
  const { code, stdout, stderr } = await run(['git', '-C', directory, 'rev-parse', '--verify', 'HEAD^{commit}'], { timeout: 30_000 });
  const sha = stdout.trim();
  if (code === 0 && /^[0-9a-f]{40}$/.test(sha)) return sha;
  const unsafe = stderr.includes('dubious ownership');
  throw new UserError(
    problem('NO_CHECKOUT', `the commit is not given and ${quoted(directory)} has none: ${stderr.trim().split('\n')[0] ?? ''}`, {
      input: 'commit',
      hint: unsafe
        ? `run git config --global --add safe.directory ${directory}, or give 'commit'`
        : "run actions/checkout before this step, or give 'commit'",
    }),
  );
}

/** Files that differ from HEAD, at most 20. Nested checkouts and the ignored paths (relative to the directory) do not count. */
export async function uncommittedFiles(run: Run, directory: string, ignored: readonly string[] = []): Promise<readonly string[]> {
  const excluded = ignored
    .map(
      (path) =>
        path
          .replace(/^\.\//, '')
          .replace(/\/\.?$/, '')
          .split('/')[0] ?? '',
    )
    .filter((path) => path !== '' && path !== '.' && path !== '..');
  const { code, stdout } = await run(
    [
      'git',
      '-C',
      directory,
      'status',
      '--porcelain',
      '--untracked-files=normal',
      '-z',
      '--',
      '.',
      ...excluded.map((path) => `:(exclude,top)${path}`),
    ],
    { timeout: 60_000 },
  );
  if (code !== 0) return [];
  return stdout
    .split('\0')
    .filter((entry) => /^[ MADRCU?!]{2} /.test(entry))
    .map((entry) => entry.slice(3))
    .slice(0, 20);
}

/** Where `origin` points; `undefined` without a checkout or a remote. */
export async function originUrl(run: Run, directory: string): Promise<string | undefined> {
  const { code, stdout } = await run(['git', '-C', directory, 'config', '--get', 'remote.origin.url'], { timeout: 30_000 });
  return code === 0 && stdout.trim() !== '' ? stdout.trim() : undefined;
}

/**
 * The service that is meant when none is named: the repository's name (`GITHUB_REPOSITORY`, else `origin`), without
 * `services-`, when soa-configs has a directory of that name; else the one service whose `git_url` is this repository.
 * Without a soa-configs tree at all the repository's name has to do. Throws `UserError` NO_SERVICE.
 */
export async function currentService(
  runtime: Pick<Runtime, 'env' | 'workingDirectory'>,
  run: Run,
  soaConfigs: TreeReader,
): Promise<string> {
  const origin = runtime.env['GITHUB_REPOSITORY'] === undefined ? await originUrl(run, runtime.workingDirectory) : undefined;
  const repository = runtime.env['GITHUB_REPOSITORY'] ?? repositoryOf(origin);
  const names = soaConfigs
    .list('')
    .filter((entry) => entry.kind === 'directory' && !/^[._]/.test(entry.name))
    .map((entry) => entry.name);
  const own = repository?.split('/').at(-1);
  const wanted = own === undefined ? undefined : normaliseServiceName(own.toLowerCase());
  if (wanted !== undefined) {
    for (const name of [wanted, own ?? wanted]) if (names.includes(name)) return name;
    if (names.length === 0 && serviceNameProblem(wanted) === undefined) return wanted;
  }
  const byUrl =
    repository === undefined ? [] : names.filter((name) => sameRepository(gitUrlOf(soaConfigs.read(`${name}/service.yaml`)), repository));
  if (byUrl.length === 1) return byUrl[0] as string;
  throw new UserError(
    problem(
      'NO_SERVICE',
      byUrl.length > 1
        ? `service: several services of ${soaConfigs.root} have this repository as git_url: ${byUrl.join(', ')}`
        : `service: it is not given, and ${own === undefined ? 'the checkout has no origin that would tell' : `soa-configs (${soaConfigs.root}) has no service ${quoted(wanted ?? '')}`}`,
      { input: 'service', hint: wanted === undefined ? "give 'service'" : `give 'service'; ${suggestName(wanted, names)}` },
    ),
  );
}

/** Throws `UserError` UNKNOWN_SERVICE when there is a soa-configs tree and it has no such service. PaaSTA: `NoSuchService`. */
export function requireService(service: string, soaConfigs: TreeReader): void {
  const names = soaConfigs
    .list('')
    .filter((entry) => entry.kind === 'directory' && !/^[._]/.test(entry.name))
    .map((entry) => entry.name);
  if (names.length === 0 || names.includes(service)) return;
  throw new UserError(
    problem('UNKNOWN_SERVICE', `service: ${quoted(service)} is not a directory of ${soaConfigs.root}`, {
      input: 'service',
      hint: suggestName(service, names),
    }),
  );
}

/** `owner/name` (the last two parts of the path) of a git address. */
function repositoryOf(url: string | undefined): string | undefined {
  if (url === undefined) return undefined;
  const parts = withoutTrailing(url, '/')
    .replace(/\.git$/, '')
    .split(/[/:]/)
    .filter((part) => part !== '');
  return parts.length === 0 ? undefined : parts.slice(-2).join('/');
}

function sameRepository(url: string | undefined, repository: string): boolean {
  return repositoryOf(url)?.toLowerCase() === repository.toLowerCase();
}

/** `git_url` of a service.yaml, read without a YAML parser: it is only a guess about which service is meant. */
function gitUrlOf(text: string | undefined): string | undefined {
  return /^git_url:\s*['"]?([^\s'"#]+)/m.exec(text ?? '')?.[1];
}
