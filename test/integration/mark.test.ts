/** mark-for-deployment through its bundle: against the GitHub double over real bare repositories, plain git, and a registry. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startFront, type Front } from '../support/registry-front.ts';
import { runBundle, type BundleOptions, type BundleRun } from '../support/runner.ts';
import { startGitHub, type DoubleRepository, type GitHubDouble } from '../testbed/github/index.ts';
import { startRegistry, type Registry } from '../testbed/index.ts';

/** The bundle, as the runner runs it; `PAASTA_TEST_SOURCES=1` runs the sources instead, which need no build. */
const ENTRY = join(
  dirname(dirname(dirname(fileURLToPath(import.meta.url)))),
  ...(process.env['PAASTA_TEST_SOURCES'] === '1'
    ? ['src', 'mark-for-deployment', 'index.ts']
    : ['dist', 'mark-for-deployment', 'index.js']),
);
const DIGEST = `sha256:${'d'.repeat(64)}`;
const GROUP = 'prod.main';
const TAG = /^paasta-prod\.main-\d{8}T\d{6}-deploy$/;

let github: GitHubDouble;
let repository: DoubleRepository;
let token: string;
let front: Front;
let scratch: string;
let counter = 0;
/** Commits of `main`, oldest first. */
let a: string;
let b: string;
let c: string;

const visible = (text: string): string => text.replace(/^::add-mask::.*$/gm, '');
const tagsOf = async (): Promise<Record<string, string>> =>
  Object.fromEntries(Object.entries(await repository.tags()).filter(([name]) => name.startsWith('paasta-')));
function mark(
  inputs: Record<string, string>,
  env: Record<string, string | undefined> = {},
  onStart?: BundleOptions['onStart'],
): Promise<BundleRun> {
  return runBundle('mark-for-deployment', {
    entry: ENTRY,
    inputs: {
      service: 'web',
      'deploy-group': GROUP,
      commit: b,
      registry: front.host,
      'soa-dir': join(scratch, 'soa'),
      'system-config-dir': join(scratch, 'system'),
      'github-token': token,
      ...inputs,
    },
    env: {
      GITHUB_REPOSITORY: `acme/${repository.name}`,
      GITHUB_SHA: b,
      GITHUB_EVENT_NAME: 'push',
      GITHUB_API_URL: github.apiUrl,
      GITHUB_SERVER_URL: github.url,
      RUNNER_DEBUG: '1',
      ...env,
    },
    ...(onStart === undefined ? {} : { onStart }),
  });
}

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'paasta-mark-'));
  for (const dir of ['system', 'soa/web', 'soa/api']) mkdirSync(join(scratch, dir), { recursive: true });
  writeFileSync(join(scratch, 'system', 'paasta.json'), JSON.stringify({ clusters: ['prod', 'eu'], docker_registry: 'elsewhere.example' }));
  writeFileSync(join(scratch, 'soa', 'web', 'kubernetes-prod.yaml'), 'main: {}\ncanary: {}\n');
  writeFileSync(join(scratch, 'soa', 'web', 'kubernetes-eu.yaml'), `main: {deploy_group: ${GROUP}}\n`);
  github = await startGitHub();
  front = await startFront();
});
afterAll(async () => {
  await front.close();
  await github.stop();
  rmSync(scratch, { recursive: true, force: true });
});
beforeEach(async () => {
  github.reset();
  front.asked.length = 0;
  front.intercept = (request, response) =>
    request.method === 'HEAD' &&
    (response.writeHead(200, { 'docker-content-digest': DIGEST, 'content-type': 'application/vnd.oci.image.manifest.v1+json' }).end(),
    true);
  repository = await github.createRepository('acme', `web-${String(++counter)}`, { files: { 'a.txt': 'a' } });
  a = repository.firstCommit;
  b = await repository.commit({ 'a.txt': 'b' }, 'second');
  c = await repository.commit({ 'a.txt': 'c' }, 'third');
  token = github.addToken({ permissions: { contents: 'write', deployments: 'write', metadata: 'read' } });
});
afterEach(() => {
  expect(github.violations()).toEqual([]);
});

describe('a mark through the API', () => {
  it('is a light tag on the commit, a GitHub deployment, outputs and a summary', async () => {
    await repository.setRef('refs/tags/paasta-prod.main-20250101T000000-deploy', a);
    const result = await mark({});
    expect(result.code).toBe(0);
    const tag = result.outputs['tag'] ?? '';
    expect(tag).toMatch(TAG);
    expect((await repository.git('cat-file', '-t', `refs/tags/${tag}`)).trim()).toBe('commit');
    expect((await tagsOf())[tag]).toBe(b);
    const [deployment] = repository.state.deployments;
    expect(deployment).toMatchObject({ sha: b, environment: GROUP, payload: { service: 'web', image_version: null, tag } });
    expect(result.outputs).toMatchObject({
      marked: 'true',
      commit: b,
      'previous-commit': a,
      'previous-image-version': '',
      'compare-url': `${github.url}/acme/${repository.name}/compare/${a}...${b}`,
      'deployment-id': String(deployment?.id),
    });
    expect(result.summary).toContain(`marked prod.main for ${b.slice(0, 8)}.`);
    expect(result.summary).toContain(`| image | \`${DIGEST}\` |`);
    expect(front.asked.map(({ path }) => path)).toEqual([`/v2/services-web/manifests/paasta-${b}`]);
    expect(visible(result.text)).not.toContain(token);
  });

  it('carries the image version; the first mark has nothing before it', async () => {
    const result = await mark({ 'image-version': '20260101T000000' });
    expect(result).toMatchObject({ code: 0, outputs: { 'previous-commit': '', 'previous-image-version': '', 'compare-url': '' } });
    expect(result.outputs['tag']).toMatch(/^paasta-prod\.main\+20260101T000000-\d{8}T\d{6}-deploy$/);
    expect((await tagsOf())[result.outputs['tag'] ?? '']).toBe(b);
    expect(front.asked[0]?.path).toBe(`/v2/services-web/manifests/paasta-${b}-20260101T000000`);
    const next = await mark({ 'image-version': '20260201T000000' });
    expect(next).toMatchObject({
      code: 0,
      outputs: { marked: 'true', 'previous-commit': b, 'previous-image-version': '20260101T000000', 'compare-url': '' },
    });
  });

  it('expands a short commit, and refuses one that nobody knows', async () => {
    expect(await mark({ commit: b.slice(0, 10).toUpperCase() })).toMatchObject({ code: 0, outputs: { commit: b } });
    const unknown = await mark({ commit: '0'.repeat(12) });
    expect(unknown.code).toBe(1);
    expect(unknown.text).toContain("commit: '000000000000' is not the beginning of exactly one commit");
  });

  it('of the commit of the run needs no checkout', async () => {
    expect(await mark({ commit: '' })).toMatchObject({ code: 0, outputs: { commit: b } });
  });

  it('is only said in a dry run', async () => {
    const result = await mark({ 'dry-run': 'true' });
    expect(result).toMatchObject({ code: 0, outputs: { marked: 'false', 'deployment-id': '' } });
    expect(result.text).toMatch(/dry run: would create the tag paasta-prod\.main-/);
    expect(await tagsOf()).toEqual({});
    expect(repository.state.deployments).toEqual([]);
  });

  it('of the same version again writes nothing, keeps the deployment and says who stays stopped', async () => {
    await repository.setRef('refs/tags/paasta-prod.main-20250101T000000-deploy', a);
    const first = await mark({});
    await repository.setRef('refs/tags/paasta-eu.main-20990101T000000-stop', b);
    const again = await mark({});
    expect(again.code).toBe(0);
    expect(again.outputs).toEqual({ ...first.outputs, marked: 'false' });
    expect(again.text).toContain('is already marked for');
    expect(again.text).toContain('eu.main is stopped under this version and stays stopped');
    expect(again.summary).toContain('was already marked');
    expect((await mark({ 'dry-run': 'true' })).summary).toContain('was already marked');
    expect(Object.keys(await tagsOf())).toHaveLength(3);
    expect(repository.state.deployments).toHaveLength(1);
  });

  it('goes to the repository that service.yaml names, when a job of another repository marks', async () => {
    writeFileSync(join(scratch, 'soa', 'api', 'service.yaml'), `git_url: ${repository.cloneUrl}\n`);
    writeFileSync(join(scratch, 'soa', 'api', 'kubernetes-prod.yaml'), 'main: {}\n');
    const result = await mark({ service: 'api' }, { GITHUB_REPOSITORY: 'acme/platform' });
    expect(result.code).toBe(0);
    expect(result.text).toContain(`marking in acme/${repository.name}, which service.yaml names as git_url`);
    expect(Object.values(await tagsOf())).toEqual([b]);
  });
});

describe('rules', () => {
  it('an unknown deploy group is an error with near names', async () => {
    const result = await mark({ 'deploy-group': 'prod.mian' });
    expect(result.code).toBe(1);
    expect(result.text).toContain("no instance of web uses the deploy group 'prod.mian'");
    expect(result.text).toContain("did you mean 'prod.main'? known: prod.canary, prod.main");
    expect(await tagsOf()).toEqual({});
    expect(await mark({ 'deploy-group': 'prod.mian', 'allow-unknown-group': 'true' })).toMatchObject({
      code: 0,
      outputs: { marked: 'true' },
    });
  });

  it('an unknown service is an error with near names', async () => {
    const result = await mark({ service: 'wbe' });
    expect(result.code).toBe(1);
    expect(result.text).toContain('UNKNOWN_SERVICE');
    expect(result.text).toContain("did you mean 'web'");
  });

  it('going back is refused to a push, and loud by hand', async () => {
    await repository.setRef('refs/tags/paasta-prod.main-20250101T000000-deploy', c);
    const automated = await mark({});
    expect(automated.code).toBe(1);
    expect(automated.text).toContain('OLDER_COMMIT');
    expect(automated.text).toContain('a push or a schedule never goes back');
    expect(Object.keys(await tagsOf())).toHaveLength(1);
    const byHand = await mark({}, { GITHUB_EVENT_NAME: 'workflow_dispatch' });
    expect(byHand).toMatchObject({ code: 0, outputs: { marked: 'true', 'previous-commit': c } });
    expect(byHand.text).toMatch(/::warning title=paasta-mark-for-deployment%3A OLDER_COMMIT::.* goes BACK/);
  });

  it('a commit that has diverged may be marked', async () => {
    await repository.setRef('refs/heads/other', a);
    const other = await repository.commit({ 'a.txt': 'x' }, 'elsewhere', 'other');
    await repository.setRef('refs/tags/paasta-prod.main-20250101T000000-deploy', other);
    expect(await mark({})).toMatchObject({ code: 0, outputs: { marked: 'true' } });
  });

  it('a rolled back commit is refused unless allowed', async () => {
    await repository.setRef('refs/tags/paasta-prod.main-20250102T000000-rollback', b);
    const refused = await mark({}, { GITHUB_EVENT_NAME: 'workflow_dispatch' });
    expect(refused.code).toBe(1);
    expect(refused.text).toContain('was rolled back from prod.main (20250102T000000)');
    expect(await mark({ 'allow-rolled-back': 'true' })).toMatchObject({ code: 0, outputs: { marked: 'true' } });
  });
});

describe('the image', () => {
  it('must be there; nothing is written without it', async () => {
    front.intercept = undefined;
    const result = await mark({});
    expect(result.code).toBe(1);
    expect(result.text).toContain(`${front.host}/services-web:paasta-${b} is not in the registry, so web cannot be marked to run it`);
    expect(result.text).toContain('run push-to-registry for this commit');
    expect(await tagsOf()).toEqual({});
    expect(await mark({ 'verify-image': 'false' })).toMatchObject({ code: 0, outputs: { marked: 'true' } });
  });

  it('can be waited for, not for ever', async () => {
    front.intercept = undefined;
    const result = await mark({ 'wait-for-image': 'true', timeout: '2s' });
    expect(result.code).toBe(1);
    expect(result.text).toMatch(/waiting up to 2.0 s for .*\n[^]*is not in the registry after 2.0 s/);
  });

  it('is asked of a real registry with the given user and password', async () => {
    const registry: Registry = await startRegistry({ name: `test-mark-${String(process.pid)}` });
    try {
      const login = { registry: registry.host, 'registry-username': registry.user };
      const absent = await mark({ ...login, 'registry-password': registry.password });
      expect(absent.code).toBe(1);
      expect(absent.text).toContain('IMAGE_NOT_FOUND');
      const wrong = await mark({ ...login, 'registry-password': 'wrong-password' });
      expect(wrong.code).toBe(1);
      expect(wrong.text).toContain(`refused our credentials`);
      expect(visible(wrong.text)).not.toContain('wrong-password');
      expect(await tagsOf()).toEqual({});
    } finally {
      await registry.stop();
    }
  });
});

describe('faults', () => {
  it('a tag race: somebody else takes the name with another commit, we take the next second', async () => {
    github.faults.add({ kind: 'tag-race', sha: a });
    const result = await mark({});
    expect(result).toMatchObject({ code: 0, outputs: { marked: 'true' } });
    expect(result.text).toContain('was taken by another run; reading again');
    const tags = await tagsOf();
    expect(Object.values(tags).sort()).toEqual([a, b].sort());
    const [first, second] = Object.keys(tags).sort();
    expect([tags[first ?? ''], tags[second ?? '']]).toEqual([a, b]);
  });

  it('a tag race with the same commit is one mark', async () => {
    github.faults.add({ kind: 'tag-race' });
    const result = await mark({});
    expect(result).toMatchObject({ code: 0, outputs: { marked: 'false' } });
    expect(Object.values(await tagsOf())).toEqual([b]);
  });

  it('a tag race with a newer commit is decided by reading again', async () => {
    github.faults.add({ kind: 'tag-race', sha: c });
    const result = await mark({});
    expect(result.code).toBe(1);
    expect(result.text).toContain('OLDER_COMMIT');
    expect(Object.values(await tagsOf())).toEqual([c]);
  });

  it('an answer that is lost after the work was done is not done twice', async () => {
    github.faults.add({ kind: 'drop', operation: 'git/create-ref', applied: true });
    const result = await mark({});
    expect(result).toMatchObject({ code: 0, outputs: { marked: 'true' } });
    expect(Object.values(await tagsOf())).toEqual([b]);
  });

  it('a tag that readers do not see yet is ours all the same', async () => {
    github.faults.add({ kind: 'hidden-ref', reads: 3 });
    const result = await mark({});
    expect(result).toMatchObject({ code: 0, outputs: { marked: 'true' } });
    expect(result.text).not.toContain('MARK_SUPERSEDED');
  });

  it('a token without permission is told which one', async () => {
    token = github.addToken({ permissions: { contents: 'read', metadata: 'read' } });
    const result = await mark({});
    expect(result.code).toBe(1);
    expect(result.text).toContain('GITHUB_PERMISSION_MISSING');
    expect(result.text).toContain('contents: write');
    expect(await tagsOf()).toEqual({});
  });

  it('an old commit whose workflows are on no branch needs an App, which is explained', async () => {
    const old = await repository.commit({ '.github/workflows/ci.yml': 'on: push\n' }, 'workflow');
    await repository.commit({ '.github/workflows/ci.yml': 'on: pull_request\n' }, 'other workflow');
    const result = await mark({ commit: old });
    expect(result.code).toBe(1);
    expect(result.text).toContain('GITHUB_WORKFLOWS_PERMISSION');
    expect(result.text).toContain('GitHub App');
    expect(await tagsOf()).toEqual({});
  });

  it('without permission for deployments the mark stands, with a warning', async () => {
    token = github.addToken({ permissions: { contents: 'write', metadata: 'read' } });
    const result = await mark({});
    expect(result).toMatchObject({ code: 0, outputs: { marked: 'true', 'deployment-id': '' } });
    expect(result.text).toMatch(/::warning .*the mark stands, but GitHub got no deployment/);
    expect(result.text).toContain('deployments: write');
    expect(Object.values(await tagsOf())).toEqual([b]);
  });

  it('no token at all is said', async () => {
    const result = await mark({ 'github-token': '' });
    expect(result.code).toBe(1);
    expect(result.text).toContain('NO_GITHUB_TOKEN');
  });

  it('a commit that is not on the server is explained', async () => {
    const result = await mark({ commit: 'f'.repeat(40) });
    expect(result.code).toBe(1);
    expect(result.text).toContain('COMMIT_NOT_ON_SERVER');
    expect(result.text).toContain('push the commit first');
  });
});

describe('plain git', () => {
  /** Not a job: the command line on somebody's machine. */
  const OUTSIDE = { GITHUB_ACTIONS: undefined, GITHUB_EVENT_NAME: undefined, GITHUB_REPOSITORY: undefined, GITHUB_SHA: undefined };
  const checkout = (): string => {
    const directory = mkdtempSync(join(scratch, 'checkout-'));
    execFileSync('git', ['clone', '--quiet', repository.bareDir, directory]);
    return directory;
  };
  const byGit = (inputs: Record<string, string>): Promise<BundleRun> =>
    mark({ 'git-url': repository.bareDir, 'github-token': '', ...inputs }, OUTSIDE);

  it('marks a repository that is only a path, and makes no GitHub deployment', async () => {
    await repository.setRef('refs/tags/paasta-prod.main-20250101T000000-deploy', a);
    const result = await byGit({});
    expect(result).toMatchObject({ code: 0, outputs: { marked: 'true', 'previous-commit': a, 'compare-url': '', 'deployment-id': '' } });
    expect((await tagsOf())[result.outputs['tag'] ?? '']).toBe(b);
    expect(repository.state.deployments).toEqual([]);
    expect(github.count()).toBe(0);
    expect(await byGit({})).toMatchObject({ code: 0, outputs: { marked: 'false', tag: result.outputs['tag'] } });
  });

  it('goes back by hand, loudly', async () => {
    await repository.setRef('refs/tags/paasta-prod.main-20250101T000000-deploy', c);
    const result = await byGit({});
    expect(result).toMatchObject({ code: 0, outputs: { marked: 'true' } });
    expect(result.text).toContain('goes BACK');
  });

  it('expands what exactly one ref or the checkout knows', async () => {
    expect(await byGit({ commit: c.slice(0, 8) })).toMatchObject({ code: 0, outputs: { commit: c } });
    const own = checkout();
    const result = await runBundle('mark-for-deployment', {
      entry: ENTRY,
      cwd: own,
      inputs: {
        service: 'web',
        'deploy-group': 'prod.canary',
        commit: a.slice(0, 8),
        registry: front.host,
        'soa-dir': join(scratch, 'soa'),
        'system-config-dir': join(scratch, 'system'),
      },
      env: OUTSIDE,
    });
    expect(result).toMatchObject({ code: 0, outputs: { commit: a, marked: 'true' } });
  });

  it('uses git over HTTP when the server is not that of the API', async () => {
    const result = await mark(
      { 'git-url': repository.cloneUrl.replace('://', `://x-access-token:${token}@`), 'github-token': '' },
      OUTSIDE,
    );
    expect(result).toMatchObject({ code: 0, outputs: { marked: 'true', 'deployment-id': '' } });
    expect(visible(result.text)).not.toContain(token);
    expect(github.requests.every(({ path }) => path.includes('.git/'))).toBe(true);
  });
});

describe('without soa-configs', () => {
  it('nobody can tell whether the group exists, so nothing is marked unless allowed', async () => {
    const nowhere = { 'soa-dir': join(scratch, 'nowhere'), 'system-config-dir': join(scratch, 'nowhere') };
    const result = await mark(nowhere);
    expect(result.code).toBe(1);
    expect(result.text).toContain(`there is no soa-configs tree at ${join(scratch, 'nowhere')}`);
    expect(await tagsOf()).toEqual({});
    expect(await mark({ ...nowhere, 'allow-unknown-group': 'true' })).toMatchObject({ code: 0, outputs: { marked: 'true' } });
  });
});

describe('a signal', () => {
  it('ends the wait for an image at once, with exit 130 and nothing written', async () => {
    front.intercept = undefined;
    let stopped = false;
    const result = await mark({ 'wait-for-image': 'true', timeout: '10m' }, {}, (child) => {
      child.stdout?.on('data', (chunk: string) => {
        if (!stopped && chunk.includes('waiting up to 10m 0s')) {
          stopped = true;
          child.kill('SIGINT');
        }
      });
    });
    expect(result.code).toBe(130);
    expect(result.text).toContain('was cancelled');
    expect(await tagsOf()).toEqual({});
  });
});

describe('names that try to get out', () => {
  // One column of the table is one run: all problems are reported together.
  const attempts: Readonly<Record<string, readonly string[]>> = {
    service: ['../../etc', 'web$(touch /tmp/pwned)', 'web\n::error::forged'],
    'deploy-group': ['prod.main$(id)', '../prod', 'prod\nname=injected', 'prod main', 'a+b', '-prod'],
    commit: ['HEAD', '$(id)', '--upload-pack=x'],
    'image-version': ['a/b', '1;rm', '../x'],
    'git-url': ['ext::sh -c id', '--upload-pack=touch /tmp/pwned', 'ext::x'],
    registry: ['reg.example;id', 'https://reg.example', '--config=x'],
    'github-api-url': ['file:///etc/passwd', 'javascript:x', 'https://user:pw@host'],
    'verify-image': ['maybe', 'yes', '1'],
  };
  it.each([0, 1, 2, 3, 4, 5])('are refused before anything is asked (%i)', async (column) => {
    const inputs = Object.fromEntries(
      Object.entries(attempts).flatMap(([name, values]) => (values[column] === undefined ? [] : [[name, values[column]]])),
    );
    const result = await mark(inputs);
    expect(result.code).toBe(1);
    for (const name of Object.keys(inputs)) expect(result.text).toMatch(new RegExp(`::error title=[^:]+::${name}: `));
    expect(result.text).not.toMatch(/^(?:name=injected|::error::forged)/m);
    expect(result.outputs).toEqual({});
    expect(github.count()).toBe(0);
    expect(front.asked).toEqual([]);
  });

  it.each(['../../x/y', 'acme/web/extra', 'acme', 'acme/..'])('repository %j is refused', async (value) => {
    const result = await mark({ repository: value });
    expect(result.code).toBe(1);
    expect(result.text).toMatch(/::error title=[^:]+::repository: /);
    expect(github.count()).toBe(0);
  });
});
