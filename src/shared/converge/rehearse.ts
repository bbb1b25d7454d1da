/**
 * What stands in the way of a plan, asked before anything is written: ResourceQuotas and LimitRanges in numbers, and (mode plan only)
 * a server dry-run of every object that differs and of one pod of every workload that gets new ones, so that admission is seen, too. In mode
 * apply the writes themselves tell, at once and exactly.
 */
import { UserError, type Problem } from '../contract/errors.ts';
import type { Log } from '../contract/ports.ts';
import { withoutTrailing } from '../contract/trailing.ts';
import { KINDS, type Kind, type KubeObject } from '../objects/types.ts';
import { allSteps, foresee, podAmounts, type Amounts, type InstancePlan, type Plan, type Rehearsed, type Step } from '../plan/index.ts';
import { pooled } from './pool.ts';
import { statusOf, type ClusterAccess } from './ports.ts';

/** Requests in flight. */
const WIDTH = 8;
/** More namespaces than this are not asked one by one. */
const SINGLY = 20;

export interface RehearseOptions {
  readonly cluster: ClusterAccess;
  readonly log: Pick<Log, 'debug'>;
  /** Ask the API server by dry-run. */
  readonly dryRun: boolean;
}

export interface Foreseen {
  readonly plan: Plan;
  /** Of shared objects, and notices about what could not be asked. */
  readonly problems: readonly Problem[];
}

function titleOf({ rendered }: InstancePlan): string {
  return `${rendered.service}.${rendered.instance}`;
}

/** All objects of a kind in some namespaces; `undefined` when we may not look. */
async function listIn(cluster: ClusterAccess, kind: Kind, namespaces: readonly string[]): Promise<readonly KubeObject[] | undefined> {
  try {
    if (namespaces.length === 1) return (await cluster.list(kind, { namespace: namespaces[0] as string })).items;
    return (await cluster.list(kind)).items;
  } catch (error) {
    if (!(error instanceof UserError) || statusOf(error) === undefined) throw error;
    if (namespaces.length === 1 || namespaces.length > SINGLY) return undefined;
  }
  const found: KubeObject[] = [];
  let hidden = false;
  await pooled([...namespaces], WIDTH, async (namespace) => {
    const items = await listIn(cluster, kind, [namespace]);
    if (items === undefined) hidden = true;
    else found.push(...items);
  });
  return hidden ? undefined : found;
}

/** A pod as the controller of the workload would make it. A service account that the same plan makes is left out: it is not there yet. */
export function samplePod({ rendered, steps }: Pick<InstancePlan, 'rendered' | 'steps'>): KubeObject {
  const { workload } = rendered;
  const template = (workload.spec?.['template'] ?? {}) as {
    metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> };
    spec?: Record<string, unknown>;
  };
  const spec = structuredClone(template.spec ?? {});
  const account = spec['serviceAccountName'];
  if (
    typeof account === 'string' &&
    steps.some((s) => s.action === 'create' && s.object.kind === 'ServiceAccount' && s.object.metadata.name === account)
  ) {
    delete spec['serviceAccountName'];
    delete spec['serviceAccount'];
  }
  const claims = (workload.spec?.['volumeClaimTemplates'] ?? []) as readonly { metadata?: { name?: string } }[];
  const volumes = claims.map(({ metadata }) => ({
    name: metadata?.name ?? '',
    persistentVolumeClaim: { claimName: `${metadata?.name ?? ''}-${rendered.name}-0` },
  }));
  if (volumes.length > 0) spec['volumes'] = [...((spec['volumes'] as readonly unknown[] | undefined) ?? []), ...volumes];
  const { labels = {}, annotations = {} } = template.metadata ?? {};
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${withoutTrailing(rendered.name.slice(0, 200), '-.')}-rehearsal`,
      namespace: rendered.namespace,
      labels,
      annotations,
    },
    spec,
  };
}

/** Does the plan make new pods for this instance? */
function makesPods({ effect, steps, rendered }: InstancePlan): boolean {
  const writes = steps.some((s) => s.object.kind === rendered.workload.kind && s.action !== 'delete');
  return writes && (effect.bounces || effect.difference > 0) && (effect.usage?.after['pods'] ?? 0) > 0;
}

interface Entry {
  readonly problems: Problem[];
  pod?: Amounts;
}

class Rehearsal {
  readonly #options: RehearseOptions;
  readonly #notices = new Map<string, Problem>();
  readonly #rehearsed = new Map<string, Entry>();
  readonly shared: Problem[] = [];

  constructor(options: RehearseOptions) {
    this.#options = options;
  }

  get problems(): readonly Problem[] {
    return [...this.shared, ...this.#notices.values()];
  }

  get rehearsed(): ReadonlyMap<string, Rehearsed> {
    return this.#rehearsed;
  }

  #entry(title: string): Entry {
    const known = this.#rehearsed.get(title) ?? { problems: [] };
    this.#rehearsed.set(title, known);
    return known;
  }

  /** Problems that the answer is; none when it could not be asked, which is said once. */
  #answer(error: unknown, what: string): readonly Problem[] {
    const status = statusOf(error);
    if (!(error instanceof UserError) || status === undefined) throw error;
    const [first] = error.problems;
    this.#options.log.debug(`rehearsal of ${what}: ${error.message}`);
    const may = first?.code !== 'CLUSTER_FORBIDDEN';
    if (may && status < 500 && !/does not support dry run/.test(error.message)) return error.problems;
    const { code, message, hint } = may
      ? { code: 'NOT_REHEARSED', message: `${what} could not be rehearsed: ${first?.message ?? ''}`, hint: undefined }
      : {
          code: 'NOT_REHEARSED',
          message: `admission could not be asked: ${first?.message ?? ''}`,
          hint: `${first?.hint ?? ''}; a plan without it shows no refusals of admission (docs/rbac.md)`,
        };
    this.#notices.set(message, { severity: 'notice', code, message, ...(hint === undefined ? {} : { hint }) });
    return [];
  }

  async step(step: Step, into: Problem[]): Promise<void> {
    try {
      const applied = await this.#options.cluster.apply(step.object, { force: step.force, dryRun: true });
      if (applied.outcome === 'conflict') {
        for (const { manager, field } of applied.conflicts)
          into.push({
            severity: 'error',
            code: 'FIELD_CONFLICT',
            message: `${step.title}: ${field} belongs to ${manager}, which gave it another value`,
            hint: `stop ${manager} from setting it, or set adopt: true to take the field over`,
          });
      }
    } catch (error) {
      // An edit by hand beside our fields can make both together invalid: the write takes it away first, a dry-run cannot.
      if (statusOf(error) === 422 && step.live !== undefined && step.force) return;
      into.push(...this.#answer(error, step.title));
    }
  }

  async instanceStep(instance: InstancePlan, step: Step): Promise<void> {
    await this.step(step, this.#entry(titleOf(instance)).problems);
  }

  async pod(instance: InstancePlan): Promise<void> {
    const entry = this.#entry(titleOf(instance));
    try {
      const made = await this.#options.cluster.create(samplePod(instance), { dryRun: true });
      if (made !== undefined) entry.pod = podAmounts(made.spec ?? {});
    } catch (error) {
      const said = this.#answer(
        error,
        `a pod of ${instance.rendered.workload.kind} ${instance.rendered.namespace}/${instance.rendered.name}`,
      );
      entry.problems.push(...said.filter((p) => !entry.problems.some((other) => other.message === p.message)));
    }
  }
}

/** Asks nothing when the plan writes nothing. */
export async function rehearse(plan: Plan, options: RehearseOptions): Promise<Foreseen> {
  if (allSteps(plan).length === 0) return { plan, problems: [] };
  const { cluster, dryRun } = options;
  const isNew = new Set(
    plan.namespaces.filter((s) => s.action === 'create' && s.object.kind === 'Namespace').map((s) => s.object.metadata.name),
  );
  const there = (step: Step): boolean => !isNew.has(step.object.metadata.namespace ?? '');
  const growing = plan.instances.filter((i) => i.effect.usage !== undefined && !isNew.has(i.rendered.namespace));
  const namespaces = [...new Set(growing.map((i) => i.rendered.namespace))].sort();
  const rehearsal = new Rehearsal(options);
  // The content of a secret is no part of a plan.
  const asks = (step: Step): boolean =>
    step.action !== 'delete' && step.object.kind !== 'Secret' && step.scaleOnly !== true && step.recreates !== true && there(step);
  const jobs: (() => Promise<void>)[] = !dryRun
    ? []
    : [
        ...[...plan.namespaces, ...plan.shared].filter(asks).map((step) => () => rehearsal.step(step, rehearsal.shared)),
        ...plan.instances.flatMap((i) => [
          ...i.steps.filter(asks).map((step) => () => rehearsal.instanceStep(i, step)),
          ...(makesPods(i) && !isNew.has(i.rendered.namespace) ? [() => rehearsal.pod(i)] : []),
        ]),
      ];
  const [quotas, limitRanges] = await Promise.all([
    namespaces.length === 0 ? [] : listIn(cluster, KINDS.ResourceQuota, namespaces),
    namespaces.length === 0 || !dryRun ? [] : listIn(cluster, KINDS.LimitRange, namespaces),
    pooled(jobs, WIDTH, (job) => job()),
  ]);
  if (quotas === undefined) options.log.debug('ResourceQuotas may not be read: the plan does not know them');
  return { plan: foresee(plan, { quotas, limitRanges: limitRanges ?? [], rehearsed: rehearsal.rehearsed }), problems: rehearsal.problems };
}
