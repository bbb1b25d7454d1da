import { UserError } from '../../../src/shared/contract/errors.ts';
import { readDeployInputs } from '../../../src/deploy/inputs.ts';
import { kubeconfigSource } from '../../../src/deploy/kubeconfig.ts';
import { createVersions, type VersionWorld } from '../../../src/deploy/versions.ts';
import type { GitHubRepository } from '../../../src/shared/github/index.ts';
import { loadSoaConfigs, systemConfigOf } from '../../../src/shared/soa-configs/index.ts';
import { memoryTree } from '../../support/memory-tree.ts';

const A = 'a'.repeat(40);
const inputs = (given: Readonly<Record<string, string>>, env: Record<string, string> = {}): ReturnType<typeof readDeployInputs> =>
  readDeployInputs({ input: (name) => given[name] ?? '', env, mask: () => undefined });
const problemsOf = (body: () => unknown): readonly string[] => {
  try {
    body();
  } catch (error) {
    if (error instanceof UserError) return error.problems.map((p) => p.message);
    throw error;
  }
  return [];
};

describe('inputs of deploy', () => {
  it('have their defaults', () => {
    expect(inputs({})).toMatchObject({
      mode: 'apply',
      pinDigest: true,
      adopt: false,
      timeout: 1_800_000,
      soaDir: '/nail/etc/services',
      systemConfigDir: '/etc/paasta',
      instance: [],
      dryRun: false,
    });
  });

  it('are reported all at once', () => {
    expect(problemsOf(() => inputs({ mode: 'aply', timeout: 'soon', adopt: 'yes', 'deployment-id': '0', service: '../x' }))).toHaveLength(
      5,
    );
  });

  it.each([
    [{ instance: 'main' }, /no service is given/],
    [{ 'git-url': 'https://h/o/n' }, /git-url is the repository of one service/],
    [{ mode: 'wait', adopt: 'true' }, /adopt has no meaning/],
    [{ service: 'x', 'git-url': 'ext::sh -c id' }, /not a git address/],
    [{ service: 'x', 'git-url': '--upload-pack=x' }, /not a git address/],
    [{ service: '$(id)' }, /service/],
    [{ cluster: 'a\nb' }, /cluster/],
    [{ 'registry-username': 'u' }, /registry-password is missing/],
  ])('%j is refused', (given, expected) => {
    expect(problemsOf(() => inputs(given)).join('\n')).toMatch(expected);
  });
});

describe('the kubeconfig that is meant', () => {
  const source = (
    given: string,
    env: Record<string, string> = { KUBECONFIG: '/ambient' },
    mask: (s: string) => void = () => undefined,
  ): unknown => kubeconfigSource(given, { env, workingDirectory: '/w', mask }, (...parts) => parts.join('/'));

  it('is never an ambient one by itself', () => {
    expect(problemsOf(() => source(''))).toEqual(['kubeconfig: it is not said how to reach the cluster']);
    expect(source('$KUBECONFIG')).toEqual({ kind: 'file', path: '/w//ambient' });
    expect(problemsOf(() => source('$KUBECONFIG', {}))).toEqual(['kubeconfig: $KUBECONFIG is asked for, but the environment has none']);
  });

  it('is a path, a text whose keys are masked, or the service account of the pod', () => {
    const secrets: string[] = [];
    expect(source('k.yaml')).toEqual({ kind: 'file', path: '/w/k.yaml' });
    expect(source('in-cluster')).toEqual({ kind: 'in-cluster' });
    const text = 'users:\n- name: u\n  user:\n    token: "s3cr3t-token"\n    client-key-data: QUJDREVG\n';
    expect(source(text, {}, (s) => secrets.push(s))).toEqual({ kind: 'text', text });
    expect(secrets).toEqual(['s3cr3t-token', 'QUJDREVG']);
  });
});

describe('where versions come from', () => {
  const tags = [{ name: 'refs/tags/paasta-prod-20260101T000000-deploy', sha: A }];
  function world(
    files: Record<string, string>,
    more: Partial<VersionWorld> = {},
  ): { readonly versions: ReturnType<typeof createVersions>; readonly asked: string[] } {
    const asked: string[] = [];
    const tree = memoryTree(files);
    const listRefs =
      (where: string) =>
      (prefix: string): Promise<typeof tags> => {
        asked.push(`${where} ${prefix}`);
        return Promise.resolve(tags.filter((t) => t.name.startsWith(prefix)));
      };
    const versions = createVersions({
      tree,
      soa: loadSoaConfigs(tree, systemConfigOf({ clusters: ['lab'] })),
      cluster: 'lab',
      deployGroup: undefined,
      gitUrl: undefined,
      token: 't',
      jobRepository: 'acme/web',
      log: { debug: () => undefined },
      git: (url) => ({ listRefs: listRefs(`git ${url}`) }),
      github: () => {
        asked.push('loads GitHub');
        return Promise.resolve({
          serverHost: 'github.com',
          parse: (url: string) => {
            const m = /([\w.]+)[:/](\w+)\/(\w+?)(?:\.git)?$/.exec(url);
            return m === null ? undefined : { host: m[1] ?? '', owner: m[2] ?? '', name: m[3] ?? '' };
          },
          repository: (owner: string, name: string) => ({ listRefs: listRefs(`api ${owner}/${name}`) }) as unknown as GitHubRepository,
        });
      },
      ...more,
    });
    return { versions, asked };
  }
  const file = JSON.stringify({
    v1: {},
    v2: { deployments: { prod: { docker_image: `services-web:paasta-${A}`, git_sha: A, image_version: null } }, controls: {} },
  });

  it('is deployments.json when there is one: nobody is asked, GitHub is not even loaded', async () => {
    const { versions, asked } = world({ 'web/deployments.json': file, 'web/service.yaml': 'git_url: git@github.com:acme/web\n' });
    expect((await versions.deployments('web')).version('prod')?.sha).toBe(A);
    expect(await versions.github('web', false)).toBeUndefined();
    expect(asked).toEqual([]);
    // A deployment that is known by its id is still told.
    expect(await versions.github('web', true)).toBeDefined();
  });

  it.each<[string, Record<string, string>, Partial<VersionWorld>, string]>([
    ['git_url on the same server', { 'web/service.yaml': 'git_url: git@github.com:other/web\n' }, {}, 'api other/web refs/tags/paasta-'],
    [
      "the job's own repository when git_url is elsewhere",
      { 'web/service.yaml': 'git_url: git@gitlab.com:x/web\n' },
      {},
      'api acme/web refs/tags/paasta-',
    ],
    [
      'plain git when the job runs in another repository',
      { 'web/service.yaml': 'git_url: git@gitlab.com:x/web\n' },
      { jobRepository: 'acme/platform' },
      'git git@gitlab.com:x/web refs/tags/paasta-',
    ],
    [
      'plain git without a token',
      { 'web/service.yaml': 'git_url: git@github.com:acme/web\n' },
      { token: '' },
      'git git@github.com:acme/web refs/tags/paasta-',
    ],
    [
      'the given address before everything else',
      { 'web/deployments.json': file },
      { gitUrl: '/srv/web.git' },
      'git /srv/web.git refs/tags/paasta-',
    ],
  ])('is %s', async (_, files, more, expected) => {
    const { versions, asked } = world(files, more);
    expect((await versions.deployments('web')).version('prod')?.sha).toBe(A);
    expect(asked.at(-1)).toBe(expected);
  });

  it('asks only for the refs that can matter when a deploy group is given', async () => {
    const { versions, asked } = world({ 'web/service.yaml': 'git_url: git@github.com:acme/web\n' }, { deployGroup: 'prod' });
    expect((await versions.deployments('web')).version('prod')?.sha).toBe(A);
    expect(asked.slice(1).sort()).toEqual(['api acme/web refs/tags/paasta-lab.', 'api acme/web refs/tags/paasta-prod']);
  });

  it.each<[VersionWorld['stopBindsTo'], string]>([
    ['mark', 'start'],
    ['commit', 'stop'],
    [undefined, 'start'],
  ])('binds a stop to the %s: after another version and back the instance is to %s', async (stopBindsTo, state) => {
    const refs = [
      ['20260101T000000-deploy', A],
      ['20260103T000000-deploy', 'b2'.repeat(20)],
      ['20260104T000000-deploy', A],
    ].map(([name = '', sha = '']) => ({ name: `refs/tags/paasta-prod-${name}`, sha }));
    const listRefs = (): Promise<typeof refs> =>
      Promise.resolve([{ name: 'refs/tags/paasta-lab.main-20260102T000000-stop', sha: A }, ...refs]);
    const { versions } = world(
      {},
      { gitUrl: '/srv/web.git', git: () => ({ listRefs }), ...(stopBindsTo === undefined ? {} : { stopBindsTo }) },
    );
    expect((await versions.deployments('web')).control('lab.main', 'prod').desiredState).toBe(state);
  });

  it('says where to set it when nobody knows the repository', async () => {
    const { versions } = world({ 'web/deploy.yaml': 'pipeline: []\n' }, { jobRepository: undefined });
    await expect(versions.deployments('web')).rejects.toThrow('it is not known where its marks are');
  });
});
