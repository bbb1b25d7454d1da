/**
 * soa-configs: files to services and instances. Rules: paasta_tools/utils.py (`load_service_instance_configs`, `get_soa_cluster_deploy_files`),
 * paasta_service_config_loader.py and service_configuration_lib. Unlike PaaSTA, a broken file or instance is a problem with its line, and
 * everything else is still read.
 */
import { UserError, problem, type Problem } from '../contract/errors.ts';
import { deepMerge } from '../contract/merge.ts';
import type { TreeReader } from '../contract/ports.ts';
import { pythonText } from '../contract/python-text.ts';
import { isMap, type Value, type ValueMap } from '../contract/values.ts';
import { BadPlaceholder, interpolate } from './interpolate.ts';
import { readPipeline } from './pipeline.ts';
import { typeName } from './setting-reader.ts';
import { readText } from './system-config.ts';
import { tronActions } from './tron.ts';
import type { DeclaredInstance, InstanceConfig, InstanceType, MeshNamespace, Position, ServiceConfig, SoaConfigs, SystemConfig } from './types.ts';
import { emptyMap, entriesOf, isTruthy, keysOf } from './yaml-values.ts';
import { readYaml, type YamlDocument } from './yaml.ts';

/** Instance types in PaaSTA's lookup order; those that we do not read still make a cluster exist for the service. */
const ALL_TYPES = ['paasta_native', 'adhoc', 'kubernetes', 'eks', 'tron', 'flink', 'flinkeks', 'cassandracluster', 'cassandraclustereks', 'kafkacluster', 'monkrelays', 'nrtsearchservice', 'nrtsearchserviceeks'];
const READ_TYPES: readonly InstanceType[] = ['adhoc', 'kubernetes', 'eks', 'tron'];
const COMPANIONS = ['monitoring', 'deploy', 'data', 'smartstack', 'dependencies'] as const;

/** Opens a soa-configs tree. Services are read when they are asked for. A missing or empty tree has no services. */
export function loadSoaConfigs(tree: TreeReader, system: SystemConfig, options: { readonly commit?: string } = {}): SoaConfigs {
  const problems: Problem[] = [];
  const loaded = new Map<string, ServiceConfig>();
  let names: readonly string[] | undefined;
  const services = (): readonly string[] => (names ??= listNames(tree, '', problems, (entry) => entry.kind === 'directory' && !entry.name.startsWith('.') && entry.name !== '_shared').sort());
  const others = new Map<string, ValueMap>();
  // Only the mesh namespaces of another service are asked for: its own problems are told when it is loaded itself.
  const smartstackOf = (service: string): ValueMap => {
    let found = others.get(service);
    if (found === undefined) {
      const read = isName(service) ? readFile(tree, `${service}/smartstack.yaml`, [])?.read : undefined;
      others.set(service, (found = isMap(read) ? read : emptyMap()));
    }
    return found;
  };
  const metadata = readFile(tree, '.metadata.json', problems);
  const sha = isMap(metadata?.read) ? metadata.read.git_sha : undefined;
  const authenticating = readFile(tree, 'authenticating.yaml', problems);
  const listed = isMap(authenticating?.read) ? authenticating.read.services : undefined;
  return {
    services,
    has: (service) => isName(service) && services().includes(service),
    load(service) {
      let config = loaded.get(service);
      if (config === undefined) loaded.set(service, (config = loadService(tree, system, service, smartstackOf)));
      return config;
    },
    commit: typeof sha === 'string' ? sha : (options.commit ?? ''),
    authenticating: Array.isArray(listed) ? (listed as readonly Value[]).filter((v): v is string => typeof v === 'string') : [],
    secrets: (service) => (isName(service) ? listNames(tree, `${service}/secrets`, problems, (entry) => entry.kind === 'file' && entry.name.endsWith('.json')).map((name) => name.slice(0, -'.json'.length)) : []),
    problems,
  };
}

/** A service name that can be a directory of the tree: nothing that leaves it. */
function isName(service: string): boolean {
  return service !== '' && service !== '.' && service !== '..' && !/[/\\\0]/.test(service);
}

function listNames(tree: TreeReader, path: string, problems: Problem[], keep: (entry: ReturnType<TreeReader['list']>[number]) => boolean): string[] {
  try {
    return tree.list(path).filter(keep).map((entry) => entry.name);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    problems.push(...error.problems);
    return [];
  }
}

/** Reads a YAML file; `undefined` when it is absent or broken (then a problem was added). */
function readFile(tree: TreeReader, path: string, problems: Problem[]): YamlDocument | undefined {
  const text = readText(tree, path, problems);
  if (text === undefined) return undefined;
  const { document, problem: broken } = readYaml(text, path);
  if (document === undefined) {
    problems.push(broken);
    return undefined;
  }
  if (document.recursive !== undefined) {
    problems.push(problem('YAML_RECURSIVE', 'an alias stands inside the value that it names', { ...document.recursive, hint: 'remove the alias: a value cannot contain itself' }));
    return undefined;
  }
  return document;
}

/** Reads a file that must be a mapping. */
function readMapping(tree: TreeReader, path: string, problems: Problem[]): { readonly document: YamlDocument; readonly map: ValueMap } | undefined {
  const document = readFile(tree, path, problems);
  if (document === undefined) return undefined;
  if (isMap(document.read)) return { document, map: document.read };
  problems.push(problem('NOT_A_MAPPING', `the file must hold a mapping, not ${typeName(document.read)}`, { ...document.position(), hint: "write 'key: value' lines; a space must follow the colon" }));
  return undefined;
}

function loadService(tree: TreeReader, system: SystemConfig, service: string, smartstackOf: (service: string) => ValueMap): ServiceConfig {
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
  const pipeline = readPipeline(general.deploy ?? null, (at) => (deployInService ? serviceYaml.document.position(['deploy', ...at]) : (deployDocument?.position(at) ?? { file: path('deploy.yaml') })));
  problems.push(...pipeline.problems);

  const clusterFiles = instanceFiles(files, system.clusters);
  const instances: InstanceConfig[] = [];
  const declared: DeclaredInstance[] = [];
  let incomplete = companionsBroken;
  for (const { type, cluster, file } of clusterFiles) {
    if (!(READ_TYPES as readonly string[]).includes(type)) continue;
    const before = problems.length;
    const found = readMapping(tree, path(file), problems);
    if (found === undefined) {
      incomplete ||= problems.length > before;
      continue;
    }
    const context: FileContext = { service, cluster, type: type as InstanceType, ...found, general, monitoringFile: companions.monitoring ?? null, problems, declared };
    const tuned = autotuned(tree, system, files.length > 0, context);
    const made = type === 'tron' ? tronInstances(context) : plainInstances(context, tuned);
    if (!companionsBroken) instances.push(...made);
  }
  const gitUrl = general.git_url;
  const registry = general.docker_registry;
  if (gitUrl !== undefined && gitUrl !== null && typeof gitUrl !== 'string') problems.push(problem('WRONG_TYPE', 'git_url must be text', { ...(serviceYaml?.document.position(['git_url']) ?? {}) }));
  if (registry !== undefined && registry !== null && typeof registry !== 'string') problems.push(problem('WRONG_TYPE', 'docker_registry must be text', { ...(serviceYaml?.document.position(['docker_registry']) ?? {}) }));
  // The mesh is read from its file alone: a smartstack key of service.yaml means nothing.
  const smartstack = isMap(companions.smartstack) ? companions.smartstack : emptyMap();
  return {
    service,
    serviceYaml: serviceYaml?.map ?? emptyMap(),
    gitUrl: gitUrl === null || typeof gitUrl === 'string' ? gitUrl : undefined,
    dockerRegistry: typeof registry === 'string' ? registry : undefined,
    pipelineDeployGroups: deployDocument === undefined && !deployInService ? undefined : pipeline.deployGroups,
    instances,
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

function legacyPort(tree: TreeReader, service: string, files: readonly string[], smartstack: Value | undefined, problems: Problem[]): Value {
  if (isMap(smartstack) && smartstack.port !== undefined) return smartstack.port;
  const text = files.includes('port') ? readText(tree, `${service}/port`, problems) : undefined;
  return text !== undefined && /^\s*[-+]?\d+\s*$/.test(text) ? Number(text) : null;
}

/** Files of instances, by cluster name, then by type in lookup order. Clusters that the system configuration does not list do not exist. */
function instanceFiles(files: readonly string[], clusters: readonly string[]): readonly { readonly type: string; readonly cluster: string; readonly file: string }[] {
  const found: { type: string; cluster: string; file: string }[] = [];
  for (const cluster of [...new Set(clusters)].sort()) {
    for (const type of ALL_TYPES) {
      const file = `${type}-${cluster}.yaml`;
      if (files.includes(file)) found.push({ type, cluster, file });
    }
  }
  return found;
}

interface FileContext {
  readonly service: string;
  readonly cluster: string;
  readonly type: InstanceType;
  readonly document: YamlDocument;
  readonly map: ValueMap;
  readonly general: ValueMap;
  readonly monitoringFile: Value;
  readonly problems: Problem[];
  readonly declared: DeclaredInstance[];
}

/** Machine-written defaults of the file's instances, when the system configuration turns them on for the type. */
function autotuned(tree: TreeReader, system: SystemConfig, exists: boolean, context: FileContext): ValueMap {
  const aliases = system.values.auto_config_instance_type_aliases;
  const alias = isMap(aliases) ? aliases[context.type] : undefined;
  const type = typeof alias === 'string' ? alias : context.type;
  const enabled = system.values.auto_config_instance_types_enabled;
  if (!exists || !isMap(enabled) || !isTruthy(enabled[type])) return emptyMap();
  return readMapping(tree, `${context.service}/autotuned_defaults/${type}-${context.cluster}.yaml`, context.problems)?.map ?? emptyMap();
}

function plainInstances(context: FileContext, tuned: ValueMap): readonly InstanceConfig[] {
  const made: InstanceConfig[] = [];
  for (const [name, key, value] of entriesOf(context.map)) {
    const position = context.document.position([name]);
    if (typeof key !== 'string') {
      context.problems.push(problem('INSTANCE_NAME', `the name '${name}' is read as ${key === null ? 'null' : typeof key === 'boolean' ? 'a boolean' : 'a number'}, not as text`, { ...position, hint: `put it in quotes: "${name}":` }));
      continue;
    }
    if (name.startsWith('_')) continue;
    context.declared.push({ type: context.type, cluster: context.cluster, instance: name, position });
    if (!isMap(value)) {
      context.problems.push(problem('INSTANCE_NOT_A_MAPPING', `instance '${name}' ${value === null ? 'has no configuration' : `must be a mapping, not ${typeName(value)}`}`, { ...position, hint: 'give it at least one key, for example cpus, or remove it' }));
      continue;
    }
    const defaults = tuned[name];
    const user = isMap(defaults) ? deepMerge(value, defaults) : value;
    const instance = instanceOf(context, name, deepMerge(user, context.general), [name], true);
    if (instance !== undefined) made.push(instance);
  }
  return made;
}

function tronInstances(context: FileContext): readonly InstanceConfig[] {
  const made: InstanceConfig[] = [];
  for (const action of tronActions(context.map, context.service, context.general, context.monitoringFile, context.document)) {
    context.declared.push({ type: 'tron', cluster: context.cluster, instance: action.instance, position: action.position });
    if (action.problem !== undefined) context.problems.push(action.problem);
    else {
      const instance = instanceOf(context, action.instance, action.config, action.path, false);
      if (instance !== undefined) made.push(instance);
    }
  }
  return made;
}

/** Interpolates the deploy group and attaches positions; `undefined` when the instance cannot be used (a problem was added). */
function instanceOf(context: FileContext, name: string, merged: ValueMap, path: readonly string[], defaultsToBranch: boolean): InstanceConfig | undefined {
  const { service, cluster, type, document, problems } = context;
  const position = (inner: readonly (string | number)[] = []): Position => {
    for (let length = inner.length; length > 0; length--) {
      const full = [...path, ...inner.slice(0, length)];
      if (document.has(full)) return document.position(full);
    }
    return document.position(path);
  };
  const branch = `${cluster}.${name}`;
  const given = merged.deploy_group;
  let deployGroup: string | undefined = defaultsToBranch ? branch : undefined;
  let config = merged;
  if (given === null && !defaultsToBranch) deployGroup = undefined;
  else if (given !== undefined) {
    if (typeof given !== 'string' || given === '') {
      const shown = given === null ? 'null' : given === '' ? 'empty' : Array.isArray(given) || isMap(given) ? typeName(given) : `${pythonText(given)}, which YAML does not read as text`;
      problems.push(problem(given === '' ? 'DEPLOY_GROUP_EMPTY' : 'DEPLOY_GROUP_INVALID', `deploy_group of '${name}' is ${shown}`, { ...position(['deploy_group']), hint: given === null || given === '' ? `name a group, or remove the line for the default '${branch}'` : 'put it in quotes' }));
      return undefined;
    }
    try {
      deployGroup = interpolate(given, { cluster, instance: name, service });
    } catch (error) {
      if (!(error instanceof BadPlaceholder)) throw error;
      problems.push(problem('DEPLOY_GROUP_INVALID', error.message, { ...position(['deploy_group']), hint: error.hint }));
      return undefined;
    }
    const own = emptyMap();
    own.deploy_group = deployGroup;
    config = deepMerge(own, merged);
  }
  return { service, cluster, instance: name, type, config, branch, deployGroup, position };
}

/** Entry of smartstack.yaml for a registration `service.namespace`: the namespace counts, whatever the service (as PaaSTA does: R7). */
function meshNamespace(smartstack: ValueMap, registration: string): MeshNamespace {
  const namespace = registration.split('.')[1];
  const entry = namespace === undefined ? undefined : smartstack[namespace];
  if (!isMap(entry)) return { registration, values: undefined, inMesh: false };
  return { registration, values: entry, inMesh: Object.hasOwn(entry, 'proxy_port') };
}

/** Git URL of a service's repository: `git_url` of service.yaml, else PaaSTA's default location. `null`: it has none. */
export function gitUrlOf(service: ServiceConfig): string | null {
  return service.gitUrl === undefined ? `git@github.yelpcorp.com:services/${service.service}` : service.gitUrl;
}
