/**
 * Desired against observed. Ports the decision of `setup_kubernetes_job` (create, update, leave) and adds what PaaSTA
 * does not see: edits of fields behind unchanged labels, foreign objects of the same name, the reason of every write.
 */
import { sameVersion } from '../contract/deployment-version.ts';
import type { Problem } from '../contract/errors.ts';
import { YELP_PREFIXES, type LabelPrefixes } from '../contract/names.ts';
import type { KubeObject } from '../objects/types.ts';
import type { RenderedInstance } from '../workload/types.ts';
import { bounceEffect, completeEffect, noEffect } from './effect.ts';
import { differences, isJsonMap } from './fields.ts';
import { identify, isLeaving, liveIndex, liveWorkloads, type LiveIndex } from './identity.ts';
import { hashOccasions } from './occasions.ts';
import { configHashOf, isOurs, lastEditor, objectKey, replicasOf, versionLabels } from './marks.ts';
import { isHealthy, limited, priority } from './order.ts';
import { abandonedAutoscaler, deletions, rolloutEffect } from './rollout.ts';
import { compare } from './steps.ts';
import type { InstanceAction, InstancePlan, Observed, Plan, PlanOptions, Reason, Rollout, RolloutWhy, Step } from './types.ts';

/** Environment entry that is outside the config hash: a commit to soa-configs alone bounces nothing. */
const SOA_COMMIT = 'PAASTA_SOA_CONFIGS_SHA';

function containersOf(workload: KubeObject): readonly Record<string, unknown>[] {
  const template = workload.spec?.['template'];
  const spec = isJsonMap(template) ? template['spec'] : undefined;
  const lists = isJsonMap(spec) ? [spec['containers'], spec['initContainers']] : [];
  return lists.flatMap((list) => (Array.isArray(list) ? (list as Record<string, unknown>[]) : []));
}

function soaCommitIn(workload: KubeObject): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const container of containersOf(workload)) {
    for (const entry of Array.isArray(container['env']) ? (container['env'] as { name?: string; value?: string }[]) : []) {
      if (entry.name === SOA_COMMIT && typeof entry.value === 'string') found.set(String(container['name']), entry.value);
    }
  }
  return found;
}

/** The workload with these commits of soa-configs in the environment of its containers, by container. */
function withCommits(workload: KubeObject, commits: ReadonlyMap<string, string>): KubeObject {
  const template = workload.spec?.['template'];
  const pod = isJsonMap(template) ? template['spec'] : undefined;
  if (!isJsonMap(template) || !isJsonMap(pod)) return workload;
  const kept = (list: unknown): unknown =>
    (list as readonly Record<string, unknown>[]).map((container) => {
      const value = commits.get(String(container['name']));
      if (value === undefined || !Array.isArray(container['env'])) return container;
      const env = (container['env'] as { name?: string }[]).map((entry) => (entry.name === SOA_COMMIT ? { ...entry, value } : entry));
      return { ...container, env };
    });
  const lists = ['containers', 'initContainers'].filter((name) => Array.isArray(pod[name])).map((name) => [name, kept(pod[name])] as const);
  return { ...workload, spec: { ...workload.spec, template: { ...template, spec: { ...pod, ...Object.fromEntries(lists) } } } };
}

/** The workload as we would apply it now: while the config hash is equal, values outside it keep their live value. */
export function carryOver(rendered: RenderedInstance, live: KubeObject | undefined, prefixes: LabelPrefixes = YELP_PREFIXES): KubeObject {
  const { replicas: _, ...withoutCount } = rendered.workload.spec ?? {};
  const workload = rendered.autoscaled ? { ...rendered.workload, spec: withoutCount } : rendered.workload;
  if (live === undefined || configHashOf(live, prefixes) !== rendered.configHash) return workload;
  return withCommits(workload, soaCommitIn(live));
}

/** Reasons of a workload's write, said in PaaSTA's words where it has some. */
function workloadReasons(
  rendered: RenderedInstance,
  live: KubeObject,
  fields: readonly string[],
  found: readonly Reason[],
  prefixes: LabelPrefixes,
): Reason[] {
  const reasons: Reason[] = found.filter((r) => r.kind === 'adopt');
  const from = versionLabels(live, prefixes);
  const isNewVersion = !sameVersion(from, rendered.version);
  if (isNewVersion) reasons.push({ kind: 'new-version', from, to: rendered.version });
  const sameHash = configHashOf(live, prefixes) === rendered.configHash;
  const drift = found.flatMap((r) => (r.kind === 'drift' ? [r] : []));
  const now = replicasOf(live);
  const replicasDiffer = fields.includes('spec.replicas') && !rendered.autoscaled;
  const handScaled = drift.some((r) => r.fields.includes('spec.replicas'));
  if (replicasDiffer && !(handScaled && now !== 0 && rendered.replicas !== 0)) {
    if (rendered.replicas === 0) reasons.push({ kind: 'stop', from: now });
    else if (now === 0) reasons.push({ kind: 'start', to: rendered.replicas });
    else reasons.push({ kind: 'scale', from: now, to: rendered.replicas });
  }
  const said = new Set(reasons.some((r) => r.kind === 'scale' || r.kind === 'start' || r.kind === 'stop') ? ['spec.replicas'] : []);
  for (const r of drift) {
    const rest = r.fields.filter((f) => !said.has(f));
    if (rest.length > 0) reasons.push({ kind: 'drift', manager: r.manager, fields: rest });
  }
  const driftFields = new Set(drift.flatMap((r) => r.fields));
  const ours = fields.filter((f) => !driftFields.has(f) && f !== 'spec.replicas');
  // Of a changed hash, the hash labels are the consequence, not the reason; of a new version, everything that carries it.
  const consequence = /config_sha$|git_sha$|image_version$|config-hash-version$/;
  const telling = ours.filter(
    (f) =>
      !consequence.test(f) &&
      !(isNewVersion && /(\.image$|env\[PAASTA_(GIT_SHA|DOCKER_IMAGE|IMAGE_VERSION|SOA_CONFIGS_SHA)\]|env\[DD_VERSION\])/.test(f)),
  );
  const occasions = sameHash ? [] : hashOccasions(rendered, live);
  reasons.push(...occasions);
  const onlySoaCommit = telling.every((f) => f.includes(`env[${SOA_COMMIT}]`));
  if (!sameHash && telling.length > 0 && !onlySoaCommit)
    reasons.push({ kind: 'configuration', fields: telling.filter((f) => !f.includes(`env[${SOA_COMMIT}]`)) });
  else if (!sameHash && !isNewVersion && occasions.length === 0)
    reasons.push({ kind: 'configuration', fields: ['force-bounce or secrets (config hash)'] });
  else if (sameHash && telling.length > 0) {
    // Our rendering of the template is what it was: a field that is gone was taken out by hand.
    const taken = telling.filter((f) => f.startsWith('spec.template'));
    const rest = telling.filter((f) => !f.startsWith('spec.template'));
    if (taken.length > 0) reasons.push({ kind: 'drift', manager: lastEditor(live), fields: taken });
    if (rest.length > 0) reasons.push({ kind: 'configuration', fields: rest });
  }
  return reasons;
}

/** Does the autoscaler act on another workload than the wanted one (or is there none yet)? Then nobody else sets its count. */
function isScaledElsewhere(rendered: RenderedInstance, observed: Observed): boolean {
  const ours = rendered.companions.find((c) => c.kind === 'HorizontalPodAutoscaler');
  const live = ours === undefined ? undefined : observed.objects.get(objectKey(ours));
  const target = live?.spec?.['scaleTargetRef'];
  return !isJsonMap(target) || target['name'] !== rendered.name || target['kind'] !== rendered.workload.kind;
}

function scaleTo(
  rendered: RenderedInstance,
  live: KubeObject | undefined,
  old: readonly KubeObject[],
  observed: Observed,
): number | undefined {
  if (!rendered.autoscaled) return undefined;
  if (live === undefined) return rendered.replicas;
  const now = replicasOf(live);
  // A run that was killed between creation and count left the default.
  if (old.length > 0 && now < rendered.replicas && isScaledElsewhere(rendered, observed)) return rendered.replicas;
  const stopped = rendered.replicas === 0;
  // Between start and stop the autoscaler decides.
  return stopped === (now === 0) ? undefined : rendered.replicas;
}

function actionOf(reasons: readonly Reason[], creates: boolean): InstanceAction {
  if (creates) return 'create';
  const kinds = new Set(reasons.map((r) => r.kind));
  if (kinds.size === 0) return 'unchanged';
  for (const only of ['scale', 'start', 'stop'] as const) if (kinds.size === 1 && kinds.has(only)) return only;
  return 'update';
}

/** Everything that is written for an instance while its workload is the one of the plan. */
interface Parts {
  /** Before the workload. */
  readonly before: readonly Step[];
  /** An autoscaler needs its workload. */
  readonly after: readonly Step[];
  readonly reasons: readonly Reason[];
  readonly problems: readonly Problem[];
}

function companionParts(rendered: RenderedInstance, exists: boolean, observed: Observed, adopt: boolean): Parts {
  const [before, after, reasons, problems] = [[] as Step[], [] as Step[], [] as Reason[], [] as Problem[]];
  for (const companion of rendered.companions) {
    const compared = compare(companion, observed.objects.get(objectKey(companion)), adopt);
    problems.push(...compared.problems);
    const { step } = compared;
    if (step === undefined) continue;
    (companion.kind === 'HorizontalPodAutoscaler' ? after : before).push(step);
    if (exists)
      reasons.push(
        ...step.reasons.map((r) =>
          r.kind === 'new'
            ? ({ kind: 'configuration', fields: [step.title] } as const)
            : r.kind === 'configuration'
              ? { ...r, fields: r.fields.map((f) => `${companion.kind} ${f}`) }
              : r,
        ),
      );
  }
  return { before, after, reasons, problems };
}

/** Why a workload is put beside an old one, in the words of a change. */
function besideReasons(rendered: RenderedInstance, old: KubeObject, why: RolloutWhy, prefixes: LabelPrefixes): readonly Reason[] {
  // Between kinds only the pods can be compared.
  const fields = differences(carryOver(rendered, undefined, prefixes), old).filter(
    (f) => f !== 'spec.selector' && !f.startsWith('spec.selector.') && (why.kind !== 'kind' || f.startsWith('spec.template')),
  );
  const own = workloadReasons(rendered, old, fields, [], prefixes).filter(
    (r) => why.kind !== 'immutable' || r.kind !== 'configuration' || r.fields.some((f) => !why.fields.includes(f)),
  );
  return [...own, { kind: 'rollout', why }];
}

function planInstance(
  given: RenderedInstance,
  observed: Observed,
  options: PlanOptions,
  index: LiveIndex,
  prefixes: LabelPrefixes,
): InstancePlan {
  const {
    rendered,
    old,
    why,
    recreates,
    problems: refused,
  } = identify(given, observed.objects, liveWorkloads(index, given, prefixes), options.adopt, prefixes);
  const seen = observed.objects.get(objectKey(rendered.workload));
  // What is on its way out cannot be changed any more: its name is taken again once it is gone.
  const live = seen !== undefined && isLeaving(seen) ? undefined : seen;
  const workload = carryOver(rendered, live, prefixes);
  const oldCount = old.reduce((most, o) => Math.max(most, isLeaving(o) ? 0 : replicasOf(o)), 0);
  const serving = live === undefined ? 0 : replicasOf(live);
  const parts = companionParts(rendered, live !== undefined || (why !== undefined && why.kind !== 'namespace'), observed, options.adopt);
  const compared = compare(workload, live, options.adopt);
  const problems = [...refused, ...parts.problems, ...compared.problems];
  const reasons: Reason[] = [...parts.reasons];
  const steps: Step[] = [...parts.before];
  const count = scaleTo(rendered, live, old, observed);
  // A count that we set before belongs to the manager of counts from now on; else leaving it out would reset it to 1.
  const handOver =
    rendered.autoscaled && live !== undefined && isOurs(live) && compared.fields.includes('spec.replicas') ? replicasOf(live) : undefined;
  const setTo = count ?? handOver;
  const wanted = rendered.autoscaled && setTo === undefined && live !== undefined ? serving : rendered.replicas;
  let effect = noEffect(serving, wanted);
  if (compared.step !== undefined) {
    const ofLive = live === undefined ? undefined : workloadReasons(rendered, live, compared.fields, compared.step.reasons, prefixes);
    const model = old.find((o) => !isLeaving(o)) ?? old[0];
    const own =
      ofLive ?? (why === undefined || model === undefined ? compared.step.reasons : besideReasons(rendered, model, why, prefixes));
    steps.push({ ...compared.step, reasons: own, ...(setTo === undefined ? {} : { scaleTo: setTo }), ...(recreates ? { recreates } : {}) });
    reasons.unshift(...own);
    if (live !== undefined && compared.fields.some((f) => f.startsWith('spec.template'))) effect = bounceEffect(workload, serving, wanted);
  } else if (setTo !== undefined && problems.length === 0) {
    steps.push({
      action: 'update',
      title: `${workload.kind} ${rendered.namespace}/${rendered.name}`,
      object: workload,
      reasons: [],
      force: false,
      scaleTo: setTo,
      scaleOnly: true,
    });
  }
  steps.push(...parts.after);
  if (live !== undefined && why === undefined && count !== undefined) {
    // The autoscaler that comes or goes with it is the consequence.
    for (const [at, reason] of [...reasons.entries()].reverse())
      if (reason.kind === 'configuration' && reason.fields.every((f) => f.startsWith('HorizontalPodAutoscaler '))) reasons.splice(at, 1);
    reasons.push(rendered.replicas === 0 ? { kind: 'stop', from: serving } : { kind: 'start', to: rendered.replicas });
  }
  const unwanted = abandonedAutoscaler(rendered, given.name, observed.objects);
  if (unwanted !== undefined) {
    steps.push(unwanted);
    if (reasons.length === 0) reasons.push(...unwanted.reasons);
  }
  if (why !== undefined) {
    steps.push(...deletions(rendered, given.name, old, why, observed.objects));
    if (!reasons.some((r) => r.kind === 'rollout')) reasons.push({ kind: 'rollout', why });
    effect = rolloutEffect(
      rendered,
      serving,
      old.filter((o) => !isLeaving(o)),
      wanted,
    );
  }
  const rollout: Rollout = why === undefined ? { kind: 'native' } : { kind: 'side-by-side', why, old };
  if (problems.length > 0)
    return {
      rendered,
      rollout: { kind: 'native' },
      action: 'blocked',
      reasons: [],
      effect: noEffect(Math.max(serving, oldCount)),
      steps: [],
      problems,
    };
  return completeEffect(
    { rendered, rollout, action: actionOf(reasons, live === undefined && old.length === 0), reasons, effect, steps, problems },
    [...(live === undefined ? [] : [live]), ...old],
  );
}

/** Steps of shared objects: created and corrected, never deleted. */
function sharedSteps(objects: readonly KubeObject[], observed: Observed, adopt: boolean, problems: Problem[]): Step[] {
  return objects.flatMap((object) => {
    const live = observed.objects.get(objectKey(object));
    // A namespace that others made serves as it is.
    if (object.kind === 'Namespace' && live !== undefined && !isOurs(live)) return [];
    const compared = compare(object, live, adopt);
    problems.push(...compared.problems);
    return compared.step === undefined ? [] : [compared.step];
  });
}

/** Shared objects that only instances need which are left for the next pass wait with them. */
function needed(steps: readonly Step[], instances: readonly InstancePlan[], of: (plan: InstancePlan) => readonly string[]): Step[] {
  const left = new Set(instances.filter((i) => i.action === 'left').flatMap(of));
  const others = new Set(instances.filter((i) => i.action !== 'left').flatMap(of));
  return steps.filter(({ object }) => others.has(objectKey(object)) || !left.has(objectKey(object)));
}

export function makePlan(
  rendered: readonly RenderedInstance[],
  observed: Observed,
  options: PlanOptions,
  prefixes: LabelPrefixes = YELP_PREFIXES,
): Plan {
  const problems: Problem[] = [];
  const namespaces = sharedSteps(options.namespaces, observed, false, problems);
  const shared = sharedSteps(options.services, observed, options.adopt, problems);
  const index = liveIndex(observed.objects.values(), prefixes);
  const ranked = rendered.map((r) => {
    const plan = planInstance(r, observed, options, index, prefixes);
    return { plan, rank: plan.steps.length === 0 ? 4 : priority(plan, isHealthy(plan, liveWorkloads(index, r, prefixes))) };
  });
  const instances = limited(
    ranked.sort((a, b) => a.rank - b.rank).map(({ plan }) => plan),
    options.rateLimit ?? 0,
  );
  return {
    cluster: options.cluster,
    namespaces: needed(namespaces, instances, (i) => [`Namespace//${i.rendered.namespace}`]),
    shared: needed(shared, instances, (i) => i.rendered.services.map(objectKey)),
    instances,
    problems,
  };
}
