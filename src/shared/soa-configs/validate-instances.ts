/** Checks of instances beyond their schema. Rules: paasta_tools/cli/cmds/validate.py and `InstanceConfig.validate`. */
import { problem, warning, type Problem } from '../contract/errors.ts';
import { parseSecretReference } from '../contract/secret-reference.ts';
import { suggestName } from '../contract/near.ts';
import { pythonText } from '../contract/python-text.ts';
import { isMap, numberOf, type Value } from '../contract/values.ts';
import { autoscalingParams } from './autoscaling-settings.ts';
import { typeName } from './type-name.ts';
import { ownerOf } from './owner.ts';
import type { InstanceConfig, SystemConfig } from './types.ts';
import { keysWithoutEffect } from './without-effect.ts';
import { isTruthy, keysOf } from './yaml-values.ts';
import type { YamlDocument } from './yaml.ts';

const PROMQL_KEYS = ['metrics_query', 'series_query', 'target_type', 'resources'];
const PROVIDERS = ['uwsgi', 'uwsgi-v2', 'cpu', 'memory', 'piscina', 'gunicorn', 'active-requests', 'arbitrary-promql', 'worker-load'];
const BURST_LIMIT = 2;
/** A comment that names a ticket: somebody decided it. */
const CPU_COMMENT = /#\s*override-cpu-setting\s+\(.+[A-Z]+-[0-9]+.+\)/;
const BURST_COMMENT = /#\s*override-cpu-burst\s+\(.+[A-Z]+-[0-9]+.+\)/;
const COMMENT_LIMIT = 400;

function say(instance: InstanceConfig, path: readonly (string | number)[], code: string, message: string, hint?: string): Problem {
  return problem(code, `${instance.service}.${instance.instance} in ${instance.cluster}: ${message}`, {
    ...instance.position(path),
    ...(hint === undefined ? {} : { hint }),
  });
}

/** Keys without effect (a warning each) and what PaaSTA's own checks let through although it cannot work. */
export function checkOwnRules(instance: InstanceConfig, stateOf: (service: string, secret: string) => boolean): readonly Problem[] {
  if (!isLongRunning(instance)) return [];
  const { config } = instance;
  const faults: Problem[] = [];
  for (const {
    path: [, ...path],
    instead,
  } of keysWithoutEffect(instance.type === 'eks' ? 'eks' : 'kubernetes', { [instance.instance]: config })) {
    faults.push(
      warning('KEY_WITHOUT_EFFECT', `${instance.service}.${instance.instance} in ${instance.cluster}: ${path.join('.')} has no effect`, {
        ...instance.position(path),
        hint: instead,
      }),
    );
  }
  const port = config.container_port === undefined ? undefined : numberOf(config.container_port);
  if (port !== undefined && (port < 1 || port > 65_535 || !Number.isInteger(port)))
    faults.push(say(instance, ['container_port'], 'OUT_OF_RANGE', `container_port must be a whole number from 1 to 65535, not ${port}`));
  const volumes = config.secret_volumes;
  for (const [index, volume] of (Array.isArray(volumes) ? (volumes as readonly Value[]) : []).entries()) {
    const name = isMap(volume) ? volume.secret_name : undefined;
    if (typeof name !== 'string' || stateOf(instance.service, name) || stateOf('_shared', name)) continue;
    faults.push(
      warning(
        'SECRET_MISSING',
        `${instance.service}.${instance.instance} in ${instance.cluster}: there is no ${instance.service}/secrets/${name}.json`,
        { ...instance.position(['secret_volumes', index]), hint: 'pods will not start without it' },
      ),
    );
  }
  return faults;
}

export function isLongRunning(instance: InstanceConfig): boolean {
  return instance.type === 'kubernetes' || instance.type === 'eks';
}

/**
 * Number or not, deploy group in the pipeline, registrations, dependencies; for tron the group and spark's own keys. `groupsOf`: the deploy
 * groups of a service; `undefined` where they, or the instance's own, cannot be read: then nothing is said of groups.
 */
export function checkObject(instance: InstanceConfig, groupsOf: (service: string) => readonly string[] | undefined): readonly Problem[] {
  const { config } = instance;
  const faults: Problem[] = [];
  for (const key of ['cpus', 'mem']) {
    const value = config[key];
    if (value !== undefined && value !== null && typeof value !== 'boolean' && numberOf(value) === undefined)
      faults.push(
        say(
          instance,
          [key],
          'WRONG_TYPE',
          `${key} must be a number, not ${typeName(value)}`,
          typeof value === 'string' ? `remove the quotes, and write ${value} without an exponent` : undefined,
        ),
      );
  }
  const reference = config.dependencies_reference;
  if (reference !== undefined && reference !== null) {
    const all = config.dependencies;
    if (!isTruthy(all) || !isMap(all))
      faults.push(
        say(
          instance,
          ['dependencies_reference'],
          'UNKNOWN_DEPENDENCIES',
          `dependencies_reference '${pythonText(reference)}', but there is no dependencies.yaml`,
        ),
      );
    else if (!Object.hasOwn(all, pythonText(reference)))
      faults.push(
        say(
          instance,
          ['dependencies_reference'],
          'UNKNOWN_DEPENDENCIES',
          `dependencies_reference '${pythonText(reference)}' is not in dependencies.yaml`,
          suggestName(pythonText(reference), keysOf(all)),
        ),
      );
  }
  const group = instance.deployGroup;
  const known = groupsOf(ownerOf(instance));
  if (group !== undefined && known?.includes(group) === false)
    faults.push(
      say(
        instance,
        ['deploy_group'],
        'UNKNOWN_DEPLOY_GROUP',
        `deploy group '${group}' is no step of deploy.yaml`,
        known.length === 0 ? `add the step to ${ownerOf(instance)}/deploy.yaml, which has no deploy group yet` : suggestName(group, known),
      ),
    );
  if (instance.type === 'tron') {
    const executor = config.executor ?? 'paasta';
    if (group === undefined && known !== undefined && (executor === 'paasta' || executor === 'spark'))
      faults.push(
        say(instance, [], 'MISSING_KEY', 'an action that runs in a container needs a deploy_group', 'set it for the job or the action'),
      );
    if (executor === 'spark')
      for (const key of ['cpus', 'mem'])
        if (config[key] !== undefined)
          faults.push(
            say(
              instance,
              [key],
              'CONFLICTING_KEYS',
              `${key} is not for spark actions`,
              key === 'cpus' ? 'set spark.driver.cores' : 'set spark.driver.memory',
            ),
          );
    return faults;
  }
  const registrations = config.registrations;
  if (registrations !== undefined && isTruthy(registrations) && !Array.isArray(registrations))
    faults.push(say(instance, ['registrations'], 'WRONG_TYPE', 'registrations must be a list'));
  for (const [index, registration] of (Array.isArray(registrations) ? (registrations as readonly Value[]) : []).entries()) {
    const parts = typeof registration === 'string' ? registration.split('.').length : 0;
    if (parts !== 2 && parts !== 4)
      faults.push(
        say(
          instance,
          ['registrations', index],
          'REGISTRATION_INVALID',
          `registration '${pythonText(registration)}' is not of the form service.namespace`,
          `for example ${instance.service}.${instance.instance}`,
        ),
      );
  }
  return faults;
}

/** `min_instances` above `max_instances`. */
export function checkMinMax(instance: InstanceConfig): readonly Problem[] {
  if (instance.type === 'tron') return [];
  const { min_instances: given, max_instances: top } = instance.config;
  if (given === null || top === undefined || top === null) return [];
  // The schema tells of true and false; here they are 1 and 0.
  const count = (value: Value): number | undefined => (typeof value === 'boolean' ? Number(value) : numberOf(value));
  const [min, max] = [given === undefined ? 1 : count(given), count(top)];
  if (min === undefined || max === undefined)
    return [
      say(
        instance,
        [min === undefined ? 'min_instances' : 'max_instances'],
        'WRONG_TYPE',
        'min_instances and max_instances must be numbers',
      ),
    ];
  return max < min
    ? [
        say(
          instance,
          [given === undefined ? 'max_instances' : 'min_instances'],
          'MIN_ABOVE_MAX',
          `min_instances (${min}${given === undefined ? ', the default' : ''}) is greater than max_instances (${max})`,
        ),
      ]
    : [];
}

/** Instances that would not fit on a node of their pool. */
export function checkPoolLimits(instance: InstanceConfig, system: SystemConfig): readonly Problem[] {
  const limits = system.values.pool_limits;
  const ofCluster = isMap(limits) ? limits[instance.cluster] : undefined;
  const pool =
    typeof instance.config.pool === 'string'
      ? instance.config.pool
      : instance.type === 'tron' && typeof system.values.tron_default_pool_override === 'string'
        ? system.values.tron_default_pool_override
        : 'default';
  const limit = isMap(ofCluster) ? ofCluster[pool] : undefined;
  if (!isMap(limit)) return [];
  if (limit.max_cpus === undefined)
    return [
      say(
        instance,
        ['pool'],
        'POOL_LIMIT',
        `pool_limits of the system configuration has no max_cpus for pool '${pool}'`,
        'add it there, or remove the limit',
      ),
    ];
  const max = numberOf(limit.max_cpus);
  const cpus = instance.config.cpus === undefined ? 1 : numberOf(instance.config.cpus);
  if (cpus === undefined) return [say(instance, ['cpus'], 'WRONG_TYPE', `cpus must be a number, not ${typeName(instance.config.cpus)}`)];
  return max !== undefined && cpus >= max
    ? [
        say(
          instance,
          ['cpus'],
          'POOL_LIMIT',
          `${cpus} cpus do not fit into pool '${pool}', whose instances have less than ${max}`,
          `use pool ${pythonText(limit.recommended_pool ?? 'of larger nodes')}`,
        ),
      ]
    : [];
}

/** Own value of an instance in its file (merge keys resolved), not inherited from elsewhere. Of a key that is there twice the first counts here, as for PaaSTA's reader of comments. */
function ownValue(document: YamlDocument, instance: string, key: string): Value | undefined {
  const repeated = document.duplicates.length === 0 ? undefined : document.firstScalar([instance, key]);
  if (repeated !== undefined) return repeated;
  const entry = isMap(document.read) ? document.read[instance] : undefined;
  return isMap(entry) ? entry[key] : undefined;
}

/** True when a comment on the key (or on the same value in a template or another instance) says that somebody decided it. */
function acknowledged(document: YamlDocument, instance: string, key: string, pattern: RegExp): boolean {
  const matches = (name: string): boolean =>
    document.comments([name, key]).some((comment) => pattern.test(comment.slice(0, COMMENT_LIMIT)));
  if (document.comments([instance, key]).length > 0) return matches(instance);
  const value = ownValue(document, instance, key);
  const same = (other: Value | undefined): boolean => other !== undefined && numberOf(other) === numberOf(value ?? null);
  return isMap(document.read) && keysOf(document.read).some((name) => same(ownValue(document, name, key)) && matches(name));
}

/** More than two cores of burst need a comment that names a ticket. */
export function checkCpuBurst(instance: InstanceConfig, document: YamlDocument): readonly Problem[] {
  if (document.duplicates.length > 0 && document.firstScalar([instance.instance]) !== undefined)
    return [say(instance, [], 'NOT_A_MAPPING', 'the instance is there twice, and the first is no mapping', 'remove the first')];
  const value = ownValue(document, instance.instance, 'cpu_burst_add');
  if (value === undefined || value === null || typeof value === 'boolean') return [];
  const burst = numberOf(value);
  if (burst === undefined)
    return [say(instance, ['cpu_burst_add'], 'WRONG_TYPE', `cpu_burst_add must be a number, not ${typeName(value)}`)];
  if (burst <= BURST_LIMIT || acknowledged(document, instance.instance, 'cpu_burst_add', BURST_COMMENT)) return [];
  return [
    say(
      instance,
      ['cpu_burst_add'],
      'CPU_BURST_HIGH',
      `cpu_burst_add ${burst} is above ${BURST_LIMIT} cores`,
      "say why in a comment on the line: '# override-cpu-burst (reason TICKET-123 …)'",
    ),
  ];
}

/** Metrics providers that contradict each other or the instance. One fault per provider, as PaaSTA stops at the first. */
export function checkAutoscaling(instance: InstanceConfig, document: YamlDocument, skipCpuOverride: boolean): readonly Problem[] {
  if (!isLongRunning(instance) || instance.config.max_instances === undefined || instance.config.max_instances === null) return [];
  const given = instance.config.autoscaling;
  const params = given === undefined ? autoscalingParams({}) : isMap(given) ? autoscalingParams(given) : undefined;
  const path = ['autoscaling', 'metrics_providers'];
  if (params === undefined) return [say(instance, ['autoscaling'], 'WRONG_TYPE', 'autoscaling must hold a list of metrics_providers')];
  const seen = new Set<string>();
  return params.metrics_providers.flatMap((provider, index) => {
    const { type } = provider;
    const at = [...path, index];
    const wrong = (code: string, message: string, hint?: string, where: readonly (string | number)[] = at): readonly Problem[] => [
      say(instance, where, code, message, hint),
    ];
    if (!PROVIDERS.includes(type)) return wrong('UNKNOWN_VALUE', `'${type}' is no metrics provider`, suggestName(type, PROVIDERS));
    const foreign = [
      ...(type === 'arbitrary-promql' ? [] : PROMQL_KEYS),
      ...(type === 'active-requests' ? [] : ['desired_active_requests_per_replica']),
    ].find((key) => key in provider);
    if (foreign !== undefined) return wrong('CONFLICTING_KEYS', `provider ${type} does not take ${foreign}`, undefined, [...at, foreign]);
    if (provider.decision_policy === 'bespoke' && params.metrics_providers.length > 1)
      return wrong('CONFLICTING_KEYS', 'a bespoke provider must be the only one');
    if (seen.has(type)) return wrong('DUPLICATE_ITEM', `provider ${type} is given twice`);
    seen.add(type);
    const setpoint = numberOf(provider.setpoint);
    if (type === 'active-requests') {
      const registrations = instance.config.registrations;
      if (Array.isArray(registrations) && registrations.length > 1)
        return wrong('CONFLICTING_KEYS', 'active-requests works with one registration only');
      if (setpoint !== 0.8)
        return wrong('CONFLICTING_KEYS', 'active-requests has no setpoint', 'use desired_active_requests_per_replica', [...at, 'setpoint']);
    }
    if (type === 'arbitrary-promql') {
      if (!isTruthy(provider.metrics_query)) return wrong('MISSING_KEY', 'arbitrary-promql needs a metrics_query');
      if (setpoint === undefined || setpoint <= 0)
        return wrong('OUT_OF_RANGE', 'the setpoint of arbitrary-promql must be above 0', undefined, [...at, 'setpoint']);
    }
    if (type !== 'cpu' || provider.decision_policy === 'bespoke' || skipCpuOverride) return [];
    const cpus = ownValue(document, instance.instance, 'cpus');
    if (cpus === undefined || cpus === null)
      return params.metrics_providers.length > 1
        ? wrong('MISSING_KEY', 'scaling by cpu together with other metrics needs cpus on the instance')
        : [];
    if (acknowledged(document, instance.instance, 'cpus', CPU_COMMENT)) return [];
    return wrong(
      'CPU_OVERRIDE',
      'cpus is set on an instance that scales by cpu',
      "remove it, or say why in a comment on the line: '# override-cpu-setting (reason TICKET-123 …)'",
      ['cpus'],
    );
  });
}

/** What a secret file holds for an ecosystem. */
export type SecretState = 'missing' | 'broken' | 'no-ciphertext' | 'ok';

/** Secrets that `env` and `secret_volumes` name must have a file with a ciphertext for the cluster's ecosystem. */
export function checkSecrets(
  instance: InstanceConfig,
  ecosystem: string,
  stateOf: (service: string, secret: string, ecosystem: string) => SecretState,
): readonly Problem[] {
  const faults: Problem[] = [];
  const owner = typeof instance.config.service === 'string' ? instance.config.service : instance.service;
  const check = (service: string, secret: string, path: readonly (string | number)[]): void => {
    const state = stateOf(service, secret, ecosystem);
    if (state === 'ok') return;
    const what =
      state === 'missing'
        ? `there is no ${service}/secrets/${secret}.json`
        : state === 'broken'
          ? `${service}/secrets/${secret}.json is no file of a secret`
          : `${service}/secrets/${secret}.json has no ciphertext for '${ecosystem}'`;
    const next =
      state === 'missing'
        ? 'add the secret, or correct its name'
        : state === 'broken'
          ? 'mend the file: see what is said about it'
          : `encrypt the secret for '${ecosystem}', too`;
    faults.push(say(instance, path, 'SECRET_MISSING', `secret '${secret}': ${what}`, next));
  };
  const { env } = instance.config;
  for (const name of isMap(env) ? keysOf(env) : []) {
    const value = isMap(env) ? env[name] : undefined;
    const reference = typeof value === 'string' ? parseSecretReference(value) : undefined;
    if (reference !== undefined) check(reference.shared ? '_shared' : owner, reference.name, ['env', name]);
  }
  return faults;
}
