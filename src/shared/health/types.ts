/** What judging says about one instance, from the objects that the cluster shows. */
import type { DeploymentVersion } from '../contract/deployment-version.ts';
import type { LabelPrefixes } from '../contract/names.ts';
import type { Event, KubeObject, Pod, ReplicaSet } from '../objects/types.ts';

/** One stable code per cause; summaries, alerts and tests match on it. */
export type FailureCode =
  | 'IMAGE_NOT_FOUND'
  | 'IMAGE_PULL_FAILED'
  | 'CRASH_LOOP'
  | 'OOM_KILLED'
  | 'PROBE_FAILING'
  | 'UNSCHEDULABLE'
  | 'QUOTA_EXCEEDED'
  | 'ADMISSION_DENIED'
  | 'CONTAINER_CONFIG'
  | 'CONTAINER_CANNOT_RUN'
  | 'PAUSED'
  | 'TIMEOUT'
  | 'UNKNOWN';

/** What the rendered instance promised; the objects are held against it. */
export interface Expectation {
  readonly version: DeploymentVersion;
  readonly configHash: string;
  readonly replicas: number;
  /** 0 < m ≤ 1: ready pods needed are ceil(m × replicas). */
  readonly marginFactor: number;
  readonly imageDigest: string | undefined;
  readonly mainContainer: string;
  /** Milliseconds since the epoch at which this run began to wait: older conditions and events say nothing about it. */
  readonly since: number;
  /** `metadata.generation` that our apply returned: an older workload in the evidence is a stale answer. */
  readonly generation?: number;
  /** Replicas are the autoscaler's: `spec.replicas` of the live workload counts instead of `replicas`. */
  readonly autoscaled?: boolean;
  /** Digests of the members when `imageDigest` is that of an index: pods report the member that they run. */
  readonly memberDigests?: readonly string[];
  /** Share of the new pods (0..1) that may be doomed before the whole instance is; at least one always may. Default 0.1. */
  readonly doomedShare?: number;
  /** Prefix of the version labels when it is not PaaSTA's. */
  readonly labelPrefixes?: LabelPrefixes;
}

/** Everything that is known about one instance at one moment. */
export interface Evidence {
  /** `undefined`: the workload object does not exist. */
  readonly workload: KubeObject | undefined;
  readonly replicaSets: readonly ReplicaSet[];
  readonly pods: readonly Pod[];
  readonly events: readonly Event[];
  /** Pods of other workloads of the instance, which shall go. */
  readonly oldPods?: readonly Pod[];
  /** Other workloads of the instance that still exist. */
  readonly oldWorkloads?: readonly KubeObject[];
  /** A workload of the instance that appeared after ours was planned. */
  readonly newer?: KubeObject;
}

/** Why it fails, for people at three in the morning. */
export interface Diagnosis {
  readonly code: FailureCode;
  /** Such as `Pod web-main-5d8c-x2x1`. */
  readonly object: string;
  readonly container?: string;
  /** One or two sentences: what happened and why. */
  readonly cause: string;
  /** What to do next. */
  readonly next: string;
  /** Texts of the events that count, newest last, repeated ones folded (`… ×5`). */
  readonly events: readonly string[];
  /** Log to fetch for the report; the caller asks the API server for it. */
  readonly log?: { readonly namespace: string; readonly pod: string; readonly container: string; readonly previous: boolean };
  /** True for causes that lie in the commit (crash, probe, bad image): only those allow a rollback tag. */
  readonly inCommit: boolean;
}

/** Pods of an instance that are ready, of one version. */
export interface ReadyPods {
  /** Such as `version 1a2b3c4d`. */
  readonly version: string;
  readonly pods: number;
}

/**
 * `waitingFor` is for people. `freeing`: old pods are on their way out, so refusals for want of room may pass. `suspect`: what stands in the
 * way so far; when the wait times out, that is the explanation.
 */
export type Verdict =
  | { readonly state: 'proven'; readonly ready: number; readonly wanted: number; readonly unprovenImage?: string }
  | {
      readonly state: 'progressing';
      readonly ready: number;
      readonly wanted: number;
      readonly waitingFor: string;
      readonly freeing?: boolean;
      readonly suspect?: Diagnosis;
    }
  /** Doomed now; becomes a failure when it persists (two sightings, percentage budget). */
  | { readonly state: 'doomed'; readonly ready: number; readonly wanted: number; readonly diagnosis: Diagnosis }
  | { readonly state: 'failed'; readonly ready: number; readonly wanted: number; readonly diagnosis: Diagnosis }
  /** A newer version took the place of ours. */
  | { readonly state: 'superseded'; readonly by: string };
