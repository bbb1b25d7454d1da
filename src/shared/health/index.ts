/** Judging whether an instance runs what it should, and why not. Pure: objects in, verdict out. */
export { judgeCompanion, servingLabels, type CompanionVerdict } from './companions.ts';
export { judge } from './judge.ts';
export { NO_HISTORY, settle, type History, type Settled } from './settle.ts';
export { standing, type Standing } from './standing.ts';
export { plainText } from './text.ts';
export type * from './types.ts';
export { readyByVersion } from './versions.ts';
export { NO_PROOF, watchProof, type Proof, type Watched } from './stability.ts';
