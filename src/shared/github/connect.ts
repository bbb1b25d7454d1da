/**
 * The way to GitHub's API. Octokit is loaded with the first request: what a stage does before that (the registry, files) does not
 * wait for it.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { serverCompareUrl } from './addresses.ts';
import { checkedApiUrl, serverUrlFor, type ConnectOptions } from './options.ts';
import type { GitHub, GitHubRepository } from './types.ts';

/** Throws `UserError`: INVALID_API_URL, NO_GITHUB_TOKEN, INVALID_PROXY. Asks nobody yet. */
export function connectGitHub(options: ConnectOptions): GitHub {
  const apiUrl = checkedApiUrl(options);
  options.mask(options.token);
  const serverUrl = serverUrlFor(apiUrl, options.env);
  let opened: Promise<(owner: string, name: string) => GitHubRepository> | undefined;
  const open = (): typeof opened & object => {
    // What others began in this turn gets on its way first: reading Octokit in stops everything for a while.
    opened ??= nextTurn()
      .then(() => import('./open.ts'))
      .then(({ openRepositories }) => openRepositories(options));
    return opened;
  };
  return { apiUrl, serverUrl, repository: (owner, name) => later(owner, name, serverUrl, async () => (await open())(owner, name)) };
}

/** A repository whose operations wait for the client to be loaded. */
function later(owner: string, name: string, serverUrl: string, load: () => Promise<GitHubRepository>): GitHubRepository {
  const method =
    <A extends readonly unknown[], R>(pick: (repository: GitHubRepository, ...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> =>
      pick(await load(), ...args);
  return {
    owner,
    name,
    compareUrl: (base, head) => serverCompareUrl(serverUrl, owner, name, base, head),
    listRefs: method((r, prefix: string) => r.listRefs(prefix)),
    createTag: method((r, tag: string, sha: string) => r.createTag(tag, sha)),
    refSha: method((r, ref: string) => r.refSha(ref)),
    commitExists: method((r, sha: string) => r.commitExists(sha)),
    expandCommit: method((r, text: string) => r.expandCommit(text)),
    relation: method((r, base: string, head: string) => r.relation(base, head)),
    compare: method((r, base: string, head: string) => r.compare(base, head)),
    createDeployment: method((r, ...args: Parameters<GitHubRepository['createDeployment']>) => r.createDeployment(...args)),
    newestDeployment: method((r, ...args: Parameters<GitHubRepository['newestDeployment']>) => r.newestDeployment(...args)),
    createDeploymentStatus: method((r, ...args: Parameters<GitHubRepository['createDeploymentStatus']>) =>
      r.createDeploymentStatus(...args),
    ),
    createComment: method((r, issue: number, body: string) => r.createComment(issue, body)),
    updateComment: method((r, id: number, body: string) => r.updateComment(id, body)),
    listComments: method((r, issue: number) => r.listComments(issue)),
    createCheckRun: method((r, ...args: Parameters<GitHubRepository['createCheckRun']>) => r.createCheckRun(...args)),
    dispatchWorkflow: method((r, ...args: Parameters<GitHubRepository['dispatchWorkflow']>) => r.dispatchWorkflow(...args)),
  };
}
