/** Which secrets an instance takes from the cluster, and what says whether they are there. Upstream: `get_kubernetes_secret_hashes`. */
import type { KubeObject } from '../objects/types.ts';
import { secretSignatureName } from '../contract/names.ts';
import { isMap } from '../contract/values.ts';
import { settingsOf } from '../soa-configs/instance-settings.ts';
import type { InstanceConfig, ServiceConfig, SystemConfig } from '../soa-configs/types.ts';
import type { Control, Deployed } from '../deployments/types.ts';
import { SHARED_SECRET_SERVICE } from './environment.ts';
import { isFields } from './values-of.ts';
import { credentialSignatures } from './volumes.ts';

const CREDENTIAL_KEYS = ['boto_keys', 'crypto_keys', 'datastore_credentials'];

/** False when no signature can matter to the instance: then nobody needs to be asked. */
export function mayHaveSignatures(instance: InstanceConfig): boolean {
  const env = instance.config['env'];
  const refers = isMap(env) && Object.values(env).some((value) => typeof value === 'string' && value.includes('SECRET('));
  return refers || CREDENTIAL_KEYS.some((key) => instance.config[key] !== undefined);
}

/** Namespace and names of the ConfigMaps whose `data.signature` goes into an instance's config hash or decides on its volumes. */
export function signatureNames(
  instance: InstanceConfig,
  service: ServiceConfig,
  system: SystemConfig,
  version: Deployed,
  control: Control,
): { readonly namespace: string; readonly names: readonly string[] } {
  const settings = settingsOf(instance, service, system, { version, control });
  const { namespace } = settings;
  const own = Object.values(settings.secretEnv).map((name) => secretSignatureName(namespace, settings.service, name));
  const shared = Object.values(settings.sharedSecretEnv).map((name) => secretSignatureName(namespace, SHARED_SECRET_SERVICE, name));
  return { namespace, names: [...new Set([...own, ...shared, ...credentialSignatures(settings)])] };
}

/** A Secret without which pods do not start. */
export interface SecretNeed {
  /** Name of the Secret object. */
  readonly secret: string;
  /** `variable DB_PASSWORD`, `volume at /etc/tls`. */
  readonly use: string;
}

function listOf(value: unknown): readonly Record<string, unknown>[] {
  return Array.isArray(value) ? (value as readonly unknown[]).filter(isFields) : [];
}

/** Secrets that the pods of a workload name and that are not optional, each once. */
export function neededSecrets(workload: KubeObject): readonly SecretNeed[] {
  const template = workload.spec?.['template'];
  const pod = isFields(template) && isFields(template['spec']) ? template['spec'] : {};
  const containers = [...listOf(pod['initContainers']), ...listOf(pod['containers'])];
  const found = new Map<string, SecretNeed>();
  const add = (secret: unknown, optional: unknown, use: string): void => {
    if (typeof secret === 'string' && optional !== true && !found.has(secret)) found.set(secret, { secret, use });
  };
  for (const entry of containers.flatMap((container) => listOf(container['env']))) {
    const from = isFields(entry['valueFrom']) ? entry['valueFrom']['secretKeyRef'] : undefined;
    if (isFields(from)) add(from['name'], from['optional'], `variable ${String(entry['name'])}`);
  }
  for (const volume of listOf(pod['volumes'])) {
    const source = volume['secret'];
    if (!isFields(source)) continue;
    const path = containers.flatMap((container) => listOf(container['volumeMounts'])).find((mount) => mount['name'] === volume['name'])?.[
      'mountPath'
    ];
    add(source['secretName'], source['optional'], typeof path === 'string' ? `volume at ${path}` : 'volume');
  }
  return [...found.values()];
}
