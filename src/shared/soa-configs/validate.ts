/**
 * `paasta validate`: everything that can be told about a service's files without a cluster. Rules: paasta_tools/cli/cmds/validate.py. Unlike
 * PaaSTA, no check ends the others: all problems of all files come back from one run, each on its line.
 */
import { UserError, problem, warning, type Problem } from '../contract/errors.ts';
import { sanitiseName } from '../contract/names.ts';
import type { TreeReader } from '../contract/ports.ts';
import { quoted } from '../contract/validity.ts';
import { isMap, type Value } from '../contract/values.ts';
import { readJson } from './json.ts';
import { checkSchema, placed, SCHEMA_KINDS, type PlacedProblem, type SchemaKind } from './schema-check.ts';
import { readText } from './system-config.ts';
import type { InstanceConfig, ServiceConfig, SoaConfigs, SystemConfig } from './types.ts';
import { checkAutoscaling, checkCpuBurst, checkMinMax, checkObject, checkOwnRules, checkPoolLimits, checkSecrets, isLongRunning, type SecretState } from './validate-instances.ts';
import { checkMesh, type MeshWorld } from './validate-mesh.ts';
import { checkTronJobs } from './validate-tron.ts';
import { isTruthy, keysOf } from './yaml-values.ts';
import { readYaml, type YamlDocument } from './yaml.ts';

/** Longest service or instance name once it is sanitised. */
const NAME_LIMIT = 63;
const MAX_DEPTH = 10;

export type CheckName = 'schemas' | 'tron' | 'objects' | 'unique-names' | 'autoscaling' | 'secrets' | 'min-max' | 'pool-limits' | 'cpu-burst' | 'smartstack' | 'monitoring-file';

/** What the machine knows beyond the tree; what is absent is not checked. */
export interface ValidationWorld extends MeshWorld {
  /** Known monitoring teams. */
  readonly teams?: readonly string[] | undefined;
}

export interface FileVerdict {
  /** Relative to the service's directory. */
  readonly file: string;
  readonly schema: SchemaKind;
  readonly ok: boolean;
  readonly problems: readonly PlacedProblem[];
}

export interface ServiceVerdict {
  readonly service: string;
  readonly ok: boolean;
  /** The directory exists, holds YAML files, and its name is short enough; nothing else is checked otherwise. */
  readonly precondition: boolean;
  readonly checks: Readonly<Record<CheckName, boolean>>;
  readonly files: readonly FileVerdict[];
  /** All problems, warnings included, in order of file and line. */
  readonly problems: readonly Problem[];
}

/** Validates one service. */
export function validateService(tree: TreeReader, system: SystemConfig, soa: SoaConfigs, service: string, world: ValidationWorld = {}): ServiceVerdict {
  const fail = (code: string, message: string, hint?: string): ServiceVerdict => {
    const none = {} as Record<CheckName, boolean>;
    return { service, ok: false, precondition: false, checks: none, files: [], problems: [problem(code, message, { file: service, ...(hint === undefined ? {} : { hint }) })] };
  };
  const files = soa.has(service) ? walk(tree, service, '', 0) : [];
  if (!soa.has(service)) return fail('UNKNOWN_SERVICE', `there is no directory '${service}'`);
  if (!files.some((file) => !file.includes('/') && file.endsWith('.yaml'))) return fail('NO_YAML', `the directory '${service}' holds no YAML files`);
  if (sanitiseName(service).length > NAME_LIMIT) return fail('SERVICE_NAME_TOO_LONG', `the name '${service}' has more than ${NAME_LIMIT} characters (each _ counts as two)`);
  return new Validation(tree, system, soa, service, world, files).run();
}

function walk(tree: TreeReader, service: string, inside: string, depth: number): readonly string[] {
  if (depth > MAX_DEPTH) return [];
  let entries;
  try {
    entries = tree.list(inside === '' ? service : `${service}/${inside}`);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return [];
  }
  return entries.flatMap((entry) => {
    const path = inside === '' ? entry.name : `${inside}/${entry.name}`;
    // PaaSTA's glob leaves hidden names out.
    if (entry.name.startsWith('.')) return [];
    return entry.kind === 'directory' ? walk(tree, service, path, depth + 1) : [path];
  });
}

class Validation {
  private readonly tree: TreeReader;
  private readonly system: SystemConfig;
  private readonly soa: SoaConfigs;
  private readonly service: string;
  private readonly world: ValidationWorld;
  private readonly files: readonly string[];
  private readonly config: ServiceConfig;
  private readonly documents = new Map<string, YamlDocument | undefined>();
  private readonly failed = new Set<CheckName>();
  private readonly problems: Problem[] = [];

  constructor(tree: TreeReader, system: SystemConfig, soa: SoaConfigs, service: string, world: ValidationWorld, files: readonly string[]) {
    this.tree = tree;
    this.system = system;
    this.soa = soa;
    this.service = service;
    this.world = world;
    this.files = files;
    this.config = soa.load(service);
    this.problems.push(...this.config.problems);
    // PaaSTA looks the empty group up in deploy.yaml, and does not find it.
    for (const { file } of this.config.problems.filter(({ code }) => code === 'DEPLOY_GROUP_EMPTY')) {
      this.failed.add('objects');
      if (file?.includes('/tron-') === true) this.failed.add('tron');
    }
  }

  run(): ServiceVerdict {
    const verdicts = this.schemas();
    this.tron();
    this.uniqueNames();
    this.instances();
    this.smartstack();
    this.monitoringFile();
    const names: readonly CheckName[] = ['schemas', 'tron', 'objects', 'unique-names', 'autoscaling', 'secrets', 'min-max', 'pool-limits', 'cpu-burst', 'smartstack', 'monitoring-file'];
    const problems = sorted(this.problems);
    return {
      service: this.service,
      ok: this.failed.size === 0 && !problems.some((p) => p.severity === 'error'),
      precondition: true,
      checks: Object.fromEntries(names.map((name) => [name, !this.failed.has(name)])) as Record<CheckName, boolean>,
      files: verdicts,
      problems,
    };
  }

  private tell(check: CheckName, faults: readonly Problem[]): void {
    if (faults.some((fault) => fault.severity === 'error')) this.failed.add(check);
    this.problems.push(...faults);
  }

  private document(file: string): YamlDocument | undefined {
    if (!this.documents.has(file)) {
      const path = `${this.service}/${file}`;
      const problems: Problem[] = [];
      const text = readText(this.tree, path, problems);
      const read = text === undefined ? undefined : readYaml(text, path);
      if (read?.problem !== undefined) problems.push(read.problem);
      if (read?.document !== undefined) problems.push(...duplicateKeys(read.document));
      // The files that the loader reads are told by it already.
      this.problems.push(...problems);
      this.documents.set(file, read?.document?.recursive === undefined ? read?.document : undefined);
    }
    return this.documents.get(file);
  }

  private schemas(): readonly FileVerdict[] {
    const verdicts: FileVerdict[] = [];
    for (const file of this.files.filter((name) => name.endsWith('.yaml'))) {
      for (const schema of SCHEMA_KINDS.filter((kind) => file.startsWith(kind))) {
        const document = this.document(file);
        const faults = document === undefined ? [] : [...checkSchema(schema, document), ...this.beyondSchema(schema, document)];
        const ok = document !== undefined && faults.length === 0;
        if (!ok) this.failed.add('schemas');
        this.problems.push(...faults);
        verdicts.push({ file, schema, ok, problems: faults });
      }
    }
    return verdicts;
  }

  /** What PaaSTA checks beside the schema of a file: lengths of names, bounds of rollback conditions. */
  private beyondSchema(schema: SchemaKind, document: YamlDocument): readonly PlacedProblem[] {
    const value = document.value;
    if (!isMap(value)) return [];
    if (schema === 'kubernetes' || schema === 'eks') {
      return keysOf(value)
        .filter((name) => !name.startsWith('_') && sanitiseName(name).length > NAME_LIMIT)
        .map((name) => placed(document, [name], 'INSTANCE_NAME_TOO_LONG', `the name ${quoted(name)} has more than ${NAME_LIMIT} characters (each _ counts as two)`));
    }
    if (schema !== 'rollback') return [];
    const { conditions } = value;
    if (!isMap(conditions)) return [placed(document, [], 'MISSING_KEY', "the file needs the key 'conditions'")];
    return keysOf(conditions).flatMap((source) => {
      const queries = conditions[source];
      return (Array.isArray(queries) ? (queries as readonly Value[]) : []).flatMap((query, index) =>
        isMap(query) && !isTruthy(query.lower_bound) && !isTruthy(query.upper_bound) ? [placed(document, ['conditions', source, index], 'MISSING_KEY', `condition ${index + 1} of ${source} needs lower_bound or upper_bound, other than 0`)] : [],
      );
    });
  }

  private tron(): void {
    for (const file of this.files.filter((name) => /^tron-[-0-9a-z_]*\.yaml$/.test(name))) {
      const document = this.document(file);
      const cluster = file.slice('tron-'.length, -'.yaml'.length);
      if (document === undefined) this.failed.add('tron');
      else {
        this.tell('tron', checkTronJobs(document, this.config.monitoringFile, this.world.teams));
        const actions = this.config.instances.filter((instance) => instance.type === 'tron' && instance.cluster === cluster);
        if (actions.some((instance) => checkObject(instance, (name) => this.groupsOf(name)).length > 0)) this.failed.add('tron');
      }
    }
  }

  private groupsOf(service: string): readonly string[] {
    return (service === this.service ? this.config : this.soa.load(service)).pipeline.deployGroups;
  }

  private uniqueNames(): void {
    const skipped = this.system.values.skip_unique_instance_name_validation;
    if (Array.isArray(skipped) && (skipped as readonly Value[]).includes(this.service)) return;
    const seen = new Map<string, string>();
    for (const { cluster, instance, type, position } of this.config.declared) {
      const key = `${cluster}.${instance}`;
      const first = seen.get(key);
      if (first === undefined) seen.set(key, type);
      else this.tell('unique-names', [problem('DUPLICATE_INSTANCE', `instance '${instance}' is in ${first}-${cluster}.yaml too: a name may stand in one file per cluster`, { ...position, hint: 'rename one of the two' })]);
    }
  }

  private instances(): void {
    const map = this.system.values.vault_cluster_map;
    const ecosystems = isMap(map) ? map : {};
    for (const cluster of this.config.clusters) {
      if (!isTruthy(ecosystems[cluster])) this.tell('secrets', [problem('UNKNOWN_ECOSYSTEM', `cluster '${cluster}' is not in vault_cluster_map of the system configuration`, { file: this.service, hint: 'add it there: the ecosystem says which ciphertext of a secret counts' })]);
    }
    const skip = (key: string): boolean => {
      const list = this.system.values[key];
      return Array.isArray(list) && (list as readonly Value[]).includes(this.service);
    };
    // Of a name in several files PaaSTA finds the first type only: the others fail no check but the one of unique names.
    const order = ['adhoc', 'kubernetes', 'eks', 'tron'];
    const found = new Map<string, number>();
    for (const { cluster, instance, type } of this.config.declared) found.set(`${cluster}.${instance}`, Math.min(order.indexOf(type), found.get(`${cluster}.${instance}`) ?? order.length));
    for (const instance of this.config.instances) {
      const shadowed = found.get(`${instance.cluster}.${instance.instance}`) !== order.indexOf(instance.type);
      if (shadowed && skip('skip_unique_instance_name_validation')) continue;
      const tell = (check: CheckName, faults: readonly Problem[]): void => {
        if (shadowed) this.problems.push(...faults);
        else this.tell(check, faults);
      };
      tell('objects', checkObject(instance, (name) => this.groupsOf(name)));
      tell('min-max', checkMinMax(instance));
      tell('pool-limits', checkPoolLimits(instance, this.system));
      const ecosystem = ecosystems[instance.cluster];
      if (typeof ecosystem === 'string' && ecosystem !== '') tell('secrets', checkSecrets(instance, ecosystem, (owner, secret, of) => this.secret(owner, secret, of)));
      this.problems.push(...checkOwnRules(instance, (owner, secret) => this.soa.secrets(owner).includes(secret)));
      if (!isLongRunning(instance)) continue;
      const document = this.document(`${instance.type}-${instance.cluster}.yaml`);
      if (document === undefined) continue;
      if (!this.templated(instance, [instance.type])) tell('autoscaling', checkAutoscaling(instance, document, skip('skip_cpu_override_validation')));
      if (!this.templated(instance, ['kubernetes', 'eks']) && !skip('skip_cpu_burst_validation')) tell('cpu-burst', checkCpuBurst(instance, document));
    }
  }

  /** The file is made from a template, into which comments cannot be written. */
  private templated(instance: InstanceConfig, types: readonly string[]): boolean {
    return types.some((type) => this.files.includes(`${type}-${instance.cluster}.in`));
  }

  private secret(owner: string, secret: string, ecosystem: string): SecretState {
    const file = `${owner}/secrets/${secret}.json`;
    const text = readText(this.tree, file, []);
    if (text === undefined) return 'missing';
    const { document } = readJson(text, file);
    const environments = isMap(document?.value) ? document.value.environments : undefined;
    if (!isMap(environments)) return 'broken';
    const entry = environments[ecosystem];
    return isMap(entry) && Object.hasOwn(entry, 'ciphertext') ? 'ok' : 'no-ciphertext';
  }

  private smartstack(): void {
    if (!this.files.includes('smartstack.yaml')) return;
    const document = this.document('smartstack.yaml');
    if (document === undefined) {
      this.failed.add('smartstack');
      return;
    }
    this.tell('smartstack', checkMesh(this.service, document, this.world, (other) => this.namespacesOf(other)));
  }

  private namespacesOf(service: string): readonly string[] | undefined {
    if (!this.soa.has(service)) return undefined;
    const text = readText(this.tree, `${service}/smartstack.yaml`, []);
    const value = text === undefined ? undefined : readYaml(text, 'smartstack.yaml').document?.read;
    return isMap(value) ? keysOf(value) : undefined;
  }

  private monitoringFile(): void {
    if (this.files.includes('service.yaml') && !this.files.includes('monitoring.yaml')) this.tell('monitoring-file', [problem('NO_MONITORING', 'there is no monitoring.yaml: nobody is told when the service breaks', { file: `${this.service}/monitoring.yaml`, hint: "add the file with at least 'team: …'" })]);
  }
}

/** Keys that count only once: the last one wins, and the first is most likely forgotten. */
export function duplicateKeys(document: YamlDocument): readonly Problem[] {
  return document.duplicates.map(({ key, position, first }) => warning('DUPLICATE_KEY', `the key '${key}' is there twice (first on line ${first.line ?? '?'}): this one counts`, { ...position, hint: 'remove one of the two' }));
}

/** In order of file and line, each once. */
function sorted(problems: readonly Problem[]): readonly Problem[] {
  const unique = new Map<string, Problem>();
  for (const p of problems) unique.set(`${p.file ?? ''}:${p.line ?? 0}:${p.column ?? 0}:${p.message}`, p);
  return [...unique.values()].sort((a, b) => ((a.file ?? '') < (b.file ?? '') ? -1 : (a.file ?? '') > (b.file ?? '') ? 1 : (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0)));
}
