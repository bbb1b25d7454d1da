/**
 * The GitHub adapter against the double: real bare repositories behind, every exchange judged by GitHub's own description.
 * Without the adapter's rules these break: tags made twice when an answer is lost, refusals retried, causes not named.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { CancelledError, UserError } from '../../src/shared/contract/errors.ts';
import { connectGitHub } from '../../src/shared/github/index.ts';
import type { ConnectOptions, GitHubRepository } from '../../src/shared/github/index.ts';
import { until } from '../support/until.ts';
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

beforeAll(async () => {
  github = await startGitHub();
  repository = await github.createRepository('acme', 'web', {
    private: true,
    files: { Makefile: 'itest:\n', '.github/workflows/ci.yml': 'on: push\n' },
  });
  first = repository.firstCommit;
  second = await repository.commit({ 'app.txt': 'two' }, 'second');
  await repository.git('update-ref', 'refs/heads/side', first);
});
afterAll(async () => {
  await github.stop();
});
beforeEach(() => {
  github.reset();
  github.rules.protectedRefs = null;
  token = github.addToken({ permissions: { contents: 'write', deployments: 'write', issues: 'write', checks: 'write', actions: 'write' } });
  log = recordingLog();
});

function client(more: Partial<ConnectOptions> = {}): GitHubRepository {
  return connectGitHub({
    apiUrl: github.apiUrl,
    token,
    userAgent: 'paasta-test/1',
    log,
    mask: () => undefined,
    env: {},
    backOff: 5,
    ...more,
  }).repository('acme', 'web');
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
function clean(): void {
  expect(github.violations()).toEqual([]);
}

describe('refs and tags', () => {
  it('creates a light tag that git itself sees, and never overwrites it', async () => {
    const tag = 'paasta-prod.main+build-7-20260101T000000-deploy';
    expect(await client().createTag(tag, first)).toBe('created');
    expect(await client().createTag(tag, second)).toBe('exists');
    expect((await repository.tags())[tag]).toBe(first);
    expect(await client().refSha(`refs/tags/${tag}`)).toBe(first);
    expect(await client().refSha('refs/tags/none')).toBeUndefined();
    clean();
  });

  it('lists refs by prefix on the server, annotated tags followed to their commit', async () => {
    await repository.git('tag', '-a', '-m', 'annotated', 'paasta-list.a-20260101T000001-deploy', second);
    for (let n = 0; n < 40; n += 1) await repository.setRef(`refs/tags/paasta-list.b-202601010000${String(10 + n)}-deploy`, first);
    const found = await client().listRefs('refs/tags/paasta-list.');
    expect(found).toHaveLength(41);
    expect(found[0]).toEqual({ name: 'refs/tags/paasta-list.a-20260101T000001-deploy', sha: second });
    expect(await client().listRefs('refs/tags/paasta-list.c')).toEqual([]);
    clean();
  });

  it('notices that somebody else made the tag in the same second', async () => {
    github.faults.add({ kind: 'tag-race', sha: second });
    expect(await client().createTag('paasta-race-20260101T000000-deploy', first)).toBe('exists');
    expect((await repository.tags())['paasta-race-20260101T000000-deploy']).toBe(second);
    clean();
  });

  it.each(['drop', 'status'] as const)('makes one tag when the answer is lost (%s) after the work was done', async (kind) => {
    const name = `paasta-lost-${kind}-20260101T000000-deploy`;
    github.faults.add(
      kind === 'drop'
        ? { kind, applied: true, operation: 'git/create-ref' }
        : { kind, status: 502, applied: true, operation: 'git/create-ref' },
    );
    expect(await client().createTag(name, first)).toBe('created');
    expect(github.count('git/create-ref')).toBe(1);
    clean();
  });

  it('tries again when the server fails before doing anything, and gives up explained', async () => {
    github.faults.add({ kind: 'status', status: 503, times: 2, operation: 'git/create-ref' });
    expect(await client().createTag('paasta-again-20260101T000000-deploy', first)).toBe('created');
    expect(github.count('git/create-ref')).toBe(3);
    github.faults.add({ kind: 'status', status: 500, times: Infinity });
    expect(await refused(client().createTag('paasta-never-20260101T000000-deploy', first))).toMatchObject({
      code: 'GITHUB_UNAVAILABLE',
      text: expect.stringContaining('cannot create the tag paasta-never-20260101T000000-deploy in acme/web: 127.0.0.1'),
    });
    clean();
  });

  it('says that the commit is not there', async () => {
    const found = await refused(client().createTag('paasta-x-20260101T000000-deploy', 'f'.repeat(40)));
    expect(found.code).toBe('COMMIT_NOT_ON_SERVER');
    expect(found.text).toContain('next: push the commit first');
    expect(github.count('git/create-ref')).toBe(1);
    clean();
  });

  it('names the missing permission and asks only once', async () => {
    token = github.addToken({ permissions: { contents: 'read' } });
    const found = await refused(client().createTag('paasta-x-20260101T000000-deploy', first));
    expect(found.code).toBe('GITHUB_PERMISSION_MISSING');
    expect(found.text).toContain('GitHub asks for contents: write');
    expect(found.text).toContain("add 'contents: write' under permissions: of the job");
    expect(github.count()).toBe(1);
    clean();
  });

  it('explains why an older commit with other workflow files cannot be tagged', async () => {
    const old = await repository.commit({ '.github/workflows/ci.yml': 'on: pull_request\n' }, 'workflow changed', 'topic');
    await repository.commit({ '.github/workflows/ci.yml': 'on: [push, pull_request]\n' }, 'and again', 'topic');
    const found = await refused(client().createTag('paasta-old-20260101T000000-deploy', old));
    expect(found.code).toBe('GITHUB_WORKFLOWS_PERMISSION');
    expect(found.text).toContain('token of a GitHub App with Contents and Workflows');
    token = github.addToken({ permissions: { contents: 'write', workflows: 'write' } });
    expect(await client().createTag('paasta-old-20260101T000000-deploy', old)).toBe('created');
    clean();
  });

  it('explains rulesets, unknown repositories and dead tokens', async () => {
    github.rules.protectedRefs = 'refs/tags/paasta-*';
    expect((await refused(client().createTag('paasta-rule-20260101T000000-deploy', first))).code).toBe('GITHUB_RULESET');
    const other = connectGitHub({ apiUrl: github.apiUrl, token, userAgent: 't', log, mask: () => undefined, env: {} }).repository(
      'acme',
      'nowhere',
    );
    expect(await refused(other.listRefs('refs/tags/paasta-'))).toMatchObject({
      code: 'GITHUB_NOT_FOUND',
      text: expect.stringContaining('acme/nowhere'),
    });
    expect((await refused(client({ token: 'ghs_wrong' }).listRefs('refs/tags/'))).code).toBe('GITHUB_TOKEN_REJECTED');
    clean();
  });
});

describe('rate limits', () => {
  it('waits out a secondary limit that is short', async () => {
    github.faults.add({ kind: 'secondary-rate-limit', retryAfter: 1, operation: 'git/list-matching-refs' });
    await client().listRefs('refs/tags/paasta-none');
    expect(github.count('git/list-matching-refs')).toBe(2);
    expect(log.lines.join('\n')).toContain('secondary rate limit stops GET');
  });

  it('reports limits that take longer, with their end, and does not knock again', async () => {
    github.faults.add({ kind: 'primary-rate-limit', resetInSeconds: 1800 });
    const primary = await refused(client().listRefs('refs/tags/'));
    expect(primary.code).toBe('GITHUB_RATE_LIMIT');
    expect(primary.text).toMatch(/it ends at 20\d\d-.*Z \(in 30 min\)/);
    github.faults.add({ kind: 'secondary-rate-limit', retryAfter: 900, status: 429 });
    expect(await refused(client().listRefs('refs/tags/'))).toMatchObject({
      code: 'GITHUB_SECONDARY_RATE_LIMIT',
      text: expect.stringContaining('for 900 s'),
    });
    expect(github.count()).toBe(2);
  });

  it('stops waiting when the run is cancelled', async () => {
    github.faults.add({ kind: 'secondary-rate-limit', retryAfter: 5, times: 3 });
    const controller = new AbortController();
    const work = client({ signal: controller.signal }).listRefs('refs/tags/');
    await Promise.all([
      expect(work).rejects.toBeInstanceOf(CancelledError),
      until('the first answer', () => github.count() === 1).then(() => {
        controller.abort();
      }),
    ]);
    expect(github.count()).toBe(1);
  });
});

describe('commits', () => {
  it('knows existing commits and expands short ids', async () => {
    expect(await client().commitExists(first)).toBe(true);
    expect(await client().commitExists('a'.repeat(40))).toBe(false);
    expect(await client().expandCommit(second.slice(0, 8))).toBe(second);
    expect(await client().expandCommit('side')).toBe(first);
    expect(await client().expandCommit('0000000')).toBeUndefined();
    clean();
  });

  it('tells ancestry', async () => {
    const apart = await repository.commit({ z: '1' }, 'apart', 'side');
    expect(await client().relation(first, second)).toBe('ahead');
    expect(await client().relation(second, first)).toBe('behind');
    expect(await client().relation(second, second)).toBe('identical');
    expect(await client().relation(second, apart)).toBe('diverged');
    expect(await client().relation(second, 'b'.repeat(40))).toBe('unknown');
    expect(await client().compare(first, second)).toEqual({
      relation: 'ahead',
      aheadBy: 1,
      behindBy: 0,
      url: `${github.url}/acme/web/compare/${first}...${second}`,
    });
    expect(client().compareUrl(first, second)).toBe(`${github.url}/acme/web/compare/${first}...${second}`);
    clean();
  });
});

describe('deployments', () => {
  const payload = { service: 'web', tag: 'paasta-prod-20260101T000000-deploy', image_version: null };

  it('creates a deployment of an older commit although checks are pending, and finds the newest', async () => {
    // Without auto_merge: false and required_contexts: [] GitHub answers 409 to this.
    repository.state.statuses.unshift({
      id: 1,
      sha: first,
      state: 'pending',
      context: 'ci',
      description: null,
      targetUrl: null,
      creator: 'x',
      at: '2026-01-01T00:00:00Z',
    });
    const made = await client().createDeployment({ sha: first, environment: 'prod.main', payload, description: 'x'.repeat(300) });
    const later = await client().createDeployment({ sha: first, environment: 'prod.main', payload: { ...payload, tag: 'later' } });
    await client().createDeployment({ sha: second, environment: 'prod.canary', payload });
    expect(made).toMatchObject({ sha: first, environment: 'prod.main', payload });
    expect((await client().newestDeployment('prod.main', first))?.id).toBe(later.id);
    expect(await client().newestDeployment('prod.main', second)).toBeUndefined();
    clean();
  });

  it('makes one deployment when the answer is lost', async () => {
    const before = repository.state.deployments.length;
    github.faults.add({ kind: 'status', status: 502, applied: true, operation: 'repos/create-deployment' });
    const made = await client().createDeployment({ sha: second, environment: 'lost', payload });
    expect(repository.state.deployments.length).toBe(before + 1);
    expect(repository.state.deployments[0]?.id).toBe(made.id);
    clean();
  });

  it('writes statuses, descriptions cut to what GitHub takes', async () => {
    const made = await client().createDeployment({ sha: second, environment: 'status', payload });
    await client().createDeploymentStatus(made.id, { state: 'in_progress', logUrl: 'https://example.com/run/1' });
    await client().createDeploymentStatus(made.id, { state: 'failure', description: `the pods crash: ${'y'.repeat(200)}` });
    const { statuses } = repository.state.deployments[0] ?? { statuses: [] };
    expect(statuses.map((status) => status.state)).toEqual(['failure', 'in_progress']);
    expect(statuses[0]?.description).toHaveLength(140);
    expect(statuses[0]?.description).toMatch(/…$/);
    clean();
  });

  it('names the permission that deployments need', async () => {
    token = github.addToken({ permissions: { contents: 'write' } });
    expect(await refused(client().createDeployment({ sha: second, environment: 'p', payload }))).toMatchObject({
      code: 'GITHUB_PERMISSION_MISSING',
      text: expect.stringContaining('deployments: write'),
    });
    clean();
  });
});

describe('comments, checks, dispatches', () => {
  it('comments once, finds and updates', async () => {
    github.faults.add({ kind: 'status', status: 500, applied: true, operation: 'issues/create-comment' });
    const made = await client().createComment(3, 'plan');
    await client().updateComment(made.id, 'new plan');
    expect((await client().listComments(3)).map((comment) => comment.body)).toEqual(['new plan']);
    clean();
  });

  it('sends more than 50 annotations in batches', async () => {
    const annotations = Array.from({ length: 120 }, (_unused, index) => ({
      path: 'a.yaml',
      startLine: index + 1,
      level: 'warning' as const,
      message: `line ${String(index + 1)}`,
    }));
    await client().createCheckRun({ name: 'soa-configs', sha: second, conclusion: 'neutral', title: 't', summary: 's', annotations });
    expect(repository.state.checkRuns[0]?.annotations).toHaveLength(120);
    expect(github.count('checks/create') + github.count('checks/update')).toBe(3);
    clean();
  });

  it('starts a workflow', async () => {
    await client().dispatchWorkflow('ci.yml', 'main', { service: 'web' });
    expect(repository.state.dispatches.at(-1)).toMatchObject({
      kind: 'workflow',
      workflow: 'ci.yml',
      ref: 'main',
      payload: { service: 'web' },
    });
    clean();
  });
});

describe('network', () => {
  it('sends the pinned API version and its own name, and masks the token', async () => {
    const { mask, secrets } = recordingMask();
    await client({ mask }).commitExists(first);
    expect(github.requests[0]?.userAgent).toMatch(/^paasta-test\/1/);
    expect(secrets).toEqual([token]);
    expect(log.lines).toContainEqual(
      expect.stringMatching(/^debug github: GET \/api\/v3\/repos\/acme\/web\/git\/commits\/[0-9a-f]{40} -> 200 \(\d+ ms\)$/),
    );
    expect(log.lines.join('\n')).not.toContain(token);
    clean();
  });

  it('goes through the proxy of the environment, and past it for NO_PROXY', async () => {
    const proxy = await startProxy();
    try {
      expect(await client({ env: { HTTP_PROXY: proxy.url } }).commitExists(first)).toBe(true);
      expect(proxy.seen.length).toBeGreaterThan(0);
      const before = proxy.seen.length;
      await client({ env: { http_proxy: proxy.url, no_proxy: '127.0.0.1' } }).commitExists(first);
      expect(proxy.seen).toHaveLength(before);
    } finally {
      await proxy.stop();
    }
    clean();
  });

  it('names server and proxy when nobody answers', async () => {
    const dead = 'http://127.0.0.1:9';
    const direct = await refused(client({ apiUrl: `${dead}/api/v3` }).listRefs('refs/tags/'));
    expect(direct.code).toBe('GITHUB_UNREACHABLE');
    expect(direct.text).toContain('127.0.0.1:9 does not answer');
    const through = await refused(client({ env: { HTTP_PROXY: 'http://me:secret@127.0.0.1:9' } }).listRefs('refs/tags/'));
    expect(through.text).toContain('through the proxy http://***@127.0.0.1:9');
    expect(through.text).not.toContain('secret');
  });

  it('works over HTTPS with a private CA, directly and through a CONNECT proxy; without the CA it says what to set', async () => {
    const front = await startSecureFront(github.url, ['github.corp.example']);
    const proxy = await startProxy({
      route: (host) => (host === 'github.corp.example:443' ? { host: '127.0.0.1', port: front.port } : undefined),
    });
    // Node reads NODE_EXTRA_CA_CERTS at its start, so the client runs in a process of its own.
    const script = `
      import { connectGitHub } from ${JSON.stringify(new URL('../../src/shared/github/index.ts', import.meta.url).href)};
      const log = { debug() {}, info() {}, problem() {}, group: (t, b) => b() };
      const r = connectGitHub({ apiUrl: process.env.API, token: process.env.TOKEN, userAgent: 't', log, mask() {}, env: process.env, backOff: 5 }).repository('acme', 'web');
      try { console.log(await r.commitExists(process.env.SHA)); } catch (error) { console.log(error.problems?.[0]?.code, error.message); }`;
    const ask = async (env: Record<string, string>): Promise<string> =>
      (
        await execute(process.execPath, ['--input-type=module', '-e', script], {
          env: { PATH: process.env['PATH'] ?? '', TOKEN: token, SHA: first, ...env },
        })
      ).stdout.trim();
    try {
      expect(await ask({ API: `${front.url}/api/v3`, NODE_EXTRA_CA_CERTS: front.caFile })).toBe('true');
      expect(await ask({ API: 'https://github.corp.example/api/v3', HTTPS_PROXY: proxy.url, NODE_EXTRA_CA_CERTS: front.caFile })).toBe(
        'true',
      );
      expect(proxy.seen).toEqual(['CONNECT github.corp.example:443']);
      const distrusted = await ask({ API: `${front.url}/api/v3` });
      expect(distrusted).toContain('GITHUB_CERTIFICATE');
      expect(distrusted).toContain('NODE_EXTRA_CA_CERTS');
    } finally {
      await proxy.stop();
      await front.stop();
    }
    clean();
  });

  it('says that the proxy refuses', async () => {
    const proxy = await startProxy({ refuse: 407 });
    try {
      const found = await refused(
        client({ apiUrl: 'https://github.corp.example/api/v3', env: { HTTPS_PROXY: proxy.url } }).listRefs('refs/tags/'),
      );
      expect(found.code).toBe('GITHUB_UNREACHABLE');
      expect(found.text).toContain(`the proxy ${proxy.url} does not let us to github.corp.example`);
    } finally {
      await proxy.stop();
    }
  });
});

describe('the double itself', () => {
  it('judges by the description that the installed package gives', async () => {
    const script = new URL('../../scripts/cut-openapi.ts', import.meta.url).pathname;
    await expect(execute(process.execPath, [script, '--check'])).resolves.toMatchObject({ stderr: '' });
  });

  it('judges: unknown operations, undocumented parameters and wrong bodies are violations', async () => {
    const headers = { authorization: `Bearer ${token}`, 'user-agent': 't', 'content-type': 'application/json' };
    expect((await fetch(`${github.apiUrl}/repos/acme/web/nope`, { headers })).status).toBe(500);
    expect((await fetch(`${github.apiUrl}/repos/acme/web/tags?filter=x`, { headers })).status).toBe(500);
    expect(
      (await fetch(`${github.apiUrl}/repos/acme/web/git/refs`, { method: 'POST', headers, body: JSON.stringify({ ref: 'refs/tags/x' }) }))
        .status,
    ).toBe(500);
    expect(github.violations()).toHaveLength(3);
    expect(github.violations()[2]).toContain("must have required property 'sha'");
  });

  it('hides a private repository from strangers, and new refs for some reads when told', async () => {
    expect((await fetch(`${github.apiUrl}/repos/acme/web`, { headers: { 'user-agent': 't' } })).status).toBe(404);
    github.faults.add({ kind: 'hidden-ref', reads: 2 });
    expect(await client().createTag('paasta-hidden-20260101T000000-deploy', first)).toBe('created');
    const seen: number[] = [];
    for (let n = 0; n < 3; n += 1) seen.push((await client().listRefs('refs/tags/paasta-hidden')).length);
    expect(seen).toEqual([0, 0, 1]);
    clean();
  });

  it('paginates with Link headers, 100 at most', async () => {
    const many = await github.createRepository('acme', 'many', { files: { a: '1' } });
    const mine = connectGitHub({
      apiUrl: github.url,
      token: github.addToken(),
      userAgent: 't',
      log,
      mask: () => undefined,
      env: {},
    }).repository('acme', 'many');
    for (let n = 0; n < 205; n += 1)
      many.state.comments.push({
        id: n,
        issue: 1,
        body: `c${String(n)}`,
        author: 'x',
        association: 'MEMBER',
        at: '2026-01-01T00:00:00Z',
        updatedAt: '2026-01-01T00:00:00Z',
        reactions: [],
      });
    expect(await mine.listComments(1)).toHaveLength(205);
    expect(github.count('issues/list-comments')).toBe(3);
    clean();
  });
});
