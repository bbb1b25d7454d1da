/**
 * Drains pods from outside before they are ended: they leave the EndpointSlices while they still run, and the drain method of their
 * instance is applied. Upstream: `drain_lib.py` and the loop around it (`do_bounce`), which marked hosts down in hacheck.
 */
import { YELP_PREFIXES, type LabelPrefixes } from '../contract/names.ts';
import { selects } from '../objects/endpoint-slices.ts';
import type { Pod } from '../objects/types.ts';
import type { RenderedInstance } from '../workload/index.ts';
import { drainedAt, labelsBefore, labelsWithout, putLabelsBack, takeLabelsOff } from './drain-labels.ts';
import { drainByMethod, podDrain, undoByMethod, type PodDrain } from './drain-method.ts';
import { LEAVE_LIMIT, servicesOf, untilTraffic } from './drain-slices.ts';
import { pooled } from './pool.ts';
import type { ConvergePorts } from './ports.ts';

/** How far a pod came. Nothing in it forbids to end the pod: PaaSTA kills what cannot be asked. */
export interface Drained {
  /** Name. */
  readonly pod: string;
  /** No EndpointSlice holds it as ready any more (for `putBack`: they hold it again, or none ever does). */
  readonly left: boolean;
  /** The drain method says that it may be ended. */
  readonly safe: boolean;
  /** What was not as it should be, for people. */
  readonly note?: string;
}

/**
 * Answers in the order of `pods`. Bounded in time; may be called again at any moment, also by another run. Throws `UserError` when
 * a right is missing, `CancelledError` when the signal ends it.
 */
export type DrainPods = (rendered: RenderedInstance, pods: readonly Pod[], signal: AbortSignal) => Promise<readonly Drained[]>;

export interface Draining {
  readonly drain: DrainPods;
  /** The bounce is undone: pods that were drained serve again. Pods that were not are left alone. */
  readonly putBack: DrainPods;
}

/** Requests in flight. */
const WIDTH = 8;

export interface DrainingOptions {
  readonly prefixes?: LabelPrefixes | undefined;
  /** Milliseconds; 30 s unless told. */
  readonly leaveLimit?: number;
}

function byNamespace(pods: readonly Pod[]): ReadonlyMap<string, readonly Pod[]> {
  const groups = new Map<string, Pod[]>();
  for (const pod of pods) groups.set(pod.metadata.namespace ?? '', [...(groups.get(pod.metadata.namespace ?? '') ?? []), pod]);
  return groups;
}

/** A pod that serves nobody any more, or will be gone by itself. */
const isOver = (pod: Pod): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
/** Only what runs can be asked; upstream ends everything else at once. */
const canAnswer = (pod: Pod): boolean =>
  pod.status?.phase === 'Running' && pod.status.podIP !== undefined && pod.metadata.deletionTimestamp === undefined;

function together(name: string, left: boolean, safe: boolean, notes: readonly (string | undefined)[]): Drained {
  const said = notes.filter((note) => note !== undefined);
  return { pod: name, left, safe, ...(said.length === 0 ? {} : { note: said.join('; ') }) };
}

/** Drains over these ports. */
export function draining(ports: ConvergePorts, options: DrainingOptions = {}): Draining {
  const prefixes = options.prefixes ?? YELP_PREFIXES;
  const limit = options.leaveLimit ?? LEAVE_LIMIT;

  function methodsOf(rendered: RenderedInstance, pods: readonly Pod[], signal: AbortSignal): Map<Pod, PodDrain> {
    const methods = new Map<Pod, PodDrain>();
    for (const pod of pods) {
      const method = canAnswer(pod) ? podDrain(rendered, pod, ports, signal) : undefined;
      if (method !== undefined) methods.set(pod, method);
    }
    return methods;
  }

  async function leave(
    rendered: RenderedInstance,
    namespace: string,
    pods: readonly Pod[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<Pod, Drained>> {
    const services = await servicesOf(ports, namespace, pods.map(labelsBefore));
    const asked = methodsOf(rendered, pods, signal);
    const now = new Map<Pod, Pod>();
    await pooled(pods, WIDTH, async (pod) => {
      const without = isOver(pod) ? undefined : await takeLabelsOff(ports.cluster, pod, prefixes, ports.clock, asked.has(pod));
      if (without !== undefined) now.set(pod, without);
    });
    const keeps = (pod: Pod): readonly string[] =>
      services.filter((service) => selects(service, labelsWithout(pod, prefixes))).map(({ metadata }) => metadata.name);
    const leaving = [...now.keys()].filter((pod) => keeps(pod).length === 0);
    const methods = methodsOf(rendered, [...now.values()], signal);
    const [left, safe] = await Promise.all([
      untilTraffic(
        ports,
        namespace,
        services.map(({ metadata }) => metadata.name),
        leaving,
        false,
        limit,
        signal,
      ),
      drainByMethod(methods, ports, signal),
    ]);
    const answer = (pod: Pod): Drained => {
      const { name, uid = '' } = pod.metadata;
      const here = now.get(pod);
      if (here === undefined) return { pod: name, left: true, safe: true };
      const result = safe.get(here) ?? { safe: true };
      const others = keeps(pod);
      if (others.length > 0)
        return together(name, false, result.safe, [
          `Service ${others.join(', ')} selects it by other labels than registrations and sends it traffic until it ends`,
          result.note,
        ]);
      return together(name, left.has(uid), result.safe, [
        left.has(uid) ? undefined : `its EndpointSlices still hold it after ${limit / 1_000} s`,
        result.note,
      ]);
    };
    return new Map(pods.map((pod) => [pod, answer(pod)]));
  }

  async function back(
    rendered: RenderedInstance,
    namespace: string,
    pods: readonly Pod[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<Pod, Drained>> {
    const drained = pods.filter((pod) => drainedAt(pod) !== undefined && !isOver(pod) && pod.metadata.deletionTimestamp === undefined);
    // It accepts requests again before any are sent to it.
    const notes = await undoByMethod(methodsOf(rendered, drained, signal));
    const returned = new Map<Pod, Pod>();
    await pooled(drained, WIDTH, async (pod) => {
      const now = await putLabelsBack(ports.cluster, pod);
      if (now !== undefined) returned.set(pod, now);
    });
    const services = returned.size === 0 ? [] : await servicesOf(ports, namespace, [...returned.values()].map(labelsBefore));
    const selected = [...returned.values()].filter((pod) => services.some((service) => selects(service, labelsBefore(pod))));
    const inside = await untilTraffic(
      ports,
      namespace,
      services.map(({ metadata }) => metadata.name),
      selected,
      true,
      limit,
      signal,
    );
    const answer = (pod: Pod): Drained => {
      const now = returned.get(pod);
      const serves = now === undefined || !selected.includes(now) || inside.has(now.metadata.uid ?? '');
      return together(pod.metadata.name, serves, true, [
        serves ? undefined : `its EndpointSlices do not hold it again after ${limit / 1_000} s`,
        notes.get(pod),
      ]);
    };
    return new Map(pods.map((pod) => [pod, answer(pod)]));
  }

  const each =
    (move: typeof leave): DrainPods =>
    async (rendered, pods, signal) => {
      const answers = new Map<Pod, Drained>();
      await Promise.all(
        [...byNamespace(pods)].map(async ([namespace, group]) => {
          for (const [pod, answer] of await move(rendered, namespace, group, signal)) answers.set(pod, answer);
        }),
      );
      return pods.map((pod) => answers.get(pod) as Drained);
    };
  return { drain: each(leave), putBack: each(back) };
}
