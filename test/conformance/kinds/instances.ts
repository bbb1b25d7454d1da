/** `instances`: loading, defaults and settings, by the soa-configs room; the Kubernetes parts by the workload room. */
import { YELP_PREFIXES } from '../../../src/shared/contract/names.ts';
import type { Problem } from '../../../src/shared/contract/errors.ts';
import type { ValueMap } from '../../../src/shared/contract/values.ts';
import { deploymentsFromFile } from '../../../src/shared/deployments/index.ts';
import { gitUrlOf, loadSoaConfigs, ownerOf, settingsOf, systemConfigOf, tronActionOf } from '../../../src/shared/soa-configs/index.ts';
import type { InstanceConfig, InstanceSettings, ServiceConfig, SoaConfigs, SystemConfig } from '../../../src/shared/soa-configs/index.ts';
import * as workload from '../../../src/shared/workload/index.ts';
import { REFUSED, type JsonMap, type Plug } from '../types.ts';
import { memoryTree } from '../../support/memory-tree.ts';

type Getter = (s: InstanceSettings, context: Context) => unknown;

interface Context {
  readonly system: SystemConfig;
  readonly soa: SoaConfigs;
  /** Runs a renderer; a problem that it reports is a refusal. */
  readonly tried: (body: (refuse: (path: readonly (string | number)[], problem: Problem) => void) => unknown) => unknown;
}

/** Sets a setting against its name in the vectors; the rest is camelCase of the same word. */
const GETTERS: Readonly<Record<string, Getter>> = {
  env: (s) => ({
    ...s.env,
    ...mapValues(s.secretEnv, (name) => `SECRET(${name})`),
    ...mapValues(s.sharedSecretEnv, (name) => `SHARED_SECRET(${name})`),
  }),
  secret_env: (s, c) =>
    s.type === 'tron'
      ? tron(s, c).secretEnv
      : [mapValues(s.secretEnv, (name) => `SECRET(${name})`), mapValues(s.sharedSecretEnv, (name) => `SHARED_SECRET(${name})`)],
  cmd: (s) => (typeof s.cmd === 'string' && (s.type === 'kubernetes' || s.type === 'eks') ? ['sh', '-c', s.cmd] : s.cmd),
  docker_url: (s) => s.dockerUrl ?? REFUSED,
  healthcheck_cmd: (s) => s.healthcheckCmd ?? REFUSED,
  crypto_keys: (s) => [...keys(s.cryptoKeys, 'encrypt', 'public'), ...keys(s.cryptoKeys, 'decrypt', 'private')],
  routable_ip: (s) => String(s.routableIp),
  proxy_port: (s) => s.proxyPort,
  projected_sa_volumes: (s, c) => (s.type === 'tron' ? tron(s, c).projectedSaVolumes : s.projectedSaVolumes),
  secret_volumes: (s, c) => (s.type === 'tron' ? tron(s, c).secretVolumes : s.secretVolumes),
  job: (s, c) => tron(s, c).job,
  action: (s, c) => tron(s, c).action,
  executor: (s, c) => tron(s, c).executor,
  requires: (s, c) => tron(s, c).requires,
  retries: (s, c) => tron(s, c).retries,
  retries_delay: (s, c) => tron(s, c).retriesDelay,
  expected_runtime: (s, c) => tron(s, c).expectedRuntime,
  idempotent: (s, c) => tron(s, c).idempotent,
  trigger_downstreams: (s, c) => tron(s, c).triggerDownstreams,
  node_selectors: (s, c) => tron(s, c).nodeSelectors,
  node_affinities: (s, c) => tron(s, c).nodeAffinities,
  ssm_secret_env: (s, c) => tron(s, c).ssmSecretEnv,
  tron_action: (s, c) => tron(s, c).rendered,
  deployment_strategy: (s) => workload.deploymentStrategy(s),
  security_context: (s) => workload.securityContext(s),
  pre_stop: (s) => workload.preStopHook(s, 'exec'),
  liveness_probe: (s) => workload.livenessProbe(s),
  readiness_probe: (s, c) => workload.readinessProbe(s, workload.hasSidecar(s, c.system)),
  resources: (s) => workload.containerResources(s),
  sidecar_resources: (s, c) => workload.sidecarResources(s, c.system),
  node_selector: (s) => workload.nodeSelector(s, YELP_PREFIXES),
  node_affinity: (s, c) => c.tried((refuse) => workload.nodeAffinity(s, c.system, YELP_PREFIXES, refuse)),
  pod_anti_affinity: (s) => workload.podAntiAffinity(s, YELP_PREFIXES),
};

/** Settings from which the renderers above compute: a fault in one is a refusal of the other. */
const DEPENDS: Readonly<Record<string, readonly (keyof InstanceSettings)[]>> = {
  resources: ['cpus', 'cpuBurstAdd', 'mem', 'disk', 'gpus'],
  deployment_strategy: ['bounceMethod', 'bounceMarginFactor', 'bounceOverprovisionFactor'],
  liveness_probe: ['healthcheckMode', 'healthcheckCmd', 'mesh'],
  readiness_probe: ['healthcheckMode', 'healthcheckCmd', 'mesh'],
  pre_stop: ['preStopCommand'],
  node_affinity: ['deployBlacklist', 'deployWhitelist'],
  node_affinities: ['deployBlacklist', 'deployWhitelist'],
  tron_action: ['cpus', 'mem', 'disk', 'env', 'cmd'],
};

function tron(s: InstanceSettings, c: Context): ReturnType<typeof tronActionOf> {
  return tronActionOf(s, c.system, c.soa.secrets('_shared'));
}

function mapValues(map: Readonly<Record<string, string>>, change: (value: string) => string): Record<string, string> {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, change(value)]));
}

function keys(map: ValueMap, key: string, kind: string): readonly string[] {
  const list = map[key];
  return Array.isArray(list) ? list.map((name) => `${kind}/${String(name)}`) : [];
}

function camel(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function settingsAnswer(settings: InstanceSettings, wanted: JsonMap, context: Context): Record<string, unknown> {
  const faults = new Set(Object.keys(settings.faults));
  return Object.fromEntries(
    Object.keys(wanted).map((name) => {
      const own = camel(name);
      if (name === 'readiness_probe' && workload.hasSidecar(settings, context.system)) return [name, null];
      if (faults.has(own) || (DEPENDS[name] ?? []).some((other) => faults.has(other))) return [name, REFUSED];
      const getter = GETTERS[name];
      if (getter !== undefined) return [name, getter(settings, context)];
      return [name, own in settings ? settings[own as keyof InstanceSettings] : 'not a setting'];
    }),
  );
}

function meshAnswer(s: InstanceSettings): unknown {
  if (s.faults.mesh !== undefined || s.faults.nerveNamespace !== undefined) return REFUSED;
  const { mesh } = s;
  return {
    values: mesh.values,
    in_mesh: mesh.inMesh,
    mode: mesh.mode,
    healthcheck_mode: mesh.healthcheckMode,
    healthcheck_uri: mesh.healthcheckUri,
    discover: mesh.discover,
    timeout_server_ms: mesh.timeoutServerMs,
    longest_timeout_ms: mesh.longestTimeoutMs,
  };
}

function instanceAnswer(
  instance: InstanceConfig | undefined,
  service: ServiceConfig,
  soa: SoaConfigs,
  system: SystemConfig,
  test: JsonMap,
  wanted: JsonMap,
): Record<string, unknown> {
  if (instance === undefined) return { load: REFUSED };
  const files = test['files'] as Readonly<Record<string, string>>;
  const owner = ownerOf(instance);
  const text = files[`${owner}/deployments.json`];
  const deployments = text === undefined ? undefined : deploymentsFromFile(owner, text, 'deployments.json');
  const version = instance.deployGroup === undefined ? undefined : deployments?.version(instance.deployGroup);
  const live = test['live'] as { readonly replicas?: number | null };
  const settings = settingsOf(instance, owner === service.service ? service : soa.load(owner), system, {
    version,
    control: version === undefined || instance.type === 'tron' ? undefined : deployments?.control(instance.branch),
    liveReplicas: live.replicas ?? null,
    soaConfigsCommit: soa.commit,
    authenticating: soa.authenticating.includes(owner),
  });
  const context: Context = {
    system,
    soa,
    tried: (body) => {
      let refused = false;
      const value = body(() => (refused = true));
      return refused ? REFUSED : value;
    },
  };
  const answer: Record<string, unknown> = { load: version === undefined && instance.type !== 'tron' ? REFUSED : 'ok' };
  if ('mesh' in wanted) answer['mesh'] = meshAnswer(settings);
  if ('settings' in wanted) answer['settings'] = settingsAnswer(settings, wanted['settings'] as JsonMap, context);
  return answer;
}

export const plug: Plug = {
  answer: (test) => {
    const {
      service: name,
      files,
      system: values,
    } = test.input as unknown as { readonly service: string; readonly files: Readonly<Record<string, string>>; readonly system: ValueMap };
    const system = systemConfigOf(values);
    const soa = loadSoaConfigs(memoryTree(files), system);
    const service = soa.load(name);
    const ours: Record<string, unknown> = {};
    const wantedInstances = test.expected['instances'] as Readonly<Record<string, JsonMap>> | undefined;
    if (test.expected['service'] !== undefined) {
      // A step without a name ends PaaSTA; ours reports it and reads the others.
      const wantedGroups = (test.expected['service'] as JsonMap)['pipeline_deploy_groups'];
      const refused =
        !Array.isArray(wantedGroups) && service.problems.some((p) => p.severity === 'error' && p.file === `${name}/deploy.yaml`);
      ours['service'] = {
        clusters: service.clusters,
        pipeline_deploy_groups: refused ? REFUSED : (service.pipelineDeployGroups ?? []),
        production_deploy_group: service.pipeline.productionDeployGroup,
        git_url: gitUrlOf(service),
      };
    }
    if (test.expected['instance_names'] !== undefined) {
      const broken = new Set(service.problems.filter((p) => p.severity === 'error' && p.code.startsWith('YAML')).map((p) => p.file));
      ours['instance_names'] = Object.fromEntries(
        Object.keys(test.expected['instance_names'] as JsonMap).map((key) => [
          key,
          broken.has(`${name}/${key}.yaml`)
            ? REFUSED
            : service.declared.filter((d) => `${d.type}-${d.cluster}` === key).map((d) => d.instance),
        ]),
      );
    }
    ours['instances'] = Object.fromEntries(
      Object.entries(wantedInstances ?? {}).map(([key, wanted]) => {
        const [type, cluster, ...rest] = key.split(':');
        const instance = service.instances.find(
          (entry) => entry.type === type && entry.cluster === cluster && entry.instance === rest.join(':'),
        );
        return [key, instanceAnswer(instance, service, soa, system, test.input, wanted)];
      }),
    );
    return { ours, wanted: test.expected };
  },
};
