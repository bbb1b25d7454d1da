/**
 * The smallest instance with each key of the schemas, and what the key changes in the objects: the rows of test/fixtures/workload/keys.json.
 * `node test/unit/workload/golden-keys.ts --write` writes that file anew; read its diff before you commit it.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { KubeObject } from '../../../src/shared/objects/types.ts';
import { loadSoaConfigs, systemConfigOf, type Value } from '../../../src/shared/soa-configs/index.ts';
import { isNotRendered, mergeServices, renderJob, renderTronJob } from '../../../src/shared/workload/index.ts';
import { memoryTree } from '../../support/memory-tree.ts';
import { DIGEST, given, rendering, SHA, type Given } from './world.ts';

export const GOLDEN = fileURLToPath(new URL('../../fixtures/workload/keys.json', import.meta.url));

export interface Row {
  readonly type: 'kubernetes' | 'eks' | 'adhoc' | 'tron job' | 'tron action';
  readonly key: string;
  /** Lines that have the key. */
  readonly yaml: string;
  /** Lines that both sides have. */
  readonly base?: string;
  readonly smartstack?: string;
  readonly system?: Readonly<Record<string, Value>>;
  readonly live?: Given['live'];
}

const MESH = 'main: {proxy_port: 20001, timeout_server_ms: 5000}';
const HACHECK = { hacheck_sidecar_image_url: 'registry.example.net/hacheck:7' };
const signed = (...names: readonly string[]): Given['live'] => ({
  signatures: new Map(names.map((name) => [`paastasvc-ledger--api-${name}-ledger--api-main-signature`, 'x'])),
});

/** One row for a key, more where it has forms. */
const LONG: readonly Omit<Row, 'type'>[] = [
  { key: 'cpus', yaml: 'cpus: 0.25' },
  { key: 'cpu_burst_add', yaml: 'cpu_burst_add: 0.5' },
  { key: 'mem', yaml: 'mem: 512' },
  { key: 'disk', yaml: 'disk: 2048' },
  { key: 'gpus', yaml: 'gpus: 2' },
  { key: 'cmd', yaml: 'cmd: ./serve --port 8888' },
  { key: 'cmd', yaml: 'cmd: [./serve, --port, "8888"]' },
  { key: 'args', yaml: 'args: [--verbose]' },
  { key: 'env', yaml: 'env: {PLAIN: "1", OWN: SECRET(db_password), COMMON: SHARED_SECRET(api-key), PAASTA_CLUSTER: mine}' },
  { key: 'container_port', base: 'healthcheck_mode: tcp', yaml: 'container_port: 9000' },
  { key: 'cap_add', yaml: 'cap_add: [KILL, SYS_PTRACE]' },
  { key: 'fs_group', yaml: 'fs_group: 1000' },
  { key: 'fs_group_change_policy', base: 'fs_group: 1000', yaml: 'fs_group_change_policy: OnRootMismatch' },
  { key: 'instances', yaml: 'instances: 3' },
  { key: 'min_instances', base: 'max_instances: 6', yaml: 'min_instances: 2' },
  { key: 'max_instances', yaml: 'max_instances: 6' },
  { key: 'autoscaling', base: 'max_instances: 6', yaml: 'autoscaling: {metrics_providers: [{type: cpu, setpoint: 0.29}]}' },
  ...[
    'memory',
    'uwsgi',
    'uwsgi-v2',
    'piscina',
    'gunicorn',
    'worker-load',
    'active-requests',
    'arbitrary-promql, metrics_query: up, target_type: Value, setpoint: 3',
  ].map((provider) => ({ key: 'autoscaling', base: 'max_instances: 6', yaml: `autoscaling: {metrics_providers: [{type: ${provider}}]}` })),
  {
    key: 'autoscaling',
    base: 'max_instances: 6',
    yaml: 'autoscaling: {metrics_providers: [{type: uwsgi, moving_average_window_seconds: 300}]}',
  },
  { key: 'autoscaling', base: 'max_instances: 6', yaml: 'autoscaling: {metrics_providers: [{type: cpu, decision_policy: bespoke}]}' },
  {
    key: 'autoscaling',
    base: 'max_instances: 6',
    yaml: 'autoscaling: {scaledown_policies: {stabilizationWindowSeconds: 60, policies: [{type: Pods, value: 4, periodSeconds: 60}]}}',
  },
  ...['brutal', 'downthenup'].map((method) => ({ key: 'bounce_method', yaml: `bounce_method: ${method}` })),
  { key: 'bounce_margin_factor', yaml: 'bounce_margin_factor: 0.9' },
  { key: 'bounce_health_params', yaml: 'bounce_health_params: {min_task_uptime: 15}' },
  { key: 'bounce_health_params', smartstack: MESH, system: HACHECK, yaml: 'bounce_health_params: {check_haproxy: false}' },
  { key: 'lifecycle', yaml: 'lifecycle: {pre_stop_command: [/bin/stop, now]}' },
  { key: 'lifecycle', yaml: 'lifecycle: {pre_stop_drain_seconds: 20, pre_stop_wait_for_connections_to_complete: true}' },
  { key: 'lifecycle', yaml: 'lifecycle: {termination_grace_period_seconds: 120}' },
  {
    key: 'pod_management_policy',
    base: 'persistent_volumes: [{container_path: /data, size: 10, mode: RW}]',
    yaml: 'pod_management_policy: Parallel',
  },
  { key: 'unhealthy_pod_eviction_policy', yaml: 'unhealthy_pod_eviction_policy: AlwaysAllow' },
  { key: 'deploy_group', yaml: 'deploy_group: prod.main' },
  ...['http', 'https', 'tcp'].map((mode) => ({ key: 'healthcheck_mode', yaml: `healthcheck_mode: ${mode}` })),
  { key: 'healthcheck_mode', base: 'healthcheck_cmd: /bin/true', yaml: 'healthcheck_mode: cmd' },
  { key: 'healthcheck_cmd', base: 'healthcheck_mode: cmd\nhealthcheck_cmd: /bin/true', yaml: 'healthcheck_cmd: ./check --deep' },
  { key: 'healthcheck_uri', base: 'healthcheck_mode: http', yaml: 'healthcheck_uri: /healthz' },
  ...['grace_period_seconds: 5', 'interval_seconds: 3', 'timeout_seconds: 4', 'max_consecutive_failures: 6'].map((entry) => ({
    key: `healthcheck_${entry.split(':')[0] ?? ''}`,
    base: 'healthcheck_mode: http',
    yaml: `healthcheck_${entry}`,
  })),
  { key: 'pool', yaml: 'pool: batch' },
  {
    key: 'node_selectors',
    yaml: 'node_selectors: {disk: ssd, instance_type: [m6.large, m6.xlarge], generation: [{operator: Gt, value: 4}], spot: [{operator: DoesNotExist}]}',
  },
  { key: 'node_selectors_preferred', yaml: 'node_selectors_preferred: [{weight: 10, preferences: {zone: [a]}}]' },
  { key: 'deploy_whitelist', yaml: 'deploy_whitelist: [region, [a, b]]' },
  { key: 'deploy_blacklist', yaml: 'deploy_blacklist: [[habitat, c]]' },
  { key: 'anti_affinity', yaml: 'anti_affinity: {service: other}' },
  { key: 'anti_affinity_preferred', yaml: 'anti_affinity_preferred: [{service: ledger_api, instance: main, weight: 50}]' },
  {
    key: 'topology_spread_constraints',
    yaml: 'topology_spread_constraints: [{topology_key: topology.kubernetes.io/zone, max_skew: 2, when_unsatisfiable: DoNotSchedule}]',
  },
  { key: 'extra_volumes', yaml: 'extra_volumes: [{hostPath: /a, containerPath: /b, mode: RW}]' },
  { key: 'uses_bulkdata', yaml: 'uses_bulkdata: true' },
  {
    key: 'aws_ebs_volumes',
    base: 'bounce_method: downthenup',
    yaml: 'aws_ebs_volumes: [{volume_id: vol-1, fs_type: ext4, container_path: /e}]',
  },
  {
    key: 'persistent_volumes',
    system: { supported_storage_classes: ['fast'] },
    yaml: 'persistent_volumes: [{container_path: /data, size: 10, mode: RW, storage_class_name: fast}]',
  },
  {
    key: 'secret_volumes',
    yaml: 'secret_volumes: [{container_path: /s, secret_name: tls_key, default_mode: "0644", items: [{key: tls_key, path: p, mode: "0600"}]}]',
  },
  {
    key: 'projected_sa_volumes',
    yaml: 'projected_sa_volumes: [{container_path: /tok, audience: foo.example.com, expiration_seconds: 900}]',
  },
  { key: 'boto_keys', live: signed('secret-ledger--api-paasta-boto-key'), yaml: 'boto_keys: [scribereader]' },
  { key: 'crypto_keys', live: signed('crypto-key'), yaml: 'crypto_keys: {encrypt: [a], decrypt: [b]}' },
  { key: 'datastore_credentials', live: signed('datastore-credentials'), yaml: 'datastore_credentials: {mysql: [reader]}' },
  { key: 'service_account_name', yaml: 'service_account_name: my-account' },
  { key: 'iam_role', yaml: 'iam_role: "arn:aws:iam::000000000000:role/ledger"' },
  {
    key: 'registrations',
    smartstack: 'main: {proxy_port: 20001}\nweb: {proxy_port: 20002, mode: tcp}',
    yaml: 'registrations: [ledger_api.main, ledger_api.web]',
  },
  { key: 'weight', smartstack: MESH, yaml: 'weight: 20' },
  { key: 'routable_ip', yaml: 'routable_ip: true' },
  { key: 'is_istio_sidecar_injection_enabled', yaml: 'is_istio_sidecar_injection_enabled: true' },
  { key: 'enable_aws_lb_readiness_gate', yaml: 'enable_aws_lb_readiness_gate: true' },
  { key: 'prometheus_shard', yaml: 'prometheus_shard: ml' },
  { key: 'prometheus_path', yaml: 'prometheus_path: /metrics' },
  { key: 'prometheus_port', yaml: 'prometheus_port: 9090' },
  {
    key: 'sidecar_resource_requirements',
    smartstack: MESH,
    system: HACHECK,
    yaml: 'sidecar_resource_requirements: {hacheck: {requests: {cpu: 0.2}, limits: {memory: 2Gi}}}',
  },
  { key: 'namespace', smartstack: MESH, yaml: 'namespace: my-ns' },
  { key: 'monitoring', yaml: 'monitoring: {team: payments}' },
];

const EKS: readonly Omit<Row, 'type'>[] = [
  { key: 'bounce_overprovision_factor', yaml: 'bounce_overprovision_factor: 0.25' },
  { key: 'cost_owner', system: { enable_cost_owner_label: true }, yaml: 'cost_owner: team-a' },
  { key: 'ssm_secrets', yaml: 'ssm_secrets: [{source: /a/b, secret_name: DB_PASS}]' },
  {
    key: 'topology_spread_constraints',
    yaml: 'topology_spread_constraints: [{topology_key: topology.kubernetes.io/zone, match_label_keys: [pod-template-hash]}]',
  },
];

/** Keys that adhoc shares with the others are rendered by the same code; here those that are its own, in a Job. */
const ADHOC: readonly Omit<Row, 'type'>[] = [
  { key: 'privileged', yaml: 'privileged: true' },
  { key: 'docker_url', yaml: 'docker_url: registry.example.net/other:paasta-0123456789abcdef0123456789abcdef01234567' },
  { key: 'cmd', yaml: 'cmd: ./migrate' },
];

const JOB: readonly Omit<Row, 'type'>[] = [
  { key: 'schedule', yaml: 'schedule: daily 07:30 MWF' },
  { key: 'actions', yaml: 'actions: {run: {command: a}, then: {command: b, requires: [run]}}' },
  { key: 'queueing', yaml: 'queueing: false' },
  { key: 'allow_overlap', yaml: 'allow_overlap: true' },
  { key: 'run_limit', yaml: 'run_limit: 5' },
  { key: 'enabled', yaml: 'enabled: false' },
  { key: 'max_runtime', yaml: 'max_runtime: 2h' },
  { key: 'time_zone', yaml: 'time_zone: UTC' },
  { key: 'deploy_group', yaml: 'deploy_group: other' },
  { key: 'cost_owner', system: { enable_cost_owner_label: true }, yaml: 'cost_owner: team-a' },
  { key: 'monitoring', yaml: 'monitoring: {team: payments}' },
];

const ACTION: readonly Omit<Row, 'type'>[] = [
  { key: 'command', yaml: 'command: ./other' },
  { key: 'retries', yaml: 'retries: 2' },
  { key: 'cpus', yaml: 'cpus: 2' },
  { key: 'mem', yaml: 'mem: 512' },
  { key: 'disk', yaml: 'disk: 1024' },
  { key: 'cap_add', yaml: 'cap_add: [KILL]' },
  { key: 'idempotent', yaml: 'idempotent: true' },
  { key: 'service', yaml: 'service: other' },
  { key: 'deploy_group', yaml: 'deploy_group: other' },
  { key: 'cost_owner', system: { enable_cost_owner_label: true }, yaml: 'cost_owner: team-b' },
  { key: 'pool', yaml: 'pool: batch' },
  { key: 'service_account_name', yaml: 'service_account_name: my-account' },
  { key: 'iam_role', yaml: 'iam_role: "arn:aws:iam::000000000000:role/ledger"' },
  { key: 'node_selectors', yaml: 'node_selectors: {disk: ssd, zone: [a, b]}' },
  { key: 'env', yaml: 'env: {PLAIN: "1", OWN: SECRET(db)}' },
  { key: 'ssm_secrets', yaml: 'ssm_secrets: [{source: /a/b, secret_name: DB_PASS}]' },
  { key: 'uses_bulkdata', yaml: 'uses_bulkdata: true' },
  { key: 'extra_volumes', yaml: 'extra_volumes: [{hostPath: /a, containerPath: /b, mode: RO}]' },
  { key: 'secret_volumes', yaml: 'secret_volumes: [{container_path: /s, secret_name: tls}]' },
  { key: 'projected_sa_volumes', yaml: 'projected_sa_volumes: [{container_path: /tok, audience: foo.example.com}]' },
  { key: 'max_runtime', yaml: 'max_runtime: 10m' },
];

export const ROWS: readonly Row[] = [
  ...LONG.map((row): Row => ({ ...row, type: 'kubernetes' })),
  ...EKS.map((row): Row => ({ ...row, type: 'eks' })),
  ...ADHOC.map((row): Row => ({ ...row, type: 'adhoc' })),
  ...JOB.map((row): Row => ({ ...row, type: 'tron job' })),
  ...ACTION.map((row): Row => ({ ...row, type: 'tron action' })),
];

/** Keys that change no object, with what they are for. */
export const NOT_RENDERED: Readonly<Record<string, string>> = {
  dependencies_reference: 'validated only',
  replication_threshold: 'alerts only',
  autotune_limits: 'read by the tuner',
  drain_method: 'what deploy does before it ends pods',
  drain_method_params: 'what deploy does before it ends pods',
  iam_role_provider: 'aws is its only value',
};

/** Of tron files: no effect in a CronJob (a warning), refused, or only a name. */
export const TRON_NOT_RENDERED: Readonly<Record<string, string>> = {
  name: 'the key of the mapping is the name',
  node: 'warning',
  cluster: 'warning',
  retries_delay: 'warning',
  expected_runtime: 'warning',
  constraints: 'warning',
  extra_constraints: 'warning',
  trigger_timeout: 'warning',
  on_upstream_rerun: 'warning',
  aws_credentials: 'warning',
  spark_args: 'warning',
  force_spark_resource_configs: 'warning',
  all_nodes: 'refused',
  cleanup_action: 'refused',
  triggered_by: 'refused',
  trigger_downstreams: 'refused',
  boto_keys: 'refused',
  crypto_keys: 'refused',
  mrjob: 'refused',
  executor: 'refused but for paasta',
  requires: 'the order of init containers',
  service: 'inherited by the actions',
  iam_role_provider: 'aws is its only value',
};

function tronObjects(row: Row, body: string): readonly KubeObject[] {
  const system = systemConfigOf({
    cluster: 'lab-east',
    clusters: ['lab-east'],
    docker_registry: 'registry.example.net',
    volumes: [],
    ...row.system,
  });
  const soa = loadSoaConfigs(
    memoryTree({
      'ledger_api/tron-lab-east.yaml': `nightly:\n${body
        .split('\n')
        .map((line) => `  ${line}`)
        .join('\n')}\n`,
      'other/service.yaml': 'docker_registry: other.example.net\n',
    }),
    system,
  );
  const [job] = soa.load('ledger_api').tronJobs;
  if (job === undefined) throw new Error(`no job: ${body}`);
  const actions = job.actions.map((instance) => {
    const owner = typeof instance.config['service'] === 'string' ? instance.config['service'] : 'ledger_api';
    return {
      instance,
      service: soa.load(owner),
      deployed: { sha: SHA, imageVersion: null, dockerImage: `services-${owner}:paasta-${SHA}` },
      control: { desiredState: 'start' as const, forceBounce: null },
      digest: DIGEST,
    };
  });
  const result = renderTronJob({ job, actions, system, sharedSecrets: [], options: { pinDigest: true, preStop: 'exec' } });
  if ('problems' in result) throw new Error(result.problems.map(({ message }) => message).join('\n'));
  return [...result.accounts, result.cronJob];
}

/** Later lines win: YAML's own rule for a key that is there twice. */
function tronBody(row: Row, withKey: boolean): string {
  const job = ['schedule: cron 0 3 * * *', 'deploy_group: prod'];
  const own = withKey ? [row.yaml] : [];
  if (row.type === 'tron job') return [...job, 'actions: {run: {command: a}}', ...own].join('\n');
  return [...job, 'actions:', '  run:', '    command: a', ...own.map((line) => `    ${line}`)].join('\n');
}

/** Objects of a row, with its key or without. */
export function objectsOf(row: Row, withKey: boolean): readonly KubeObject[] {
  if (row.type.startsWith('tron')) return tronObjects(row, tronBody(row, withKey));
  const lines = ['{}', row.base ?? '', withKey ? row.yaml : ''].filter((line) => line !== '' && line !== '{}');
  const description: Given = {
    yaml: lines.length === 0 ? 'routable_ip: false' : lines.join('\n'),
    type: row.type as 'kubernetes',
    ...(row.smartstack === undefined ? {} : { smartstack: row.smartstack }),
    ...(row.system === undefined ? {} : { system: row.system }),
    ...(row.live === undefined ? {} : { live: row.live }),
  };
  if (row.type === 'adhoc') {
    const job = renderJob(given(description), { label: 'remote-run' });
    if (isNotRendered(job)) throw new Error(job.problems.map(({ message }) => message).join('\n'));
    return [job.job];
  }
  const result = rendering(description);
  return [...result.companions, result.workload, ...mergeServices([result]).services];
}

type Leaves = Record<string, unknown>;

/** Every value of an object by its path; elements of lists by their names where they have one. Hash labels and the stamp of the pod's own objects are no part of it. */
function leaves(value: unknown, path: string, into: Leaves): void {
  if (/config_sha$/.test(path)) return;
  if (Array.isArray(value)) {
    if (value.length === 0) into[path] = [];
    for (const [index, entry] of (value as readonly unknown[]).entries()) {
      const named = entry as { name?: unknown; mountPath?: unknown; containerPort?: unknown } | null;
      const key = typeof entry === 'object' ? (named?.name ?? named?.mountPath ?? named?.containerPort ?? index) : index;
      leaves(entry, `${path}[${String(key)}]`, into);
    }
  } else if (typeof value === 'object' && value !== null) {
    if (Object.keys(value).length === 0) into[path] = {};
    for (const [key, entry] of Object.entries(value)) leaves(entry, path === '' ? key : `${path}.${key}`, into);
  } else into[path] = value;
}

function leavesOf(objects: readonly KubeObject[]): Leaves {
  const found: Leaves = {};
  for (const { apiVersion: _version, kind, metadata, ...rest } of objects) {
    // A Service is known by its name, everything else by its kind: there is one of each.
    const { name, ...others } = metadata;
    leaves(
      kind === 'Service' ? { metadata: others, ...rest } : { metadata, ...rest },
      kind === 'Service' ? `${kind} ${name}` : kind,
      found,
    );
  }
  return found;
}

/** What the key changes: path → new value, `null` where something is gone. */
export function effectOf(row: Row): Leaves {
  const [before, after] = [leavesOf(objectsOf(row, false)), leavesOf(objectsOf(row, true))];
  const changed: Leaves = {};
  for (const path of [...new Set([...Object.keys(before), ...Object.keys(after)])].sort())
    if (JSON.stringify(before[path]) !== JSON.stringify(after[path])) changed[path] = after[path] ?? null;
  return changed;
}

export function titleOf(row: Row): string {
  return `${row.type}: ${row.yaml}`;
}

export function golden(): Readonly<Record<string, Leaves>> {
  return JSON.parse(readFileSync(GOLDEN, 'utf8')) as Readonly<Record<string, Leaves>>;
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.argv.includes('--write')) {
  writeFileSync(GOLDEN, `${JSON.stringify(Object.fromEntries(ROWS.map((row) => [titleOf(row), effectOf(row)])), null, 1)}\n`);
}
