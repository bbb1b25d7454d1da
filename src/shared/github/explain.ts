/** What a refusal or a silence of GitHub means to the user: one stable code per cause, with the next step. */
import { messageOf, problem, UserError } from '../contract/errors.ts';
import type { Problem } from '../contract/errors.ts';

export interface Attempt {
  /** What was tried, as an infinitive: `create the tag x`. */
  readonly what: string;
  readonly repository: string;
  readonly apiUrl: string;
  /** Proxy that the request went through. */
  readonly proxy: string | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** What Octokit's errors have; read defensively, because anything can be thrown. */
interface Refused {
  readonly status: number;
  readonly message: string;
  readonly headers: Readonly<Record<string, string | number | undefined>>;
}

function refusedOf(error: unknown): Refused | undefined {
  if (!(error instanceof Error)) return undefined;
  const { status, response } = error as {
    status?: unknown;
    response?: { headers?: Record<string, string | number | undefined>; data?: unknown };
  };
  if (typeof status !== 'number' || response === undefined) return undefined;
  const data = response.data as
    { message?: unknown; errors?: ({ message?: string; code?: string; field?: string } | string)[] } | undefined;
  const details = Array.isArray(data?.errors)
    ? data.errors.map((entry) => (typeof entry === 'string' ? entry : (entry.message ?? `${entry.field ?? ''} ${entry.code ?? ''}`.trim())))
    : [];
  const said = typeof data?.message === 'string' ? data.message.trim() : error.message;
  return { status, message: details.length === 0 ? said : `${said}: ${details.join(', ')}`, headers: response.headers ?? {} };
}

/** HTTP status of an answer; `undefined` when the server did not answer. */
export function statusOf(error: unknown): number | undefined {
  return refusedOf(error)?.status;
}

/** The server's own words. */
export function wordsOf(error: unknown): string {
  return refusedOf(error)?.message ?? messageOf(error);
}

/** True when nobody can know whether the request was carried out: no answer, or an error of the server. */
export function isAmbiguous(error: unknown): boolean {
  if (error instanceof Error && error.name === 'AbortError') return false;
  const status = statusOf(error);
  return status === undefined ? error instanceof Error && 'status' in error : status >= 500;
}

/** GitHub's `contents=write; contents=write,workflows=write` as `contents: write`, `contents: write and workflows: write`. */
function permissionsIn(header: string): string {
  return header
    .split(';')
    .map((option) =>
      option
        .split(',')
        .map((part) => part.trim().replace('=', ': '))
        .join(' and '),
    )
    .filter((option) => option !== '')
    .join(', or ');
}

export function explain(error: unknown, attempt: Attempt): Error {
  const refused = refusedOf(error);
  if (refused !== undefined) return new UserError(explainRefusal(refused, attempt), { cause: error });
  const status = error instanceof Error && 'status' in error;
  // Without a status it is no failure of a request but one of ours: it keeps its stack.
  return status
    ? new UserError(explainSilence(error, attempt), { cause: error })
    : error instanceof Error
      ? error
      : new Error(messageOf(error));
}

function explainRefusal({ status, message, headers }: Refused, { what, repository, apiUrl, now }: Attempt): Problem {
  const { host } = new URL(apiUrl);
  const prefix = `cannot ${what} in ${repository}`;
  if (status === 403 || status === 429) {
    const limit = explainLimit(message, headers, prefix, now);
    if (limit !== undefined) return limit;
  }
  if (status === 401) {
    return problem('GITHUB_TOKEN_REJECTED', `${prefix}: ${host} does not accept the token (${message})`, {
      input: 'github-token',
      hint: 'the token has expired or belongs to another server: pass github-token: ${{ github.token }}, or a fresh App token',
    });
  }
  if (status === 403) {
    const accepted = String(headers['x-accepted-github-permissions'] ?? '');
    if (/workflows/.test(accepted) || /workflows?`? permission/i.test(message)) return workflowsPermission(prefix);
    if (/saml/i.test(message))
      return problem('GITHUB_SSO', `${prefix}: ${message}`, {
        input: 'github-token',
        hint: 'authorise the token for the organisation (single sign-on), or use an App token',
      });
    if (accepted !== '') {
      return problem(
        'GITHUB_PERMISSION_MISSING',
        `${prefix}: the token lacks a permission; GitHub asks for ${permissionsIn(accepted)} (${message})`,
        {
          input: 'github-token',
          hint: `add '${permissionsIn(accepted.split(';')[0] ?? '')}' under permissions: of the job; in a called workflow the caller must grant it too`,
        },
      );
    }
    return problem('GITHUB_FORBIDDEN', `${prefix}: ${message}`, {
      input: 'github-token',
      hint: "check the permissions: of the job, the organisation's policy for workflow permissions, and IP allow lists",
    });
  }
  if (status === 404) {
    return problem('GITHUB_NOT_FOUND', `${prefix}: ${host} knows no such repository or object, or the token may not see it (404)`, {
      input: 'github-token',
      hint: `check the name ${repository} and github-api-url (${apiUrl}); for another repository than the job's own an App token is needed`,
    });
  }
  if (/object does not exist|no commit found|no ref found/i.test(message)) {
    return problem('COMMIT_NOT_ON_SERVER', `${prefix}: the commit is not in ${repository} at ${host} (${message})`, {
      input: 'commit',
      hint: 'push the commit first',
    });
  }
  if (/rule violations|protected|creations being restricted/i.test(message)) return rulesetProblem(prefix, message);
  if (status === 409) return problem('GITHUB_CONFLICT', `${prefix}: ${message}`, { hint: 'run this again' });
  if (status >= 500)
    return problem('GITHUB_UNAVAILABLE', `${prefix}: ${host} answered ${String(status)} (${message}) although asked several times`, {
      hint: 'see the status page of the server (https://www.githubstatus.com), then run this again: what is already done is not done twice',
    });
  return problem('GITHUB_REFUSED', `${prefix}: ${host} answered ${String(status)}: ${message}`);
}

/** Marking an older commit, that is every rollback, meets this: its workflow files are on no branch any more. */
export function workflowsPermission(prefix: string): Problem {
  return problem(
    'GITHUB_WORKFLOWS_PERMISSION',
    `${prefix}: the commit holds .github/workflows files that no branch has (usual for older commits), and GitHub lets only tokens with the permission 'workflows: write' (beside contents: write) create refs to such commits`,
    {
      input: 'github-token',
      hint: 'the job token cannot have that permission: pass the token of a GitHub App with Contents and Workflows set to read and write; if the token lacks contents: write, grant that under permissions: first',
    },
  );
}

/** A ruleset of the organisation or repository keeps everybody but its bypass list from creating such refs. */
export function rulesetProblem(prefix: string, message: string): Problem {
  return problem('GITHUB_RULESET', `${prefix}: a ruleset forbids it (${message.replace(/\s+/g, ' ').trim()})`, {
    hint: "add the App whose token is used to the ruleset's bypass list for refs/tags/paasta-*, or exclude these tags from the rule",
  });
}

function explainLimit(message: string, headers: Refused['headers'], prefix: string, now: number): Problem | undefined {
  const remaining = headers['x-ratelimit-remaining'];
  if (/secondary rate/i.test(message)) {
    const after = headers['retry-after'];
    return problem(
      'GITHUB_SECONDARY_RATE_LIMIT',
      `${prefix}: GitHub's secondary rate limit stops us${after === undefined ? '' : ` for ${String(after)} s`}`,
      { hint: 'too many writes at the same time with this token: run this again later, or serialise the jobs (concurrency:)' },
    );
  }
  if (String(remaining) !== '0' && !/rate limit exceeded/i.test(message)) return undefined;
  const reset = Number(headers['x-ratelimit-reset']);
  const when = Number.isFinite(reset)
    ? `; it ends at ${new Date(reset * 1000).toISOString()} (in ${String(Math.max(Math.ceil((reset * 1000 - now) / 60_000), 0))} min)`
    : '';
  return problem('GITHUB_RATE_LIMIT', `${prefix}: the rate limit of this token is used up${when}`, {
    hint: 'run this again then; the job token has 1,000 requests an hour per repository, an App token has more',
  });
}

/** An error and its causes, outermost first. Read by shape: errors of `fetch` may come from another realm. */
function chain(error: unknown): { readonly message: string; readonly code: string }[] {
  const found: { message: string; code: string }[] = [];
  let at = error;
  while (typeof at === 'object' && at !== null && found.length < 8) {
    const { message, code, cause, errors } = at as { message?: unknown; code?: unknown; cause?: unknown; errors?: unknown };
    found.push({ message: typeof message === 'string' ? message : '', code: typeof code === 'string' ? code : '' });
    // Several addresses were tried: the first failure stands for all.
    at = cause ?? (Array.isArray(errors) ? (errors as unknown[])[0] : undefined);
  }
  return found;
}

/** What an error of `fetch` and its causes say, each thing once. */
export function silenceOf(error: unknown): string {
  const links = chain(error);
  const said = links.map((link) => link.message).filter((message) => message !== '' && message !== 'fetch failed');
  return [...new Set(said)].join(': ') || (links.find((link) => link.code !== '')?.code ?? '');
}

function explainSilence(error: unknown, { what, repository, apiUrl, proxy }: Attempt): Problem {
  const { host } = new URL(apiUrl);
  const prefix = `cannot ${what} in ${repository}`;
  const code = chain(error).find((link) => link.code !== '')?.code ?? '';
  const said = silenceOf(error);
  const through = proxy === undefined ? '' : ` through the proxy ${proxy}`;
  if (/CERT|SELF_SIGNED|UNABLE_TO_(VERIFY|GET)|ERR_TLS/.test(`${code} ${said}`)) {
    return problem('GITHUB_CERTIFICATE', `${prefix}: the certificate of ${host} is not trusted${through} (${said})`, {
      hint: 'set NODE_EXTRA_CA_CERTS to the file of your CA before the job starts; checking is never turned off',
    });
  }
  if (/proxy response|tunnel/i.test(said)) {
    return problem('GITHUB_UNREACHABLE', `${prefix}: the proxy ${proxy ?? ''} does not let us to ${host} (${said})`, {
      hint: 'check HTTPS_PROXY (user and password too) and NO_PROXY',
    });
  }
  const reason = code === 'ENOTFOUND' && proxy === undefined ? 'the host does not exist in DNS' : said || 'no answer';
  return problem('GITHUB_UNREACHABLE', `${prefix}: ${host} does not answer${through} (${reason})`, {
    hint: `check github-api-url (${apiUrl}), and HTTPS_PROXY and NO_PROXY of this machine`,
  });
}
