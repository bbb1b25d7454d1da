/**
 * What the API server would refuse, said before it is asked, with the key of the instance that is at fault. PaaSTA renders such objects
 * and only logs the refusal (registers R8, §8.12).
 */
import { problem, type Problem } from '../contract/errors.ts';
import { LABEL_LIMIT, OBJECT_NAME_LIMIT } from '../contract/names.ts';
import { quantity } from '../contract/quantity.ts';
import { quoted } from '../contract/validity.ts';
import type { KubeObject } from '../objects/types.ts';
import type { Refuse } from './placement.ts';
import { isFields, type Fields } from './values-of.ts';

type Path = readonly (string | number)[];

const LABEL_VALUE = /^(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?)?$/;
const DNS_LABEL = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;
const DNS_SUBDOMAIN = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;
const SECRET_KEY = /^[A-Za-z0-9._-]+$/;
/** The StatefulSet controller labels pods with `<name>-<10 characters>`. */
const STATEFUL_SET_LIMIT = LABEL_LIMIT - 11;
/** The CronJob controller adds as many to the names of its Jobs. */
export const CRON_JOB_LIMIT = LABEL_LIMIT - 11;
/** Which key of the instance a label comes from. */
const LABEL_KEYS: Readonly<Record<string, string>> = {
  deploy_group: 'deploy_group',
  pool: 'pool',
  cost_owner: 'cost_owner',
  prometheus_shard: 'prometheus_shard',
  weight: 'weight',
};

function at(value: unknown, ...path: Path): unknown {
  let here: unknown = value;
  for (const key of path)
    here = typeof here === 'object' && here !== null ? (here as Readonly<Record<string | number, unknown>>)[key] : undefined;
  return here;
}

function each(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? (value as readonly unknown[]).filter(isFields) : [];
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

class Inspection {
  readonly refuse: Refuse;
  readonly said = new Set<string>();

  constructor(refuse: Refuse) {
    this.refuse = refuse;
  }

  /** The same label on workload and pods is one problem. */
  say(path: Path, code: string, message: string, hint?: string): void {
    const found: Problem = problem(code, message, hint === undefined ? {} : { hint });
    if (this.said.has(found.message)) return;
    this.said.add(found.message);
    this.refuse(path, found);
  }

  labels(labels: unknown): void {
    for (const [key, value] of Object.entries(isFields(labels) ? labels : {})) {
      const short = key.slice(key.indexOf('/') + 1).replace(/^paasta_/, '');
      const path = key.startsWith('registrations.') ? ['registrations'] : LABEL_KEYS[short] === undefined ? [] : [LABEL_KEYS[short]];
      const said = text(value);
      if (short.length > LABEL_LIMIT || !LABEL_VALUE.test(short))
        this.say(
          path,
          'BAD_LABEL_KEY',
          `label ${quoted(key)} is not a legal label name`,
          'letters, digits, - _ and . with a letter or digit at both ends, at most 63 characters after the prefix',
        );
      if (said.length > LABEL_LIMIT)
        this.say(
          path,
          'LABEL_TOO_LONG',
          `${short} ${quoted(said)} has ${said.length} characters; a label of a pod holds ${LABEL_LIMIT}`,
          `shorten ${short}`,
        );
      else if (!LABEL_VALUE.test(said))
        this.say(
          path,
          'BAD_LABEL_VALUE',
          `${short} ${quoted(said)} cannot be a label of a pod`,
          'letters, digits, - _ and . with a letter or digit at both ends',
        );
    }
  }

  name(kind: string, name: string, limit: number, form: RegExp, path: Path): void {
    if (name.length > limit)
      this.say(path, 'NAME_TOO_LONG', `${kind} name ${quoted(name)} has ${name.length} characters; ${limit} are allowed`);
    else if (!form.test(name))
      this.say(
        path,
        'BAD_OBJECT_NAME',
        `${kind} name ${quoted(name)} is not legal in Kubernetes`,
        'service and instance names need lower-case letters, digits, - and _, a letter or digit at both ends',
      );
  }

  whole(path: Path, value: unknown, least: number, most = 2 ** 31 - 1): void {
    if (value === undefined) return;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most) {
      this.say(
        path,
        'NOT_A_WHOLE_NUMBER',
        `${path.join('.')}: ${text(value)} is not legal; a whole number from ${least}${most === 2 ** 31 - 1 ? '' : ` to ${most}`} is`,
      );
    }
  }

  probe(probe: unknown): void {
    this.whole(['healthcheck_grace_period_seconds'], at(probe, 'initialDelaySeconds'), 0);
    this.whole(['healthcheck_interval_seconds'], at(probe, 'periodSeconds'), 1);
    this.whole(['healthcheck_timeout_seconds'], at(probe, 'timeoutSeconds'), 1);
    this.whole(['healthcheck_max_consecutive_failures'], at(probe, 'failureThreshold'), 1);
  }

  container(container: Fields, main: boolean): void {
    this.name('container', text(container['name']), LABEL_LIMIT, DNS_LABEL, []);
    for (const port of each(container['ports'])) this.whole([main ? 'container_port' : 'prometheus_port'], port['containerPort'], 1, 65535);
    if (main) this.probe(container['livenessProbe'] ?? container['readinessProbe']);
    for (const [kind, amounts] of Object.entries(isFields(container['resources']) ? container['resources'] : {})) {
      for (const [resource, amount] of Object.entries(isFields(amounts) ? amounts : {})) {
        if (quantity(amount) === undefined)
          this.say([], 'BAD_QUANTITY', `${kind} of ${resource}: ${quoted(String(amount))} is not a quantity`, 'such as 0.5, 512Mi, 10Gi');
      }
    }
    const [requests, limits] = [at(container, 'resources', 'requests'), at(container, 'resources', 'limits')];
    for (const [resource, amount] of Object.entries(isFields(requests) ? requests : {})) {
      const limit = at(limits, resource);
      if ((quantity(amount) ?? 0) > (quantity(limit) ?? Infinity))
        this.say(
          main ? [] : ['sidecar_resource_requirements'],
          'REQUEST_ABOVE_LIMIT',
          `container ${text(container['name'])} asks for more ${resource} (${String(amount)}) than it may have (${text(limit)})`,
          'raise the limit or lower the request',
        );
    }
    for (const entry of each(container['env'])) {
      const name = text(entry['name']);
      if (name === '' || /[^\u0020-\u007e]|=/.test(name))
        this.say(['env', name], 'BAD_ENV_NAME', `env: ${quoted(name)} is not a name of a variable`, 'printable characters without =');
      const key = at(entry, 'valueFrom', 'secretKeyRef', 'key');
      if (typeof key === 'string' && !SECRET_KEY.test(key))
        this.say(
          ['env', name],
          'BAD_SECRET_NAME',
          `env ${quoted(name)} refers to a secret without a legal name: ${quoted(key)}`,
          'write SECRET(name) with letters, digits, - and _',
        );
      const secret = at(entry, 'valueFrom', 'secretKeyRef', 'name');
      if (typeof secret === 'string') this.name('Secret', secret, OBJECT_NAME_LIMIT, DNS_SUBDOMAIN, ['env', name]);
    }
    const seen = new Set<string>();
    for (const mount of each(container['volumeMounts'])) {
      const path = text(mount['mountPath']);
      if (seen.has(path))
        this.say(
          [],
          'MOUNT_PATH_TWICE',
          `two volumes are mounted at ${quoted(path)} in container ${text(container['name'])}`,
          'give every volume its own container path (system volumes count)',
        );
      if (path.includes(':')) this.say([], 'BAD_MOUNT_PATH', `mount path ${quoted(path)} has a colon`);
      seen.add(path);
    }
  }

  pod(template: unknown): void {
    this.labels(at(template, 'metadata', 'labels'));
    for (const container of each(at(template, 'spec', 'initContainers'))) this.container(container, true);
    for (const [index, container] of each(at(template, 'spec', 'containers')).entries()) this.container(container, index === 0);
    const grace = at(template, 'spec', 'terminationGracePeriodSeconds');
    this.whole(['lifecycle', 'termination_grace_period_seconds'], grace, 0);
    const sleep = at(template, 'spec', 'containers', 0, 'lifecycle', 'preStop', 'sleep', 'seconds');
    const limit = typeof grace === 'number' ? grace : 30;
    if (typeof sleep === 'number' && sleep > limit)
      this.say(
        ['lifecycle', 'pre_stop_drain_seconds'],
        'DRAIN_OUTLASTS_GRACE',
        `pre_stop_drain_seconds is ${sleep}, but pods are killed ${limit} s after they were told to stop`,
        'set lifecycle.termination_grace_period_seconds above it',
      );
    for (const volume of each(at(template, 'spec', 'volumes'))) {
      this.name('volume', text(volume['name']), LABEL_LIMIT, DNS_LABEL, []);
      const path = at(volume, 'hostPath', 'path');
      if (typeof path === 'string' && path.split('/').includes('..'))
        this.say(['extra_volumes'], 'BAD_HOST_PATH', `host path ${quoted(path)} has a '..'`);
      this.whole(['projected_sa_volumes'], at(volume, 'projected', 'sources', 0, 'serviceAccountToken', 'expirationSeconds'), 600);
    }
  }
}

/** Reports everything that makes an object inadmissible. Objects: workload, Job or CronJob, autoscaler, Services. */
export function inspect(objects: readonly KubeObject[], refuse: Refuse): void {
  const inspection = new Inspection(refuse);
  for (const object of objects) {
    const { kind, metadata, spec } = object;
    if (metadata.namespace !== undefined) inspection.name('namespace', metadata.namespace, LABEL_LIMIT, DNS_LABEL, ['namespace']);
    if (kind === 'Service') inspection.name('Service', metadata.name, LABEL_LIMIT, DNS_LABEL, ['registrations']);
    else
      inspection.name(
        kind,
        metadata.name,
        kind === 'StatefulSet'
          ? STATEFUL_SET_LIMIT
          : kind === 'CronJob'
            ? CRON_JOB_LIMIT
            : kind === 'Job'
              ? LABEL_LIMIT
              : OBJECT_NAME_LIMIT,
        DNS_SUBDOMAIN,
        [],
      );
    inspection.labels(metadata.labels);
    const template = spec?.['template'] ?? at(spec, 'jobTemplate', 'spec', 'template');
    if (template !== undefined) inspection.pod(template);
    inspection.whole(['bounce_health_params', 'min_task_uptime'], spec?.['minReadySeconds'], 0);
    const [surge, down] = [at(spec, 'strategy', 'rollingUpdate', 'maxSurge'), at(spec, 'strategy', 'rollingUpdate', 'maxUnavailable')];
    if (surge === '0%' && down === '0%')
      inspection.say(
        ['bounce_overprovision_factor'],
        'BOUNCE_CANNOT_MOVE',
        'bounce_margin_factor lets no pod go down and bounce_overprovision_factor lets none come up: the bounce could never start',
        'raise bounce_overprovision_factor or lower bounce_margin_factor by a percent',
      );
    const [least, most] = [spec?.['minReplicas'], spec?.['maxReplicas']];
    if (typeof least === 'number' && typeof most === 'number' && least > most)
      inspection.say(
        ['min_instances'],
        'MIN_ABOVE_MAX',
        `min_instances ${least} is above max_instances ${most}`,
        'give min_instances at most the value of max_instances',
      );
  }
}
