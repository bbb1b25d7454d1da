/** Wanted differences of the kinds that the soa-configs room answers: `yaml` and `instances`. */
import { crashOf, httpCheckOf, rendersNow } from './kinds/rendering.ts';
import { gitUrlOf, loadSoaConfigs, readYaml, systemConfigOf } from '../../src/shared/soa-configs/index.ts';
import type { ServiceConfig } from '../../src/shared/soa-configs/index.ts';
import type { ValueMap } from '../../src/shared/contract/values.ts';
import { memoryTree } from '../support/memory-tree.ts';
import { newestMark, outerState } from './marks.ts';
import { REFUSED, type Case, type Difference, type Json, type JsonMap } from './types.ts';

type Changed = Readonly<Record<string, unknown>>;

function map(value: unknown): JsonMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonMap) : {};
}

function instancesOf(test: Case): readonly (readonly [string, JsonMap])[] {
  return Object.entries(map(test.expected['instances'])).map(([key, value]) => [key, map(value)]);
}

/** Applies a change to every instance of a case that it concerns. */
function perInstance(wanted: unknown, change: (settings: JsonMap, instance: JsonMap, key: string) => Changed | undefined): unknown {
  const instances = Object.fromEntries(
    Object.entries(map(map(wanted)['instances'])).map(([key, value]) => {
      const instance = map(value);
      const settings = map(instance['settings']);
      const changed = 'settings' in instance ? change(settings, instance, key) : undefined;
      return [key, changed === undefined ? value : { ...instance, settings: { ...settings, ...changed } }];
    }),
  );
  return { ...map(wanted), instances };
}

/** A number that no port can have. */
export function isNoPort(port: unknown): boolean {
  return typeof port === 'number' && !(port >= 1 && port <= 65_535);
}

function someSettings(test: Case, predicate: (settings: JsonMap, instance: JsonMap) => boolean): boolean {
  return test.kind === 'instances' && instancesOf(test).some(([, instance]) => predicate(map(instance['settings']), instance));
}

/** Effective configuration of an instance, for rules that need a key that is no setting. */
function configOf(test: Case, key: string): ValueMap | undefined {
  const [type, cluster, ...rest] = key.split(':');
  const soa = loadSoaConfigs(
    memoryTree(test.input['files'] as Readonly<Record<string, string>>),
    systemConfigOf(test.input['system'] as ValueMap),
  );
  return soa
    .load(String(test.input['service']))
    .instances.find((i) => i.type === type && i.cluster === cluster && i.instance === rest.join(':'))?.config;
}

function serviceOf(test: Case): ServiceConfig {
  return loadSoaConfigs(
    memoryTree(test.input['files'] as Readonly<Record<string, string>>),
    systemConfigOf(test.input['system'] as ValueMap),
  ).load(String(test.input['service']));
}

/** True when an instance of a `tags` case has a deploy group that is null or empty; null is none for an action of tron. */
function someGroupless(test: Case): boolean {
  const files = test.input['files'] as Readonly<Record<string, string>>;
  const service = serviceOf(test);
  return service.declared.some(({ type, cluster, instance }) => {
    const entries = map(readYaml(String(files[`${service.service}/${type}-${cluster}.yaml`]), 'x.yaml').document?.read);
    if (type !== 'tron') return [null, ''].includes(map(entries[instance])['deploy_group'] as string | null);
    const [name = '', ...action] = instance.split('.');
    const job = map(entries[name]);
    return { deploy_group: job['deploy_group'], ...map(map(job['actions'])[action.join('.')]) }['deploy_group'] === '';
  });
}

/** deployments.json of the instances that are left. Of two of one branch the first says its place, the last its group. */
function ofTheOthers(wanted: unknown, test: Case): unknown {
  const service = serviceOf(test);
  if (!('v1' in map(map(wanted)['deployments'])) || gitUrlOf(service) === null) return wanted;
  const [v1, deployments, controls]: [string, unknown][][] = [[], [], []];
  for (const [branch, group] of new Map(service.instances.map(({ branch, deployGroup }) => [branch, deployGroup]))) {
    const [ref, sha, imageVersion] = newestMark(test, group ?? 'None');
    if (ref === null || sha === null || sha === undefined) continue;
    const docker_image = `services-${service.service}:paasta-${sha}${imageVersion ? `-${imageVersion}` : ''}`;
    const state = outerState(test, branch, sha);
    v1?.push([`${service.service}:paasta-${branch}`, { docker_image, ...state }]);
    deployments?.push([group ?? 'null', { docker_image, git_sha: sha, image_version: imageVersion || null }]);
    controls?.push([`${service.service}:${branch}`, state]);
  }
  const part = (entries: readonly [string, unknown][] = []): unknown => ({
    entries: Object.fromEntries(entries),
    order: [...new Set(entries.map(([key]) => key))],
  });
  return { ...map(wanted), deployments: { v1: part(v1), deployments: part(deployments), controls: part(controls) } };
}

/** Floor without the noise of binary fractions: 100 × (1 − 0.9) is 10. */
function exactPercent(value: number): string {
  return `${Math.floor(Math.round(value * 1e8) / 1e6)}%`;
}

function rolling(settings: JsonMap): Changed {
  return {
    type: 'RollingUpdate',
    rollingUpdate: {
      maxSurge: exactPercent(Number(settings['bounce_overprovision_factor'])),
      maxUnavailable: exactPercent(1 - Number(settings['bounce_margin_factor'])),
    },
  };
}

function hostTerm(condition: JsonMap): Changed {
  const labels = ['service', 'instance']
    .filter((key) => condition[key] !== undefined)
    .map((key) => [`paasta.yelp.com/${key}`, condition[key]]);
  return { labelSelector: { matchLabels: Object.fromEntries(labels) as JsonMap }, topologyKey: 'kubernetes.io/hostname' };
}

function conditions(value: unknown): readonly JsonMap[] {
  const list = (value === undefined || value === null ? [] : Array.isArray(value) ? value : [value]) as readonly JsonMap[];
  // A condition without service and instance selects nothing: PaaSTA leaves it out.
  return list.filter((condition) => 'service' in condition || 'instance' in condition);
}

/** Text where a number belongs; nothing where there must be some. */
const isNoNumber = (s: JsonMap, key: string): boolean => typeof s[key] === 'string' || ((key === 'mem' || key === 'disk') && s[key] === 0);
const NUMBERS = ['cpus', 'mem', 'disk', 'cpu_burst_add', 'bounce_margin_factor', 'bounce_overprovision_factor'];

function isError(value: Json | undefined, text: string): boolean {
  return String(map(value)['message'] ?? '').includes(text);
}

/** Message of a schema failure that only complains of what PaaSTA's documentation allows. */
const DOCUMENTED =
  /^(?:Additional properties are not allowed \((?:'(?:net|bounce_start_deadline|unhealthy_pod_eviction_policy)'(?:, )?)+ (?:was|were) unexpected\)|'upthendown' is not one of .*)$/;

/** Addresses on other hosts than the one of PaaSTA's authors: the documentation allows them, their schema does not. */
const OTHER_GIT_URL = /^'(?!git@github\.yelpcorp\.com:)\S+' does not match '\^git@github\.yelpcorp\.com:/;

const DOCUMENTED_KEYS = ['net', 'bounce_start_deadline', 'unhealthy_pod_eviction_policy'];

/** True when every place that PaaSTA complains of is an instance with a documented key, or its bounce method. */
function documentedOnly(test: Case, file: JsonMap): boolean {
  const places = file['all_at'];
  if (file['schema'] === 'service' && OTHER_GIT_URL.test(String(file['message'])) && JSON.stringify(places) === '[["git_url"]]')
    return true;
  if (file['ok'] !== false || !DOCUMENTED.test(String(file['message'])) || !Array.isArray(places)) return false;
  const text = map(test.input['files'])[`${String(test.input['service'])}/${String(file['file'])}`];
  const read = readYaml(String(text), String(file['file'])).document?.read;
  return (places as readonly Json[]).every((place) => {
    const [name, key, more] = Array.isArray(place) ? place : [];
    const instance = map(map(read)[String(name)]);
    return (
      more === undefined &&
      (key === undefined
        ? DOCUMENTED_KEYS.some((known) => known in instance)
        : key === 'bounce_method' && instance['bounce_method'] === 'upthendown')
    );
  });
}

/** Verdict of the whole run after the parts have changed. */
function withVerdict(wanted: JsonMap, changed: { readonly checks?: Changed; readonly files?: Changed }): unknown {
  const checks = { ...map(wanted['checks']), ...changed.checks };
  return {
    ...wanted,
    checks,
    files: { ...map(wanted['files']), ...changed.files },
    ok: Object.values(checks).every((check) => check === true),
  };
}

export const instanceDifferences: readonly Difference[] = [
  {
    name: 'D-documented-keys',
    kinds: ['validate'],
    foreseen: true,
    reason:
      'net, bounce_start_deadline, unhealthy_pod_eviction_policy, upthendown and git_url on any host are documented: allowed, with a warning where they have no effect',
    applies: (test) =>
      Array.isArray(test.expected['files']) && (test.expected['files'] as readonly JsonMap[]).some((file) => documentedOnly(test, file)),
    instead: (wanted, test) => {
      const files = test.expected['files'] as readonly JsonMap[];
      const allowed = files
        .filter((file) => documentedOnly(test, file))
        .map((file) => [`${String(file['file'])} ${String(file['schema'])}`, { ok: true, placed: true }]);
      return withVerdict(map(wanted), {
        checks: {
          schemas:
            map(map(wanted)['checks'])['schemas'] === 'problem'
              ? 'problem'
              : files.every((file) => file['ok'] === true || documentedOnly(test, file)),
        },
        files: Object.fromEntries(allowed) as Changed,
      });
    },
  },
  {
    name: 'D-port-range',
    kinds: ['validate'],
    foreseen: false,
    reason: 'container_port outside 1..65535 cannot work: the run fails, PaaSTA accepts it (N9)',
    applies: (test) =>
      test.kind === 'validate' &&
      Object.entries(map(test.input['files'])).some(
        ([path, text]) =>
          /(?:kubernetes|eks)-/.test(path) &&
          [...String(text).matchAll(/container_port["']?: (-?[0-9.]+)(?!\w)/g)].some(
            ([, port = '']) => /\./.test(port) || isNoPort(Number(port)),
          ),
      ),
    instead: (wanted) => ({ ...map(wanted), ok: false }),
  },
  {
    name: 'getter-error:TypeError',
    kinds: ['instances'],
    foreseen: true,
    reason:
      'a number that YAML 1.1 reads as text (cpus: 1e-05), or no memory and no disk at all, is refused where it stands; PaaSTA carries it along and fails where it calculates, or starts what is ended at once',
    applies: (test) => someSettings(test, (s) => NUMBERS.some((key) => isNoNumber(s, key))),
    instead: (wanted) =>
      perInstance(wanted, (s) => {
        const refused = NUMBERS.filter((key) => isNoNumber(s, key));
        if (refused.length === 0) return undefined;
        // Resources are shown to the container.
        const shown = refused.some((key) => ['cpus', 'mem', 'disk'].includes(key))
          ? ['env', ...('tron_action' in s ? ['tron_action'] : [])]
          : [];
        // Requests, limits and docker's flags are made of them.
        const made = [
          ...('resources' in s ? ['resources'] : []),
          ...(refused.some((key) => s[key] === 0) && 'docker_parameters' in s ? ['docker_parameters'] : []),
        ];
        return Object.fromEntries([...refused, ...shown, ...made].map((key) => [key, REFUSED]));
      }),
  },
  {
    name: 'load-error:NoDeploymentsAvailable',
    kinds: ['instances'],
    foreseen: true,
    reason: 'an instance whose deploy group has a version is deployed, started, before the generator has written its control entry',
    applies: (test) => test.kind === 'instances' && instancesOf(test).some(([, i]) => isError(i['load'], 'not configured for')),
    instead: (wanted, test) => {
      const changed = perInstance(wanted, (s, instance, key) => {
        if (!isError(instance['load'], 'not configured for')) return undefined;
        const file = map(JSON.parse(String(map(test.input['files'])[`${String(test.input['service'])}/deployments.json`])));
        const version = map(map(map(file['v2'])['deployments'])[String(s['deploy_group'])]);
        // An image of its own stays what runs, and what is shown of it.
        const own = configOf(test, key)?.['docker_url'];
        const imageVersion = version['image_version'] ?? null;
        const env = {
          ...map(s['env']),
          PAASTA_DOCKER_IMAGE: version['docker_image'],
          ...(own === undefined ? { PAASTA_GIT_SHA: String(version['git_sha']).slice(0, 8) } : {}),
          ...(imageVersion === null ? {} : { PAASTA_IMAGE_VERSION: imageVersion }),
        };
        return {
          docker_image: version['docker_image'],
          ...(own === undefined ? { docker_url: `${String(s['docker_registry'])}/${String(version['docker_image'])}` } : {}),
          image_version: imageVersion,
          env,
        };
      }) as JsonMap;
      return {
        ...changed,
        instances: Object.fromEntries(
          Object.entries(map(changed['instances'])).map(([key, value]) => [
            key,
            isError(map(value)['load'], 'not configured for') ? { ...map(value), load: 'ok' } : value,
          ]),
        ),
      };
    },
  },
  {
    name: 'D-null-entry',
    kinds: ['instances', 'tags'],
    foreseen: true,
    reason:
      'deploy_group: null, or an empty one, is a problem on its line, and the instance is not loaded; PaaSTA looks for a group called None',
    applies: (test) =>
      test.kind === 'tags'
        ? someGroupless(test)
        : instancesOf(test).some(([key, i]) => !key.startsWith('tron:') && 'settings' in i && map(i['settings'])['deploy_group'] === null),
    instead: (wanted, test) => {
      if (test.kind === 'tags') return ofTheOthers(wanted, test);
      const instances = Object.entries(map(map(wanted)['instances'])).map(([key, value]) => {
        const settings = map(map(value)['settings']);
        return [
          key,
          !key.startsWith('tron:') && 'deploy_group' in settings && settings['deploy_group'] === null ? { load: REFUSED } : value,
        ];
      });
      return { ...map(wanted), instances: Object.fromEntries(instances) as Changed };
    },
  },
  {
    name: 'N1-preferred-anti-affinity-crash',
    kinds: ['instances'],
    foreseen: true,
    reason: 'anti_affinity_preferred is rendered as a preferred term per host; PaaSTA raises',
    applies: (test) => someSettings(test, (s) => isError(s['pod_anti_affinity'], "unexpected keyword argument 'topology_key'")),
    instead: (wanted, test) =>
      perInstance(wanted, (s, _instance, key) => {
        if (!isError(s['pod_anti_affinity'], "unexpected keyword argument 'topology_key'")) return undefined;
        const config = configOf(test, key);
        const required = conditions(config?.['anti_affinity']).map(hostTerm);
        const preferred = conditions(config?.['anti_affinity_preferred']).map((condition) => ({
          weight: condition['weight'],
          podAffinityTerm: hostTerm(condition),
        }));
        return {
          pod_anti_affinity: {
            ...(required.length === 0 ? {} : { requiredDuringSchedulingIgnoredDuringExecution: required }),
            preferredDuringSchedulingIgnoredDuringExecution: preferred,
          },
        };
      }),
  },
  {
    name: 'N2-mesh-healthcheck-http2',
    kinds: ['instances', 'objects', 'hash'],
    foreseen: true,
    reason: 'healthcheck_mode http2 in smartstack.yaml is an http check',
    applies: (test) =>
      test.kind === 'instances'
        ? instancesOf(test).some(([, i]) => map(i['mesh'])['healthcheck_mode'] === 'http2')
        : crashOf(test) === 'http2',
    instead: (wanted, test) => {
      if (test.kind === 'hash') return rendersNow(wanted, test);
      if (test.kind === 'objects') return { app: { check: httpCheckOf(test) } };
      const changed = map(
        perInstance(wanted, (s, instance) => {
          if (s['healthcheck_mode'] !== 'http2') return undefined;
          const probe = {
            httpGet: { path: s['healthcheck_uri'], port: s['container_port'], scheme: 'HTTP' },
            initialDelaySeconds: s['healthcheck_grace_period_seconds'],
            periodSeconds: s['healthcheck_interval_seconds'],
            timeoutSeconds: s['healthcheck_timeout_seconds'],
            failureThreshold: s['healthcheck_max_consecutive_failures'],
          };
          return {
            healthcheck_mode: 'http',
            ...('liveness_probe' in s ? { liveness_probe: probe } : {}),
            ...('readiness_probe' in s && map(instance['mesh'])['in_mesh'] === false ? { readiness_probe: probe } : {}),
          };
        }),
      );
      const instances = Object.entries(map(changed['instances'])).map(([key, value]) => {
        const mesh = map(map(value)['mesh']);
        return [key, mesh['healthcheck_mode'] === 'http2' ? { ...map(value), mesh: { ...mesh, healthcheck_mode: 'http' } } : value];
      });
      return { ...changed, instances: Object.fromEntries(instances) as JsonMap };
    },
  },
  {
    name: 'D-no-hacheck',
    kinds: ['instances'],
    foreseen: true,
    reason: 'in the mesh without a hacheck image there is no sidecar: the main container answers for readiness (10 s, 3 failures at most)',
    applies: (test) =>
      test.kind === 'instances' &&
      map(test.input['system'])['hacheck_sidecar_image_url'] === undefined &&
      instancesOf(test).some(([, i]) => map(i['mesh'])['in_mesh'] === true),
    instead: (wanted) =>
      perInstance(wanted, (s, instance) => {
        const probe = map(s['liveness_probe']);
        if (map(instance['mesh'])['in_mesh'] === true && 'readiness_probe' in s && 'error' in probe) return { readiness_probe: REFUSED };
        if (map(instance['mesh'])['in_mesh'] !== true || !('readiness_probe' in s) || !('periodSeconds' in probe)) return undefined;
        return {
          readiness_probe: {
            ...probe,
            initialDelaySeconds: Math.min(Number(probe['initialDelaySeconds']), 10),
            failureThreshold: Math.min(Number(probe['failureThreshold']), 3),
          },
        };
      }),
  },
  {
    name: 'D-port-range',
    kinds: ['instances'],
    foreseen: false,
    reason: 'container_port outside 1..65535 is refused (N9): what is made of it is no value, probes go to the usual port',
    applies: (test) => someSettings(test, (s) => isNoPort(s['container_port'])),
    instead: (wanted) =>
      perInstance(wanted, (s) => {
        if (!isNoPort(s['container_port'])) return undefined;
        const usual = (probe: unknown): unknown =>
          JSON.parse(JSON.stringify(probe), (key, value: unknown) => (key === 'port' && value === s['container_port'] ? 8888 : value));
        const probes = ['liveness_probe', 'readiness_probe'].filter((key) => key in s && s[key] !== null);
        return { container_port: REFUSED, env: REFUSED, ...Object.fromEntries(probes.map((key) => [key, usual(s[key])])) };
      }),
  },
  {
    name: 'R13-truncated-percentage',
    kinds: ['instances'],
    foreseen: true,
    reason: 'percentages of the strategy are computed exactly',
    applies: (test) => someSettings(test, (s) => 'maxUnavailable' in map(map(s['deployment_strategy'])['rollingUpdate'])),
    instead: (wanted) =>
      perInstance(wanted, (s) =>
        'rollingUpdate' in map(s['deployment_strategy']) && s['bounce_method'] === 'crossover'
          ? { deployment_strategy: rolling(s) }
          : undefined,
      ),
  },
  {
    name: 'D-upthendown',
    kinds: ['instances'],
    foreseen: true,
    reason: 'upthendown renders the objects of crossover; the bounce is ours',
    applies: (test) => someSettings(test, (s) => s['bounce_method'] === 'upthendown'),
    instead: (wanted) =>
      perInstance(wanted, (s) =>
        s['bounce_method'] === 'upthendown' && 'deployment_strategy' in s ? { deployment_strategy: rolling(s) } : undefined,
      ),
  },
];
