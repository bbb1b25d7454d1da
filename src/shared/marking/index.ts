/** The rules of writing tags. */
export { markDeployGroup } from './mark.ts';
export { marksOf, rollbacksOf } from './newest.ts';
export type { CommitRelation, ImageCheck, Mark, MarkOutcome, MarkPorts, MarkRegistry, MarkRepository, MarkRequest } from './types.ts';
