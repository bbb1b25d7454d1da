/** Where the marks of a service live: GitHub's API when we can, plain git otherwise. */
import { isCommit } from '../shared/contract/commit.ts';
import { problem, UserError } from '../shared/contract/errors.ts';
import type { Runtime } from '../shared/contract/ports.ts';
import { repositoryAddress, serverUrlOf, type GitHub, type GitHubRepository } from '../shared/github/index.ts';
import { findPlace, type MarkRepository } from '../shared/marking/index.ts';
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

/** The repository by the rules of `findPlace`, with what marking needs of it. */
export async function choosePlace(
  runtime: Runtime,
  inputs: MarkInputs,
  configuredUrl: string | null | undefined,
  origin: () => Promise<string | undefined>,
  world: PlaceWorld,
): Promise<Place> {
  const { githubToken: token, gitUrl, repository } = inputs;
  const apiUrl = inputs.githubApiUrl ?? PUBLIC_API;
  const found = await findPlace<GitHubRepository, GitPlace>(
    {
      repository,
      gitUrl,
      hasToken: token !== '',
      configuredUrl,
      jobRepository: runtime.env['GITHUB_REPOSITORY'],
      origin,
      log: runtime.log,
    },
    {
      serverHost: new URL(serverUrlOf(apiUrl)).host.toLowerCase(),
      address: repositoryAddress,
      api: (owner, name) => world.connect({ apiUrl, token }).repository(owner, name),
      git: (url) => world.git(url),
    },
  );
  const { name } = found;
  if (found.kind === 'git')
    return {
      repository: found.repository,
      github: undefined,
      name,
      expandCommit: (text) => found.repository.expandCommit(text),
      compareUrl: () => undefined,
    };
  const github = found.repository;
  return {
    repository: github,
    github,
    name,
    expandCommit: (text) => github.expandCommit(text),
    compareUrl: (base, head) => github.compareUrl(base, head),
  };
}

/** Full id of the commit that is to be marked. A short one is expanded by the server: it must know exactly one. */
export async function fullCommit(text: string, place: Place): Promise<string> {
  const commit = text.toLowerCase();
  if (isCommit(commit)) return commit;
  const found = await place.expandCommit(commit);
  // A branch or tag can have a name of hexadecimal digits: what it points at is not what was meant.
  if (found?.startsWith(commit) === true && isCommit(found)) return found;
  throw new UserError(
    problem('UNKNOWN_COMMIT', `commit: '${commit}' is not the beginning of exactly one commit that ${place.name} knows`, {
      input: 'commit',
      hint: 'push the commit first, or give all 40 digits',
    }),
  );
}
