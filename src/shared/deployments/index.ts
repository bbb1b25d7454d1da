/** Which version every deploy group runs: from refs, from `deployments.json`, and the file's writer. Pure. */
export { controlIndex, controlStates, type ControlIndex, type ControlState } from './control.ts';
export { deploymentsFromFile } from './from-file.ts';
export { deploymentsFromRefs, type RefDeployments, type RefOptions } from './from-refs.ts';
export { deploymentsFile, generateDeployments, type Generated, type GroupedBranch } from './generate.ts';
export { marksByGroup, rollbacksOf, runningSince, type Mark, type MarksByGroup } from './marks.ts';
export { inByteOrder, malformedTags, peeledRefs } from './refs.ts';
export type * from './types.ts';
