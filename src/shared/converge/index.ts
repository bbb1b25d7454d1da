/** Makes a cluster what git says, and proves it. */
export { converge } from './converge.ts';
export type { ConvergeRequest, Mode } from './request.ts';
export { clusterSettings, type ClusterSettings } from './guard.ts';
export type * from './ports.ts';
export { observeEarly, type EarlySight } from './observe.ts';
export { placeOf } from './wishes.ts';
export { isGood, type ConvergeResult, type InstanceResult, type InstanceState } from '../report/deploy-results.ts';
export { makesCronJobs } from './jobs.ts';
export { select, type Selected, type Selection } from './select.ts';
