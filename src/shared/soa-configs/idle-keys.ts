/** Keys of an instance that change nothing: read by PaaSTA too, or not read by anybody. Never silently: each is one warning on its line. */
import { warning, type Problem } from '../contract/errors.ts';
import { suggestName } from '../contract/near.ts';
import { isMap, type ValueMap } from '../contract/values.ts';
import type { InstanceConfig } from './types.ts';

/**
 * Keys that are read and have no effect on Kubernetes, with what does their job. A point leads into a mapping. The schemas say the same
 * (`deprecationMessage`; a test compares): whoever deploys does not load them.
 */
export const NO_EFFECT: Readonly<Record<string, string>> = {
  net: 'pods use the network of the cluster',
  bounce_start_deadline: 'a bounce begins at once',
  bounce_priority: 'bounces do not wait for each other',
  'bounce_health_params.haproxy_min_fraction_up': 'there is no HAProxy to ask',
  backoff_factor: 'Kubernetes backs off by itself',
  max_launch_delay_seconds: 'Kubernetes backs off by itself',
  constraints: 'use node_selectors or topology_spread_constraints',
  extra_constraints: 'use node_selectors or topology_spread_constraints',
  monitoring_blacklist: 'it belonged to Mesos',
  host_port: 'pods have addresses of their own',
  sfn_autoscaling: 'it is read by another program',
  cfs_period_us: 'it concerns docker only',
  extra_docker_args: 'they concern docker only',
  role: 'it belonged to Mesos: use pool or node_selectors',
};

interface Idle {
  readonly key: string;
  readonly when: (config: ValueMap) => boolean;
  readonly instead: string;
}

const absent = (config: ValueMap, key: string): boolean => config[key] === undefined || config[key] === null;
const stateless = (config: ValueMap): boolean => !Array.isArray(config['persistent_volumes']) || config['persistent_volumes'].length === 0;

/** Keys that have an effect only beside others. */
const CONDITIONAL: readonly Idle[] = [
  { key: 'autoscaling', when: (config) => absent(config, 'max_instances'), instead: 'set max_instances: it turns autoscaling on' },
  { key: 'min_instances', when: (config) => absent(config, 'max_instances'), instead: 'set max_instances: it turns autoscaling on' },
  { key: 'instances', when: (config) => !absent(config, 'max_instances'), instead: 'max_instances is set: the autoscaler decides' },
  { key: 'pod_management_policy', when: stateless, instead: 'it is for instances with persistent_volumes' },
];

/** Every key that the schemas of long-running and adhoc instances know, with those that PaaSTA reads from older files. Held to the schemas by a test. */
export const INSTANCE_KEYS: ReadonlySet<string> = new Set(
  `
  args anti_affinity anti_affinity_preferred autoscaling autotune_limits aws_ebs_volumes backoff_factor boto_keys bounce_health_params bounce_margin_factor bounce_method
  bounce_overprovision_factor bounce_priority bounce_start_deadline cap_add cfs_period_us cmd constraints container_port cost_owner cpu_burst_add cpus crypto_keys
  datastore_credentials dependencies_reference deploy_blacklist deploy_group deploy_whitelist disk docker_url drain_method drain_method_params
  enable_aws_lb_readiness_gate env extra_constraints extra_docker_args extra_volumes fs_group fs_group_change_policy gpus healthcheck_cmd
  healthcheck_grace_period_seconds healthcheck_interval_seconds healthcheck_max_consecutive_failures healthcheck_mode healthcheck_timeout_seconds healthcheck_uri
  host_port iam_role iam_role_provider instances is_istio_sidecar_injection_enabled lifecycle max_instances max_launch_delay_seconds mem min_instances monitoring
  monitoring_blacklist namespace net node_selectors node_selectors_preferred persistent_volumes pod_management_policy pool privileged projected_sa_volumes
  prometheus_path prometheus_port prometheus_shard registrations replication_threshold role routable_ip secret_volumes service_account_name sfn_autoscaling
  sidecar_resource_requirements ssm_secrets topology_spread_constraints unhealthy_pod_eviction_policy uses_bulkdata weight
`
    .split(/\s+/)
    .filter((key) => key !== ''),
);

/** Read from instances though no schema of instances has them: PaaSTA's older spellings, and what service.yaml hands down. */
export const INHERITED_KEYS: readonly string[] = [
  'nerve_ns',
  'dependencies',
  'should_ping_for_unhealthy_pods',
  'docker_registry',
  'image_pull_secrets',
];

function valueAt(config: ValueMap, path: readonly string[]): unknown {
  let here: unknown = config;
  for (const key of path) here = isMap(here) ? here[key] : undefined;
  return here;
}

/** One warning for each key without effect, whatever the reason. */
export function keysIdle(instance: InstanceConfig): readonly Problem[] {
  const { config, service, cluster } = instance;
  const say = (path: readonly string[], hint: string): Problem =>
    warning('KEY_WITHOUT_EFFECT', `${service}.${instance.instance} in ${cluster}: ${path.join('.')} has no effect`, {
      ...instance.position(path),
      hint,
    });
  const always = Object.entries(NO_EFFECT).flatMap(([key, instead]) =>
    valueAt(config, key.split('.')) === undefined ? [] : [say(key.split('.'), instead)],
  );
  const here = CONDITIONAL.flatMap(({ key, when, instead }) => (!absent(config, key) && when(config) ? [say([key], instead)] : []));
  return [...always, ...here];
}

/** Keys in the file of the instance that nobody reads: a typo never becomes a default without a word. Inherited keys belong to service.yaml, where everything is allowed. */
export function unknownKeys(instance: InstanceConfig): readonly Problem[] {
  return Object.keys(instance.config).flatMap((key) => {
    if (INSTANCE_KEYS.has(key) || INHERITED_KEYS.includes(key)) return [];
    const whole = instance.position();
    const at = instance.position([key]);
    if (at.line === whole.line && at.column === whole.column && at.file === whole.file) return [];
    return [
      warning(
        'UNKNOWN_KEY',
        `${instance.service}.${instance.instance} in ${instance.cluster}: '${key}' is no key of an instance, nothing is rendered of it`,
        { ...at, hint: suggestName(key, [...INSTANCE_KEYS]) },
      ),
    ];
  });
}
