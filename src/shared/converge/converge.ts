/**
 * load → resolve → observe → render → plan → write → watch → results, for one cluster. All state is in git and in the cluster: a
 * run that dies anywhere leaves nothing that the next run cannot finish.
 */
import { CancelledError, UserError, type Problem } from '../contract/errors.ts';
import { paastaPrefixed, YELP_PREFIXES } from '../contract/names.ts';
import type { KindName, KubeObject } from '../objects/types.ts';
import { KINDS } from '../objects/types.ts';
import { allSteps, keyFor, makePlan, objectKey, planHash, type InstancePlan, type Plan } from '../plan/index.ts';
import type { SoaConfigs, SystemConfig } from '../soa-configs/types.ts';
import { mergeServices, renderNamespace, type RenderedInstance, type RenderOptions } from '../workload/index.ts';
import { Board } from './board.ts';
import { renderAll, resolveVersions, type Rendering, type Wish } from './desired.ts';
import { execute, type Executed } from './execute.ts';
import { checkIdentity, clusterSettings } from './guard.ts';
import { look, lookForStrangers, observe, unreadableProblem, type Selectors, type Sight } from './observe.ts';
import type { ConvergePorts } from './ports.ts';
import { Outcomes } from './outcomes.ts';
import type { ConvergeResult } from '../report/deploy-results.ts';
import { select, type Selection } from './select.ts';
import { Wait, type Target, type WaitOptions } from './wait.ts';

/** `plan` writes nothing; `apply` writes and waits; `wait` waits for what is marked without writing. */
export type Mode = 'plan' | 'apply' | 'wait';

export interface ConvergeRequest {
  readonly selection: Selection;
  readonly mode: Mode;
  readonly adopt: boolean;
  /** Milliseconds to wait for verdicts. */
  readonly timeout: number;
  readonly soa: SoaConfigs;
  readonly system: SystemConfig;
  readonly options: RenderOptions;
  /** Called with the plan before anything is written. */
  readonly onPlan?: (plan: Plan, hash: string) => Promise<void> | void;
}

function selectorsFor(services: readonly string[], options: RenderOptions): Selectors {
  const prefixes = options.prefixes ?? YELP_PREFIXES;
  const managed = `${paastaPrefixed('managed', prefixes)}=true`;
  const label = paastaPrefixed('service', prefixes);
  const names = [...new Set(services)];
  return { managed, workloads: names.length === 0 || names.length > 20 ? managed : `${managed},${label} in (${names.sort().join(',')})` };
}

function namespacesOf(rendered: readonly RenderedInstance[], options: RenderOptions): readonly KubeObject[] {
  return [...new Set(rendered.map((r) => r.namespace))].sort().map((name) => renderNamespace(name, options.prefixes === undefined ? {} : { prefixes: options.prefixes }));
}

/** Takes out what we may not read: we cannot know whether to write it. The instance keeps the problem. */
function readableOnly(rendered: RenderedInstance, sight: Sight): { readonly rendered: RenderedInstance; readonly problems: readonly Problem[] } {
  const hidden = [...new Set(rendered.companions.map((c) => c.kind).filter((kind) => sight.unreadable.has(kind)))];
  if (hidden.length === 0) return { rendered, problems: [] };
  return {
    rendered: { ...rendered, companions: rendered.companions.filter((c) => !sight.unreadable.has(c.kind)) },
    problems: hidden.map((kind) => unreadableProblem(kind, sight.unreadable.get(kind) ?? [])),
  };
}

interface Prepared {
  readonly plan: Plan;
  readonly problems: readonly Problem[];
}

/** Plans; looks for objects of others under the names that it would create, and plans again when there are any. */
async function prepare(rendered: readonly RenderedInstance[], sight: Sight, request: ConvergeRequest, ports: ConvergePorts): Promise<Prepared> {
  const kinds = new Set([...rendered.map((r) => r.workload.kind), ...rendered.flatMap((r) => r.companions.map((c) => c.kind))]);
  const further = [...kinds].filter((kind): kind is KindName => kind in KINDS && !sight.versions.has(kind) && !sight.unreadable.has(kind));
  const selectors = selectorsFor(rendered.map((r) => r.service), request.options);
  await look(ports.cluster, further, selectors, sight);
  const merged = mergeServices(rendered);
  const problems: Problem[] = [...merged.problems];
  const hidden = sight.unreadable.get('Service');
  if (hidden !== undefined && merged.services.length > 0) problems.push(unreadableProblem('Service', hidden));
  const namespaces = sight.unreadable.has('Namespace') ? [] : namespacesOf(rendered, request.options);
  const options = { cluster: request.selection.cluster, adopt: request.adopt, namespaces, services: hidden === undefined ? merged.services : [] };
  const prefixes = request.options.prefixes ?? YELP_PREFIXES;
  const first = makePlan(rendered, { objects: sight.objects }, options, prefixes);
  const creates = allSteps(first).filter((s) => s.action === 'create').map((s) => s.object);
  const strangers = await lookForStrangers(ports.cluster, creates, sight);
  if (strangers.length === 0) return { plan: first, problems: [...problems, ...first.problems] };
  for (const object of strangers) sight.objects.set(objectKey(object), object);
  const second = makePlan(rendered, { objects: sight.objects }, options, prefixes);
  return { plan: second, problems: [...problems, ...second.problems] };
}

function targetOf(plan: InstancePlan, since: number, board: Board, request: ConvergeRequest): Target {
  const { rendered } = plan;
  const place = { service: rendered.service, instance: rendered.instance, namespace: rendered.namespace, workloadKind: rendered.workload.kind, name: rendered.name };
  const generation = request.mode === 'wait' ? undefined : board.evidence(place).workload?.metadata.generation;
  return {
    title: `${rendered.service}.${rendered.instance}`,
    place,
    mayNotHaveBegun: request.mode === 'wait',
    untouched: request.mode === 'wait' || plan.steps.length === 0,
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

function streamsFor(sight: Sight, plans: readonly InstancePlan[], selectors: Selectors): WaitOptions['streams'] {
  const workloads = [...new Set(plans.map((p) => p.rendered.workload.kind))].filter((k): k is KindName => k in KINDS);
  const namespaces = [...new Set(plans.map((p) => p.rendered.namespace))];
  const labelled = [...workloads, 'ReplicaSet' as const, 'Pod' as const].map((kind) => ({ kind, resourceVersion: sight.versions.get(kind), listing: { labelSelector: selectors.workloads } }));
  // Events carry no labels; what goes well is not of interest.
  const events = { kind: 'Event' as const, resourceVersion: undefined, listing: { fieldSelector: 'type=Warning', ...(namespaces.length === 1 ? { namespace: namespaces[0] as string } : {}) } };
  return [...labelled, events];
}

/** Unknown names, the wrong cluster and an unreachable server are thrown; everything about one instance is in the result. */
export async function converge(request: ConvergeRequest, ports: ConvergePorts): Promise<ConvergeResult> {
  const { cluster, clock, log } = ports;
  const begun = clock.now();
  const selected = select(request.soa, request.system, request.selection);
  const services = selected.instances.map((i) => i.service);
  const selectors = selectorsFor(services, request.options);
  const outcomes = new Outcomes(request.selection.cluster, ports);
  const done = (plan: Plan | undefined, problems: readonly Problem[], cancelled = false): ConvergeResult => ({
    cluster: request.selection.cluster,
    plan,
    planHash: plan === undefined ? '' : planHash(plan),
    instances: outcomes.all(),
    problems,
    writes: outcomes.writes,
    requests: cluster.requests,
    cancelled,
    duration: clock.now() - begun,
  });
  if (selected.instances.length === 0) return done(undefined, [...selected.problems]);

  const further: readonly KindName[] = selected.instances.some((i) => i.config['persistent_volumes'] !== undefined) ? ['StatefulSet'] : [];
  const [wishes, sight] = await Promise.all([resolveVersions(selected.instances, selected.services, ports.versions), observe(cluster, selectors, further)]);
  const identity = await checkIdentity(cluster, request.selection.cluster, clusterSettings(request.system, request.selection.cluster), sight.objects.get(keyFor('Namespace', undefined, 'kube-system')));
  const renderings = await renderAll(wishes, { soa: request.soa, system: request.system, objects: sight.objects, digests: ports.digests, options: request.options });
  const explicit = request.selection.deployGroup !== undefined || request.selection.instances.length > 0;
  for (const wish of wishes) if (wish.deployed === undefined) outcomes.notMarked(wish, explicit);
  const ready: { wish: Wish; rendered: RenderedInstance }[] = [];
  for (const rendering of renderings) acceptRendering(rendering, sight, outcomes, ready);

  const { plan, problems } = await prepare(ready.map((r) => r.rendered), sight, request, ports);
  const wishOf = new Map(ready.map((r) => [`${r.rendered.service}.${r.rendered.instance}`, r.wish]));
  for (const instance of plan.instances) outcomes.planned(instance, wishOf.get(`${instance.rendered.service}.${instance.rendered.instance}`) as Wish, request.mode);
  await request.onPlan?.(plan, planHash(plan));
  const all = [...selected.problems, ...problems];
  if (request.mode === 'plan') return done(plan, all);

  const board = new Board(request.options.prefixes);
  for (const object of [...sight.objects.values(), ...sight.owned]) board.put(object);
  const wait = new Wait(ports, board, { timeout: request.timeout, streams: streamsFor(sight, plan.instances, selectors), onFinal: (target, verdicts) => outcomes.final(target, verdicts, request.timeout) });
  const since = clock.now();
  const blind = ['Pod', 'ReplicaSet'].flatMap((kind) => (sight.unreadable.has(kind) ? [unreadableProblem(kind, sight.unreadable.get(kind) ?? [])] : []));
  const follow = (instance: InstancePlan): void => {
    const target = targetOf(instance, since, board, request);
    if (blind.length > 0) outcomes.unproven(target.title, blind);
    else wait.add(target);
  };
  const writes = request.mode === 'apply' && allSteps(plan).length > 0;
  for (const instance of plan.instances) if (instance.action !== 'blocked' && (!writes || instance.steps.length === 0)) follow(instance);
  wait.judgeNow();
  let cancelled = false;
  try {
    if (writes || wait.pending > 0) {
      const writing = writes
        ? execute(plan, identity.record, {
            cluster,
            log,
            now: () => clock.now(),
            wrote: (object) => {
              outcomes.writes += 1;
              board.wrote(object);
            },
            done: (instance: InstancePlan, executed: Executed) => {
              if (instance.steps.length === 0 && executed.problems.length === 0) return;
              outcomes.executed(instance, executed);
              if (executed.workloadWritten) follow(instance);
            },
          }).then((found) => void all.push(...found))
        : Promise.resolve();
      await wait.run(writing);
    }
  } catch (error) {
    if (error instanceof CancelledError || ports.signal.aborted) cancelled = true;
    else if (error instanceof UserError) {
      outcomes.interrupted(error.problems);
      all.push(...error.problems);
    } else throw error;
  }
  all.push(...wait.problems);
  if (cancelled) outcomes.cancelled();
  else await outcomes.finish();
  return done(plan, all, cancelled);
}

function acceptRendering(rendering: Rendering, sight: Sight, outcomes: Outcomes, ready: { wish: Wish; rendered: RenderedInstance }[]): void {
  if ('problems' in rendering) {
    outcomes.notRendered(rendering.wish, rendering.problems);
    return;
  }
  const { rendered, problems } = readableOnly(rendering.rendered, sight);
  outcomes.note(`${rendered.service}.${rendered.instance}`, problems);
  ready.push({ wish: rendering.wish, rendered });
}

