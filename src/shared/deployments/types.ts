/** Which version every deploy group runs, and whether instances are started. Written by marks, read by deploy. */
import type { DeploymentVersion } from '../contract/deployment-version.ts';
import type { Problem } from '../contract/errors.ts';
import type { Ref } from '../contract/ref.ts';

export type { Ref };

export interface Deployed extends DeploymentVersion {
  /** Registry-relative image: `services-<service>:paasta-<sha>[-<image version>]`. */
  readonly dockerImage: string;
}

export interface Control {
  readonly desiredState: 'start' | 'stop';
  /** Opaque token that is mixed into the config hash; `null` when none. */
  readonly forceBounce: string | null;
}

/** Answers for one service, from refs or from deployments.json (both give the same answers). */
export interface Deployments {
  readonly service: string;
  /** Where the answers come from, for messages: `deployments.json` or the repository. */
  readonly source: string;
  /** `undefined`: the group was never marked. */
  version(deployGroup: string): Deployed | undefined;
  /**
   * State of a control branch `<cluster>.<instance>`; started without a token when nobody said otherwise.
   * `deployGroup` is the instance's group (the branch itself when it is not given): a stop counts while that group runs what it was said about.
   */
  control(branch: string, deployGroup?: string): Control;
  readonly problems: readonly Problem[];
}
