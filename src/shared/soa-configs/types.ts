/** Shapes that the reader of soa-configs hands to the rooms above it. */
import type { Problem } from '../contract/errors.ts';
import type { Value, ValueMap } from '../contract/values.ts';
import type { Pipeline } from './pipeline.ts';
import type { Position } from './position.ts';

/** Types of instances that we read. Only the first two are reconciled by deploy. */
export type InstanceType = 'kubernetes' | 'eks' | 'adhoc' | 'tron';

/** The merged system configuration (`/etc/paasta/*.json`). */
export interface SystemConfig {
  /** The merged mapping as it is. */
  readonly values: ValueMap;
  readonly problems: readonly Problem[];
  /** Cluster of this host, when the system configuration names one. */
  readonly cluster: string | undefined;
  readonly clusters: readonly string[];
  readonly dockerRegistry: string | undefined;
}

/** One instance with its effective configuration: service.yaml and its companions under the instance, templates resolved. */
export interface InstanceConfig {
  readonly service: string;
  readonly cluster: string;
  /** Tron: `job.action`. */
  readonly instance: string;
  readonly type: InstanceType;
  /** Effective mapping after both deep merges (`paasta-runtime.md` §1.3); `deploy_group` already interpolated. */
  readonly config: ValueMap;
  /** `<cluster>.<instance>`: the control branch. */
  readonly branch: string;
  /** `undefined` only for tron actions without a group. */
  readonly deployGroup: string | undefined;
  /** Where a key of the instance stands; the instance's own position when the key is inherited or absent. */
  position(path?: readonly (string | number)[]): Position;
}

/** Mesh namespace (an entry of smartstack.yaml) of a registration. `values` is `undefined` when smartstack.yaml has no such entry. */
export interface MeshNamespace {
  readonly registration: string;
  readonly values: ValueMap | undefined;
  /** True when the entry has the key `proxy_port` (null included). */
  readonly inMesh: boolean;
}

/** A job of tron-<cluster>.yaml. */
export interface TronJob {
  readonly service: string;
  readonly cluster: string;
  readonly job: string;
  /** The mapping of the job as it stands in the file. */
  readonly config: ValueMap;
  /** Its actions in file order, each an instance `job.action`. */
  readonly actions: readonly InstanceConfig[];
  /** Every action that the file names could be read. */
  readonly complete: boolean;
  /** Where a key of the job stands; the job's own position when it is absent. */
  position(path?: readonly (string | number)[]): Position;
}

/** A service: everything that soa-configs says about it, for the clusters that the system configuration knows. */
export interface ServiceConfig {
  readonly service: string;
  /** service.yaml as read. */
  readonly serviceYaml: ValueMap;
  /** `null`: the service has no repository. `undefined`: service.yaml does not say. */
  readonly gitUrl: string | null | undefined;
  /** `docker_registry` of service.yaml. */
  readonly dockerRegistry: string | undefined;
  /** Deploy groups of deploy.yaml in pipeline order, parallel blocks flattened; `undefined` without deploy.yaml, or when it cannot be read. */
  readonly pipelineDeployGroups: readonly string[] | undefined;
  /** Instances in file order, by cluster name, then type order adhoc, kubernetes, eks, tron. */
  readonly instances: readonly InstanceConfig[];
  /** Instances that nothing may run, because their deploy group is no name or another file of the service is broken. Only for checks: the rest of their files is told in the same run. */
  readonly unusable: readonly InstanceConfig[];
  /** Jobs of the clusters' tron files. */
  readonly tronJobs: readonly TronJob[];
  /** Everything that is wrong, instances that could not be read included. */
  readonly problems: readonly Problem[];
  /** Namespace of a registration in the service's own smartstack.yaml, whatever service the registration names (as PaaSTA looks it up: R7). */
  mesh(registration: string): MeshNamespace;
  /** Namespace of a registration in the smartstack.yaml of the service that it names. */
  registered(registration: string): MeshNamespace;
  /** Clusters of the system configuration for which the service has a file of any instance type, sorted. */
  readonly clusters: readonly string[];
  /** Every instance that the files name (templates left out), also those that could not be loaded; order as `instances`. */
  readonly declared: readonly DeclaredInstance[];
  /** service.yaml over the contents of its companions: the defaults of every instance (`paasta-runtime.md` §1.3). */
  readonly general: ValueMap;
  /** What monitoring.yaml holds, `{}` without one: tron's jobs take their monitoring from here, never from service.yaml. */
  readonly monitoringFile: Value;
  /** deploy.yaml, read. Empty without one. */
  readonly pipeline: Pipeline;
  /** A file could not be read, so that instances may be missing: nothing of the service may be cleaned up. */
  readonly incomplete: boolean;
}

/** The name of an instance as a file gives it. */
export interface DeclaredInstance {
  readonly type: InstanceType;
  readonly cluster: string;
  readonly instance: string;
  readonly position: Position;
}

/** soa-configs as a whole. */
export interface SoaConfigs {
  /** Directories of the tree that hold services (no `_shared`, no hidden ones), sorted. */
  services(): readonly string[];
  has(service: string): boolean;
  /** Loads one service; results are remembered. Never throws for the content of its files: problems are listed. */
  load(service: string): ServiceConfig;
  /** `git_sha` of `.metadata.json`, else what the caller knows; empty string when unknown. */
  readonly commit: string;
  /** Services listed in authenticating.yaml. */
  readonly authenticating: readonly string[];
  /** Names of the secrets that have a file: of a service (`<service>/secrets/*.json`), or shared by all (`_shared/secrets/*.json`). */
  secrets(service: string): readonly string[];
  /** What is wrong with the tree itself (authenticating.yaml, .metadata.json, unreadable root). */
  readonly problems: readonly Problem[];
}

export type { Position, Value, ValueMap };
