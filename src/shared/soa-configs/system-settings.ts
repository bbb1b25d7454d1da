/**
 * Values of the system configuration with PaaSTA's defaults. Rule: the getters of `SystemPaastaConfig` in paasta_tools/utils.py; the names
 * are theirs in camelCase. A key without a default is `undefined` when nobody sets it.
 */
import { isMap, numberOf, Float, type Value } from '../contract/values.ts';
import type { SystemConfig } from './types.ts';
import { dockerVolume, reorderVolumes } from './volume-settings.ts';

const NONE = Object.freeze(Object.create(null)) as Readonly<Record<string, Value>>;

function mapping(entries: Readonly<Record<string, Value>>): Value {
  return Object.freeze(Object.assign(Object.create(null) as Record<string, Value>, entries));
}

/** Setting → key, default. No default: PaaSTA refuses to answer while the key is missing. */
const SETTINGS = {
  alertmanagerPollIntervalS: ['alertmanager_poll_interval_s', 30],
  alertmanagerUrl: ['alertmanager_url', null],
  alwaysAuthenticatingServices: ['always_authenticating_services', []],
  apiClientTimeout: ['api_client_timeout', 120],
  apiEndpoints: ['api_endpoints'],
  autoConfigInstanceTypeAliases: ['auto_config_instance_type_aliases', NONE],
  autoConfigInstanceTypesEnabled: ['auto_config_instance_types_enabled', NONE],
  bounceOverprovisionFactor: ['default_bounce_overprovision_factor', new Float(1)],
  cluster: ['cluster'],
  clusterAliases: ['cluster_aliases', NONE],
  clusterFqdnFormat: ['cluster_fqdn_format', '{cluster:s}.paasta'],
  clusterPools: ['allowed_pools', NONE],
  clusters: ['clusters', []],
  crOwners: ['cr_owners'],
  crashloopRollbackPercentageThreshold: ['crashloop_rollback_percentage_threshold', new Float(1)],
  dashboardLinks: ['dashboard_links'],
  datastoreCredentialsVaultOverrides: ['datastore_credentials_vault_env_overrides', NONE],
  defaultPushGroups: ['default_push_groups', null],
  defaultSynapseHost: ['synapse_host', 'localhost'],
  deployBlacklist: ['deploy_blacklist', []],
  deployWhitelist: ['deploy_whitelist', null],
  disabledWatchers: ['disabled_watchers', []],
  eksClusterAliases: ['eks_cluster_aliases', NONE],
  enableAlertmanagerRollback: ['enable_alertmanager_rollback', false],
  enableAutomatedRedeploysDefault: ['enable_automated_redeploys_default', false],
  enableCostOwnerLabel: ['enable_cost_owner_label', false],
  enableCrashloopAutoRollback: ['enable_crashloop_auto_rollback', false],
  enableEnvoyReadinessCheck: ['enable_envoy_readiness_check', false],
  enableNerveReadinessCheck: ['enable_nerve_readiness_check', true],
  enableTronTsc: ['enable_tron_tsc', true],
  enforceDiskQuota: ['enforce_disk_quota', false],
  envoyNerveReadinessCheckScript: ['envoy_nerve_readiness_check_script', ['/check_proxy_up.sh', '--enable-smartstack', '--enable-envoy']],
  envoyReadinessCheckScript: ['envoy_readiness_check_script', ['/check_proxy_up.sh', '--enable-envoy', '--envoy-check-mode', 'eds-dir']],
  gitConfig: [
    'git_config',
    mapping({
      git_user: 'git',
      repos: mapping({
        'yelpsoa-configs': mapping({
          repo_name: 'yelpsoa-configs',
          git_server: 'sysgit.yelpcorp.com',
          deploy_server: 'sysgit.yelpcorp.com',
        }),
      }),
    }),
  ],
  hacheckMatchInitialDelay: ['hacheck_match_initial_delay', false],
  hacheckSidecarImageUrl: ['hacheck_sidecar_image_url', null],
  hacheckSidecarVolumes: ['hacheck_sidecar_volumes'],
  kubeClusters: ['kube_clusters', NONE],
  kubernetesAddRegistrationLabels: ['kubernetes_add_registration_labels', false],
  kubernetesCustomResources: ['kubernetes_custom_resources', []],
  kubernetesUseHacheckSidecar: ['kubernetes_use_hacheck_sidecar', true],
  localRunConfig: ['local_run_config', NONE],
  logReader: ['log_reader'],
  logReaders: ['log_readers'],
  logWriter: ['log_writer'],
  markForDeploymentDefaultDiagnosisInterval: ['mark_for_deployment_default_diagnosis_interval', 60],
  markForDeploymentDefaultPollingInterval: ['mark_for_deployment_default_polling_interval', 60],
  // The doubled word is PaaSTA's key.
  markForDeploymentDefaultTimeBeforeFirstDiagnosis: ['mark_for_deployment_default_default_time_before_first_diagnosis', 300],
  markForDeploymentMaxPollingThreads: ['mark_for_deployment_max_polling_threads', 4],
  markForDeploymentShouldPingForUnhealthyPods: ['mark_for_deployment_should_ping_for_unhealthy_pods', true],
  minRestartsForCrashloopRollback: ['min_restarts_for_crashloop_rollback', 2],
  monitoringConfig: ['monitoring_config', NONE],
  nerveReadinessCheckScript: ['nerve_readiness_check_script', ['/check_smartstack_up.sh']],
  nerveRegisterK8sTerminating: ['nerve_register_k8s_terminating', true],
  paastaStatusVersion: ['paasta_status_version', 'old'],
  pdbMaxUnavailable: ['pdb_max_unavailable', 0],
  podDefaults: ['pod_defaults', NONE],
  poolLimits: ['pool_limits', NONE],
  poolNodeAffinities: ['pool_node_affinities', NONE],
  privateDockerRegistries: ['private_docker_registries', []],
  readinessCheckPrefixTemplate: ['readiness_check_prefix_template', ['flock', '-n', '/readiness_check_lock', 'timeout', '120']],
  registerK8sPods: ['register_k8s_pods', false],
  registerNativeServices: ['register_native_services', false],
  resourcePoolSettings: ['resource_pool_settings', NONE],
  secretProviderName: ['secret_provider', 'paasta_tools.secret_providers'],
  secretSyncDelaySeconds: ['secret_sync_delay_seconds', 0],
  securityCheckCommand: ['security_check_command', null],
  sensuHost: ['sensu_host', 'localhost'],
  sensuPort: ['sensu_port', 3_030],
  serviceAuthTokenVolumeConfig: ['service_auth_token_settings', NONE],
  serviceAuthVaultRole: ['service_auth_vault_role', 'service_authz'],
  serviceDiscoveryProviders: ['service_discovery_providers', NONE],
  sidecarRequirementsConfig: ['sidecar_requirements_config', NONE],
  skipCpuBurstValidationServices: ['skip_cpu_burst_validation', []],
  skipCpuOverrideValidationServices: ['skip_cpu_override_validation', []],
  skipUniqueInstanceNameValidationServices: ['skip_unique_instance_name_validation', []],
  supportedStorageClasses: ['supported_storage_classes', []],
  synapsePort: ['synapse_port', 3_212],
  systemDockerRegistry: ['docker_registry'],
  topologySpreadConstraints: ['topology_spread_constraints', []],
  tronConfig: ['tron', NONE],
  tronDefaultPoolOverride: ['tron_default_pool_override', 'default'],
  tronK8sClusterOverrides: ['tron_k8s_cluster_overrides', NONE],
  unhealthyPodEvictionPolicy: ['unhealthy_pod_eviction_policy', 'IfHealthyBudget'],
  useRawKsmQueries: ['use_raw_ksm_queries', false],
  vaultClusterConfig: ['vault_cluster_map', NONE],
  vaultEnvironment: ['vault_environment', null],
  volumes: ['volumes'],
} as const satisfies Readonly<Record<string, readonly [string, Value?]>>;

export type SystemSettings = { readonly [Name in keyof typeof SETTINGS]: Value | undefined };

/** All settings of the system configuration. */
export function systemSettingsOf(system: SystemConfig): SystemSettings {
  const settings: Record<string, Value | undefined> = {};
  for (const [name, entry] of Object.entries(SETTINGS)) {
    const [key, fallback] = entry as readonly [string, Value?];
    settings[name] = system.values[key] ?? (key in system.values ? null : fallback);
  }
  // What PaaSTA walks through is an empty list when it is an empty mapping.
  for (const list of ['deployBlacklist', 'hacheckSidecarVolumes', 'privateDockerRegistries']) {
    const value = settings[list];
    if (isMap(value) && Object.keys(value).length === 0) settings[list] = [];
  }
  for (const port of ['sensuPort', 'synapsePort']) settings[port] = portNumber(settings[port]);
  const sidecar = settings.hacheckSidecarVolumes;
  if (Array.isArray(sidecar))
    settings.hacheckSidecarVolumes = reorderVolumes((sidecar as readonly Value[]).flatMap((entry) => dockerVolume(entry) ?? []));
  return settings as SystemSettings;
}

/** Python's `int()` of a port that may be written as text. */
function portNumber(value: Value | undefined): Value | undefined {
  if (typeof value === 'string') return /^\s*\d+\s*$/.test(value) ? Number(value) : undefined;
  const number = numberOf(value);
  return number === undefined ? undefined : Math.trunc(number);
}
