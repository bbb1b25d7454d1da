/** Makes a cluster what git says, and proves it. */
export { converge, type ConvergeRequest, type Mode } from './converge.ts';
export { placeOf } from './desired.ts';
export { clusterSettings, type ClusterSettings } from './guard.ts';
export type * from './ports.ts';
export { isGood, type ConvergeResult, type InstanceResult, type InstanceState } from '../report/deploy-results.ts';
export { select, type Selected, type Selection } from './select.ts';
