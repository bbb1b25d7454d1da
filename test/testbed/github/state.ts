/** What the double remembers besides git: plain records, one set per repository. */
import type { BareRepository } from './bare.ts';
import type { Json, JsonObject, Operation } from './description.ts';

export type Level = 'read' | 'write';

/** Permissions as in a workflow's `permissions:`; `all` is a person with admin rights (every scope, workflows included). */
export type Permissions = Readonly<Record<string, Level>> | 'all';

export interface TokenOptions {
  readonly permissions?: Permissions;
  /** `owner/name` that the token may see; all when absent. */
  readonly repositories?: readonly string[];
  /** Account that acts. Default `github-actions[bot]`. */
  readonly login?: string;
  /** The token itself; random when absent. */
  readonly token?: string;
}

export interface Token {
  readonly token: string;
  readonly permissions: Permissions;
  readonly repositories: readonly string[] | undefined;
  readonly login: string;
}

export interface DeploymentRecord {
  readonly id: number;
  readonly sha: string;
  readonly ref: string;
  readonly task: string;
  readonly environment: string;
  readonly payload: Json;
  readonly description: string | null;
  readonly creator: string;
  readonly transient: boolean;
  readonly production: boolean;
  readonly at: string;
  readonly statuses: DeploymentStatusRecord[];
}
export interface DeploymentStatusRecord {
  readonly id: number;
  readonly state: string;
  readonly description: string;
  readonly environment: string;
  readonly logUrl: string;
  readonly environmentUrl: string;
  readonly creator: string;
  readonly at: string;
}
export interface EnvironmentRecord {
  readonly id: number;
  readonly name: string;
  waitTimer: number;
  reviewers: JsonObject[];
  preventSelfReview: boolean;
  branchPolicy: JsonObject | null;
  readonly at: string;
  updatedAt: string;
}
export interface CommitStatusRecord {
  readonly id: number;
  readonly sha: string;
  readonly state: string;
  readonly context: string;
  readonly description: string | null;
  readonly targetUrl: string | null;
  readonly creator: string;
  readonly at: string;
}
export interface CheckRunRecord {
  readonly id: number;
  readonly sha: string;
  name: string;
  status: string;
  conclusion: string | null;
  title: string | null;
  summary: string | null;
  text: string | null;
  detailsUrl: string | null;
  externalId: string;
  readonly annotations: JsonObject[];
  readonly startedAt: string;
  completedAt: string | null;
}
export interface CommentRecord {
  readonly id: number;
  readonly issue: number;
  body: string;
  readonly author: string;
  readonly association: string;
  readonly at: string;
  updatedAt: string;
  readonly reactions: { id: number; user: string; content: string; at: string }[];
}
export interface PullRecord {
  readonly number: number;
  readonly id: number;
  title: string;
  body: string | null;
  state: 'open' | 'closed';
  readonly head: string;
  readonly base: string;
  readonly headRepository: string;
  readonly author: string;
  readonly at: string;
  merged: boolean;
}
export interface DispatchRecord {
  readonly kind: 'repository' | 'workflow';
  readonly workflow?: string;
  readonly ref?: string;
  readonly event?: string;
  readonly payload: Json;
  readonly by: string;
  readonly at: string;
}

export class RepositoryState {
  readonly id: number;
  readonly owner: string;
  readonly name: string;
  readonly isPrivate: boolean;
  readonly git: BareRepository;
  readonly deployments: DeploymentRecord[] = [];
  readonly environments = new Map<string, EnvironmentRecord>();
  readonly statuses: CommitStatusRecord[] = [];
  readonly checkRuns: CheckRunRecord[] = [];
  readonly comments: CommentRecord[] = [];
  readonly pulls: PullRecord[] = [];
  readonly dispatches: DispatchRecord[] = [];
  /** Logins with a role other than none. */
  readonly collaborators = new Map<string, 'admin' | 'write' | 'read'>();
  /** Refs made through the API that readers do not see yet, with the reads that are still to go. */
  readonly hidden = new Map<string, number>();

  constructor(id: number, owner: string, name: string, isPrivate: boolean, git: BareRepository) {
    this.id = id;
    this.owner = owner;
    this.name = name;
    this.isPrivate = isPrivate;
    this.git = git;
  }

  get fullName(): string {
    return `${this.owner}/${this.name}`;
  }
}

/** Rules of GitHub that depend on settings of a server or repository. */
export interface Rules {
  /** Refs to commits with workflow files that no branch has need the `workflows` permission. On, as at GitHub. */
  workflows: boolean;
  /** Glob of full ref names that a ruleset protects against creation (`refs/tags/paasta-*`); `null`: none. */
  protectedRefs: string | null;
}

/** What a route answers. A `list` is paginated by the server, newest first being the route's business. */
export interface Answer {
  readonly status: number;
  readonly body?: Json;
  readonly list?: readonly Json[];
  /** Puts a page of the list into its envelope. */
  readonly envelope?: (page: Json[], total: number) => Json;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One REST request on its way through a route. */
export interface Call {
  readonly operation: Operation;
  readonly repository: RepositoryState;
  readonly token: Token | undefined;
  readonly query: URLSearchParams;
  readonly body: JsonObject;
  /** Base of REST addresses, such as `http://127.0.0.1:1234/api/v3`. */
  readonly api: string;
  /** Base of pages for people. */
  readonly html: string;
  readonly rules: Rules;
  nextId(): number;
  now(): string;
}

export type Route = (call: Call) => Promise<Answer> | Answer;

/** A refusal in GitHub's form. */
export class Refusal extends Error {
  readonly status: number;
  readonly body: JsonObject;
  readonly headers: Readonly<Record<string, string>>;
  constructor(status: number, message: string, more: JsonObject = {}, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.body = {
      message,
      documentation_url: 'https://docs.github.com/rest',
      ...(status === 422 ? {} : { status: String(status) }),
      ...more,
    };
    this.headers = headers;
  }
}

export const notFound = (): Refusal => new Refusal(404, 'Not Found');
export const invalid = (resource: string, field: string, code: string): Refusal =>
  new Refusal(422, 'Validation Failed', { errors: [{ resource, field, code }] });

/** Fields of a request body, with the type that the description has already checked. */
export function text(body: JsonObject, key: string): string | undefined {
  const value = body[key];
  return typeof value === 'string' ? value : undefined;
}
export function user(login: string, id = 41898282): JsonObject {
  return { login, id, node_id: `U_${login}`, type: login.endsWith('[bot]') ? 'Bot' : 'User', site_admin: false };
}
export const nodeId = (kind: string, id: number | string): string => Buffer.from(`${kind}:${String(id)}`).toString('base64url');
