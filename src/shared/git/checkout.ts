/** Questions to a checkout on disk. None of them talks to a server. */
import { problem, UserError } from '../contract/errors.ts';
import type { Run } from '../process/index.ts';

/** How `head` stands to `base`: `ahead` = it contains base, `behind` = base contains it. `unknown`: a commit or the history between is missing. */
export type CommitRelation = 'identical' | 'ahead' | 'behind' | 'diverged' | 'unknown';

const timeout = 30_000;

async function ask(run: Run, directory: string, argv: readonly string[]): Promise<{ code: number; text: string; stderr: string }> {
  const { code, stdout, stderr } = await run(['git', '-C', directory, ...argv], { timeout });
  return { code, text: stdout.trim(), stderr };
}

/** Commit that is checked out. Throws `UserError` NO_CHECKOUT. */
export async function headCommit(run: Run, directory: string): Promise<string> {
  const { code, text, stderr } = await ask(run, directory, ['rev-parse', '--verify', 'HEAD^{commit}']);
  if (code === 0) return text;
  const unsafe = stderr.includes('dubious ownership');
  throw new UserError(
    problem('NO_CHECKOUT', `'${directory}' is not a checkout with a commit: ${stderr.trim().split('\n')[0] ?? ''}`, {
      hint: unsafe ? `git config --global --add safe.directory ${directory}` : 'run actions/checkout first, or name the commit',
    }),
  );
}

/** Where `origin` points; `undefined` without a checkout or such a remote. */
export async function remoteUrl(run: Run, directory: string): Promise<string | undefined> {
  const { code, text } = await ask(run, directory, ['config', '--get', 'remote.origin.url']);
  return code === 0 && text !== '' ? text : undefined;
}

/** True when the checkout has this very commit. Partial clones are not asked to fetch it. */
export async function hasCommit(run: Run, directory: string, sha: string): Promise<boolean> {
  const { code, stdout } = await run(['git', '-C', directory, 'cat-file', '-t', sha], {
    timeout,
    env: { ...process.env, GIT_NO_LAZY_FETCH: '1' },
  });
  return code === 0 && stdout.trim() === 'commit';
}

/** Full id of the one commit of this checkout that begins so; `undefined` when there is none or several. */
export async function expandIn(run: Run, directory: string, beginning: string): Promise<string | undefined> {
  const { code, text } = await ask(run, directory, ['rev-parse', `--disambiguate=${beginning}`]);
  if (code !== 0) return undefined;
  const commits: string[] = [];
  for (const sha of text
    .split('\n')
    .filter((line) => line !== '')
    .slice(0, 20))
    if (await hasCommit(run, directory, sha)) commits.push(sha);
  return commits.length === 1 ? commits[0] : undefined;
}

/** True when one of the tips is the commit or a descendant of it, as far as this checkout knows them. */
export async function coveredBy(run: Run, directory: string, sha: string, tips: readonly string[]): Promise<boolean> {
  if (tips.includes(sha)) return true;
  const { code, stdout } = await run(['git', '-C', directory, 'rev-list', '--ignore-missing', '--max-count=1', '--stdin'], {
    timeout,
    input: `${[sha, ...[...new Set(tips)].map((tip) => `^${tip}`)].join('\n')}\n`,
  });
  return code === 0 && stdout.trim() === '';
}

export async function isShallow(run: Run, directory: string): Promise<boolean> {
  return (await ask(run, directory, ['rev-parse', '--is-shallow-repository'])).text !== 'false';
}

/** Ancestry from the objects at hand. */
export async function relationIn(run: Run, directory: string, base: string, head: string): Promise<CommitRelation> {
  if (base === head) return 'identical';
  const contains = async (ancestor: string, descendant: string): Promise<boolean | undefined> => {
    const { code } = await ask(run, directory, ['merge-base', '--is-ancestor', ancestor, descendant]);
    return code === 0 ? true : code === 1 ? false : undefined;
  };
  const ahead = await contains(base, head);
  if (ahead === true) return 'ahead';
  const behind = await contains(head, base);
  if (behind === true) return 'behind';
  return ahead === undefined || behind === undefined ? 'unknown' : 'diverged';
}
