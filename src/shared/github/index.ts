/** The only door to GitHub: its REST API through Octokit, and the job's event. */
export { connectGitHub, serverUrlOf } from './client.ts';
export type { ConnectOptions } from './client.ts';
export { repositoryAddress, serverCompareUrl } from './addresses.ts';
export type { RepositoryAddress } from './addresses.ts';
export { readEventContext } from './event.ts';
export type { ContextSource, EventContext } from './event.ts';
export type {
  CheckAnnotation, Comment, CommitRelation, Comparison, Deployment, DeploymentState, GitHub, GitHubRepository, NewCheckRun, NewDeployment, NewDeploymentStatus, Ref,
} from './types.ts';
export { connectRefBatches } from './ref-batches.ts';
export type { RefBatches, RefsAnswer, RepositoryName } from './ref-batches.ts';
