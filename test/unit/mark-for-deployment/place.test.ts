import type { Runtime } from '../../../src/shared/contract/ports.ts';
import type { GitHub, GitHubRepository } from '../../../src/shared/github/index.ts';
import { readMarkInputs } from '../../../src/mark-for-deployment/inputs.ts';
import { choosePlace, fullCommit, type GitPlace, type Place } from '../../../src/mark-for-deployment/place.ts';

const API = 'https://ghe.example/api/v3';
const SHA = 'a1'.repeat(20);

interface Given {
  readonly inputs?: Record<string, string>;
  readonly env?: Record<string, string>;
  readonly configured?: string | null | undefined;
  readonly origin?: string | undefined;
  readonly known?: string | undefined;
}

async function choose({ inputs = {}, env = {}, configured, origin, known }: Given): Promise<{ place: Place; how: string }> {
  let how = '';
  const given: Record<string, string> = { 'deploy-group': 'prod.main', 'github-api-url': API, 'github-token': 'tok', ...inputs };
  const log = {
    debug: () => undefined,
    info: () => undefined,
    problem: () => undefined,
    group: <T>(_: string, body: () => Promise<T>) => body(),
  };
  const source = { input: (name: string) => given[name] ?? '', env, mask: () => undefined };
  const github = (token: string): GitHub => ({
    apiUrl: API,
    serverUrl: 'https://ghe.example',
    repository: (owner, name) => {
      how = `api ${owner}/${name} with ${token}`;
      return { owner, name, expandCommit: () => Promise.resolve(known), compareUrl: () => 'page' } as unknown as GitHubRepository;
    },
  });
  const place = await choosePlace(
    { ...source, log } as unknown as Runtime,
    readMarkInputs(source),
    configured,
    () => Promise.resolve(origin),
    {
      connect: ({ token }) => github(token),
      git: (url) => {
        how = `git ${url}`;
        return { expandCommit: () => Promise.resolve(known) } as unknown as GitPlace;
      },
    },
  );
  return { place, how };
}

describe('where a mark goes', () => {
  const job = { GITHUB_REPOSITORY: 'acme/platform' };
  it.each<[string, Given, string]>([
    [
      'the repository that is named',
      { inputs: { repository: 'acme/web' }, env: job, configured: 'git@ghe.example:acme/other.git' },
      'api acme/web with tok',
    ],
    [
      'a git URL on the server of the API',
      { inputs: { 'git-url': 'https://ghe.example/acme/web.git' }, env: job },
      'api acme/web with tok',
    ],
    ['a git URL in the form of scp', { inputs: { 'git-url': 'git@ghe.example:acme/web.git' } }, 'api acme/web with tok'],
    [
      'a git URL elsewhere, even in a job',
      { inputs: { 'git-url': 'https://git.example/acme/web.git' }, env: job },
      'git https://git.example/acme/web.git',
    ],
    [
      'a git URL without a token',
      { inputs: { 'git-url': 'https://ghe.example/acme/web.git', 'github-token': '' } },
      'git https://ghe.example/acme/web.git',
    ],
    ['a path', { inputs: { 'git-url': './repo.git' } }, 'git ./repo.git'],
    [
      'git_url of service.yaml, when it is on the same server as the job',
      { env: job, configured: 'git@ghe.example:acme/web.git' },
      'api acme/web with tok',
    ],
    [
      'the repository of the job, when git_url is elsewhere',
      { env: job, configured: 'git@github.yelpcorp.com:services/web' },
      'api acme/platform with tok',
    ],
    ['the repository of the job, when nothing is configured', { env: job }, 'api acme/platform with tok'],
    ['git_url on a command line', { configured: 'git@git.example:services/web' }, 'git git@git.example:services/web'],
    ['the origin of the checkout', { origin: 'https://ghe.example/acme/web' }, 'api acme/web with tok'],
  ])('%s', async (_, given, expected) => {
    expect((await choose(given)).how).toBe(expected);
  });

  it('is unknown without any address', async () => {
    await expect(choose({})).rejects.toThrow(/service\.yaml has no git_url and the checkout no origin/);
    await expect(choose({ configured: null, env: job })).rejects.toThrow(/git_url: null/);
  });

  it('never shows a password', async () => {
    expect((await choose({ inputs: { 'git-url': 'https://u:secret@git.example/web.git' } })).place.name).toBe(
      'https://***@git.example/web.git',
    );
  });

  it('has a page to compare commits only at GitHub', async () => {
    expect((await choose({ env: job })).place.compareUrl('a', 'b')).toBe('page');
    expect((await choose({ inputs: { 'git-url': './x' } })).place.compareUrl('a', 'b')).toBeUndefined();
  });
});

describe('the commit', () => {
  it.each([
    [SHA, undefined, SHA],
    [SHA.toUpperCase(), undefined, SHA],
    ['a1a1', SHA, SHA],
  ])('%s', async (text, known, expected) => {
    expect(await fullCommit(text, (await choose({ env: { GITHUB_REPOSITORY: 'a/b' }, known })).place)).toBe(expected);
  });

  it.each([
    ['nobody knows', undefined],
    ['a branch has the name of', 'b2'.repeat(20)],
  ])('that %s is refused', async (_, known) => {
    const { place } = await choose({ env: { GITHUB_REPOSITORY: 'a/b' }, known });
    await expect(fullCommit('a1a1', place)).rejects.toThrow(/'a1a1' is not the beginning of exactly one commit that a\/b knows/);
  });
});

describe('inputs that do not go together', () => {
  it.each([
    [{ 'git-url': './x', repository: 'a/b' }, /git-url and repository both name/],
    [{ 'verify-image': 'false', 'wait-for-image': 'true' }, /wait-for-image waits for an image/],
    [{ 'registry-username': 'ci' }, /registry-password is missing beside registry-username/],
    [{ 'registry-password': 'pw' }, /registry-username is missing beside registry-password/],
  ])('%j', async (inputs, message) => {
    await expect(choose({ inputs: inputs as unknown as Record<string, string> })).rejects.toThrow(message);
  });
});
