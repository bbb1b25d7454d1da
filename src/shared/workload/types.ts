/** What rendering gives: the objects of one instance, ready to be applied, and what waiting and planning must know about it. */
import type { DeploymentVersion } from '../contract/deployment-version.ts';
import type { KubeObject } from '../objects/types.ts';

/** How the pods of an instance are replaced. */
export type BounceMethod = 'crossover' | 'brutal' | 'downthenup' | 'upthendown';

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
}
