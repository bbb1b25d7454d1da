/** From instances to rendered objects: versions out of git, digests from what runs already or from the registry. */
import { messageOf, problem, UserError, type Problem } from '../contract/errors.ts';
import { appName, containerName, defaultNamespace } from '../contract/names.ts';
import type { Control, Deployed } from '../deployments/types.ts';
import type { KubeObject } from '../objects/types.ts';
import { keyFor, replicasOf } from '../plan/index.ts';
import type { InstanceConfig, ServiceConfig, SoaConfigs, SystemConfig } from '../soa-configs/types.ts';
import { imageOf, liveDigest } from '../workload/image.ts';
import { renderInstance, type LiveState, type RenderedInstance, type RenderOptions } from '../workload/index.ts';
import { pooled } from './pool.ts';
import type { DigestSource, VersionSource } from './ports.ts';

/** An instance and what it shall run; `deployed` is absent when its group was never marked. */
export interface Wish {
  readonly instance: InstanceConfig;
  readonly service: ServiceConfig;
  readonly deployed: Deployed | undefined;
  readonly control: Control;
  readonly problems: readonly Problem[];
}

const STARTED: Control = { desiredState: 'start', forceBounce: null };

/** Asks for the versions of every service once. A service whose versions cannot be read takes only its own instances down. */
export async function resolveVersions(instances: readonly InstanceConfig[], services: readonly ServiceConfig[], versions: VersionSource): Promise<readonly Wish[]> {
  const byName = new Map(services.map((s) => [s.service, s]));
  const wishes: Wish[] = [];
  await pooled([...new Set(instances.map((i) => i.service))], 8, async (name) => {
    const service = byName.get(name);
    if (service === undefined) return;
    const own = instances.filter((i) => i.service === name);
    try {
      const deployments = await versions.deployments(name);
      const problems = deployments.problems.filter((p) => p.severity === 'error');
      for (const instance of own) {
        const deployed = instance.deployGroup === undefined ? undefined : deployments.version(instance.deployGroup);
        wishes.push({ instance, service, deployed, control: deployments.control(instance.branch), problems: deployed === undefined ? problems : [] });
      }
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      for (const instance of own) wishes.push({ instance, service, deployed: undefined, control: STARTED, problems: error.problems });
    }
  });
  // In the order of soa-configs, whoever answered first.
  const order = new Map(instances.map((i, n) => [i, n]));
  return wishes.sort((a, b) => (order.get(a.instance) ?? 0) - (order.get(b.instance) ?? 0));
}

export function placeOf(instance: InstanceConfig): { readonly namespace: string; readonly name: string } {
  const own = instance.config['namespace'];
  return { namespace: typeof own === 'string' && own !== '' ? own : defaultNamespace(instance.service), name: appName(instance.service, instance.instance) };
}

/** The running workload of an instance, of either kind. */
export function liveWorkload(instance: InstanceConfig, objects: ReadonlyMap<string, KubeObject>): KubeObject | undefined {
  const { namespace, name } = placeOf(instance);
  return objects.get(keyFor('Deployment', namespace, name)) ?? objects.get(keyFor('StatefulSet', namespace, name));
}

function liveStateOf(workload: KubeObject | undefined, container: string): LiveState {
  if (workload === undefined) return { replicas: null };
  const template = workload.spec?.['template'] as { spec?: { containers?: readonly { name?: string; image?: string }[] } } | undefined;
  const image = template?.spec?.containers?.find((c) => c.name === container)?.image;
  return { replicas: replicasOf(workload), ...(image === undefined ? {} : { image }) };
}

export interface RenderContext {
  readonly soa: SoaConfigs;
  readonly system: SystemConfig;
  readonly objects: ReadonlyMap<string, KubeObject>;
  readonly digests: DigestSource | undefined;
  readonly options: RenderOptions;
}

export type Rendering = { readonly wish: Wish; readonly rendered: RenderedInstance } | { readonly wish: Wish; readonly problems: readonly Problem[] };

async function digestFor(wish: Wish, deployed: Deployed, live: LiveState, context: RenderContext): Promise<string | undefined> {
  if (context.digests === undefined) return undefined;
  const reference = imageOf(wish.service, context.system, deployed);
  if (reference === undefined) return undefined;
  const known = liveDigest(reference, live.image);
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

async function renderOne(wish: Wish, deployed: Deployed, context: RenderContext): Promise<Rendering> {
  const live = liveStateOf(liveWorkload(wish.instance, context.objects), containerName(wish.instance.instance));
  try {
    const digest = await digestFor(wish, deployed, live, context);
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
    return 'problems' in outcome ? { wish, problems: outcome.problems } : { wish, rendered: outcome };
  } catch (error) {
    if (error instanceof UserError) return { wish, problems: error.problems };
    return { wish, problems: [problem('RENDER_FAILED', `${wish.instance.service}.${wish.instance.instance} could not be rendered: ${messageOf(error)}`, { ...wish.instance.position(), hint: 'this is a defect of ours; please report it with the instance' })] };
  }
}

/** Renders what is marked; one broken instance holds back no other. */
export async function renderAll(wishes: readonly Wish[], context: RenderContext): Promise<readonly Rendering[]> {
  const done: (Rendering | undefined)[] = wishes.map(() => undefined);
  await pooled([...wishes.keys()], 8, async (at) => {
    const wish = wishes[at] as Wish;
    if (wish.deployed !== undefined) done[at] = await renderOne(wish, wish.deployed, context);
  });
  return done.filter((r) => r !== undefined);
}
