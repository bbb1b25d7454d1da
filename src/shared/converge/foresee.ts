/** The first half of a pass: look at the cluster, render what is declared, plan what would be written. Writes nothing. */
import type { Problem } from '../contract/errors.ts';
import { paastaPrefixed, YELP_PREFIXES } from '../contract/names.ts';
import { KINDS, type KindName, type KubeObject } from '../objects/types.ts';
import { allSteps, foreignInstance, keyFor, makePlan, objectKey, type Plan } from '../plan/index.ts';
import { mergeServices, renderNamespace, type PortOwners, type RenderedInstance, type RenderOptions } from '../workload/index.ts';
import { clashes, withoutClash } from './clashes.ts';
import { renderAll, type Rendering } from './desired.ts';
import { checkIdentity, clusterSettings, readRecord } from './guard.ts';
import { scheduledJobs, type Scheduled } from './jobs.ts';
import { askOverrides, missingSecrets, overridesText, readLiveFacts } from './live-facts.ts';
import { furnish } from './namespaces.ts';
import { hiddenFrom, look, lookForStrangers, observe, selectorsFor, unreadableProblem, type Selectors, type Sight } from './observe.ts';
import type { Outcomes } from './outcomes.ts';
import { portOwners } from './port-owners.ts';
import type { ConvergePorts } from './ports.ts';
import { rehearse } from './rehearse.ts';
import type { ConvergeRequest } from './request.ts';
import type { Selected } from './select.ts';
import { placeOf, resolveVersions, type Wish } from './wishes.ts';

export interface Foreseen {
  readonly plan: Plan;
  /** Of no single instance. */
  readonly problems: readonly Problem[];
  readonly sight: Sight;
  readonly selectors: Selectors;
  /** The cluster's record of itself, when it is still to be written. */
  readonly record: KubeObject | undefined;
}

function namespacesOf(names: readonly string[], options: RenderOptions): readonly KubeObject[] {
  return [...new Set(names)]
    .sort()
    .map((name) => renderNamespace(name, options.prefixes === undefined ? {} : { prefixes: options.prefixes }));
}

/** Takes out what we may not read: we cannot know whether to write it. The instance keeps the problem. */
function readableOnly(
  rendered: RenderedInstance,
  sight: Sight,
): { readonly rendered: RenderedInstance; readonly problems: readonly Problem[] } {
  const why = (kind: string): readonly Problem[] | undefined => hiddenFrom(sight, kind, rendered.namespace);
  const hidden = [...new Set(rendered.companions.map((c) => c.kind))].filter((kind) => why(kind) !== undefined);
  if (hidden.length === 0) return { rendered, problems: [] };
  return {
    rendered: { ...rendered, companions: rendered.companions.filter((c) => why(c.kind) === undefined) },
    problems: hidden.map((kind) => unreadableProblem(kind, why(kind) ?? [])),
  };
}

/** Kinds that are rendered and were not looked at; autoscalers also when a workload had one. */
function kindsNeeded(renderings: readonly Rendering[], sight: Sight, options: RenderOptions): readonly KindName[] {
  const objects = renderings.flatMap((r) => ('rendered' in r ? [r.rendered.workload, ...r.rendered.companions] : []));
  const scaled = [...sight.objects.values()].some(
    (o) => o.metadata.labels?.[paastaPrefixed('autoscaled', options.prefixes ?? YELP_PREFIXES)] === 'true',
  );
  const kinds = new Set([...objects.map((o) => o.kind), ...(scaled ? ['HorizontalPodAutoscaler'] : [])]);
  return [...kinds].filter((kind): kind is KindName => kind in KINDS && !sight.versions.has(kind) && !sight.unreadable.has(kind));
}

/** Plans; looks for objects of others under the names that it would create, and plans again when there are any. */
async function planOver(
  rendered: readonly RenderedInstance[],
  owners: PortOwners,
  sight: Sight,
  request: ConvergeRequest,
  ports: ConvergePorts,
  scheduled: Scheduled = { objects: [], namespaces: [], problems: [] },
): Promise<Pick<Foreseen, 'plan' | 'problems'>> {
  const selectors = selectorsFor(
    rendered.map((r) => r.service),
    rendered.map((r) => r.namespace),
    request.options.prefixes,
  );
  const merged = mergeServices(rendered, owners);
  const problems: Problem[] = [...merged.problems, ...scheduled.problems];
  const hidden = new Map(
    merged.services.flatMap((s) => {
      const why = hiddenFrom(sight, 'Service', s.metadata.namespace ?? '');
      return why === undefined ? [] : [[s.metadata.namespace, why] as const];
    }),
  );
  for (const why of new Set([...hidden.values()].map((found) => unreadableProblem('Service', found)))) problems.push(why);
  const namespaces = sight.unreadable.has('Namespace')
    ? []
    : namespacesOf([...rendered.map((r) => r.namespace), ...scheduled.namespaces], request.options);
  const options = {
    cluster: request.selection.cluster,
    adopt: request.adopt,
    rateLimit: request.rateLimit ?? 0,
    namespaces,
    services: [...merged.services.filter((s) => !hidden.has(s.metadata.namespace)), ...scheduled.objects],
  };
  const prefixes = request.options.prefixes ?? YELP_PREFIXES;
  const first = makePlan(rendered, { objects: sight.objects }, options, prefixes);
  const furniture = await furnish(first, [...rendered.map((r) => r.namespace), ...scheduled.namespaces], sight, selectors, {
    cluster: ports.cluster,
    system: request.system,
    prefixes,
  });
  problems.push(...furniture.problems);
  const creates = allSteps(first)
    .filter((s) => s.action === 'create')
    .map((s) => s.object);
  const strangers = await lookForStrangers(ports.cluster, creates, sight);
  if (strangers.length + furniture.objects.length === 0) return { plan: first, problems: [...problems, ...first.problems] };
  for (const object of strangers) sight.objects.set(objectKey(object), object);
  const second = makePlan(
    rendered,
    { objects: sight.objects },
    { ...options, namespaces: [...namespaces, ...furniture.objects] },
    prefixes,
  );
  return { plan: second, problems: [...problems, ...second.problems] };
}

function acceptRendering(
  rendering: Rendering,
  sight: Sight,
  outcomes: Outcomes,
  ready: { wish: Wish; rendered: RenderedInstance }[],
): void {
  if ('problems' in rendering) {
    outcomes.notRendered(rendering.wish, rendering.problems);
    return;
  }
  const foreign = foreignInstance(rendering.rendered, sight.objects);
  const unseen = foreign === undefined ? hiddenFrom(sight, rendering.rendered.workload.kind, rendering.rendered.namespace) : [foreign];
  if (unseen !== undefined) {
    outcomes.notRendered(
      rendering.wish,
      unseen.map((found) => ({ ...rendering.wish.instance.position(), ...found })),
    );
    return;
  }
  const { rendered, problems } = readableOnly(rendering.rendered, sight);
  outcomes.note(`${rendered.service}.${rendered.instance}`, problems);
  ready.push({ wish: rendering.wish, rendered });
}

/** Throws `UserError` for the wrong cluster and for a server that cannot be reached; everything about one instance goes to the outcomes. */
export async function foresee(selected: Selected, request: ConvergeRequest, ports: ConvergePorts, outcomes: Outcomes): Promise<Foreseen> {
  const { cluster, clock, log } = ports;
  const begun = clock.now();
  const selectors = selectorsFor(
    selected.instances.map((i) => i.service),
    selected.instances.map((i) => placeOf(i).namespace),
    request.options.prefixes,
  );
  // What the instances will surely need is looked at together with everything else, not after the rendering.
  const declares = (key: string): boolean => selected.instances.some((i) => i.config[key] !== undefined);
  const isScaled = declares('max_instances');
  const [wishes, sight, record, overrides] = await Promise.all([
    resolveVersions(selected.instances, selected.services, ports.versions),
    observe(cluster, selectors, isScaled ? ['HorizontalPodAutoscaler'] : [], request.early),
    readRecord(cluster),
    isScaled ? askOverrides(cluster) : undefined,
  ]);
  const identity = await checkIdentity(
    cluster,
    request.selection.cluster,
    clusterSettings(request.system, request.selection.cluster),
    sight.objects.get(keyFor('Namespace', undefined, 'kube-system')),
    record,
  );
  const facts = await readLiveFacts(cluster, wishes, request.system, overrides, begun);
  for (const line of overridesText(facts)) log.info(line);
  const missing = (rendered: RenderedInstance): Promise<readonly Problem[]> => missingSecrets(cluster, rendered, sight.objects);
  const renderings = await renderAll(wishes, {
    soa: request.soa,
    system: request.system,
    objects: sight.objects,
    digests: ports.digests,
    options: request.options,
    adopt: request.adopt,
    facts,
    missing,
  });
  const explicit = request.selection.deployGroup !== undefined || request.selection.instances.length > 0;
  for (const wish of wishes) if (wish.deployed === undefined) outcomes.notMarked(wish, explicit);
  const ready: { wish: Wish; rendered: RenderedInstance }[] = [];
  await look(cluster, kindsNeeded(renderings, sight, request.options), selectors, sight);
  const clashing = clashes(selected.services, request.selection.cluster);
  for (const rendering of renderings) acceptRendering(withoutClash(rendering, clashing), sight, outcomes, ready);

  const scheduled =
    request.mode === 'wait'
      ? undefined
      : await scheduledJobs(selected.jobs, selectors, { soa: request.soa, system: request.system, options: request.options, sight }, ports);
  const prepared = await planOver(
    ready.map((r) => r.rendered),
    portOwners(selected.services, request.selection.cluster),
    sight,
    request,
    ports,
    scheduled,
  );
  const { plan, problems: foreseen } =
    request.mode === 'wait'
      ? { plan: prepared.plan, problems: [] }
      : await rehearse(prepared.plan, { cluster, log, dryRun: request.mode === 'plan' });
  const wishOf = new Map(ready.map((r) => [`${r.rendered.service}.${r.rendered.instance}`, r.wish]));
  for (const instance of plan.instances)
    outcomes.planned(instance, wishOf.get(`${instance.rendered.service}.${instance.rendered.instance}`) as Wish, request.mode);
  return { plan, problems: [...prepared.problems, ...foreseen], sight, selectors, record: identity.record };
}
