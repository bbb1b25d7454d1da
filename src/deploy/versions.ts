/** Where the versions of a service come from: `deployments.json` when the tree has one (then no request at all), else its repository's refs. */
import { problem, UserError } from '../shared/contract/errors.ts';
import type { Log, TreeReader } from '../shared/contract/ports.ts';
import { normaliseServiceName } from '../shared/contract/validity.ts';
import type { VersionSource } from '../shared/converge/index.ts';
import { deploymentsFromFile, deploymentsFromRefs, inByteOrder, type Deployments, type Ref } from '../shared/deployments/index.ts';
import type { GitHubRepository } from '../shared/github/index.ts';
import type { SoaConfigs } from '../shared/soa-configs/index.ts';

/** The part of a repository that deploy reads. */
export interface RefSource {
  listRefs(prefix: string): Promise<readonly Ref[]>;
}

export interface VersionWorld {
  readonly soa: SoaConfigs;
  readonly tree: TreeReader;
  readonly cluster: string;
  readonly deployGroup: string | undefined;
  /** How a stop is read from refs; deployments.json knows only PaaSTA's way, `commit`. */
  readonly stopBindsTo?: 'mark' | 'commit';
  /** Repository of the one service, when it is given. */
  readonly gitUrl: string | undefined;
  /** Empty: plain git only. */
  readonly token: string;
  /** `GITHUB_REPOSITORY`: where the job runs. */
  readonly jobRepository: string | undefined;
  readonly log: Pick<Log, 'debug'>;
  /** GitHub's API; loaded when it is needed, which is not always. */
  github(): Promise<GitHubAccess>;
  git(url: string): RefSource;
}

export interface GitHubAccess {
  /** Host of the server behind the API. */
  readonly serverHost: string;
  /** Owner and name of a git address. */
  parse(gitUrl: string): { readonly host: string; readonly owner: string; readonly name: string } | undefined;
  repository(owner: string, name: string): GitHubRepository;
}

export interface Versions extends VersionSource {
  /**
   * Repository of a service in GitHub's API; `undefined` when it is not there, and when the versions came from a file (then nobody is
   * asked) unless `insist` says that it is needed all the same.
   */
  github(service: string, insist: boolean): Promise<GitHubRepository | undefined>;
}

function withoutPassword(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//***@');
}

/** Refs that can matter: all marks of the service, or those of one deploy group and the controls of the cluster. */
async function marksOf(source: RefSource, deployGroup: string | undefined, cluster: string): Promise<readonly Ref[]> {
  if (deployGroup === undefined) return source.listRefs('refs/tags/paasta-');
  const [marks, controls] = await Promise.all([
    source.listRefs(`refs/tags/paasta-${deployGroup}`),
    source.listRefs(`refs/tags/paasta-${cluster}.`),
  ]);
  return [...new Map([...marks, ...controls].map((ref) => [ref.name, ref])).values()];
}

interface Place {
  readonly source: RefSource;
  readonly title: string;
  readonly github: GitHubRepository | undefined;
}

export function createVersions(world: VersionWorld): Versions {
  const places = new Map<string, Promise<Place>>();

  const byApi = (github: GitHubAccess, owner: string, name: string): Place => {
    const repository = github.repository(owner, name);
    return { source: repository, title: `${owner}/${name}`, github: repository };
  };
  const byUrl = (github: GitHubAccess, url: string): Place => {
    const address = github.parse(url);
    if (address?.host === github.serverHost && world.token !== '') return byApi(github, address.owner, address.name);
    return { source: world.git(url), title: withoutPassword(url), github: undefined };
  };
  const find = async (service: string): Promise<Place> => {
    const github = await world.github();
    if (world.gitUrl !== undefined) return byUrl(github, world.gitUrl);
    const { gitUrl } = world.soa.load(service);
    if (gitUrl === null)
      throw new UserError(
        problem('NO_REPOSITORY', `${service}: service.yaml says git_url: null, and there is no ${service}/deployments.json`, {
          file: `${service}/service.yaml`,
          hint: 'set git_url, or keep deployments.json in soa-configs',
        }),
      );
    if (gitUrl !== undefined && github.parse(gitUrl)?.host === github.serverHost) return byUrl(github, gitUrl);
    // The job of the service's own repository: where mark-for-deployment has marked.
    const [owner, name] = (world.jobRepository ?? '').split('/');
    if (
      world.token !== '' &&
      owner !== undefined &&
      name !== undefined &&
      normaliseServiceName(name.toLowerCase()) === service.toLowerCase()
    )
      return byApi(github, owner, name);
    if (gitUrl === undefined)
      throw new UserError(
        problem(
          'NO_REPOSITORY',
          `${service}: it is not known where its marks are: service.yaml has no git_url, and there is no ${service}/deployments.json`,
          { input: 'git-url', hint: 'set git_url in service.yaml, or give git-url' },
        ),
      );
    return byUrl(github, gitUrl);
  };
  const place = (service: string): Promise<Place> => {
    const known = places.get(service) ?? find(service);
    places.set(service, known);
    return known;
  };

  return {
    async github(service, insist) {
      if (!insist && !places.has(service)) return undefined;
      try {
        return (await place(service)).github;
      } catch (error) {
        world.log.debug(`deploy: ${service} has no repository in GitHub's API: ${String(error)}`);
        return undefined;
      }
    },
    async deployments(service): Promise<Deployments> {
      const file = `${service}/deployments.json`;
      // A given repository wins over a file that may be older.
      const text = world.gitUrl === undefined ? world.tree.read(file) : undefined;
      if (text !== undefined) return deploymentsFromFile(service, text, file);
      const { source, title } = await place(service);
      const refs = await marksOf(source, world.deployGroup, world.cluster);
      world.log.debug(`deploy: ${service}: ${refs.length} refs of ${title}`);
      return deploymentsFromRefs(service, inByteOrder(refs), { source: title, stopBindsTo: world.stopBindsTo ?? 'mark' });
    },
  };
}
