/** Writes a plan: namespaces first, then everything else side by side; what fails holds back only itself. */
import { messageOf, UserError, type Problem } from '../contract/errors.ts';
import { KINDS, type KubeObject } from '../objects/types.ts';
import { MARKER, titleOf, type InstancePlan, type Plan, type Step } from '../plan/index.ts';
import { isNamespace, withContent } from './namespaces.ts';
import { pooled } from './pool.ts';
import { statusOf } from './ports.ts';
import { failure, write, type WriteOptions } from './write.ts';

/** Requests in flight. */
const WIDTH = 8;

export interface Executed {
  /** Of the instance whose steps failed. */
  readonly problems: readonly Problem[];
  /** The workload itself was written (or needed no write). */
  readonly workloadWritten: boolean;
  readonly at: number;
}

export interface ExecuteOptions extends WriteOptions {
  readonly now: () => number;
  /** Called when everything of an instance is written that is written at once; of two workloads side by side the rest follows. */
  readonly done: (plan: InstancePlan, executed: Executed) => void;
}

export function isWorkloadStep(step: Step, { rendered }: InstancePlan): boolean {
  return step.action !== 'delete' && step.object.kind === rendered.workload.kind && step.object.metadata.name === rendered.name;
}

/** What waits for the course of a bounce: a new workload beside the old ones, the autoscaler that follows it, the deletions. */
export function isForLater(step: Step, plan: InstancePlan): boolean {
  return (
    plan.rollout.kind === 'side-by-side' &&
    (step.action === 'delete' || step.object.kind === 'HorizontalPodAutoscaler' || (isWorkloadStep(step, plan) && step.action === 'create'))
  );
}

/** Steps of one instance in order. A companion that is refused does not hold back the workload: the verdict names it. */
async function executeInstance(plan: InstancePlan, options: ExecuteOptions): Promise<Executed> {
  const problems: Problem[] = [];
  let workloadWritten = true;
  for (const step of plan.steps) {
    if (isForLater(step, plan)) continue;
    const isWorkload = isWorkloadStep(step, plan);
    try {
      const found = await write(step, options);
      problems.push(...found);
      if (isWorkload && found.length > 0) workloadWritten = false;
    } catch (error) {
      if (!(error instanceof UserError) || statusOf(error) === undefined) throw error;
      problems.push(...failure(step, error));
      if (isWorkload) workloadWritten = false;
    }
  }
  return { problems, workloadWritten, at: options.now() };
}

/** Returns problems of shared objects. Throws when the server is lost for longer than the retries bear, or on cancellation. */
export async function execute(plan: Plan, record: KubeObject | undefined, options: ExecuteOptions): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  const missing = new Map<string, readonly Problem[]>();
  const shared = async (step: Step): Promise<void> => {
    try {
      problems.push(...(await write(await withContent(step, options.cluster), options)));
    } catch (error) {
      if (!(error instanceof UserError) || statusOf(error) === undefined) throw error;
      problems.push(...failure(step, error));
      if (step.object.kind === 'Namespace') missing.set(step.object.metadata.name, failure(step, error));
    }
  };
  await pooled(plan.namespaces.filter(isNamespace), WIDTH, shared);
  // Pods may need what a namespace holds from the beginning, above all pull secrets.
  await pooled(
    plan.namespaces.filter((step) => !isNamespace(step) && !missing.has(step.object.metadata.namespace ?? '')),
    WIDTH,
    shared,
  );
  if (record !== undefined) await writeRecord(record, options);
  const work: (() => Promise<void>)[] = [
    ...plan.shared.filter((s) => !missing.has(s.object.metadata.namespace ?? '')).map((step) => () => shared(step)),
    ...plan.instances
      .filter((i) => i.action !== 'blocked' && i.action !== 'left')
      .map((instance) => async () => {
        const without = missing.get(instance.rendered.namespace);
        options.done(
          instance,
          without === undefined
            ? await executeInstance(instance, options)
            : { problems: without, workloadWritten: false, at: options.now() },
        );
      }),
  ];
  await pooled(work, WIDTH, (job) => job());
  return problems;
}

/** The cluster's record of itself. Not being allowed to write it is no reason to stop. */
async function writeRecord(record: KubeObject, { cluster, log }: ExecuteOptions): Promise<void> {
  try {
    const namespace = record.metadata.namespace ?? '';
    if ((await cluster.get(KINDS.Namespace, undefined, namespace)) === undefined) {
      await cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels: { [MARKER.label]: MARKER.value } } });
    }
    await cluster.apply(record, { force: true });
  } catch (error) {
    if (!(error instanceof UserError) || statusOf(error) === undefined) throw error;
    log.debug(`${titleOf(record)} could not be written: ${messageOf(error)}`);
  }
}
