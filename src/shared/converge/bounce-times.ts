/** Remembers on the workload how long its bounces took, for the plans that come. Only after a proven bounce: an unchanged pass writes nothing. */
import { messageOf, UserError } from '../contract/errors.ts';
import type { Log } from '../contract/ports.ts';
import type { KubeObject } from '../objects/types.ts';
import { rememberedBounces, titleOf, type InstancePlan } from '../plan/index.ts';
import { ANNOTATIONS } from '../workload/marks.ts';
import { statusOf, type ClusterAccess } from './ports.ts';

/** Owns the annotation alone, so that no apply of ours takes it away or sees it as a difference. */
export const HISTORY_MANAGER = 'paasta-history';

export interface BounceTimesOptions {
  readonly cluster: ClusterAccess;
  readonly log: Pick<Log, 'debug'>;
  readonly wrote: (object: KubeObject) => void;
}

export class BounceTimes {
  readonly #options: BounceTimesOptions;
  readonly #begun = new Map<string, { readonly plan: InstancePlan; readonly at: number }>();
  readonly #writing: Promise<void>[] = [];

  constructor(options: BounceTimesOptions) {
    this.#options = options;
  }

  /** Its workload was written. */
  began(plan: InstancePlan, at: number): void {
    if (plan.effect.bounces) this.#begun.set(`${plan.rendered.service}.${plan.rendered.instance}`, { plan, at });
  }

  /** It is proven; `at` is when its pods were. */
  proven(title: string, at: number): void {
    const known = this.#begun.get(title);
    if (known === undefined) return;
    this.#begun.delete(title);
    this.#writing.push(this.#write(known.plan, (at - known.at) / 1_000));
  }

  async #write({ rendered, effect }: InstancePlan, seconds: number): Promise<void> {
    const { cluster, log, wrote } = this.#options;
    const { apiVersion, kind, metadata } = rendered.workload;
    const value = rememberedBounces(effect.earlier ?? [], seconds);
    const body: KubeObject = {
      apiVersion,
      kind,
      metadata: {
        name: metadata.name,
        ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
        annotations: { [ANNOTATIONS.bounceSeconds]: value },
      },
    };
    try {
      const applied = await cluster.apply(body, { fieldManager: HISTORY_MANAGER, force: true });
      if (applied.outcome === 'applied') wrote(applied.object);
    } catch (error) {
      // It may be gone, or another version by now. Not to be able to write this is no failure of the bounce.
      if (!(error instanceof UserError) || statusOf(error) === undefined) throw error;
      log.debug(`${titleOf(rendered.workload)}: its bounce time could not be written: ${messageOf(error)}`);
    }
  }

  /** Until all of it is written. Never throws. */
  async finish(): Promise<void> {
    for (const outcome of await Promise.allSettled(this.#writing))
      if (outcome.status === 'rejected') this.#options.log.debug(`a bounce time could not be written: ${messageOf(outcome.reason)}`);
  }
}
