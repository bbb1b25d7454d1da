/**
 * One GraphQL query about the refs of many repositories: its text, and what its answer means. GitHub takes whole name spaces as
 * `refPrefix` only ("refPrefix must end with a /"); `query` looks for the rest of the prefix anywhere in the name, so that the answer is
 * filtered again.
 */
import { problem } from '../contract/errors.ts';
import type { Problem } from '../contract/errors.ts';
import type { Ref } from './types.ts';

export interface RepositoryName {
  readonly owner: string;
  readonly name: string;
}

/** A page of refs that is wanted: the first one, or the one after a cursor. */
export interface Want {
  readonly repository: RepositoryName;
  readonly prefix: string;
  readonly after: string | null;
}

/** What became of a page. */
export type PageAnswer =
  | { readonly refs: readonly Ref[]; readonly next: string | null }
  /** Not answered by this query, but by another way: a tag of a tag of a tag. */
  | { readonly odd: true }
  | { readonly problem: Problem };

/** Refs of a page, as many as GitHub gives. */
export const PAGE = 100;
/** Repositories of a query: 1,000 of them are 14 queries, and a query stays far below GitHub's 10 seconds and 500,000 nodes. */
export const REPOSITORIES_PER_QUERY = 75;

/** An error in an answer of status 200. */
export interface QueryError {
  readonly type?: string;
  readonly message: string;
  readonly path?: readonly (string | number)[];
}

const FRAGMENTS = `fragment page on RefConnection { pageInfo { hasNextPage endCursor } nodes { prefix name target { __typename oid ... on Tag { target { __typename oid ... on Tag { target { __typename oid } } } } } } }`;

/** Wants of at most so many repositories for each query; the pages of one repository stay together. */
export function inBatches(wants: readonly Want[], repositories: number): readonly (readonly Want[])[] {
  const byRepository = new Map<string, Want[]>();
  for (const want of wants) {
    const key = keyOf(want.repository);
    const known = byRepository.get(key);
    if (known === undefined) byRepository.set(key, [want]);
    else known.push(want);
  }
  const groups = [...byRepository.values()];
  return Array.from({ length: Math.ceil(groups.length / repositories) }, (_, at) =>
    groups.slice(at * repositories, (at + 1) * repositories).flat(),
  );
}

/** GitHub compares owners and names without case. */
export function keyOf({ owner, name }: RepositoryName): string {
  return `${owner}/${name}`.toLowerCase();
}

/** `refs/tags/paasta-` → `refs/tags/` and `paasta-`. */
function splitPrefix(prefix: string): { readonly space: string; readonly rest: string } {
  const at = prefix.lastIndexOf('/') + 1;
  return { space: prefix.slice(0, at), rest: prefix.slice(at) };
}

interface Aliased {
  readonly repository: string;
  readonly page: string;
  readonly want: Want;
}

/** `r0.p0`, `r0.p1`, `r1.p0`, … */
function aliases(wants: readonly Want[]): readonly Aliased[] {
  const numbers = new Map<string, number>();
  const pages = new Map<string, number>();
  return wants.map((want) => {
    const key = keyOf(want.repository);
    if (!numbers.has(key)) numbers.set(key, numbers.size);
    const page = pages.get(key) ?? 0;
    pages.set(key, page + 1);
    return { repository: `r${String(numbers.get(key))}`, page: `p${String(page)}`, want };
  });
}

/** Text of the query. Names stand in it as JSON strings, which GraphQL reads alike. */
export function queryText(wants: readonly Want[]): string {
  const text = JSON.stringify;
  const parts = new Map<string, { readonly want: Want; readonly pages: string[] }>();
  for (const { repository, page, want } of aliases(wants)) {
    const { space, rest } = splitPrefix(want.prefix);
    const selection = `${page}: refs(refPrefix: ${text(space)}, ${rest === '' ? '' : `query: ${text(rest)}, `}first: ${String(PAGE)}${want.after === null ? '' : `, after: ${text(want.after)}`}) { ...page }`;
    const known = parts.get(repository);
    if (known === undefined) parts.set(repository, { want, pages: [selection] });
    else known.pages.push(selection);
  }
  const repositories = [...parts].map(
    ([alias, { want, pages }]) =>
      `${alias}: repository(owner: ${text(want.repository.owner)}, name: ${text(want.repository.name)}) { ${pages.join(' ')} }`,
  );
  return `query { rateLimit { cost remaining resetAt } ${repositories.join(' ')} } ${FRAGMENTS}`;
}

interface GitObject {
  readonly __typename?: string;
  readonly oid?: string;
  readonly target?: GitObject | null;
}
interface Connection {
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
  readonly nodes: readonly ({ readonly prefix: string; readonly name: string; readonly target: GitObject | null } | null)[] | null;
}

/** What the answer says about each want. `where`: host of the server, for messages. */
export function readAnswer(
  wants: readonly Want[],
  data: unknown,
  errors: readonly QueryError[],
  where: string,
): ReadonlyMap<Want, PageAnswer> {
  const repositories = (typeof data === 'object' && data !== null ? data : {}) as Readonly<
    Record<string, Readonly<Record<string, Connection | null>> | null>
  >;
  return new Map(
    aliases(wants).map(({ repository, page, want }): [Want, PageAnswer] => {
      const wrong =
        errors.find(({ path }) => path?.[0] === repository && (path.length === 1 || path[1] === page)) ??
        (repositories[repository] == null ? errors.find(({ path }) => path === undefined) : undefined);
      if (wrong !== undefined) return [want, { problem: explainQueryError(wrong, want.repository, where) }];
      const answered = repositories[repository];
      if (answered == null)
        return [want, { problem: explainQueryError({ type: 'NOT_FOUND', message: 'the answer leaves it out' }, want.repository, where) }];
      // An empty repository has no list of refs.
      const connection = answered[page];
      return [want, connection == null ? { refs: [], next: null } : pageOf(connection, want.prefix)];
    }),
  );
}

function pageOf({ nodes, pageInfo }: Connection, prefix: string): PageAnswer {
  const refs: Ref[] = [];
  for (const node of nodes ?? []) {
    if (node === null) continue;
    const name = `${node.prefix}${node.name}`;
    // `query` also finds the word in the middle of a name. A ref without target is broken: git does not list it either.
    if (!name.startsWith(prefix) || node.target === null) continue;
    let target: GitObject | null | undefined = node.target;
    while (target?.__typename === 'Tag') target = target.target;
    if (target?.oid === undefined) return { odd: true };
    refs.push({ name, sha: target.oid });
  }
  return { refs, next: pageInfo.hasNextPage ? pageInfo.endCursor : null };
}

function explainQueryError({ type, message }: QueryError, { owner, name }: RepositoryName, where: string): Problem {
  const prefix = `cannot list the tags of ${owner}/${name}`;
  if (type === 'NOT_FOUND')
    return problem('GITHUB_NOT_FOUND', `${prefix}: ${where} knows no such repository, or the token may not see it (${message})`, {
      input: 'github-token',
      hint: "check git_url of service.yaml; for other repositories than the job's own an App token with Contents: read is needed",
    });
  if (/saml|single sign-on/i.test(message))
    return problem('GITHUB_SSO', `${prefix}: ${message}`, {
      input: 'github-token',
      hint: 'authorise the token for the organisation (single sign-on), or use an App token',
    });
  if (type === 'FORBIDDEN' || type === 'INSUFFICIENT_SCOPES')
    return problem('GITHUB_PERMISSION_MISSING', `${prefix}: the token may not read it (${message})`, {
      input: 'github-token',
      hint: 'give the App (or the token) Contents: read on the repository',
    });
  return problem('GITHUB_REFUSED', `${prefix}: ${where} answered: ${message}`);
}

/** The whole query was refused because it is too large or takes too long: smaller ones may pass. */
export function isTooLarge(errors: readonly QueryError[]): boolean {
  return errors.some(
    ({ type, message }) =>
      type === 'MAX_NODE_LIMIT_EXCEEDED' ||
      type === 'RESOURCE_LIMITS_EXCEEDED' ||
      /something went wrong while executing|timed? ?out|timedout/i.test(message),
  );
}
