/**
 * The config hash: a change of it bounces an instance. Ours, not PaaSTA's (whose value depends on its client library), with the same
 * occasions: everything that reaches pods or says how they are replaced, the force-bounce token, the signatures of secrets in the
 * environment. Not: replicas, namespace, the commit of soa-configs, our own annotations. Upstream: `sanitize_for_config_hash`.
 */
import { canonicalHash } from '../contract/canonical-json.ts';
import { secretSignatureName } from '../contract/names.ts';
import { Float, numberOf } from '../contract/values.ts';
import type { InstanceSettings } from '../soa-configs/instance-settings.ts';
import { SHARED_SECRET_SERVICE, SOA_CONFIGS_SHA } from './environment.ts';
import { HASH_VERSION } from './marks.ts';
import { isFields, mapOf, type Fields } from './values-of.ts';

/** Signature of every secret that the environment refers to; `null` while the cluster does not have it. */
export function secretSignatures(settings: InstanceSettings, signatures: ReadonlyMap<string, string>): Record<string, string | null> {
  const { namespace, service } = settings;
  const found: Record<string, string | null> = {};
  for (const name of Object.values(settings.secretEnv))
    found[`SECRET(${name})`] = signatures.get(secretSignatureName(namespace, service, name)) ?? null;
  for (const name of Object.values(settings.sharedSecretEnv))
    found[`SHARED_SECRET(${name})`] = signatures.get(secretSignatureName(namespace, SHARED_SECRET_SERVICE, name)) ?? null;
  return found;
}

const PROBE_KEYS = [
  'healthcheck_grace_period_seconds',
  'healthcheck_interval_seconds',
  'healthcheck_timeout_seconds',
  'healthcheck_max_consecutive_failures',
];

/**
 * Numbers of the pod that the file spells as floats though they are whole (`10.0`): JSON cannot tell them from integers, but PaaSTA
 * hashes text, so that `10` → `10.0` is one of its occasions to bounce.
 */
export function floatSpellings(settings: InstanceSettings): string[] {
  const { config, cpus, cpuBurstAdd } = settings;
  const cores = [cpus, cpuBurstAdd].map((value) => numberOf(value) ?? 0);
  const whole = Number.isInteger((cores[0] ?? 0) + (cores[1] ?? 0));
  const floats = [cpus, cpuBurstAdd].some((value) => value instanceof Float) || cores.some((value) => !Number.isInteger(value));
  const probed = settings.healthcheckMode === null ? [] : PROBE_KEYS.filter((key) => config[key] instanceof Float);
  const grace = mapOf(config['lifecycle'])['termination_grace_period_seconds'] instanceof Float;
  const uptime = mapOf(config['bounce_health_params'])['min_task_uptime'] instanceof Float && settings.persistentVolumes.length === 0;
  return [
    ...(whole && floats ? ['limits.cpu'] : []),
    ...probed,
    ...(settings.gpus instanceof Float ? ['gpus'] : []),
    ...(config['fs_group'] instanceof Float ? ['fs_group'] : []),
    ...(uptime ? ['min_task_uptime'] : []),
    ...(grace ? ['termination_grace_period_seconds'] : []),
  ];
}

function withoutCommit(container: unknown): unknown {
  if (!isFields(container) || !Array.isArray(container['env'])) return container;
  return {
    ...container,
    env: (container['env'] as readonly unknown[]).filter((entry) => !isFields(entry) || entry['name'] !== SOA_CONFIGS_SHA),
  };
}

/** The spec of a workload without what may change while pods stay: replicas and `PAASTA_SOA_CONFIGS_SHA`. */
export function hashedSpec(spec: Readonly<Fields>): Fields {
  const template = isFields(spec['template']) ? spec['template'] : {};
  const pod = isFields(template['spec']) ? template['spec'] : {};
  const containers = Array.isArray(pod['containers']) ? (pod['containers'] as readonly unknown[]).map(withoutCommit) : undefined;
  return { ...spec, replicas: undefined, template: { ...template, spec: { ...pod, containers } } };
}

/**
 * `config` and 8 hexadecimal digits over kind and spec of a workload (before the hash labels are written into it), the signatures of
 * its secrets and the force-bounce token. An empty token counts as none.
 */
export function configHashOf(
  workload: { readonly kind: string; readonly spec: Readonly<Fields> },
  secrets: Readonly<Record<string, string | null>>,
  forceBounce: string | null,
  spellings: readonly string[] = [],
): string {
  const floats = spellings.length === 0 ? undefined : spellings;
  const content = {
    version: HASH_VERSION,
    kind: workload.kind,
    spec: hashedSpec(workload.spec),
    secrets,
    forceBounce: forceBounce === '' ? null : forceBounce,
    floats,
  };
  return `config${canonicalHash(content, 8)}`;
}
