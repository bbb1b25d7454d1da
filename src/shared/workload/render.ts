/** Instance + version → objects. Upstream: `format_kubernetes_app`, `format_kubernetes_job` of paasta_tools/kubernetes_tools.py. */
import { canonicalJson } from '../contract/canonical-json.ts';
import { problem, warning, type Problem } from '../contract/errors.ts';
import { containerName, limitWithHash, paastaPrefixed, sanitiseName, YELP_PREFIXES, type LabelPrefixes } from '../contract/names.ts';
import { numberOf } from '../contract/values.ts';
import type { KubeObject } from '../objects/types.ts';
import { keysIdle, unknownKeys } from '../soa-configs/idle-keys.ts';
import { settingsOf, type InstanceSettings } from '../soa-configs/instance-settings.ts';
import { inspect } from './admission.ts';
import { autoscaler } from './autoscaler.ts';
import { configHashOf, floatSpellings, secretSignatures } from './config-hash.ts';
import { disruptionBudget } from './disruption-budget.ts';
import { drainSettings } from './drain.ts';
import { liveDigest, pinned } from './image.ts';
import { configHashKeys, selectorLabels, shardLabel, workloadLabels } from './labels.ts';
import { ANNOTATIONS, HASH_VERSION, OWNERSHIP_LABEL, OWNERSHIP_VALUE } from './marks.ts';
import type { Refuse } from './placement.ts';
import { metadata, podTemplate, roleAccount, type PodContext } from './pod-template.ts';
import { declaredRegistrations, registrationServices, undeclaredRegistrations } from './registration-services.ts';
import { deploymentStrategy } from './strategy.ts';
import type { NotRendered, RenderedInstance, RenderInput } from './types.ts';
import { compact, type Fields } from './values-of.ts';
import { claimTemplates } from './volumes.ts';

/** A Job for a one-off run of an instance (`paasta remote-run`). */
export interface JobOptions {
  /** Value of the `job_type` label. */
  readonly label: string;
  /** Seconds until Kubernetes ends it; default one hour. */
  readonly deadlineSeconds?: number | undefined;
  /** Who runs it: the Job is `remote-run-<user>-<app>` then, so that runs of two people do not meet. */
  readonly user?: string | undefined;
  /** What runs instead of the instance's own command, in a shell. */
  readonly command?: string | undefined;
  readonly includeSidecars?: boolean | undefined;
  readonly keepRoutableIp?: boolean | undefined;
}

/** Bounds the wrong way round: refused with the autoscaler that they make; while there is none (stopped, bespoke), a warning. */
const BOUNDS = 'MIN_ABOVE_MAX';

/** The settings of an instance and everything that was said about them while rendering, with its place in the files. */
class Draft {
  readonly input: RenderInput;
  readonly settings: InstanceSettings;
  readonly prefixes: LabelPrefixes;
  readonly problems: Problem[];
  /** What the API server would refuse: the objects can be made, but not applied. */
  readonly inadmissible: Problem[] = [];
  readonly refuse: Refuse;

  constructor(input: RenderInput) {
    this.input = input;
    this.prefixes = input.options.prefixes ?? YELP_PREFIXES;
    this.settings = settingsOf(input.instance, input.service, input.system, {
      version: input.deployed,
      control: input.control,
      liveReplicas: input.live?.replicas,
      soaConfigsCommit: input.soaCommit,
      authenticating: input.authenticating,
    });
    const stateful = this.settings.persistentVolumes.length > 0;
    this.problems = this.settings.problems
      .filter(({ code }) => !(stateful && code === 'EBS_NEEDS_DOWNTHENUP'))
      .map((said) => (said.code === BOUNDS ? { ...said, severity: 'warning' } : said));
    this.problems.push(...keysIdle(input.instance), ...unknownKeys(input.instance));
    this.refuse = (path, said) => this.problems.push({ ...said, ...input.instance.position(path) });
  }

  inspect(objects: readonly KubeObject[]): void {
    inspect(objects, (path, said) => this.inadmissible.push({ ...said, ...this.input.instance.position(path) }));
  }

  get failed(): boolean {
    return this.problems.some(({ severity }) => severity === 'error');
  }

  /** The image of the main container, pinned when that is wanted; a stopped instance may do without a digest. */
  image(): { readonly image: string; readonly digest: string | undefined } {
    const { options, live, digest } = this.input;
    const reference = this.settings.dockerUrl;
    if (reference === null) {
      this.refuse(
        [],
        problem('NO_DOCKER_REGISTRY', `${this.settings.service} has no docker registry`, {
          hint: 'set docker_registry in the system configuration or in service.yaml',
        }),
      );
      return { image: '', digest: undefined };
    }
    if (!options.pinDigest) return { image: reference, digest: undefined };
    const known = digest ?? liveDigest(reference, live?.image);
    if (known === undefined && this.settings.desiredState === 'start') {
      this.refuse(
        [],
        problem('DIGEST_UNKNOWN', `the digest of ${reference} is not known`, {
          hint: 'the registry must be reachable once per new version; or set pin-digest to false',
        }),
      );
    }
    return pinned(reference, known);
  }

  pods(image: string, served: readonly string[], job?: PodContext['job']): PodContext {
    const { system, options, live } = this.input;
    return {
      system,
      prefixes: this.prefixes,
      image,
      preStop: options.preStop,
      served,
      signatures: live?.signatures ?? new Map(),
      refuse: this.refuse,
      job,
    };
  }
}

/** An object with our ownership marker. */
export function marked(object: KubeObject): KubeObject {
  return { ...object, metadata: { ...object.metadata, labels: { ...object.metadata.labels, [OWNERSHIP_LABEL]: OWNERSHIP_VALUE } } };
}

function workloadSpec(draft: Draft, template: unknown): Fields {
  const { settings, prefixes, input } = draft;
  const common = {
    replicas: settings.desiredInstances,
    revisionHistoryLimit: 0,
    selector: { matchLabels: selectorLabels(settings, prefixes) },
    template,
  };
  if (settings.persistentVolumes.length > 0) {
    return {
      ...common,
      serviceName: settings.appName,
      podManagementPolicy: settings.podManagementPolicy,
      volumeClaimTemplates: claimTemplates(settings, input.system, draft.refuse),
    };
  }
  return { ...common, minReadySeconds: settings.minTaskUptime, strategy: deploymentStrategy(settings) };
}

/** The account of an IAM role, in the namespace of the instance. */
export function serviceAccount(settings: InstanceSettings): KubeObject | undefined {
  const name = roleAccount(settings);
  if (name === undefined) return undefined;
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name, namespace: settings.namespace, annotations: { 'eks.amazonaws.com/role-arn': settings.iamRole } },
  };
}

/** What the config hash cannot tell apart afterwards, so that the next pass can say why it bounces. */
function occasions(settings: InstanceSettings, secrets: Readonly<Record<string, string | null>>): Record<string, string> {
  return {
    ...(settings.forceBounce === null || settings.forceBounce === '' ? {} : { [ANNOTATIONS.forceBounce]: settings.forceBounce }),
    ...(Object.keys(secrets).length === 0 ? {} : { [ANNOTATIONS.secretSignatures]: canonicalJson(secrets) }),
  };
}

/** The objects of an instance as PaaSTA would send them, and what the API server would say against them. */
export function composeInstance(
  input: RenderInput,
): { readonly rendered: RenderedInstance; readonly inadmissible: readonly Problem[] } | NotRendered {
  const draft = new Draft(input);
  if (draft.failed) return { problems: draft.problems };
  const { settings, prefixes } = draft;
  const signatures = input.live?.signatures ?? new Map<string, string>();
  const { image, digest } = draft.image();
  const declared = input.options.registrationServices === false ? [] : declaredRegistrations(settings, input.service);
  for (const [path, said] of undeclaredRegistrations(settings, input.service)) draft.refuse(path, said);
  const template = podTemplate(
    settings,
    draft.pods(
      image,
      declared.map(({ registration }) => registration),
    ),
  );
  const kind = settings.persistentVolumes.length > 0 ? 'StatefulSet' : 'Deployment';
  const spec = workloadSpec(draft, template);
  const secrets = secretSignatures(settings, signatures);
  const configHash = configHashOf({ kind, spec }, secrets, settings.forceBounce, floatSpellings(settings));
  const hashLabels = Object.fromEntries(configHashKeys(prefixes).map((key) => [key, configHash]));
  const hashed = { ...template, metadata: { ...template.metadata, labels: { ...template.metadata.labels, ...hashLabels } } };
  const annotations = {
    [ANNOTATIONS.hashVersion]: String(HASH_VERSION),
    [ANNOTATIONS.desiredReplicas]: String(settings.desiredInstances),
    [ANNOTATIONS.soaConfigsCommit]: input.soaCommit,
    ...occasions(settings, secrets),
  };
  const workload = marked({
    apiVersion: 'apps/v1',
    kind,
    metadata: metadata(settings, { ...workloadLabels(settings, prefixes), ...shardLabel(settings, prefixes), ...hashLabels }, annotations),
    spec: { ...spec, template: hashed },
  });
  const account = serviceAccount(settings);
  const scaler = autoscaler(settings, prefixes, input.live, draft.refuse);
  const companions = [
    ...(account === undefined ? [] : [account]),
    disruptionBudget(settings, input.system, prefixes),
    ...(scaler === undefined ? [] : [scaler]),
  ].map(marked);
  const services = registrationServices(settings, declared, prefixes);
  const drain = drainSettings(settings, input.instance, input.system, kind, input.options.preStop, draft.refuse);
  draft.inspect([workload, ...companions, ...services]);
  if (draft.failed) return { problems: draft.problems };
  const rendered: RenderedInstance = {
    service: settings.service,
    cluster: settings.cluster,
    instance: settings.instance,
    deployGroup: settings.deployGroup ?? '',
    version: { sha: input.deployed.sha, imageVersion: input.deployed.imageVersion },
    desiredState: settings.desiredState,
    bounceMethod: settings.bounceMethod,
    bounceMarginFactor: settings.bounceMarginFactor,
    replicas: settings.desiredInstances,
    autoscaled: settings.autoscalingEnabled,
    namespace: settings.namespace,
    name: settings.appName,
    workload,
    companions,
    services,
    configHash,
    image,
    imageDigest: digest,
    mainContainer: containerName(settings.instance),
    drain,
    warnings: draft.problems,
  };
  return { rendered, inadmissible: draft.inadmissible };
}

/**
 * Every object of one instance, ready to be applied, or every problem that stands against it. Pure: the same input gives the same
 * bytes. Differences from PaaSTA's rendering are listed in docs/parity.md.
 */
export function renderInstance(input: RenderInput): RenderedInstance | NotRendered {
  const composed = composeInstance(input);
  if (isNotRendered(composed)) return composed;
  if (composed.inadmissible.length === 0) return composed.rendered;
  const override = input.live?.autoscalingOverride;
  if (override !== undefined && composed.inadmissible.some(({ code }) => code === BOUNDS)) {
    const without = renderInstance({ ...input, live: { ...input.live, autoscalingOverride: undefined } });
    if (isNotRendered(without)) return without;
    const ignored = warning(
      'OVERRIDE_IGNORED',
      `the temporary autoscaling bounds (min ${override.minInstances ?? 'unset'}, max ${override.maxInstances ?? 'unset'}) contradict those of ${input.instance.instance} and are ignored`,
      { hint: 'set both bounds for the time of the override' },
    );
    return { ...without, warnings: [...without.warnings, ignored] };
  }
  return { problems: [...composed.inadmissible, ...composed.rendered.warnings.filter(({ code }) => code !== BOUNDS)] };
}

/** Name of the Job of a one-off run. Upstream: `remote_run_start` of paasta_tools/kubernetes/remote_run.py. */
export function remoteRunName(user: string, app: string): string {
  return limitWithHash(sanitiseName(`remote-run-${user}-${app}`));
}

function withCommand(spec: Fields, command: string): Fields {
  const [main, ...others] = spec['containers'] as readonly Fields[];
  return { ...spec, containers: [compact({ ...main, command: ['sh', '-c', command], args: undefined }), ...others] };
}

/** A one-off Job of an instance: same pods, no probes, never restarted, gone as soon as it has ended. */
export function composeJob(
  input: RenderInput,
  options: JobOptions,
): { readonly job: KubeObject; readonly warnings: readonly Problem[]; readonly inadmissible: readonly Problem[] } | NotRendered {
  const draft = new Draft(input);
  if (draft.failed) return { problems: draft.problems };
  const { settings, prefixes } = draft;
  const { image } = draft.image();
  const type = { [paastaPrefixed('job_type', prefixes)]: options.label };
  const template = podTemplate(
    settings,
    draft.pods(image, [], { sidecars: options.includeSidecars === true, routableIp: options.keepRoutableIp === true }),
  );
  const given = metadata(settings, { ...workloadLabels(settings, prefixes), ...type });
  const job = marked({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: options.user === undefined ? given : { ...given, name: remoteRunName(options.user, settings.appName) },
    spec: compact({
      activeDeadlineSeconds: options.deadlineSeconds ?? 3600,
      ttlSecondsAfterFinished: 0,
      template: {
        metadata: { ...template.metadata, labels: { ...template.metadata.labels, ...type } },
        spec: options.command === undefined ? template.spec : withCommand(template.spec, options.command),
      },
    }),
  });
  draft.inspect([job]);
  return draft.failed ? { problems: draft.problems } : { job, warnings: draft.problems, inadmissible: draft.inadmissible };
}

/** The Job, ready to be created, or every problem that stands against it. */
export function renderJob(
  input: RenderInput,
  options: JobOptions,
): { readonly job: KubeObject; readonly warnings: readonly Problem[] } | NotRendered {
  const longest = numberOf(input.system.values['remote_run_duration_limit']) ?? 8 * 3600;
  if ((options.deadlineSeconds ?? 0) > longest)
    return {
      problems: [
        problem('RUN_TOO_LONG', `a one-off run may take ${longest} s at most, not ${options.deadlineSeconds ?? 0}`, {
          hint: 'remote_run_duration_limit of the system configuration says how long',
        }),
      ],
    };
  const composed = composeJob(input, options);
  if (isNotRendered(composed)) return composed;
  return composed.inadmissible.length > 0 ? { problems: [...composed.inadmissible, ...composed.warnings] } : composed;
}

/** True for what `renderInstance` and `renderJob` give when nothing could be rendered. */
export function isNotRendered(result: object): result is NotRendered {
  return 'problems' in result;
}
