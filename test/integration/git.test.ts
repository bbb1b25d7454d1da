/**
 * Git over its own protocol against real `git http-backend`: listing, tagging without a checkout, ancestry, causes of
 * failure. What would break without the code: passwords in argv, forced tags, prompts that hang, whole snapshots pushed.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CancelledError, UserError } from '../../src/shared/contract/errors.ts';
import { connectGit, headCommit, relationIn, remoteUrl } from '../../src/shared/git/index.ts';
import type { GitOptions, GitRemote } from '../../src/shared/git/index.ts';
import { run, tracedRun } from '../../src/shared/process/index.ts';
import type { Run } from '../../src/shared/process/index.ts';
import { recordingLog, recordingMask } from '../support/recording.ts';
import type { RecordingLog } from '../support/recording.ts';
import { startProxy, startSecureFront } from '../support/network-fronts.ts';
import { startGitHub } from '../testbed/github/index.ts';
import type { DoubleRepository, GitHubDouble } from '../testbed/github/index.ts';

const execute = promisify(execFile);
let github: GitHubDouble;
let repository: DoubleRepository;
let token: string;
let first: string;
let second: string;
let log: RecordingLog;
let scratch: string;
const started: (readonly string[])[] = [];
/** The real one, with its argv on record. */
const recordedRun: Run = (argv, options) => {
  started.push(argv);
  return tracedRun(log)(argv, options);
};
const environment = { PATH: process.env['PATH'], HOME: '/nonexistent', GIT_CONFIG_NOSYSTEM: '1' };

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'paasta-git-test-'));
  github = await startGitHub();
  repository = await github.createRepository('acme', 'web', {
    private: true,
    files: { 'big.txt': 'x'.repeat(2_000_000), '.github/workflows/ci.yml': 'on: push\n' },
  });
  first = repository.firstCommit;
  second = await repository.commit({ 'app.txt': 'two' }, 'second');
});
afterAll(async () => {
  await github.stop();
  await rm(scratch, { recursive: true, force: true });
});
beforeEach(() => {
  github.reset();
  github.rules.protectedRefs = null;
  started.length = 0;
  token = github.addToken({ permissions: { contents: 'write' } });
  log = recordingLog();
});

function remote(more: Partial<GitOptions> = {}): GitRemote {
  return connectGit({
    url: repository.cloneUrl,
    run: recordedRun,
    env: environment,
    mask: () => undefined,
    token,
    backOff: 5,
    timeout: 20_000,
    ...more,
  });
}
async function refused(work: Promise<unknown>): Promise<{ code: string; text: string }> {
  try {
    await work;
  } catch (error) {
    if (error instanceof UserError) return { code: error.problems[0]?.code ?? '', text: error.message };
    throw error;
  }
  throw new Error('it was not refused');
}

describe('listing refs', () => {
  it('asks the server for tags only, follows annotated ones, and filters the rest of the prefix', async () => {
    await repository.git('tag', '-a', '-m', 'note', 'paasta-list.a-20260101T000000-deploy', first);
    await repository.setRef('refs/tags/paasta-list.b-20260101T000000-deploy', second);
    for (let n = 0; n < 300; n += 1) await repository.setRef(`refs/heads/branch-with-a-long-name-${String(n)}`, second);
    expect(await remote().listRefs('refs/tags/paasta-list.')).toEqual([
      { name: 'refs/tags/paasta-list.a-20260101T000000-deploy', sha: first },
      { name: 'refs/tags/paasta-list.b-20260101T000000-deploy', sha: second },
    ]);
    const listing = github.requests.filter((line) => line.operation === 'git-upload-pack');
    expect(listing).toHaveLength(1);
    // 300 branches would be 20 kB: the server has left them out.
    expect(listing[0]?.bytes).toBeLessThan(2000);
  });
});

describe('a repository on this machine', () => {
  it('is read without a server, packed or loose, and says the newest mark as a server does', async () => {
    const local = await github.createRepository('acme', 'local', { files: { a: 'a' } });
    const one = local.firstCommit;
    const two = await local.commit({ a: 'b' }, 'two');
    await local.setRef('refs/tags/paasta-prod.main-20260101T000000-deploy', one);
    await local.git('tag', '-a', '-m', 'x', 'paasta-prod.main+v2-20260103T000000-deploy', two);
    await local.setRef('refs/tags/paasta-prod.main-20260102T000000-deploy', one);
    await local.setRef('refs/tags/paasta-prodXmain-20260104T000000-deploy', one);
    await local.setRef('refs/heads/paasta-prod.main', one);
    const newest = {
      name: 'refs/tags/paasta-prod.main+v2-20260103T000000-deploy',
      sha: two,
      timestamp: '20260103T000000',
      imageVersion: 'v2',
    };
    const prefixes = ['refs/tags/paasta-', 'refs/heads/paasta-'];
    const served = await connectGit({ url: local.cloneUrl, run, env: environment, mask: () => undefined }).listRefsOf(prefixes);
    const direct = connectGit({ url: local.bareDir, run: recordedRun, env: environment, mask: () => undefined });
    const names = (refs: readonly { name: string; sha: string }[]): string[] => refs.map(({ name, sha }) => `${name} ${sha}`).sort();
    expect(served).toHaveLength(5);
    expect(names(await direct.listRefsOf(prefixes))).toEqual(names(served));
    expect(await direct.newestMark('prod.main')).toEqual(newest);
    expect(started.map(([, , word]) => word)).toEqual(['for-each-ref', 'for-each-ref']);
    await local.git('pack-refs', '--all');
    started.length = 0;
    expect(names(await direct.listRefsOf(prefixes))).toEqual(names(served));
    expect(await direct.newestMark('prod.main')).toEqual(newest);
    expect(await direct.newestMark('prod')).toBeUndefined();
    expect(started).toEqual([]);
    expect(await connectGit({ url: local.cloneUrl, run, env: environment, mask: () => undefined }).newestMark('prod.main')).toEqual(newest);
  });
});

describe('tags', () => {
  it('tags without a checkout and without moving files in either direction', async () => {
    expect(await remote().createTag('paasta-free-20260101T000000-deploy', first)).toBe('created');
    expect((await repository.tags())['paasta-free-20260101T000000-deploy']).toBe(first);
    // The commit holds 2 MB that do not compress away as text of commits does: they must not travel.
    expect(github.requests.filter((line) => line.operation === 'git-upload-pack').reduce((sum, line) => sum + line.bytes, 0)).toBeLessThan(
      5000,
    );
  });

  it('never forces: a name that is taken stays as it is', async () => {
    await repository.setRef('refs/tags/paasta-taken-20260101T000000-deploy', first);
    expect(await remote().createTag('paasta-taken-20260101T000000-deploy', second)).toBe('exists');
    expect(await remote().createTag('paasta-taken-20260101T000000-deploy', first)).toBe('exists');
    expect((await repository.tags())['paasta-taken-20260101T000000-deploy']).toBe(first);
  });

  it('notices a race that is lost between listing and writing', async () => {
    github.faults.add({ kind: 'tag-race', sha: second });
    expect(await remote().createTag('paasta-race-20260101T000000-deploy', first)).toBe('exists');
    expect((await repository.tags())['paasta-race-20260101T000000-deploy']).toBe(second);
  });

  it('pushes from the checkout when that has the commit, past the credentials that actions/checkout left', async () => {
    const checkout = join(scratch, 'checkout');
    await execute('git', ['clone', '-q', repository.cloneUrl.replace('http://', `http://x:${token}@`), checkout]);
    await execute('git', ['-C', checkout, 'remote', 'set-url', 'origin', repository.cloneUrl]);
    await execute('git', ['-C', checkout, 'config', `http.${github.url}/.extraheader`, 'AUTHORIZATION: basic d3Jvbmc6d3Jvbmc=']);
    github.reset();
    expect(await remote({ checkout }).createTag('paasta-checkout-20260101T000000-deploy', second)).toBe('created');
    // The listing only: nothing is fetched.
    expect(github.requests.filter((line) => line.operation === 'git-upload-pack')).toHaveLength(1);
    expect(await remote({ checkout }).createTag('paasta-checkout-20260101T000001-deploy', first)).toBe('created');
    expect(await headCommit(run, checkout)).toBe(second);
    expect(await remoteUrl(run, checkout)).toBe(repository.cloneUrl);
    expect(await relationIn(run, checkout, second, first)).toBe('behind');
    expect(await relationIn(run, checkout, second, 'e'.repeat(40))).toBe('unknown');
  });

  it('publishes nothing: a commit that only the checkout has is refused, as PaaSTA does', async () => {
    const checkout = join(scratch, 'checkout');
    await execute('git', [
      '-C',
      checkout,
      '-c',
      'user.name=t',
      '-c',
      'user.email=t@example.com',
      'commit',
      '-q',
      '--allow-empty',
      '-m',
      'not pushed',
    ]);
    const secret = await headCommit(run, checkout);
    expect((await refused(remote({ checkout }).createTag('paasta-unpushed-20260101T000000-deploy', secret))).code).toBe(
      'COMMIT_NOT_ON_SERVER',
    );
    await expect(repository.git('cat-file', '-e', secret)).rejects.toThrow();
  });

  it('says that the commit is not on the server', async () => {
    expect(await refused(remote().createTag('paasta-x-20260101T000000-deploy', 'd'.repeat(40)))).toMatchObject({
      code: 'COMMIT_NOT_ON_SERVER',
      text: expect.stringContaining('next: push the commit first'),
    });
  });

  it('tries again after an error of the server', async () => {
    github.faults.add({ kind: 'status', status: 502, operation: 'git-receive-pack' });
    expect(await remote().createTag('paasta-again-20260101T000000-deploy', first)).toBe('created');
  });

  it('works on a local repository', async () => {
    expect(await remote({ url: repository.bareDir, token: undefined }).createTag('paasta-local-20260101T000000-deploy', first)).toBe(
      'created',
    );
    expect(
      await remote({ url: `./web.git`, workingDirectory: join(repository.bareDir, '..'), token: undefined }).listRefs(
        'refs/tags/paasta-local',
      ),
    ).toHaveLength(1);
  });
});

describe('short ids', () => {
  it('are expanded from refs, or from the checkout', async () => {
    expect(await remote().expandCommit(second.slice(0, 9))).toBe(second);
    expect(await remote().expandCommit('0123456')).toBeUndefined();
    expect(await remote().expandCommit('main')).toBeUndefined();
    expect(await remote({ url: repository.bareDir, token: undefined }).expandCommit(first.slice(0, 9))).toBe(first);
  });
});

describe('ancestry', () => {
  it('is asked of the server when there is no checkout, commits only', async () => {
    const apart = await repository.commit({ z: '1' }, 'apart', 'branch-with-a-long-name-1');
    await repository.commit({ q: '1' }, 'ahead on main');
    expect(await remote().relation(first, second)).toBe('ahead');
    expect(await remote().relation(second, first)).toBe('behind');
    expect(await remote().relation(apart, second)).toBe('behind');
    const main = (await repository.git('rev-parse', 'main')).trim();
    expect(await remote().relation(apart, main)).toBe('diverged');
    expect(await remote().relation(first, first)).toBe('identical');
    expect(await remote().relation('c'.repeat(40), first)).toBe('unknown');
    expect(github.requests.every((line) => line.bytes < 20_000)).toBe(true);
  });
});

describe('secrets and safety', () => {
  it('keeps the token out of argv, logs and files', async () => {
    const { mask, secrets } = recordingMask();
    await remote({ mask }).createTag('paasta-secret-20260101T000000-deploy', first);
    const basic = Buffer.from(`x-access-token:${token}`).toString('base64');
    expect(secrets).toEqual([token, basic]);
    for (const secret of secrets) {
      expect(JSON.stringify(started)).not.toContain(secret);
      expect(log.lines.join('\n')).not.toContain(secret);
    }
    expect(log.lines.join('\n')).toMatch(/^debug run git .*push .*\n(?:.*\n)*?debug {3}exit 0 after \d+ ms$/m);
    // The scratch repository is gone with everything in it.
    const made = started.find((argv) => argv.includes('init'))?.at(-1) ?? '';
    expect(made).toContain('paasta-git-');
    expect(existsSync(made)).toBe(false);
  });

  it('takes credentials out of the address', async () => {
    const at = remote({ token: undefined, url: repository.cloneUrl.replace('http://', `http://me:${token}@`) });
    expect(at.address.url).toBe(repository.cloneUrl);
    expect(await at.listRefs('refs/tags/paasta-free')).toHaveLength(1);
    expect(JSON.stringify(started)).not.toContain(token);
  });

  it.each([
    'ext::sh -c touch% /tmp/x',
    '--upload-pack=touch /tmp/x',
    'https://',
    'fd::17',
    'ssh://-oProxyCommand=x/y',
    'foo://bar/x',
    'a\nb',
  ])('refuses the address %j', async (url) => {
    expect((await refused((async () => remote({ url }).listRefs('refs/tags/'))())).code).toBe('INVALID_GIT_URL');
    expect(started).toEqual([]);
  });
});

describe('causes', () => {
  it('names them', async () => {
    expect((await refused(remote({ token: undefined }).listRefs('refs/tags/'))).code).toBe('GIT_AUTHENTICATION');
    expect((await refused(remote({ token: 'wrong' }).listRefs('refs/tags/'))).code).toBe('GIT_AUTHENTICATION');
    expect((await refused(remote({ url: `${github.url}/acme/none.git` }).listRefs('refs/tags/'))).code).toBe('GIT_REPOSITORY_NOT_FOUND');
    expect((await refused(remote({ url: join(scratch, 'nothing') }).listRefs('refs/tags/'))).code).toBe('GIT_REPOSITORY_NOT_FOUND');
    expect((await refused(remote({ url: 'http://127.0.0.1:9/a/b.git' }).listRefs('refs/tags/'))).code).toBe('GIT_UNREACHABLE');
    expect((await refused(remote({ url: 'https://no-such-host.invalid/a/b.git' }).listRefs('refs/tags/'))).code).toBe('GIT_UNREACHABLE');
    expect(
      (
        await refused(
          remote({ token: github.addToken({ permissions: { contents: 'read' } }) }).createTag('paasta-x-20260101T000000-deploy', first),
        )
      ).code,
    ).toBe('GIT_FORBIDDEN');
  });

  it('explains GH013 and the workflows permission', async () => {
    github.rules.protectedRefs = 'refs/tags/paasta-*';
    const rule = await refused(remote().createTag('paasta-rule-20260101T000000-deploy', first));
    expect(rule.code).toBe('GIT_RULESET');
    expect(rule.text).toContain('GH013');
    github.rules.protectedRefs = null;
    const old = await repository.commit({ '.github/workflows/ci.yml': 'on: pull_request\n' }, 'workflow changed', 'topic');
    await repository.commit({ '.github/workflows/ci.yml': 'on: [push]\n' }, 'and again', 'topic');
    expect((await refused(remote().createTag('paasta-old-20260101T000000-deploy', old))).code).toBe('GITHUB_WORKFLOWS_PERMISSION');
  });

  it('ends after the timeout, and at once when cancelled', async () => {
    github.faults.add({ kind: 'slow', milliseconds: 3000, times: 2 });
    expect(await refused(remote({ timeout: 500 }).listRefs('refs/tags/'))).toMatchObject({
      code: 'GIT_TIMEOUT',
      text: expect.stringContaining('within 0.5 s'),
    });
    const controller = new AbortController();
    setTimeout(() => {
      controller.abort();
    }, 100);
    await expect(remote({ signal: controller.signal }).listRefs('refs/tags/')).rejects.toBeInstanceOf(CancelledError);
  });
});

describe('network', () => {
  it('goes through the proxy and trusts the private CA of NODE_EXTRA_CA_CERTS', async () => {
    const front = await startSecureFront(github.url, ['git.corp.example']);
    const proxy = await startProxy({
      route: (host) => (host === 'git.corp.example:443' ? { host: '127.0.0.1', port: front.port } : undefined),
    });
    try {
      const url = 'https://git.corp.example/acme/web.git';
      const env = { ...environment, HTTPS_PROXY: proxy.url };
      expect((await refused(remote({ url, env }).listRefs('refs/tags/'))).code).toBe('GIT_CERTIFICATE');
      expect((await remote({ url, env: { ...env, NODE_EXTRA_CA_CERTS: front.caFile } }).listRefs('refs/tags/paasta-free')).length).toBe(1);
      expect(proxy.seen[0]).toBe('CONNECT git.corp.example:443');
    } finally {
      await proxy.stop();
      await front.stop();
    }
  });
});
