import { UserError } from '../../../src/shared/contract/errors.ts';
import { explain, isAmbiguous } from '../../../src/shared/github/explain.ts';

const attempt = {
  what: 'create the tag t',
  repository: 'acme/web',
  apiUrl: 'https://api.github.com',
  proxy: undefined,
  now: Date.parse('2026-01-01T00:00:00Z'),
};
function answer(status: number, message: string, headers: Record<string, string> = {}, errors?: unknown[]): Error {
  return Object.assign(new Error(message), {
    status,
    response: { status, headers, data: { message, ...(errors === undefined ? {} : { errors }) } },
  });
}
function silence(message: string, code?: string): Error {
  return Object.assign(new Error('fetch failed', { cause: Object.assign(new Error(message), code === undefined ? {} : { code }) }), {
    status: 500,
  });
}

describe('explain', () => {
  it.each([
    [answer(401, 'Bad credentials'), 'GITHUB_TOKEN_REJECTED', 'api.github.com does not accept the token'],
    [
      answer(403, 'Resource not accessible by integration', { 'x-accepted-github-permissions': 'deployments=write' }),
      'GITHUB_PERMISSION_MISSING',
      'deployments: write',
    ],
    [
      answer(403, 'Resource not accessible by integration', { 'x-accepted-github-permissions': 'issues=write; pull_requests=write' }),
      'GITHUB_PERMISSION_MISSING',
      'issues: write, or pull_requests: write',
    ],
    [
      answer(403, 'Resource not accessible by integration', {
        'x-accepted-github-permissions': 'contents=write; contents=write,workflows=write',
      }),
      'GITHUB_WORKFLOWS_PERMISSION',
      'usual for older commits',
    ],
    [answer(403, 'Resource protected by organization SAML enforcement.'), 'GITHUB_SSO', 'SAML'],
    [answer(403, 'Blocked by IP allow list'), 'GITHUB_FORBIDDEN', 'IP allow list'],
    [
      answer(403, 'API rate limit exceeded', { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1767225900' }),
      'GITHUB_RATE_LIMIT',
      'it ends at 2026-01-01T00:05:00.000Z (in 5 min)',
    ],
    [answer(429, 'You have exceeded a secondary rate limit', { 'retry-after': '60' }), 'GITHUB_SECONDARY_RATE_LIMIT', 'for 60 s'],
    [answer(404, 'Not Found'), 'GITHUB_NOT_FOUND', 'the token may not see it'],
    [answer(422, 'Object does not exist'), 'COMMIT_NOT_ON_SERVER', 'acme/web'],
    [answer(422, 'Repository rule violations found\n\nCannot create ref'), 'GITHUB_RULESET', 'bypass list'],
    [
      answer(422, 'Validation Failed', {}, [{ resource: 'X', field: 'name', code: 'invalid' }]),
      'GITHUB_REFUSED',
      'Validation Failed: name invalid',
    ],
    [answer(409, 'Conflict'), 'GITHUB_CONFLICT', 'Conflict'],
    [answer(502, 'Server Error'), 'GITHUB_UNAVAILABLE', 'answered 502'],
    [silence('getaddrinfo ENOTFOUND api.github.com', 'ENOTFOUND'), 'GITHUB_UNREACHABLE', 'the host does not exist in DNS'],
    [silence('connect ECONNREFUSED 1.2.3.4:443', 'ECONNREFUSED'), 'GITHUB_UNREACHABLE', 'connect ECONNREFUSED'],
    [silence('unable to verify the first certificate', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'), 'GITHUB_CERTIFICATE', 'NODE_EXTRA_CA_CERTS'],
  ])('%s is %s', (error, code, text) => {
    const found = explain(error, attempt);
    if (!(found instanceof UserError)) throw found;
    expect(found.problems.map((problem) => problem.code)).toEqual([code]);
    expect(found.message).toContain(text);
    expect(found.message).toContain('cannot create the tag t in acme/web');
  });

  it('leaves our own mistakes as they are', () => {
    const bug = new TypeError('x is undefined');
    expect(explain(bug, attempt)).toBe(bug);
    expect(isAmbiguous(bug)).toBe(false);
  });

  it.each([
    [answer(502, 'x'), true],
    [answer(422, 'x'), false],
    [silence('reset', 'ECONNRESET'), true],
    [Object.assign(new Error('aborted'), { name: 'AbortError', status: 500 }), false],
  ])('%s leaves open whether it was done: %s', (error, open) => {
    expect(isAmbiguous(error)).toBe(open);
  });
});
