/** Names that Kubernetes would refuse or mix up. PaaSTA's `validate` knows only the length of names. */
import { UserError, problem, warning, type Problem } from '../contract/errors.ts';
import { LABEL_LIMIT, sanitiseName } from '../contract/names.ts';
import { nearNames, suggestName } from '../contract/near.ts';
import { quoted, serviceNameProblem } from '../contract/validity.ts';
import type { Entry, TreeReader } from '../contract/ports.ts';
import type { InstanceConfig, ServiceConfig, SystemConfig } from './types.ts';

const LABEL = /^(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?)?$/;
/** Files whose name says a cluster. */
const CLUSTER_FILE = /^(kubernetes|eks|adhoc|tron)-(.+)\.yaml$/;
const KNOWN_FILES = ['service', 'deploy', 'monitoring', 'smartstack', 'dependencies', 'rollback'];
const KNOWN_TYPES = ['kubernetes', 'eks', 'adhoc', 'tron'];

/** A service whose name cannot be used; two instances of a cluster, or two services, that get the same name in Kubernetes: one would overwrite the other. */
export function checkCollisions(config: ServiceConfig, services: readonly string[]): readonly Problem[] {
  const faults: Problem[] = [];
  const bad = serviceNameProblem(config.service);
  if (bad !== undefined)
    faults.push(
      problem(bad.code, `${quoted(config.service)} is not a name of a service`, {
        file: `${config.service}/service.yaml`,
        line: 1,
        column: 1,
        ...(bad.hint === undefined ? {} : { hint: bad.hint }),
      }),
    );
  const same = services.filter((other) => other !== config.service && sanitiseName(other) === sanitiseName(config.service));
  if (same.length > 0)
    faults.push(
      problem(
        'NAME_COLLISION',
        `service '${config.service}' and ${same.map((other) => `'${other}'`).join(', ')} are both '${sanitiseName(config.service)}' in Kubernetes`,
        {
          file: `${config.service}/service.yaml`,
          line: 1,
          column: 1,
          hint: 'rename one: _ becomes -- and capitals become small letters there',
        },
      ),
    );
  const seen = new Map<string, string>();
  for (const { cluster, instance, type, position } of config.declared) {
    if (type !== 'kubernetes' && type !== 'eks') continue;
    const key = `${cluster}.${sanitiseName(instance)}`;
    const first = seen.get(key);
    if (first === undefined) seen.set(key, instance);
    else if (first !== instance)
      faults.push(
        problem(
          'NAME_COLLISION',
          `instances '${first}' and '${instance}' of ${cluster} are both '${sanitiseName(instance)}' in Kubernetes`,
          { ...position, hint: 'rename one: _ becomes -- there' },
        ),
      );
  }
  return faults;
}

/** Values that become labels of pods: Kubernetes refuses pods whose labels are longer than 63 characters or hold other characters. */
export function checkLabels(instance: InstanceConfig): readonly Problem[] {
  const labels: readonly (readonly [string, unknown])[] = [
    ['deploy_group', instance.deployGroup],
    ['pool', instance.config.pool],
    ['prometheus_shard', instance.config.prometheus_shard],
  ];
  return labels.flatMap(([key, value]) => {
    if (typeof value !== 'string' || (value.length <= LABEL_LIMIT && LABEL.test(value))) return [];
    const why =
      value.length > LABEL_LIMIT
        ? `has ${value.length} characters; a label of a pod has at most ${LABEL_LIMIT}`
        : 'cannot be a label of a pod';
    return [
      problem('LABEL_INVALID', `${instance.service}.${instance.instance} in ${instance.cluster}: ${key} ${quoted(value)} ${why}`, {
        ...instance.position([key]),
        hint: 'letters, digits, - _ and . with a letter or digit at both ends',
      }),
    ];
  });
}

/** Files that nothing reads because of their name. */
export function checkFileNames(tree: TreeReader, system: SystemConfig, service: string): readonly Problem[] {
  const faults: Problem[] = [];
  for (const { name, kind } of tree.list(service)) {
    if (name.startsWith('.') || name.startsWith('_')) continue;
    const file = `${service}/${name}`;
    if (kind !== 'file') {
      faults.push(...checkDirectory(tree, file, kind));
      continue;
    }
    const say = (code: string, message: string, hint: string): void =>
      void faults.push(warning(code, message, { file, line: 1, column: 1, hint }));
    const cluster = CLUSTER_FILE.exec(name)?.[2];
    if (cluster !== undefined) {
      if (system.clusters.length > 0 && !system.clusters.includes(cluster) && !cluster.includes('SHARED'))
        say(
          'UNKNOWN_CLUSTER',
          `nothing reads this file: the system configuration has no cluster '${cluster}'`,
          suggestName(cluster, system.clusters),
        );
      continue;
    }
    const stem = /^(.*)\.ya?ml$/.exec(name)?.[1];
    if (stem === undefined) continue;
    const [head = '', ...rest] = stem.split('-');
    const known = rest.length > 0 ? KNOWN_TYPES : KNOWN_FILES;
    if (known.includes(head)) {
      if (name.endsWith('.yml')) say('UNREAD_FILE', 'nothing reads this file: its name must end in .yaml', `rename it to ${stem}.yaml`);
      continue;
    }
    const [near] = head.length < 4 ? [] : nearNames(head, known);
    if (near !== undefined && !stem.startsWith('rollback'))
      say('UNREAD_FILE', `nothing reads a file of this name`, `did you mean ${[near, ...rest].join('-')}.yaml?`);
  }
  return faults;
}

/** A directory that cannot be looked into: a symbolic link that leads back up, or out of the tree. */
function checkDirectory(tree: TreeReader, file: string, kind: Entry['kind']): readonly Problem[] {
  if (kind === 'other')
    return [
      warning('NOT_A_FILE', 'this is neither a file nor a directory; a symbolic link may lead back to a directory above', {
        file,
        line: 1,
        column: 1,
        hint: 'remove it',
      }),
    ];
  try {
    tree.list(file);
    return [];
  } catch (error) {
    if (error instanceof UserError) return error.problems;
    throw error;
  }
}
