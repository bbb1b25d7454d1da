/** The pod template of an instance. Upstream: `get_pod_template_spec`, `get_kubernetes_containers`. */
import { containerName, serviceAccountName, type LabelPrefixes } from '../contract/names.ts';
import type { ObjectMeta } from '../objects/types.ts';
import type { InstanceSettings } from '../soa-configs/instance-settings.ts';
import type { SystemConfig } from '../soa-configs/types.ts';
import { containerEnvironment } from './environment.ts';
import { needsRoutableIp, podAnnotations, podLabels } from './labels.ts';
import { preStopHook } from './lifecycle.ts';
import { nodeAffinity, nodeSelector, podAntiAffinity, topologySpread, type Refuse } from './placement.ts';
import { hasStartupProbe, livenessProbe, readinessProbe, startupProbe } from './probes.ts';
import { imagePullSecrets } from './pull-secrets.ts';
import { containerResources, securityContext } from './resources.ts';
import { hasSidecar, sidecarContainer } from './sidecar.ts';
import type { PreStop } from './types.ts';
import { compact, mapOf, plainOf, type Fields } from './values-of.ts';
import { credentialVolumes, mountedVolumes, podVolumes, sidecarVolumes, type MountedVolume } from './volumes.ts';

/** Group that may read the web identity token of an IAM role (nobody). */
export const TOKEN_GROUP = 65534;

export interface PodTemplate {
  readonly metadata: { readonly labels: Record<string, string>; readonly annotations: Record<string, string> };
  readonly spec: Fields;
}

/** What a template needs beside the settings. */
export interface PodContext {
  readonly system: SystemConfig;
  readonly prefixes: LabelPrefixes;
  /** Image reference of the main container. */
  readonly image: string;
  readonly preStop: PreStop;
  /** Registrations of which we render a Service: pods carry their label. */
  readonly served: readonly string[];
  readonly signatures: ReadonlyMap<string, string>;
  readonly refuse: Refuse;
  /** Pods of a Job: no probes, no restart, sidecars and a routable address only when asked for. */
  readonly job?: { readonly sidecars: boolean; readonly routableIp: boolean } | undefined;
}

function command(settings: InstanceSettings): Fields {
  const { cmd, args } = settings;
  if (cmd === null) return { args: [...(args ?? [])] };
  return { command: typeof cmd === 'string' ? ['sh', '-c', cmd] : [...cmd] };
}

function ports(settings: InstanceSettings): Fields[] {
  const { containerPort, prometheusPort } = settings;
  return [{ containerPort }, ...(prometheusPort === null || prometheusPort === containerPort ? [] : [{ containerPort: prometheusPort }])];
}

/** `priority_class_name` → `priorityClassName`; initialisms as the API spells them. */
function fieldName(key: string): string {
  return key
    .replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
    .replace(/^host(Pid|Ipc)$/, (name) => `host${name.slice(4).toUpperCase()}`)
    .replace(/Fqdn$/, 'FQDN');
}

/** `pod_defaults` of the system configuration, as fields of a pod. */
export function defaultsOfPods(system: SystemConfig): Fields {
  return Object.fromEntries(Object.entries(mapOf(system.values['pod_defaults'])).map(([key, value]) => [fieldName(key), plainOf(value)]));
}

/** Name of the service account that is made for an IAM role; `undefined` without a role or with another provider. */
export function roleAccount(settings: InstanceSettings): string | undefined {
  return settings.iamRoleProvider === 'aws' && settings.iamRole !== '' ? serviceAccountName(settings.iamRole) : undefined;
}

function podSecurity(settings: InstanceSettings): Fields | undefined {
  const fsGroup = settings.fsGroup ?? (roleAccount(settings) === undefined ? null : TOKEN_GROUP);
  return fsGroup === null ? undefined : compact({ fsGroup, fsGroupChangePolicy: settings.fsGroupChangePolicy });
}

function affinity(settings: InstanceSettings, context: PodContext): Fields | undefined {
  const parts = compact({
    nodeAffinity: nodeAffinity(settings, context.system, context.prefixes, context.refuse),
    podAntiAffinity: podAntiAffinity(settings, context.prefixes),
  });
  return Object.keys(parts).length === 0 ? undefined : parts;
}

/** Where keys go that were once brought by a volume of the host: that volume is then not mounted. */
const KEY_PATHS: readonly unknown[] = ['/etc/boto_cfg', '/etc/crypto_keys'];

/** Mounts of a container: its volumes, then the credentials. */
function mountsOf(mounted: readonly MountedVolume[], credentials: readonly MountedVolume[]): Fields[] {
  const taken = new Set(credentials.map(({ mount }) => mount['mountPath']).filter((path) => KEY_PATHS.includes(path)));
  return mounted.filter((entry) => credentials.includes(entry) || !taken.has(entry.mount['mountPath'])).map(({ mount }) => mount);
}

/** Template of pods; `pod_defaults` of the system lie under everything that an instance says. */
export function podTemplate(settings: InstanceSettings, context: PodContext): PodTemplate {
  const { system, prefixes, job } = context;
  const credentials = credentialVolumes(settings, context.signatures, context.refuse);
  const mounted = mountedVolumes(settings, credentials, context.refuse);
  const ofSidecar = sidecarVolumes(system);
  const sidecar = hasSidecar(settings, system) && (job === undefined || job.sidecars);
  const preStop = preStopHook(settings, context.preStop);
  const startup = hasStartupProbe(system);
  const main = compact({
    name: containerName(settings.instance),
    image: context.image,
    ...command(settings),
    env: containerEnvironment(settings, prefixes),
    ports: ports(settings),
    resources: containerResources(settings),
    lifecycle: preStop === null ? undefined : { preStop },
    startupProbe: job === undefined && startup ? startupProbe(settings) : undefined,
    livenessProbe: job === undefined ? livenessProbe(settings, startup) : undefined,
    readinessProbe: job === undefined ? readinessProbe(settings, hasSidecar(settings, system), startup) : undefined,
    securityContext: securityContext(settings),
    volumeMounts: mountsOf(mounted, credentials),
  });
  const defaults = defaultsOfPods(system);
  const spread = topologySpread(settings, prefixes, context.refuse);
  const inherited = Array.isArray(defaults['topologySpreadConstraints'])
    ? (defaults['topologySpreadConstraints'] as readonly unknown[])
    : [];
  const spec = compact({
    ...defaults,
    imagePullSecrets: imagePullSecrets(settings, system, context.refuse, defaults['imagePullSecrets']),
    serviceAccountName: roleAccount(settings) ?? settings.serviceAccountName,
    containers: [main, ...(sidecar ? [sidecarContainer(settings, system, prefixes, [...ofSidecar, ...credentials])] : [])],
    shareProcessNamespace: true,
    nodeSelector: nodeSelector(settings, prefixes),
    restartPolicy: job === undefined ? 'Always' : 'Never',
    volumes: podVolumes(mounted, ofSidecar),
    affinity: affinity(settings, context) ?? defaults['affinity'],
    topologySpreadConstraints: spread.length + inherited.length === 0 ? undefined : [...inherited, ...spread],
    terminationGracePeriodSeconds: settings.terminationGracePeriodSeconds ?? defaults['terminationGracePeriodSeconds'],
    securityContext: podSecurity(settings) ?? defaults['securityContext'],
  });
  const routable = needsRoutableIp(settings) && (job === undefined || job.routableIp);
  return {
    metadata: { labels: podLabels(settings, system, prefixes, context.served), annotations: podAnnotations(settings, prefixes, routable) },
    spec,
  };
}

/** Metadata of an object in the namespace of the instance. */
export function metadata(settings: InstanceSettings, labels: Record<string, string>, annotations?: Record<string, string>): ObjectMeta {
  return { name: settings.appName, namespace: settings.namespace, labels, ...(annotations === undefined ? {} : { annotations }) };
}
