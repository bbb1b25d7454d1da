/** The rules of writing tags. */
export {
  controlEffect,
  controlInstances,
  type ControlOutcome,
  type ControlPorts,
  type ControlRequest,
  type ControlResult,
  type ControlState,
  type ControlTarget,
  type ControlVerb,
} from './control.ts';
export { selectControlled, sharedControls, type ControlSelection, type ControlTargets } from './control-select.ts';
export { markDeployGroup } from './mark.ts';
export { marksOf, rollbacksOf } from './newest.ts';
export { findPlace, type FoundPlace, type PlaceDoors, type PlaceQuestion } from './place.ts';
export type { CommitRelation, ImageCheck, Mark, MarkOutcome, MarkPorts, MarkRegistry, MarkRepository, MarkRequest } from './types.ts';
