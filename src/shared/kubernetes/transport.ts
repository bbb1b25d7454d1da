/** Requests to one API server: one pool of connections, back-off that honours the server, credentials renewed when they run out. */
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { formatDuration } from '../contract/durations.ts';
import { CancelledError, problem, UserError } from '../contract/errors.ts';
import type { Clock, Log, Mask } from '../contract/ports.ts';
import { loadUndici, proxySettings, type Undici } from '../network/index.ts';
import type { Dispatcher } from '../network/undici.ts';
import { readCredentials, type Credentials, type KubeconfigSource } from './credentials.ts';
import { Pressure } from './pressure.ts';
import { isFinal, isTransient, refusal, silentWebhook, unreachable, type Asked, type Target } from './refusals.ts';
import { SilentWebhooks } from './silent-webhooks.ts';

/** Proxy settings as the environment says them, in their usual lower and upper case names. */
export type ProxyEnv = Readonly<Record<string, string | undefined>>;

export interface TransportOptions {
  readonly source: KubeconfigSource;
  readonly context: string | undefined;
  readonly userAgent: string;
  readonly log: Pick<Log, 'debug'>;
  readonly mask: Mask;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly env: ProxyEnv;
  /** Milliseconds for which a request that meets network errors or 5xx is tried again. */
  readonly retryFor?: number;
  /** The same until the first answer of the server: a wrong address should not be waited for. */
  readonly retryFirstFor?: number;
}

export interface Call {
  readonly method: 'GET' | 'PATCH' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Text goes out as it is, everything else as JSON. */
  readonly body?: unknown;
  readonly contentType?: string;
  readonly accept?: string;
  readonly asked: Asked;
  /** Statuses that the caller reads itself. */
  readonly expect?: readonly number[] | 'any';
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly warnings: readonly string[];
}

/** Milliseconds that a login plugin may take. */
const LOGIN_LIMIT = 60_000;
/**
 * Milliseconds after a lost connection for which 401 and 403 are not believed: an API server that has just started answers before it has
 * read its roles and service accounts.
 */
const SETTLING = 15_000;
const RETRIED = new Set([429, 500, 502, 503, 504]);

/** What the server asks us to wait, in milliseconds; `undefined` when it does not say. */
function retryAfter(header: string | string[] | undefined): number | undefined {
  const text = Array.isArray(header) ? header[0] : header;
  if (text === undefined || !/^\d+$/.test(text.trim())) return undefined;
  return Math.min(Number(text), 60) * 1_000;
}

function list(header: string | string[] | undefined): readonly string[] {
  return header === undefined ? [] : (Array.isArray(header) ? header : [header]).map((w) => /^299 \S+ "(.*)"/.exec(w)?.[1] ?? w);
}

export class Transport {
  readonly #options: TransportOptions;
  readonly #pressure: Pressure;
  readonly #webhooks = new SilentWebhooks();
  #credentials: Credentials | undefined;
  #dispatcher: Dispatcher | undefined;
  #request: Undici['request'] | undefined;
  #renewing: Promise<void> | undefined;
  #generation = 0;
  #answered = false;
  #disturbed = -Infinity;
  reads = 0;
  writes = 0;

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#pressure = new Pressure(options.clock);
  }

  get target(): Target {
    return { server: this.#credentials?.server ?? '', context: this.#credentials?.context ?? this.#options.context ?? '' };
  }

  /** The connection broke, whoever noticed. */
  disturbed(): void {
    this.#disturbed = this.#options.clock.now();
  }

  /** Whether a refusal may be that of a server which has just started and has not read who may do what: it passes. */
  mayPass(status: number): boolean {
    return (status === 401 || status === 403) && this.#options.clock.now() - this.#disturbed < SETTLING;
  }

  /** Reads the credentials; also called again when the server answers 401. Several callers share one reading. */
  async renew(seen = this.#generation): Promise<void> {
    if (seen !== this.#generation) return;
    this.#renewing ??= (async () => {
      const [fresh, undici] = await Promise.all([this.#login(), loadUndici()]);
      this.#request = undici.request;
      for (const secret of fresh.secrets) this.#options.mask(secret);
      const old = this.#credentials;
      const same = old !== undefined && JSON.stringify(old.tls) === JSON.stringify(fresh.tls);
      this.#credentials = fresh;
      if (!same) {
        const before = this.#dispatcher;
        this.#dispatcher = this.#pool(fresh, undici);
        // Running requests and watches of the old pool end by themselves.
        void before?.close().catch(() => undefined);
      }
      this.#generation += 1;
    })().finally(() => {
      this.#renewing = undefined;
    });
    await this.#renewing;
  }

  /** A login plugin that asks questions would wait for ever. */
  async #login(): Promise<Credentials> {
    const { source, context, clock, signal } = this.#options;
    const end = new AbortController();
    const limit = clock.sleep(LOGIN_LIMIT, end.signal).then(() => {
      throw new UserError(
        problem('CLUSTER_CREDENTIALS', `the login plugin of the kubeconfig did not answer within ${formatDuration(LOGIN_LIMIT)}`, {
          input: 'kubeconfig',
          hint: 'it may wait for a person or for the network: it must be able to log in without questions',
        }),
      );
    });
    limit.catch(() => undefined);
    try {
      return await unlessAborted(Promise.race([readCredentials(source, context), limit]), signal);
    } finally {
      end.abort();
    }
  }

  #pool(credentials: Credentials, { Agent, EnvHttpProxyAgent, ProxyAgent }: Undici): Dispatcher {
    const connect = { ...credentials.tls, keepAlive: true, keepAliveInitialDelay: 30_000, timeout: 10_000 };
    // Over HTTP/2 the API server ends the whole connection with a 401 (GOAWAY): the answer is lost, and every watch with it.
    const common = { keepAliveTimeout: 30_000, connections: 64, allowH2: false };
    if (credentials.proxyUrl !== undefined) {
      return new ProxyAgent({ ...common, uri: credentials.proxyUrl, requestTls: credentials.tls });
    }
    const proxies = proxySettings(this.#options.env);
    if (proxies.http === undefined && proxies.https === undefined) return new Agent({ ...common, connect });
    return new EnvHttpProxyAgent({
      ...common,
      connect,
      requestTls: credentials.tls,
      httpProxy: proxies.http ?? '',
      httpsProxy: proxies.https ?? '',
      noProxy: proxies.none,
    });
  }

  async #send(call: Call, stream: boolean, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    if (this.#credentials === undefined) await this.renew();
    const credentials = this.#credentials as Credentials;
    const request = this.#request as Undici['request'];
    const url = new URL(credentials.server + call.path);
    for (const [name, value] of Object.entries(call.query ?? {})) if (value !== undefined) url.searchParams.set(name, String(value));
    const headers: Record<string, string> = {
      ...credentials.headers,
      'user-agent': this.#options.userAgent,
      accept: call.accept ?? 'application/json',
    };
    if (!stream) headers['accept-encoding'] = 'gzip';
    if (call.body !== undefined) headers['content-type'] = call.contentType ?? 'application/json';
    if (call.method === 'GET') this.reads += 1;
    else this.writes += 1;
    const begun = this.#options.clock.now();
    const say = (what: string): void =>
      this.#options.log.debug(`kubernetes: ${call.method} ${url.pathname}${url.search} ${what} (${this.#options.clock.now() - begun} ms)`);
    try {
      const sent = request(url, {
        method: call.method,
        headers,
        signal,
        headersTimeout: 60_000,
        // A watch gets a bookmark about once a minute: two quiet minutes mean a dead connection.
        bodyTimeout: stream ? 130_000 : 60_000,
        ...(call.body === undefined ? {} : { body: typeof call.body === 'string' ? call.body : JSON.stringify(call.body) }),
        ...(this.#dispatcher === undefined ? {} : { dispatcher: this.#dispatcher }),
      });
      const answer = await unlessAborted(sent, signal);
      this.#answered = true;
      say(`→ ${answer.statusCode}`);
      return answer;
    } catch (error) {
      say(`✗ ${(error as { code?: string }).code ?? String(error)}`);
      throw error;
    }
  }

  /** One exchange with renewal on 401; anything that is thrown is below HTTP. */
  async #exchange(call: Call, stream: boolean, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const seen = this.#generation;
    const answer = await this.#send(call, stream, signal);
    if (answer.statusCode !== 401) return answer;
    await answer.body.dump();
    this.#options.log.debug('kubernetes: 401, credentials are read again');
    await this.renew(seen === 0 ? this.#generation : seen);
    return this.#send(call, stream, signal);
  }

  /** Text of a body, in pieces: what is unpacked as a whole takes three times its size outside the heap, where the collector hardly sees it. */
  async #read({ headers, body }: Dispatcher.ResponseData): Promise<string> {
    if (headers['content-encoding'] !== 'gzip') return body.text();
    const decoder = new TextDecoder();
    let text = '';
    await pipeline(body, createGunzip({ chunkSize: 65_536 }), async (pieces: AsyncIterable<Uint8Array>) => {
      for await (const piece of pieces) text += decoder.decode(piece, { stream: true });
    });
    return text + decoder.decode();
  }

  /** Sends until it is answered for good. Throws `ApiRefusal`, or `UserError` when the server cannot be reached in time. */
  async call(call: Call, options: { readonly signal?: AbortSignal } = {}): Promise<Answer> {
    const signal = options.signal === undefined ? this.#options.signal : AbortSignal.any([this.#options.signal, options.signal]);
    let begun = this.#options.clock.now();
    for (let attempt = 0; ; attempt++) {
      let wait = Math.min(200 * 2 ** attempt, 5_000) * (0.75 + Math.random() / 2);
      let failure: unknown;
      let webhook: string | undefined;
      await this.#pressure.enter(signal);
      // Time in which we hold back by ourselves is no time in which the server failed.
      if (attempt === 0) begun = this.#options.clock.now();
      try {
        const answer = await this.#exchange(call, false, signal);
        const text = await this.#read(answer);
        const { statusCode: status } = answer;
        const isOurs = call.expect === 'any' || call.expect?.includes(status) === true;
        if (!isOurs) this.#pressure.answered(status === 429, retryAfter(answer.headers['retry-after']));
        if (status < 400 || isOurs) return { status, text, warnings: list(answer.headers['warning']) };
        const body = parse(text);
        failure = refusal(status, body, call.asked, this.target);
        if (!this.mayPass(status) && (!RETRIED.has(status) || isFinal(status, text))) throw failure;
        wait = retryAfter(answer.headers['retry-after']) ?? wait;
        webhook = silentWebhook(text);
      } catch (error) {
        if (signal.aborted) throw new CancelledError();
        if (error instanceof UserError) throw error;
        failure = new UserError(unreachable(error, this.target), { cause: error });
        if (!isTransient(error)) throw failure;
        this.disturbed();
      } finally {
        this.#pressure.leave();
      }
      const budget = this.#answered ? (this.#options.retryFor ?? 60_000) : (this.#options.retryFirstFor ?? 8_000);
      const now = this.#options.clock.now();
      if (now - begun + wait > budget || (webhook !== undefined && this.#webhooks.isOver(webhook, attempt + 1, now, wait))) throw failure;
      this.#options.log.debug(`kubernetes: trying again in ${Math.round(wait)} ms`);
      await this.#options.clock.sleep(wait, signal);
    }
  }

  /** Opens a stream; errors below HTTP are thrown as they are, the caller decides about another try. */
  async open(call: Call, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    return this.#exchange(call, true, AbortSignal.any([this.#options.signal, signal]));
  }

  async close(): Promise<void> {
    // A handshake that nobody answers is waited for by undici: not by us.
    const enough = new AbortController();
    await Promise.race([this.#dispatcher?.destroy(), this.#options.clock.sleep(200, enough.signal).catch(() => undefined)]);
    enough.abort();
  }
}

/** undici hears of an abort only once a connection stands; a server that never answers the handshake would hold up the end of the run. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(new CancelledError());
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/** JSON of an answer; a Status with the text as message when it is none. */
export function parse(text: string): Record<string, unknown> & { message?: string; reason?: string } {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return { message: text.slice(0, 300) };
  }
}
