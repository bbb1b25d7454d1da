/** Where the marks of a service live: GitHub's API when we can, plain git otherwise. */
import { isCommit } from '../shared/contract/commit.ts';
import { problem, UserError } from '../shared/contract/errors.ts';
import type { Runtime } from '../shared/contract/ports.ts';
import { repositoryAddress, serverUrlOf, type GitHub, type GitHubRepository } from '../shared/github/index.ts';
import type { MarkRepository } from '../shared/marking/index.ts';
import type { MarkInputs } from './inputs.ts';

/** A repository reached by plain git. */
export interface GitPlace extends MarkRepository {
  /** Full id of a commit of which some ref, or the checkout, knows the beginning; `undefined` when none or several do. */
  expandCommit(text: string): Promise<string | undefined>;
}

export interface Place {
  readonly repository: MarkRepository;
  expandCommit(text: string): Promise<string | undefined>;
  /** Page that compares two commits; `undefined` when there is none. */
  compareUrl(base: string, head: string): string | undefined;
  /** Set when marks are made through GitHub's API. */
  readonly github: GitHubRepository | undefined;
  /** For messages. */
  readonly name: string;
}

export interface PlaceWorld {
  connect(options: { readonly apiUrl: string; readonly token: string }): GitHub;
  git(url: string): GitPlace;
}

const PUBLIC_API = 'https://api.github.com';

/**
 * Chooses the repository: the inputs, else `git_url` of service.yaml when it is on the same GitHub server, else the repository of
 * the job, else `git_url` or `origin` as they are. GitHub's API is used where the server is GitHub's and a token is there.
 */
export async function choosePlace(runtime: Runtime, inputs: MarkInputs, configuredUrl: string | null | undefined, origin: () => Promise<string | undefined>, world: PlaceWorld): Promise<Place> {
  const { env, log } = runtime;
  const { githubToken: token, gitUrl } = inputs;
  const apiUrl = inputs.githubApiUrl ?? PUBLIC_API;
  const serverHost = new URL(serverUrlOf(apiUrl)).host.toLowerCase();
  const onServer = (url: string): string | undefined => {
    const address = repositoryAddress(url);
    return address?.host === serverHost ? `${address.owner}/${address.name}` : undefined;
  };
  const byApi = (fullName: string): Place => {
    const [owner = '', name = ''] = fullName.split('/');
    const repository = world.connect({ apiUrl, token }).repository(owner, name);
    log.debug(`mark: ${fullName} through ${apiUrl}`);
    return { repository, github: repository, name: fullName, expandCommit: (text) => repository.expandCommit(text), compareUrl: (base, head) => repository.compareUrl(base, head) };
  };
  const byGit = (url: string): Place => {
    const repository = world.git(url);
    const shown = url.replace(/\/\/[^@/]*@/, '//***@');
    log.debug(`mark: ${shown} by plain git`);
    return { repository, github: undefined, name: shown, expandCommit: (text) => repository.expandCommit(text), compareUrl: () => undefined };
  };
  const byUrl = (url: string): Place => {
    const fullName = onServer(url);
    return fullName !== undefined && token !== '' ? byApi(fullName) : byGit(url);
  };

  if (inputs.repository !== undefined) return byApi(inputs.repository);
  if (gitUrl !== undefined) return byUrl(gitUrl);
  if (configuredUrl === null) throw new UserError(problem('NO_REPOSITORY', 'service.yaml says git_url: null: the service has no repository that could be marked', { input: 'git-url', hint: 'give git-url or repository, or set git_url in service.yaml' }));
  const own = env['GITHUB_REPOSITORY'];
  if (own !== undefined && own !== '') {
    const configured = configuredUrl === undefined ? undefined : onServer(configuredUrl);
    if (configured !== undefined && configured.toLowerCase() !== own.toLowerCase()) log.info(`marking in ${configured}, which service.yaml names as git_url (this job runs in ${own})`);
    return byApi(configured ?? own);
  }
  const url = configuredUrl ?? (await origin());
  if (url === undefined) throw new UserError(problem('NO_REPOSITORY', 'it is not known which repository is to be marked: service.yaml has no git_url and the checkout no origin', { input: 'git-url', hint: 'give git-url (or repository)' }));
  return byUrl(url);
}

/** Full id of the commit that is to be marked. A short one is expanded by the server: it must know exactly one. */
export async function fullCommit(text: string, place: Place): Promise<string> {
  const commit = text.toLowerCase();
  if (isCommit(commit)) return commit;
  const found = await place.expandCommit(commit);
  // A branch or tag can have a name of hexadecimal digits: what it points at is not what was meant.
  if (found?.startsWith(commit) === true && isCommit(found)) return found;
  throw new UserError(problem('UNKNOWN_COMMIT', `commit: '${commit}' is not the beginning of exactly one commit that ${place.name} knows`, { input: 'commit', hint: 'push the commit first, or give all 40 digits' }));
}
