/** Where the versions of a service come from: `deployments.json` when the tree has one (then no request at all), else its repository's refs. */
import { problem, UserError } from '../shared/contract/errors.ts';
import type { Log, TreeReader } from '../shared/contract/ports.ts';
import { normaliseServiceName } from '../shared/contract/validity.ts';
import type { VersionSource } from '../shared/converge/index.ts';
import { deploymentsFromFile, deploymentsFromRefs, inByteOrder, type Deployments, type Ref } from '../shared/deployments/index.ts';
import { repositoryAddress, serverUrlOf, type GitHubRepository } from '../shared/github/index.ts';
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
  /** Repository of the one service, when it is given. */
  readonly gitUrl: string | undefined;
  readonly apiUrl: string;
  /** Empty: plain git only. */
  readonly token: string;
  /** `GITHUB_REPOSITORY`: where the job runs. */
  readonly jobRepository: string | undefined;
  readonly log: Pick<Log, 'debug'>;
  github(owner: string, name: string): GitHubRepository;
  git(url: string): RefSource;
}

export interface Versions extends VersionSource {
  /** Repository of a service in GitHub's API; `undefined` when the versions came from somewhere else. */
  github(service: string): GitHubRepository | undefined;
}

function withoutPassword(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//***@');
}

/** Refs that can matter: all marks of the service, or those of one deploy group and the controls of the cluster. */
async function marksOf(source: RefSource, deployGroup: string | undefined, cluster: string): Promise<readonly Ref[]> {
  if (deployGroup === undefined) return source.listRefs('refs/tags/paasta-');
  const [marks, controls] = await Promise.all([source.listRefs(`refs/tags/paasta-${deployGroup}`), source.listRefs(`refs/tags/paasta-${cluster}.`)]);
  return [...new Map([...marks, ...controls].map((ref) => [ref.name, ref])).values()];
}

export function createVersions(world: VersionWorld): Versions {
  const repositories = new Map<string, GitHubRepository>();
  const serverHost = new URL(serverUrlOf(world.apiUrl)).host.toLowerCase();

  const byApi = (service: string, owner: string, name: string): { readonly source: RefSource; readonly title: string } => {
    const repository = world.github(owner, name);
    repositories.set(service, repository);
    return { source: repository, title: `${owner}/${name}` };
  };
  const byUrl = (service: string, url: string): { readonly source: RefSource; readonly title: string } => {
    const address = repositoryAddress(url);
    if (address?.host === serverHost && world.token !== '') return byApi(service, address.owner, address.name);
    return { source: world.git(url), title: withoutPassword(url) };
  };
  const place = (service: string): { readonly source: RefSource; readonly title: string } => {
    if (world.gitUrl !== undefined) return byUrl(service, world.gitUrl);
    const { gitUrl } = world.soa.load(service);
    if (gitUrl === null) throw new UserError(problem('NO_REPOSITORY', `${service}: service.yaml says git_url: null, and there is no ${service}/deployments.json`, { file: `${service}/service.yaml`, hint: 'set git_url, or keep deployments.json in soa-configs' }));
    const configured = gitUrl === undefined ? undefined : repositoryAddress(gitUrl);
    if (gitUrl !== undefined && configured?.host === serverHost) return byUrl(service, gitUrl);
    // The job of the service's own repository: where mark-for-deployment has marked.
    const [owner, name] = (world.jobRepository ?? '').split('/');
    if (world.token !== '' && owner !== undefined && name !== undefined && normaliseServiceName(name.toLowerCase()) === service.toLowerCase()) return byApi(service, owner, name);
    if (gitUrl === undefined) throw new UserError(problem('NO_REPOSITORY', `${service}: it is not known where its marks are: service.yaml has no git_url, and there is no ${service}/deployments.json`, { input: 'git-url', hint: 'set git_url in service.yaml, or give git-url' }));
    return byUrl(service, gitUrl);
  };

  return {
    github: (service) => repositories.get(service),
    async deployments(service): Promise<Deployments> {
      const file = `${service}/deployments.json`;
      // A given repository wins over a file that may be older.
      const text = world.gitUrl === undefined ? world.tree.read(file) : undefined;
      if (text !== undefined) return deploymentsFromFile(service, text, file);
      const { source, title } = place(service);
      const refs = await marksOf(source, world.deployGroup, world.cluster);
      world.log.debug(`deploy: ${service}: ${refs.length} refs of ${title}`);
      return deploymentsFromRefs(service, inByteOrder(refs), { source: title });
    },
  };
}
