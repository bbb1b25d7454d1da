/** From what instances shall run to rendered objects: digests from what runs already or from the registry. */
import { messageOf, problem, UserError, type Problem } from '../contract/errors.ts';
import { sameVersion } from '../contract/deployment-version.ts';
import { containerName, YELP_PREFIXES, type LabelPrefixes } from '../contract/names.ts';
import type { Deployed } from '../deployments/types.ts';
import type { KubeObject } from '../objects/types.ts';
import {
  configHashOf,
  isLeaving,
  keepHash,
  liveIndex,
  liveWorkloads,
  notedRestart,
  objectKey,
  replicasOf,
  versionLabels,
  type LiveIndex,
} from '../plan/index.ts';
import type { SoaConfigs, SystemConfig } from '../soa-configs/types.ts';
import { imageOf, liveDigest } from '../workload/image.ts';
import { renderInstance, type LiveState, type NotRendered, type RenderedInstance, type RenderOptions } from '../workload/index.ts';
import { NO_FACTS, signaturesIn, signaturesNoted, type LiveFacts } from './live-facts.ts';
import { pooled } from './pool.ts';
import type { DigestSource } from './ports.ts';
import { placeOf, type Wish } from './wishes.ts';

/** Workloads of an instance under any name, kind and namespace: first those of the wanted commit, then those with the most pods. */
function liveOf(wish: Wish, index: LiveIndex, prefixes: LabelPrefixes): readonly KubeObject[] {
  const isWanted = (o: KubeObject): number => Number(sameVersion(versionLabels(o, prefixes), wish.deployed));
  return liveWorkloads(index, wish.instance, prefixes)
    .filter((o) => !isLeaving(o))
    .sort((a, b) => isWanted(b) - isWanted(a) || replicasOf(b) - replicasOf(a));
}

/** The image of the first, the count of the largest: what an autoscaler decided is not lost between two workloads. */
function liveStateOf(workloads: readonly KubeObject[], container: string): LiveState {
  const [first] = workloads;
  if (first === undefined) return { replicas: null };
  const template = first.spec?.['template'] as { spec?: { containers?: readonly { name?: string; image?: string }[] } } | undefined;
  const image = template?.spec?.containers?.find((c) => c.name === container)?.image;
  return { replicas: Math.max(...workloads.map(replicasOf)), ...(image === undefined ? {} : { image }) };
}

export interface RenderContext {
  readonly soa: SoaConfigs;
  readonly system: SystemConfig;
  readonly objects: ReadonlyMap<string, KubeObject>;
  readonly digests: DigestSource | undefined;
  readonly options: RenderOptions;
  /** What others made may be taken over. */
  readonly adopt?: boolean;
  /** Signatures and temporary bounds; none when absent. */
  readonly facts?: LiveFacts;
  /** What new pods of an instance would miss in the cluster; nobody is asked when absent. */
  readonly missing?: (rendered: RenderedInstance) => Promise<readonly Problem[]>;
}

export type Rendering =
  { readonly wish: Wish; readonly rendered: RenderedInstance } | { readonly wish: Wish; readonly problems: readonly Problem[] };

/** Digest of the image: what runs already, unless `anew`; else the registry is asked. */
async function digestFor(
  wish: Wish,
  deployed: Deployed,
  live: LiveState,
  context: RenderContext,
  anew = false,
): Promise<string | undefined> {
  if (context.digests === undefined) return undefined;
  const reference = imageOf(wish.service, context.system, deployed);
  if (reference === undefined) return undefined;
  const known = anew ? undefined : liveDigest(reference, live.image);
  if (known !== undefined) return known;
  try {
    const digest = await context.digests.resolveDigest(reference);
    if (digest === undefined && wish.control.desiredState === 'start') {
      const group = wish.instance.deployGroup ?? '';
      throw new UserError(
        problem('IMAGE_NOT_FOUND', `image ${reference} is not in the registry; deploy group ${group} is marked for it`, {
          hint: 'push it (push-to-registry of that commit), or mark a commit whose image was pushed',
        }),
      );
    }
    return digest;
  } catch (error) {
    // Stopping must work while the registry is down.
    if (wish.control.desiredState === 'stop' && error instanceof UserError) return undefined;
    throw error;
  }
}

/** Signatures as the cluster says them; where they may not be read, as the workload was rendered with. */
function withFacts(live: LiveState, wish: Wish, workload: KubeObject | undefined, facts: LiveFacts): LiveState {
  const { namespace } = placeOf(wish.instance);
  const override = facts.overrides.get(`${wish.instance.service}.${wish.instance.instance}`);
  const signatures =
    facts.unread.has(namespace) && workload !== undefined
      ? signaturesNoted(workload, namespace, wish.instance.service)
      : signaturesIn(facts, namespace);
  return { ...live, signatures, ...(override === undefined ? {} : { autoscalingOverride: override }) };
}

async function renderOne(wish: Wish, deployed: Deployed, context: RenderContext, index: LiveIndex): Promise<Rendering> {
  const workloads = liveOf(wish, index, context.options.prefixes ?? YELP_PREFIXES);
  const [workload] = workloads;
  const facts = context.facts ?? NO_FACTS;
  const live = withFacts(liveStateOf(workloads, containerName(wish.instance.instance)), wish, workload, facts);
  const render = (digest: string | undefined): RenderedInstance | NotRendered => {
    const outcome = renderInstance({
      instance: wish.instance,
      service: wish.service,
      system: context.system,
      deployed,
      control: wish.control,
      soaCommit: context.soa.commit,
      authenticating: context.soa.authenticating.includes(wish.instance.service),
      live,
      digest,
      options: context.options,
    });
    return 'problems' in outcome
      ? outcome
      : keepHash(outcome, context.objects.get(objectKey(outcome.workload)), context.adopt === true, context.options.prefixes);
  };
  try {
    const digest = await digestFor(wish, deployed, live, context);
    let outcome = render(digest);
    if ('problems' in outcome) return { wish, problems: outcome.problems };
    const bounces = workload === undefined || configHashOf(workload, context.options.prefixes) !== outcome.configHash;
    // A restart runs what the tag says now, a mere change of configuration what runs already.
    if (
      bounces &&
      workload !== undefined &&
      digest !== undefined &&
      notedRestart(outcome.workload) !== undefined &&
      notedRestart(outcome.workload) !== notedRestart(workload)
    ) {
      const newest = await digestFor(wish, deployed, live, context, true);
      if (newest !== digest) outcome = render(newest);
      if ('problems' in outcome) return { wish, problems: outcome.problems };
    }
    const missing = bounces ? ((await context.missing?.(outcome)) ?? []) : [];
    if (missing.some(({ severity }) => severity === 'error'))
      return { wish, problems: missing.map((found) => ({ ...wish.instance.position(['env']), ...found })) };
    const said = [...missing, ...(facts.notes.get(`${wish.instance.service}.${wish.instance.instance}`) ?? [])].map((found) => ({
      ...wish.instance.position(),
      ...found,
    }));
    return { wish, rendered: said.length === 0 ? outcome : { ...outcome, warnings: [...outcome.warnings, ...said] } };
  } catch (error) {
    if (error instanceof UserError) return { wish, problems: error.problems };
    return {
      wish,
      problems: [
        problem('RENDER_FAILED', `${wish.instance.service}.${wish.instance.instance} could not be rendered: ${messageOf(error)}`, {
          ...wish.instance.position(),
          hint: 'this is a defect of ours; please report it with the instance',
        }),
      ],
    };
  }
}

/** Renders what is marked; one broken instance holds back no other. */
export async function renderAll(wishes: readonly Wish[], context: RenderContext): Promise<readonly Rendering[]> {
  const done: (Rendering | undefined)[] = wishes.map(() => undefined);
  const index = liveIndex(context.objects.values(), context.options.prefixes);
  await pooled([...wishes.keys()], 8, async (at) => {
    const wish = wishes[at] as Wish;
    if (wish.deployed !== undefined) done[at] = await renderOne(wish, wish.deployed, context, index);
  });
  return done.filter((r) => r !== undefined);
}
