/** PaaSTA's bounce library: decisions and exact arithmetic. Pure. */
export { ceilOfProduct, floorOfProduct, neededReplicas, percentLeft, percentOf } from './arithmetic.ts';
export { isSuccessCode } from './drain.ts';
export {
  HTTP_DRAIN_CALLS,
  readDrainMethod,
  type DrainFault,
  type DrainMethod,
  type HttpDrainCall,
  type HttpMethod,
  type UrlSpec,
} from './drain-params.ts';
export { podUrl, type PodUrl, type UrlValues } from './drain-url.ts';
export {
  downForm,
  isDrainingInHacheck,
  isSafeInHacheck,
  spoolState,
  spoolUrl,
  UP_FORM,
  type HacheckParams,
  type SpoolState,
} from './hacheck.ts';
export {
  BOUNCE_METHODS,
  bounceDecision,
  maxUnavailable,
  parseBounceMethod,
  type BounceDecision,
  type BounceMethodName,
  type BounceState,
} from './methods.ts';
export { deployStatus, replication, type DeployStatus, type ReplicaCounts, type Replication } from './status.ts';
