/** Refs of many repositories through GraphQL, against GitHub's published schema over real bare repositories. */
import { UserError } from '../../src/shared/contract/errors.ts';
import { connectRefBatches } from '../../src/shared/github/ref-batches.ts';
import type { ConnectOptions, RefBatches, RefsAnswer } from '../../src/shared/github/index.ts';
import { recordingLog } from '../support/recording.ts';
import type { RecordingLog } from '../support/recording.ts';
import { startGitHub } from '../testbed/github/index.ts';
import type { DoubleRepository, GitHubDouble } from '../testbed/github/index.ts';

let github: GitHubDouble;
let web: DoubleRepository;
let token: string;
let log: RecordingLog;
const TAGS = ['refs/tags/paasta-'];

beforeAll(async () => {
  github = await startGitHub();
  web = await github.createRepository('acme', 'web', { private: true, files: { a: 'a' } });
  await web.git('tag', 'paasta-prod.main-20260101T000000-deploy', 'main');
  await web.git('tag', '-a', '-m', 'x', 'paasta-prod.main-20260102T000000-deploy', 'main');
  await web.git('tag', '-a', '-m', 'x', 'paasta-nested-20260102T000000-deploy', 'paasta-prod.main-20260102T000000-deploy');
  await web.git('tag', 'not-paasta-at-all', 'main');
  await web.git('tag', 'v1', 'main');
  await web.git('branch', 'paasta-prod.main', 'main');
  await github.createRepository('acme', 'empty');
});
afterAll(async () => {
  await github.stop();
});
beforeEach(() => {
  github.reset();
  token = github.addToken({ permissions: { contents: 'read', metadata: 'read' } });
  log = recordingLog();
});

function connect(more: Partial<ConnectOptions> = {}): RefBatches {
  return connectRefBatches({ apiUrl: github.apiUrl, token, userAgent: 'test', log, mask: () => undefined, env: {}, backOff: 1, ...more });
}
const repository = (name: string): { owner: string; name: string } => ({ owner: 'acme', name });
const codeOf = (answer: RefsAnswer | undefined): string =>
  answer === undefined ? 'no answer' : 'problem' in answer ? answer.problem.code : 'refs';

describe('refs of many repositories', () => {
  it.each([
    ['an Enterprise server', () => github.apiUrl, '/api/graphql'],
    ['github.com', () => github.url, '/graphql'],
  ])('come from %s in one request, annotated tags dereferenced, other names left out', async (_, apiUrl, path) => {
    const batches = connect({ apiUrl: apiUrl() });
    const answers = await batches.listRefs([repository('web'), repository('empty'), { owner: 'ACME', name: 'Web' }], TAGS);
    expect(Object.fromEntries(answers)).toEqual({
      'acme/empty': { refs: [] },
      'acme/web': {
        refs: [
          'paasta-nested-20260102T000000-deploy',
          'paasta-prod.main-20260101T000000-deploy',
          'paasta-prod.main-20260102T000000-deploy',
        ].map((name) => ({ name: `refs/tags/${name}`, sha: web.firstCommit })),
      },
    });
    expect(github.requests.map(({ method, path: asked }) => [method, asked])).toEqual([['POST', path]]);
    expect(batches.requests()).toBe(1);
    expect(github.violations()).toEqual([]);
  });

  it('may have several prefixes', async () => {
    const answers = await connect().listRefs([repository('web')], [...TAGS, 'refs/heads/paasta-']);
    const answer = answers.get('acme/web');
    expect(answer !== undefined && 'refs' in answer ? answer.refs.map(({ name }) => name).at(-1) : answer).toBe(
      'refs/heads/paasta-prod.main',
    );
    expect(github.count()).toBe(1);
  });

  it('are asked for page by page where there are more than 100, and only there', async () => {
    const many = await github.createRepository('acme', 'many', { files: { a: 'a' } });
    const names = Array.from({ length: 250 }, (_, n) => `refs/tags/paasta-g-20260101T${String(n).padStart(6, '0')}-deploy`);
    await many.git('pack-refs', '--all');
    for (let n = 0; n < names.length; n += 50) await Promise.all(names.slice(n, n + 50).map((name) => many.setRef(name, many.firstCommit)));
    const answers = await connect().listRefs([repository('web'), repository('many')], TAGS);
    const answer = answers.get('acme/many');
    expect(answer !== undefined && 'refs' in answer ? answer.refs.map(({ name }) => name) : answer).toEqual(names);
    expect(github.count('graphql')).toBe(3);
    expect(JSON.stringify(github.requests[1]?.body)).not.toContain('web');
    expect(github.violations()).toEqual([]);
  });

  it('of a repository that is unknown or forbidden are its own problem', async () => {
    await github.createRepository('acme', 'secret', { private: true, files: { a: 'a' } });
    const limited = github.addToken({ permissions: { metadata: 'read' }, repositories: ['acme/secret'] });
    const answers = await connect({ token: limited }).listRefs([repository('nowhere'), repository('secret'), repository('empty')], TAGS);
    expect([...answers].map(([name, answer]) => [name, codeOf(answer)])).toEqual([
      ['acme/nowhere', 'GITHUB_NOT_FOUND'],
      ['acme/secret', 'GITHUB_PERMISSION_MISSING'],
      ['acme/empty', 'refs'],
    ]);
    const nowhere = answers.get('acme/nowhere');
    expect(nowhere !== undefined && 'problem' in nowhere ? nowhere.problem.message : '').toMatch(
      /^cannot list the tags of acme\/nowhere: .* knows no such repository, or the token may not see it/,
    );
  });

  it('follow tags of tags of tags through the REST API', async () => {
    const odd = await github.createRepository('acme', 'odd', { files: { a: 'a' } });
    await odd.git('tag', '-a', '-m', 'x', 'one', 'main');
    await odd.git('tag', '-a', '-m', 'x', 'two', 'one');
    await odd.git('tag', '-a', '-m', 'x', 'paasta-g-20260101T000000-deploy', 'two');
    expect((await connect().listRefs([repository('odd')], TAGS)).get('acme/odd')).toEqual({
      refs: [{ name: 'refs/tags/paasta-g-20260101T000000-deploy', sha: odd.firstCommit }],
    });
    expect(await connect().listRefsByRest(repository('odd'), TAGS)).toEqual({
      refs: [{ name: 'refs/tags/paasta-g-20260101T000000-deploy', sha: odd.firstCommit }],
    });
  });
});

describe('a server that says no', () => {
  it('explains a rate limit that lasts, for all, after one request', async () => {
    github.faults.add({ kind: 'primary-rate-limit', operation: 'graphql', resetInSeconds: 3000, times: Infinity });
    const repositories = Array.from({ length: 200 }, (_, n) => repository(`s${String(n)}`));
    const answers = await connect().listRefs(repositories, TAGS);
    expect(new Set([...answers.values()].map(codeOf))).toEqual(new Set(['GITHUB_RATE_LIMIT']));
    const answer = answers.get('acme/s0');
    expect(answer !== undefined && 'problem' in answer ? answer.problem.message : '').toMatch(
      /the rate limit of this token is used up; it ends at \d{4}-.* \(in (?:49|50) min\)/,
    );
    // Two queries travel at the same time.
    expect(github.count('graphql')).toBeLessThanOrEqual(2);
  });

  it('is asked again when the limit ends soon', async () => {
    github.faults.add({ kind: 'primary-rate-limit', operation: 'graphql', resetInSeconds: 1 });
    github.faults.add({ kind: 'secondary-rate-limit', operation: 'graphql', retryAfter: 1 });
    expect(codeOf((await connect().listRefs([repository('web')], TAGS)).get('acme/web'))).toBe('refs');
    expect(log.lines.filter((line) => line.includes("GitHub's rate limit stops the query"))).toHaveLength(2);
  });

  it('is asked for fewer repositories at a time when a query is too large for it', async () => {
    github.faults.add({ kind: 'status', status: 502, operation: 'graphql', times: 3 });
    const answers = await connect().listRefs([repository('web'), repository('empty')], TAGS);
    expect([...answers.values()].map(codeOf)).toEqual(['refs', 'refs']);
    expect(github.requests.map(({ status }) => status)).toEqual([502, 502, 502, 200, 200]);
  });

  it('is asked no more when it is away, or does not know the token', async () => {
    const repositories = Array.from({ length: 300 }, (_, n) => repository(`s${String(n)}`));
    const rejected = await connect({ token: 'wrong' }).listRefs(repositories, TAGS);
    expect(new Set([...rejected.values()].map(codeOf))).toEqual(new Set(['GITHUB_TOKEN_REJECTED']));
    expect(github.count('graphql')).toBeLessThanOrEqual(2);
    const away = await connect({ apiUrl: 'http://127.0.0.1:9/api/v3' }).listRefs(repositories, TAGS);
    expect(new Set([...away.values()].map(codeOf))).toEqual(new Set(['GITHUB_UNREACHABLE']));
  });

  it('ends at once when the run is cancelled, and needs a token', async () => {
    const controller = new AbortController();
    controller.abort();
    await expect(connect({ signal: controller.signal }).listRefs([repository('web')], TAGS)).rejects.toThrow('cancelled');
    expect(() => connect({ token: '' })).toThrow(UserError);
  });
});

describe('the double', () => {
  async function ask(query: string): Promise<{ data?: unknown; errors?: { message: string; type?: string }[] }> {
    const response = await fetch(`${github.url}/graphql`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'user-agent': 'test' },
      body: JSON.stringify({ query }),
    });
    return (await response.json()) as { data?: unknown; errors?: { message: string; type?: string }[] };
  }

  it.each([
    [
      'a prefix in the middle of a name',
      '{ repository(owner: "acme", name: "web") { refs(refPrefix: "refs/tags/paasta-", first: 1) { totalCount } } }',
      'refPrefix must end with a /',
      false,
    ],
    [
      'no size of a page',
      '{ repository(owner: "acme", name: "web") { refs(refPrefix: "refs/tags/") { totalCount } } }',
      'You must provide a `first` or `last`',
      false,
    ],
    [
      'too large a page',
      '{ repository(owner: "acme", name: "web") { refs(refPrefix: "refs/tags/", first: 101) { totalCount } } }',
      'exceeds the `first` limit',
      false,
    ],
    [
      'a field that GitHub has and the double has not',
      '{ repository(owner: "acme", name: "web") { description } }',
      'the double does not answer Repository.description',
      true,
    ],
    [
      'a field that GitHub does not have',
      '{ repository(owner: "acme", name: "web") { refz } }',
      'Cannot query field "refz" on type "Repository"',
      true,
    ],
    ['no GraphQL', '{', 'Syntax Error', true],
  ])('refuses %s', async (_, query, message, isViolation) => {
    const { errors } = await ask(query);
    expect(errors?.[0]?.message).toContain(message);
    expect(github.violations().length > 0).toBe(isViolation);
  });
});
