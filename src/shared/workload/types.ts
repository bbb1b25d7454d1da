/** What rendering gives: the objects of one instance, ready to be applied, and what waiting and planning must know about it. */
import type { DrainMethod } from '../bounce/drain-params.ts';
import type { DeploymentVersion } from '../contract/deployment-version.ts';
import type { Problem } from '../contract/errors.ts';
import type { LabelPrefixes } from '../contract/names.ts';
import type { Control, Deployed } from '../deployments/types.ts';
import type { KubeObject } from '../objects/types.ts';
import type { InstanceConfig, ServiceConfig, SystemConfig } from '../soa-configs/types.ts';

/** How the pods of an instance are replaced. */
export type BounceMethod = 'crossover' | 'brutal' | 'downthenup' | 'upthendown';

/** How pods are drained by whoever ends them from outside. */
export interface DrainSettings {
  readonly method: DrainMethod;
  /** Of the main container. */
  readonly port: number;
  /** `service.namespace`, each drained by itself. */
  readonly registrations: readonly string[];
}

export interface RenderedInstance {
  readonly service: string;
  readonly cluster: string;
  readonly instance: string;
  readonly deployGroup: string;
  readonly version: DeploymentVersion;
  readonly desiredState: 'start' | 'stop';
  readonly bounceMethod: BounceMethod;
  /** 0 < m ≤ 1. */
  readonly bounceMarginFactor: number;
  /** Replicas wanted now: 0 when stopped; for autoscaled instances the live value within min..max, max when nothing runs. */
  readonly replicas: number;
  readonly autoscaled: boolean;
  /** Kubernetes namespace. */
  readonly namespace: string;
  /** Name of the Deployment or StatefulSet. */
  readonly name: string;
  /** Deployment or StatefulSet. */
  readonly workload: KubeObject;
  /** Everything else that belongs to the instance alone (PDB, HPA, ServiceAccount …), in the order in which it must exist. */
  readonly companions: readonly KubeObject[];
  /** Services for registrations: shared by instances (canary and main), so they are merged per cluster before planning. */
  readonly services: readonly KubeObject[];
  /** Value of the config-hash labels, `config` + 8 hexadecimal digits. */
  readonly configHash: string;
  /** Image reference of the main container, digest included when pinned. */
  readonly image: string;
  /** Digest (`sha256:…`) that the main container must run; `undefined` when not pinned. */
  readonly imageDigest: string | undefined;
  /** Name of the main container. */
  readonly mainContainer: string;
  /** How its pods are drained from outside; absent: out of the EndpointSlices only. */
  readonly drain?: DrainSettings | undefined;
  /** Warnings that belong to this rendering: values without effect, volumes left out. Never errors. */
  readonly warnings: readonly Problem[];
}

/** preStop of the main container: PaaSTA's shell hook, or the kubelet's own sleep, which needs no shell in the image. */
export type PreStop = 'exec' | 'native';

/** What is known of the cluster before rendering. All of it may be missing: then the instance is rendered as a newcomer. */
export interface LiveState {
  /** `spec.replicas` of the running workload; `null` or absent: there is none. */
  readonly replicas?: number | null | undefined;
  /** Image reference of the running main container: its digest is kept while the tag is the same (design §5.10). */
  readonly image?: string | undefined;
  /** Name of a signature ConfigMap to the signature in it, for the namespace of the instance. */
  readonly signatures?: ReadonlyMap<string, string> | undefined;
  /** Bounds of the autoscaler that an operator set for a time. */
  readonly autoscalingOverride?: { readonly minInstances?: number | undefined; readonly maxInstances?: number | undefined } | undefined;
}

export interface RenderOptions {
  /** Pods run `<repository>:<tag>@<digest>`; false gives PaaSTA's form. */
  readonly pinDigest: boolean;
  readonly preStop: PreStop;
  /** Prefixes of label keys; PaaSTA's by default. */
  readonly prefixes?: LabelPrefixes | undefined;
  /**
   * One Service per registration that smartstack.yaml declares, and the registration label on the pods that it selects (PaaSTA sets
   * that label only with `kubernetes_add_registration_labels`). Default true.
   */
  readonly registrationServices?: boolean | undefined;
}

export interface RenderInput {
  readonly instance: InstanceConfig;
  readonly service: ServiceConfig;
  readonly system: SystemConfig;
  readonly deployed: Deployed;
  readonly control: Control;
  /** Commit of soa-configs; empty when unknown. */
  readonly soaCommit: string;
  /** The service stands in authenticating.yaml. */
  readonly authenticating?: boolean | undefined;
  readonly live?: LiveState | undefined;
  /** Digest that the registry gave for the image; not needed while the live image has the same tag. */
  readonly digest?: string | undefined;
  readonly options: RenderOptions;
}

/** Nothing was rendered: every problem that stands against it, at least one of them an error. */
export interface NotRendered {
  readonly problems: readonly Problem[];
}
