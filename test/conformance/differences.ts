/**
 * Every difference from PaaSTA that is wanted, as a rule: on which cases, the exact value that ours gives instead, and why.
 * Never a list of case ids. `foreseen` rules carry a label of the first table of the vectors' README; others may excuse at most 2 % of a kind.
 */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { crashOf, deployGroupOf, instanceOf, rendersNow } from './kinds/rendering.ts';
import { instanceDifferences, isNoPort } from './differences-instances.ts';
import { newestMark, outerState } from './marks.ts';
import { REFUSED, type Case, type Difference, type JsonMap } from './types.ts';

/** The member of a mapping, whatever it is; `undefined` when there is none. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  let here = value;
  for (const key of path)
    here = typeof here === 'object' && here !== null ? (here as Readonly<Record<string | number, unknown>>)[key] : undefined;
  return here;
}

function fn(test: Case): string {
  return String(test.input['fn']);
}

function args(test: Case): readonly unknown[] {
  return Array.isArray(test.input['args']) ? test.input['args'] : [];
}

const names: readonly Difference[] = [
  {
    name: 'P40-empty-image-version',
    kinds: ['names'],
    foreseen: true,
    reason: 'an empty image version is none: no trailing dash, null in JSON',
    applies: (test) => ['docker_image_name', 'deployment_version', 'extract_tags'].includes(fn(test)),
    instead: (wanted, test) => {
      if (fn(test) === 'docker_image_name') return args(test)[2] === '' && typeof wanted === 'string' ? wanted.replace(/-$/, '') : wanted;
      if (fn(test) === 'deployment_version' && args(test)[1] === '')
        return { ...(wanted as JsonMap), json: String(at(wanted, 'json')).replace('"image_version": ""', '"image_version": null') };
      return wanted;
    },
  },
  {
    name: 'D-secret-line-end',
    kinds: ['names'],
    foreseen: false,
    reason: 'a reference that ends in a line end (YAML block scalar) names the secret, not the secret plus a parenthesis',
    applies: (test) => fn(test) === 'secret_ref' && String(args(test)[0]).endsWith(')\n'),
    instead: (wanted) => ({ ...(wanted as JsonMap), name: String(at(wanted, 'name')).replace(/\)$/, '') }),
  },
  {
    name: 'D-beyond-ascii',
    kinds: ['names'],
    foreseen: false,
    reason: 'a long volume name with a letter beyond ASCII is shortened like any other; PaaSTA encodes it as ASCII and crashes',
    applies: (test) => fn(test) === 'volume_name' && /[^\x00-\x7f]/.test(String(args(test)[0])),
    instead: (wanted, test) => {
      if (at(wanted, 'error') !== 'UnicodeEncodeError') return wanted;
      const whole = String(args(test)[0]).replace(/\/+$/, '').replaceAll('/', 'slash-').replaceAll('.', 'dot-');
      const sanitised = whole.replaceAll('_', '--').replace(/^--/, 'underscore-').toLowerCase();
      const hash = createHash('md5').update(sanitised).digest('hex');
      return `${[...sanitised].slice(0, Number(args(test)[1]) - 6).join('')}--${hash.slice(0, 4)}`;
    },
  },
  {
    name: 'P3-differs',
    kinds: ['names'],
    foreseen: true,
    reason: "a start or stop tag without the paasta- prefix is somebody else's",
    applies: (test) => fn(test) === 'desired_states',
    instead: (_wanted, test) => {
      const newest = new Map<string, readonly [string, string, readonly [string, string]]>();
      for (const [name, sha] of Object.entries(args(test)[0] as Readonly<Record<string, string>>)) {
        const [, branch, token, state] = /^refs\/tags\/paasta-(?:paasta-)?([A-Za-z0-9_.-]+)-([^-]+)-(start|stop)$/.exec(name) ?? [];
        if (branch === undefined || token === undefined || state === undefined) continue;
        const key = `${branch} ${sha}`;
        if (token >= (newest.get(key)?.[2][1] ?? '')) newest.set(key, [branch, sha, [state, token]]);
      }
      return [...newest].sort(([x], [y]) => (x < y ? -1 : 1)).map(([, entry]) => entry);
    },
  },
];

function mapValues(map: unknown, change: (value: unknown, key: string) => unknown): JsonMap {
  return Object.fromEntries(Object.entries(map as JsonMap).map(([key, value]) => [key, change(value, key)])) as JsonMap;
}

/** `wanted.latest` with another value for every group. */
function otherLatest(wanted: unknown, change: (value: unknown, group: string) => unknown): unknown {
  return { ...(wanted as JsonMap), latest: mapValues(at(wanted, 'latest'), change) };
}

/** The three mappings of deployments.json with another value under every key. */
function otherDeployments(
  wanted: unknown,
  change: (part: 'v1' | 'deployments' | 'controls', entry: unknown, key: string) => unknown,
): unknown {
  const deployments = at(wanted, 'deployments');
  if (at(deployments, 'v1') === undefined) return wanted;
  const part = (name: 'v1' | 'deployments' | 'controls'): JsonMap => ({
    ...(at(deployments, name) as JsonMap),
    entries: mapValues(at(deployments, name, 'entries'), (entry, key) => change(name, entry, key)),
  });
  return { ...(wanted as JsonMap), deployments: { v1: part('v1'), deployments: part('deployments'), controls: part('controls') } };
}

const tags: readonly Difference[] = [
  {
    name: 'P2-differs',
    kinds: ['tags'],
    foreseen: true,
    reason:
      'the newest mark of a group is looked up with the group taken letter by letter (and ASCII digits, also of rollbacks, and annotated tags dereferenced)',
    applies: () => true,
    instead: (wanted, test) => {
      const records = at(wanted, 'rollback_tags') as readonly (readonly (readonly [string, string])[])[];
      return {
        ...(otherLatest(wanted, (_value, group) => newestMark(test, group)) as JsonMap),
        rollback_tags: records.map((list) => list.filter(([, time]) => /^[0-9T]+$/.test(time))),
      };
    },
  },
  {
    name: 'P40-empty-image-version',
    kinds: ['tags'],
    foreseen: true,
    reason: 'an empty image version is none: null, and no trailing dash in the image',
    applies: () => true,
    instead: (wanted) =>
      otherDeployments(
        otherLatest(wanted, (value) => [at(value, 0), at(value, 1), at(value, 2) === '' ? null : at(value, 2)]),
        (part, entry) => {
          const image = String(at(entry, 'docker_image')).replace(/-$/, '');
          if (part === 'controls') return entry;
          return {
            ...(entry as JsonMap),
            docker_image: image,
            ...(part === 'deployments' && at(entry, 'image_version') === '' ? { image_version: null } : {}),
          };
        },
      ),
  },
  {
    name: 'D-paasta-cluster',
    kinds: ['tags'],
    foreseen: true,
    reason: 'start and stop tags of a cluster that is itself called paasta-… count (PaaSTA takes its name for a doubled prefix)',
    applies: (test) =>
      (test.input['system'] as { readonly clusters?: readonly string[] }).clusters?.some((cluster) => cluster.startsWith('paasta-')) ===
      true,
    instead: (wanted, test) => {
      const service = String(test.input['service']);
      const shaOf = (branch: string): string =>
        String(at(wanted, 'deployments', 'v1', 'entries', `${service}:paasta-${branch}`, 'docker_image'))
          .replace(/^.*:paasta-/, '')
          .slice(0, 40);
      return otherDeployments(wanted, (part, entry, key) => {
        const branch = key.slice(service.length + 1).replace(part === 'v1' ? /^paasta-/ : /^/, '');
        return part === 'deployments' || !branch.startsWith('paasta-')
          ? entry
          : { ...(entry as JsonMap), ...outerState(test, branch, shaOf(branch)) };
      });
    },
  },
];

/** The exact integer above or below a product of short decimals: floating point is off by far less than a millionth. */
const exactCeil = (a: unknown, b: unknown): number => Math.ceil(Math.round(Number(a) * Number(b) * 1e6) / 1e6);
const exactFloor = (value: number): number => Math.floor(Math.round(value * 1e6) / 1e6);

const bounce: readonly Difference[] = [
  {
    name: 'float-ceil',
    kinds: ['bounce'],
    foreseen: true,
    reason: 'ceil(instances × margin) is computed exactly',
    applies: (test) =>
      fn(test) === 'max_unavailable' ||
      (fn(test) === 'method' && test.input['bounce_method'] === 'crossover' && test.expected['error'] === undefined),
    instead: (wanted, test) => {
      if (fn(test) === 'max_unavailable') {
        const instances = Number(test.input['instances']);
        return { max_unavailable: instances === 0 ? 0 : Math.max(instances - exactCeil(instances, test.input['margin_factor']), 1) };
      }
      const needed = Math.max(exactCeil(test.input['instances'], test.input['margin_factor'] ?? 1) - Number(test.input['happy_new']), 0);
      return { ...(wanted as JsonMap), tasks_to_drain: (test.input['old_non_draining'] as readonly string[]).slice(needed) };
    },
  },
  {
    name: 'R13-truncated-percentage',
    kinds: ['bounce'],
    foreseen: true,
    reason: 'percentages are computed exactly: margin 0.9 lets 10 % go, not 9 %',
    applies: (test) => fn(test) === 'strategy' && at(test.input, 'settings', 'bounce_margin_factor') !== undefined,
    instead: (wanted, test) => {
      const percent = `${exactFloor((1 - Number(at(test.input, 'settings', 'bounce_margin_factor'))) * 100)}%`;
      const rolling = at(wanted, 'strategy', 'rollingUpdate') as JsonMap | undefined;
      const crossover = rolling !== undefined && rolling['maxUnavailable'] !== '100%';
      return {
        ...(wanted as JsonMap),
        pdb_max_unavailable: percent,
        ...(crossover
          ? { strategy: { ...(at(wanted, 'strategy') as JsonMap), rollingUpdate: { ...rolling, maxUnavailable: percent } } }
          : {}),
      };
    },
  },
  {
    name: 'D-upthendown',
    kinds: ['bounce', 'objects', 'hash'],
    foreseen: true,
    reason: 'upthendown is rendered as the objects of crossover; the bounce is ours',
    applies: (test) =>
      test.kind === 'bounce'
        ? fn(test) === 'strategy' &&
          at(test.input, 'settings', 'bounce_method') === 'upthendown' &&
          ((at(test.input, 'settings', 'aws_ebs_volumes') ?? []) as readonly unknown[]).length === 0
        : crashOf(test) === 'upthendown',
    instead: (wanted, test) => {
      if (test.kind === 'hash') return rendersNow(wanted, test);
      const settings = test.kind === 'bounce' ? at(test.input, 'settings') : instanceOf(test)?.config;
      const margin = Number(at(settings, 'bounce_margin_factor') ?? at(test.input, 'system', 'default_bounce_margin_factor') ?? 0.95);
      const surge = Number(
        at(settings, 'bounce_overprovision_factor') ?? at(test.input, 'system', 'default_bounce_overprovision_factor') ?? 1,
      );
      const rollingUpdate = { maxSurge: `${exactFloor(surge * 100)}%`, maxUnavailable: `${exactFloor((1 - margin) * 100)}%` };
      const strategy = { type: 'RollingUpdate', rollingUpdate };
      return test.kind === 'bounce' ? { ...(wanted as JsonMap), strategy } : { app: { strategy } };
    },
  },
];

/** Changes containers of a pod template in a workload or Job. */
function withContainers(object: unknown, change: (containers: readonly JsonMap[]) => readonly JsonMap[]): unknown {
  const containers = at(object, 'spec', 'template', 'spec', 'containers');
  if (!Array.isArray(containers)) return object;
  const [spec, template, pod] = [at(object, 'spec'), at(object, 'spec', 'template'), at(object, 'spec', 'template', 'spec')] as JsonMap[];
  return {
    ...(object as JsonMap),
    spec: { ...spec, template: { ...template, spec: { ...pod, containers: change(containers as readonly JsonMap[]) } } },
  };
}

/** A `hash` case in which PaaSTA changes nothing but a sidecar that we do not render. */
function changesOnlyTheSidecar(test: Case): boolean {
  const without = ['a', 'b'].every((side) => at(test.input, side, 'system', 'hacheck_sidecar_image_url') === undefined);
  return (
    without &&
    /sidecar_re|readiness_check|hacheck_match_initial_delay|bounce_health_params/.test(String(test.input['change'])) &&
    at(test.expected, 'hash_differs') === true
  );
}

function volumesOf(object: unknown): readonly JsonMap[] {
  return (at(object, 'spec', 'template', 'spec', 'volumes') ?? []) as readonly JsonMap[];
}

/** Volumes that have one name, by name. */
function volumesTwice(object: unknown): readonly (readonly JsonMap[])[] {
  const byName = Map.groupBy(volumesOf(object), ({ name }) => name);
  return [...byName.values()].filter((volumes) => volumes.length > 1);
}

function withVolumesOnce(object: unknown): unknown {
  if (volumesTwice(object).length === 0) return object;
  const [spec, template] = [at(object, 'spec') as JsonMap, at(object, 'spec', 'template') as JsonMap];
  const all = volumesOf(object);
  const volumes = all.filter(({ name }, index) => all.findIndex((other) => other['name'] === name) === index);
  return { ...(object as JsonMap), spec: { ...spec, template: { ...template, spec: { ...(template['spec'] as JsonMap), volumes } } } };
}

function longLabels(object: unknown): boolean {
  return [at(object, 'metadata', 'labels'), at(object, 'spec', 'template', 'metadata', 'labels')].some((labels) =>
    Object.values((labels ?? {}) as JsonMap).some((value) => String(value).length > 63),
  );
}

function raisedPercent(text: unknown): unknown {
  return typeof text === 'string' && text !== '100%' && text.endsWith('%') ? `${Number.parseInt(text, 10) + 1}%` : text;
}

const rendering: readonly Difference[] = [
  {
    name: 'N1-preferred-anti-affinity-crash',
    kinds: ['objects', 'hash'],
    foreseen: true,
    reason: 'anti_affinity_preferred is rendered as weighted terms per host instead of failing',
    applies: (test) => crashOf(test) === 'anti-affinity',
    instead: (wanted, test) => {
      if (test.kind === 'hash') return rendersNow(wanted, test);
      const conditions = instanceOf(test)?.config['anti_affinity_preferred'];
      const terms = (Array.isArray(conditions) ? conditions : [conditions]) as readonly {
        readonly service?: string;
        readonly instance?: string;
        readonly weight: unknown;
      }[];
      const preferred = terms.map(({ service, instance, weight }) => ({
        weight,
        podAffinityTerm: {
          labelSelector: {
            matchLabels: {
              ...(service === undefined ? {} : { 'paasta.yelp.com/service': service }),
              ...(instance === undefined ? {} : { 'paasta.yelp.com/instance': instance }),
            },
          },
          topologyKey: 'kubernetes.io/hostname',
        },
      }));
      return { ...(wanted as JsonMap), app: { preferred } };
    },
  },
  {
    name: 'D-no-hacheck',
    kinds: ['objects', 'hash'],
    foreseen: true,
    reason:
      'without a configured image there is no sidecar; the main container answers for readiness with the patience of hacheck (10 s, 3 failures)',
    applies: (test) =>
      test.kind === 'objects'
        ? at(test.input, 'system', 'hacheck_sidecar_image_url') === undefined && test.notes.includes('mesh')
        : changesOnlyTheSidecar(test),
    instead: (wanted, test) => {
      if (test.kind === 'hash') {
        // Of the health parameters one is no matter of the sidecar; copies that run are no matter of the hash.
        const of = (side: string, ...path: readonly string[]): unknown => at(instanceOf(test, at(test.input, side))?.config, ...path);
        const [a, b] = ['a', 'b'].map((side) => of(side, 'bounce_health_params', 'min_task_uptime') ?? 0);
        const [copies, others] = ['a', 'b'].map((side) => {
          const most = of(side, 'max_instances');
          return typeof most === 'number'
            ? Math.min(Math.max(Number(at(test.input, side, 'live', 'replicas') ?? most), Number(of(side, 'min_instances') ?? 1)), most)
            : 0;
        });
        return { hash_differs: a !== b, pod_template_differs: false, object_differs: a !== b || copies !== others };
      }
      const native =
        (job: boolean) =>
        (containers: readonly JsonMap[]): readonly JsonMap[] =>
          containers
            .filter(({ name, image }) => name !== 'hacheck' || image !== undefined)
            .map((container) => {
              const probe = container['livenessProbe'] as JsonMap | undefined;
              if (job || probe === undefined) return container;
              return {
                ...container,
                readinessProbe: {
                  ...probe,
                  initialDelaySeconds: Math.min(Number(probe['initialDelaySeconds']), 10),
                  failureThreshold: Math.min(Number(probe['failureThreshold']), 3),
                },
              };
            });
      return {
        ...(wanted as JsonMap),
        app: withContainers(at(wanted, 'app'), native(false)),
        ...(at(wanted, 'job') ? { job: withContainers(at(wanted, 'job'), native(true)) } : {}),
      };
    },
  },
  {
    name: 'R13-truncated-percentage',
    kinds: ['objects'],
    foreseen: true,
    reason: 'percentages are computed exactly, those of the autoscaler too (N3): what PaaSTA cuts is always one short',
    applies: (test) =>
      test.expected['pdb'] !== undefined &&
      test.notes.some((note) => note === 'R13-truncated-percentage' || note === 'N3-truncated-utilization'),
    instead: (wanted, test) => {
      const [app, pdb, hpa] = [at(wanted, 'app') as JsonMap, at(wanted, 'pdb') as JsonMap, at(wanted, 'hpa') as JsonMap | null];
      const whole: Record<string, unknown> = { ...(wanted as JsonMap) };
      const [spec, rolling] = [at(app, 'spec') as JsonMap, at(app, 'spec', 'strategy', 'rollingUpdate') as JsonMap | undefined];
      if (test.notes.includes('R13-truncated-percentage')) {
        const strategy =
          rolling === undefined
            ? {}
            : {
                strategy: {
                  ...(spec['strategy'] as JsonMap),
                  rollingUpdate: { ...rolling, maxUnavailable: raisedPercent(rolling['maxUnavailable']) },
                },
              };
        whole['app'] = { ...app, spec: { ...spec, ...strategy } };
        whole['pdb'] = { ...pdb, spec: { ...(pdb['spec'] as JsonMap), maxUnavailable: raisedPercent(at(pdb, 'spec', 'maxUnavailable')) } };
      }
      if (test.notes.includes('N3-truncated-utilization') && hpa !== null) {
        const providers = at(instanceOf(test)?.config, 'autoscaling', 'metrics_providers') as readonly {
          readonly type?: string;
          readonly setpoint?: number;
        }[];
        const seen = new Map<unknown, number>();
        const metrics = (at(hpa, 'spec', 'metrics') as readonly JsonMap[]).map((metric) => {
          const [target, name] = [at(metric, 'resource', 'target') as JsonMap | undefined, at(metric, 'resource', 'name')];
          // The second metric of a resource is that of its second provider.
          const nth = seen.get(name) ?? 0;
          seen.set(name, nth + 1);
          const setpoint = providers.filter(({ type }) => (type ?? 'cpu') === name)[nth]?.setpoint;
          return target === undefined || setpoint === undefined
            ? metric
            : {
                ...metric,
                resource: { ...(metric['resource'] as JsonMap), target: { ...target, averageUtilization: exactFloor(setpoint * 100) } },
              };
        });
        whole['hpa'] = { ...hpa, spec: { ...(hpa['spec'] as JsonMap), metrics } };
      }
      return whole;
    },
  },
  {
    name: 'D-out-of-range',
    kinds: ['objects'],
    foreseen: false,
    reason:
      'a container_port outside 1..65535 (N9) and a bounce_margin_factor outside 0..1 are refused: the API server refuses what PaaSTA makes of them',
    applies: (test) => {
      const { container_port: port, bounce_margin_factor: margin } = instanceOf(test)?.config ?? {};
      return isNoPort(port) || (typeof margin === 'number' && !(margin >= 0 && margin <= 1));
    },
    instead: (wanted) => Object.fromEntries(Object.keys(wanted as JsonMap).map((key) => [key, REFUSED])),
  },
  {
    name: 'D-volume-once',
    kinds: ['objects'],
    foreseen: false,
    reason:
      'two entries for one secret or token are one volume when they want the same of it, and refused otherwise: the API server refuses two volumes of one name',
    applies: (test) => volumesTwice(at(test.expected, 'app')).length > 0,
    instead: (wanted, test) => {
      const alike = volumesTwice(at(test.expected, 'app')).every((volumes) =>
        volumes.every((volume) => isDeepStrictEqual(volume, volumes[0])),
      );
      return Object.fromEntries(
        Object.entries(wanted as JsonMap).map(([key, object]) => [
          key,
          !alike ? REFUSED : key === 'app' || key === 'job' ? withVolumesOnce(object) : object,
        ]),
      );
    },
  },
  {
    name: 'R8-label-too-long',
    kinds: ['objects', 'hash'],
    foreseen: true,
    reason: 'label values over 63 characters are refused with a message before the API server does it',
    applies: (test) =>
      test.kind === 'objects'
        ? longLabels(at(test.expected, 'app'))
        : [at(test.input, 'a'), at(test.input, 'b')].some((side) => (deployGroupOf(test, side) ?? '').length > 63),
    instead: (wanted, test) =>
      test.kind === 'objects'
        ? Object.fromEntries(Object.keys(wanted as JsonMap).map((key) => [key, REFUSED]))
        : Object.fromEntries(
            ['a', 'b'].map((side) => [side, (deployGroupOf(test, at(test.input, side)) ?? '').length > 63 ? REFUSED : at(wanted, side)]),
          ),
  },
];

export const DIFFERENCES: readonly Difference[] = [...names, ...tags, ...bounce, ...rendering, ...instanceDifferences];
