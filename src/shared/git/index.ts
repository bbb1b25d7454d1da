/** Git over its own protocol, through the `git` executable. */
export { parseGitUrl } from './address.ts';
export type { GitAddress } from './address.ts';
export { hasCommit, headCommit, isShallow, relationIn, remoteUrl } from './checkout.ts';
export type { CommitRelation } from './checkout.ts';
export { connectGit } from './remote.ts';
export type { GitOptions, GitRemote, Ref } from './remote.ts';
export { gitDirectory, newestPackedMark, packedRefs } from './packed-refs.ts';
export type { NewestMark } from './packed-refs.ts';
