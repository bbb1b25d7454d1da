/** Where the tags of a service live: the rules by which its repository is found. GitHub's API and git stand behind parameters. */
import { problem, UserError } from '../contract/errors.ts';
import type { Log } from '../contract/ports.ts';

/** What is said about the repository. */
export interface PlaceQuestion {
  /** `owner/name` on the server of the API. */
  readonly repository: string | undefined;
  readonly gitUrl: string | undefined;
  /** Without a token the API is not used. */
  readonly hasToken: boolean;
  /** `git_url` of service.yaml; `null`: the service has no repository. */
  readonly configuredUrl: string | null | undefined;
  /** `GITHUB_REPOSITORY`: where the job runs. */
  readonly jobRepository: string | undefined;
  /** Where `origin` of the checkout points. */
  readonly origin: () => Promise<string | undefined>;
  readonly log: Pick<Log, 'debug' | 'info'>;
}

/** Both ways to a repository. */
export interface PlaceDoors<Api, Git> {
  /** Host of the server behind the API, in lower case. */
  readonly serverHost: string;
  address(gitUrl: string): { readonly host: string; readonly owner: string; readonly name: string } | undefined;
  api(owner: string, name: string): Api;
  git(url: string): Git;
}

export type FoundPlace<Api, Git> =
  | { readonly kind: 'api'; readonly repository: Api; readonly name: string }
  | { readonly kind: 'git'; readonly repository: Git; readonly name: string };

/**
 * The inputs, else `git_url` of service.yaml when it is on the same GitHub server, else the repository of the job, else `git_url` or
 * `origin` as they are. GitHub's API is used where the server is GitHub's and a token is there. Throws `UserError` NO_REPOSITORY.
 */
export async function findPlace<Api, Git>(question: PlaceQuestion, doors: PlaceDoors<Api, Git>): Promise<FoundPlace<Api, Git>> {
  const { log, configuredUrl, jobRepository: own } = question;
  const onServer = (url: string): string | undefined => {
    const address = doors.address(url);
    return address?.host === doors.serverHost ? `${address.owner}/${address.name}` : undefined;
  };
  const byApi = (fullName: string): FoundPlace<Api, Git> => {
    const [owner = '', name = ''] = fullName.split('/');
    log.debug(`tags: ${fullName} through the API of ${doors.serverHost}`);
    return { kind: 'api', repository: doors.api(owner, name), name: fullName };
  };
  const byUrl = (url: string): FoundPlace<Api, Git> => {
    const fullName = onServer(url);
    if (fullName !== undefined && question.hasToken) return byApi(fullName);
    const shown = url.replace(/\/\/[^@/]*@/, '//***@');
    log.debug(`tags: ${shown} by plain git`);
    return { kind: 'git', repository: doors.git(url), name: shown };
  };

  if (question.repository !== undefined) return byApi(question.repository);
  if (question.gitUrl !== undefined) return byUrl(question.gitUrl);
  if (configuredUrl === null)
    throw new UserError(
      problem('NO_REPOSITORY', 'service.yaml says git_url: null: the service has no repository that could hold its tags', {
        input: 'git-url',
        hint: 'give git-url or repository, or set git_url in service.yaml',
      }),
    );
  if (own !== undefined && own !== '') {
    const configured = configuredUrl === undefined ? undefined : onServer(configuredUrl);
    if (configured !== undefined && configured.toLowerCase() !== own.toLowerCase())
      log.info(`marking in ${configured}, which service.yaml names as git_url (this job runs in ${own})`);
    return byApi(configured ?? own);
  }
  const url = configuredUrl ?? (await question.origin());
  if (url === undefined)
    throw new UserError(
      problem('NO_REPOSITORY', 'it is not known which repository holds the tags: service.yaml has no git_url and the checkout no origin', {
        input: 'git-url',
        hint: 'give git-url (or repository)',
      }),
    );
  return byUrl(url);
}
