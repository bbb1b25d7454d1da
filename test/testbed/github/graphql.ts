/**
 * GitHub's GraphQL API: queries are validated and executed against the schema that GitHub publishes (`@octokit/graphql-schema`). What the
 * double can answer is the rate limit and the refs of repositories; every other field is an error and a violation.
 */
import { readFileSync } from 'node:fs';
import { buildASTSchema, execute, GraphQLError, parse, validate } from 'graphql';
import type { ExecutionResult, GraphQLFieldResolver, GraphQLSchema } from 'graphql';
import { allows, sees } from './access.ts';
import type { Json, JsonObject } from './description.ts';
import { nodeId } from './state.ts';
import type { RepositoryState, Token } from './state.ts';

export interface GraphQlAnswer {
  readonly status: number;
  readonly body: Json;
  readonly violations: readonly string[];
}

/** GitHub's limits: https://docs.github.com/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api */
const LARGEST_PAGE = 100;
const LARGEST_QUERY = 500_000;

/** The package exports only its module, which reads 5 MB more of JSON. */
const SCHEMA = new URL('../../../node_modules/@octokit/graphql-schema/schema.graphql', import.meta.url);
let schema: GraphQLSchema | undefined;
/** 1.2 MB of text: read once, and only when somebody asks. */
function published(): GraphQLSchema {
  return (schema ??= buildASTSchema(parse(readFileSync(SCHEMA, 'utf8'), { noLocation: true }), { assumeValidSDL: true }));
}

interface Context {
  readonly repositories: ReadonlyMap<string, RepositoryState>;
  readonly token: Token;
  readonly violations: string[];
  nodes: number;
}

type Fields = Readonly<Record<string, unknown>>;
interface RefLine {
  readonly ref: string;
  readonly sha: string;
  readonly type: string;
}

/** GitHub says the kind of an error beside its message. */
function refuse(type: string | undefined, message: string): GraphQLError {
  return new GraphQLError(message, type === undefined ? {} : { extensions: { type } });
}

function rateLimit(context: Context): Fields {
  return {
    __typename: 'RateLimit',
    cost: 1,
    limit: 5000,
    remaining: 4999,
    used: 1,
    nodeCount: () => context.nodes,
    resetAt: new Date(Date.now() + 3_600_000).toISOString(),
  };
}

function repository(context: Context, { owner, name }: { readonly owner: string; readonly name: string }): Fields {
  const found = context.repositories.get(`${owner}/${name}`.toLowerCase());
  const mayRead = found !== undefined && sees(context.token, found);
  if (found === undefined || !mayRead) throw refuse('NOT_FOUND', `Could not resolve to a Repository with the name '${owner}/${name}'.`);
  return {
    __typename: 'Repository',
    id: nodeId('R', found.id),
    name: found.name,
    nameWithOwner: found.fullName,
    refs: (args: RefArguments) => refs(context, found, args),
  };
}

interface RefArguments {
  readonly refPrefix: string;
  readonly query?: string | null;
  readonly first?: number | null;
  readonly after?: string | null;
  readonly last?: number | null;
  readonly before?: string | null;
  readonly direction?: string | null;
  readonly orderBy?: { readonly field: string; readonly direction: string } | null;
}

async function refs(context: Context, state: RepositoryState, args: RefArguments): Promise<Fields> {
  if (state.isPrivate && !allows(context.token, 'contents', 'read')) throw refuse('FORBIDDEN', 'Resource not accessible by integration');
  if (args.first == null && args.last == null)
    throw refuse('MISSING_PAGINATION_BOUNDARIES', 'You must provide a `first` or `last` value to properly paginate the `refs` connection.');
  const size = args.first ?? 0;
  if (size > LARGEST_PAGE || (args.last ?? 0) > LARGEST_PAGE)
    throw refuse(
      'EXCESSIVE_PAGINATION',
      `Requesting ${String(size)} records on the \`refs\` connection exceeds the \`first\` limit of 100 records.`,
    );
  // Seen at GitHub in 2026: prefixes that end in the middle of a name are refused.
  if (!args.refPrefix.endsWith('/')) throw refuse(undefined, 'refPrefix must end with a /');
  if (
    args.last != null ||
    args.before != null ||
    args.direction != null ||
    (args.orderBy != null && (args.orderBy.field !== 'ALPHABETICAL' || args.orderBy.direction !== 'ASC'))
  ) {
    throw unknown(context, 'refs with last, before, direction, or another order than ALPHABETICAL ASC');
  }
  context.nodes += size;
  if (context.nodes > LARGEST_QUERY)
    throw refuse(
      'MAX_NODE_LIMIT_EXCEEDED',
      `This query requests up to ${String(context.nodes)} possible nodes which exceeds the maximum limit of 500,000.`,
    );
  const word = args.query ?? '';
  const all = (await state.git.refs(args.refPrefix)).filter(
    ({ ref }) => !state.hidden.has(ref) && ref.slice(args.refPrefix.length).includes(word),
  );
  const from = args.after == null ? 0 : all.findIndex(({ ref }) => cursorOf(ref) === args.after) + 1;
  if (args.after != null && from === 0) throw refuse('INVALID_CURSOR_ARGUMENTS', `\`${args.after}\` does not appear to be a valid cursor.`);
  const page = all.slice(from, from + size);
  const nodes = page.map((line) => refOf(state, args.refPrefix, line));
  return {
    __typename: 'RefConnection',
    nodes,
    totalCount: all.length,
    edges: page.map((line, at) => ({ __typename: 'RefEdge', cursor: cursorOf(line.ref), node: nodes[at] })),
    pageInfo: {
      __typename: 'PageInfo',
      hasNextPage: from + size < all.length,
      hasPreviousPage: from > 0,
      startCursor: page[0] === undefined ? null : cursorOf(page[0].ref),
      endCursor: page.length === 0 ? null : cursorOf(page.at(-1)?.ref ?? ''),
    },
  };
}

const cursorOf = (ref: string): string => Buffer.from(`cursor:${ref}`).toString('base64');

function refOf(state: RepositoryState, prefix: string, { ref, sha, type }: RefLine): Fields {
  return { __typename: 'Ref', id: nodeId('REF', ref), prefix, name: ref.slice(prefix.length), target: () => gitObject(state, sha, type) };
}

const typeNames: Readonly<Record<string, string>> = { commit: 'Commit', tag: 'Tag', tree: 'Tree', blob: 'Blob' };

function gitObject(state: RepositoryState, sha: string, type: string): Fields {
  const common = { __typename: typeNames[type] ?? type, oid: sha, id: nodeId('O', sha) };
  if (type !== 'tag') return common;
  const target = async (): Promise<Fields> => {
    const [, target = '', kind = ''] = /^object (\S+)\ntype (\S+)$/m.exec(await state.git.must(['cat-file', 'tag', sha])) ?? [];
    return gitObject(state, target, kind);
  };
  return { ...common, target };
}

function unknown(context: Context, what: string): GraphQLError {
  context.violations.push(`GraphQL: the double does not answer ${what}`);
  return new GraphQLError(`the double does not answer ${what}`);
}

const resolve: GraphQLFieldResolver<Fields | undefined, Context> = (source, args: unknown, context, info) => {
  const { fieldName, parentType } = info;
  if (parentType.name === 'Query' && fieldName === 'rateLimit') return rateLimit(context);
  if (parentType.name === 'Query' && fieldName === 'repository') return repository(context, args as { owner: string; name: string });
  if (source === undefined || !Object.hasOwn(source, fieldName)) throw unknown(context, `${parentType.name}.${fieldName}`);
  const value = source[fieldName];
  return typeof value === 'function' ? (value as (given: unknown) => unknown)(args) : value;
};

function spell(result: ExecutionResult): JsonObject {
  const plain = JSON.parse(JSON.stringify(result)) as { data?: Json; errors?: (JsonObject & { extensions?: JsonObject })[] };
  const errors = plain.errors?.map(({ extensions, ...error }): JsonObject => ({
    ...(extensions === undefined ? {} : extensions),
    ...error,
  }));
  return { ...(plain.data === undefined ? {} : { data: plain.data }), ...(errors === undefined ? {} : { errors }) };
}

/** Answers one request. Violations: queries that GitHub's schema does not allow, and fields that the double does not know. */
export async function answerGraphQl(
  repositories: ReadonlyMap<string, RepositoryState>,
  token: Token,
  body: JsonObject,
): Promise<GraphQlAnswer> {
  const { query, variables } = body;
  if (typeof query !== 'string')
    return {
      status: 400,
      body: { message: 'A query attribute must be specified and must be a string.' },
      violations: ['GraphQL: a request without query'],
    };
  let document;
  try {
    document = parse(query);
  } catch (error) {
    return { status: 200, body: { errors: [{ message: String(error) }] }, violations: [`GraphQL: ${String(error)}`] };
  }
  const wrong = validate(published(), document);
  if (wrong.length > 0)
    return { status: 200, body: spell({ errors: wrong }), violations: wrong.map(({ message }) => `GraphQL: ${message}`) };
  const context: Context = { repositories, token, violations: [], nodes: 0 };
  const result = await execute({
    schema: published(),
    document,
    contextValue: context,
    variableValues: (variables ?? {}) as JsonObject,
    fieldResolver: resolve,
    typeResolver: (value) => (value as { __typename: string }).__typename,
  });
  // GitHub gives no data at all when the query itself is too large.
  const whole =
    result.errors?.some(({ extensions }) => extensions['type'] === 'MAX_NODE_LIMIT_EXCEEDED') === true ? { errors: result.errors } : result;
  return { status: 200, body: spell(whole), violations: context.violations };
}
