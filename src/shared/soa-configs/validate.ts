/**
 * `paasta validate`: everything that can be told about a service's files without a cluster. Rules: paasta_tools/cli/cmds/validate.py. Unlike
 * PaaSTA, no check ends the others: all problems of all files come back from one run, each on its line.
 */
import { problem, type Problem } from '../contract/errors.ts';
import { sanitiseName } from '../contract/names.ts';
import type { TreeReader } from '../contract/ports.ts';
import { isMap, type Value } from '../contract/values.ts';
import { SCHEMA_KINDS, type PlacedProblem, type SchemaKind } from './schema-check.ts';
import { ServiceFiles } from './service-files.ts';
import { readText } from './system-config.ts';
import type { InstanceConfig, ServiceConfig, SoaConfigs, SystemConfig } from './types.ts';
import { checkFile, NAME_LIMIT } from './validate-files.ts';
import {
  checkAutoscaling,
  checkCpuBurst,
  checkMinMax,
  checkObject,
  checkOwnRules,
  checkPoolLimits,
  checkSecrets,
  isLongRunning,
} from './validate-instances.ts';
import { checkMesh } from './validate-mesh.ts';
import { secretState } from './validate-secrets.ts';
import { checkCleanups, checkTronJobs } from './validate-tron.ts';
import type { ValidationWorld } from './validation-world.ts';
import { isTruthy, keysOf } from './yaml-values.ts';
import { readYaml, type YamlDocument } from './yaml.ts';

export type CheckName =
  | 'schemas'
  | 'tron'
  | 'objects'
  | 'unique-names'
  | 'autoscaling'
  | 'secrets'
  | 'min-max'
  | 'pool-limits'
  | 'cpu-burst'
  | 'smartstack'
  | 'monitoring-file';

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
export function validateService(
  tree: TreeReader,
  system: SystemConfig,
  soa: SoaConfigs,
  service: string,
  world: ValidationWorld = {},
): ServiceVerdict {
  const fail = (code: string, message: string, hint?: string): ServiceVerdict => {
    const none = {} as Record<CheckName, boolean>;
    return {
      service,
      ok: false,
      precondition: false,
      checks: none,
      files: [],
      problems: [problem(code, message, { file: service, ...(hint === undefined ? {} : { hint }) })],
    };
  };
  // The directory of shared secrets is no service, and is validated all the same when somebody asks for it.
  const known = soa.has(service) || (service === '_shared' && directories(tree).includes(service));
  if (!known) return fail('UNKNOWN_SERVICE', `there is no directory '${service}'`);
  const files = new ServiceFiles(tree, service);
  if (!files.names.some((file) => !file.includes('/') && file.endsWith('.yaml')))
    return fail('NO_YAML', `the directory '${service}' holds no YAML files`);
  if (sanitiseName(service).length > NAME_LIMIT)
    return fail('SERVICE_NAME_TOO_LONG', `the name '${service}' has more than ${NAME_LIMIT} characters (each _ counts as two)`);
  return new Validation(tree, system, soa, service, world, files).run();
}

function directories(tree: TreeReader): readonly string[] {
  return tree.list('').flatMap((entry) => (entry.kind === 'directory' ? [entry.name] : []));
}

class Validation {
  private readonly tree: TreeReader;
  private readonly system: SystemConfig;
  private readonly soa: SoaConfigs;
  private readonly service: string;
  private readonly world: ValidationWorld;
  private readonly files: ServiceFiles;
  private readonly config: ServiceConfig;
  private readonly failed = new Set<CheckName>();
  private readonly problems: Problem[] = [];

  constructor(tree: TreeReader, system: SystemConfig, soa: SoaConfigs, service: string, world: ValidationWorld, files: ServiceFiles) {
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
    const names: readonly CheckName[] = [
      'schemas',
      'tron',
      'objects',
      'unique-names',
      'autoscaling',
      'secrets',
      'min-max',
      'pool-limits',
      'cpu-burst',
      'smartstack',
      'monitoring-file',
    ];
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
    // The files that the loader reads are told by it already: what is said twice is reported once.
    return this.files.document(file, (faults) => this.problems.push(...faults));
  }

  private schemas(): readonly FileVerdict[] {
    const verdicts: FileVerdict[] = [];
    for (const file of this.files.names.filter((name) => name.endsWith('.yaml'))) {
      for (const schema of SCHEMA_KINDS.filter((kind) => file.startsWith(kind))) {
        const document = this.document(file);
        const faults = document === undefined ? [] : checkFile(schema, document);
        const ok = document !== undefined && !faults.some((told) => told.severity === 'error');
        if (!ok) this.failed.add('schemas');
        this.problems.push(...faults);
        verdicts.push({ file, schema, ok, problems: faults });
      }
    }
    return verdicts;
  }

  private tron(): void {
    for (const file of this.files.names.filter((name) => /^tron-[-0-9a-z_]*\.yaml$/.test(name))) {
      const document = this.document(file);
      const cluster = file.slice('tron-'.length, -'.yaml'.length);
      if (document === undefined) this.failed.add('tron');
      else {
        this.tell('tron', checkTronJobs(document, this.config.monitoringFile, this.world.teams));
        this.tell(
          'tron',
          checkCleanups(document, this.service, cluster, (name) => this.groupsOf(name)),
        );
        const actions = this.config.instances.filter((instance) => instance.type === 'tron' && instance.cluster === cluster);
        if (actions.some((instance) => checkObject(instance, (name) => this.groupsOf(name)).length > 0)) this.failed.add('tron');
      }
    }
  }

  private groupsOf(service: string): readonly string[] {
    return (service === this.service ? this.config : this.soa.load(service)).pipeline.deployGroups;
  }

  /** For an instance that cannot be used: whether its own deploy group and those of the pipeline could be read. */
  private groupsAreKnown({ config, deployGroup }: InstanceConfig): boolean {
    const broken = this.config.problems.some(
      ({ file, severity }) => severity === 'error' && (file === `${this.service}/deploy.yaml` || file === `${this.service}/service.yaml`),
    );
    return !broken && (deployGroup !== undefined || config.deploy_group === undefined);
  }

  private uniqueNames(): void {
    const skipped = this.system.values.skip_unique_instance_name_validation;
    if (Array.isArray(skipped) && (skipped as readonly Value[]).includes(this.service)) return;
    const seen = new Map<string, string>();
    for (const { cluster, instance, type, position } of this.config.declared) {
      const key = `${cluster}.${instance}`;
      const first = seen.get(key);
      if (first === undefined) seen.set(key, type);
      else
        this.tell('unique-names', [
          problem(
            'DUPLICATE_INSTANCE',
            `instance '${instance}' is in ${first}-${cluster}.yaml too: a name may stand in one file per cluster`,
            { ...position, hint: 'rename one of the two' },
          ),
        ]);
    }
  }

  private instances(): void {
    const map = this.system.values.vault_cluster_map;
    const ecosystems = isMap(map) ? map : {};
    for (const cluster of this.config.clusters) {
      const file = this.files.names.find((name) => !name.includes('/') && name.endsWith(`-${cluster}.yaml`));
      if (!isTruthy(ecosystems[cluster]))
        this.tell('secrets', [
          problem('UNKNOWN_ECOSYSTEM', `cluster '${cluster}' is not in vault_cluster_map of the system configuration`, {
            file: file === undefined ? this.service : `${this.service}/${file}`,
            line: 1,
            column: 1,
            hint: 'add it there: the ecosystem says which ciphertext of a secret counts',
          }),
        ]);
    }
    const skip = (key: string): boolean => {
      const list = this.system.values[key];
      return Array.isArray(list) && (list as readonly Value[]).includes(this.service);
    };
    // Of a name in several files PaaSTA finds the first type only: the others fail no check but the one of unique names.
    const order = ['adhoc', 'kubernetes', 'eks', 'tron'];
    const found = new Map<string, number>();
    for (const { cluster, instance, type } of this.config.declared)
      found.set(`${cluster}.${instance}`, Math.min(order.indexOf(type), found.get(`${cluster}.${instance}`) ?? order.length));
    const { instances, unusable } = this.config;
    const able = new Set(instances);
    for (const instance of [...instances, ...unusable]) {
      const shadowed = found.get(`${instance.cluster}.${instance.instance}`) !== order.indexOf(instance.type);
      if (shadowed && skip('skip_unique_instance_name_validation')) continue;
      // PaaSTA comes to no check of what cannot be used.
      const usable = able.has(instance);
      const tell = (check: CheckName, faults: readonly Problem[]): void => {
        if (shadowed || !usable) this.problems.push(...faults);
        else this.tell(check, faults);
      };
      tell(
        'objects',
        checkObject(instance, (name) => (usable || this.groupsAreKnown(instance) ? this.groupsOf(name) : undefined)),
      );
      tell('min-max', checkMinMax(instance));
      tell('pool-limits', checkPoolLimits(instance, this.system));
      const ecosystem = ecosystems[instance.cluster];
      if (typeof ecosystem === 'string' && ecosystem !== '')
        tell(
          'secrets',
          checkSecrets(instance, ecosystem, (owner, secret, of) => secretState(this.tree, owner, secret, of)),
        );
      this.problems.push(...checkOwnRules(instance, (owner, secret) => this.soa.secrets(owner).includes(secret)));
      if (!isLongRunning(instance)) continue;
      const document = this.document(`${instance.type}-${instance.cluster}.yaml`);
      if (document === undefined) continue;
      if (!this.templated(instance, [instance.type]))
        tell('autoscaling', checkAutoscaling(instance, document, skip('skip_cpu_override_validation')));
      if (!this.templated(instance, ['kubernetes', 'eks']) && !skip('skip_cpu_burst_validation'))
        tell('cpu-burst', checkCpuBurst(instance, document));
    }
  }

  /** The file is made from a template, into which comments cannot be written. */
  private templated(instance: InstanceConfig, types: readonly string[]): boolean {
    return types.some((type) => this.files.names.includes(`${type}-${instance.cluster}.in`));
  }

  private smartstack(): void {
    if (!this.files.names.includes('smartstack.yaml')) return;
    const document = this.document('smartstack.yaml');
    if (document === undefined) {
      this.failed.add('smartstack');
      return;
    }
    this.tell(
      'smartstack',
      checkMesh(this.service, document, this.world, (other) => this.namespacesOf(other)),
    );
  }

  private namespacesOf(service: string): readonly string[] | undefined {
    if (!this.soa.has(service)) return undefined;
    const text = readText(this.tree, `${service}/smartstack.yaml`, []);
    const value = text === undefined ? undefined : readYaml(text, 'smartstack.yaml').document?.read;
    return isMap(value) ? keysOf(value) : undefined;
  }

  private monitoringFile(): void {
    if (this.files.names.includes('service.yaml') && !this.files.names.includes('monitoring.yaml'))
      this.tell('monitoring-file', [
        problem('NO_MONITORING', 'there is no monitoring.yaml: nobody is told when the service breaks', {
          file: `${this.service}/monitoring.yaml`,
          hint: "add the file with at least 'team: …'",
        }),
      ]);
  }
}

/** In order of file and line, each once. */
function sorted(problems: readonly Problem[]): readonly Problem[] {
  const unique = new Map<string, Problem>();
  for (const p of problems) unique.set(`${p.file ?? ''}:${p.line ?? 0}:${p.column ?? 0}:${p.message}`, p);
  return [...unique.values()].sort((a, b) =>
    (a.file ?? '') < (b.file ?? '')
      ? -1
      : (a.file ?? '') > (b.file ?? '')
        ? 1
        : (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0),
  );
}
