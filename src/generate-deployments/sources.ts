/** Where the refs of every service come from, and how they are asked for: GitHub in batches, everything else with git, a few at a time. */
import { CancelledError, problem, UserError, type Problem } from '../shared/contract/errors.ts';
import { normaliseServiceName } from '../shared/contract/validity.ts';
import type { Ref } from '../shared/deployments/index.ts';
import type { RefBatches, RefsAnswer, RepositoryAddress, RepositoryName } from '../shared/github/index.ts';

/** GitHub's API, connected. */
export interface GitHubRefs {
  /** Host of the server behind the API. */
  readonly serverHost: string;
  readonly batches: RefBatches;
  address(gitUrl: string): RepositoryAddress | undefined;
}

export interface RefWorld {
  /** Connects. `undefined` without a token: then plain git does all. */
  readonly github: () => Promise<GitHubRefs | undefined>;
  readonly git: (url: string) => { listRefsOf(prefixes: readonly string[]): Promise<readonly Ref[]> };
}

/** Where the marks of a service are. */
export type Place =
  | { readonly kind: 'none' }
  | { readonly kind: 'git'; readonly url: string }
  | { readonly kind: 'github'; readonly repository: RepositoryName };

/** git programs at the same time. PaaSTA: 4 generators. */
const PARALLEL = 8;

export interface PlaceSetting {
  readonly service: string;
  /** `git_url` as service.yaml says it, or the input. */
  readonly gitUrl: string | null | undefined;
  /** `GITHUB_REPOSITORY`: where the job runs. */
  readonly jobRepository: string | undefined;
}

/** Repository of a service; the problem when nobody says which it is. */
export function placeOf(
  { service, gitUrl, jobRepository }: PlaceSetting,
  github: Pick<GitHubRefs, 'serverHost' | 'address'> | undefined,
): Place | Problem {
  if (gitUrl === null) return { kind: 'none' };
  if (gitUrl !== undefined) {
    const address = github?.address(gitUrl);
    return address !== undefined && address.host === github?.serverHost
      ? { kind: 'github', repository: { owner: address.owner, name: address.name } }
      : { kind: 'git', url: gitUrl };
  }
  const [owner, name] = (jobRepository ?? '').split('/');
  if (
    github !== undefined &&
    owner !== undefined &&
    name !== undefined &&
    normaliseServiceName(name.toLowerCase()) === service.toLowerCase()
  )
    return { kind: 'github', repository: { owner, name } };
  return problem('NO_REPOSITORY', `${service}: it is not known where its marks are: service.yaml has no git_url`, {
    file: `${service}/service.yaml`,
    hint: 'set git_url in service.yaml (null for a service without repository)',
  });
}

/** Two services of one repository are asked for once. */
export function placeKey(place: Place): string {
  return place.kind === 'none'
    ? ''
    : place.kind === 'git'
      ? `git ${place.url}`
      : `github ${place.repository.owner}/${place.repository.name}`.toLowerCase();
}

/** Asks for the refs of all places at once; the answers come one by one, by `placeKey`. Only cancelling rejects. */
export function askAll(
  places: readonly Place[],
  prefixes: readonly string[],
  git: RefWorld['git'],
  github: GitHubRefs | undefined,
): ReadonlyMap<string, Promise<RefsAnswer>> {
  const distinct = new Map(places.map((place) => [placeKey(place), place]));
  const repositories = [...distinct.values()].flatMap((place) => (place.kind === 'github' ? [place.repository] : []));
  const batches =
    github === undefined || repositories.length === 0
      ? Promise.resolve<ReadonlyMap<string, RefsAnswer>>(new Map())
      : github.batches.listRefs(repositories, prefixes);
  const pool = createPool(PARALLEL);
  const answers = new Map<string, Promise<RefsAnswer>>();
  for (const [key, place] of distinct) {
    const answer =
      place.kind === 'none'
        ? Promise.resolve({ refs: [] })
        : place.kind === 'git'
          ? pool(() => byGit(place.url, prefixes, git))
          : batches.then((all) => all.get(`${place.repository.owner}/${place.repository.name}`.toLowerCase()) ?? { refs: [] });
    // Awaited later, one after the other: until then a cancellation is nobody's surprise.
    answer.catch(() => undefined);
    answers.set(key, answer);
  }
  return answers;
}

async function byGit(url: string, prefixes: readonly string[], git: RefWorld['git']): Promise<RefsAnswer> {
  try {
    return { refs: await git(url).listRefsOf(prefixes) };
  } catch (error) {
    if (error instanceof CancelledError || !(error instanceof UserError) || error.problems[0] === undefined) throw error;
    return { problem: error.problems[0] };
  }
}

/** Runs at most so many works at the same time, in the order in which they came. */
function createPool(size: number): <T>(work: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (running >= size)
      await new Promise<void>((go) => {
        waiting.push(go);
      });
    running += 1;
    try {
      return await work();
    } finally {
      running -= 1;
      waiting.shift()?.();
    }
  };
}
