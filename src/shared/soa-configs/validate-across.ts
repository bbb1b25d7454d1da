/**
 * Checks between files and between services that PaaSTA's `validate` does not make. What cannot work is an error, what is most likely a
 * mistake a warning. A check that fails never ends the others.
 */
import { UserError, problem, warning, type Problem } from '../contract/errors.ts';
import { suggestName } from '../contract/near.ts';
import { BUILD_STEPS } from '../contract/pipeline-words.ts';
import type { TreeReader } from '../contract/ports.ts';
import { parseSecretReference } from '../contract/secret-reference.ts';
import { isMap, numberOf, type Value } from '../contract/values.ts';
import { commandProblems } from './pipeline.ts';
import { gitUrlOf, repositoryKey, servicesByRepository } from './repository.ts';
import { checkSchema } from './schema-check.ts';
import { readText } from './system-config.ts';
import type { InstanceConfig, ServiceConfig, SoaConfigs, SystemConfig } from './types.ts';
import { isLongRunning } from './validate-instances.ts';
import { duplicateKeys } from './validate-files.ts';
import { checkLimits } from './validate-limits.ts';
import { checkCollisions, checkFileNames, checkLabels } from './validate-names.ts';
import { checkRequires } from './validate-requires.ts';
import { checkSecretFiles } from './validate-secrets.ts';
import { checkDeployKeys } from './without-effect.ts';
import { isTruthy, keysOf } from './yaml-values.ts';
import { readYaml, type YamlDocument } from './yaml.ts';

interface Claim {
  readonly service: string;
  readonly namespace: string;
  readonly document: YamlDocument;
}

/** Opens the checks over a tree; what several services need (ports, repositories) is read once, when it is first asked for. */
export function acrossChecks(tree: TreeReader, system: SystemConfig, soa: SoaConfigs): (service: string) => readonly Problem[] {
  const documents = new Map<string, YamlDocument | undefined>();
  const read = (path: string): YamlDocument | undefined => {
    if (!documents.has(path)) {
      // Whether the file can be read is said by the checks of its own service.
      const text = readText(tree, path, []);
      const document = text === undefined ? undefined : readYaml(text, path).document;
      documents.set(path, document?.recursive === undefined ? document : undefined);
    }
    return documents.get(path);
  };
  const namespacesOf = (service: string): readonly string[] | undefined => {
    const value = soa.has(service) ? read(`${service}/smartstack.yaml`)?.read : undefined;
    return isMap(value) ? keysOf(value) : undefined;
  };
  let ports: Map<number, Claim[]> | undefined;
  const claims = (): ReadonlyMap<number, readonly Claim[]> =>
    (ports ??= portClaims(soa.services(), (service) => read(`${service}/smartstack.yaml`)));
  let repositories: ReadonlyMap<string, readonly string[]> | undefined;
  const sharing = (): ReadonlyMap<string, readonly string[]> => (repositories ??= servicesByRepository(tree, soa));

  return (service) => {
    const config = soa.load(service);
    const instances = [...config.instances, ...config.unusable];
    const checks: readonly (() => readonly Problem[])[] = [
      () => checkFileNames(tree, system, service),
      () => checkCollisions(config, soa.services()),
      () => instances.flatMap((instance) => [...(isLongRunning(instance) ? checkLabels(instance) : []), ...checkLimits(instance)]),
      () => checkSecretNames(instances, system, soa),
      () => checkGroups(config),
      () => commandProblems(config.pipeline),
      () => checkRegistrations(instances, soa, namespacesOf),
      () => checkNamespaces(config, read(`${service}/smartstack.yaml`)),
      () => (namespacesOf(service) === undefined ? [] : checkPorts(service, claims())),
      () => checkSharedGroups(config, sharing(), soa),
      () => checkOwnSchemas(service, read),
      () =>
        tree.list(service).flatMap(({ name }) => {
          const document = /^tron-.*\.yaml$/.test(name) ? read(`${service}/${name}`) : undefined;
          return document === undefined ? [] : checkRequires(document);
        }),
      () => {
        const document = read(`${service}/deploy.yaml`);
        return document === undefined ? [] : checkDeployKeys(document);
      },
      () => checkSecretFiles(tree, service, soa.secrets(service)),
      () => checkRollbackFiles(tree, service),
    ];
    return checks.flatMap((check) => {
      try {
        return check();
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        return error.problems;
      }
    });
  };
}

/**
 * Secrets without a file, for clusters whose ecosystem nobody knows: for the others PaaSTA's own check looks into the file, too.
 */
function checkSecretNames(instances: readonly InstanceConfig[], system: SystemConfig, soa: SoaConfigs): readonly Problem[] {
  const map = system.values.vault_cluster_map;
  const faults: Problem[] = [];
  for (const instance of instances) {
    const { env, service } = instance.config;
    if (!isMap(env) || (isMap(map) && isTruthy(map[instance.cluster]))) continue;
    const own = typeof service === 'string' ? service : instance.service;
    for (const name of keysOf(env)) {
      const value = env[name];
      const reference = typeof value === 'string' ? parseSecretReference(value) : undefined;
      if (reference === undefined) continue;
      const owner = reference.shared ? '_shared' : own;
      const known = soa.secrets(owner);
      if (!known.includes(reference.name))
        faults.push(
          problem(
            'SECRET_MISSING',
            `${instance.service}.${instance.instance} in ${instance.cluster}: secret '${reference.name}': there is no ${owner}/secrets/${reference.name}.json`,
            { ...instance.position(['env', name]), hint: `add the secret, or correct its name; ${suggestName(reference.name, known)}` },
          ),
        );
    }
  }
  return faults;
}

/** Steps of deploy.yaml that deploy nothing. The other direction is PaaSTA's own check. */
function checkGroups(config: ServiceConfig): readonly Problem[] {
  // An instance that cannot be used may be the one that has the group.
  if (config.incomplete || config.clusters.length === 0 || config.declared.length > config.instances.length) return [];
  const used = new Set(config.instances.flatMap((instance) => instance.deployGroup ?? []));
  const faults: Problem[] = [];
  for (const step of config.pipeline.stages.flatMap((stage) => stage.steps)) {
    if (step.kind !== 'deploy' || used.has(step.name)) continue;
    faults.push(
      warning('DEPLOY_GROUP_WITHOUT_INSTANCE', `no instance has the deploy group '${step.name}': the step deploys nothing`, {
        ...step.position,
        hint: suggestName(step.name, [...used, ...BUILD_STEPS]),
      }),
    );
  }
  return faults;
}

/** Registrations whose namespace is in no smartstack.yaml: no traffic would come. */
function checkRegistrations(
  instances: readonly InstanceConfig[],
  soa: SoaConfigs,
  namespacesOf: (service: string) => readonly string[] | undefined,
): readonly Problem[] {
  const faults: Problem[] = [];
  for (const instance of instances.filter(isLongRunning)) {
    const list = instance.config.registrations;
    for (const [index, registration] of (Array.isArray(list) ? (list as readonly Value[]) : []).entries()) {
      if (typeof registration !== 'string') continue;
      const [owner = '', namespace = '', ...more] = registration.split('.');
      if (more.length > 0 || namespace === '') continue;
      const say = (message: string, hint: string): void =>
        void faults.push(
          warning(
            'UNKNOWN_REGISTRATION',
            `${instance.service}.${instance.instance} in ${instance.cluster}: registration '${registration}': ${message}`,
            { ...instance.position(['registrations', index]), hint },
          ),
        );
      const known = namespacesOf(owner);
      if (!soa.has(owner)) say(`there is no service '${owner}'`, suggestName(owner, soa.services()));
      else if (known === undefined)
        say(
          `${owner} has no smartstack.yaml, so no traffic comes`,
          `add ${owner}/smartstack.yaml with '${namespace}:', or remove the registration`,
        );
      else if (!known.includes(namespace)) say(`'${namespace}' is no namespace in ${owner}/smartstack.yaml`, suggestName(namespace, known));
    }
  }
  return faults;
}

/** Namespaces of smartstack.yaml that no instance of the service serves. */
function checkNamespaces(config: ServiceConfig, document: YamlDocument | undefined): readonly Problem[] {
  const instances = config.instances.filter(isLongRunning);
  if (document === undefined || !isMap(document.read) || config.incomplete || instances.length === 0) return [];
  const served = new Set(
    instances.flatMap(({ service, instance, config: { registrations } }) =>
      Array.isArray(registrations) && registrations.length > 0
        ? (registrations as readonly Value[]).map(String)
        : [`${service}.${instance}`],
    ),
  );
  return keysOf(document.read)
    .filter((namespace) => !served.has(`${config.service}.${namespace}`))
    .map((namespace) =>
      warning('NAMESPACE_WITHOUT_INSTANCE', `no instance of ${config.service} registers in '${config.service}.${namespace}'`, {
        ...document.position([namespace]),
        hint: `add it to the registrations of an instance; registered now: ${[...served].sort().slice(0, 10).join(', ')}`,
      }),
    );
}

function portClaims(services: readonly string[], smartstackOf: (service: string) => YamlDocument | undefined): Map<number, Claim[]> {
  const claims = new Map<number, Claim[]>();
  for (const service of services) {
    const document = smartstackOf(service);
    if (document === undefined || !isMap(document.read)) continue;
    for (const namespace of keysOf(document.read)) {
      const settings = document.read[namespace];
      const port = isMap(settings) ? numberOf(settings.proxy_port ?? null) : undefined;
      if (port === undefined) continue;
      claims.set(port, [...(claims.get(port) ?? []), { service, namespace, document }]);
    }
  }
  return claims;
}

/** A port of the proxy belongs to one namespace of the whole tree. */
function checkPorts(service: string, claims: ReadonlyMap<number, readonly Claim[]>): readonly Problem[] {
  const faults: Problem[] = [];
  for (const [port, owners] of claims) {
    for (const own of owners) {
      if (own.service !== service || owners.length < 2) continue;
      const others = owners.filter((other) => other !== own);
      const where = others.map(
        (other) =>
          `${other.service}.${other.namespace} (${other.document.file}:${String(other.document.position([other.namespace, 'proxy_port']).line ?? 1)})`,
      );
      faults.push(
        problem('PORT_TAKEN', `proxy_port ${port} of ${service}.${own.namespace} is also that of ${where.join(', ')}`, {
          ...own.document.position([own.namespace, 'proxy_port']),
          hint: `choose a free one, such as ${String(freePort(claims))}`,
        }),
      );
    }
  }
  return faults;
}

function freePort(claims: ReadonlyMap<number, readonly Claim[]>): number {
  let port = 20_000;
  while (claims.has(port)) port++;
  return port;
}

/** Marks are tags without the name of a service: services of one repository that share a group deploy together. */
function checkSharedGroups(config: ServiceConfig, sharing: ReadonlyMap<string, readonly string[]>, soa: SoaConfigs): readonly Problem[] {
  const url = gitUrlOf(config);
  const others = url === null ? [] : (sharing.get(repositoryKey(url)) ?? []).filter((other) => other !== config.service);
  if (others.length === 0) return [];
  const groupsOf = (service: ServiceConfig): ReadonlySet<string> =>
    new Set([
      ...[...service.instances, ...service.unusable].flatMap((instance) => instance.deployGroup ?? []),
      ...service.pipeline.deployGroups,
    ]);
  return [...groupsOf(config)].flatMap((group) => {
    const shared = others.filter((other) => groupsOf(soa.load(other)).has(group));
    if (shared.length === 0) return [];
    const step = config.pipeline.stages.flatMap((stage) => stage.steps).find(({ name }) => name === group);
    const at = step?.position ??
      [...config.instances, ...config.unusable].find(({ deployGroup }) => deployGroup === group)?.position(['deploy_group']) ?? {
        file: `${config.service}/deploy.yaml`,
      };
    return [
      warning(
        'SHARED_DEPLOY_GROUP',
        `deploy group '${group}' is shared with ${shared.join(', ')}, which ${shared.length === 1 ? 'has' : 'have'} the same repository: marking it deploys them together`,
        { ...at, hint: 'give each service groups of its own, such as <service>.<group>, unless they shall go together' },
      ),
    ];
  });
}

/** Conditions that nothing watches: whoever wrote them counts on a rollback. */
function checkRollbackFiles(tree: TreeReader, service: string): readonly Problem[] {
  return tree
    .list(service)
    .filter(({ name, kind }) => kind === 'file' && name.startsWith('rollback') && name.endsWith('.yaml'))
    .map(({ name }) =>
      warning('FILE_WITHOUT_EFFECT', 'nothing here watches the conditions of this file: no deployment is rolled back because of them', {
        file: `${service}/${name}`,
        line: 1,
        column: 1,
        hint: 'alert on the queries, and mark the old commit again when they fail',
      }),
    );
}

/** Files that PaaSTA checks against no schema: what is wrong is told, and does not fail the run. */
function checkOwnSchemas(service: string, read: (path: string) => YamlDocument | undefined): readonly Problem[] {
  return (['deploy', 'monitoring'] as const).flatMap((kind) => {
    const document = read(`${service}/${kind}.yaml`);
    return document === undefined
      ? []
      : [
          ...duplicateKeys(document),
          ...checkSchema(kind, document).map(({ path: _path, ...fault }): Problem => ({ ...fault, severity: 'warning' })),
        ];
  });
}
