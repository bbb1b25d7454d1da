/** What `objects` and `hash` share: files of a case → rendered objects of its instance, by the product's own functions. */
import type { Value, ValueMap } from '../../../src/shared/contract/values.ts';
import { deploymentsFromFile } from '../../../src/shared/deployments/index.ts';
import {
  ANNOTATIONS,
  composeInstance,
  isNotRendered,
  OWNERSHIP_LABEL,
  type LiveState,
  type NotRendered,
  type RenderedInstance,
  type RenderInput,
} from '../../../src/shared/workload/index.ts';
import { loadSoaConfigs, systemConfigOf, type InstanceConfig, type ServiceConfig } from '../../../src/shared/soa-configs/index.ts';
import { memoryTree } from '../../support/memory-tree.ts';
import type { Case, JsonMap } from '../types.ts';

/** Our settings when compared with PaaSTA: tags instead of digests, its preStop hook, no Services beside it. */
const OPTIONS: RenderInput['options'] = { pinDigest: false, preStop: 'exec', registrationServices: false };

interface Side {
  readonly files: Readonly<Record<string, string>>;
  readonly system: ValueMap;
  readonly live: { readonly replicas?: number | null; readonly configmaps?: Readonly<Record<string, string>> };
}

function serviceOf(test: Case, side: unknown = test.input): ServiceConfig {
  const { files, system } = side as Side;
  return loadSoaConfigs(memoryTree(files), systemConfigOf(system)).load(String(test.input['service']));
}

/** The instance of a case as the loader reads it: for rules that compute the wanted value from the configuration itself. */
export function instanceOf(test: Case, side: unknown = test.input): InstanceConfig | undefined {
  const { cluster, instance, type } = test.input;
  return serviceOf(test, side).instances.find((entry) => entry.cluster === cluster && entry.instance === instance && entry.type === type);
}

export function deployGroupOf(test: Case, side: unknown): string | undefined {
  return instanceOf(test, side)?.deployGroup;
}

export type Crash = 'anti-affinity' | 'http2' | 'upthendown';

/** What PaaSTA says where it fails to render what ours renders. */
const CRASHES: Readonly<Record<Crash, RegExp>> = {
  'anti-affinity': /unexpected keyword argument 'topology_key'/,
  http2: /Unknown mode: http2/,
  upthendown: /: 'upthendown'"/,
};

/** What PaaSTA would refuse later than where it crashes: a volume that one pod holds, and a bounce of a Deployment that runs two. */
function refusedAnyway(test: Case, side?: unknown): boolean {
  const config = instanceOf(test, side)?.config ?? {};
  const volumes = config['aws_ebs_volumes'];
  const claims = config['persistent_volumes'];
  const isStateful = Array.isArray(claims) && claims.length > 0;
  return Array.isArray(volumes) && volumes.length > 0 && !isStateful && config['bounce_method'] !== 'downthenup';
}

/** Why PaaSTA fails to render a case, or one side of it, that ours renders. */
export function crashOf(test: Case, expected: unknown = test.expected, side?: unknown): Crash | undefined {
  const said = JSON.stringify(expected);
  if (test.kind === 'objects' ? refusedAnyway(test) : side !== undefined && refusedAnyway(test, side)) return undefined;
  return (Object.keys(CRASHES) as Crash[]).find((crash) => CRASHES[crash].test(said));
}

/** The http check that an instance in the mesh has, computed from its files. */
export function httpCheckOf(test: Case): JsonMap {
  const config = instanceOf(test)?.config ?? {};
  const [registration = `${String(test.input['service'])}.${String(test.input['instance'])}`] =
    (config['registrations'] as readonly string[] | undefined) ?? [];
  const path = config['healthcheck_uri'] ?? serviceOf(test).mesh(registration).values?.['healthcheck_uri'] ?? '/status';
  return { path: String(path), port: Number(config['container_port'] ?? 8888), scheme: 'HTTP' };
}

/** Sides of a `hash` case: where PaaSTA fails, ours renders. What fails for another reason is refused as before. */
export function rendersNow(wanted: unknown, test: Case): unknown {
  return Object.fromEntries(
    Object.entries(wanted as JsonMap).map(([side, value]) => [side, crashOf(test, value, test.input[side]) === undefined ? value : 'ok']),
  );
}

/** Everything that rendering an instance takes; `undefined` when soa-configs or deployments refuse it. */
export function inputOf(test: JsonMap, side: JsonMap): RenderInput | undefined {
  const { files, system: values, live } = side as unknown as Side;
  const [name, cluster, instanceName, type] = ['service', 'cluster', 'instance', 'type'].map((key) => String(test[key]));
  const system = systemConfigOf({ ...values, cluster: (values['cluster'] ?? cluster) as Value });
  const soa = loadSoaConfigs(memoryTree(files), system);
  const service = soa.load(name ?? '');
  const instance = service.instances.find((entry) => entry.cluster === cluster && entry.instance === instanceName && entry.type === type);
  if (instance === undefined) return undefined;
  const json = files[`${name}/deployments.json`];
  const deployments = json === undefined ? undefined : deploymentsFromFile(name ?? '', json, `${name ?? ''}/deployments.json`);
  const deployed = deployments?.version(instance.deployGroup ?? '');
  if (deployments === undefined || deployed === undefined) return undefined;
  const override = test['hpa_override'] as { readonly min_instances?: number; readonly max_instances?: number } | null | undefined;
  const state: LiveState = {
    replicas: live.replicas ?? null,
    signatures: new Map(Object.entries(live.configmaps ?? {})),
    autoscalingOverride: override == null ? undefined : { minInstances: override.min_instances, maxInstances: override.max_instances },
  };
  return {
    instance,
    service,
    system,
    deployed,
    control: deployments.control(instance.branch),
    soaCommit: soa.commit,
    authenticating: soa.authenticating.includes(name ?? ''),
    live: state,
    options: OPTIONS,
  };
}

/**
 * The objects as they are made. What the API server would refuse is compared field by field all the same; only a label that is too long
 * is the refusal that the README foresees (R8).
 */
export function render(test: JsonMap, side: JsonMap): RenderedInstance | NotRendered | undefined {
  const input = inputOf(test, side);
  if (input === undefined) return undefined;
  const composed = composeInstance(input);
  if (isNotRendered(composed)) return composed;
  return composed.inadmissible.some(({ code }) => code === 'LABEL_TOO_LONG') ? { problems: composed.inadmissible } : composed.rendered;
}

export function rendered(result: RenderedInstance | NotRendered | undefined): result is RenderedInstance {
  return result !== undefined && !isNotRendered(result);
}

const OWN: ReadonlySet<string> = new Set([OWNERSHIP_LABEL, ...Object.values(ANNOTATIONS)]);
const HASH_LABELS = ['paasta.yelp.com/config_sha', 'yelp.com/paasta_config_sha'];

/** An object as PaaSTA has it: without our marker and annotations, the config hash replaced by `hash`; unset fields left out. */
export function comparable(value: unknown, hash = 'CONFIG_SHA'): unknown {
  if (Array.isArray(value)) return value.map((entry) => comparable(entry, hash));
  if (typeof value !== 'object' || value === null) return value;
  const kept: Record<string, unknown> = {};
  for (const [key, entry] of Object.entries(value)) {
    if (entry === undefined || entry === null || OWN.has(key)) continue;
    const inner = HASH_LABELS.includes(key) ? hash : comparable(entry, hash);
    // An empty mapping of labels or annotations is an unset field.
    if (!((key === 'labels' || key === 'annotations') && Object.keys(inner as object).length === 0)) kept[key] = inner;
  }
  return kept;
}
