/** Why one pod does not become ready: its containers, or that it cannot be placed or get its volumes. */
import type { Event, Pod } from '../objects/types.ts';
import { containerDoom, type Doom } from './containers.ts';
import { eventTime } from './events.ts';
import { argument, plainText } from './text.ts';

/** Schedulers need a moment; a pod that is unplaced for longer waits for something. */
const UNPLACED = 15_000;
/** Adding a node takes minutes: while an autoscaler is at it, waiting is right. */
const SCALE_UP = 10 * 60_000;
const MOUNT = 15_000;

function unschedulable(pod: Pod, events: readonly Event[], now: number): Doom | undefined {
  const condition = (pod.status?.conditions ?? []).find((c) => c.type === 'PodScheduled');
  if (condition?.status !== 'False' || condition.reason === 'SchedulingGated') return undefined;
  const since = Date.parse(condition.lastTransitionTime ?? pod.metadata.creationTimestamp ?? '');
  if (!(now - since >= UNPLACED)) return undefined;
  // Somebody makes room: a node is coming, or other pods are being preempted for this one.
  if (pod.status?.['nominatedNodeName'] !== undefined) return undefined;
  if (events.some((event) => event.reason === 'TriggeredScaleUp' && now - eventTime(event) < SCALE_UP)) return undefined;
  const said = plainText(
    condition.message ?? events.findLast((event) => event.reason === 'FailedScheduling')?.message ?? 'the scheduler gives no reason',
    500,
  );
  if (/PersistentVolumeClaim|persistentvolumeclaim|volume node affinity/.test(said)) {
    return {
      code: 'UNSCHEDULABLE',
      cause: `The pod waits for its volume: ${said}`,
      next: `See why its claim gets none (storage class, zone, capacity of persistent_volumes): kubectl -n ${argument(pod.metadata.namespace ?? 'default')} describe pvc`,
      inCommit: false,
    };
  }
  return {
    code: 'UNSCHEDULABLE',
    cause: `No node can take the pod: ${said}`,
    next: `Ask for less (cpus, mem, pool, constraints in soa-configs) or add nodes: kubectl -n ${argument(pod.metadata.namespace ?? 'default')} describe pod ${argument(pod.metadata.name)}`,
    inCommit: false,
  };
}

/** A volume that cannot be mounted because what it names does not exist; other mount errors are retried by the node. */
function unmounted(pod: Pod, events: readonly Event[], now: number): Doom | undefined {
  const failure = events.findLast(
    (event) => event.reason === 'FailedMount' && /not found|references non-existent/i.test(event.message ?? ''),
  );
  const waiting = (pod.status?.containerStatuses ?? []).every((status) => status.state?.waiting !== undefined);
  if (failure === undefined || !waiting || now - Date.parse(pod.metadata.creationTimestamp ?? '') < MOUNT || (failure.count ?? 1) < 2)
    return undefined;
  return {
    code: 'CONTAINER_CONFIG',
    cause: `A volume of the pod cannot be mounted: ${plainText(failure.message ?? '', 400)}`,
    next: `Create what the message names, or correct the volumes in soa-configs: kubectl -n ${argument(pod.metadata.namespace ?? 'default')} describe pod ${argument(pod.metadata.name)}`,
    inCommit: false,
  };
}

/** `undefined`: nothing stops the pod; it is still on its way. `events` are those of this pod. */
export function podDoom(pod: Pod, mainContainer: string, events: readonly Event[], now: number): Doom | undefined {
  return unschedulable(pod, events, now) ?? containerDoom(pod, mainContainer, events, now) ?? unmounted(pod, events, now);
}
