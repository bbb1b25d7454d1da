/** Desired objects against observed ones: what would be written, why, and what it does to the pods. */
export { bounceEffect, podsOf } from './effect.ts';
export { abandoned, differences, ownersOf } from './fields.ts';
export { configHashOf, isOurs, keyFor, makerOf, MANAGER, MARKER, objectKey, replicasOf, titleOf, versionLabels } from './marks.ts';
export { allSteps, carryOver, makePlan, planHash } from './plan.ts';
export { quantity, sameQuantity } from '../contract/quantity.ts';
export { blockedProblem, compare, isHandEdit } from './steps.ts';
export type * from './types.ts';
export { describeEffect, describeReason } from './words.ts';
