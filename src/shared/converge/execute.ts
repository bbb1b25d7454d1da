/** Writes a plan: namespaces first, then everything else side by side; what fails holds back only itself. */
import { messageOf, problem, UserError, type Problem } from '../contract/errors.ts';
import type { Log } from '../contract/ports.ts';
import { KINDS, type KubeObject } from '../objects/types.ts';
import { MANAGER, MARKER, describeReason, isHandEdit, titleOf, type InstancePlan, type Plan, type Step } from '../plan/index.ts';
import { pooled } from './pool.ts';
import { statusOf, type Applied, type ClusterAccess } from './ports.ts';
import { takeOwnership } from './ownership.ts';

/** Requests in flight. */
const WIDTH = 8;
/** Owns replica counts that an autoscaler changes afterwards. */
const SCALE_MANAGER = 'paasta-scale';

export interface Executed {
  /** Of the instance whose steps failed. */
  readonly problems: readonly Problem[];
  /** The workload itself was written (or needed no write). */
  readonly workloadWritten: boolean;
  readonly at: number;
}

export interface ExecuteOptions {
  readonly cluster: ClusterAccess;
  readonly log: Log;
  readonly now: () => number;
  readonly wrote: (object: KubeObject) => void;
  readonly done: (plan: InstancePlan, executed: Executed) => void;
}

function failure(step: Step, error: unknown): readonly Problem[] {
  if (error instanceof UserError) return error.problems;
  return [problem('WRITE_FAILED', `${step.title}: ${messageOf(error)}`)];
}

async function write(step: Step, { cluster, log, wrote }: ExecuteOptions): Promise<readonly Problem[]> {
  log.debug(`write ${step.title}: ${step.reasons.map(describeReason).join('; ') || 'count'}${step.force ? ' (forced)' : ''}`);
  if (step.adopts === true && step.live !== undefined) await takeOwnership(cluster, step.live, MANAGER);
  if (step.scaleTo !== undefined && step.action === 'update') await setReplicas(cluster, step.object, step.scaleTo, wrote);
  if (step.scaleOnly !== true) {
    const applied = await applyOver(step, cluster);
    if (applied.outcome === 'conflict') {
      return applied.conflicts.map(({ manager, field }) =>
        problem('FIELD_CONFLICT', `${step.title}: ${field} belongs to ${manager}, which gave it another value`, { hint: `stop ${manager} from setting it, or set adopt: true to take the field over` }),
      );
    }
    wrote(applied.object);
    for (const text of applied.warnings) log.info(`${step.title}: the API server warns: ${text}`);
  }
  if (step.scaleTo !== undefined && step.action === 'create') await setReplicas(cluster, step.object, step.scaleTo, wrote);
  return [];
}

/**
 * An edit by hand can stand beside our fields so that both together are invalid (a second port of the same name): then what was
 * added by hand goes.
 */
async function applyOver(step: Step, cluster: ClusterAccess): Promise<Applied> {
  try {
    return await cluster.apply(step.object, { force: step.force });
  } catch (error) {
    if (statusOf(error) !== 422 || step.live === undefined || step.adopts === true) throw error;
    if (!(await takeOwnership(cluster, step.live, MANAGER, isHandEdit))) throw error;
    return cluster.apply(step.object, { force: true });
  }
}

/** As a manager of its own, so that leaving the field out of our apply neither resets nor fights it. */
async function setReplicas(cluster: ClusterAccess, object: KubeObject, replicas: number, wrote: (object: KubeObject) => void): Promise<void> {
  const { name, namespace } = object.metadata;
  const body: KubeObject = { apiVersion: object.apiVersion, kind: object.kind, metadata: { name, ...(namespace === undefined ? {} : { namespace }) }, spec: { replicas } };
  const applied = await cluster.apply(body, { fieldManager: SCALE_MANAGER, force: true });
  if (applied.outcome === 'applied') wrote(applied.object);
}

/** Steps of one instance in order. A companion that is refused does not hold back the workload: the verdict names it. */
async function executeInstance(plan: InstancePlan, options: ExecuteOptions): Promise<Executed> {
  const problems: Problem[] = [];
  let workloadWritten = true;
  for (const step of plan.steps) {
    const isWorkload = step.object.kind === plan.rendered.workload.kind && step.object.metadata.name === plan.rendered.name;
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
      problems.push(...(await write(step, options)));
    } catch (error) {
      if (!(error instanceof UserError) || statusOf(error) === undefined) throw error;
      problems.push(...failure(step, error));
      if (step.object.kind === 'Namespace') missing.set(step.object.metadata.name, failure(step, error));
    }
  };
  await pooled(plan.namespaces, WIDTH, shared);
  if (record !== undefined) await writeRecord(record, options);
  const work: (() => Promise<void>)[] = [
    ...plan.shared.filter((s) => !missing.has(s.object.metadata.namespace ?? '')).map((step) => () => shared(step)),
    ...plan.instances
      .filter((i) => i.action !== 'blocked')
      .map((instance) => async () => {
        const without = missing.get(instance.rendered.namespace);
        options.done(instance, without === undefined ? await executeInstance(instance, options) : { problems: without, workloadWritten: false, at: options.now() });
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
