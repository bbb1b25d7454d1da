/**
 * One client for actions and command line: Octokit with its retry and throttling plugins, the address of the server as it is
 * given (Enterprise included), the proxy of the environment, every request in the debug log.
 */
import { Octokit } from '@octokit/rest';
import { retry } from '@octokit/plugin-retry';
import { throttling } from '@octokit/plugin-throttling';
import { CancelledError, problem, UserError } from '../contract/errors.ts';
import type { Log, Mask } from '../contract/ports.ts';
import { networkFetch, proxyFor } from '../network/index.ts';
import type { Environment } from '../network/index.ts';
import { explain } from './explain.ts';
import { repositoryOf } from './repository.ts';
import type { GitHub } from './types.ts';

export interface ConnectOptions {
  /** `GITHUB_API_URL`: `https://api.github.com` or `https://<enterprise host>/api/v3`. */
  readonly apiUrl: string;
  readonly token: string;
  /** Name and version of the action. */
  readonly userAgent: string;
  readonly log: Log;
  readonly mask: Mask;
  /** For HTTP_PROXY, HTTPS_PROXY, NO_PROXY and GITHUB_SERVER_URL. */
  readonly env: Environment;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds of the first pause before a passing failure is tried again (then 4 and 9 times as long). Default 1000. */
  readonly backOff?: number;
  /** Seconds that we wait for a rate limit to end; longer ones are reported at once. Default 120. */
  readonly longestWait?: number;
  /** Milliseconds that one request may take. Default 30 s. */
  readonly requestTimeout?: number;
}

/** What the operations use: Octokit with our settings, and a way to make calls that are cancellable and explained. */
export interface Connection {
  readonly octokit: Octokit;
  readonly apiUrl: string;
  readonly serverUrl: string;
  readonly log: Log;
  readonly backOff: number;
  /** Seconds that we wait for a rate limit to end. */
  readonly longestWait: number;
  /** Runs calls to the API; what they throw leaves as `UserError` that says what was tried, or as `CancelledError`. */
  call<T>(what: string, owner: string, name: string, body: () => Promise<T>): Promise<T>;
  /** The same, with free words for where (`acme/web and 74 more`). */
  attempt<T>(what: string, where: string, body: () => Promise<T>): Promise<T>;
  /** HTTP requests so far, every try counted. */
  requests(): number;
  pause(milliseconds: number): Promise<void>;
}

const ApiClient = Octokit.plugin(retry, throttling);
const attemptsOnLimit = 3;
let clients = 0;

/** Pages for people live beside the API: github.com for api.github.com, the host itself on Enterprise. */
export function serverUrlOf(apiUrl: string): string {
  const url = new URL(apiUrl);
  if (url.hostname === 'api.github.com') return 'https://github.com';
  if (/^api\./.test(url.hostname) && url.hostname.endsWith('.ghe.com')) return `${url.protocol}//${url.host.slice('api.'.length)}`;
  return url.origin;
}

/** Throws `UserError`: INVALID_API_URL, NO_GITHUB_TOKEN, INVALID_PROXY. Asks nobody yet. */
export function connectGitHub(options: ConnectOptions): GitHub {
  const connection = openConnection(options);
  return { apiUrl: connection.apiUrl, serverUrl: connection.serverUrl, repository: (owner, name) => repositoryOf(connection, owner, name) };
}

/**
 * As `connectGitHub`, for rooms of this directory. `paced: false` takes the throttling plugin out: it lets one GraphQL query a second
 * through, as if queries were writes.
 */
export function openConnection(options: ConnectOptions, { paced = true }: { readonly paced?: boolean } = {}): Connection {
  const { log, token, signal } = options;
  if (token === '') throw new UserError(problem('NO_GITHUB_TOKEN', 'there is no token for the GitHub API', { input: 'github-token', hint: "pass github-token: ${{ github.token }} with the permissions that the README names" }));
  options.mask(token);
  const apiUrl = options.apiUrl.replace(/\/+$/, '');
  if (!URL.canParse(apiUrl) || !/^https?:$/.test(new URL(apiUrl).protocol)) {
    throw new UserError(problem('INVALID_API_URL', `github-api-url is not an http(s) address: '${options.apiUrl}'`, { input: 'github-api-url', hint: 'https://api.github.com, or https://<host>/api/v3 on an Enterprise server' }));
  }
  const plain = networkFetch(options.env);
  const requestTimeout = options.requestTimeout ?? 30_000;
  const backOff = options.backOff ?? 1000;
  const longestWait = options.longestWait ?? 120;
  let requests = 0;
  const limited: typeof fetch = (input, init) => {
    requests += 1;
    const timeout = AbortSignal.timeout(requestTimeout);
    return plain(input, { ...init, signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]) });
  };
  const onLimit = (kind: string) => (after: number, request: { method: string; url: string }, _octokit: unknown, retryCount: number): boolean => {
    const wait = after <= longestWait && retryCount < attemptsOnLimit && signal?.aborted !== true;
    const message = `GitHub's ${kind} rate limit stops ${request.method} ${request.url}; ${wait ? `trying again in ${String(after)} s` : `it ends in ${String(after)} s`}`;
    if (wait) log.info(message);
    else log.debug(message);
    return wait;
  };
  clients += 1;
  const quiet = (message: string): void => { log.debug(`github: ${message}`); };
  const octokit = new ApiClient({
    auth: token, baseUrl: apiUrl, userAgent: options.userAgent, log: { debug: () => undefined, info: quiet, warn: quiet, error: quiet },
    request: { fetch: limited },
    // Refusals are never tried again: only 5xx and a server that does not answer.
    retry: { doNotRetry: [...Array(100).keys()].map((offset) => 400 + offset), retries: 3, retryAfterBaseValue: backOff },
    throttle: { enabled: paced, id: `client-${String(clients)}`, retryAfterBaseValue: 1000, onRateLimit: onLimit('primary'), onSecondaryRateLimit: onLimit('secondary') },
  });
  octokit.hook.before('request', (request) => { request.headers['x-github-api-version'] = '2022-11-28'; });

  const serverUrl = options.env['GITHUB_SERVER_URL'] !== undefined && options.env['GITHUB_API_URL']?.replace(/\/+$/, '') === apiUrl ? options.env['GITHUB_SERVER_URL'].replace(/\/+$/, '') : serverUrlOf(apiUrl);
  const attempt: Connection['attempt'] = async (what, repository, body) => {
    if (isAborted(signal)) throw new CancelledError();
    try {
      return await untilAborted(body(), signal);
    } catch (error) {
      if (error instanceof CancelledError || error instanceof UserError) throw error;
      throw explain(error, { what, repository, apiUrl, proxy: proxyFor(apiUrl, options.env), now: Date.now() });
    }
  };
  return {
    octokit, apiUrl, serverUrl, log, backOff, longestWait, attempt,
    call: (what, owner, name, body) => attempt(what, `${owner}/${name}`, body),
    requests: () => requests,
    pause: (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); }),
  };
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

/** Octokit's pauses do not listen to signals: the caller goes on at once, whatever is still waiting. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () => { reject(new CancelledError()); };
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } catch (error) {
    if (isAborted(signal)) throw new CancelledError();
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
