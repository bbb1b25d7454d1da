/** PaaSTA's bounce library: decisions and exact arithmetic. Pure. */
export { ceilOfProduct, floorOfProduct, neededReplicas, percentLeft, percentOf } from './arithmetic.ts';
export { isSuccessCode } from './drain.ts';
export { BOUNCE_METHODS, bounceDecision, maxUnavailable, parseBounceMethod, type BounceDecision, type BounceMethodName, type BounceState } from './methods.ts';
export { deployStatus, replication, type DeployStatus, type ReplicaCounts, type Replication } from './status.ts';
