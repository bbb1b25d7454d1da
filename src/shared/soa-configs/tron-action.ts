/**
 * What a tron action asks of Tron. Rule: `TronActionConfig` and `format_tron_action_dict` in paasta_tools/tron_tools.py. Spark actions are
 * out of scope: their settings are those of an ordinary action.
 */
import {
  appName,
  limitWithHash,
  nodeLabel,
  paastaPrefixed,
  secretName,
  serviceAccountName,
  ssmSecretName,
  YELP_PREFIXES,
} from '../contract/names.ts';
import { pythonText } from '../contract/python-text.ts';
import { isMap, type Value, type ValueMap } from '../contract/values.ts';
import { CAPS_DROP } from './docker-parameters.ts';
import { ZONE_LABELS, locationRequirements, selectorRequirements } from './node-requirements.ts';
import type { InstanceSettings, SecretVolume } from './settings-types.ts';
import type { SystemConfig } from './types.ts';
import { isTruthy, keysOf } from './yaml-values.ts';

const EXECUTORS: Readonly<Record<string, string>> = { paasta: 'kubernetes', spark: 'spark' };
const OWNER = 'compute_infra_platform_experience';
const SHARED = '_shared';
/** Not `paastaPrefixed`: the pool label of tron's pods is PaaSTA's own, not the node's. */
const POOL_LABEL = `${YELP_PREFIXES.paasta}pool`;

/** Environment that comes from a secret: variable → object and key. */
export type SecretEnvironment = Readonly<Record<string, { readonly secret_name: string; readonly key: string }>>;

export interface TronAction {
  readonly job: string;
  readonly action: string;
  readonly executor: string;
  readonly requires: Value;
  readonly retries: Value;
  readonly retriesDelay: Value;
  readonly expectedRuntime: Value;
  readonly idempotent: boolean;
  readonly triggerDownstreams: Value;
  readonly nodeSelectors: Readonly<Record<string, string>>;
  readonly nodeAffinities: readonly { readonly key: string; readonly operator: string; readonly value: readonly string[] }[] | null;
  readonly secretEnv: SecretEnvironment;
  readonly ssmSecretEnv: SecretEnvironment;
  readonly secretVolumes: readonly ValueMap[];
  readonly projectedSaVolumes: InstanceSettings['projectedSaVolumes'] | null;
  /** The mapping handed to Tron, keys as Tron reads them. */
  readonly rendered: Readonly<Record<string, unknown>>;
}

/** The tron action of settings of type `tron`. `sharedSecrets`: names of the secrets that every service may use. */
export function tronActionOf(settings: InstanceSettings, system: SystemConfig, sharedSecrets: readonly string[]): TronAction {
  const { config } = settings;
  const dot = settings.instance.indexOf('.');
  const get = (key: string): Value => config[key] ?? null;
  const executor = typeof config.executor === 'string' ? config.executor : 'paasta';
  const selectors = isMap(config.node_selectors) ? config.node_selectors : {};
  const secretVolumes = settings.secretVolumes.map((volume) => tronSecretVolume(settings, volume, sharedSecrets));
  const secretEnv = Object.fromEntries([
    ...Object.entries(settings.secretEnv).map(([variable, key]) => [
      variable,
      { secret_name: secretName(settings.namespace, settings.service, key), key },
    ]),
    ...Object.entries(settings.sharedSecretEnv).map(([variable, key]) => [
      variable,
      { secret_name: secretName(settings.namespace, SHARED, key), key },
    ]),
  ]) as SecretEnvironment;
  const app = appName(settings.service, settings.instance);
  const ssmSecretEnv = Object.fromEntries(
    settings.ssmSecrets.map((entry) => [
      entry.secret_name,
      { secret_name: ssmSecretName(settings.namespace, app, pythonText(entry.secret_name ?? '')), key: entry.secret_name },
    ]),
  ) as SecretEnvironment;
  const facts = {
    job: settings.instance.slice(0, dot),
    action: settings.instance.slice(dot + 1),
    executor,
    requires: get('requires'),
    retries: get('retries'),
    retriesDelay: get('retries_delay'),
    expectedRuntime: get('expected_runtime'),
    idempotent: isTruthy(config.idempotent),
    triggerDownstreams: get('trigger_downstreams'),
    nodeSelectors: nodeSelectorsOf(settings, selectors),
    nodeAffinities: affinitiesOf(settings, system, selectors),
    secretEnv,
    ssmSecretEnv,
    secretVolumes,
    projectedSaVolumes: settings.projectedSaVolumes.length === 0 ? null : settings.projectedSaVolumes,
  };
  return { ...facts, rendered: render(settings, system, facts) };
}

function tronSecretVolume(settings: InstanceSettings, volume: SecretVolume, sharedSecrets: readonly string[]): ValueMap {
  const owner = sharedSecrets.includes(volume.secret_name) ? SHARED : settings.service;
  return {
    secret_volume_name: secretName(settings.namespace, owner, volume.secret_name),
    secret_name: volume.secret_name,
    container_path: volume.container_path,
    items: volume.items ?? [],
    ...(volume.default_mode === undefined ? {} : { default_mode: volume.default_mode }),
  };
}

function nodeSelectorsOf(settings: InstanceSettings, selectors: ValueMap): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const label of keysOf(selectors)) {
    const value = selectors[label];
    if (typeof value === 'string') found[nodeLabel(label)] = value;
  }
  found['yelp.com/pool'] = settings.pool;
  return found;
}

function affinitiesOf(settings: InstanceSettings, system: SystemConfig, selectors: ValueMap): TronAction['nodeAffinities'] {
  const requirements = [
    ...locationRequirements(settings.deployWhitelist, settings.deployBlacklist),
    ...(selectorRequirements(selectors) ?? []),
  ];
  const pools = system.values.pool_node_affinities;
  const ofPool = isMap(pools) ? pools[settings.pool] : undefined;
  if (system.values.enable_tron_tsc !== false && isMap(ofPool) && !ZONE_LABELS.some((label) => label in selectors))
    requirements.push(...(selectorRequirements(ofPool) ?? []));
  return requirements.length === 0 ? null : requirements.map(({ key, operator, values }) => ({ key, operator, value: values }));
}

function render(settings: InstanceSettings, system: SystemConfig, facts: Omit<TronAction, 'rendered'>): Readonly<Record<string, unknown>> {
  const { config } = settings;
  const onKubernetes = facts.executor in EXECUTORS;
  const result: Record<string, unknown> = {
    command: settings.cmd,
    executor: EXECUTORS[facts.executor] ?? facts.executor,
    requires: facts.requires,
    node: config.node ?? null,
    retries: facts.retries,
    retries_delay: facts.retriesDelay,
    secret_volumes: facts.secretVolumes,
    expected_runtime: facts.expectedRuntime,
    trigger_downstreams: facts.triggerDownstreams,
    idempotent: facts.idempotent,
    triggered_by: config.triggered_by ?? null,
    on_upstream_rerun: config.on_upstream_rerun ?? null,
    trigger_timeout: config.trigger_timeout ?? null,
    service_account_name: settings.serviceAccountName,
  };
  if (onKubernetes) {
    const fields = { PAASTA_POD_IP: { field_path: 'status.podIP' } };
    const secretEnv = { ...facts.ssmSecretEnv, ...facts.secretEnv };
    Object.assign(result, {
      secret_env: secretEnv,
      field_selector_env: fields,
      env: {
        ...Object.fromEntries(Object.entries(settings.env).filter(([name]) => !(name in fields) && !(name in secretEnv))),
        ENABLE_PER_INSTANCE_LOGSPOUT: '1',
      },
      node_selectors: facts.nodeSelectors,
      node_affinities: facts.nodeAffinities,
      cap_add: settings.capAdd,
      cap_drop: CAPS_DROP,
      labels: labelsOf(settings, system, facts.idempotent),
      annotations: {
        [paastaPrefixed('routable_ip')]: facts.executor === 'spark' ? 'true' : 'false',
        [paastaPrefixed('service')]: settings.service,
        [paastaPrefixed('instance')]: settings.instance,
      },
      projected_sa_volumes: facts.projectedSaVolumes,
      cpus: settings.cpus,
      mem: settings.mem,
      disk: settings.disk,
      extra_volumes: settings.volumes.map((volume) => ({
        container_path: volume.containerPath,
        host_path: volume.hostPath,
        mode: volume.mode,
      })),
      docker_image: settings.dockerUrl ?? '',
    });
    if (system.values.enable_tron_tsc !== false) {
      result.topology_spread_constraints = [
        {
          max_skew: 1,
          label_selector: { 'app.kubernetes.io/managed-by': 'tron', [POOL_LABEL]: settings.pool },
          topology_key: 'topology.kubernetes.io/zone',
          when_unsatisfiable: 'ScheduleAnyway',
        },
      ];
    }
    if (settings.iamRoleProvider === 'aws' && settings.iamRole !== '') result.service_account_name = serviceAccountName(settings.iamRole);
  }
  return Object.fromEntries(Object.entries(result).filter(([, value]) => value !== null && value !== undefined));
}

function labelsOf(settings: InstanceSettings, system: SystemConfig, idempotent: boolean): Readonly<Record<string, string>> {
  const costOwner =
    isTruthy(system.values.enable_cost_owner_label) && settings.costOwner !== null && settings.costOwner !== ''
      ? { 'yelp.com/cost_owner': settings.costOwner }
      : {};
  return {
    [paastaPrefixed('cluster')]: settings.cluster,
    [POOL_LABEL]: settings.pool,
    [paastaPrefixed('service')]: settings.service,
    [paastaPrefixed('instance')]: limitWithHash(settings.instance),
    'tron.yelp.com/idempotent-action': String(idempotent),
    'app.kubernetes.io/managed-by': 'tron',
    'yelp.com/owner': OWNER,
    ...costOwner,
  };
}
