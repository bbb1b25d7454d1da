/** What a pass is asked to do. */
import type { Plan } from '../plan/index.ts';
import type { SoaConfigs, SystemConfig } from '../soa-configs/types.ts';
import type { RenderOptions } from '../workload/index.ts';
import type { EarlySight } from './observe.ts';
import type { Selection } from './select.ts';

/** `plan` writes nothing; `apply` writes and waits; `wait` waits for what is marked without writing. */
export type Mode = 'plan' | 'apply' | 'wait';

export interface ConvergeRequest {
  readonly selection: Selection;
  readonly mode: Mode;
  readonly adopt: boolean;
  /** Milliseconds to wait for verdicts. */
  readonly timeout: number;
  /** Milliseconds for which the proof of a bounce must hold; 0 or absent: the first one counts. */
  readonly stability?: number;
  /** Instances that this run changes at most; 0 or absent: all. */
  readonly rateLimit?: number;
  readonly soa: SoaConfigs;
  readonly system: SystemConfig;
  readonly options: RenderOptions;
  /** A look at the cluster that was begun before soa-configs were read. */
  readonly early?: EarlySight;
  /** Called with the plan before anything is written. */
  readonly onPlan?: (plan: Plan, hash: string) => Promise<void> | void;
}
