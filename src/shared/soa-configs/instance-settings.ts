/**
 * Settings of an instance: PaaSTA's runtime defaults over the effective mapping. Pure. Upstream: the getters of `InstanceConfig`,
 * `LongRunningServiceConfig`, `KubernetesDeploymentConfig` and `TronActionConfig`.
 */
import { imageReference } from '../contract/image.ts';
import { appName, defaultNamespace } from '../contract/names.ts';
import { pythonText } from '../contract/python-text.ts';
import { isMap, type Value, type ValueMap } from '../contract/values.ts';
import { hasProvider } from './autoscaling-settings.ts';
import { bounceOf } from './bounce-settings.ts';
import { dockerParametersOf } from './docker-parameters.ts';
import { environmentOf } from './environment-settings.ts';
import { healthcheckOf } from './healthcheck-settings.ts';
import { lifecycleOf } from './lifecycle-settings.ts';
import { ownerOf } from './owner.ts';
import { placementOf } from './placement-settings.ts';
import { meshOf } from './registration-settings.ts';
import { replicasOf } from './replica-settings.ts';
import { SettingReader, type InstanceReader } from './setting-reader.ts';
import type { InstanceSettings, SettingsContext } from './settings-types.ts';
import type { InstanceConfig, ServiceConfig, SystemConfig } from './types.ts';
import { volumesOf } from './volume-settings.ts';
import { isTruthy } from './yaml-values.ts';

export type * from './settings-types.ts';

/** Port that a service listens on when its instance does not say otherwise. */
export const DEFAULT_CONTAINER_PORT = 8_888;
/** Kubernetes namespace of the types that have no namespace per service. */
const NAMESPACES: Readonly<Record<string, string>> = { tron: 'tron', adhoc: 'paasta' };

/** Signature of `settingsOf`. */
export type SettingsOf = (
  instance: InstanceConfig,
  service: ServiceConfig,
  system: SystemConfig,
  context?: SettingsContext,
) => InstanceSettings;

/**
 * All settings of an instance. Never throws for the content of the configuration: what is wrong is in `problems`, and an instance with an
 * error among them must not be deployed (the default stands in for the value).
 */
export const settingsOf: SettingsOf = (declared, service, system, context = {}) => {
  // A tron action may belong to another service than the one whose file it stands in; `service` is then that one.
  const instance = { ...declared, service: ownerOf(declared) };
  const read: InstanceReader = new SettingReader(instance);
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
  const containerPort = read.plainNumber('containerPort', ['container_port'], DEFAULT_CONTAINER_PORT, {
    integer: true,
    min: 1,
    max: 65_535,
  });
  const deployGroup = instance.deployGroup ?? null;
  const environment = environmentOf(
    instance,
    { deployGroup, ...image, ...resources, team, containerPort, soaConfigsCommit: context.soaConfigsCommit ?? '' },
    read,
  );
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
    pool: read.text('pool', ['pool'], tron ? (textIn(system.values, 'tron_default_pool_override') ?? 'default') : 'default'),
    namespace: read.text('namespace', ['namespace'], NAMESPACES[instance.type] ?? defaultNamespace(instance.service)),
    appName: appName(instance.service, instance.instance),
    ...placementOf(read, system),
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
    shouldPingForUnhealthyPods:
      read.raw('should_ping_for_unhealthy_pods') === undefined
        ? null
        : read.flag('shouldPingForUnhealthyPods', ['should_ping_for_unhealthy_pods'], false),
    ...mesh,
    weight: read.plainNumber('weight', ['weight'], 10, { integer: true, min: 0 }),
    routableIp:
      isTruthy(read.raw('routable_ip')) ||
      mesh.mesh.inMesh ||
      prometheusPort !== null ||
      (replicas.autoscalingEnabled && ['uwsgi', 'gunicorn', 'worker-load'].some((type) => hasProvider(replicas.autoscalingParams, type))),
    istio: read.flag('istio', ['is_istio_sidecar_injection_enabled'], false),
    awsLbReadinessGate: read.flag('awsLbReadinessGate', ['enable_aws_lb_readiness_gate'], false),
    ...healthcheckOf(read, mesh.mesh),
    ...replicas,
    ...bounceOf(read, system, mesh.mesh, volumes.awsEbsVolumes),
    ...lifecycle,
    sidecarResourceRequirements: read.map('sidecarResourceRequirements', ['sidecar_resource_requirements']),
  };
  if (volumes.awsEbsVolumes.length > 0 && settings.desiredInstances > 1)
    read.fault(
      'desiredInstances',
      'CONFLICTING_KEYS',
      `an instance with aws_ebs_volumes can have one replica, not ${settings.desiredInstances}`,
      ['aws_ebs_volumes'],
      'set instances: 1',
    );
  read.follows('healthcheckMode', 'mesh');
  read.follows('dockerUrl', 'dockerRegistry');
  read.follows('env', 'cpus', 'mem', 'disk', 'gpus', 'containerPort');
  return { ...settings, problems: read.problems, faults: read.faults };
};

function textIn(map: ValueMap, key: string): string | null {
  const value = map[key];
  return value === undefined || value === null ? null : pythonText(value);
}

function imageOf(
  service: ServiceConfig,
  system: SystemConfig,
  context: SettingsContext,
  read: InstanceReader,
  tron: boolean,
): Pick<InstanceSettings, 'dockerImage' | 'dockerUrl' | 'imageVersion' | 'dockerRegistry' | 'gitSha'> {
  const dockerImage = context.version?.dockerImage ?? '';
  const dockerRegistry = service.dockerRegistry ?? system.dockerRegistry ?? null;
  let dockerUrl: string | null = tron ? '' : null;
  const own = read.raw('docker_url');
  if (own !== undefined && !(tron && dockerImage === '')) dockerUrl = read.text('dockerUrl', ['docker_url'], '');
  else if (dockerImage !== '' && dockerRegistry !== null) dockerUrl = imageReference(dockerRegistry, dockerImage);
  return {
    dockerImage,
    dockerUrl,
    imageVersion: context.version?.imageVersion ?? null,
    dockerRegistry,
    gitSha: context.version?.sha ?? null,
  };
}

function resourcesOf(read: InstanceReader, tron: boolean): Pick<InstanceSettings, 'cpus' | 'cpuBurstAdd' | 'mem' | 'disk' | 'gpus'> {
  const gpus = read.raw('gpus');
  return {
    cpus: read.number('cpus', ['cpus'], 1, { min: 0, unit: 'cores' }),
    cpuBurstAdd: tron ? 0 : read.number('cpuBurstAdd', ['cpu_burst_add'], 1, { min: 0, unit: 'cores' }),
    mem: read.number('mem', ['mem'], 4_096, { min: 0, above: true, unit: 'MiB' }),
    disk: read.number('disk', ['disk'], tron ? 4_096 : 1_024, { min: 0, above: true, unit: 'MiB' }),
    gpus: gpus === undefined || gpus === null ? null : read.number('gpus', ['gpus'], 0, { integer: true, min: 0 }),
  };
}

function processOf(instance: InstanceConfig, read: InstanceReader, tron: boolean): Pick<InstanceSettings, 'cmd' | 'args'> {
  const key = tron ? 'command' : 'cmd';
  const path = [key] as const;
  const value = read.raw(key);
  let cmd: string | readonly string[] | null = null;
  if (Array.isArray(value)) cmd = read.texts('cmd', path);
  else cmd = read.optionalText('cmd', path);
  if (cmd !== null && cmd.length === 0 && (instance.type === 'kubernetes' || instance.type === 'eks')) cmd = null;
  const given = read.raw('args');
  if (cmd === null) return { cmd, args: given === null ? null : read.texts('args', ['args']) };
  if (given !== undefined && given !== null)
    read.fault(
      'args',
      'CONFLICTING_KEYS',
      'cmd and args are both given',
      ['args'],
      'keep one of the two: cmd replaces the entrypoint, args is given to it',
    );
  return { cmd, args: null };
}

/** Entry of dependencies.yaml that the instance refers to, `main` without a reference. */
function dependenciesOf(read: InstanceReader): Value {
  const all = read.raw('dependencies');
  if (!isTruthy(all)) return null;
  if (!isMap(all)) {
    read.fault('dependencies', 'WRONG_TYPE', 'dependencies must be a mapping', ['dependencies']);
    return null;
  }
  const reference = read.optionalText('dependencies', ['dependencies_reference']);
  return all[reference === null || reference === '' ? 'main' : reference] ?? null;
}
