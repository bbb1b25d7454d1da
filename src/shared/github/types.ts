/** What the stages hand to GitHub and get back: plain values, none of Octokit's types. */
import type { Ref } from '../contract/ref.ts';

export type { Ref };

/** How `head` stands to `base`: `ahead` = it contains base, `behind` = base contains it. `unknown`: the server cannot say. */
export type CommitRelation = 'identical' | 'ahead' | 'behind' | 'diverged' | 'unknown';

export interface Comparison {
  readonly relation: Exclude<CommitRelation, 'unknown'>;
  /** Commits that head has and base has not. */
  readonly aheadBy: number;
  readonly behindBy: number;
  /** Page for people. */
  readonly url: string;
}

export interface NewDeployment {
  readonly sha: string;
  readonly environment: string;
  /** Free values that come back with the deployment: service, image version, tag… Their equality also tells whether a request whose answer was lost has been carried out. */
  readonly payload: Readonly<Record<string, string | number | boolean | null>>;
  readonly description?: string;
  readonly production?: boolean;
}

export interface Deployment {
  readonly id: number;
  readonly sha: string;
  readonly environment: string;
  readonly payload: unknown;
  readonly createdAt: string;
  /** Address in the API. */
  readonly url: string;
}

export type DeploymentState = 'queued' | 'pending' | 'in_progress' | 'success' | 'failure' | 'error' | 'inactive';

export interface NewDeploymentStatus {
  readonly state: DeploymentState;
  /** Cut to GitHub's 140 characters. */
  readonly description?: string;
  /** Page of the run. */
  readonly logUrl?: string;
  readonly environmentUrl?: string;
}

export interface Comment {
  readonly id: number;
  readonly body: string;
  readonly author: string;
  readonly url: string;
}

export interface CheckAnnotation {
  readonly path: string;
  readonly startLine: number;
  readonly endLine?: number;
  readonly level: 'notice' | 'warning' | 'failure';
  readonly message: string;
  readonly title?: string;
}

export interface NewCheckRun {
  readonly name: string;
  readonly sha: string;
  readonly conclusion: 'success' | 'failure' | 'neutral' | 'cancelled' | 'skipped' | 'timed_out' | 'action_required';
  readonly title: string;
  /** Markdown, cut to GitHub's 65535 characters. */
  readonly summary: string;
  readonly annotations?: readonly CheckAnnotation[];
  readonly detailsUrl?: string;
}

/** One repository through GitHub's API. Every call may throw `UserError` (see explain.ts for the codes) or `CancelledError`. */
export interface GitHubRepository {
  readonly owner: string;
  readonly name: string;
  /** Refs whose full name begins with the prefix (`refs/tags/paasta-…`), chosen by the server. */
  listRefs(prefix: string): Promise<readonly Ref[]>;
  /** Creates a light tag (name without `refs/tags/`). Never overwrites, never creates twice when an answer is lost. */
  createTag(name: string, sha: string): Promise<'created' | 'exists'>;
  /** What a ref (full name) points at; `undefined` when it does not exist. */
  refSha(ref: string): Promise<string | undefined>;
  commitExists(sha: string): Promise<boolean>;
  /** Full commit id of a short id, branch or tag; `undefined` when the server knows none (or several). */
  expandCommit(name: string): Promise<string | undefined>;
  relation(base: string, head: string): Promise<CommitRelation>;
  /** `undefined` when one of the commits is unknown or they have nothing in common. */
  compare(base: string, head: string): Promise<Comparison | undefined>;
  /** Page that compares two commits, without asking the server. */
  compareUrl(base: string, head: string): string;
  createDeployment(deployment: NewDeployment): Promise<Deployment>;
  /** The newest deployment of the environment (and commit, when given). */
  newestDeployment(environment: string, sha?: string): Promise<Deployment | undefined>;
  createDeploymentStatus(deploymentId: number, status: NewDeploymentStatus): Promise<void>;
  createComment(issue: number, body: string): Promise<Comment>;
  updateComment(id: number, body: string): Promise<Comment>;
  listComments(issue: number): Promise<readonly Comment[]>;
  /** A completed check run; more than 50 annotations are sent in batches. Gives its id. */
  createCheckRun(run: NewCheckRun): Promise<number>;
  /** Starts a workflow file by `workflow_dispatch`. */
  dispatchWorkflow(workflow: string, ref: string, inputs: Readonly<Record<string, string>>): Promise<void>;
}

export interface GitHub {
  readonly apiUrl: string;
  /** Base of pages for people: the API's address without its API part. */
  readonly serverUrl: string;
  repository(owner: string, name: string): GitHubRepository;
}
