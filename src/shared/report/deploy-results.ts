/** What a deploy says about every instance; made by converge, rendered here. */
import type { DeploymentVersion } from '../contract/deployment-version.ts';
import type { Problem } from '../contract/errors.ts';
import type { Diagnosis, ReadyPods } from '../health/types.ts';
import type { InstanceAction, Plan } from '../plan/types.ts';
import type { DrainProof } from './drain-proof.ts';

export type InstanceState =
  /** Nothing was to be done and it is proven healthy. */
  | 'unchanged'
  /** Written and proven. */
  | 'deployed'
  /** Stopped on purpose. */
  | 'stopped'
  /** Only planned. */
  | 'planned'
  | 'failed'
  | 'timeout'
  /** The rate limit leaves it to the next pass. */
  | 'left'
  /** Left alone: somebody else's object or field. */
  | 'blocked'
  /** A newer version took its place: not our failure. */
  | 'superseded'
  | 'cancelled'
  /** Its deploy group was never marked. */
  | 'not-marked';

export interface InstanceResult {
  readonly service: string;
  readonly instance: string;
  readonly cluster: string;
  readonly deployGroup: string;
  readonly state: InstanceState;
  readonly action: InstanceAction | 'none';
  readonly reasons: readonly string[];
  readonly effect: string;
  readonly version: DeploymentVersion | undefined;
  readonly image: string | undefined;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly ready: number;
  readonly wanted: number;
  /** Milliseconds from the write to the verdict. */
  readonly duration: number;
  readonly diagnosis: Diagnosis | undefined;
  /** Of one that failed or timed out: its ready pods, whatever their version. Absent when nobody looked. */
  readonly stillReady?: readonly ReadyPods[];
  /** Last lines of the container's log, as it wrote them. */
  readonly log: readonly string[];
  readonly problems: readonly Problem[];
  /** Of the pods that ended; absent when none was seen that had served. */
  readonly drain?: DrainProof;
  /** What superseded it. */
  readonly supersededBy?: string;
  /** Of the instance in soa-configs. */
  readonly file: string | undefined;
  readonly line: number | undefined;
}

export interface ConvergeResult {
  readonly cluster: string;
  readonly plan: Plan | undefined;
  readonly planHash: string;
  readonly instances: readonly InstanceResult[];
  /** Of the run as a whole: shared objects, kinds that may not be read. */
  readonly problems: readonly Problem[];
  /** Writes that changed something. */
  readonly writes: number;
  readonly requests: { readonly reads: number; readonly writes: number };
  readonly cancelled: boolean;
  readonly duration: number;
}

const GOOD: ReadonlySet<InstanceState> = new Set(['unchanged', 'deployed', 'stopped', 'planned', 'superseded', 'not-marked', 'left']);

export function isGood(result: InstanceResult): boolean {
  return GOOD.has(result.state) && !result.problems.some((p) => p.severity === 'error');
}
