/** Desired objects against observed ones: what would be written, why, and what it does to the pods. */
export { bounceEffect, podsOf } from './effect.ts';
export { abandoned, differences, ownersOf } from './fields.ts';
export {
  configHashOf,
  isOurs,
  keyFor,
  makerOf,
  MANAGER,
  MARKER,
  objectKey,
  replicasOf,
  SCALE_MANAGER,
  titleOf,
  versionLabels,
} from './marks.ts';
export { isLeaving, liveIndex, liveWorkloads, type LiveIndex } from './identity.ts';
export { surgeBeside } from './rollout.ts';
export { notedRestart, notedSignatures } from './occasions.ts';
export { foreignInstance } from './collisions.ts';
export { keepHash } from './adoption.ts';
export { carryOver, makePlan } from './plan.ts';
export { quantity, sameQuantity } from '../contract/quantity.ts';
export { completeEffect, earlierBounces, rememberedBounces } from './effect.ts';
export { foresee, type Limits, type Rehearsed } from './foresight.ts';
export { allSteps, planHash, stepDigest } from './hash.ts';
export { podAmounts, podSpecOf, type Amounts } from './amounts.ts';
export { blockedProblem, compare, isHandEdit } from './steps.ts';
export type * from './types.ts';
export { describeEffect, describeReason, describeRollout } from './words.ts';
