/** One write: server-side apply, counts as a manager of their own, deletions. */
import { messageOf, problem, UserError, type Problem } from '../contract/errors.ts';
import type { Log } from '../contract/ports.ts';
import { KINDS, type KindName, type KubeObject } from '../objects/types.ts';
import { MANAGER, SCALE_MANAGER, describeReason, differences, isHandEdit, replicasOf, titleOf, type Step } from '../plan/index.ts';
import { statusOf, type Applied, type ClusterAccess } from './ports.ts';
import { takeOwnership } from './ownership.ts';

export interface WriteOptions {
  readonly cluster: ClusterAccess;
  readonly log: Log;
  /** Called with what the API server answered. */
  readonly wrote: (object: KubeObject) => void;
  /** Called with an object that was deleted, or was gone already. */
  readonly removed: (object: KubeObject) => void;
  /** Milliseconds. Throws when the run is cancelled. */
  readonly pause: (milliseconds: number) => Promise<void>;
}

/** The garbage collector lets go of the pods before an object is gone that is deleted without them. */
const [GONE_TRIES, GONE_PAUSE] = [100, 300];

/** What a refused step says. */
export function failure(step: Step, error: unknown): readonly Problem[] {
  if (error instanceof UserError) return error.problems;
  return [problem('WRITE_FAILED', `${step.title}: ${messageOf(error)}`)];
}

/** Returns problems of a conflict. Throws what the API server refuses. */
export async function write(step: Step, options: WriteOptions): Promise<readonly Problem[]> {
  const { cluster, log, wrote } = options;
  log.debug(
    `${step.action === 'delete' ? 'delete' : 'write'} ${step.title}: ${step.reasons.map(describeReason).join('; ') || 'count'}${step.force ? ' (forced)' : ''}`,
  );
  if (step.action === 'delete') {
    await remove(step.live ?? step.object, options);
    return [];
  }
  // Its pods stay, and so do their volumes: the new object of the same name takes them over.
  if (step.recreates === true && step.live !== undefined) await removeAlone(step.live, options);
  if (step.adopts === true && step.recreates !== true && step.live !== undefined)
    await takeOwnership(cluster, step.live, MANAGER, undefined, step.object.spec?.['replicas'] === undefined);
  const starts =
    step.scaleTo !== undefined &&
    step.scaleTo > 0 &&
    (step.action === 'create' || (step.live !== undefined && replicasOf(step.live) === 0));
  if (step.scaleTo !== undefined && !starts) await setReplicas(cluster, step.object, step.scaleTo, wrote);
  if (step.scaleOnly !== true) {
    const applied = await applyOver(step, cluster);
    if (applied.outcome === 'conflict') {
      return applied.conflicts.map(({ manager, field }) =>
        problem('FIELD_CONFLICT', `${step.title}: ${field} belongs to ${manager}, which gave it another value`, {
          hint: `stop ${manager} from setting it, or set adopt: true to take the field over`,
        }),
      );
    }
    wrote(applied.object);
    for (const text of applied.warnings) log.info(`${step.title}: the API server warns: ${text}`);
    const rewritten = differences(step.object, applied.object);
    if (rewritten.length > 0)
      log.info(
        `${step.title}: the cluster keeps another value than ours in ${rewritten.slice(0, 5).join(', ')}${rewritten.length > 5 ? ', …' : ''}: an admission webhook changes it, and every run will find it different`,
      );
  }
  // What starts gets its count last: pods of what stood there before would be made otherwise.
  if (step.scaleTo !== undefined && starts) await setReplicas(cluster, step.object, step.scaleTo, wrote);
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
    if (!(await takeOwnership(cluster, step.live, MANAGER, isHandEdit, step.object.spec?.['replicas'] === undefined))) throw error;
    return cluster.apply(step.object, { force: true });
  }
}

/** As a manager of its own, so that leaving the field out of our apply neither resets nor fights it. */
export async function setReplicas(
  cluster: ClusterAccess,
  object: KubeObject,
  replicas: number,
  wrote: (object: KubeObject) => void,
): Promise<void> {
  const { name, namespace, uid } = object.metadata;
  // With the uid in it an object that is gone is not made anew.
  const metadata = { name, ...(namespace === undefined ? {} : { namespace }), ...(uid === undefined ? {} : { uid }) };
  const body: KubeObject = { apiVersion: object.apiVersion, kind: object.kind, metadata, spec: { replicas } };
  const applied = await cluster.apply(body, { fieldManager: SCALE_MANAGER, force: true });
  if (applied.outcome === 'applied') wrote(applied.object);
}

/** Deletes a workload and leaves its pods and volumes. Ends when its name is free. */
async function removeAlone(live: KubeObject, options: WriteOptions): Promise<void> {
  await remove(live, options, 'Orphan');
  const { name, namespace, uid } = live.metadata;
  for (let tries = 0; tries < GONE_TRIES; tries++) {
    const now = await options.cluster.get(KINDS[live.kind as KindName], namespace, name);
    if (now === undefined || now.metadata.uid !== uid) return;
    await options.pause(GONE_PAUSE);
  }
}

/** With the uid in it nothing is deleted that somebody made anew under the same name. */
export async function remove(
  live: KubeObject,
  { cluster, log, removed }: WriteOptions,
  propagation: 'Foreground' | 'Orphan' = 'Foreground',
): Promise<void> {
  const { name, namespace, uid } = live.metadata;
  try {
    await cluster.delete(KINDS[live.kind as KindName], namespace, name, { propagation, ...(uid === undefined ? {} : { uid }) });
  } catch (error) {
    if (statusOf(error) !== 409) throw error;
    log.debug(`${titleOf(live)} is another one by now: it stays`);
    return;
  }
  removed(live);
}
