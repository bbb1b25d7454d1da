/**
 * A job of Tron as a CronJob. PaaSTA hands its actions to Tron (`format_tron_action_dict` in paasta_tools/tron_tools.py), which makes a pod of each; here one
 * action becomes the Job's container, and a line of actions that wait for each other becomes init containers in their order. What a
 * CronJob cannot do is refused on its line.
 */
import { canonicalJson } from '../contract/canonical-json.ts';
import { problem, type Problem } from '../contract/errors.ts';
import { appName, containerName, limitWithHash, paastaPrefixed, YELP_PREFIXES, type LabelPrefixes } from '../contract/names.ts';
import { pythonText } from '../contract/python-text.ts';
import { numberOf, type Value } from '../contract/values.ts';
import type { Control, Deployed } from '../deployments/types.ts';
import type { KubeObject } from '../objects/types.ts';
import { settingsOf, type InstanceSettings } from '../soa-configs/instance-settings.ts';
import { tronActionOf, type TronAction } from '../soa-configs/tron-action.ts';
import type { InstanceConfig, ServiceConfig, SystemConfig, TronJob } from '../soa-configs/types.ts';
import { CRON_JOB_LIMIT, inspect } from './admission.ts';
import { liveDigest, pinned } from './image.ts';
import { OWNERSHIP_LABEL, OWNERSHIP_VALUE } from './marks.ts';
import type { Refuse } from './placement.ts';
import { defaultsOfPods, roleAccount, TOKEN_GROUP } from './pod-template.ts';
import { imagePullSecrets } from './pull-secrets.ts';
import { marked, serviceAccount } from './render.ts';
import { containerResources, securityContext } from './resources.ts';
import { actionOrder, refusedKeys, stringFaults } from './tron-limits.ts';
import { cronSchedule, tronSeconds } from './tron-schedule.ts';
import type { NotRendered, RenderOptions } from './types.ts';
import { compact, flagOf, textOf, type Fields } from './values-of.ts';
import { hostVolumes, podVolumes, secretVolumes, tokenVolumes, type MountedVolume } from './volumes.ts';

/** What an action runs. `service`: the one that its image belongs to (`service` of the action, else of the job). */
export interface TronActionInput {
  readonly instance: InstanceConfig;
  readonly service: ServiceConfig;
  /** Absent: its deploy group was never marked. */
  readonly deployed: Deployed | undefined;
  readonly control: Control;
  /** Digest that the registry gave; not needed while the live CronJob has the same tag. */
  readonly digest?: string | undefined;
}

export interface TronJobInput {
  readonly job: TronJob;
  readonly actions: readonly TronActionInput[];
  readonly system: SystemConfig;
  /** Names of the secrets that every service may use. */
  readonly sharedSecrets: readonly string[];
  readonly options: RenderOptions;
  /** Images of the live CronJob, by container. */
  readonly liveImages?: ReadonlyMap<string, string> | undefined;
}

export interface RenderedTronJob {
  readonly service: string;
  readonly job: string;
  readonly namespace: string;
  readonly cronJob: KubeObject;
  /** Service accounts of IAM roles, which must be there before it. */
  readonly accounts: readonly KubeObject[];
  readonly warnings: readonly Problem[];
}

/** Tron's own zone at PaaSTA, as the zone database calls it today; `tron_time_zone` of the system configuration is another. */
const TIME_ZONE = 'America/Los_Angeles';
/** Seconds after which a run that should not wait is left out. */
const LATEST_START = 60;

/** Kubernetes namespace of everything that Tron runs. */
export const TRON_NAMESPACE = 'tron';

/** Name of the CronJob of a job. */
export function cronJobName(job: TronJob): string {
  return limitWithHash(appName(job.service, job.job), CRON_JOB_LIMIT);
}

interface Action {
  readonly name: string;
  readonly input: TronActionInput;
  readonly settings: InstanceSettings;
  readonly tron: TronAction;
}

function timeZone(job: TronJob, system: SystemConfig, refuse: Refuse): string {
  const zone = textOf(job.config['time_zone']) ?? textOf(system.values['tron_time_zone']) ?? TIME_ZONE;
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
  } catch {
    refuse(
      ['time_zone'],
      problem('UNKNOWN_TIME_ZONE', `job '${job.job}': there is no time zone '${zone}'`, { hint: 'for example America/Los_Angeles or UTC' }),
    );
  }
  return zone;
}

/** Tron's replacement of `{name}` in commands: doubled braces are single ones, anything else a variable that only Tron knows. */
function commandOf(action: Action, refuse: Refuse): string {
  const { cmd } = action.settings;
  const text = typeof cmd === 'string' ? cmd : (cmd ?? []).join(' ');
  const faults = stringFaults(text);
  if (faults.length > 0) {
    refuse(
      ['command'],
      problem(
        'TRON_VARIABLE',
        `action '${action.name}': ${faults.map((name) => `{${name}}`).join(', ')} in the command is filled in by Tron; a CronJob cannot`,
        { hint: 'compute it in the command (date), or double the braces of the shell: ${{NAME}}' },
      ),
    );
  }
  return text.replaceAll('{{', '{').replaceAll('}}', '}');
}

function environmentOf(tron: TronAction): Fields[] {
  const entries = (key: string): readonly (readonly [string, Fields])[] =>
    Object.entries((tron.rendered[key] ?? {}) as Readonly<Record<string, Fields>>);
  const plain = Object.entries((tron.rendered['env'] ?? {}) as Readonly<Record<string, string>>).map(([name, value]) => ({ name, value }));
  const secret = entries('secret_env').map(([name, { secret_name, key }]) => ({
    name,
    valueFrom: { secretKeyRef: { name: secret_name, key, optional: false } },
  }));
  const fields = entries('field_selector_env').map(([name, { field_path }]) => ({
    name,
    valueFrom: { fieldRef: { fieldPath: field_path } },
  }));
  return [...plain, ...secret, ...fields];
}

function mountsOf({ settings, tron }: Action, refuse: Refuse): readonly MountedVolume[] {
  const objects = new Map(
    tron.secretVolumes.map((volume) => [textOf(volume['secret_name']) ?? '', textOf(volume['secret_volume_name']) ?? '']),
  );
  return [
    ...hostVolumes(settings.volumes),
    ...secretVolumes(settings, refuse, (secret) => objects.get(secret) ?? secret),
    ...tokenVolumes(settings, refuse),
  ];
}

function imageOfAction(action: Action, input: TronJobInput, refuse: Refuse): string {
  const reference = action.settings.dockerUrl;
  if (reference === null) {
    refuse(
      [],
      problem('NO_DOCKER_REGISTRY', `${action.settings.service} has no docker registry`, {
        hint: 'set docker_registry in the system configuration or in service.yaml',
      }),
    );
    return '';
  }
  if (!input.options.pinDigest) return reference;
  const digest = action.input.digest ?? liveDigest(reference, input.liveImages?.get(containerName(action.name)));
  if (digest === undefined)
    refuse(
      [],
      problem('DIGEST_UNKNOWN', `the digest of ${reference} is not known`, {
        hint: 'the registry must be reachable once per new version; or set pin-digest to false',
      }),
    );
  return pinned(reference, digest).image;
}

/** Everything of a pod that its containers share: actions of a line must agree on it. */
function sharedPart({ settings, tron }: Action, prefixes: LabelPrefixes): Fields {
  const key = (label: string): string =>
    label.startsWith(YELP_PREFIXES.company) ? `${prefixes.company}${label.slice(YELP_PREFIXES.company.length)}` : label;
  const required = (tron.nodeAffinities ?? []).map(({ key: label, operator, value }) => ({
    key: key(label),
    operator,
    values: [...value],
  }));
  const account = roleAccount(settings);
  return compact({
    serviceAccountName: account ?? settings.serviceAccountName,
    nodeSelector: Object.fromEntries(Object.entries(tron.nodeSelectors).map(([label, value]) => [key(label), value])),
    affinity:
      required.length === 0
        ? undefined
        : { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: required }] } } },
    securityContext: account === undefined ? undefined : { fsGroup: TOKEN_GROUP },
  });
}

/** Keys that decide what actions of a line share. */
const SHARED_KEYS = [
  'pool',
  'node_selectors',
  'service_account_name',
  'iam_role',
  'iam_role_provider',
  'deploy_whitelist',
  'deploy_blacklist',
];

function checkAgreement(actions: readonly Action[], prefixes: LabelPrefixes, refuseIn: (action: Action) => Refuse): void {
  const [first] = actions;
  for (const action of actions.slice(1)) {
    if (first === undefined || canonicalJson(sharedPart(first, prefixes)) === canonicalJson(sharedPart(action, prefixes))) continue;
    const shown = (value: Value | undefined): string => canonicalJson(value ?? null);
    const keys = SHARED_KEYS.filter((key) => shown(first.settings.config[key]) !== shown(action.settings.config[key]));
    refuseIn(action)(
      [keys[0] ?? 'pool'],
      problem(
        'TRON_ACTIONS_DIFFER',
        `actions '${first.name}' and '${action.name}' run in one pod, but differ in ${keys.join(', ') || 'where they may run'}`,
        { hint: 'give all actions of the job the same, or make two jobs' },
      ),
    );
  }
}

function jobLabels(action: Action, prefixes: LabelPrefixes): Record<string, string> {
  const own = (tron: string): string =>
    tron.startsWith(YELP_PREFIXES.paasta)
      ? `${prefixes.paasta}${tron.slice(YELP_PREFIXES.paasta.length)}`
      : tron.startsWith(YELP_PREFIXES.company)
        ? `${prefixes.company}${tron.slice(YELP_PREFIXES.company.length)}`
        : tron;
  const given = Object.entries((action.tron.rendered['labels'] ?? {}) as Readonly<Record<string, string>>);
  return {
    ...Object.fromEntries(given.filter(([key]) => key !== OWNERSHIP_LABEL).map(([key, value]) => [own(key), value])),
    [paastaPrefixed('job_type', prefixes)]: 'tron',
  };
}

/** Spread of PaaSTA's tron pods over zones; the selector is that of our pods. */
function spread(labels: Readonly<Record<string, string>>, system: SystemConfig, prefixes: LabelPrefixes): Fields[] | undefined {
  if (!flagOf(system.values['enable_tron_tsc'], true)) return undefined;
  const keys = [paastaPrefixed('job_type', prefixes), `${prefixes.paasta}pool`];
  return [
    {
      labelSelector: { matchLabels: Object.fromEntries(keys.map((key) => [key, labels[key] ?? ''])) },
      maxSkew: 1,
      topologyKey: 'topology.kubernetes.io/zone',
      whenUnsatisfiable: 'ScheduleAnyway',
    },
  ];
}

function podOf(
  actions: readonly Action[],
  input: TronJobInput,
  refuseIn: (action: Action) => Refuse,
): { readonly metadata: Fields; readonly spec: Fields } {
  const prefixes = input.options.prefixes ?? YELP_PREFIXES;
  const last = actions.at(-1) as Action;
  const mounted = actions.map((action) => mountsOf(action, refuseIn(action)));
  const containers = actions.map((action, index) =>
    compact({
      name: containerName(action.name),
      image: imageOfAction(action, input, refuseIn(action)),
      command: ['/bin/sh', '-c'],
      args: [commandOf(action, refuseIn(action))],
      env: environmentOf(action.tron),
      resources: containerResources(action.settings),
      securityContext: securityContext(action.settings),
      volumeMounts: mounted[index]?.map(({ mount }) => mount),
    }),
  );
  const defaults = defaultsOfPods(input.system);
  const labels = jobLabels(last, prefixes);
  const annotations = (last.tron.rendered['annotations'] ?? {}) as Fields;
  const spec = compact({
    ...defaults,
    imagePullSecrets: imagePullSecrets(last.settings, input.system, refuseIn(last), defaults['imagePullSecrets']),
    ...sharedPart(last, prefixes),
    initContainers: containers.length === 1 ? undefined : containers.slice(0, -1),
    containers: containers.slice(-1),
    restartPolicy: 'Never',
    volumes: podVolumes(mounted.flat(), []),
    topologySpreadConstraints: spread(labels, input.system, prefixes),
  });
  return { metadata: { labels, annotations }, spec };
}

function jobSpec(actions: readonly Action[], job: TronJob, template: Fields, refuse: Refuse): Fields {
  const last = actions.at(-1) as Action;
  const limits = [job.config['max_runtime'], ...(actions.length === 1 ? [last.settings.config['max_runtime']] : [])].flatMap((value) => {
    if (value === undefined || value === null) return [];
    const seconds = tronSeconds(pythonText(value));
    if (seconds === undefined)
      refuse(
        ['max_runtime'],
        problem('BAD_DURATION', `max_runtime '${pythonText(value)}' is not a duration`, { hint: 'write it as 10m or 2 hours' }),
      );
    return [seconds ?? 0];
  });
  return compact({
    backoffLimit: numberOf(last.settings.config['retries']) ?? 0,
    activeDeadlineSeconds: limits.length === 0 ? undefined : Math.min(...limits),
    template,
  });
}

/** The CronJob of a job, or every problem that stands against it. Pure: the same input gives the same bytes. */
export function renderTronJob(input: TronJobInput): RenderedTronJob | NotRendered {
  const { job, system } = input;
  const prefixes = input.options.prefixes ?? YELP_PREFIXES;
  const problems: Problem[] = [];
  const refuse: Refuse = (path, said) => problems.push({ ...said, ...job.position(path) });
  const refuseFor =
    ({ instance }: TronActionInput): Refuse =>
    (path, said) =>
      problems.push({ ...said, ...instance.position(path) });
  const missing = input.actions.find(({ deployed }) => deployed === undefined);
  if (missing !== undefined)
    return {
      problems: [
        problem(
          'NOT_MARKED',
          `${job.service}.${job.job}: deploy group '${missing.instance.deployGroup ?? ''}' was never marked`,
          missing.instance.position(),
        ),
      ],
    };
  if (!job.complete)
    return {
      problems: [
        problem('TRON_JOB_INVALID', `job '${job.job}' has actions that cannot be read, or none`, {
          ...job.position(['actions']),
          hint: 'paasta validate says why',
        }),
      ],
    };
  refusedKeys(
    job,
    input.actions.map(({ instance }) => instance),
    refuse,
    problems,
  );
  const translated = cronSchedule(job.config['schedule']);
  if ('refused' in translated)
    refuse(['schedule'], problem('TRON_SCHEDULE', `job '${job.job}': ${translated.refused}`, { hint: translated.hint }));
  const order = actionOrder(
    job,
    input.actions.map(({ instance }) => instance),
    problems,
  );
  if (order === undefined) return { problems };
  const actions = order.map((name): Action => {
    const own = input.actions.find(({ instance }) => instance.instance === `${job.job}.${name}`) as TronActionInput;
    const settings = settingsOf(own.instance, own.service, system, { version: own.deployed, control: own.control });
    problems.push(...settings.problems);
    return { name, input: own, settings, tron: tronActionOf(settings, system, input.sharedSecrets) };
  });
  const refuseIn = (action: Action): Refuse => refuseFor(action.input);
  checkAgreement(actions, prefixes, refuseIn);
  const last = actions.at(-1) as Action;
  const template = podOf(actions, input, refuseIn);
  const overlap = flagOf(job.config['allow_overlap'], false);
  const queues = flagOf(job.config['queueing'], true);
  const kept = numberOf(job.config['run_limit']);
  const stopped = job.config['enabled'] === false || actions.some(({ settings }) => settings.desiredState === 'stop');
  const labels = {
    ...jobLabels(last, prefixes),
    [paastaPrefixed('service', prefixes)]: job.service,
    [paastaPrefixed('instance', prefixes)]: limitWithHash(job.job),
    [paastaPrefixed('git_sha', prefixes)]: last.settings.gitSha ?? '',
  };
  const cronJob: KubeObject = {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: {
      name: cronJobName(job),
      namespace: last.settings.namespace,
      labels: { ...labels, [OWNERSHIP_LABEL]: OWNERSHIP_VALUE },
      annotations: { [paastaPrefixed('service', prefixes)]: job.service, [paastaPrefixed('instance', prefixes)]: job.job },
    },
    spec: compact({
      schedule: 'schedule' in translated ? translated.schedule : '',
      timeZone: timeZone(job, system, refuse),
      concurrencyPolicy: overlap ? 'Allow' : 'Forbid',
      startingDeadlineSeconds: overlap || queues ? undefined : LATEST_START,
      suspend: stopped,
      successfulJobsHistoryLimit: kept,
      failedJobsHistoryLimit: kept,
      jobTemplate: { metadata: { labels: template.metadata['labels'] }, spec: jobSpec(actions, job, template, refuse) },
    }),
  };
  inspect([cronJob], refuseIn(last));
  if (problems.some(({ severity }) => severity === 'error')) return { problems };
  const account = serviceAccount(last.settings);
  return {
    service: job.service,
    job: job.job,
    namespace: last.settings.namespace,
    cronJob,
    accounts: account === undefined ? [] : [marked(account)],
    warnings: problems,
  };
}
