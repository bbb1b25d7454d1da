/**
 * The settings of one instance: every key of `kubernetes-`/`eks-`/`adhoc-<cluster>.yaml` with PaaSTA's *runtime* default
 * (not the schema's), typed. Upstream: `InstanceConfig` in paasta_tools/utils.py, `LongRunningServiceConfig` in
 * long_running_service_tools.py, `KubernetesDeploymentConfig` in kubernetes_tools.py.
 */
import type { Problem } from '../contract/errors.ts';
import type { NumberValue, Value, ValueMap } from '../contract/values.ts';
import type {
  AdhocInstance,
  Autoscaling,
  EksInstance,
  FsGroupChangePolicy,
  KubernetesInstance,
  MeshNamespaceEntry,
  SecretVolumes,
  TokenVolumes,
  TronActionEntry,
} from './schema-types.ts';

export type { NumberValue } from '../contract/values.ts';

/** Keys that PaaSTA reads and its schemas of instances lack: from service.yaml and its companions, or forgotten. */
type KeyWithoutSchema = 'dependencies' | 'nerve_ns' | 'should_ping_for_unhealthy_pods';
/** Keys that an instance may have. */
export type InstanceKey = keyof KubernetesInstance | keyof EksInstance | keyof AdhocInstance | keyof TronActionEntry | KeyWithoutSchema;

/** The keys of a mapping whose values nobody has checked yet: what stands in a file can have any type. */
export type Unchecked<Shape> = { readonly [Key in keyof Shape]?: Value };

type Item<List> = NonNullable<List> extends readonly (infer One)[] ? One : never;
type FileSecretVolume = Item<SecretVolumes>;
type FilePersistentVolume = Item<KubernetesInstance['persistent_volumes']>;
type FileProvider = Item<Autoscaling['metrics_providers']>;

/** What the settings depend on beside the configuration files. */
export interface SettingsContext {
  /** Version of the deploy group; absent: never marked. `Deployed` of the deployments room fits. */
  readonly version?: { readonly sha: string; readonly imageVersion: string | null; readonly dockerImage: string } | undefined;
  /** State of the control branch; started without a token when absent. `Control` of the deployments room fits. */
  readonly control?: { readonly desiredState: 'start' | 'stop'; readonly forceBounce: string | null } | undefined;
  /** Replicas of the running object; `null` or absent: no such object. Only autoscaled instances look at it. */
  readonly liveReplicas?: number | null | undefined;
  /** Commit of soa-configs, for `PAASTA_SOA_CONFIGS_SHA`; empty when unknown. */
  readonly soaConfigsCommit?: string | undefined;
  /** The service stands in authenticating.yaml: it gets the token volume of `service_auth_token_settings`. */
  readonly authenticating?: boolean | undefined;
}

/** `{hostPath, containerPath, mode}`; mode `RO` (also when absent) or `RW`. The schema says nothing about its keys. */
export interface DockerVolume extends ValueMap {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly mode?: string;
}

export interface SecretVolumeItem extends Omit<Item<FileSecretVolume['items']>, 'mode'>, ValueMap {
  /** Integer, or octal text that starts with `0`. */
  readonly mode?: NumberValue | string;
}

/** Whole numbers are modes, too, though the schema has text only. */
export interface SecretVolume extends Omit<FileSecretVolume, 'default_mode' | 'items'>, ValueMap {
  readonly default_mode?: NumberValue | string;
  readonly items?: readonly SecretVolumeItem[];
}

export interface PersistentVolume
  extends Required<Omit<FilePersistentVolume, 'storage_class_name'>>, Pick<FilePersistentVolume, 'storage_class_name'>, ValueMap {}

/** The schema says nothing about its keys. */
export interface AwsEbsVolume extends ValueMap {
  readonly volume_id: string;
  readonly fs_type: string;
  readonly partition?: NumberValue;
  readonly container_path: string;
  readonly mode?: string;
}

export interface ProjectedSaVolume extends Item<TokenVolumes>, ValueMap {}

/** One entry of `autoscaling.metrics_providers`, defaults merged in. Keys as in the file. */
export interface MetricsProvider
  extends Unchecked<Omit<FileProvider, 'type' | 'decision_policy'>>, Required<Pick<FileProvider, 'decision_policy'>>, ValueMap {
  /** One of the schema's words, when the file is valid. */
  readonly type: string;
}

/** `autoscaling` with its default provider (cpu, proportional, 0.8) filled in. */
export interface AutoscalingParams extends ValueMap {
  readonly metrics_providers: readonly MetricsProvider[];
}

/** Mesh namespace of the first registration, read as PaaSTA's `ServiceNamespaceConfig`. */
export interface MeshSettings {
  /** Keys kept from smartstack.yaml (`mode` always among them); empty when there is no such entry. */
  readonly values: ValueMap;
  /** The entry has the key `proxy_port`, `null` included. */
  readonly inMesh: boolean;
  readonly proxyPort: number | null;
  /** http when in the mesh without a mode; else `null`. */
  readonly mode: MeshMode | null;
  /** `healthcheck_mode`, else the mode; http2 always becomes http (N2). */
  readonly healthcheckMode: string | null;
  /** Default `/status`. */
  readonly healthcheckUri: string;
  /** Default `region`. */
  readonly discover: string;
  /** Milliseconds, default 1000. */
  readonly timeoutServerMs: number;
  /** Milliseconds: the greatest of `timeout_server_ms` and the values of `endpoint_timeouts`. */
  readonly longestTimeoutMs: number;
}

export type DesiredState = 'start' | 'stop';
export type HealthcheckMode = NonNullable<KubernetesInstance['healthcheck_mode']>;
export type BounceMethodName = NonNullable<KubernetesInstance['bounce_method']>;
export type MeshMode = NonNullable<MeshNamespaceEntry['mode']>;

/** Every setting; names are the camelCase of the `instances` vectors' names. */
export interface InstanceSettings {
  /** The effective mapping itself, for keys that only one renderer reads (node_selectors, anti_affinity, …). */
  readonly config: ValueMap;
  /** What is wrong with the values of this instance. With an error among them the instance must not be deployed; the fields then hold defaults. */
  readonly problems: readonly Problem[];
  /** The settings that could not be determined, each with its problem. A fault makes the instance undeployable. */
  readonly faults: Readonly<Partial<Record<keyof InstanceSettings, Problem>>>;
  readonly service: string;
  readonly cluster: string;
  readonly instance: string;
  readonly type: string;

  // version and state
  readonly branch: string;
  readonly deployGroup: string | null;
  readonly desiredState: DesiredState;
  readonly forceBounce: string | null;
  /** `services-<service>:paasta-<sha>[-<version>]`; empty string without a version. */
  readonly dockerImage: string;
  /** `<registry>/<dockerImage>` or the instance's own `docker_url` (adhoc); `null` without a version or a registry. */
  readonly dockerUrl: string | null;
  readonly imageVersion: string | null;
  /** Of service.yaml, else of the system configuration; `null` when neither says. */
  readonly dockerRegistry: string | null;
  /** 40 digits; `null` without a version. */
  readonly gitSha: string | null;

  // resources and process
  /** Cores; default 1. */
  readonly cpus: NumberValue;
  /** Cores above `cpus` that may be burst to; default 1. */
  readonly cpuBurstAdd: NumberValue;
  /** MiB; default 4096. */
  readonly mem: NumberValue;
  /** MiB; default 1024. */
  readonly disk: NumberValue;
  readonly gpus: NumberValue | null;
  readonly cmd: string | readonly string[] | null;
  /** `null` when `cmd` is given (both is a problem); default `[]`. */
  readonly args: readonly string[] | null;
  /**
   * Environment in PaaSTA's order: its own variables, the user's `env` (which may replace them), then PAASTA_PORT and
   * PAASTA_SOA_CONFIGS_SHA. Entries that refer to secrets are left out here: see `secretEnv`.
   */
  readonly env: Readonly<Record<string, string>>;
  /** Variables of `env` that name a secret of the service (`SECRET(name)`): variable to name. */
  readonly secretEnv: Readonly<Record<string, string>>;
  /** The same for `SHARED_SECRET(name)`. */
  readonly sharedSecretEnv: Readonly<Record<string, string>>;
  readonly containerPort: number;
  readonly capAdd: readonly string[];
  readonly extraDockerArgs: ValueMap;
  /** Docker flags as `key=value`, in PaaSTA's order. */
  readonly dockerParameters: readonly string[];
  readonly net: string;
  readonly fsGroup: number | null;
  readonly fsGroupChangePolicy: FsGroupChangePolicy | null;

  // placement and identity
  readonly pool: string;
  /** Kubernetes namespace. */
  readonly namespace: string;
  /** `<sanitised service>-<sanitised instance>`. */
  readonly appName: string;
  readonly constraints: readonly (readonly string[])[] | null;
  readonly extraConstraints: readonly (readonly string[])[];
  readonly deployBlacklist: readonly (readonly [string, string])[];
  readonly deployWhitelist: readonly [string, readonly string[]] | null;
  readonly topologySpreadConstraints: readonly Value[];
  readonly iamRole: string;
  readonly iamRoleProvider: string;
  readonly serviceAccountName: string | null;
  readonly costOwner: string | null;
  readonly dependencies: Value;

  // volumes
  /** System volumes, then `extra_volumes`, then bulkdata; de-duplicated, sorted. */
  readonly volumes: readonly DockerVolume[];
  readonly extraVolumes: readonly DockerVolume[];
  readonly secretVolumes: readonly SecretVolume[];
  readonly persistentVolumes: readonly PersistentVolume[];
  readonly awsEbsVolumes: readonly AwsEbsVolume[];
  /** The service's authentication token volume first, when it has one. */
  readonly projectedSaVolumes: readonly ProjectedSaVolume[];
  readonly botoKeys: readonly string[];
  /** As in the file: `{encrypt: […], decrypt: […]}`; empty when absent. */
  readonly cryptoKeys: ValueMap;
  /** As in the file: `{mysql: […]}`; empty when absent. */
  readonly datastoreCredentials: ValueMap;
  readonly ssmSecrets: readonly ValueMap[];

  // monitoring
  readonly monitoring: ValueMap;
  readonly team: string | null;
  readonly runbook: string | null;
  readonly prometheusShard: string | null;
  readonly prometheusPath: string | null;
  readonly prometheusPort: number | null;
  /** Percent; default 50. */
  readonly replicationThreshold: number;
  readonly shouldPingForUnhealthyPods: boolean | null;

  // mesh
  /** `service.namespace` each; default `[service.instance]`. */
  readonly registrations: readonly string[];
  readonly invalidRegistrations: readonly string[];
  /** Namespace of the first registration. */
  readonly nerveNamespace: string;
  readonly mesh: MeshSettings;
  readonly proxyPort: number | null;
  readonly weight: number;
  readonly routableIp: boolean;
  readonly istio: boolean;
  readonly awsLbReadinessGate: boolean;

  // health
  readonly healthcheckMode: HealthcheckMode | null;
  readonly healthcheckUri: string;
  /** `null` when none is given: then mode `cmd` is a problem. */
  readonly healthcheckCmd: string | null;
  readonly healthcheckGracePeriodSeconds: number;
  readonly healthcheckIntervalSeconds: number;
  readonly healthcheckTimeoutSeconds: number;
  readonly healthcheckMaxConsecutiveFailures: number;

  // replicas and bounce
  readonly instances: number;
  /** 0 when stopped. */
  readonly desiredInstances: number;
  readonly minInstances: number;
  readonly maxInstances: number | null;
  readonly autoscalingEnabled: boolean;
  readonly autoscalingParams: AutoscalingParams;
  readonly bounceMethod: BounceMethodName;
  readonly bounceMarginFactor: number;
  readonly bounceOverprovisionFactor: number;
  readonly bounceStartDeadline: number;
  /** Seconds (`bounce_health_params.min_task_uptime`). */
  readonly minTaskUptime: number;
  readonly checkHaproxy: boolean;
  readonly checkEnvoy: boolean;
  readonly drainMethod: string;
  readonly drainMethodParams: ValueMap;
  readonly unhealthyPodEvictionPolicy: NonNullable<KubernetesInstance['unhealthy_pod_eviction_policy']>;
  readonly podManagementPolicy: NonNullable<KubernetesInstance['pod_management_policy']>;
  readonly lifecycle: ValueMap;
  /** A list is the command itself; text is one argument without a shell (as PaaSTA does); `null`: generated hook. */
  readonly preStopCommand: string | readonly string[] | null;
  /** Seconds; 30 in the mesh, else 0. */
  readonly preStopDrainSeconds: number;
  /** True in the mesh unless told otherwise. */
  readonly preStopWaitForConnections: boolean;
  /** Seconds; computed in the mesh, else `null` (Kubernetes' 30). */
  readonly terminationGracePeriodSeconds: number | null;
  /** `sidecar_resource_requirements` as in the file. */
  readonly sidecarResourceRequirements: ValueMap;
}
