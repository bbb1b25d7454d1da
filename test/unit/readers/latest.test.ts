/** get-latest-deployment asks git for the newest mark, not for every tag of the group: a repository may hold a hundred thousand. */
import { getLatestDeployment } from '../../../src/readers/latest.ts';
import type { GitSource, ReaderWire, RefSource } from '../../../src/readers/trees.ts';
import type { Runtime } from '../../../src/shared/contract/ports.ts';
import type { PlaceDoors } from '../../../src/shared/marking/index.ts';
import { memoryTree } from '../../support/memory-tree.ts';

const SHA = 'a1'.repeat(20);

async function latest(inputs: Readonly<Record<string, string>>, asked: string[]): Promise<readonly string[]> {
  const printed: string[] = [];
  const runtime = {
    env: {},
    mask: () => undefined,
    workingDirectory: '/',
    input: (name: string) => inputs[name] ?? '',
    log: { info: (line: string) => printed.push(line), debug: () => undefined },
  } as unknown as Runtime;
  const git: GitSource = {
    listRefs: async (prefix) => {
      asked.push(`refs ${prefix}`);
      return [];
    },
    newestMark: async (group) => {
      asked.push(`newest ${group}`);
      return group === 'prod.main' ? { name: 'refs/tags/paasta-prod.main+v2-20260102T000000-deploy', sha: SHA } : undefined;
    },
  };
  const api: RefSource = {
    listRefs: async (prefix) => {
      asked.push(`api ${prefix}`);
      return [{ name: 'refs/tags/paasta-prod.main-20260102T000000-deploy', sha: SHA }];
    },
  };
  const doors: PlaceDoors<RefSource, GitSource> = {
    serverHost: 'github.com',
    address: () => (inputs['github-token'] === undefined ? undefined : { host: 'github.com', owner: 'acme', name: 'web' }),
    api: () => api,
    git: () => git,
  };
  const trees: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    soa: { 'web/service.yaml': 'git_url: git@github.com:acme/web.git\n' },
    system: { 'a.json': '{"clusters": ["prod"]}' },
  };
  await getLatestDeployment(runtime, {
    tree: (path) => memoryTree(trees[path] ?? {}),
    isDirectory: () => true,
    doors: () => doors,
  } as Partial<ReaderWire> as ReaderWire);
  return printed;
}
const INPUTS = { service: 'web', 'soa-dir': 'soa', 'system-config-dir': 'system' };

it('by plain git: one question for the newest mark', async () => {
  const asked: string[] = [];
  expect(await latest({ ...INPUTS, 'deploy-group': 'prod.main' }, asked)).toEqual([`DeploymentVersion(sha=${SHA}, image_version=v2)`]);
  expect(asked).toEqual(['newest prod.main']);
});

it('by plain git, a group without a mark', async () => {
  await expect(latest({ ...INPUTS, 'deploy-group': 'dev' }, [])).rejects.toThrow('A deployment could not be found for dev in web');
});

it('through the API: only the refs of the group', async () => {
  const asked: string[] = [];
  expect(await latest({ ...INPUTS, 'deploy-group': 'prod.main', 'github-token': 'x' }, asked)).toEqual([SHA]);
  expect(asked).toEqual(['api refs/tags/paasta-prod.main']);
});
