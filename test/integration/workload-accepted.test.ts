/**
 * What we render is what a real API server accepts (server-side apply, `fieldValidation=Strict`, dry run), and what we refuse before, it
 * refuses too. Without the checks of `workload/admission.ts` the second half fails; a misspelt field fails the first.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { KubeObject } from '../../src/shared/objects/types.ts';
import {
  composeInstance,
  isNotRendered,
  limitRange,
  mergeServices,
  renderInstance,
  renderJob,
  renderNamespace,
  roleBindings,
  type RenderedInstance,
  type RenderInput,
} from '../../src/shared/workload/index.ts';
import { inputOf } from '../conformance/kinds/rendering.ts';
import type { Case } from '../conformance/types.ts';
import { startCluster, type Cluster } from '../testbed/index.ts';
import { systemConfigOf } from '../../src/shared/soa-configs/index.ts';
import { objectsOf as objectsOfRow, ROWS } from '../unit/workload/golden-keys.ts';
import { DIGEST, given, rendering, type Given } from '../unit/workload/world.ts';

const SYSTEM = {
  hacheck_sidecar_image_url: 'registry.example.net/hacheck:7',
  hacheck_sidecar_volumes: [{ hostPath: '/etc/synapse', containerPath: '/etc/synapse', mode: 'RO' }],
  volumes: [{ hostPath: '/nail/etc/', containerPath: '/nail/etc', mode: 'RO' }],
  supported_storage_classes: ['fast'],
  pod_defaults: {
    priority_class_name: 'system-cluster-critical',
    dns_policy: 'Default',
    tolerations: [{ key: 'dedicated', operator: 'Exists', effect: 'NoSchedule' }],
  },
  topology_spread_constraints: [{ topology_key: 'topology.kubernetes.io/zone' }],
};
const SMARTSTACK = 'main: {proxy_port: 20001}\ncanary: {proxy_port: 20002, mode: tcp}\nweb: {proxy_port: null}\n';

/** Every key with a runtime effect, once. */
const INSTANCES: readonly (readonly [string, Given])[] = [
  ['defaults', { yaml: 'cpus: 1' }],
  ['in the mesh with hacheck', { yaml: 'cpus: 0.5\nmem: 512.5\ndisk: 256\ngpus: 1\nweight: 20', smartstack: SMARTSTACK, system: SYSTEM }],
  [
    'in the mesh without hacheck, native preStop',
    { yaml: 'healthcheck_mode: http\nhealthcheck_uri: /ok', smartstack: SMARTSTACK, options: { preStop: 'native' } },
  ],
  ['tcp', { instance: 'canary', yaml: 'healthcheck_mode: tcp\ncontainer_port: 9000', smartstack: SMARTSTACK }],
  [
    'https',
    {
      yaml: 'healthcheck_mode: https\nhealthcheck_interval_seconds: 5\nhealthcheck_timeout_seconds: 2\nhealthcheck_max_consecutive_failures: 3\nhealthcheck_grace_period_seconds: 0',
    },
  ],
  ['cmd', { yaml: 'healthcheck_mode: cmd\nhealthcheck_cmd: /bin/true\ncmd: [./serve, "--port", "8888"]' }],
  [
    'args, env, secrets',
    {
      yaml: 'args: [a, b]\nenv: {A: "1", P: SECRET(db_password), S: SHARED_SECRET(api-key), weird.name-1: "$(rm -rf /)"}\nssm_secrets: [{source: x, secret_name: DB_PASS}]',
    },
  ],
  [
    'capabilities',
    { yaml: 'cap_add: [SYS_PTRACE, KILL]\nfs_group: 1000\nfs_group_change_policy: OnRootMismatch\nservice_account_name: my-sa' },
  ],
  ['iam role', { yaml: 'iam_role: "arn:aws:iam::000000000000:role/ledger"' }],
  [
    'brutal',
    {
      yaml: 'bounce_method: brutal\nbounce_margin_factor: 0.5\nbounce_overprovision_factor: 0.25\nbounce_health_params: {min_task_uptime: 5}',
      type: 'eks',
    },
  ],
  ['downthenup', { yaml: 'bounce_method: downthenup\nunhealthy_pod_eviction_policy: AlwaysAllow' }],
  ['upthendown', { yaml: 'bounce_method: upthendown\ninstances: 3' }],
  [
    'autoscaled',
    {
      yaml: 'min_instances: 2\nmax_instances: 6\nautoscaling: {metrics_providers: [{type: cpu, setpoint: 0.29}, {type: memory}, {type: uwsgi, setpoint: 0.8}, {type: worker-load, setpoint: 0.5}, {type: active-requests}, {type: arbitrary-promql, metrics_query: up}], scaledown_policies: {policies: [{type: Pods, value: 4, periodSeconds: 60}]}}',
    },
  ],
  [
    'placement',
    {
      yaml: 'pool: batch\nnode_selectors: {disk: ssd, instance_type: [m6.large], generation: [{operator: Gt, value: 4}], spot: [{operator: DoesNotExist}]}\nnode_selectors_preferred: [{weight: 10, preferences: {zone: [a]}}]\ndeploy_whitelist: [region, [a, b]]\ndeploy_blacklist: [[habitat, c]]\nanti_affinity: [{service: other}]\nanti_affinity_preferred: [{service: ledger_api, instance: main, weight: 50}]',
      system: SYSTEM,
    },
  ],
  [
    'volumes',
    {
      yaml: 'extra_volumes: [{hostPath: /a, containerPath: /b, mode: RW}]\nuses_bulkdata: true\nsecret_volumes: [{container_path: /s, secret_name: tls_key, default_mode: "0644", items: [{key: tls_key, path: p, mode: "0600"}]}]\nprojected_sa_volumes: [{container_path: /tok, audience: foo.example.com, expiration_seconds: 900}]\nboto_keys: [a]\ncrypto_keys: {encrypt: [k], decrypt: [k]}\ndatastore_credentials: {mysql: [c]}',
      live: {
        signatures: new Map(
          [
            'paastasvc-ledger--api-secret-ledger--api-paasta-boto-key-ledger--api-main-signature',
            'paastasvc-ledger--api-crypto-key-ledger--api-main-signature',
            'paastasvc-ledger--api-datastore-credentials-ledger--api-main-signature',
          ].map((name) => [name, 'x']),
        ),
      },
    },
  ],
  [
    'claims',
    {
      yaml: 'persistent_volumes: [{container_path: /data, size: 10, mode: RW, storage_class_name: fast}]\npod_management_policy: Parallel',
      system: SYSTEM,
    },
  ],
  [
    'observability',
    {
      yaml: 'prometheus_shard: ml\nprometheus_path: /metrics\nprometheus_port: 9090\nroutable_ip: true\nis_istio_sidecar_injection_enabled: true\nenable_aws_lb_readiness_gate: true\ncost_owner: team-a',
      system: { enable_cost_owner_label: true, kubernetes_add_registration_labels: true },
      type: 'eks',
    },
  ],
  [
    'lifecycle',
    {
      yaml: 'lifecycle: {pre_stop_command: /bin/stop, pre_stop_drain_seconds: 45, termination_grace_period_seconds: 60}\nnamespace: my-ns\nregistrations: [ledger_api.web, ledger_api.main]',
      smartstack: SMARTSTACK,
      options: { preStop: 'native' },
    },
  ],
  ['image version, team', { yaml: 'monitoring: {team: payments}', imageVersion: '20240101T000000' }],
];

function objectsOf(result: RenderedInstance): readonly KubeObject[] {
  return [...result.companions, result.workload, ...mergeServices([result]).services];
}

function casesOfFixture(): readonly { readonly id: string; readonly input: RenderInput }[] {
  const text = gunzipSync(readFileSync(new URL('../fixtures/conformance/objects.jsonl.gz', import.meta.url))).toString('utf8');
  const cases = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Case);
  return cases.flatMap((test) => {
    const input = inputOf(test.input, test.input);
    return input === undefined
      ? []
      : [{ id: test.id, input: { ...input, digest: DIGEST, options: { pinDigest: true, preStop: 'exec' as const } } }];
  });
}

describe('objects against a real API server', () => {
  let cluster: Cluster;
  const apply = (objects: readonly KubeObject[]): ReturnType<Cluster['kubectl']> =>
    cluster.kubectl(['apply', '--server-side', '--force-conflicts', '--dry-run=server', '--validate=strict', '-f', '-'], {
      input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }),
    });
  const namespaces = async (objects: readonly KubeObject[]): Promise<void> => {
    const names = [...new Set(objects.map(({ metadata }) => metadata.namespace ?? 'default'))];
    await cluster.must(['apply', '--server-side', '-f', '-'], {
      input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: names.map((name) => renderNamespace(name)) }),
    });
  };

  beforeAll(async () => {
    cluster = await startCluster({ name: `accepted-${process.pid}`, fakeNodes: 0 });
    await namespaces(INSTANCES.flatMap(([, given]) => objectsOf(rendering(given))));
  });
  afterAll(async () => {
    await cluster?.stop();
  });

  it.each(INSTANCES)('%s', async (_, given) => {
    const objects = objectsOf(rendering(given));
    const ran = await apply(objects);
    expect(ran.stderr).toBe('');
    expect(ran.stdout.trim().split('\n')).toHaveLength(objects.length);
  });

  it('accepts the objects of every golden row: Deployments, StatefulSets, autoscalers, budgets, Services, accounts, Jobs and CronJobs', async () => {
    // Rows share names: a number keeps them apart in one request to the server.
    const objects = ROWS.flatMap((row, index) =>
      objectsOfRow(row, true).map((object): KubeObject => ({
        ...object,
        metadata: { ...object.metadata, name: `${object.metadata.name}-${index}` },
      })),
    );
    await namespaces(objects);
    const ran = await apply(objects);
    expect(ran.stderr.split('\n').filter((line) => line !== '' && !line.includes('awsElasticBlockStore'))).toEqual([]);
    const accepted = ran.stdout.trim().split('\n').length;
    expect(accepted).toBe(objects.length);
    expect([...new Set(objects.map(({ kind }) => kind))].sort()).toEqual([
      'CronJob',
      'Deployment',
      'HorizontalPodAutoscaler',
      'Job',
      'PodDisruptionBudget',
      'Service',
      'ServiceAccount',
      'StatefulSet',
    ]);
    process.stdout.write(`strict: ${accepted} objects of ${ROWS.length} golden rows accepted\n`);
  });

  it('accepts what namespaces hold, one-off runs, startup probes and pull secrets', async () => {
    const system = systemConfigOf({
      clusters: ['lab'],
      namespace_role_bindings: [
        { cluster_role: 'view', users: ['somebody'], groups: ['some'], service_accounts: ['ci/deployer'], name: 'viewers' },
      ],
    });
    const run = renderJob(given({ yaml: 'args: [a]', type: 'adhoc' }), {
      label: 'remote-run',
      user: 'ada',
      command: './migrate',
      deadlineSeconds: 600,
    });
    if (isNotRendered(run)) throw new Error('refused');
    expect([
      run.job.metadata.name,
      (
        run.job.spec as { template: { spec: { containers: readonly { command: unknown; args?: unknown }[] } } }
      ).template.spec.containers.map(({ command, args }) => [command, args]),
    ]).toEqual(['remote-run-ada-ledger--api-main', [[['sh', '-c', './migrate'], undefined]]]);
    const namespace = 'paastasvc-ledger--api';
    const objects = [
      limitRange(namespace, system) as KubeObject,
      ...roleBindings(namespace, system).bindings,
      run.job,
      ...objectsOf(rendering({ yaml: 'healthcheck_mode: http', system: { startup_probe: true, image_pull_secrets: ['regcred'] } })),
    ];
    await namespaces(objects);
    const ran = await apply(objects);
    expect(ran.stderr).toBe('');
    expect(ran.stdout.trim().split('\n')).toHaveLength(objects.length);
  });

  it('accepts every instance of the vectors that we render, and refuses every one that we refuse', async () => {
    const accepted: KubeObject[] = [];
    const refused: { readonly id: string; readonly said: string; readonly objects: readonly KubeObject[] }[] = [];
    for (const { id, input } of casesOfFixture()) {
      const result = renderInstance(input);
      if (!isNotRendered(result)) accepted.push(...objectsOf(result));
      else {
        const composed = composeInstance(input);
        if (!isNotRendered(composed))
          refused.push({ id, said: composed.inadmissible.map(({ code }) => code).join(), objects: objectsOf(composed.rendered) });
      }
    }
    expect(accepted.length).toBeGreaterThan(20);
    expect(refused.length).toBeGreaterThan(0);
    await namespaces(accepted);
    const ran = await apply(accepted);
    // A Deployment's name may be longer than a host name; the server says so and shortens that of the pods.
    expect(ran.stderr.split('\n').filter((line) => line !== '' && !line.includes('a DNS label is recommended'))).toEqual([]);
    const wrong: string[] = [];
    for (const { id, said, objects } of refused) {
      // A namespace that cannot exist refuses everything in it: that is the refusal.
      const made = await cluster.kubectl(['apply', '--server-side', '-f', '-'], {
        input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [renderNamespace(objects[0]?.metadata.namespace ?? 'default')] }),
      });
      if (made.exitCode === 0 && (await apply(objects)).exitCode === 0) wrong.push(`${id}: ${said}`);
    }
    expect(wrong).toEqual([]);
    process.stdout.write(`strict: ${accepted.length} objects of the vectors accepted, those of ${refused.length} instances refused\n`);
  });
});
