/** Which instances a run is about; unknown names are problems with near names, never an empty run. */
import { problem, UserError, type Problem } from '../contract/errors.ts';
import { suggestName } from '../contract/near.ts';
import { makesCronJobs } from './jobs.ts';
import type { InstanceConfig, ServiceConfig, SoaConfigs, SystemConfig, TronJob } from '../soa-configs/types.ts';

export interface Selection {
  readonly cluster: string;
  /** All services when absent. */
  readonly service: string | undefined;
  /** All instances when empty. */
  readonly instances: readonly string[];
  readonly deployGroup: string | undefined;
}

export interface Selected {
  readonly services: readonly ServiceConfig[];
  /** Long-running instances of the cluster. */
  readonly instances: readonly InstanceConfig[];
  /** Jobs of the cluster's tron files; with names of instances only those that are named (`job`). */
  readonly jobs: readonly TronJob[];
  /** Of files; an instance that could not be read is in here and not in `instances`. */
  readonly problems: readonly Problem[];
}

/** Types that deploy reconciles. */
function isLongRunning(instance: InstanceConfig): boolean {
  return instance.type === 'kubernetes' || instance.type === 'eks';
}

/** Instances of a cluster that have Services and workloads of their own. */
export function longRunning(services: readonly ServiceConfig[], cluster: string): readonly InstanceConfig[] {
  return services.flatMap((service) => service.instances).filter((instance) => instance.cluster === cluster && isLongRunning(instance));
}

/** A file of another cluster: it holds back nothing here. */
function isElsewhere(found: Problem, cluster: string, clusters: readonly string[]): boolean {
  const own = (name: string): boolean => found.file?.endsWith(`-${name}.yaml`) === true;
  return !own(cluster) && clusters.some((name) => name !== cluster && own(name));
}

/** Throws one `UserError` for unknown service, cluster, instance or deploy group. */
export function select(soa: SoaConfigs, system: SystemConfig, wanted: Selection): Selected {
  const { cluster } = wanted;
  if (system.clusters.length > 0 && !system.clusters.includes(cluster)) {
    throw new UserError(
      problem('UNKNOWN_CLUSTER', `cluster '${cluster}' is not in the system configuration`, {
        input: 'cluster',
        hint: suggestName(cluster, system.clusters),
      }),
    );
  }
  const names = soa.services();
  if (wanted.service !== undefined && !soa.has(wanted.service)) {
    throw new UserError(
      problem('UNKNOWN_SERVICE', `service '${wanted.service}' is not in soa-configs`, {
        input: 'service',
        hint: suggestName(wanted.service, names),
      }),
    );
  }
  const services = (wanted.service === undefined ? names : [wanted.service]).map((name) => soa.load(name));
  const known = longRunning(services, cluster);
  const jobs = services.flatMap((s) => s.tronJobs.filter((j) => j.cluster === cluster));
  const named = makesCronJobs(system) ? jobs.map((j) => j.job) : [];
  const problems: Problem[] = [];
  const wrongNames = wanted.instances.filter((name) => !known.some((i) => i.instance === name) && !named.includes(name));
  // A file that cannot be read may be the reason for the missing name: say that first.
  const unread = services.flatMap((s) => s.problems.filter((p) => p.severity === 'error'));
  for (const name of wrongNames) {
    const elsewhere = services.flatMap((s) => s.instances.filter((i) => i.instance === name && isLongRunning(i)).map((i) => i.cluster));
    problems.push(
      problem(
        'UNKNOWN_INSTANCE',
        `instance '${name}' is not declared${wanted.service === undefined ? '' : ` by ${wanted.service}`} in cluster '${cluster}'`,
        {
          input: 'instance',
          hint:
            elsewhere.length > 0
              ? `it is declared for ${[...new Set(elsewhere)].sort().join(', ')}`
              : suggestName(
                  name,
                  known.map((i) => i.instance),
                ),
        },
      ),
    );
  }
  if (
    wanted.deployGroup !== undefined &&
    !services.some(
      (s) =>
        s.instances.some((i) => i.deployGroup === wanted.deployGroup) ||
        s.pipelineDeployGroups?.includes(wanted.deployGroup ?? '') === true,
    )
  ) {
    problems.push(
      problem(
        'UNKNOWN_DEPLOY_GROUP',
        `deploy group '${wanted.deployGroup}' is not declared${wanted.service === undefined ? '' : ` by ${wanted.service}`}`,
        {
          input: 'deploy-group',
          hint: suggestName(
            wanted.deployGroup,
            services.flatMap((s) => [...s.instances.flatMap((i) => i.deployGroup ?? []), ...(s.pipelineDeployGroups ?? [])]),
          ),
        },
      ),
    );
  }
  if (problems.length > 0) throw new UserError([...problems, ...unread]);
  const instances = known.filter(
    (i) =>
      (wanted.instances.length === 0 || wanted.instances.includes(i.instance)) &&
      (wanted.deployGroup === undefined || i.deployGroup === wanted.deployGroup),
  );
  const chosen = jobs.filter(
    (j) =>
      (wanted.instances.length === 0 || wanted.instances.includes(j.job)) &&
      (wanted.deployGroup === undefined || j.actions.some((a) => a.deployGroup === wanted.deployGroup)),
  );
  return {
    services,
    instances,
    jobs: chosen,
    problems: services.flatMap((s) => s.problems.filter((p) => !isElsewhere(p, cluster, system.clusters))),
  };
}
