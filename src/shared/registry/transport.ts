import { CancelledError, messageOf, problem, UserError, type Problem } from '../contract/errors.ts';
import type { Clock, Log } from '../contract/ports.ts';

/** What we need of `fetch`: the proxy and the private CA are the business of whoever passes it in. */
export type Fetch = (
  url: string,
  init: { method: string; headers: Record<string, string>; body?: string; redirect: 'manual'; signal: AbortSignal },
) => Promise<Response>;

export interface TransportOptions {
  readonly fetch: Fetch;
  readonly log: Log;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
  readonly userAgent: string;
  /** Milliseconds that one request may take. PaaSTA and docker both give it 30 s. */
  readonly requestTimeout: number;
  /** How often a request that failed for a passing reason is sent, the first time included. */
  readonly attempts: number;
}

export interface Request {
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** The server did not answer at all. `notTls`: it answered something that is not TLS. */
export class NoAnswer extends Error {
  readonly causeCode: string;
  readonly notTls: boolean;
  readonly certificate: boolean;
  constructor(message: string, code: string, cause: unknown) {
    super(message, { cause });
    this.name = 'NoAnswer';
    this.causeCode = code;
    this.notTls = /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|UNKNOWN_PROTOCOL|HTTP_REQUEST|EPROTO/.test(code);
    this.certificate = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS/.test(code);
  }
}

const MAX_RETRY_AFTER = 60_000;
const TRANSIENT = new Set([408, 429, 500, 502, 503, 504]);
const PERMANENT_CODES = new Set(['ENOTFOUND', 'ERR_INVALID_URL', 'TypeError']);

/** Address for logs: without query, because redirects of registries carry signatures there. */
export const shown = (url: string): string => url.replace(/[?#].*$/, '');

interface Cause {
  readonly name?: unknown;
  readonly message?: unknown;
  readonly code?: unknown;
  readonly errors?: unknown;
}

/** An error and its causes, outermost first. By shape: errors of another realm are not instances of our `Error`. */
function causes(error: unknown): readonly Cause[] {
  const found: Cause[] = [];
  for (let e = error; typeof e === 'object' && e !== null && found.length < 8;) {
    found.push(e);
    const { cause, errors } = e as { cause?: unknown; errors?: unknown };
    e = cause ?? (Array.isArray(errors) ? (errors as unknown[])[0] : undefined);
  }
  return found;
}

function codeOf(error: unknown): string {
  const list = causes(error);
  const code = list.map((e) => e.code).find((c): c is string => typeof c === 'string' && c !== '');
  return code ?? (typeof list[0]?.name === 'string' ? list[0].name : '');
}

function textOf(error: unknown): string {
  const texts = causes(error)
    .map((e) => e.message)
    .filter((m): m is string => typeof m === 'string' && m !== '' && m !== 'fetch failed');
  return texts.join(': ') || codeOf(error) || messageOf(error);
}

/** Milliseconds of a `Retry-After` header (seconds or a date), bounded; `undefined` when it says nothing. */
export function retryAfter(header: string | null, now: number): number | undefined {
  if (header === null || header.trim() === '') return undefined;
  const wait = /^\d+$/.test(header.trim()) ? Number(header) * 1_000 : Date.parse(header) - now;
  return Number.isFinite(wait) ? Math.min(Math.max(wait, 0), MAX_RETRY_AFTER) : undefined;
}

/**
 * Sends one request, without following redirects. Passing failures (network, 408, 429, 5xx) are tried again with a
 * doubling pause or the server's `Retry-After`; a refusal is returned at once. After the last attempt the server's answer is
 * returned as it is, and silence is thrown as `NoAnswer`.
 */
export async function send(request: Request, options: TransportOptions, attempts = options.attempts): Promise<Response> {
  const { log, clock, signal } = options;
  for (let attempt = 1; ; attempt++) {
    if (signal?.aborted) throw new CancelledError();
    const started = clock.now();
    let pause = 500 * 2 ** (attempt - 1);
    try {
      const limit = AbortSignal.timeout(options.requestTimeout);
      const response = await options.fetch(request.url, {
        method: request.method,
        headers: { 'User-Agent': options.userAgent, ...request.headers },
        ...(request.body === undefined ? {} : { body: request.body }),
        redirect: 'manual',
        signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
      });
      log.debug(`registry: ${request.method} ${shown(request.url)} -> ${response.status} (${clock.now() - started} ms)`);
      if (!TRANSIENT.has(response.status) || attempt >= attempts) return response;
      await response.body?.cancel();
      pause = retryAfter(response.headers.get('retry-after'), clock.now()) ?? pause;
      log.info(
        `registry: ${shown(request.url)} answered ${response.status}; trying again in ${Math.round(pause / 100) / 10} s (attempt ${attempt} of ${attempts})`,
      );
    } catch (error) {
      if (signal?.aborted) throw new CancelledError();
      const code = codeOf(error);
      const failure = new NoAnswer(textOf(error), code, error);
      log.debug(
        `registry: ${request.method} ${shown(request.url)} -> ${failure.notTls ? 'it does not speak TLS' : failure.message} [${code}]`,
      );
      if (attempt >= attempts || failure.certificate || failure.notTls || PERMANENT_CODES.has(code)) throw failure;
      log.info(
        `registry: ${shown(request.url)} did not answer (${failure.message}); trying again in ${Math.round(pause / 100) / 10} s (attempt ${attempt} of ${attempts})`,
      );
    }
    await clock.sleep(pause, signal);
  }
}

/** What silence of a server means to the user. */
export function explainSilence(url: string, failure: NoAnswer): UserError {
  const { host, protocol } = new URL(url);
  const say = (code: string, message: string, hint: string): Problem => problem(code, message, { hint });
  let found: Problem;
  if (failure.notTls) {
    found = say(
      'REGISTRY_NOT_TLS',
      `the registry ${host} does not speak TLS`,
      'set insecure-registry: true if it is meant to be plain HTTP; credentials would then travel unencrypted',
    );
  } else if (failure.certificate) {
    found = say(
      'REGISTRY_CERTIFICATE',
      `the certificate of the registry ${host} is not trusted: ${failure.message}`,
      'give the CA with NODE_EXTRA_CA_CERTS (and to docker in /etc/docker/certs.d); checking is never turned off',
    );
  } else if (failure.causeCode === 'ENOTFOUND') {
    found = say(
      'REGISTRY_UNREACHABLE',
      `the registry host '${host}' does not exist in DNS`,
      'check the input registry, docker_registry in service.yaml or in the system configuration for a typo',
    );
  } else {
    found = say(
      'REGISTRY_UNREACHABLE',
      `the registry ${host} does not answer over ${protocol.slice(0, -1)}: ${failure.message}`,
      'check that it is up and reachable from this machine (HTTPS_PROXY, NO_PROXY, firewall); nothing was decided about the image',
    );
  }
  return new UserError(found, { cause: failure });
}
