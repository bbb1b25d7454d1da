/** The job's event, through `@actions/github`. */
import { context } from '@actions/github';
import { problem, UserError } from '../contract/errors.ts';
import type { Environment } from '../network/index.ts';

export interface EventContext {
  /** `push`, `pull_request`, `workflow_dispatch`… */
  readonly eventName: string;
  readonly repository: { readonly owner: string; readonly repo: string };
  /** Commit of the run: of a pull request the merge commit, not the head. */
  readonly sha: string;
  /** Full ref, such as `refs/heads/main`. */
  readonly ref: string;
  readonly actor: string;
  readonly runId: number;
  /** Page of this run (and attempt). */
  readonly runUrl: string;
  readonly serverUrl: string;
  readonly apiUrl: string;
  /** The pull request comes from another repository: no secrets, a read-only token. */
  readonly isFork: boolean;
  /** Dependabot's runs see no secrets either. */
  readonly isDependabot: boolean;
  /** Number, head commit and tip of the base branch of the pull request that the event is about. */
  readonly pullRequest: { readonly number: number; readonly headSha: string; readonly baseSha?: string } | undefined;
  /** No person started this run by hand: it came from a push, a schedule, another workflow… */
  readonly isAutomated: boolean;
}

/** What is read of `@actions/github`'s context; tests pass their own. */
export interface ContextSource {
  readonly eventName: string;
  readonly sha: string;
  readonly ref: string;
  readonly actor: string;
  readonly runId: number;
  readonly serverUrl: string;
  readonly apiUrl: string;
  readonly repo: { readonly owner: string; readonly repo: string };
  readonly payload: object;
}

interface PullPayload {
  readonly number?: number;
  readonly user?: { readonly login?: string };
  readonly head?: { readonly sha?: string; readonly repo?: { readonly full_name?: string } | null };
  readonly base?: { readonly sha?: string; readonly repo?: { readonly full_name?: string } };
}

/** Events that a person starts by hand. */
const byHand = new Set(['workflow_dispatch', 'issue_comment']);

/** The event of this job; `undefined` outside of GitHub Actions. Throws `UserError` NO_REPOSITORY when the runner does not name one. */
export function readEventContext(env: Environment, source: ContextSource = context): EventContext | undefined {
  if (env['GITHUB_ACTIONS'] !== 'true' && env['GITHUB_EVENT_NAME'] === undefined) return undefined;
  if (env['GITHUB_REPOSITORY'] === undefined && !('repository' in source.payload)) {
    throw new UserError(
      problem('NO_REPOSITORY', 'GITHUB_REPOSITORY is not set although this runs as a job', {
        hint: 'run it as a step of a GitHub Actions job',
      }),
    );
  }
  const { owner, repo } = source.repo;
  const pull = (source.payload as { pull_request?: PullPayload }).pull_request;
  const attempt = Number(env['GITHUB_RUN_ATTEMPT'] ?? '1');
  return {
    eventName: source.eventName,
    repository: { owner, repo },
    sha: source.sha,
    ref: source.ref,
    actor: source.actor,
    runId: source.runId,
    runUrl: `${source.serverUrl}/${owner}/${repo}/actions/runs/${String(source.runId)}${attempt > 1 ? `/attempts/${String(attempt)}` : ''}`,
    serverUrl: source.serverUrl,
    apiUrl: source.apiUrl,
    isFork: pull !== undefined && pull.head?.repo?.full_name !== (pull.base?.repo?.full_name ?? `${owner}/${repo}`),
    isDependabot: source.actor === 'dependabot[bot]' || pull?.user?.login === 'dependabot[bot]',
    pullRequest:
      pull?.number === undefined
        ? undefined
        : { number: pull.number, headSha: pull.head?.sha ?? '', ...(pull.base?.sha === undefined ? {} : { baseSha: pull.base.sha }) },
    isAutomated: !byHand.has(source.eventName),
  };
}
