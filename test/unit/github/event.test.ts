import { readEventContext } from '../../../src/shared/github/index.ts';
import type { ContextSource } from '../../../src/shared/github/index.ts';

const source: ContextSource = {
  eventName: 'push',
  sha: 'a'.repeat(40),
  ref: 'refs/heads/main',
  actor: 'octocat',
  runId: 12,
  serverUrl: 'https://github.example',
  apiUrl: 'https://github.example/api/v3',
  repo: { owner: 'acme', repo: 'web' },
  payload: {},
};
const env = { GITHUB_ACTIONS: 'true', GITHUB_REPOSITORY: 'acme/web' };

function pull(head: string | null, user = 'octocat'): ContextSource {
  return {
    ...source,
    eventName: 'pull_request',
    payload: {
      pull_request: {
        number: 7,
        user: { login: user },
        head: { sha: 'b'.repeat(40), repo: head === null ? null : { full_name: head } },
        base: { repo: { full_name: 'acme/web' } },
      },
    },
  };
}

describe('readEventContext', () => {
  it('is nothing outside of GitHub Actions', () => {
    expect(readEventContext({}, source)).toBeUndefined();
  });

  it('reads a push', () => {
    expect(readEventContext(env, source)).toEqual({
      eventName: 'push',
      repository: { owner: 'acme', repo: 'web' },
      sha: 'a'.repeat(40),
      ref: 'refs/heads/main',
      actor: 'octocat',
      runId: 12,
      runUrl: 'https://github.example/acme/web/actions/runs/12',
      serverUrl: 'https://github.example',
      apiUrl: 'https://github.example/api/v3',
      isFork: false,
      isDependabot: false,
      pullRequest: undefined,
      isAutomated: true,
    });
  });

  it.each([
    ['acme/web', 'octocat', false, false],
    ['eve/web', 'octocat', true, false],
    [null, 'octocat', true, false],
    ['acme/web', 'dependabot[bot]', false, true],
  ] as const)('pull request from %s by %s: fork %s, Dependabot %s', (head, user, isFork, isDependabot) => {
    expect(readEventContext(env, pull(head, user))).toMatchObject({
      isFork,
      isDependabot,
      pullRequest: { number: 7, headSha: 'b'.repeat(40) },
    });
  });

  it.each([
    ['push', true],
    ['schedule', true],
    ['workflow_run', true],
    ['repository_dispatch', true],
    ['workflow_dispatch', false],
    ['issue_comment', false],
  ] as const)('%s is automated: %s', (eventName, isAutomated) => {
    expect(readEventContext(env, { ...source, eventName })).toMatchObject({ isAutomated });
  });

  it('links the attempt of a re-run', () => {
    expect(readEventContext({ ...env, GITHUB_RUN_ATTEMPT: '3' }, source)?.runUrl).toBe(
      'https://github.example/acme/web/actions/runs/12/attempts/3',
    );
  });

  it('refuses a job that has no repository', () => {
    expect(() => readEventContext({ GITHUB_ACTIONS: 'true' }, source)).toThrow('GITHUB_REPOSITORY is not set');
  });
});
