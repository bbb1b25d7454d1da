/** Addresses of pages and repositories. */

/** Page that compares two commits: `<server>/<owner>/<name>/compare/<base>...<head>`. */
export function serverCompareUrl(serverUrl: string, owner: string, name: string, base: string, head: string): string {
  return `${serverUrl}/${owner}/${name}/compare/${base}...${head}`;
}

export interface RepositoryAddress {
  readonly host: string;
  readonly owner: string;
  readonly name: string;
}

/**
 * Owner and name in a git address (`https://host/owner/name.git`, `ssh://git@host/owner/name`, `git@host:owner/name.git`).
 * `undefined` for everything else: local paths, and addresses with more or fewer parts.
 */
export function repositoryAddress(gitUrl: string): RepositoryAddress | undefined {
  const match =
    /^(?:(?:https?|ssh|git|git\+ssh):\/\/(?:[^@/]*@)?([^/]+)\/|(?:[^@/:]+@)?([^/:]+):(?!\/\/))([^/]+)\/([^/]+?)(?:\.git)?\/?$/.exec(gitUrl);
  const [, hostOfUrl, hostOfScp, owner, name] = match ?? [];
  const host = hostOfUrl ?? hostOfScp;
  if (host === undefined || owner === undefined || name === undefined) return undefined;
  return { host: host.toLowerCase(), owner, name };
}
