/**
 * Two workloads of one instance side by side (design §5.12): the new one is made, the old ones are drained, shrunk and deleted as the
 * bounce method says. Every look derives everything from the cluster, so that whoever looks next goes on where this one ended.
 * Upstream: `do_bounce` of bounce_lib.py and the loop around it (`setup_marathon_job`).
 */
import { neededReplicas } from '../bounce/arithmetic.ts';
import { rolloutDecision, type OldReplica, type RolloutDecision } from '../bounce/rollout.ts';
import type { Clock } from '../contract/ports.ts';
import { isGone, isOurs, isOverdue, isReady, isTerminating } from '../health/versions.ts';
import type { Expectation } from '../health/types.ts';
import type { KubeObject, Pod } from '../objects/types.ts';
import { isLeaving, objectKey, replicasOf, surgeBeside, titleOf, type InstancePlan, type Step } from '../plan/index.ts';
import type { Problem } from '../contract/errors.ts';
import { namespacesOfPlace, type Board, type Place } from './board.ts';
import type { Draining } from './drain.ts';
import { isForLater, isWorkloadStep } from './execute.ts';
import { statusOf } from './ports.ts';
import { isMarkedFirst, isMarkedToGo, markFirst, unmark } from './rollout-marks.ts';
import type { TrafficWatch } from './traffic.ts';
import { remove, setReplicas, write, type WriteOptions } from './write.ts';

/** Looking again without news: pods become happy with time. */
const TICK = 1_000;

export interface RolloutPorts extends WriteOptions {
  readonly board: Board;
  readonly clock: Clock;
  readonly draining: Draining;
  readonly traffic: TrafficWatch;
}

interface Seen {
  readonly workload: KubeObject | undefined;
  /** Old workloads that nobody has deleted yet. */
  readonly old: readonly KubeObject[];
  /** Their pods that are not terminating, by workload. */
  readonly pods: ReadonlyMap<string, readonly Pod[]>;
  readonly oldLeft: number;
  /** Pods of the new workload that are ready for long enough, and those of them that have taken over the traffic of the old ones. */
  readonly ready: number;
  readonly happy: number;
  readonly wanted: number;
}

/** Ordinal of a StatefulSet's pod. */
function ordinalOf(pod: Pod, workload: KubeObject): number | undefined {
  if (workload.kind !== 'StatefulSet') return undefined;
  const text = /-(\d{1,9})$/.exec(pod.metadata.name)?.[1];
  return text === undefined ? undefined : Number(text);
}

/** Ready for at least `seconds`. */
function isHappy(pod: Pod, seconds: number, now: number): boolean {
  if (!isReady(pod)) return false;
  const since = Date.parse(pod.status?.conditions?.find((c) => c.type === 'Ready')?.lastTransitionTime ?? '');
  return seconds <= 0 || Number.isNaN(since) || now - since >= seconds * 1_000;
}

export class Rollout {
  readonly #plan: InstancePlan;
  readonly #place: Place;
  readonly #expectation: Expectation;
  readonly #ports: RolloutPorts;
  readonly #title: string;
  /** Pods whose drain was begun by us, and those that are through with it. */
  readonly #begun = new Set<string>();
  readonly #drained = new Set<string>();
  /** Drained pods that were told to go first; the board may not know yet. */
  readonly #marked = new Set<string>();
  readonly #deleted = new Set<string>();
  /** Pods that we took back; the board may not know yet. */
  readonly #restored = new Set<string>();
  /** Ready pods that the Services do not send traffic to yet. */
  #unserved: ReadonlySet<string> = new Set();
  readonly #said = new Set<string>();
  readonly #drains = new Set<Promise<void>>();
  #failure: Error | undefined;
  #followed: boolean;
  #wake: (() => void) | undefined;
  #news = false;

  constructor(plan: InstancePlan, place: Place, expectation: Expectation, ports: RolloutPorts) {
    this.#plan = plan;
    this.#place = place;
    this.#expectation = expectation;
    this.#ports = ports;
    this.#title = `${plan.rendered.service}.${plan.rendered.instance}`;
    this.#followed = !plan.steps.some((s) => s.object.kind === 'HorizontalPodAutoscaler' && isForLater(s, plan));
  }

  /** Ends when nothing old is left, when a newer version takes over, or when told to. Returns problems; throws what the API server refuses. */
  async run(signal: AbortSignal): Promise<readonly Problem[]> {
    const { board } = this.#ports;
    const about = new Set(namespacesOfPlace(this.#place).map((namespace) => `${namespace}/${this.#place.service}.${this.#place.instance}`));
    const silence = board.listen((instance) => {
      if (about.has(instance)) this.#awake();
    });
    const deaf = this.#ports.traffic.listen((uid) => {
      if (uid === undefined || this.#unserved.has(uid)) this.#awake();
    });
    try {
      await this.#serveAgain(signal);
      while (!signal.aborted) {
        if (this.#failure !== undefined) throw this.#failure;
        this.#news = false;
        const done = await this.#look(signal);
        if (done !== undefined) return done;
        await this.#rest(signal);
      }
      return [];
    } finally {
      silence();
      deaf();
      await Promise.allSettled(this.#drains);
    }
  }

  #awake(): void {
    this.#news = true;
    this.#wake?.();
  }

  async #rest(signal: AbortSignal): Promise<void> {
    if (this.#news || signal.aborted) return;
    const timer = new AbortController();
    const news = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    await Promise.race([news, this.#ports.clock.sleep(TICK, AbortSignal.any([signal, timer.signal])).catch(() => undefined)]);
    this.#wake = undefined;
    timer.abort();
  }

  #say(text: string): void {
    if (this.#said.has(text)) return;
    this.#said.add(text);
    this.#ports.log.info(`${this.#title}: ${text}`);
  }

  /**
   * A bounce is undone: pods of the wanted workload that were on their way out serve again. So do old ones when the new version lost its
   * pods after an earlier run had begun to drain.
   */
  async #serveAgain(signal: AbortSignal): Promise<void> {
    const { board } = this.#ports;
    const { bounceMethod, bounceMarginFactor } = this.#plan.rendered;
    const seen = this.#see();
    const marked = (workload: KubeObject): readonly Pod[] =>
      board.podsOf(workload, this.#place).filter((pod) => !isTerminating(pod) && isMarkedToGo(pod));
    const pods = seen.workload === undefined || isLeaving(seen.workload) ? [] : [...marked(seen.workload)];
    const serving = seen.ready + [...seen.pods.values()].flat().filter((pod) => isReady(pod) && !isMarkedToGo(pod)).length;
    const isShort =
      serving < neededReplicas(seen.wanted, bounceMarginFactor) && (bounceMethod === 'crossover' || bounceMethod === 'upthendown');
    if (isShort) pods.push(...seen.old.flatMap(marked).filter(isReady));
    if (pods.length === 0) return;
    this.#say(`${pods.length} drained pod${pods.length === 1 ? ' serves' : 's serve'} again`);
    const answers = await this.#ports.draining.putBack(this.#plan.rendered, pods, signal);
    for (const { pod, note } of answers) if (note !== undefined) this.#ports.log.info(`${this.#title}: ${pod}: ${note}`);
    for (const pod of pods) await unmark(this.#ports.cluster, pod);
    for (const pod of pods) this.#restored.add(pod.metadata.uid ?? '');
  }

  #see(): Seen {
    const { board, clock } = this.#ports;
    const { rendered } = this.#plan;
    const { workload, pods, oldPods = [], oldWorkloads = [] } = board.evidence(this.#place);
    const old = oldWorkloads.filter((o) => !isLeaving(o) && !this.#deleted.has(o.metadata.uid ?? ''));
    const running = (pod: Pod): boolean => !isTerminating(pod) && !isGone(pod);
    const exists = workload !== undefined && !isLeaving(workload);
    const uptime = rendered.workload.spec?.['minReadySeconds'];
    const ready = pods.filter(
      (pod) => isOurs(pod.metadata.labels, this.#expectation) && isHappy(pod, typeof uptime === 'number' ? uptime : 0, clock.now()),
    );
    const oldRunning = new Map(old.map((o) => [objectKey(o), board.podsOf(o, this.#place).filter(running)]));
    const happy = this.#inTraffic(ready, [...oldRunning.values()].flat());
    this.#unserved = new Set(ready.filter((pod) => !happy.includes(pod)).map((pod) => pod.metadata.uid ?? ''));
    return {
      workload,
      old,
      pods: oldRunning,
      oldLeft: oldPods.filter((pod) => !isGone(pod) && !isOverdue(pod, clock.now())).length,
      ready: ready.length,
      happy: happy.length,
      // Once the autoscaler acts on the new workload, the count is its.
      wanted: rendered.autoscaled && this.#followed && exists && rendered.replicas > 0 ? replicasOf(workload) : rendered.replicas,
    };
  }

  /** Pods that every Service sends traffic to which still sends some to old pods. Where none does, or nobody tells, ready is enough. */
  #inTraffic(ready: readonly Pod[], old: readonly Pod[]): readonly Pod[] {
    const { traffic } = this.#ports;
    const { services } = this.#plan.rendered;
    if (services.length === 0 || traffic.isBlind) return ready;
    const servicesOf = (pod: Pod): readonly string[] | undefined => traffic.servicesOf(pod.metadata.uid ?? '');
    const serving = new Set(old.flatMap((pod) => servicesOf(pod) ?? []));
    const needed = services.map(({ metadata }) => metadata.name).filter((name) => serving.has(name));
    return ready.filter((pod) => {
      const now = servicesOf(pod);
      return now !== undefined && needed.every((name) => now.includes(name));
    });
  }

  /** On its way out, by us or by an earlier run. */
  #goes(pod: Pod): boolean {
    const uid = pod.metadata.uid ?? '';
    return this.#begun.has(uid) || (isMarkedToGo(pod) && !this.#restored.has(uid));
  }

  #decide(seen: Seen): RolloutDecision {
    const { rendered } = this.#plan;
    const replicas = seen.old.flatMap((workload) =>
      (seen.pods.get(objectKey(workload)) ?? []).map((pod): OldReplica => ({
        id: pod.metadata.uid ?? '',
        workload: objectKey(workload),
        ready: isReady(pod),
        draining: this.#goes(pod),
        ordinal: ordinalOf(pod, workload),
      })),
    );
    const exists = seen.workload !== undefined && !isLeaving(seen.workload);
    return rolloutDecision({
      method: rendered.bounceMethod,
      wanted: seen.wanted,
      marginFactor: rendered.bounceMarginFactor,
      surge: rendered.autoscaled ? seen.wanted + replicas.length : surgeBeside(rendered, seen.wanted),
      exists,
      size: exists ? replicasOf(seen.workload) : 0,
      happyNew: seen.happy,
      old: replicas,
      oldLeft: seen.oldLeft,
    });
  }

  /** One look and what follows from it. Problems, or nothing: the end. `undefined`: look again. */
  async #look(signal: AbortSignal): Promise<readonly Problem[] | undefined> {
    const { newer } = this.#ports.board.evidence(this.#place);
    if (newer !== undefined && !isOurs(newer.metadata.labels, this.#expectation)) return [];
    const seen = this.#see();
    const decision = this.#decide(seen);
    const problems = await this.#make(seen, decision);
    if (problems.length > 0) return problems;
    const exists = seen.workload !== undefined && !isLeaving(seen.workload);
    const leftOver = seen.old.flatMap((o) =>
      (seen.pods.get(objectKey(o)) ?? [])
        .filter((pod) => this.#goes(pod) && !this.#begun.has(pod.metadata.uid ?? ''))
        .map((pod) => pod.metadata.uid ?? ''),
    );
    const go = new Set([...decision.drain, ...leftOver]);
    if (go.size > 0) {
      const found = await this.#follow();
      if (found.length > 0) return found;
      this.#drain(seen, go, signal);
    }
    await this.#shrink(seen, decision);
    if (!exists || seen.old.some((o) => !this.#deleted.has(o.metadata.uid ?? ''))) return undefined;
    const isWhole = this.#plan.rendered.autoscaled || replicasOf(seen.workload) >= seen.wanted;
    return isWhole ? this.#tidy() : undefined;
  }

  /** Creates or enlarges the new workload. */
  async #make(seen: Seen, decision: RolloutDecision): Promise<readonly Problem[]> {
    const { rendered, steps } = this.#plan;
    const step = steps.find((s) => isWorkloadStep(s, this.#plan) && isForLater(s, this.#plan));
    const size = (s: Step): Step => ({
      ...s,
      object: { ...s.object, spec: { ...s.object.spec, ...(rendered.autoscaled ? {} : { replicas: decision.size }) } },
    });
    if (seen.workload === undefined) {
      if (!decision.create || step === undefined) return [];
      this.#say(
        `creates ${step.title} beside ${this.#plan.rollout.kind === 'side-by-side' ? this.#plan.rollout.old.map(titleOf).join(', ') : ''}`,
      );
      return write(size(step), this.#ports);
    }
    if (isLeaving(seen.workload) || rendered.autoscaled || decision.size <= replicasOf(seen.workload) || step === undefined) return [];
    return write(size({ ...step, action: 'update' }), this.#ports);
  }

  /** Before anything old goes, the autoscaler leaves it: it would put back what is taken away. */
  async #follow(): Promise<readonly Problem[]> {
    if (this.#followed) return [];
    this.#followed = true;
    const steps = this.#plan.steps.filter((s) => s.object.kind === 'HorizontalPodAutoscaler' && isForLater(s, this.#plan));
    const found: Problem[] = [];
    for (const step of steps) found.push(...(await write(step, this.#ports)));
    return found;
  }

  /** Begins to take pods out of traffic; each batch by itself, so that a slow pod holds back no other. */
  #drain(seen: Seen, go: ReadonlySet<string>, signal: AbortSignal): void {
    for (const workload of seen.old) {
      const all = seen.pods.get(objectKey(workload)) ?? [];
      const pods = all.filter((pod) => go.has(pod.metadata.uid ?? '') && !this.#begun.has(pod.metadata.uid ?? ''));
      if (pods.length === 0) continue;
      for (const pod of pods) this.#begun.add(pod.metadata.uid ?? '');
      this.#say(`drains ${pods.length} of ${all.length} pods of ${titleOf(workload)}`);
      const batch = this.#drainBatch(pods, signal)
        .catch((error: unknown) => {
          if (!signal.aborted) this.#failure ??= error instanceof Error ? error : new Error(String(error));
        })
        .finally(() => {
          this.#drains.delete(batch);
          this.#awake();
        });
      this.#drains.add(batch);
    }
  }

  async #drainBatch(pods: readonly Pod[], signal: AbortSignal): Promise<void> {
    const answers = await this.#ports.draining.drain(this.#plan.rendered, pods, signal);
    for (const { pod, note } of answers) if (note !== undefined) this.#ports.log.info(`${this.#title}: ${pod}: ${note}`);
    for (const pod of pods) this.#drained.add(pod.metadata.uid ?? '');
  }

  /** Ends what is drained: a whole workload is deleted, of another the count goes down. */
  async #shrink(seen: Seen, decision: RolloutDecision): Promise<void> {
    for (const workload of seen.old) {
      const pods = seen.pods.get(objectKey(workload)) ?? [];
      const kept = pods.filter((pod) => !this.#drained.has(pod.metadata.uid ?? ''));
      const isEmpty =
        pods.length === 0 && (replicasOf(workload) === 0 || !decision.needsOld || this.#plan.rendered.bounceMethod === 'downthenup');
      if (isEmpty || (pods.length > 0 && kept.length === 0)) {
        await this.#follow();
        this.#deleted.add(workload.metadata.uid ?? '');
        await remove(workload, this.#ports);
        this.#say(`deleted ${titleOf(workload)}`);
      } else if (kept.length < pods.length) {
        const start = (workload.spec?.['ordinals'] as { start?: number } | undefined)?.start ?? 0;
        const count =
          workload.kind === 'StatefulSet'
            ? Math.max(0, ...kept.map((pod) => (ordinalOf(pod, workload) ?? 0) + 1 - start))
            : pods.length - (await this.#firstToGo(pods));
        if (count < replicasOf(workload)) await this.#scale(workload, count);
      }
    }
  }

  /**
   * How many of a Deployment's pods are drained and known to go first. Only those are taken off the count: of pods at one price the
   * controller takes any, also one that still serves. The mark counts once our watch tells of it: so the controller's has had time to.
   * Ordered pods need no mark, they go from the end.
   */
  async #firstToGo(pods: readonly Pod[]): Promise<number> {
    const drained = pods.filter((pod) => this.#drained.has(pod.metadata.uid ?? ''));
    const unmarked = drained.filter((pod) => !isMarkedFirst(pod) && !this.#marked.has(pod.metadata.uid ?? ''));
    await Promise.all(
      unmarked.map(async (pod) => {
        if (await markFirst(this.#ports.cluster, pod)) this.#marked.add(pod.metadata.uid ?? '');
      }),
    );
    return drained.filter(isMarkedFirst).length;
  }

  async #scale(workload: KubeObject, count: number): Promise<void> {
    try {
      await setReplicas(this.#ports.cluster, workload, count, this.#ports.wrote);
    } catch (error) {
      // Somebody else was faster and deleted it: the next look shows it.
      const status = statusOf(error);
      if (status !== 404 && status !== 409 && status !== 422) throw error;
    }
  }

  /** What is left once the old workloads are gone: an autoscaler that never had to move, budgets in a namespace that was left. */
  async #tidy(): Promise<readonly Problem[]> {
    const found: Problem[] = [...(await this.#follow())];
    const { rollout, steps } = this.#plan;
    const old = new Set(rollout.kind === 'side-by-side' ? rollout.old.map(objectKey) : []);
    for (const step of steps) {
      if (step.action !== 'delete' || step.object.kind === 'HorizontalPodAutoscaler' || old.has(objectKey(step.object))) continue;
      found.push(...(await write(step, this.#ports)));
    }
    return found;
  }
}
