/** What a stage needs of the job or the terminal that it runs in. */
export { createActionRuntime, type OwnedRuntime } from './action-runtime.ts';
export { currentCommit, currentService, originUrl, requireService, uncommittedFiles } from './checkout.ts';
export { systemClock } from './clock.ts';
export { keepHeapSmall } from './heap.ts';
export * from './inputs.ts';
export { inRepository, inTrees, placing } from './placing.ts';
export { CANCELLED, conclude, problemsSummary, runAction, runMain } from './run-action.ts';
