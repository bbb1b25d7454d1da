/** One request on its way: recognise, judge, authorise, strike with planted faults, answer, judge again, write down. */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { allows, authorise, sees, tokenOf } from './access.ts';
import { zeroSha } from './bare.ts';
import { complete, recognise, rejectRequest, rejectResponse } from './description.ts';
import type { Json, JsonObject, Operation } from './description.ts';
import type { Faults } from './faults.ts';
import { gitRoutes } from './routes-git.ts';
import { deploymentRoutes } from './routes-deployments.ts';
import { talkRoutes } from './routes-talk.ts';
import { recogniseGit, serveGit } from './smart-http.ts';
import { Refusal, text } from './state.ts';
import type { Answer, Call, RepositoryState, Route, Rules, Token } from './state.ts';

const routes: Readonly<Record<string, Route>> = { ...gitRoutes, ...deploymentRoutes, ...talkRoutes };

/** One line of the request log. */
export interface RequestLine {
  readonly at: string;
  readonly method: string;
  readonly path: string;
  /** Operation id of the description, `git-info-refs <service>`, `git-upload-pack`, `git-receive-pack`, or `unknown`. */
  readonly operation: string;
  readonly status: number;
  readonly token: string | undefined;
  readonly userAgent: string;
  readonly body: Json | undefined;
  /** Bytes of the answer's body. */
  readonly bytes: number;
}

export interface World {
  readonly repositories: Map<string, RepositoryState>;
  readonly tokens: Map<string, Token>;
  readonly faults: Faults;
  readonly rules: Rules;
  readonly requests: RequestLine[];
  readonly violations: string[];
  nextId(): number;
  /** Requests of the command-line form below `/_double`. */
  readonly administer?: (method: string, path: string, body: JsonObject) => Promise<{ status: number; body: Json }>;
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function now(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, 'Z');
}

class Exchange {
  private readonly world: World;
  private readonly request: IncomingMessage;
  private readonly response: ServerResponse;
  private readonly url: URL;
  private readonly base: string;

  constructor(world: World, request: IncomingMessage, response: ServerResponse) {
    this.world = world;
    this.request = request;
    this.response = response;
    this.base = `http://${request.headers.host ?? '127.0.0.1'}`;
    this.url = new URL(request.url ?? '/', this.base);
  }

  /** Answers late; false when nobody waits for the answer any more. */
  private async outlasts(milliseconds: number): Promise<boolean> {
    await sleep(milliseconds, undefined, { ref: false });
    return !this.response.destroyed;
  }

  async run(): Promise<void> {
    const git = recogniseGit(this.url.pathname, this.url.searchParams);
    const raw = await bodyOf(this.request);
    if (git !== undefined) return this.serveGit(git, raw);
    const body = raw.length === 0 ? undefined : parseJson(raw.toString());
    if (this.url.pathname.startsWith('/_double/') && this.world.administer !== undefined) {
      const answer = await this.world.administer(
        this.request.method ?? 'GET',
        this.url.pathname.slice('/_double/'.length),
        (body ?? {}) as JsonObject,
      );
      return this.send(answer.status, answer.body);
    }
    if (this.request.method === 'POST' && /^\/(?:api\/)?graphql$/.test(this.url.pathname))
      return this.serveGraphQl((body ?? {}) as JsonObject);
    return this.serveApi(body);
  }

  /** `/graphql` as at api.github.com, `/api/graphql` as on an Enterprise server. Faults by the operation `graphql`. */
  private async serveGraphQl(body: JsonObject): Promise<void> {
    const presented = tokenOf(this.request.headers.authorization);
    const line = {
      at: now(),
      method: 'POST',
      path: this.url.pathname,
      operation: 'graphql',
      token: presented,
      userAgent: this.request.headers['user-agent'] ?? '',
      body,
    };
    const { faults } = this.world;
    const finish = (status: number, answer: Json, headers: Readonly<Record<string, string>> = {}): void => {
      this.world.requests.push({ ...line, status, bytes: JSON.stringify(answer).length });
      this.send(status, answer, headers);
    };
    if (line.userAgent === '')
      return finish(403, { message: 'Request forbidden by administrative rules. Please make sure your request has a User-Agent header.' });
    const slow = faults.strike(['slow'], 'graphql', presented);
    if (slow !== undefined && !(await this.outlasts(slow.milliseconds))) return;
    const limit = faults.strike(['primary-rate-limit', 'secondary-rate-limit'], 'graphql', presented);
    if (limit?.kind === 'primary-rate-limit') {
      // Unlike the REST API: status 200, and the refusal in the body.
      return finish(
        200,
        { errors: [{ type: 'RATE_LIMITED', message: 'API rate limit exceeded for installation.' }] },
        {
          'x-ratelimit-limit': '5000',
          'x-ratelimit-remaining': '0',
          'x-ratelimit-resource': 'graphql',
          'x-ratelimit-reset': String(Math.floor(Date.now() / 1000) + limit.resetInSeconds),
        },
      );
    }
    if (limit !== undefined)
      return finish(
        limit.status ?? 403,
        {
          message: 'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.',
          documentation_url: 'https://docs.github.com/graphql',
        },
        { 'retry-after': String(limit.retryAfter) },
      );
    const broken = faults.strike(['status', 'drop'], 'graphql', presented);
    if (broken?.kind === 'drop') {
      this.world.requests.push({ ...line, status: 0, bytes: 0 });
      this.response.destroy();
      return;
    }
    if (broken !== undefined) return finish(broken.status, { message: 'Server Error' });
    const token = presented === undefined ? undefined : this.world.tokens.get(presented);
    if (token === undefined)
      return finish(401, {
        message: presented === undefined ? 'This endpoint requires you to be authenticated.' : 'Bad credentials',
        documentation_url: 'https://docs.github.com/graphql',
        status: '401',
      });
    const { answerGraphQl } = await import('./graphql.ts');
    const { status, body: answer, violations } = await answerGraphQl(this.world.repositories, token, body);
    this.world.violations.push(...violations);
    return finish(status, answer, {
      'x-ratelimit-limit': '5000',
      'x-ratelimit-remaining': '4999',
      'x-ratelimit-used': '1',
      'x-ratelimit-resource': 'graphql',
      'x-ratelimit-reset': String(Math.floor(Date.now() / 1000) + 3600),
    });
  }

  private async serveApi(body: Json | undefined): Promise<void> {
    const prefix = this.url.pathname.startsWith('/api/v3/') ? '/api/v3' : '';
    const path = this.url.pathname.slice(prefix.length);
    const operation = recognise(this.request.method ?? 'GET', path);
    const presented = tokenOf(this.request.headers.authorization);
    const line = {
      at: now(),
      method: this.request.method ?? '',
      path: `${path}${this.url.search}`,
      operation: operation?.id ?? 'unknown',
      token: presented,
      userAgent: this.request.headers['user-agent'] ?? '',
      body,
    };
    const finish = (status: number, answer: Json | undefined, headers: Readonly<Record<string, string>> = {}): void => {
      const sent = answer === undefined ? '' : JSON.stringify(answer);
      this.world.requests.push({ ...line, status, bytes: sent.length });
      this.send(status, answer, headers);
    };
    const violate = (problems: readonly string[]): void => {
      const found = problems.map((problem) => `${line.method} ${path} (${line.operation}): ${problem}`);
      this.world.violations.push(...found);
      finish(500, { message: `Not as GitHub's description documents it: ${found.join('; ')}` });
    };
    if (operation === undefined) return violate(['the description (cut to our paths) does not know this operation']);
    const version = this.request.headers['x-github-api-version'];
    if (line.userAgent === '')
      return finish(403, { message: 'Request forbidden by administrative rules. Please make sure your request has a User-Agent header.' });
    if (version !== undefined && version !== '2022-11-28')
      return finish(400, {
        message: `API version ${String(version)} is not supported.`,
        documentation_url: 'https://docs.github.com/rest',
        status: '400',
      });

    const slow = this.world.faults.strike(['slow'], operation.id, presented);
    if (slow !== undefined && !(await this.outlasts(slow.milliseconds))) return;
    const limit = this.world.faults.strike(['primary-rate-limit', 'secondary-rate-limit'], operation.id, presented);
    if (limit?.kind === 'primary-rate-limit') {
      return finish(
        403,
        { message: 'API rate limit exceeded for installation.', documentation_url: 'https://docs.github.com/rest', status: '403' },
        {
          'x-ratelimit-limit': '1000',
          'x-ratelimit-remaining': '0',
          'x-ratelimit-reset': String(Math.floor(Date.now() / 1000) + limit.resetInSeconds),
        },
      );
    }
    if (limit !== undefined) {
      return finish(
        limit.status ?? 403,
        {
          message: 'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.',
          documentation_url: 'https://docs.github.com/rest',
        },
        { 'retry-after': String(limit.retryAfter) },
      );
    }
    const broken = this.world.faults.strike(['status', 'drop'], operation.id, presented);
    const breakOff = (): void => {
      if (broken?.kind === 'status')
        return finish(broken.status, { message: broken.status === 503 ? 'Service unavailable' : 'Server Error' });
      this.world.requests.push({ ...line, status: 0, bytes: 0 });
      this.response.destroy();
    };
    if (broken !== undefined && broken.applied !== true) return breakOff();

    const problems = rejectRequest(operation, this.url.searchParams, body);
    if (problems.length > 0) {
      // GitHub says 422 to most of these; a client of ours must not send them at all.
      return violate(problems.map((problem) => `request rejected: ${problem}`));
    }
    let answer: Answer;
    let accepted: string | undefined;
    try {
      const token = presented === undefined ? undefined : this.world.tokens.get(presented);
      if (presented !== undefined && token === undefined) throw new Refusal(401, 'Bad credentials');
      answer =
        operation.id === 'rate-limit/get'
          ? rateLimit()
          : await this.route(operation, prefix, token, (body ?? {}) as JsonObject, (value) => {
              accepted = value;
            });
    } catch (error) {
      if (!(error instanceof Refusal)) {
        this.world.violations.push(
          `${line.method} ${path}: the double failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
        );
        return finish(500, { message: 'the double failed', documentation_url: String(error) });
      }
      answer = { status: error.status, body: error.body, headers: error.headers };
    }
    if (broken !== undefined) return breakOff();
    const { page, headers } = this.paginate(answer);
    const full = page === undefined || answer.status >= 400 ? page : complete(operation, answer.status, page);
    const wrong = rejectResponse(operation, answer.status, full);
    if (wrong.length > 0) return violate(wrong.map((problem) => `response rejected (the double is wrong): ${problem}`));
    return finish(answer.status, full, {
      'x-ratelimit-limit': '1000',
      'x-ratelimit-remaining': '999',
      'x-ratelimit-used': '1',
      'x-ratelimit-resource': 'core',
      'x-ratelimit-reset': String(Math.floor(Date.now() / 1000) + 3600),
      ...(accepted === undefined ? {} : { 'x-accepted-github-permissions': accepted }),
      ...headers,
      ...answer.headers,
    });
  }

  private async route(
    operation: Operation,
    prefix: string,
    token: Token | undefined,
    body: JsonObject,
    accept: (value: string) => void,
  ): Promise<Answer> {
    const { owner = '', repo = '' } = operation.parameters;
    const repository = this.world.repositories.get(`${owner}/${repo}`.toLowerCase());
    accept(authorise(operation, repository, token));
    const route = routes[operation.id];
    if (route === undefined || repository === undefined) throw new Error(`the double has no route for ${operation.id}`);
    const call: Call = {
      operation,
      repository,
      token,
      query: this.url.searchParams,
      body,
      api: `${this.base}${prefix}`,
      html: this.base,
      rules: this.world.rules,
      nextId: () => this.world.nextId(),
      now,
    };
    if (operation.id !== 'git/create-ref') return route(call);
    const race = this.world.faults.strike(['tag-race'], operation.id, token?.token);
    const ref = text(body, 'ref') ?? '';
    if (race !== undefined) await repository.git.updateRef(ref, race.sha ?? text(body, 'sha') ?? '', zeroSha);
    const answer = await route(call);
    const hidden = this.world.faults.strike(['hidden-ref'], operation.id, token?.token);
    if (hidden !== undefined) repository.hidden.set(ref, hidden.reads);
    return answer;
  }

  private paginate(answer: Answer): { page: Json | undefined; headers: Record<string, string> } {
    if (answer.list === undefined) return { page: answer.body, headers: {} };
    const size = Math.min(Math.max(Number(this.url.searchParams.get('per_page') ?? 30), 1), 100);
    const current = Math.max(Number(this.url.searchParams.get('page') ?? 1), 1);
    const last = Math.max(Math.ceil(answer.list.length / size), 1);
    const items = answer.list.slice((current - 1) * size, current * size);
    const links: string[] = [];
    const link = (page: number, relation: string): void => {
      const to = new URL(this.url);
      to.searchParams.set('page', String(page));
      links.push(`<${to.toString()}>; rel="${relation}"`);
    };
    if (current < last) {
      link(current + 1, 'next');
      link(last, 'last');
    }
    if (current > 1) {
      link(1, 'first');
      link(current - 1, 'prev');
    }
    return {
      page: answer.envelope === undefined ? items : answer.envelope(items, answer.list.length),
      headers: links.length === 0 ? {} : { link: links.join(', ') },
    };
  }

  private send(status: number, body: Json | undefined, headers: Readonly<Record<string, string>> = {}): void {
    if (body === undefined) {
      this.response.writeHead(status, headers);
      this.response.end();
      return;
    }
    this.response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers });
    this.response.end(JSON.stringify(body));
  }

  private async serveGit(git: { owner: string; name: string; path: string; operation: string }, body: Buffer): Promise<void> {
    const presented = tokenOf(this.request.headers.authorization);
    const operation = git.operation.split(' ')[0] ?? '';
    const line = {
      at: now(),
      method: this.request.method ?? '',
      path: this.url.pathname,
      operation: git.operation,
      token: presented,
      userAgent: this.request.headers['user-agent'] ?? '',
      body: undefined,
    };
    const finish = (status: number, message: string, headers: Readonly<Record<string, string>> = {}): void => {
      this.world.requests.push({ ...line, status, bytes: message.length });
      this.response.writeHead(status, { 'content-type': 'text/plain', ...headers });
      this.response.end(message);
    };
    const slow = this.world.faults.strike(['slow'], operation, presented);
    if (slow !== undefined && !(await this.outlasts(slow.milliseconds))) return;
    const broken = this.world.faults.strike(['status', 'drop'], operation, presented);
    if (broken?.kind === 'status') return finish(broken.status, 'planted');
    if (broken !== undefined) {
      this.world.requests.push({ ...line, status: 0, bytes: 0 });
      this.response.destroy();
      return;
    }

    const repository = this.world.repositories.get(`${git.owner}/${git.name}`.toLowerCase());
    const token = presented === undefined ? undefined : this.world.tokens.get(presented);
    const challenge = { 'www-authenticate': 'Basic realm="GitHub"' };
    if (presented !== undefined && token === undefined) return finish(401, 'remote: Invalid username or password.', challenge);
    const pushes = git.operation.includes('receive-pack');
    // To somebody without a token GitHub never says whether a private repository exists.
    if (token === undefined && (repository === undefined || repository.isPrivate || pushes))
      return finish(401, 'Authentication required', challenge);
    if (repository === undefined || !sees(token, repository)) return finish(404, 'Repository not found.');
    if (token !== undefined) {
      const owned = token.repositories === undefined || token.repositories.includes(repository.fullName);
      if (pushes && !(owned && allows(token, 'contents', 'write')))
        return finish(403, `Permission to ${repository.fullName}.git denied to ${token.login}.`);
      if (!pushes && repository.isPrivate && !allows(token, 'contents', 'read'))
        return finish(403, 'Write access to repository not granted.');
    }
    if (operation === 'git-receive-pack') await this.raceOnPush(repository, body, presented);
    const { rules } = this.world;
    const environment = {
      ...(rules.workflows && token !== undefined && !allows(token, 'workflows', 'write') ? { GITHUB_DOUBLE_NO_WORKFLOWS: '1' } : {}),
      ...(rules.protectedRefs === null ? {} : { GITHUB_DOUBLE_PROTECTED: rules.protectedRefs }),
    };
    const outcome = await serveGit(
      this.request,
      this.response,
      body,
      { directory: repository.git.directory, service: operation, path: git.path, query: this.url.search.slice(1) },
      environment,
    );
    this.world.requests.push({ ...line, status: outcome.status, bytes: outcome.bytes });
  }

  /** A planted race on a push: the first ref of the command list is created by somebody else just before. */
  private async raceOnPush(repository: RepositoryState, body: Buffer, token: string | undefined): Promise<void> {
    const plain = this.request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
    const command = /^[0-9a-f]{4}([0-9a-f]{40}) ([0-9a-f]{40}) ([^\0\n]+)/.exec(plain.subarray(0, 400).toString('latin1'));
    if (command === null) return;
    const race = this.world.faults.strike(['tag-race'], 'git-receive-pack', token);
    if (race !== undefined) await repository.git.updateRef(command[3] ?? '', race.sha ?? command[2] ?? '', zeroSha);
  }
}

function rateLimit(): Answer {
  const resource = (limit: number): JsonObject => ({ limit, used: 1, remaining: limit - 1, reset: Math.floor(Date.now() / 1000) + 3600 });
  return {
    status: 200,
    body: { resources: { core: resource(1000), search: resource(30), graphql: resource(1000) }, rate: resource(1000) },
  };
}

function parseJson(raw: string): Json {
  try {
    return JSON.parse(raw) as Json;
  } catch {
    return raw;
  }
}

export function serve(world: World): Server {
  return createServer((request, response) => {
    new Exchange(world, request, response).run().catch((error: unknown) => {
      world.violations.push(
        `${request.method ?? ''} ${request.url ?? ''}: the double failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      );
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  });
}
