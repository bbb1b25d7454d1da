/** The only door to GitHub: its REST API through Octokit, and the job's event. */
export { connectGitHub } from './connect.ts';
export { serverUrlOf } from './options.ts';
export type { ConnectOptions } from './options.ts';
export { repositoryAddress, serverCompareUrl } from './addresses.ts';
export type { RepositoryAddress } from './addresses.ts';
export { readEventContext } from './event.ts';
export type { ContextSource, EventContext } from './event.ts';
export type {
  CheckAnnotation,
  Comment,
  CommitRelation,
  Comparison,
  Deployment,
  DeploymentState,
  GitHub,
  GitHubRepository,
  NewCheckRun,
  NewDeployment,
  NewDeploymentStatus,
  Ref,
} from './types.ts';
// `connectRefBatches` is imported from ref-batches.ts itself: Octokit comes with it, and light actions load Octokit late
export type { RefBatches, RefsAnswer, RepositoryName } from './ref-batches.ts';
