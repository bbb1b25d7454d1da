/** The plan as a value: what would be written, why, and what would happen to the pods. */
import type { Problem } from '../contract/errors.ts';
import type { DeploymentVersion } from '../contract/deployment-version.ts';
import type { KubeObject } from '../objects/types.ts';
import type { RenderedInstance } from '../workload/types.ts';

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
  | { readonly kind: 'adopt'; readonly owner: string };

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
}

/** One write. */
export interface Step {
  readonly action: 'create' | 'update';
  /** `Deployment paasta/web-main`. */
  readonly title: string;
  /** Body of the server-side apply; without the fields that others own on purpose. */
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
}

/** What happens to one instance. */
export type InstanceAction = 'create' | 'update' | 'scale' | 'start' | 'stop' | 'unchanged' | 'blocked';

export interface InstancePlan {
  readonly rendered: RenderedInstance;
  readonly action: InstanceAction;
  readonly reasons: readonly Reason[];
  readonly effect: Effect;
  /** In the order in which they must be done; empty when unchanged or blocked. */
  readonly steps: readonly Step[];
  /** Why it is blocked. */
  readonly problems: readonly Problem[];
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
}

export interface PlanOptions {
  readonly cluster: string;
  /** Take over objects and fields that others own. */
  readonly adopt: boolean;
  readonly namespaces: readonly KubeObject[];
  readonly services: readonly KubeObject[];
}
