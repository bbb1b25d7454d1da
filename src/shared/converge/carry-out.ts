/** The second half of a pass: write what is planned, watch until every instance has its verdict, look at how pods left. */
import { CancelledError, UserError, type Problem } from '../contract/errors.ts';
import { standing, type Standing } from '../health/index.ts';
import { KINDS, type KindName, type KubeObject } from '../objects/types.ts';
import { allSteps, objectKey, type InstancePlan } from '../plan/index.ts';
import { Board, type Place } from './board.ts';
import { BounceTimes } from './bounce-times.ts';
import { DrainWatch } from './drain-proof.ts';
import { draining } from './drain.ts';
import { execute, type Executed } from './execute.ts';
import type { Foreseen } from './foresee.ts';
import { hiddenFrom, lookAtPods, OURS, selectorsFor, streamsOf, type Selectors, type Sight } from './observe.ts';
import type { Outcomes } from './outcomes.ts';
import type { ConvergePorts } from './ports.ts';
import { preflight, type Permitted } from './preflight.ts';
import type { ConvergeRequest } from './request.ts';
import { keptBeside, Rollouts } from './rollouts.ts';
import { TrafficWatch } from './traffic.ts';
import { Wait, type Target, type WaitOptions } from './wait.ts';

function targetOf(plan: InstancePlan, since: number, board: Board, request: ConvergeRequest): Target {
  const { rendered } = plan;
  const old = plan.rollout.kind === 'side-by-side' ? plan.rollout.old : [];
  const place: Place = {
    service: rendered.service,
    instance: rendered.instance,
    namespace: rendered.namespace,
    workloadKind: rendered.workload.kind,
    name: rendered.name,
    old,
    // Which name it gets is up to the run that makes it.
    ...(request.mode === 'wait' ? { configHash: rendered.configHash } : {}),
  };
  const generation = request.mode === 'wait' ? undefined : board.evidence(place).workload?.metadata.generation;
  return {
    title: `${rendered.service}.${rendered.instance}`,
    place,
    mayNotHaveBegun: request.mode === 'wait',
    untouched: request.mode === 'wait' || plan.steps.length === 0,
    companions: [...rendered.companions, ...rendered.services].map(objectKey),
    expectation: {
      version: rendered.version,
      configHash: rendered.configHash,
      replicas: rendered.replicas,
      marginFactor: rendered.bounceMarginFactor,
      imageDigest: rendered.imageDigest,
      mainContainer: rendered.mainContainer,
      since,
      autoscaled: rendered.autoscaled,
      ...(generation === undefined ? {} : { generation }),
      ...(request.options.prefixes === undefined ? {} : { labelPrefixes: request.options.prefixes }),
    },
  };
}

/** `pods`: what is looked at of ReplicaSets and pods; `undefined`: of no instance anything is to come. */
function streamsFor(
  sight: Sight,
  plans: readonly InstancePlan[],
  selectors: Selectors,
  pods: Selectors | undefined,
): WaitOptions['streams'] {
  if (pods === undefined) return [];
  const old = plans.flatMap((p) => (p.rollout.kind === 'side-by-side' ? p.rollout.old : []));
  const workloads = [...new Set([...plans.map((p) => p.rendered.workload.kind), ...old.map((o) => o.kind)])].filter(
    (k): k is KindName => k in KINDS,
  );
  const namespaces = [...new Set([...plans.map((p) => p.rendered.namespace), ...old.map((o) => o.metadata.namespace ?? '')])];
  const labelled = [
    ...workloads.flatMap((kind) => streamsOf(sight, kind, { labelSelector: selectors.workloads })),
    ...(['ReplicaSet', 'Pod'] as const).flatMap((kind) => streamsOf(sight, kind, { labelSelector: pods.workloads })),
  ];
  const beside = (['PodDisruptionBudget', 'HorizontalPodAutoscaler'] as const).filter(
    (kind) => sight.versions.has(kind) && plans.some((p) => p.rendered.companions.some((c) => c.kind === kind)),
  );
  const watched = beside.flatMap((kind) => streamsOf(sight, kind, { labelSelector: OURS }));
  // Events carry no labels; what goes well is not of interest.
  const places = sight.scopes.has('Pod')
    ? [...(sight.scopes.get('Pod')?.keys() ?? [])]
    : namespaces.length === 1
      ? namespaces
      : [undefined];
  const events = places.map((namespace) => ({
    kind: 'Event' as const,
    resourceVersion: undefined,
    listing: { fieldSelector: 'type=Warning', ...(namespace === undefined ? {} : { namespace }) },
  }));
  return [...labelled, ...watched, ...events];
}

/**
 * Instances that need no look at their pods, with what their workload says. In `mode: wait` somebody else bounces, and after a run of
 * `upthendown` that was killed the last pods of the old workload belong to none any more: then it says too little.
 */
function standingOnes(targets: ReadonlyMap<InstancePlan, Target>, board: Board, now: number): ReadonlyMap<Target, Standing> {
  return new Map(
    [...targets].flatMap(([{ rendered }, target]) => {
      if (!target.untouched || target.mayNotHaveBegun || rendered.bounceMethod === 'upthendown') return [];
      const companions = target.companions.flatMap((key) => board.object(key) ?? []);
      const found = standing(target.expectation, board.evidence(target.place), companions, now);
      return found === undefined ? [] : [[target, found] as const];
    }),
  );
}

/** What is looked at of ReplicaSets and pods: those of the services that have an instance which does not stand by itself. */
function podsToSee(plans: readonly InstancePlan[], { options }: ConvergeRequest): Selectors | undefined {
  if (plans.length === 0) return undefined;
  return selectorsFor(
    plans.map(({ rendered }) => rendered.service),
    plans.map(({ rendered }) => rendered.namespace),
    options.prefixes,
  );
}

export interface CarriedOut {
  /** Of no single instance. */
  readonly problems: readonly Problem[];
  readonly cancelled: boolean;
}

export async function carryOut(
  foreseen: Foreseen,
  request: ConvergeRequest,
  ports: ConvergePorts,
  outcomes: Outcomes,
): Promise<CarriedOut> {
  const { cluster, clock, log } = ports;
  const { plan, sight, selectors } = foreseen;
  const all: Problem[] = [];

  const board = new Board(request.options.prefixes);
  for (const object of sight.objects.values()) board.put(object);
  const since = clock.now();
  const active = plan.instances.filter(({ action }) => action !== 'blocked' && action !== 'left');
  const targets = new Map(active.map((instance) => [instance, targetOf(instance, since, board, request)]));
  const stands = standingOnes(targets, board, since);
  for (const [target, { verdict, warnings }] of stands)
    outcomes.final(target, { verdict, end: 'settled', at: since, warnings }, request.timeout);
  const others = active.filter((instance) => !stands.has(targets.get(instance) as Target));
  const pods = podsToSee(others, request);
  const writes = request.mode === 'apply' && allSteps(plan).length > 0;
  const unasked: Permitted = { plan, refused: [], lacking: new Map(), problems: [] };
  const [permitted] = await Promise.all([
    writes ? preflight(plan, { cluster, log }) : unasked,
    pods === undefined ? undefined : lookAtPods(cluster, pods, sight, (object) => board.put(object)),
  ]);
  all.push(...permitted.problems);
  for (const { instance, problems: lacking } of permitted.refused)
    outcomes.executed(instance, { problems: lacking, workloadWritten: false, at: clock.now() });
  const wrote = (object: KubeObject): void => {
    outcomes.writes += 1;
    board.wrote(object);
  };
  const byTitle = new Map(plan.instances.map((i) => [`${i.rendered.service}.${i.rendered.instance}`, i]));
  const times = new BounceTimes({ cluster, log, wrote });
  const traffic = new TrafficWatch(ports);
  const drains = new DrainWatch(ports, traffic, request.options.prefixes);
  const wait = new Wait(ports, board, {
    onPods: (change) => drains.pods(change),
    timeout: request.timeout,
    stability: request.stability ?? 0,
    streams: streamsFor(sight, plan.instances, selectors, pods),
    onFinal: (target, verdicts) => {
      outcomes.final(target, verdicts, request.timeout);
      rollouts.stop(target.title);
      const kept = keptBeside(byTitle.get(target.title), verdicts, board, target);
      if (kept !== undefined) outcomes.remark(target.title, kept);
      if (verdicts.verdict.state === 'proven') times.proven(target.title, verdicts.at);
    },
  });
  const removed = (object: KubeObject): void => {
    outcomes.writes += 1;
    board.removed(object);
  };
  const writing = { cluster, log, wrote, removed, pause: (milliseconds: number) => clock.sleep(milliseconds, ports.signal) };
  const rollouts = new Rollouts(
    { ...writing, board, clock, traffic, draining: draining(ports, { prefixes: request.options.prefixes }) },
    ports.signal,
    (title, found) => {
      outcomes.broken(title, found);
      wait.drop(title);
    },
  );
  const follow = (instance: InstancePlan): void => {
    const blind = ['Pod', 'ReplicaSet'].flatMap((kind) => (hiddenFrom(sight, kind, instance.rendered.namespace) ?? []).slice(0, 1));
    const target = targetOf(instance, since, board, request);
    if (blind.length > 0) outcomes.unproven(target.title, blind);
    else {
      wait.add(target);
      if (request.mode === 'apply' && instance.rollout.kind === 'side-by-side') rollouts.begin(instance, target);
    }
  };
  for (const instance of others) if (!writes || instance.steps.length === 0) follow(instance);
  wait.judgeNow();
  if (writes) drains.follow(permitted.plan.instances);
  let cancelled = false;
  try {
    if (writes || wait.pending > 0) {
      const executing = writes
        ? execute(permitted.plan, foreseen.record, {
            ...writing,
            now: () => clock.now(),
            done: (instance: InstancePlan, written: Executed) => {
              const lacking = permitted.lacking.get(`${instance.rendered.service}.${instance.rendered.instance}`) ?? [];
              const executed = { ...written, problems: [...lacking, ...written.problems] };
              if (instance.steps.length === 0 && executed.problems.length === 0) return;
              outcomes.executed(instance, executed);
              if (!executed.workloadWritten) return;
              times.began(instance, executed.at);
              follow(instance);
            },
          }).then((found) => void all.push(...found))
        : Promise.resolve();
      await wait.run(executing);
    }
  } catch (error) {
    if (error instanceof CancelledError || ports.signal.aborted) cancelled = true;
    else if (error instanceof UserError) {
      outcomes.interrupted(error.problems);
      all.push(...error.problems);
    } else {
      await traffic.end();
      throw error;
    }
  } finally {
    await rollouts.end();
  }
  all.push(...wait.problems);
  outcomes.drained(await drains.finish(cancelled));
  if (cancelled) outcomes.cancelled();
  else await Promise.all([outcomes.finish(), times.finish()]);
  return { problems: all, cancelled };
}
