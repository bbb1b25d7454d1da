/** Environment of an instance, in PaaSTA's order. Rule: `get_env_dictionary` in paasta_tools/utils.py and the `get_env` of each type. */
import { warning } from '../contract/errors.ts';
import { shaOfImage } from '../contract/image.ts';
import { pythonText } from '../contract/python-text.ts';
import { parseSecretReference } from '../contract/secret-reference.ts';
import { Float, isMap, type Value, type ValueMap } from '../contract/values.ts';
import type { InstanceReader } from './setting-reader.ts';
import { typeName } from './type-name.ts';
import type { NumberValue } from './settings-types.ts';
import type { InstanceConfig } from './types.ts';
import { entriesOf } from './yaml-values.ts';

/** Longest application id that AWS accepts in a user agent. */
const APP_ID_LIMIT = 50;

export interface EnvironmentFacts {
  readonly deployGroup: string | null;
  readonly dockerImage: string;
  readonly dockerUrl: string | null;
  readonly imageVersion: string | null;
  readonly cpus: NumberValue;
  readonly mem: NumberValue;
  readonly disk: NumberValue;
  readonly gpus: NumberValue | null;
  readonly team: string | null;
  readonly containerPort: number;
  readonly soaConfigsCommit: string;
}

export interface Environment {
  readonly env: Readonly<Record<string, string>>;
  readonly secretEnv: Readonly<Record<string, string>>;
  readonly sharedSecretEnv: Readonly<Record<string, string>>;
}

/** The environment; entries that refer to secrets apart. Long-running instances on Kubernetes get PAASTA_CLUSTER from their pod instead. */
export function environmentOf(instance: InstanceConfig, facts: EnvironmentFacts, read: InstanceReader): Environment {
  const { service, type } = instance;
  const onKubernetes = type === 'kubernetes' || type === 'eks';
  const all = new Map<string, string>([
    ['PAASTA_SERVICE', service],
    ['PAASTA_INSTANCE', instance.instance],
    ['PAASTA_CLUSTER', instance.cluster],
    ['PAASTA_DEPLOY_GROUP', facts.deployGroup ?? 'None'],
    ['PAASTA_DOCKER_IMAGE', facts.dockerImage],
    ['PAASTA_RESOURCE_CPUS', pythonText(facts.cpus)],
    ['PAASTA_RESOURCE_MEM', pythonText(facts.mem)],
    ['PAASTA_RESOURCE_DISK', pythonText(facts.disk)],
  ]);
  if (facts.gpus !== null) all.set('PAASTA_RESOURCE_GPUS', pythonText(facts.gpus));
  if (facts.dockerUrl !== null) all.set('PAASTA_GIT_SHA', shaOfImage(facts.dockerUrl).slice(0, 8));
  if (facts.imageVersion !== null) all.set('PAASTA_IMAGE_VERSION', facts.imageVersion);
  if (facts.team !== null && facts.team !== '') all.set('PAASTA_MONITORING_TEAM', facts.team);
  all.set('PAASTA_INSTANCE_TYPE', type);
  all.set('AWS_SDK_UA_APP_ID', [...`${service}.${instance.instance}`].slice(0, APP_ID_LIMIT).join(''));
  for (const [name, text] of userEnvironment(instance, read)) all.set(name, text);
  if (type !== 'tron') all.set('PAASTA_PORT', portText(instance.config.container_port, facts.containerPort));
  if (onKubernetes) {
    all.set('PAASTA_SOA_CONFIGS_SHA', facts.soaConfigsCommit);
    all.delete('PAASTA_CLUSTER');
  }
  const env: Record<string, string> = {};
  const secretEnv: Record<string, string> = {};
  const sharedSecretEnv: Record<string, string> = {};
  for (const [name, text] of all) {
    const reference = parseSecretReference(text);
    const target = reference === undefined ? env : reference.shared ? sharedSecretEnv : secretEnv;
    const said = reference?.name ?? text;
    // A variable may be called as it likes; what is called so would not become a member by assignment.
    if (name === '__proto__') Object.defineProperty(target, name, { value: said, enumerable: true, writable: true, configurable: true });
    else target[name] = said;
  }
  return { env, secretEnv, sharedSecretEnv };
}

/** A port that was written with a point keeps it (`8080.0`), as every number of PaaSTA that becomes text. */
function portText(given: Value | undefined, port: number): string {
  return given instanceof Float && given.value === port ? pythonText(given) : String(port);
}

/** `env` as text. Values that are not text work as in PaaSTA (`True`, `1.0`), with a warning: `validate` refuses them. */
function userEnvironment(instance: InstanceConfig, read: InstanceReader): readonly (readonly [string, string])[] {
  const given: ValueMap = read.map('env', ['env']);
  const out: (readonly [string, string])[] = [];
  for (const [name, key, value] of entriesOf(given)) {
    const path = ['env', name] as const;
    if (isMap(value) || Array.isArray(value)) {
      read.fault('env', 'WRONG_TYPE', `env.${name} must be text, not ${typeName(value)}`, path, 'an environment variable holds one text');
      continue;
    }
    const text = pythonText(value);
    if (typeof value !== 'string') {
      read.problems.push(
        warning('ENV_NOT_TEXT', `${instance.instance}: env.${name} is ${typeName(value)}; the container sees '${text}'`, {
          ...instance.position(path),
          hint: `write "${name}: '${text}'"`,
        }),
      );
    }
    const variable = typeof key === 'string' ? key : pythonText(key);
    if (variable === '' || /[=\0]/.test(variable))
      read.fault('env', 'ENV_NAME', `'${variable}' cannot be the name of an environment variable`, path, 'letters, digits and _');
    else out.push([variable, text]);
  }
  return out;
}
