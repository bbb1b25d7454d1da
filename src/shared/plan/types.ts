/** The plan as a value: what would be written, why, and what would happen to the pods. */
import type { Problem } from '../contract/errors.ts';
import type { DeploymentVersion } from '../contract/deployment-version.ts';
import type { KubeObject } from '../objects/types.ts';
import type { RenderedInstance } from '../workload/types.ts';
import type { Amounts } from './amounts.ts';

/** Everything of the cluster that the plan is held against, by `objectKey`. */
export interface Observed {
  readonly objects: ReadonlyMap<string, KubeObject>;
}

/** Why something is written. */
export type Reason =
  | { readonly kind: 'new' }
  | { readonly kind: 'new-version'; readonly from: DeploymentVersion | undefined; readonly to: DeploymentVersion }
  /** Our configuration renders these fields differently now. */
  | { readonly kind: 'configuration'; readonly fields: readonly string[] }
  /** Somebody changed our fields in the cluster; they are put back. */
  | { readonly kind: 'drift'; readonly manager: string; readonly fields: readonly string[] }
  | { readonly kind: 'scale'; readonly from: number; readonly to: number }
  | { readonly kind: 'start'; readonly to: number }
  | { readonly kind: 'stop'; readonly from: number }
  /** A version of ours that renders or hashes otherwise than the one that wrote the object. */
  | { readonly kind: 'renderer'; readonly from: string; readonly to: string }
  | { readonly kind: 'adopt'; readonly owner: string }
  /** The old workload cannot become the new one: a second one takes its place. */
  | { readonly kind: 'rollout'; readonly why: RolloutWhy }
  /** `paasta restart`: same version and configuration, new pods. */
  | { readonly kind: 'restart' }
  /** Secrets of the environment have another content; by reference text such as `SECRET(db_password)`. */
  | { readonly kind: 'secrets'; readonly names: readonly string[] };

/** Requests and limits of all pods of an instance. */
export interface Usage {
  readonly before: Amounts;
  /** At most, while the bounce is under way. Pods that end count no more here; a ResourceQuota counts them until they are gone. */
  readonly peak: Amounts;
  readonly after: Amounts;
}

/** Pods that may be missing by the PodDisruptionBudget, against those that will be. */
export interface Budget {
  readonly allowed: number;
  readonly missing: number;
  readonly fits: boolean;
}

/** One line of a ResourceQuota that the plan draws on. */
export interface QuotaUse {
  readonly namespace: string;
  readonly quota: string;
  readonly resource: string;
  readonly hard: number;
  readonly used: number;
  /** More than now, of all instances together: at the peak of their bounces, and afterwards. */
  readonly peak: number;
  readonly after: number;
  /** `slower`: what is wanted fits, the surge only in part. */
  readonly fits: 'yes' | 'slower' | 'no';
  /** `service.instance` of those that want more. */
  readonly instances: readonly string[];
}

/** Why a second workload is put beside the one that runs, instead of changing it. */
export type RolloutWhy =
  | { readonly kind: 'upthendown' }
  | { readonly kind: 'kind'; readonly from: string; readonly to: string }
  | { readonly kind: 'namespace'; readonly from: string; readonly to: string }
  /** The API server lets nobody change these fields. */
  | { readonly kind: 'immutable'; readonly fields: readonly string[] }
  /** The workload that runs has a name that this version does not get. */
  | { readonly kind: 'name'; readonly from: string; readonly to: string };

/**
 * How the new version takes the place of the old one. `native`: the workload's own controller does it. `side-by-side`: the workload of
 * `rendered` stands beside the `old` ones, which are drained and deleted as the bounce method says.
 */
export type Rollout =
  { readonly kind: 'native' } | { readonly kind: 'side-by-side'; readonly why: RolloutWhy; readonly old: readonly KubeObject[] };

/** What the cluster will do to the pods. */
export interface Effect {
  /** Every pod is replaced. */
  readonly bounces: boolean;
  /** Pods that run today and will be replaced. */
  readonly replaced: number;
  /** Pods at most above the wanted count during the bounce. */
  readonly surge: number;
  /** Pods that serve at least during the bounce. */
  readonly minimumServing: number;
  /** Pods more (or less) than now, afterwards. */
  readonly difference: number;
  readonly usage?: Usage;
  readonly budget?: Budget;
  /** Seconds that earlier bounces took, the last one first. */
  readonly earlier?: readonly number[];
}

/** One write. */
export interface Step {
  readonly action: 'create' | 'update' | 'delete';
  /** `Deployment paasta/web-main`. */
  readonly title: string;
  /** Body of the server-side apply, without the fields that others own on purpose; of a deletion only what names the object. */
  readonly object: KubeObject;
  readonly reasons: readonly Reason[];
  /** Takes over fields: of hand edits, and of everybody when adopting. */
  readonly force: boolean;
  /** Replicas to set afterwards as the manager of counts; `undefined`: leave them. */
  readonly scaleTo?: number;
  /** Our apply is right as it is and only the count is to be set. */
  readonly scaleOnly?: boolean;
  /** The object as it was observed. */
  readonly live?: KubeObject;
  /** Ownership of its fields is to be taken over from those who wrote it before. */
  readonly adopts?: boolean;
  /** A StatefulSet whose fixed fields differ: it is deleted without its pods and claims, then made anew, which takes them over. */
  readonly recreates?: boolean;
}

/** What happens to one instance. */
export type InstanceAction =
  | 'create'
  | 'update'
  | 'scale'
  | 'start'
  | 'stop'
  | 'unchanged'
  | 'blocked'
  /** The rate limit leaves it to the next pass. */
  | 'left';

export interface InstancePlan {
  /** With the name, selector and autoscaler's target that the wanted workload really gets. */
  readonly rendered: RenderedInstance;
  readonly rollout: Rollout;
  readonly action: InstanceAction;
  readonly reasons: readonly Reason[];
  readonly effect: Effect;
  /** In the order in which they must be done; empty when unchanged or blocked. */
  readonly steps: readonly Step[];
  /** Why it is blocked. */
  readonly problems: readonly Problem[];
  /** What would stand in its way: quotas, limits and refusals of the API server, as far as they were looked at. */
  readonly foreseen?: readonly Problem[];
}

export interface Plan {
  readonly cluster: string;
  /** Namespaces: before everything else. */
  readonly namespaces: readonly Step[];
  /** Services of registrations, shared by instances. */
  readonly shared: readonly Step[];
  readonly instances: readonly InstancePlan[];
  /** Of shared objects; those of instances are with the instance. */
  readonly problems: readonly Problem[];
  /** Quotas of the namespaces that change; absent when they were not looked at. */
  readonly quotas?: readonly QuotaUse[];
}

export interface PlanOptions {
  readonly cluster: string;
  /** Take over objects and fields that others own. */
  readonly adopt: boolean;
  readonly namespaces: readonly KubeObject[];
  readonly services: readonly KubeObject[];
  /** Instances that one pass changes at most; 0 or absent: all. PaaSTA: `--rate-limit`. */
  readonly rateLimit?: number;
}
