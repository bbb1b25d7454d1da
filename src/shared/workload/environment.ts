/** Environment of containers, in PaaSTA's order. Upstream: `get_container_env`, `get_kubernetes_environment`, `get_kubernetes_secret_env_vars`. */
import { paastaPrefixed, secretName, ssmSecretName, type LabelPrefixes } from '../contract/names.ts';
import type { InstanceSettings } from '../soa-configs/instance-settings.ts';
import { textOf, type Fields } from './values-of.ts';

/** Service whose secrets everybody may use. */
export const SHARED_SECRET_SERVICE = '_shared';
/** Changes with every commit of soa-configs; outside the config hash. */
export const SOA_CONFIGS_SHA = 'PAASTA_SOA_CONFIGS_SHA';

/** What pods learn about themselves from the API server. */
export function fieldEnvironment(prefixes: LabelPrefixes): Fields[] {
  const fields: readonly (readonly [string, string])[] = [
    ['PAASTA_POD_IP', 'status.podIP'],
    ['POD_NAME', 'metadata.name'],
    ['PAASTA_HOST', 'spec.nodeName'],
    ['PAASTA_CLUSTER', `metadata.labels['${paastaPrefixed('cluster', prefixes)}']`],
  ];
  return fields.map(([name, fieldPath]) => ({ name, valueFrom: { fieldRef: { fieldPath } } }));
}

function secretVariable(variable: string, name: string, key: string): Fields {
  return { name: variable, valueFrom: { secretKeyRef: { name, key, optional: false } } };
}

/** Variables that come from secrets: the service's own, the shared ones, those of the parameter store. */
export function secretEnvironment(settings: InstanceSettings): Fields[] {
  const { namespace, service } = settings;
  return [
    ...Object.entries(settings.secretEnv).map(([variable, key]) => secretVariable(variable, secretName(namespace, service, key), key)),
    ...Object.entries(settings.sharedSecretEnv).map(([variable, key]) =>
      secretVariable(variable, secretName(namespace, SHARED_SECRET_SERVICE, key), key),
    ),
    ...settings.ssmSecrets.flatMap((entry) => {
      const key = textOf(entry['secret_name']);
      return key === undefined ? [] : [secretVariable(key, ssmSecretName(namespace, settings.appName, key), key)];
    }),
  ];
}

/** Main container. A `PAASTA_CLUSTER` of the user is dropped: the field reference at the end says the truth. */
export function containerEnvironment(settings: InstanceSettings, prefixes: LabelPrefixes): Fields[] {
  const plain = Object.entries(settings.env).filter(([name]) => name !== 'PAASTA_CLUSTER');
  return [...plain.map(([name, value]) => ({ name, value })), ...secretEnvironment(settings), ...fieldEnvironment(prefixes)];
}
