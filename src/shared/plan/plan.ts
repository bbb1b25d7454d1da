/**
 * Desired against observed. Ports the decision of `setup_kubernetes_job` (create, update, leave) and adds what PaaSTA
 * does not see: edits of fields behind unchanged labels, foreign objects of the same name, the reason of every write.
 */
import { canonicalHash } from '../contract/canonical-json.ts';
import { sameVersion } from '../contract/deployment-version.ts';
import type { Problem } from '../contract/errors.ts';
import { YELP_PREFIXES, type LabelPrefixes } from '../contract/names.ts';
import type { KubeObject } from '../objects/types.ts';
import type { RenderedInstance } from '../workload/types.ts';
import { bounceEffect, noEffect } from './effect.ts';
import { isJsonMap } from './fields.ts';
import { configHashOf, isOurs, lastEditor, objectKey, replicasOf, versionLabels } from './marks.ts';
import { compare } from './steps.ts';
import type { InstanceAction, InstancePlan, Observed, Plan, PlanOptions, Reason, Step } from './types.ts';

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

/** The workload as we would apply it now: while the config hash is equal, values outside it keep their live value. */
export function carryOver(rendered: RenderedInstance, live: KubeObject | undefined, prefixes: LabelPrefixes = YELP_PREFIXES): KubeObject {
  const workload = structuredClone(rendered.workload);
  if (rendered.autoscaled && workload.spec !== undefined) delete workload.spec['replicas'];
  if (live === undefined || configHashOf(live, prefixes) !== rendered.configHash) return workload;
  const commits = soaCommitIn(live);
  for (const container of containersOf(workload)) {
    const value = commits.get(String(container['name']));
    for (const entry of Array.isArray(container['env']) ? (container['env'] as { name?: string; value?: string }[]) : []) {
      if (entry.name === SOA_COMMIT && value !== undefined) entry.value = value;
    }
  }
  return workload;
}

/** Reasons of a workload's write, said in PaaSTA's words where it has some. */
function workloadReasons(rendered: RenderedInstance, live: KubeObject, fields: readonly string[], found: readonly Reason[], prefixes: LabelPrefixes): Reason[] {
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
  const telling = ours.filter((f) => !consequence.test(f) && !(isNewVersion && /(\.image$|env\[PAASTA_(GIT_SHA|DOCKER_IMAGE|IMAGE_VERSION|SOA_CONFIGS_SHA)\]|env\[DD_VERSION\])/.test(f)));
  const onlySoaCommit = telling.every((f) => f.includes(`env[${SOA_COMMIT}]`));
  if (!sameHash && telling.length > 0 && !onlySoaCommit) reasons.push({ kind: 'configuration', fields: telling.filter((f) => !f.includes(`env[${SOA_COMMIT}]`)) });
  else if (!sameHash && !isNewVersion) reasons.push({ kind: 'configuration', fields: ['force-bounce or secrets (config hash)'] });
  else if (sameHash && telling.length > 0) {
    // Our rendering of the template is what it was: a field that is gone was taken out by hand.
    const taken = telling.filter((f) => f.startsWith('spec.template'));
    const rest = telling.filter((f) => !f.startsWith('spec.template'));
    if (taken.length > 0) reasons.push({ kind: 'drift', manager: lastEditor(live), fields: taken });
    if (rest.length > 0) reasons.push({ kind: 'configuration', fields: rest });
  }
  return reasons;
}

function scaleTo(rendered: RenderedInstance, live: KubeObject | undefined): number | undefined {
  if (!rendered.autoscaled) return undefined;
  if (live === undefined) return rendered.replicas;
  const now = replicasOf(live);
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

function planInstance(rendered: RenderedInstance, observed: Observed, options: PlanOptions, prefixes: LabelPrefixes): InstancePlan {
  const live = observed.objects.get(objectKey(rendered.workload));
  const workload = carryOver(rendered, live, prefixes);
  const serving = live === undefined ? 0 : replicasOf(live);
  const problems: Problem[] = [];
  const steps: Step[] = [];
  const reasons: Reason[] = [];
  // An autoscaler needs its workload, the workload everything else.
  const after: Step[] = [];
  for (const companion of rendered.companions) {
    const compared = compare(companion, observed.objects.get(objectKey(companion)), options.adopt);
    problems.push(...compared.problems);
    if (compared.step !== undefined) {
      (companion.kind === 'HorizontalPodAutoscaler' ? after : steps).push(compared.step);
      if (live !== undefined) reasons.push(...compared.step.reasons.map((r) => (r.kind === 'new' ? ({ kind: 'configuration', fields: [compared.step?.title ?? ''] } as const) : r.kind === 'configuration' ? { ...r, fields: r.fields.map((f) => `${companion.kind} ${f}`) } : r)));
    }
  }
  const compared = compare(workload, live, options.adopt);
  problems.push(...compared.problems);
  const count = scaleTo(rendered, live);
  // A count that we set before belongs to the manager of counts from now on; else leaving it out would reset it to 1.
  const handOver = rendered.autoscaled && live !== undefined && isOurs(live) && compared.fields.includes('spec.replicas') ? replicasOf(live) : undefined;
  const setTo = count ?? handOver;
  const wanted = rendered.autoscaled && setTo === undefined && live !== undefined ? serving : rendered.replicas;
  let effect = noEffect(serving, wanted);
  if (compared.step !== undefined) {
    const own = live === undefined ? compared.step.reasons : workloadReasons(rendered, live, compared.fields, compared.step.reasons, prefixes);
    const step: Step = { ...compared.step, reasons: own, ...(setTo === undefined ? {} : { scaleTo: setTo }) };
    steps.push(step);
    reasons.unshift(...own);
    if (live !== undefined && compared.fields.some((f) => f.startsWith('spec.template'))) effect = bounceEffect(workload, serving, wanted);
  } else if (setTo !== undefined && problems.length === 0) {
    steps.push({ action: 'update', title: `${workload.kind} ${rendered.namespace}/${rendered.name}`, object: workload, reasons: [], force: false, scaleTo: setTo, scaleOnly: true });
  }
  steps.push(...after);
  if (live !== undefined && count !== undefined) reasons.push(rendered.replicas === 0 ? { kind: 'stop', from: serving } : { kind: 'start', to: rendered.replicas });
  if (problems.length > 0) return { rendered, action: 'blocked', reasons: [], effect: noEffect(serving), steps: [], problems };
  return { rendered, action: actionOf(reasons, live === undefined), reasons, effect, steps, problems };
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

/** Order of execution: code before configuration, so that a rendering change never delays a developer's push. */
function priority(plan: InstancePlan): number {
  if (plan.action === 'blocked') return 2;
  return plan.reasons.some((r) => r.kind === 'new-version' || r.kind === 'new') ? 0 : 1;
}

export function makePlan(rendered: readonly RenderedInstance[], observed: Observed, options: PlanOptions, prefixes: LabelPrefixes = YELP_PREFIXES): Plan {
  const problems: Problem[] = [];
  const namespaces = sharedSteps(options.namespaces, observed, false, problems);
  const shared = sharedSteps(options.services, observed, options.adopt, problems);
  const instances = rendered.map((r) => planInstance(r, observed, options, prefixes)).sort((a, b) => priority(a) - priority(b));
  return { cluster: options.cluster, namespaces, shared, instances, problems };
}

/** Every write of a plan. */
export function allSteps(plan: Plan): readonly Step[] {
  return [...plan.namespaces, ...plan.shared, ...plan.instances.flatMap((i) => i.steps)];
}

/** Identity of what a plan would write, independent of order and machine. */
export function planHash(plan: Plan): string {
  const steps = allSteps(plan).map((s) => ({ action: s.action, title: s.title, object: s.object, force: s.force, scaleTo: s.scaleTo ?? null }));
  return canonicalHash(steps.sort((a, b) => (a.title < b.title ? -1 : a.title > b.title ? 1 : 0))).slice(0, 16);
}
