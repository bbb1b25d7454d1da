/** One service: service.yaml over its companions, the pipeline, the instances of its clusters. Rule: paasta_service_config_loader.py. */
import { problem, type Problem } from '../contract/errors.ts';
import type { TreeReader } from '../contract/ports.ts';
import { isMap, type Value, type ValueMap } from '../contract/values.ts';
import { readPipeline } from './pipeline.ts';
import { plainInstances, tronInstances, type InstanceFile } from './service-instances.ts';
import { isName, listNames, readFile, readMapping } from './soa-files.ts';
import { readText } from './system-config.ts';
import { tronJobs } from './tron-jobs.ts';
import type { DeclaredInstance, InstanceConfig, InstanceType, MeshNamespace, ServiceConfig, SystemConfig, TronJob } from './types.ts';
import { emptyMap, isTruthy, keysOf } from './yaml-values.ts';
import type { YamlDocument } from './yaml.ts';

/** Instance types in PaaSTA's lookup order; those that we do not read still make a cluster exist for the service. */
const ALL_TYPES = [
  'paasta_native',
  'adhoc',
  'kubernetes',
  'eks',
  'tron',
  'flink',
  'flinkeks',
  'cassandracluster',
  'cassandraclustereks',
  'kafkacluster',
  'monkrelays',
  'nrtsearchservice',
  'nrtsearchserviceeks',
];
const READ_TYPES: readonly InstanceType[] = ['adhoc', 'kubernetes', 'eks', 'tron'];
const COMPANIONS = ['monitoring', 'deploy', 'data', 'smartstack', 'dependencies'] as const;

/** Reads one service. `smartstackOf`: the mesh namespaces of another one. */
export function loadService(
  tree: TreeReader,
  system: SystemConfig,
  service: string,
  smartstackOf: (service: string) => ValueMap,
): ServiceConfig {
  const problems: Problem[] = [];
  const files = isName(service) ? listNames(tree, service, problems, (entry) => entry.kind === 'file') : [];
  const path = (file: string): string => `${service}/${file}`;
  const documents = new Map<string, YamlDocument>();

  const companions = emptyMap();
  companions.port = null;
  for (const name of COMPANIONS) {
    const found = files.includes(`${name}.yaml`) ? readFile(tree, path(`${name}.yaml`), problems) : undefined;
    if (found !== undefined) documents.set(name, found);
    companions[name] = found?.read ?? emptyMap();
  }
  companions.port = legacyPort(tree, service, files, companions.smartstack, problems);
  const serviceYaml = files.includes('service.yaml') ? readMapping(tree, path('service.yaml'), problems) : undefined;
  const general = overlay(companions, serviceYaml?.map ?? emptyMap());
  const companionsBroken = problems.length > 0;

  const deployDocument = documents.get('deploy');
  const deployInService = serviceYaml?.map.deploy !== undefined;
  const pipeline = readPipeline(general.deploy ?? null, (at) =>
    deployInService ? serviceYaml.document.position(['deploy', ...at]) : (deployDocument?.position(at) ?? { file: path('deploy.yaml') }),
  );
  problems.push(...pipeline.problems);

  const clusterFiles = instanceFiles(files, system.clusters);
  const instances: InstanceConfig[] = [];
  const unusable: InstanceConfig[] = [];
  const declared: DeclaredInstance[] = [];
  const jobs: TronJob[] = [];
  let incomplete = companionsBroken;
  for (const { type, cluster, file } of clusterFiles) {
    if (!(READ_TYPES as readonly string[]).includes(type)) continue;
    const before = problems.length;
    const found = readMapping(tree, path(file), problems, type !== 'tron');
    if (found === undefined) {
      incomplete ||= problems.length > before;
      continue;
    }
    const context: InstanceFile = {
      service,
      cluster,
      type: type as InstanceType,
      ...found,
      general,
      monitoringFile: companions.monitoring ?? null,
      problems,
      declared,
      unusable,
    };
    const tuned = autotuned(tree, system, files.length > 0, context);
    const made = type === 'tron' ? tronInstances(context) : plainInstances(context, tuned);
    if (companionsBroken) {
      unusable.push(...made);
      continue;
    }
    instances.push(...made);
    if (type === 'tron') jobs.push(...tronJobs(found.map, { service, cluster }, made, found.document));
  }
  const gitUrl = general.git_url;
  const registry = general.docker_registry;
  if (gitUrl !== undefined && gitUrl !== null && typeof gitUrl !== 'string')
    problems.push(problem('WRONG_TYPE', 'git_url must be text', { ...(serviceYaml?.document.position(['git_url']) ?? {}) }));
  if (registry !== undefined && registry !== null && typeof registry !== 'string')
    problems.push(
      problem('WRONG_TYPE', 'docker_registry must be text', { ...(serviceYaml?.document.position(['docker_registry']) ?? {}) }),
    );
  // The mesh is read from its file alone: a smartstack key of service.yaml means nothing.
  const smartstack = isMap(companions.smartstack) ? companions.smartstack : emptyMap();
  return {
    service,
    serviceYaml: serviceYaml?.map ?? emptyMap(),
    gitUrl: gitUrl === null || typeof gitUrl === 'string' ? gitUrl : undefined,
    dockerRegistry: typeof registry === 'string' ? registry : undefined,
    pipelineDeployGroups: deployDocument === undefined && !deployInService ? undefined : pipeline.deployGroups,
    instances,
    unusable,
    tronJobs: jobs,
    problems,
    mesh: (registration) => meshNamespace(smartstack, registration),
    registered: (registration) => {
      const owner = registration.split('.')[0] ?? '';
      return meshNamespace(owner === service ? smartstack : smartstackOf(owner), registration);
    },
    clusters: [...new Set(clusterFiles.map((f) => f.cluster))].sort(),
    declared,
    general,
    monitoringFile: companions.monitoring ?? null,
    pipeline,
    incomplete,
  };
}

/** service.yaml's keys over those of its companions: no merging inside a key. */
function overlay(under: ValueMap, over: ValueMap): ValueMap {
  const result = emptyMap();
  for (const name of keysOf(under)) result[name] = under[name] as Value;
  for (const name of keysOf(over)) result[name] = over[name] as Value;
  return result;
}

function legacyPort(
  tree: TreeReader,
  service: string,
  files: readonly string[],
  smartstack: Value | undefined,
  problems: Problem[],
): Value {
  if (isMap(smartstack) && smartstack.port !== undefined) return smartstack.port;
  const text = files.includes('port') ? readText(tree, `${service}/port`, problems) : undefined;
  return text !== undefined && /^\s*[-+]?\d+\s*$/.test(text) ? Number(text) : null;
}

/** Files of instances, by cluster name, then by type in lookup order. Clusters that the system configuration does not list do not exist. */
function instanceFiles(
  files: readonly string[],
  clusters: readonly string[],
): readonly { readonly type: string; readonly cluster: string; readonly file: string }[] {
  const found: { type: string; cluster: string; file: string }[] = [];
  for (const cluster of [...new Set(clusters)].sort()) {
    for (const type of ALL_TYPES) {
      const file = `${type}-${cluster}.yaml`;
      if (files.includes(file)) found.push({ type, cluster, file });
    }
  }
  return found;
}

/** Machine-written defaults of the file's instances, when the system configuration turns them on for the type. */
function autotuned(tree: TreeReader, system: SystemConfig, exists: boolean, context: InstanceFile): ValueMap {
  const aliases = system.values.auto_config_instance_type_aliases;
  const alias = isMap(aliases) ? aliases[context.type] : undefined;
  const type = typeof alias === 'string' ? alias : context.type;
  const enabled = system.values.auto_config_instance_types_enabled;
  if (!exists || !isMap(enabled) || !isTruthy(enabled[type])) return emptyMap();
  return readMapping(tree, `${context.service}/autotuned_defaults/${type}-${context.cluster}.yaml`, context.problems)?.map ?? emptyMap();
}

/** Entry of smartstack.yaml for a registration `service.namespace`: the namespace counts, whatever the service (as PaaSTA does: R7). */
function meshNamespace(smartstack: ValueMap, registration: string): MeshNamespace {
  const namespace = registration.split('.')[1];
  const entry = namespace === undefined ? undefined : smartstack[namespace];
  if (!isMap(entry)) return { registration, values: undefined, inMesh: false };
  return { registration, values: entry, inMesh: Object.hasOwn(entry, 'proxy_port') };
}
