/**
 * Verdict on one instance at one moment (design §5.16–17). Success is proof: the workload is the one that we applied, its
 * controller has seen it, no other version is left, enough pods are ready, and they run our image.
 */
import { neededReplicas } from '../bounce/arithmetic.ts';
import { paastaPrefixed, YELP_PREFIXES } from '../contract/names.ts';
import type { Condition, Event, KubeObject, Pod } from '../objects/types.ts';
import { endsOf, type Doom } from './containers.ts';
import { eventTexts, eventsOf } from './events.ts';
import { podDoom } from './pods.ts';
import { eventRefusal, reportedRefusal } from './refusals.ts';
import { argument, plainText } from './text.ts';
import type { Diagnosis, Evidence, Expectation, FailureCode, Verdict } from './types.ts';
import { describeVersion, isActive, isGone, isOurs, isOverdue, isReady, isTerminating, templateLabels } from './versions.ts';

const DEFAULT_DOOMED_SHARE = 0.1;
/** When pods fail for different reasons: the one that says most comes first. */
const RANK: readonly FailureCode[] = [
  'IMAGE_NOT_FOUND',
  'CONTAINER_CONFIG',
  'CONTAINER_CANNOT_RUN',
  'OOM_KILLED',
  'CRASH_LOOP',
  'PROBE_FAILING',
  'IMAGE_PULL_FAILED',
  'UNSCHEDULABLE',
];

/** What `judge` has worked out about the pods. */
interface Scene {
  readonly expectation: Expectation;
  readonly evidence: Evidence;
  readonly workload: KubeObject;
  readonly now: number;
  readonly namespace: string;
  readonly wanted: number;
  readonly needed: number;
  /** Our version's pods that count: neither terminating nor evicted. */
  readonly ours: readonly Pod[];
  readonly ready: readonly Pod[];
  /** Pods of other versions that still exist. */
  readonly others: readonly Pod[];
  /** Causes of our pods that are not ready, most frequent first; worked out when first asked for. */
  causes(): readonly Cause[];
}

interface Cause {
  readonly doom: Doom;
  readonly pods: readonly Pod[];
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}

function conditionsOf(object: KubeObject): readonly Condition[] {
  const list = object.status?.['conditions'];
  return Array.isArray(list) ? (list as readonly Condition[]) : [];
}

/** A number under `spec.path` or `status.path`. */
function numberAt(part: Readonly<Record<string, unknown>> | undefined, key: string): number | undefined {
  const value = part?.[key];
  return typeof value === 'number' ? value : undefined;
}

/**
 * Judges an instance. `now` is in milliseconds since the epoch. Whether something doomed has failed is up to `settle`:
 * it needs a second look.
 */
export function judge(expectation: Expectation, evidence: Evidence, now: number): Verdict {
  const { workload, newer, oldPods = [] } = evidence;
  if (newer !== undefined && !isOurs(newer.metadata.labels, expectation))
    return { state: 'superseded', by: describeVersion(newer.metadata.labels, expectation) };
  if (workload === undefined) {
    const waitingFor = oldPods.length > 0 ? `${plural(oldPods.length, 'old pod')} to go first` : 'the workload to be created';
    return { state: 'progressing', ready: 0, wanted: expectation.replicas, waitingFor, freeing: oldPods.some(isTerminating) };
  }
  const generation = workload.metadata.generation;
  const scene = sceneOf(expectation, evidence, workload, now);
  const progressing = (waitingFor: string, suspect?: Diagnosis): Verdict => ({
    state: 'progressing',
    ready: scene.ready.length,
    wanted: scene.wanted,
    waitingFor,
    freeing: scene.others.some(isTerminating),
    ...(suspect === undefined ? {} : { suspect }),
  });

  if (expectation.generation !== undefined && generation !== undefined && generation < expectation.generation)
    return progressing('an answer of the API server that is newer than our write');
  if (!isOurs(workload.metadata.labels, expectation))
    return { state: 'superseded', by: describeVersion(workload.metadata.labels, expectation) };
  if (isTerminating(workload)) return progressing('the workload, which is being deleted, to be gone');
  const observed = numberAt(workload.status, 'observedGeneration');
  if (generation !== undefined && (observed === undefined || observed < generation)) return progressing('the cluster to notice the change');

  const missing = unproven(scene);
  if (missing === undefined) {
    const image = unprovenImage(scene);
    return { state: 'proven', ready: scene.ready.length, wanted: scene.wanted, ...(image === undefined ? {} : { unprovenImage: image }) };
  }
  const diagnosis = diagnose(scene);
  if (diagnosis !== undefined) return { state: 'doomed', ready: scene.ready.length, wanted: scene.wanted, diagnosis };
  return progressing(missing, suspectOf(scene));
}

function sceneOf(expectation: Expectation, evidence: Evidence, workload: KubeObject, now: number): Scene {
  const live = numberAt(workload.spec, 'replicas');
  const wanted = expectation.autoscaled === true && live !== undefined && expectation.replicas > 0 ? live : expectation.replicas;
  const ours: Pod[] = [];
  const others: Pod[] = [];
  for (const pod of evidence.pods) {
    if (isGone(pod)) continue;
    if (!isOurs(pod.metadata.labels, expectation)) {
      if (!isOverdue(pod, now)) others.push(pod);
    } else if (!isTerminating(pod)) ours.push(pod);
  }
  for (const pod of evidence.oldPods ?? []) if (!isGone(pod) && !isOverdue(pod, now)) others.push(pod);
  let causes: readonly Cause[] | undefined;
  return {
    expectation,
    evidence,
    workload,
    now,
    namespace: workload.metadata.namespace ?? 'default',
    wanted,
    // Pods below the partition of a StatefulSet are not to be ours.
    needed: Math.min(neededReplicas(wanted, expectation.marginFactor), Math.max(0, wanted - partitionOf(workload))),
    ours,
    ready: ours.filter(isReady),
    others,
    causes: () => (causes ??= podCauses(expectation, ours, evidence.events, now)),
  };
}

/** What is missing for the proof, for people; `undefined`: nothing. */
function unproven(scene: Scene): string | undefined {
  const { expectation, evidence, ready, wanted, needed, workload } = scene;
  if (wanted === 0) {
    const left =
      scene.ours.length +
      scene.others.length +
      evidence.pods.filter(
        (pod) => isOurs(pod.metadata.labels, expectation) && isTerminating(pod) && !isGone(pod) && !isOverdue(pod, scene.now),
      ).length;
    return left === 0 ? oldWorkload(evidence) : `${plural(left, 'pod')} to stop`;
  }
  if (ready.length < needed) {
    const [why] = scene.causes();
    return `${needed - ready.length} more of ${needed} pods to be ready${why === undefined ? '' : ` (${plural(why.pods.length, 'pod')}: ${why.doom.code})`}`;
  }
  const allowed = partitionOf(workload);
  if (scene.others.length > allowed) {
    const versions = [...new Set(scene.others.map((pod) => describeVersion(pod.metadata.labels, expectation)))].slice(0, 3).join(', ');
    return `${plural(scene.others.length, 'old pod')} (${versions}) to terminate`;
  }
  const sets = evidence.replicaSets.filter((set) => isActive(set) && !isOurs(templateLabels(set), expectation));
  if (sets.length > 0) return `${plural(sets.length, 'old ReplicaSet')} to be scaled down`;
  return oldWorkload(evidence);
}

/** Another workload of the instance that still exists. */
function oldWorkload({ oldWorkloads = [] }: Evidence): string | undefined {
  const [first] = oldWorkloads;
  return first === undefined ? undefined : `the old ${first.kind} ${first.metadata.namespace ?? ''}/${first.metadata.name} to be deleted`;
}

/** Pods below the partition of a StatefulSet keep the old version on purpose. */
function partitionOf(workload: KubeObject): number {
  const strategy = workload.spec?.['updateStrategy'] as { readonly rollingUpdate?: { readonly partition?: number } } | undefined;
  return workload.kind === 'StatefulSet' ? (strategy?.rollingUpdate?.partition ?? 0) : 0;
}

function unprovenImage(scene: Scene): string | undefined {
  const { imageDigest, memberDigests = [], mainContainer } = scene.expectation;
  if (imageDigest === undefined || scene.wanted === 0) return undefined;
  const accepted = [imageDigest, ...memberDigests];
  const ids = scene.ready.map(
    (pod) => (pod.status?.containerStatuses ?? []).find((status) => status.name === mainContainer)?.imageID ?? '',
  );
  const wrong = [...new Set(ids.filter((id) => !accepted.some((digest) => id.includes(digest))))];
  if (wrong.length === 0) return undefined;
  const shown = wrong
    .slice(0, 2)
    .map((id) => (id === '' ? 'no image id' : plainText(id, 200)))
    .join(', ');
  return `${plural(ids.filter((id) => wrong.includes(id)).length, 'pod')} report ${shown} instead of ${imageDigest}: a member of a multi-platform image, or an image that was rewritten on the way to the node`;
}

function crashesOf({ status }: Pod): number {
  return (status?.containerStatuses ?? []).reduce((sum, container) => sum + endsOf(container), 0);
}

function podCauses(expectation: Expectation, ours: readonly Pod[], events: readonly Event[], now: number): readonly Cause[] {
  const causes = new Map<FailureCode, { doom: Doom; pods: Pod[] }>();
  const byName = new Map<string, Event[]>();
  for (const event of events) {
    const name = event.involvedObject.name ?? '';
    const known = byName.get(name);
    if (known === undefined) byName.set(name, [event]);
    else known.push(event);
  }
  for (const pod of ours) {
    if (isReady(pod)) continue;
    const own = eventsOf(
      byName.get(pod.metadata.name) ?? [],
      { kind: 'Pod', name: pod.metadata.name, uid: pod.metadata.uid },
      expectation.since,
    );
    const doom = podDoom(pod, expectation.mainContainer, own, now);
    if (doom === undefined) continue;
    const known = causes.get(doom.code);
    if (known === undefined) causes.set(doom.code, { doom, pods: [pod] });
    else if (crashesOf(pod) <= crashesOf(known.pods[0] as Pod)) known.pods.push(pod);
    else {
      // The one that has gone through most tells best, and stays the one.
      known.doom = doom;
      known.pods.unshift(pod);
    }
  }
  return [...causes.values()].sort((a, b) => b.pods.length - a.pods.length || RANK.indexOf(a.doom.code) - RANK.indexOf(b.doom.code));
}

/** What stands in the way although it is too early, or too little, to call it doom: for the report of a wait that times out. */
function suspectOf(scene: Scene): Diagnosis | undefined {
  if (scene.wanted === 0) return undefined;
  const [worst] = scene.causes();
  return refusal(scene, true) ?? (worst === undefined ? undefined : podDiagnosis(scene, worst));
}

/** Why the instance cannot come up as things are; `undefined`: nothing speaks against waiting. */
function diagnose(scene: Scene): Diagnosis | undefined {
  const { workload, expectation } = scene;
  if (scene.wanted === 0) return undefined;
  const refused = refusal(scene);
  if (refused !== undefined) return refused;

  const causes = scene.causes();
  const doomed = causes.reduce((sum, cause) => sum + cause.pods.length, 0);
  const budget = Math.max(1, Math.floor((expectation.doomedShare ?? DEFAULT_DOOMED_SHARE) * scene.wanted));
  const [worst] = causes;
  // Room that old pods still hold becomes free when they go: then a pod without a node is only early.
  const early = worst?.doom.code === 'UNSCHEDULABLE' && scene.others.some(isTerminating);
  if (worst !== undefined && !early && (doomed > budget || doomed === scene.ours.length)) return podDiagnosis(scene, worst);

  const stuck = blocked(scene);
  if (stuck !== undefined) return stuck;
  const deadline = conditionsOf(workload).find(
    (c) => c.type === 'Progressing' && c.status === 'False' && c.reason === 'ProgressDeadlineExceeded',
  );
  // A condition from before this run speaks about an earlier rollout.
  if (deadline === undefined || !(Date.parse(deadline.lastUpdateTime ?? deadline.lastTransitionTime ?? '') >= expectation.since))
    return undefined;
  if (worst !== undefined) return podDiagnosis(scene, worst);
  return workloadDiagnosis(scene, {
    code: 'TIMEOUT',
    cause:
      `No progress within the deadline of the ${workload.kind}: ${scene.ready.length} of ${scene.wanted} pods are ready. ${plainText(deadline.message ?? '', 300)}`.trim(),
    next: `See what the pods wait for: kubectl -n ${argument(scene.namespace)} get pods -l ${argument(`${paastaPrefixed('git_sha', expectation.labelPrefixes ?? YELP_PREFIXES)}=${expectation.version.sha}`)}`,
    inCommit: false,
  });
}

/** The API server refuses to make our pods. Unless `early`, only when nothing is under way that could change that. */
function refusal(scene: Scene, early = false): Diagnosis | undefined {
  const { expectation, evidence, workload, namespace } = scene;
  const sets = evidence.replicaSets.filter((set) => isOurs(templateLabels(set), expectation));
  const reporting = sets
    .map((set) => ({ object: set, doom: reportedRefusal(set.status?.conditions, namespace, early) }))
    .find(({ doom }) => doom !== undefined);
  const found = reporting ?? {
    object: workload,
    // A Deployment repeats the condition of its newest ReplicaSet, sometimes late: ours, when it is there, knows better.
    doom:
      (sets.length > 0 ? undefined : reportedRefusal(conditionsOf(workload), namespace, early)) ??
      (workload.kind === 'StatefulSet'
        ? eventRefusal(
            eventsOf(evidence.events, { kind: 'StatefulSet', name: workload.metadata.name, uid: workload.metadata.uid }, expectation.since),
            namespace,
          )
        : undefined),
  };
  if (found.doom === undefined || scene.ours.length >= scene.wanted) return undefined;
  const starting = scene.ours.some((pod) => !scene.ready.includes(pod));
  if (!early && found.doom.code === 'QUOTA_EXCEEDED' && (starting || scene.others.some(isTerminating))) return undefined;
  return diagnosisOf(
    scene,
    found.doom,
    found.object,
    eventTexts(
      eventsOf(
        evidence.events,
        { kind: found.object.kind, name: found.object.metadata.name, uid: found.object.metadata.uid },
        expectation.since,
      ),
    ),
  );
}

/** States in which Kubernetes itself waits for a person. */
function blocked(scene: Scene): Diagnosis | undefined {
  const { workload, namespace } = scene;
  const name = argument(workload.metadata.name);
  if (workload.spec?.['paused'] === true) {
    return workloadDiagnosis(scene, {
      code: 'PAUSED',
      cause: `The ${workload.kind} is paused: Kubernetes does not roll it out.`,
      next: `Resume it: kubectl -n ${argument(namespace)} rollout resume deployment ${name}`,
      inCommit: false,
    });
  }
  const strategy = workload.spec?.['updateStrategy'] as { readonly type?: string } | undefined;
  if (workload.kind === 'StatefulSet' && strategy?.type === 'OnDelete' && scene.others.some((pod) => !isTerminating(pod))) {
    return workloadDiagnosis(scene, {
      code: 'PAUSED',
      cause: `The StatefulSet replaces pods only when they are deleted (OnDelete); ${plural(scene.others.length, 'old pod')} still run.`,
      next: `Delete them one by one: kubectl -n ${argument(namespace)} delete pod ${argument(scene.others[0]?.metadata.name ?? '')}`,
      inCommit: false,
    });
  }
  return undefined;
}

function podDiagnosis(scene: Scene, { doom, pods }: Cause): Diagnosis {
  const pod = pods[0] as Pod;
  const found = diagnosisOf(
    scene,
    doom,
    pod,
    eventTexts(eventsOf(scene.evidence.events, { kind: 'Pod', name: pod.metadata.name, uid: pod.metadata.uid }, scene.expectation.since)),
  );
  const rest = pods.length > 1 ? ` The same holds for ${plural(pods.length - 1, 'other pod')}.` : '';
  return { ...found, cause: `${found.cause}${rest === '' || /[.!?…]$/.test(found.cause) ? '' : '.'}${rest}` };
}

function workloadDiagnosis(scene: Scene, doom: Doom): Diagnosis {
  const { workload } = scene;
  return diagnosisOf(
    scene,
    doom,
    workload,
    eventTexts(
      eventsOf(
        scene.evidence.events,
        { kind: workload.kind, name: workload.metadata.name, uid: workload.metadata.uid },
        scene.expectation.since,
      ),
    ),
  );
}

function diagnosisOf(scene: Scene, doom: Doom, object: KubeObject, events: readonly string[]): Diagnosis {
  const { log, container, code, cause, next, inCommit } = doom;
  return {
    code,
    object: plainText(`${object.kind} ${object.metadata.name}`, 300),
    ...(container === undefined ? {} : { container }),
    cause,
    next,
    events,
    ...(log === undefined || container === undefined
      ? {}
      : {
          log: {
            namespace: object.metadata.namespace ?? scene.namespace,
            pod: object.metadata.name,
            container,
            previous: log === 'previous',
          },
        }),
    inCommit,
  };
}
