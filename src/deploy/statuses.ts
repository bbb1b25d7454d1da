/** Statuses of the GitHub Deployments that mark made: one for each service and deploy group of the run. */
import { describeProblem, messageOf, UserError } from '../shared/contract/errors.ts';
import type { Log } from '../shared/contract/ports.ts';
import type { GitHubRepository } from '../shared/github/index.ts';
import type { Plan } from '../shared/plan/index.ts';
import type { InstanceResult } from '../shared/report/deploy-results.ts';
import { finalStatus, startedStatus, type DeploymentStatus } from '../shared/report/deploy-status.ts';

interface Open {
  readonly service: string;
  readonly deployGroup: string;
  readonly repository: GitHubRepository;
  readonly id: number;
}

export interface StatusOptions {
  readonly cluster: string;
  /** Given by mark; only meaningful when the run is about one service and group. */
  readonly deploymentId: number | undefined;
  /** Page of this run; `undefined` outside a job. */
  readonly logUrl: string | undefined;
  readonly log: Log;
  /** `insist`: the deployment is known by its id, so the repository is wanted even if the versions came from a file. */
  repository(service: string, insist: boolean): Promise<GitHubRepository | undefined>;
}

/** Not being able to say so on GitHub never fails a deploy. */
export class DeploymentStatuses {
  readonly #options: StatusOptions;
  #open: readonly Open[] = [];
  #complained = false;

  constructor(options: StatusOptions) {
    this.#options = options;
  }

  /** Finds the deployments of what is planned and sets them in progress. */
  async start(plan: Plan): Promise<void> {
    const { cluster, deploymentId } = this.#options;
    const groups = new Map<string, { service: string; deployGroup: string; sha: string }>();
    for (const { rendered } of plan.instances)
      groups.set(`${rendered.service} ${rendered.deployGroup}`, {
        service: rendered.service,
        deployGroup: rendered.deployGroup,
        sha: rendered.version.sha,
      });
    const found = await Promise.all(
      [...groups.values()].map(async ({ service, deployGroup, sha }): Promise<Open | undefined> => {
        const repository = await this.#options.repository(service, deploymentId !== undefined && groups.size === 1);
        if (repository === undefined) return undefined;
        if (deploymentId !== undefined && groups.size === 1) return { service, deployGroup, repository, id: deploymentId };
        const deployment = await this.#quietly(() => repository.newestDeployment(deployGroup, sha));
        return deployment === undefined ? undefined : { service, deployGroup, repository, id: deployment.id };
      }),
    );
    this.#open = found.filter((o) => o !== undefined);
    await Promise.all(this.#open.map((o) => this.#set(o, startedStatus(cluster))));
  }

  async finish(results: readonly InstanceResult[]): Promise<void> {
    await Promise.all(
      this.#open.map((o) =>
        this.#set(
          o,
          finalStatus(
            this.#options.cluster,
            results.filter((r) => r.service === o.service && r.deployGroup === o.deployGroup),
          ),
        ),
      ),
    );
  }

  /** The run failed before it had results of instances, or broke off. */
  async fail(service: string | undefined, description: string): Promise<void> {
    const { deploymentId } = this.#options;
    if (this.#open.length === 0 && deploymentId !== undefined && service !== undefined) {
      const repository = await this.#options.repository(service, true);
      if (repository !== undefined) this.#open = [{ service, deployGroup: '', repository, id: deploymentId }];
    }
    await Promise.all(this.#open.map((o) => this.#set(o, { state: 'failure', description })));
  }

  async #set(open: Open, status: DeploymentStatus): Promise<void> {
    const { logUrl } = this.#options;
    await this.#quietly(() => open.repository.createDeploymentStatus(open.id, { ...status, ...(logUrl === undefined ? {} : { logUrl }) }));
  }

  async #quietly<T>(body: () => Promise<T>): Promise<T | undefined> {
    try {
      return await body();
    } catch (error) {
      const first = error instanceof UserError ? error.problems[0] : undefined;
      this.#options.log.debug(`deploy: ${first === undefined ? messageOf(error) : describeProblem(first)}`);
      if (!this.#complained && first !== undefined)
        this.#options.log.problem({
          ...first,
          severity: 'warning',
          message: `the GitHub Deployment could not be updated: ${first.message}`,
        });
      this.#complained = true;
      return undefined;
    }
  }
}
