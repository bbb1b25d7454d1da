/**
 * Settings of an instance: PaaSTA's runtime defaults over the effective mapping. Pure. Upstream: the getters of `InstanceConfig`,
 * `LongRunningServiceConfig`, `KubernetesDeploymentConfig` and `TronActionConfig`.
 */
import { appName, defaultNamespace } from '../contract/names.ts';
import { suggestName } from '../contract/near.ts';
import { pythonText } from '../contract/python-text.ts';
import { imageReference } from '../contract/image.ts';
import { Float, isMap, numberOf, type Value, type ValueMap } from '../contract/values.ts';
import { autoscalingParams, hasProvider } from './autoscaling-settings.ts';
import { environmentOf } from './environment-settings.ts';
import { meshSettingsOf } from './mesh-settings.ts';
import { ownerOf } from './owner.ts';
import { SettingReader, typeName } from './setting-reader.ts';
import type { AwsEbsVolume, BounceMethodName, DockerVolume, HealthcheckMode, InstanceSettings, NumberValue, PersistentVolume, ProjectedSaVolume, SecretVolume, SettingsContext } from './settings-types.ts';
import type { InstanceConfig, ServiceConfig, SystemConfig } from './types.ts';
import { BULKDATA, dockerVolume, reorderVolumes } from './volume-settings.ts';
import { emptyMap, isTruthy, keysOf } from './yaml-values.ts';

export type * from './settings-types.ts';

export const HEALTHCHECK_MODES: readonly HealthcheckMode[] = ['http', 'https', 'tcp', 'cmd'];
export const BOUNCE_METHODS: readonly BounceMethodName[] = ['crossover', 'brutal', 'downthenup', 'upthendown'];
export const DRAIN_METHODS = ['noop', 'hacheck', 'http', 'test'] as const;
/** Capabilities that every container drops. Upstream: `CAPS_DROP` of paasta_tools/utils.py. */
export const CAPS_DROP: readonly string[] = ['SETPCAP', 'MKNOD', 'AUDIT_WRITE', 'CHOWN', 'NET_RAW', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID', 'NET_BIND_SERVICE', 'SYS_CHROOT', 'SETFCAP'];

/** Kubernetes namespace of the types that have no namespace per service. */
const NAMESPACES: Readonly<Record<string, string>> = { tron: 'tron', adhoc: 'paasta' };
/** The longest request that a grace period waits for, and what the mesh may lag behind. Seconds. */
const LONGEST_WAIT = 1_800;
const MESH_LAG = 300;
const MOST_INSTANCES = 2_147_483_647;

/** Signature of `settingsOf`. */
export type SettingsOf = (instance: InstanceConfig, service: ServiceConfig, system: SystemConfig, context?: SettingsContext) => InstanceSettings;

type Reader = SettingReader<keyof InstanceSettings>;

/**
 * All settings of an instance. Never throws for the content of the configuration: what is wrong is in `problems`, and an instance with an
 * error among them must not be deployed (the default stands in for the value).
 */
export const settingsOf: SettingsOf = (declared, service, system, context = {}) => {
  // A tron action may belong to another service than the one whose file it stands in; `service` is then that one.
  const instance = { ...declared, service: ownerOf(declared) };
  const read: Reader = new SettingReader(instance);
  const tron = instance.type === 'tron';
  const mesh = meshOf(instance, service, read, tron);
  const image = imageOf(service, system, context, read, tron);
  const resources = resourcesOf(read, tron);
  const process = processOf(instance, read, tron);
  const monitoring = read.map('monitoring', ['monitoring']);
  const team = textIn(monitoring, 'team');
  const replicas = replicasOf(read, context);
  const lifecycle = lifecycleOf(read, mesh.mesh);
  const volumes = volumesOf(instance.type, system, read, context);
  const containerPort = read.plainNumber('containerPort', ['container_port'], 8_888, { integer: true, min: 1, max: 65_535 });
  const deployGroup = instance.deployGroup ?? null;
  const environment = environmentOf(instance, { deployGroup, ...image, ...resources, team, containerPort, soaConfigsCommit: context.soaConfigsCommit ?? '' }, read);
  const prometheusPort = read.optionalNumber('prometheusPort', ['prometheus_port'], { integer: true, min: 1, max: 65_535 });
  const extraDockerArgs = read.map('extraDockerArgs', ['extra_docker_args']);
  const capAdd = read.texts('capAdd', ['cap_add']);
  const settings: Omit<InstanceSettings, 'problems' | 'faults'> = {
    config: instance.config,
    service: instance.service,
    cluster: instance.cluster,
    instance: instance.instance,
    type: instance.type,
    branch: instance.branch,
    deployGroup,
    desiredState: context.control?.desiredState ?? 'start',
    forceBounce: context.control?.forceBounce ?? null,
    ...image,
    ...resources,
    ...process,
    ...environment,
    containerPort,
    capAdd,
    extraDockerArgs,
    dockerParameters: dockerParametersOf(instance, system, read, resources, extraDockerArgs, capAdd),
    net: read.text('net', ['net'], 'bridge'),
    fsGroup: read.optionalNumber('fsGroup', ['fs_group'], { integer: true, min: 0 }),
    fsGroupChangePolicy: read.oneOf('fsGroupChangePolicy', ['fs_group_change_policy'], ['Always', 'OnRootMismatch'], null),
    pool: read.text('pool', ['pool'], tron ? textIn(system.values, 'tron_default_pool_override') ?? 'default' : 'default'),
    namespace: read.text('namespace', ['namespace'], NAMESPACES[instance.type] ?? defaultNamespace(instance.service)),
    appName: appName(instance.service, instance.instance),
    constraints: read.raw('constraints') === undefined || read.raw('constraints') === null ? null : constraintsOf(read, 'constraints'),
    extraConstraints: constraintsOf(read, 'extra_constraints'),
    deployBlacklist: blacklistOf(read),
    deployWhitelist: whitelistOf(read),
    topologySpreadConstraints: Array.isArray(read.raw('topology_spread_constraints')) ? read.list('topologySpreadConstraints', ['topology_spread_constraints']) : listIn(system.values, 'topology_spread_constraints'),
    iamRole: read.text('iamRole', ['iam_role'], ''),
    iamRoleProvider: read.text('iamRoleProvider', ['iam_role_provider'], 'aws'),
    serviceAccountName: read.optionalText('serviceAccountName', ['service_account_name']),
    costOwner: read.optionalText('costOwner', ['cost_owner']),
    dependencies: dependenciesOf(read),
    ...volumes,
    monitoring,
    team,
    runbook: textIn(monitoring, 'runbook'),
    prometheusShard: read.optionalText('prometheusShard', ['prometheus_shard']),
    prometheusPath: read.optionalText('prometheusPath', ['prometheus_path']),
    prometheusPort,
    replicationThreshold: read.plainNumber('replicationThreshold', ['replication_threshold'], 50, { min: 0 }),
    shouldPingForUnhealthyPods: read.raw('should_ping_for_unhealthy_pods') === undefined ? null : read.flag('shouldPingForUnhealthyPods', ['should_ping_for_unhealthy_pods'], false),
    ...mesh,
    weight: read.plainNumber('weight', ['weight'], 10, { integer: true, min: 0 }),
    routableIp: isTruthy(read.raw('routable_ip')) || mesh.mesh.inMesh || prometheusPort !== null || (replicas.autoscalingEnabled && ['uwsgi', 'gunicorn', 'worker-load'].some((type) => hasProvider(replicas.autoscalingParams, type))),
    istio: read.flag('istio', ['is_istio_sidecar_injection_enabled'], false),
    awsLbReadinessGate: read.flag('awsLbReadinessGate', ['enable_aws_lb_readiness_gate'], false),
    ...healthOf(read, mesh.mesh),
    ...replicas,
    ...bounceOf(read, system, mesh.mesh, volumes.awsEbsVolumes),
    ...lifecycle,
    sidecarResourceRequirements: read.map('sidecarResourceRequirements', ['sidecar_resource_requirements']),
  };
  if (volumes.awsEbsVolumes.length > 0 && settings.desiredInstances > 1) read.fault('desiredInstances', 'CONFLICTING_KEYS', `an instance with aws_ebs_volumes can have one replica, not ${settings.desiredInstances}`, ['aws_ebs_volumes'], 'set instances: 1');
  read.follows('healthcheckMode', 'mesh');
  read.follows('dockerUrl', 'dockerRegistry');
  read.follows('env', 'cpus', 'mem', 'disk', 'gpus', 'containerPort');
  return { ...settings, problems: read.problems, faults: read.faults };
};

function textIn(map: ValueMap, key: string): string | null {
  const value = map[key];
  return value === undefined || value === null ? null : pythonText(value);
}

function listIn(map: ValueMap, key: string): readonly Value[] {
  const value = map[key];
  return Array.isArray(value) ? (value as readonly Value[]) : [];
}

function meshOf(instance: InstanceConfig, service: ServiceConfig, read: Reader, tron: boolean): Pick<InstanceSettings, 'registrations' | 'invalidRegistrations' | 'nerveNamespace' | 'mesh' | 'proxyPort'> {
  const own = `${instance.service}.${instance.instance}`;
  let registrations = tron ? [] : read.texts('registrations', ['registrations']);
  if (registrations.length === 0) {
    const namespace = tron ? null : read.optionalText('registrations', ['nerve_ns']);
    registrations = [namespace === null ? own : `${instance.service}.${namespace}`];
  }
  const parts = (registration: string): number => registration.split('.').length;
  const invalid = tron ? [] : registrations.filter((r) => parts(r) !== 2 && parts(r) !== 4);
  for (const bad of invalid) read.fault('invalidRegistrations', 'REGISTRATION_INVALID', `registration '${bad}' is not of the form service.namespace`, ['registrations', Math.max(0, registrations.indexOf(bad))], `for example ${own}`);
  // Listing invalid ones is an answer, not a failure; only a first registration that cannot be split has no namespace.
  delete read.faults.invalidRegistrations;
  const first = registrations[0] as string;
  if (invalid.includes(first)) read.fault('nerveNamespace', 'REGISTRATION_INVALID', `the first registration '${first}' names no namespace`, ['registrations', 0]);
  const { mesh, problem } = meshSettingsOf(invalid.includes(first) || tron ? { registration: first, values: undefined, inMesh: false } : service.mesh(first));
  if (problem !== undefined) read.fault('mesh', problem.code, problem.message, [], problem.hint);
  const registered = tron || invalid.includes(first) ? undefined : numberOf(service.registered(first).values?.proxy_port);
  return { registrations, invalidRegistrations: invalid, nerveNamespace: first.split('.')[1] ?? '', mesh, proxyPort: registered ?? null };
}

function imageOf(service: ServiceConfig, system: SystemConfig, context: SettingsContext, read: Reader, tron: boolean): Pick<InstanceSettings, 'dockerImage' | 'dockerUrl' | 'imageVersion' | 'dockerRegistry' | 'gitSha'> {
  const dockerImage = context.version?.dockerImage ?? '';
  const dockerRegistry = service.dockerRegistry ?? system.dockerRegistry ?? null;
  let dockerUrl: string | null = tron ? '' : null;
  const own = read.raw('docker_url');
  if (own !== undefined && !(tron && dockerImage === '')) dockerUrl = read.text('dockerUrl', ['docker_url'], '');
  else if (dockerImage !== '' && dockerRegistry !== null) dockerUrl = imageReference(dockerRegistry, dockerImage);
  return { dockerImage, dockerUrl, imageVersion: context.version?.imageVersion ?? null, dockerRegistry, gitSha: context.version?.sha ?? null };
}

function resourcesOf(read: Reader, tron: boolean): Pick<InstanceSettings, 'cpus' | 'cpuBurstAdd' | 'mem' | 'disk' | 'gpus'> {
  const gpus = read.raw('gpus');
  return {
    cpus: read.number('cpus', ['cpus'], 1, { min: 0, unit: 'cores' }),
    cpuBurstAdd: tron ? 0 : read.number('cpuBurstAdd', ['cpu_burst_add'], 1, { min: 0, unit: 'cores' }),
    mem: read.number('mem', ['mem'], 4_096, { min: 0, above: true, unit: 'MiB' }),
    disk: read.number('disk', ['disk'], tron ? 4_096 : 1_024, { min: 0, above: true, unit: 'MiB' }),
    gpus: gpus === undefined || gpus === null ? null : read.number('gpus', ['gpus'], 0, { integer: true, min: 0 }),
  };
}

function processOf(instance: InstanceConfig, read: Reader, tron: boolean): Pick<InstanceSettings, 'cmd' | 'args'> {
  const path = [tron ? 'command' : 'cmd'];
  const value = read.raw(path[0] as string);
  let cmd: string | readonly string[] | null = null;
  if (Array.isArray(value)) cmd = read.texts('cmd', path);
  else cmd = read.optionalText('cmd', path);
  if (cmd !== null && cmd.length === 0 && (instance.type === 'kubernetes' || instance.type === 'eks')) cmd = null;
  const given = read.raw('args');
  if (cmd === null) return { cmd, args: given === null ? null : read.texts('args', ['args']) };
  if (given !== undefined && given !== null) read.fault('args', 'CONFLICTING_KEYS', 'cmd and args are both given', ['args'], 'keep one of the two: cmd replaces the entrypoint, args is given to it');
  return { cmd, args: null };
}

function replicasOf(read: Reader, context: SettingsContext): Pick<InstanceSettings, 'instances' | 'desiredInstances' | 'minInstances' | 'maxInstances' | 'autoscalingEnabled' | 'autoscalingParams'> {
  const rule = { integer: true, min: 0, max: MOST_INSTANCES };
  const minInstances = read.plainNumber('minInstances', ['min_instances'], 1, rule);
  const maxInstances = read.optionalNumber('maxInstances', ['max_instances'], rule);
  const autoscalingEnabled = maxInstances !== null;
  const fixed = read.plainNumber('instances', ['instances'], 1, rule);
  const live = context.liveReplicas ?? null;
  const instances = maxInstances === null ? fixed : live === null ? maxInstances : Math.max(minInstances, Math.min(maxInstances, live));
  let params = autoscalingParams(read.map('autoscalingParams', ['autoscaling']));
  if (params === undefined) {
    read.fault('autoscalingParams', 'WRONG_TYPE', 'autoscaling.metrics_providers must be a list of mappings with a type', ['autoscaling', 'metrics_providers'], "write '- type: cpu'");
    params = autoscalingParams(emptyMap());
  }
  if (autoscalingEnabled && maxInstances < minInstances) read.fault('minInstances', 'MIN_ABOVE_MAX', `min_instances (${minInstances}) is greater than max_instances (${maxInstances})`, [read.raw('min_instances') === undefined ? 'max_instances' : 'min_instances'], 'min_instances defaults to 1');
  // PaaSTA computes with such bounds, so the numbers themselves are known; the problem stays.
  if (read.faults.minInstances?.code === 'MIN_ABOVE_MAX') delete read.faults.minInstances;
  const desiredInstances = (context.control?.desiredState ?? 'start') === 'start' ? instances : 0;
  return { instances, desiredInstances, minInstances, maxInstances, autoscalingEnabled, autoscalingParams: params as InstanceSettings['autoscalingParams'] };
}

function healthOf(
  read: Reader,
  mesh: InstanceSettings['mesh'],
): Pick<InstanceSettings, 'healthcheckMode' | 'healthcheckUri' | 'healthcheckCmd' | 'healthcheckGracePeriodSeconds' | 'healthcheckIntervalSeconds' | 'healthcheckTimeoutSeconds' | 'healthcheckMaxConsecutiveFailures'> {
  const own = read.oneOf('healthcheckMode', ['healthcheck_mode'], HEALTHCHECK_MODES, null);
  let healthcheckMode = own;
  if (own === null && mesh.healthcheckMode !== null) {
    const found = HEALTHCHECK_MODES.find((mode) => mode === mesh.healthcheckMode);
    if (found !== undefined) healthcheckMode = found;
  }
  const healthcheckCmd = read.optionalText('healthcheckCmd', ['healthcheck_cmd']);
  if (healthcheckMode === 'cmd' && healthcheckCmd === null && read.faults.healthcheckCmd === undefined) read.fault('healthcheckCmd', 'MISSING_KEY', 'healthcheck_mode cmd needs a healthcheck_cmd', ['healthcheck_mode'], 'add healthcheck_cmd: it runs in the container, exit 0 is healthy');
  return {
    healthcheckMode,
    healthcheckUri: read.text('healthcheckUri', ['healthcheck_uri'], mesh.healthcheckUri),
    healthcheckCmd,
    healthcheckGracePeriodSeconds: read.plainNumber('healthcheckGracePeriodSeconds', ['healthcheck_grace_period_seconds'], 60, { min: 0, unit: 'seconds' }),
    healthcheckIntervalSeconds: read.plainNumber('healthcheckIntervalSeconds', ['healthcheck_interval_seconds'], 10, { min: 0, unit: 'seconds' }),
    healthcheckTimeoutSeconds: read.plainNumber('healthcheckTimeoutSeconds', ['healthcheck_timeout_seconds'], 10, { min: 0, unit: 'seconds' }),
    healthcheckMaxConsecutiveFailures: read.plainNumber('healthcheckMaxConsecutiveFailures', ['healthcheck_max_consecutive_failures'], 30, { integer: true, min: 0 }),
  };
}

function bounceOf(
  read: Reader,
  system: SystemConfig,
  mesh: InstanceSettings['mesh'],
  ebs: readonly AwsEbsVolume[],
): Pick<InstanceSettings, 'bounceMethod' | 'bounceMarginFactor' | 'bounceOverprovisionFactor' | 'bounceStartDeadline' | 'minTaskUptime' | 'checkHaproxy' | 'checkEnvoy' | 'drainMethod' | 'drainMethodParams' | 'unhealthyPodEvictionPolicy' | 'podManagementPolicy'> {
  const bounceMethod = read.oneOf('bounceMethod', ['bounce_method'], BOUNCE_METHODS, 'crossover');
  if (ebs.length > 0 && bounceMethod !== 'downthenup') read.fault('bounceMethod', 'EBS_NEEDS_DOWNTHENUP', `an instance with aws_ebs_volumes must use bounce_method downthenup, not ${bounceMethod}`, [read.raw('bounce_method') === undefined ? 'aws_ebs_volumes' : 'bounce_method'], 'add bounce_method: downthenup');
  const systemFactor = numberOf(system.values.default_bounce_overprovision_factor) ?? 1;
  const drainDefault = mesh.inMesh ? 'hacheck' : 'noop';
  const drainMethod = read.text('drainMethod', ['drain_method'], drainDefault);
  if (!(DRAIN_METHODS as readonly string[]).includes(drainMethod)) read.fault('drainMethod', 'UNKNOWN_VALUE', `drain_method must be one of ${DRAIN_METHODS.join(', ')}, not ${typeName(drainMethod)}`, ['drain_method'], suggestName(drainMethod, DRAIN_METHODS));
  let drainMethodParams = read.map('drainMethodParams', ['drain_method_params']);
  if (read.raw('drain_method_params') === undefined && mesh.inMesh) {
    const delay = emptyMap();
    delay.delay = 60;
    drainMethodParams = delay;
  }
  return {
    bounceMethod,
    bounceMarginFactor: read.plainNumber('bounceMarginFactor', ['bounce_margin_factor'], 0.95, { min: 0, max: 1 }),
    bounceOverprovisionFactor: read.plainNumber('bounceOverprovisionFactor', ['bounce_overprovision_factor'], systemFactor, { min: 0 }),
    bounceStartDeadline: read.plainNumber('bounceStartDeadline', ['bounce_start_deadline'], 0),
    minTaskUptime: read.plainNumber('minTaskUptime', ['bounce_health_params', 'min_task_uptime'], 0, { min: 0, unit: 'seconds' }),
    checkHaproxy: read.flag('checkHaproxy', ['bounce_health_params', 'check_haproxy'], system.values.enable_nerve_readiness_check !== false),
    checkEnvoy: read.flag('checkEnvoy', ['bounce_health_params', 'check_envoy'], system.values.enable_envoy_readiness_check === true),
    drainMethod,
    drainMethodParams,
    unhealthyPodEvictionPolicy: read.oneOf('unhealthyPodEvictionPolicy', ['unhealthy_pod_eviction_policy'], ['IfHealthyBudget', 'AlwaysAllow'], 'IfHealthyBudget'),
    podManagementPolicy: read.oneOf('podManagementPolicy', ['pod_management_policy'], ['OrderedReady', 'Parallel'], 'OrderedReady'),
  };
}

function lifecycleOf(read: Reader, mesh: InstanceSettings['mesh']): Pick<InstanceSettings, 'lifecycle' | 'preStopCommand' | 'preStopDrainSeconds' | 'preStopWaitForConnections' | 'terminationGracePeriodSeconds'> {
  const lifecycle = read.map('lifecycle', ['lifecycle']);
  const given = lifecycle.pre_stop_command;
  const path = ['lifecycle', 'pre_stop_command'];
  const command = !isTruthy(given) ? null : Array.isArray(given) ? read.texts('preStopCommand', path) : read.optionalText('preStopCommand', path);
  const seconds = { min: 0, unit: 'seconds' };
  const preStopDrainSeconds = read.plainNumber('preStopDrainSeconds', ['lifecycle', 'pre_stop_drain_seconds'], mesh.inMesh ? 30 : 0, seconds);
  const preStopWaitForConnections = read.flag('preStopWaitForConnections', ['lifecycle', 'pre_stop_wait_for_connections_to_complete'], mesh.inMesh);
  const waiting = preStopWaitForConnections ? Math.ceil(Math.min(LONGEST_WAIT, mesh.longestTimeoutMs / 1_000 + MESH_LAG)) : 0;
  const computed = mesh.inMesh ? preStopDrainSeconds + 2 + waiting : null;
  const grace = lifecycle.termination_grace_period_seconds === undefined ? computed : read.optionalNumber('terminationGracePeriodSeconds', ['lifecycle', 'termination_grace_period_seconds'], { integer: true, ...seconds });
  return { lifecycle, preStopCommand: command, preStopDrainSeconds, preStopWaitForConnections, terminationGracePeriodSeconds: grace };
}

function volumesOf(
  type: InstanceConfig['type'],
  system: SystemConfig,
  read: Reader,
  context: SettingsContext,
): Pick<InstanceSettings, 'volumes' | 'extraVolumes' | 'secretVolumes' | 'persistentVolumes' | 'awsEbsVolumes' | 'projectedSaVolumes' | 'botoKeys' | 'cryptoKeys' | 'datastoreCredentials' | 'ssmSecrets'> {
  const fromSystem = listIn(system.values, 'volumes').map(dockerVolume).filter((v): v is DockerVolume => v !== undefined);
  const extraVolumes: DockerVolume[] = [];
  read.list('extraVolumes', ['extra_volumes']).forEach((value, index) => {
    const volume = dockerVolume(value);
    if (volume === undefined) read.fault('extraVolumes', 'MISSING_KEY', `extra_volumes entry ${index + 1} needs hostPath and containerPath as text`, ['extra_volumes', index], 'for example {hostPath: /data, containerPath: /data, mode: RO}');
    else extraVolumes.push(volume);
  });
  const bulk = isTruthy(read.raw('uses_bulkdata')) ? [BULKDATA] : [];
  const projected = read.maps('projectedSaVolumes', ['projected_sa_volumes'], ['container_path', 'audience']);
  const token = system.values.service_auth_token_settings;
  const withToken = type !== 'adhoc' && context.authenticating === true && isMap(token) && isTruthy(token) && !projected.some((volume) => sameMap(volume, token)) ? [token, ...projected] : projected;
  return {
    volumes: reorderVolumes([...fromSystem, ...extraVolumes, ...bulk]),
    extraVolumes,
    secretVolumes: read.maps('secretVolumes', ['secret_volumes'], ['container_path', 'secret_name']) as readonly SecretVolume[],
    persistentVolumes: read.maps('persistentVolumes', ['persistent_volumes'], ['container_path', 'mode']) as readonly PersistentVolume[],
    awsEbsVolumes: read.maps('awsEbsVolumes', ['aws_ebs_volumes'], ['volume_id', 'container_path']) as readonly AwsEbsVolume[],
    projectedSaVolumes: withToken as readonly ProjectedSaVolume[],
    botoKeys: read.texts('botoKeys', ['boto_keys']),
    cryptoKeys: read.map('cryptoKeys', ['crypto_keys']),
    datastoreCredentials: read.map('datastoreCredentials', ['datastore_credentials']),
    ssmSecrets: read.maps('ssmSecrets', ['ssm_secrets'], ['secret_name']),
  };
}

function sameMap(a: ValueMap, b: ValueMap): boolean {
  const plain = (value: Value | undefined): Value | undefined => (value instanceof Float ? value.value : value);
  return keysOf(a).length === keysOf(b).length && keysOf(a).every((key) => plain(a[key]) === plain(b[key]));
}

/** A number without its fraction, all digits: past 2^53 `String` would round them and go over to exponents. */
function digits(value: number): string {
  return Number.isFinite(value) ? BigInt(Math.trunc(value)).toString() : String(value);
}

function dockerParametersOf(instance: InstanceConfig, system: SystemConfig, read: Reader, resources: Pick<InstanceSettings, 'cpus' | 'cpuBurstAdd' | 'mem' | 'disk'>, extra: ValueMap, capAdd: readonly string[]): readonly string[] {
  const number = (value: NumberValue): number => numberOf(value) ?? 0;
  const period = read.plainNumber('dockerParameters', ['cfs_period_us'], 100_000, { min: 0, unit: 'microseconds' });
  const quota = (number(resources.cpus) + number(resources.cpuBurstAdd)) * period;
  read.follows('dockerParameters', 'cpus', 'cpuBurstAdd', 'mem', 'extraDockerArgs', 'capAdd');
  return [
    `memory-swap=${digits(Math.ceil(number(resources.mem) + 64))}m`,
    `cpu-period=${digits(period)}`,
    `cpu-quota=${digits(quota)}`,
    ...(isTruthy(system.values.enforce_disk_quota) ? [`storage-opt=size=${digits(number(resources.disk) * 1_048_576)}`] : []),
    `label=paasta_service=${instance.service}`,
    `label=paasta_instance=${instance.instance}`,
    ...keysOf(extra).map((key) => `${key}=${pythonText(extra[key] as Value)}`),
    'init=true',
    ...capAdd.map((cap) => `cap-add=${cap}`),
    ...CAPS_DROP.filter((cap) => !capAdd.includes(cap)).map((cap) => `cap-drop=${cap}`),
  ];
}

function constraintsOf(read: Reader, key: 'constraints' | 'extra_constraints'): readonly (readonly string[])[] {
  const setting = key === 'constraints' ? 'constraints' : 'extraConstraints';
  const out: (readonly string[])[] = [];
  read.list(setting, [key]).forEach((value, index) => {
    if (Array.isArray(value)) out.push((value as readonly Value[]).map(pythonText));
    else read.fault(setting, 'WRONG_TYPE', `${key} entry ${index + 1} must be a list`, [key, index]);
  });
  return out;
}

function blacklistOf(read: Reader): readonly (readonly [string, string])[] {
  const out: (readonly [string, string])[] = [];
  read.list('deployBlacklist', ['deploy_blacklist']).forEach((value, index) => {
    const pair = Array.isArray(value) ? (value as readonly Value[]) : [];
    if (pair.length === 2 && typeof pair[0] === 'string') out.push([pair[0], pythonText(pair[1] as Value)]);
    else read.fault('deployBlacklist', 'WRONG_TYPE', `deploy_blacklist entry ${index + 1} must be [location type, location]`, ['deploy_blacklist', index], 'for example [region, uswest1-prod]');
  });
  return out;
}

function whitelistOf(read: Reader): readonly [string, readonly string[]] | null {
  const value = read.raw('deploy_whitelist');
  if (value === undefined || value === null) return null;
  const [type, places] = Array.isArray(value) && value.length === 2 ? (value as readonly Value[]) : [];
  if (typeof type === 'string' && Array.isArray(places)) return [type, (places as readonly Value[]).map(pythonText)];
  read.fault('deployWhitelist', 'WRONG_TYPE', 'deploy_whitelist must be [location type, [locations]]', ['deploy_whitelist'], 'for example [region, [uswest1-prod]]');
  return null;
}

/** Entry of dependencies.yaml that the instance refers to, `main` without a reference. */
function dependenciesOf(read: Reader): Value {
  const all = read.raw('dependencies');
  if (!isTruthy(all)) return null;
  if (!isMap(all)) {
    read.fault('dependencies', 'WRONG_TYPE', 'dependencies must be a mapping', ['dependencies']);
    return null;
  }
  const reference = read.optionalText('dependencies', ['dependencies_reference']);
  return all[reference === null || reference === '' ? 'main' : reference] ?? null;
}
