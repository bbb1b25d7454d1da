/** Which instances start, stop or restart is about. PaaSTA: `apply_args_filters` of paasta_tools/cli/cmds/status.py. */
import { problem, UserError, warning, type Problem } from '../contract/errors.ts';
import { suggestName } from '../contract/near.ts';
import type { InstanceConfig, ServiceConfig } from '../soa-configs/types.ts';
import type { ControlTarget, ControlVerb } from './control.ts';

/** What was asked for; empty lists mean all. */
export interface ControlSelection {
  readonly clusters: readonly string[];
  readonly instances: readonly string[];
  readonly deployGroups: readonly string[];
}

export interface ControlTargets {
  readonly targets: readonly ControlTarget[];
  /** Warnings, and what could not be read although it may hold instances that were meant. */
  readonly problems: readonly Problem[];
}

/** Types with replicas that can be started and stopped. */
function isLongRunning({ type }: { readonly type: InstanceConfig['type'] }): boolean {
  return type === 'kubernetes' || type === 'eks';
}

/**
 * Instances of the service in the order of its files. Throws one `UserError` with every unknown name and its near names: UNKNOWN_CLUSTER,
 * UNKNOWN_INSTANCE, UNKNOWN_DEPLOY_GROUP, NOT_CONTROLLABLE; NOTHING_SELECTED when nothing matches; NO_CLUSTERS without any cluster.
 */
export function selectControlled(config: ServiceConfig, clusters: readonly string[], wanted: ControlSelection): ControlTargets {
  const { service } = config;
  if (clusters.length === 0)
    throw new UserError(
      problem('NO_CLUSTERS', 'the system configuration names no clusters, so no instance belongs to any', {
        input: 'system-config-dir',
        hint: 'correct system-config-dir, or write a JSON file there with "clusters": ["…"]',
      }),
    );
  const unread = config.problems.filter(({ severity }) => severity === 'error');
  const problems: Problem[] = wanted.clusters
    .filter((name) => !clusters.includes(name))
    .map((name) =>
      problem('UNKNOWN_CLUSTER', `cluster '${name}' is not in the system configuration`, {
        input: 'cluster',
        hint: suggestName(name, clusters),
      }),
    );
  const inClusters = config.instances.filter(({ cluster }) => wanted.clusters.length === 0 || wanted.clusters.includes(cluster));
  const known = inClusters.filter(isLongRunning);
  if (problems.length === 0)
    for (const name of wanted.instances)
      if (!known.some(({ instance }) => instance === name)) problems.push(unknownInstance(config, name, wanted.clusters));
  const groups = known.flatMap(({ deployGroup }) => deployGroup ?? []);
  for (const name of wanted.deployGroups)
    if (!groups.includes(name))
      problems.push(
        problem('UNKNOWN_DEPLOY_GROUP', `no instance of ${service}${inWords(wanted.clusters)} has the deploy group '${name}'`, {
          input: 'deploy-group',
          hint: suggestName(name, groups),
        }),
      );
  if (problems.length > 0) throw new UserError([...problems, ...unread]);

  const chosen = known.filter(
    ({ instance, deployGroup }) =>
      (wanted.instances.length === 0 || wanted.instances.includes(instance)) &&
      (wanted.deployGroups.length === 0 || wanted.deployGroups.includes(deployGroup ?? '')),
  );
  if (chosen.length === 0) {
    throw new UserError([
      problem('NOTHING_SELECTED', `no instance of ${service}${inWords(wanted.clusters)} matches`, {
        input: 'instance',
        hint:
          known.length === 0 && config.unusable.some(isLongRunning)
            ? `correct the files of ${service} first: its instances cannot be read whole`
            : known.length === 0
              ? `${service} has no long-running instance there`
              : `there are: ${known.map(({ branch }) => branch).join(', ')}`,
      }),
      ...unread,
    ]);
  }
  const empty = wanted.clusters.filter((cluster) => !chosen.some((one) => one.cluster === cluster));
  return {
    targets: chosen.map(({ cluster, instance, deployGroup, branch }) => ({ cluster, instance, deployGroup: deployGroup ?? branch })),
    problems: [
      ...empty.map((cluster) => warning('NOT_IN_CLUSTER', `cluster '${cluster}' has no such instance of ${service}`, { input: 'cluster' })),
      // Who asks for "all" has to hear that some may be missing.
      ...(wanted.instances.length === 0 ? unread : []),
    ],
  };
}

function inWords(clusters: readonly string[]): string {
  return clusters.length === 0 ? '' : ` in ${clusters.join(', ')}`;
}

function unknownInstance({ service, declared, instances }: ServiceConfig, name: string, clusters: readonly string[]): Problem {
  const here = declared.find((one) => one.instance === name && (clusters.length === 0 || clusters.includes(one.cluster)));
  if (here !== undefined && !isLongRunning(here))
    return problem(
      'NOT_CONTROLLABLE',
      `${here.cluster}.${name} is ${/^[ae]/.test(here.type) ? 'an' : 'a'} ${here.type} instance: it has no replicas that run all the time`,
      { ...here.position, input: 'instance', hint: 'only instances of kubernetes-*.yaml and eks-*.yaml are started and stopped' },
    );
  if (here !== undefined)
    return problem('UNKNOWN_INSTANCE', `${here.cluster}.${name} of ${service} is declared, but its configuration cannot be read`, {
      ...here.position,
      input: 'instance',
      hint: 'correct its file first',
    });
  const elsewhere = [
    ...new Set(instances.filter((one) => one.instance === name && isLongRunning(one)).map(({ cluster }) => cluster)),
  ].sort();
  return problem('UNKNOWN_INSTANCE', `instance '${name}' is not declared by ${service}${inWords(clusters)}`, {
    input: 'instance',
    hint:
      elsewhere.length > 0
        ? `it is declared for ${elsewhere.join(', ')}`
        : suggestName(
            name,
            declared
              .filter((one) => isLongRunning(one) && (clusters.length === 0 || clusters.includes(one.cluster)))
              .map(({ instance }) => instance),
          ),
  });
}

/**
 * Instances of other services of the repository that have the same control branch. A tag names cluster and instance, not the service: it is
 * read for all of them, in PaaSTA, too. `others`: the services of the same repository.
 */
export function sharedControls(verb: ControlVerb, targets: readonly ControlTarget[], others: readonly ServiceConfig[]): readonly Problem[] {
  const branches = new Set(targets.map(({ cluster, instance }) => `${cluster}.${instance}`));
  const shared = others.flatMap(({ service, instances }) =>
    instances.filter((one) => isLongRunning(one) && branches.has(one.branch)).map(({ branch }) => ({ service, branch })),
  );
  if (shared.length === 0) return [];
  const names = shared.map(({ service, branch }) => `${branch} of ${service}`);
  const shown = `${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}`;
  return [
    warning(
      'SHARED_CONTROL_BRANCH',
      `the ${verb} reaches ${shown}, too, while the same commit runs there: the tags of a repository say cluster and instance, not the service`,
      { hint: 'give the instances of services that share a repository names of their own' },
    ),
  ];
}
