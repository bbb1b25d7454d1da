/** One query about many repositories: how wants are packed, and what an answer means for each. */
import {
  inBatches,
  isTooLarge,
  queryText,
  readAnswer,
  REPOSITORIES_PER_QUERY,
  type PageAnswer,
  type QueryError,
  type Want,
} from '../../../src/shared/github/ref-query.ts';

const PREFIX = 'refs/tags/paasta-';
const want = (name: string, prefix = PREFIX, after: string | null = null): Want => ({ repository: { owner: 'acme', name }, prefix, after });
const commit = (oid: string): object => ({ __typename: 'Commit', oid });
const tag = (target: object): object => ({ __typename: 'Tag', oid: 'f', target });
const page = (nodes: readonly (object | null)[], next: string | null = null): object => ({
  pageInfo: { hasNextPage: next !== null, endCursor: next },
  nodes,
});
const node = (name: string, target: object | null, prefix = 'refs/tags/'): object => ({ prefix, name, target });

describe('batches', () => {
  it('of 1,000 repositories are at most 20, with a reserve for further pages', () => {
    const wants = Array.from({ length: 1_000 }, (_, n) => [want(`s${String(n)}`), want(`s${String(n)}`, 'refs/heads/paasta-')]).flat();
    const batches = inBatches(wants, REPOSITORIES_PER_QUERY);
    expect(batches).toHaveLength(14);
    expect(batches.flat()).toEqual(wants);
  });

  it('keep the pages of a repository together, whatever its capitals', () => {
    expect(
      inBatches([want('a'), want('b'), { ...want('A'), prefix: 'refs/heads/x' }], 1).map((batch) => batch.map(({ prefix }) => prefix)),
    ).toEqual([[PREFIX, 'refs/heads/x'], [PREFIX]]);
    expect(inBatches([], 5)).toEqual([]);
  });
});

describe('the query', () => {
  it('asks for name spaces with a word, because GitHub refuses a prefix that ends in the middle of a name', () => {
    const text = queryText([want('web'), want('web', 'refs/heads/paasta-'), want('api', PREFIX, 'Y3Vyc29y')]);
    expect(text).toContain(
      'r0: repository(owner: "acme", name: "web") { p0: refs(refPrefix: "refs/tags/", query: "paasta-", first: 100) { ...page } p1: refs(refPrefix: "refs/heads/", query: "paasta-", first: 100) { ...page } }',
    );
    expect(text).toContain(
      'r1: repository(owner: "acme", name: "api") { p0: refs(refPrefix: "refs/tags/", query: "paasta-", first: 100, after: "Y3Vyc29y") { ...page } }',
    );
    expect(text).toContain('rateLimit');
  });

  it('cannot be left by a name', () => {
    expect(queryText([want('a") { id } } #\n')])).toContain('name: "a\\") { id } } #\\n")');
  });
});

describe('the answer', () => {
  const one = (data: unknown, errors: readonly QueryError[] = [], wants: readonly Want[] = [want('web')]): readonly PageAnswer[] => [
    ...readAnswer(wants, data, errors, 'ghe.example').values(),
  ];

  it.each<[string, unknown, PageAnswer]>([
    [
      'names begin at the prefix that GitHub says',
      { r0: { p0: page([node('paasta-a', commit('1')), node('a', commit('2'), 'refs/tags/paasta-')]) } },
      {
        refs: [
          { name: `${PREFIX}a`, sha: '1' },
          { name: `${PREFIX}a`, sha: '2' },
        ],
        next: null,
      },
    ],
    ['the word in the middle of a name is not meant', { r0: { p0: page([node('not-paasta-a', commit('1'))]) } }, { refs: [], next: null }],
    [
      'annotated tags are dereferenced, twice if need be',
      { r0: { p0: page([node('paasta-a', tag(commit('1'))), node('paasta-b', tag(tag(commit('2'))))]) } },
      {
        refs: [
          { name: `${PREFIX}a`, sha: '1' },
          { name: `${PREFIX}b`, sha: '2' },
        ],
        next: null,
      },
    ],
    [
      'what lies deeper is asked for otherwise',
      { r0: { p0: page([node('paasta-a', tag(tag({ __typename: 'Tag', oid: '3' })))]) } },
      { odd: true },
    ],
    ['a broken ref is none', { r0: { p0: page([node('paasta-a', null), null]) } }, { refs: [], next: null }],
    ['an empty repository has no list', { r0: { p0: null } }, { refs: [], next: null }],
    ['a further page has a cursor', { r0: { p0: page([], 'next') } }, { refs: [], next: 'next' }],
  ])('%s', (_, data, expected) => {
    expect(one(data)).toEqual([expected]);
  });

  it.each<[string, unknown, QueryError[], string]>([
    [
      'a repository that is not there',
      { r0: null },
      [{ type: 'NOT_FOUND', message: "Could not resolve to a Repository with the name 'acme/web'.", path: ['r0'] }],
      'GITHUB_NOT_FOUND',
    ],
    ['a repository that is left out', {}, [], 'GITHUB_NOT_FOUND'],
    [
      'refs that may not be read',
      { r0: { p0: null } },
      [{ type: 'FORBIDDEN', message: 'Resource not accessible by integration', path: ['r0', 'p0'] }],
      'GITHUB_PERMISSION_MISSING',
    ],
    [
      'single sign-on',
      { r0: null },
      [{ type: 'FORBIDDEN', message: 'Resource protected by organization SAML enforcement.', path: ['r0'] }],
      'GITHUB_SSO',
    ],
    ['an error about the whole query', null, [{ message: 'something else' }], 'GITHUB_REFUSED'],
  ])('%s is a problem', (_, data, errors, code) => {
    const [answer] = one(data, errors);
    expect(answer !== undefined && 'problem' in answer ? answer.problem.code : answer).toBe(code);
  });

  it('of one repository does not touch the next', () => {
    const answers = one(
      { r0: null, r1: { p0: page([node('paasta-a', commit('1'))]) } },
      [{ type: 'NOT_FOUND', message: 'x', path: ['r0'] }],
      [want('gone'), want('web')],
    );
    expect(answers[1]).toEqual({ refs: [{ name: `${PREFIX}a`, sha: '1' }], next: null });
  });

  it('that it is too large is known', () => {
    expect(isTooLarge([{ type: 'MAX_NODE_LIMIT_EXCEEDED', message: '' }])).toBe(true);
    expect(
      isTooLarge([
        { message: 'Something went wrong while executing your query. This may be the result of a timeout, or it could be a GitHub bug.' },
      ]),
    ).toBe(true);
    expect(isTooLarge([{ type: 'NOT_FOUND', message: 'x' }])).toBe(false);
  });
});
