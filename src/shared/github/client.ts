/**
 * One client for actions and command line: Octokit with its retry and throttling plugins, the address of the server as it is
 * given (Enterprise included), the proxy of the environment, every request in the debug log.
 */
import { Octokit } from '@octokit/rest';
import { retry } from '@octokit/plugin-retry';
import { throttling } from '@octokit/plugin-throttling';
import { CancelledError, UserError } from '../contract/errors.ts';
import type { Log } from '../contract/ports.ts';
import { networkFetch, proxyFor, type Fetch } from '../network/index.ts';
import { checkedApiUrl, serverUrlFor, type ConnectOptions } from './options.ts';
import { explain, silenceOf } from './explain.ts';

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

/**
 * The client for rooms of this directory; throws as `connectGitHub`. `paced: false` takes the throttling plugin out: it lets one GraphQL query a second
 * through, as if queries were writes.
 */
export function openConnection(options: ConnectOptions, { paced = true }: { readonly paced?: boolean } = {}): Connection {
  const { log, token, signal } = options;
  const apiUrl = checkedApiUrl(options);
  const plain = networkFetch(options.env);
  const requestTimeout = options.requestTimeout ?? 30_000;
  const backOff = options.backOff ?? 1000;
  const longestWait = options.longestWait ?? 120;
  let requests = 0;
  const limited: Fetch = async (address, init) => {
    requests += 1;
    const began = performance.now();
    const timeout = AbortSignal.timeout(requestTimeout);
    const { pathname, search } = new URL(address);
    const say = (answer: string): void => {
      log.debug(`github: ${init?.method ?? 'GET'} ${pathname}${search} -> ${answer} (${String(Math.round(performance.now() - began))} ms)`);
    };
    try {
      const response = await plain(address, { ...init, signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]) });
      say(String(response.status));
      return response;
    } catch (error) {
      say(`no answer: ${silenceOf(error)}`);
      throw error;
    }
  };
  const onLimit =
    (kind: string) =>
    (after: number, request: { method: string; url: string }, _octokit: unknown, retryCount: number): boolean => {
      const wait = after <= longestWait && retryCount < attemptsOnLimit && signal?.aborted !== true;
      const message = `GitHub's ${kind} rate limit stops ${request.method} ${request.url}; ${wait ? `trying again in ${String(after)} s` : `it ends in ${String(after)} s`}`;
      if (wait) log.info(message);
      else log.debug(message);
      return wait;
    };
  clients += 1;
  const quiet = (message: string): void => {
    log.debug(`github: ${message}`);
  };
  const octokit = new ApiClient({
    auth: token,
    baseUrl: apiUrl,
    userAgent: options.userAgent,
    log: { debug: () => undefined, info: () => undefined, warn: quiet, error: quiet },
    request: { fetch: limited },
    // Refusals are never tried again: only 5xx and a server that does not answer.
    retry: { doNotRetry: [...Array(100).keys()].map((offset) => 400 + offset), retries: 3, retryAfterBaseValue: backOff },
    throttle: {
      enabled: paced,
      id: `client-${String(clients)}`,
      retryAfterBaseValue: 1000,
      onRateLimit: onLimit('primary'),
      onSecondaryRateLimit: onLimit('secondary'),
    },
  });
  octokit.hook.before('request', (request) => {
    request.headers['x-github-api-version'] = '2022-11-28';
  });

  const serverUrl = serverUrlFor(apiUrl, options.env);
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
    octokit,
    apiUrl,
    serverUrl,
    log,
    backOff,
    longestWait,
    attempt,
    call: (what, owner, name, body) => attempt(what, `${owner}/${name}`, body),
    requests: () => requests,
    pause: (milliseconds) =>
      new Promise((resolve) => {
        setTimeout(resolve, milliseconds);
      }),
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
    stop = () => {
      reject(new CancelledError());
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
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
