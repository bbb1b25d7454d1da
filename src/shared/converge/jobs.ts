/**
 * Jobs of tron-<cluster>.yaml as CronJobs. Only where the system configuration says `tron_cronjobs: true`: beside a Tron that still runs,
 * everything would start twice.
 */
import { problem, UserError, type Problem } from '../contract/errors.ts';
import type { Log } from '../contract/ports.ts';
import type { Control, Deployments } from '../deployments/types.ts';
import type { KubeObject } from '../objects/types.ts';
import { keyFor } from '../plan/index.ts';
import { ownerOf } from '../soa-configs/owner.ts';
import type { SoaConfigs, SystemConfig, TronJob } from '../soa-configs/types.ts';
import { imageOf, liveDigest } from '../workload/image.ts';
import { cronJobName, renderTronJob, TRON_NAMESPACE, type RenderOptions, type TronActionInput } from '../workload/index.ts';
import { containerName } from '../contract/names.ts';
import { look, type Selectors, type Sight } from './observe.ts';
import { pooled } from './pool.ts';
import type { ClusterAccess, DigestSource, VersionSource } from './ports.ts';

/** True when jobs become CronJobs. */
export function makesCronJobs(system: SystemConfig): boolean {
  return system.values['tron_cronjobs'] === true;
}

export interface JobsPorts {
  readonly cluster: ClusterAccess;
  readonly versions: VersionSource;
  readonly digests: DigestSource | undefined;
  readonly log: Log;
}

export interface Scheduled {
  /** Service accounts, then CronJobs. */
  readonly objects: readonly KubeObject[];
  /** Their namespaces. */
  readonly namespaces: readonly string[];
  readonly problems: readonly Problem[];
}

const NOTHING: Scheduled = { objects: [], namespaces: [], problems: [] };
const STARTED: Control = { desiredState: 'start', forceBounce: null };

interface Context {
  readonly soa: SoaConfigs;
  readonly system: SystemConfig;
  readonly options: RenderOptions;
  readonly sight: Sight;
}

/** Images of the live CronJob by container: an unchanged version takes its digest from here. */
function liveImages(live: readonly KubeObject[]): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const found = new Map<string, ReadonlyMap<string, string>>();
  for (const object of live) {
    const template = (
      object.spec?.['jobTemplate'] as
        | {
            spec?: {
              template?: {
                spec?: {
                  containers?: readonly { name: string; image: string }[];
                  initContainers?: readonly { name: string; image: string }[];
                };
              };
            };
          }
        | undefined
    )?.spec?.template?.spec;
    found.set(
      keyFor('CronJob', object.metadata.namespace, object.metadata.name),
      new Map([...(template?.initContainers ?? []), ...(template?.containers ?? [])].map(({ name, image }) => [name, image])),
    );
  }
  return found;
}

async function actionsOf(
  job: TronJob,
  images: ReadonlyMap<string, string> | undefined,
  context: Context,
  ports: JobsPorts,
  deploymentsOf: (service: string) => Promise<Deployments>,
): Promise<readonly TronActionInput[]> {
  return Promise.all(
    job.actions.map(async (instance): Promise<TronActionInput> => {
      const owner = ownerOf(instance);
      if (!context.soa.has(owner))
        throw new UserError(problem('UNKNOWN_SERVICE', `service '${owner}' is not in soa-configs`, instance.position(['service'])));
      const service = context.soa.load(owner);
      const deployments = await deploymentsOf(owner);
      const deployed = instance.deployGroup === undefined ? undefined : deployments.version(instance.deployGroup);
      const control = deployments.control(instance.branch) ?? STARTED;
      const reference = deployed === undefined ? undefined : imageOf(service, context.system, deployed);
      const known =
        reference === undefined
          ? undefined
          : liveDigest(reference, images?.get(containerName(instance.instance.slice(job.job.length + 1))));
      const digest = known ?? (reference === undefined ? undefined : await ports.digests?.resolveDigest(reference));
      if (ports.digests !== undefined && reference !== undefined && digest === undefined)
        throw new UserError(
          problem(
            'IMAGE_NOT_FOUND',
            `image ${reference} is not in the registry; deploy group ${instance.deployGroup ?? ''} is marked for it`,
            { ...instance.position(), hint: 'push it (push-to-registry of that commit), or mark a commit whose image was pushed' },
          ),
        );
      return { instance, service, deployed, control, digest };
    }),
  );
}

/** CronJobs of the selected jobs. A job that cannot be rendered is a problem and holds back no other. */
export async function scheduledJobs(
  jobs: readonly TronJob[],
  selectors: Selectors,
  context: Context,
  ports: JobsPorts,
): Promise<Scheduled> {
  if (jobs.length === 0) return NOTHING;
  if (!makesCronJobs(context.system)) {
    ports.log.info(
      `tron: ${jobs.length} job${jobs.length === 1 ? ' is' : 's are'} left to Tron ("tron_cronjobs": true in the system configuration makes CronJobs of them)`,
    );
    return NOTHING;
  }
  const { sight } = context;
  await look(
    ports.cluster,
    ['CronJob', ...(sight.versions.has('ServiceAccount') || sight.unreadable.has('ServiceAccount') ? [] : ['ServiceAccount' as const])],
    selectors,
    sight,
  );
  const refused = sight.unreadable.get('CronJob');
  if (refused !== undefined) return { ...NOTHING, problems: refused };
  const images = liveImages([...sight.objects.values()].filter(({ kind }) => kind === 'CronJob'));
  const remembered = new Map<string, Promise<Deployments>>();
  const deploymentsOf = (service: string): Promise<Deployments> => {
    let found = remembered.get(service);
    if (found === undefined) remembered.set(service, (found = ports.versions.deployments(service)));
    return found;
  };
  const sharedSecrets = context.soa.secrets('_shared');
  const done = jobs.map((): Scheduled => NOTHING);
  await pooled([...jobs.keys()], 8, async (at) => {
    const job = jobs[at] as TronJob;
    const title = `${job.service}.${job.job}`;
    try {
      const live = images.get(keyFor('CronJob', TRON_NAMESPACE, cronJobName(job)));
      const actions = await actionsOf(job, live, context, ports, deploymentsOf);
      const rendered = renderTronJob({ job, actions, system: context.system, sharedSecrets, options: context.options, liveImages: live });
      if ('problems' in rendered) {
        if (rendered.problems.every(({ code }) => code === 'NOT_MARKED'))
          ports.log.info(`${title}: nothing: ${rendered.problems[0]?.message ?? ''}`);
        else done[at] = { ...NOTHING, problems: rendered.problems };
      } else
        done[at] = { objects: [...rendered.accounts, rendered.cronJob], namespaces: [rendered.namespace], problems: rendered.warnings };
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      done[at] = {
        ...NOTHING,
        problems: error.problems.map((said) => ({ ...job.position(), ...said, message: `${title}: ${said.message}` })),
      };
    }
  });
  const objects = new Map(
    done.flatMap((one) => one.objects).map((object) => [keyFor(object.kind, object.metadata.namespace, object.metadata.name), object]),
  );
  return {
    objects: [...objects.values()],
    namespaces: [...new Set(done.flatMap((one) => one.namespaces))],
    problems: done.flatMap((one) => one.problems),
  };
}
