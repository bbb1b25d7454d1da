/** Refs of many repositories in few requests: GraphQL, 75 repositories a query, further pages only where there are more than 100 refs. */
import { CancelledError, UserError } from '../contract/errors.ts';
import type { Problem } from '../contract/errors.ts';
import { openConnection } from './client.ts';
import type { Connection } from './client.ts';
import type { ConnectOptions } from './options.ts';
import { isAmbiguous, wordsOf } from './explain.ts';
import { inBatches, isTooLarge, keyOf, queryText, readAnswer, REPOSITORIES_PER_QUERY } from './ref-query.ts';
import type { PageAnswer, QueryError, RepositoryName, Want } from './ref-query.ts';
import { repositoryOf } from './repository.ts';
import type { Ref } from './types.ts';

export type { RepositoryName } from './ref-query.ts';

/** Refs of a repository, or why there are none. */
export type RefsAnswer = { readonly refs: readonly Ref[] } | { readonly problem: Problem };

export interface RefBatches {
  /**
   * Refs whose full name begins with one of the prefixes, annotated tags dereferenced, by `owner/name` in lower case. Never throws for what
   * one repository is: that is in its answer. Throws `CancelledError`.
   */
  listRefs(repositories: readonly RepositoryName[], prefixes: readonly string[]): Promise<ReadonlyMap<string, RefsAnswer>>;
  /** The same of one repository through the REST API, which finds refs by another way. */
  listRefsByRest(repository: RepositoryName, prefixes: readonly string[]): Promise<RefsAnswer>;
  /** HTTP requests so far. */
  requests(): number;
}

/** Queries at the same time: GitHub asks for few. */
const PARALLEL = 2;
/** How often a query that is too large is halved: 75 → 10 repositories. */
const HALVINGS = 3;
const TRIES = 3;

interface QueryAnswer {
  readonly data: unknown;
  readonly errors: readonly QueryError[];
}

/** Throws as `connectGitHub`. Asks nobody yet. */
export function connectRefBatches(options: ConnectOptions): RefBatches {
  options.mask(options.token);
  const connection = openConnection(options, { paced: false });
  const where = new URL(connection.apiUrl).host;
  /** Said by one query, true for all: a token that is refused, a limit that is used up, a server that is away. */
  let end: UserError | undefined;

  const ask = async (wants: readonly Want[], halvings: number): Promise<ReadonlyMap<Want, PageAnswer>> => {
    if (end !== undefined) return all(wants, end);
    let answer: QueryAnswer;
    try {
      answer = await query(connection, wants);
    } catch (error) {
      if (!(error instanceof UserError) || error instanceof CancelledError) throw error;
      const unavailable = error.problems[0]?.code === 'GITHUB_UNAVAILABLE';
      if (unavailable && halvings > 0 && repositoriesOf(wants) > 1) return halves(wants, halvings);
      end ??= error;
      return all(wants, error);
    }
    if (answer.data == null && isTooLarge(answer.errors) && halvings > 0 && repositoriesOf(wants) > 1) return halves(wants, halvings);
    return readAnswer(wants, answer.data, answer.errors, where);
  };
  const halves = async (wants: readonly Want[], halvings: number): Promise<ReadonlyMap<Want, PageAnswer>> => {
    connection.log.debug(
      `github: a query about ${String(repositoriesOf(wants))} repositories is too large; asking for half of them at a time`,
    );
    const answers = new Map<Want, PageAnswer>();
    for (const half of inBatches(wants, Math.ceil(repositoriesOf(wants) / 2)))
      for (const [want, answer] of await ask(half, halvings - 1)) answers.set(want, answer);
    return answers;
  };
  const byRest = async ({ owner, name }: RepositoryName, prefixes: readonly string[]): Promise<RefsAnswer> => {
    try {
      const repository = repositoryOf(connection, owner, name);
      return { refs: (await Promise.all(prefixes.map((prefix) => repository.listRefs(prefix)))).flat() };
    } catch (error) {
      if (error instanceof CancelledError || !(error instanceof UserError) || error.problems[0] === undefined) throw error;
      return { problem: error.problems[0] };
    }
  };

  return {
    requests: () => connection.requests(),
    listRefsByRest: byRest,
    async listRefs(repositories, prefixes) {
      const found = new Map<string, { refs: Ref[]; problem?: Problem; odd?: RepositoryName }>();
      const distinct = [...new Map(repositories.map((repository) => [keyOf(repository), repository])).values()];
      for (const repository of distinct) found.set(keyOf(repository), { refs: [] });
      let wants: readonly Want[] = distinct.flatMap((repository) => prefixes.map((prefix): Want => ({ repository, prefix, after: null })));
      while (wants.length > 0) {
        const next: Want[] = [];
        await inParallel(inBatches(wants, REPOSITORIES_PER_QUERY), PARALLEL, async (batch) => {
          for (const [want, answer] of await ask(batch, HALVINGS)) {
            const entry = found.get(keyOf(want.repository));
            if (entry === undefined) continue;
            if ('problem' in answer) entry.problem ??= answer.problem;
            else if ('odd' in answer) entry.odd = want.repository;
            else {
              entry.refs.push(...answer.refs);
              if (answer.next !== null) next.push({ ...want, after: answer.next });
            }
          }
        });
        wants = next.filter(({ repository }) => found.get(keyOf(repository))?.problem === undefined);
      }
      const answers = new Map<string, RefsAnswer>();
      for (const [key, { refs, problem, odd }] of found)
        answers.set(key, problem !== undefined ? { problem } : odd !== undefined ? await byRest(odd, prefixes) : { refs });
      return answers;
    },
  };
}

function repositoriesOf(wants: readonly Want[]): number {
  return new Set(wants.map(({ repository }) => keyOf(repository))).size;
}

function all(wants: readonly Want[], { problems: [first] }: UserError): ReadonlyMap<Want, PageAnswer> {
  if (first === undefined) throw new Error('an error without a problem');
  return new Map(wants.map((want) => [want, { problem: first }]));
}

/** One query, tried again while the server or the network is at fault. Errors in an answer of status 200 are part of the result, unless they are about the rate limit: then it is waited for, or told. */
async function query(connection: Connection, wants: readonly Want[]): Promise<QueryAnswer> {
  const [first] = wants;
  const others = repositoriesOf(wants) - 1;
  const where =
    first === undefined
      ? ''
      : `${first.repository.owner}/${first.repository.name}${others === 0 ? '' : ` and ${String(others)} more repositories`}`;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await connection.attempt('list the tags', where, () => post(connection, wants));
    } catch (error) {
      const cause = error instanceof UserError ? error.cause : undefined;
      const limit = waitOf(cause);
      if (attempt >= TRIES || (limit === undefined ? !isAmbiguous(cause) : limit > connection.longestWait)) throw error;
      if (limit === undefined) connection.log.debug(`github: ${wordsOf(cause)}; trying again`);
      else connection.log.info(`GitHub's rate limit stops the query about ${where}; trying again in ${String(limit)} s`);
      // A signal ends the pause: attempt() goes on at once.
      await connection.attempt('wait', where, () =>
        connection.pause(limit === undefined ? connection.backOff * attempt * attempt : limit * 1000),
      );
    }
  }
}

async function post(connection: Connection, wants: readonly Want[]): Promise<QueryAnswer> {
  const began = performance.now();
  try {
    const data: unknown = await connection.octokit.graphql(queryText(wants), { request: { retries: 0 } });
    const rate = (data as { readonly rateLimit?: { readonly cost: number; readonly remaining: number } | null }).rateLimit;
    connection.log.debug(
      `github: GraphQL about ${String(repositoriesOf(wants))} repositories: ${String(Math.round(performance.now() - began))} ms${rate == null ? '' : `, cost ${String(rate.cost)}, ${String(rate.remaining)} points left`}`,
    );
    return { data, errors: [] };
  } catch (error) {
    if (!isQueryFailure(error)) throw error;
    connection.log.debug(
      `github: GraphQL about ${String(repositoriesOf(wants))} repositories: ${error.errors
        .slice(0, 3)
        .map(({ message }) => message)
        .join('; ')}`,
    );
    const limit = error.errors.find(({ type }) => type === 'RATE_LIMITED' || type === 'RATE_LIMIT');
    // In the form in which the REST API says it: explained by the same words.
    if (limit !== undefined)
      throw Object.assign(new Error(limit.message), {
        status: 403,
        response: { headers: { ...error.headers, 'x-ratelimit-remaining': '0' }, data: { message: limit.message } },
      });
    return { data: error.data, errors: error.errors };
  }
}

interface QueryFailure {
  readonly data: unknown;
  readonly errors: readonly QueryError[];
  readonly headers: Readonly<Record<string, string | number | undefined>>;
}

/** Octokit's `GraphqlResponseError`, by its shape. */
function isQueryFailure(error: unknown): error is QueryFailure {
  return (
    typeof error === 'object' &&
    error !== null &&
    'name' in error &&
    error.name === 'GraphqlResponseError' &&
    'errors' in error &&
    Array.isArray(error.errors)
  );
}

/** Seconds until a rate limit ends; `undefined` when the error is none. */
function waitOf(error: unknown): number | undefined {
  const { status, message, response } = (error ?? {}) as {
    readonly status?: unknown;
    readonly message?: string;
    readonly response?: { readonly headers?: Readonly<Record<string, unknown>> };
  };
  if (status !== 403 && status !== 429) return undefined;
  const headers = response?.headers ?? {};
  if (/secondary rate/i.test(message ?? '')) return Number(headers['retry-after'] ?? 60);
  if (String(headers['x-ratelimit-remaining']) !== '0') return undefined;
  const reset = Number(headers['x-ratelimit-reset']);
  return Number.isFinite(reset) ? Math.max(Math.ceil(reset - Date.now() / 1000) + 1, 1) : undefined;
}

async function inParallel<T>(items: readonly T[], parallel: number, work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  await Promise.all(
    Array.from({ length: Math.min(parallel, queue.length) }, async () => {
      for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
    }),
  );
}
