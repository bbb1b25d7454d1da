/** Jobs of Tron as CronJobs: what is rendered, and what is refused on which line. */
import { loadSoaConfigs, systemConfigOf, type Value } from '../../../src/shared/soa-configs/index.ts';
import { renderTronJob, type NotRendered, type RenderedTronJob, type RenderInput } from '../../../src/shared/workload/index.ts';
import { memoryTree } from '../../support/memory-tree.ts';
import { DIGEST, SHA } from './world.ts';

interface Given {
  /** Body of the job `nightly`, lines. */
  readonly yaml: string;
  readonly system?: Readonly<Record<string, Value>>;
  readonly stopped?: boolean;
  readonly marked?: boolean;
  readonly options?: Partial<RenderInput['options']>;
}

const HEAD = 'schedule: cron 0 3 * * 1-5\ndeploy_group: prod\n';
const ONE = `${HEAD}actions:\n  run: {command: ./report}`;

function attempt({ yaml, system: values, stopped = false, marked = true, options }: Given): RenderedTronJob | NotRendered {
  const system = systemConfigOf({ cluster: 'lab', clusters: ['lab'], docker_registry: 'registry.example.net', volumes: [], ...values });
  const soa = loadSoaConfigs(
    memoryTree({
      'web/tron-lab.yaml': `nightly:\n${yaml
        .split('\n')
        .map((line) => `  ${line}`)
        .join('\n')}\n`,
      'other/service.yaml': 'docker_registry: other.example.net\n',
      '_shared/secrets/api.json': '{}',
    }),
    system,
  );
  const [job] = soa.load('web').tronJobs;
  if (job === undefined) throw new Error('no job');
  const actions = job.actions.map((instance) => {
    const owner = typeof instance.config['service'] === 'string' ? instance.config['service'] : 'web';
    return {
      instance,
      service: soa.load(owner),
      deployed: marked ? { sha: SHA, imageVersion: null, dockerImage: `services-${owner}:paasta-${SHA}` } : undefined,
      control: { desiredState: stopped ? ('stop' as const) : ('start' as const), forceBounce: null },
      digest: DIGEST,
    };
  });
  return renderTronJob({
    job,
    actions,
    system,
    sharedSecrets: soa.secrets('_shared'),
    options: { pinDigest: true, preStop: 'exec', ...options },
  });
}

function rendering(given: Given): RenderedTronJob {
  const result = attempt(given);
  if ('problems' in result) throw new Error(result.problems.map(({ code, message }) => `${code}: ${message}`).join('\n'));
  return result;
}

interface Spec {
  readonly suspend: boolean;
  readonly jobTemplate: {
    readonly spec: {
      readonly template: {
        readonly metadata: { readonly labels: Record<string, string>; readonly annotations: Record<string, string> };
        readonly spec: {
          readonly containers: readonly Record<string, unknown>[];
          readonly initContainers?: readonly Record<string, unknown>[];
          readonly [key: string]: unknown;
        };
      };
      readonly [key: string]: unknown;
    };
  };
  readonly [key: string]: unknown;
}
const specOf = (result: RenderedTronJob): Spec => result.cronJob.spec as Spec;
const podOf = (result: RenderedTronJob): Spec['jobTemplate']['spec']['template'] => specOf(result).jobTemplate.spec.template;

describe('one action', () => {
  const result = rendering({
    yaml: `${HEAD}actions:\n  run:\n    command: ./report --all\n    cpus: 0.5\n    mem: 256\n    env: {A: b, P: SECRET(db), S: SHARED_SECRET(api)}\n    secret_volumes: [{container_path: /s, secret_name: api}]\n    extra_volumes: [{hostPath: /a, containerPath: /b, mode: RW}]`,
  });

  it('is a CronJob in the namespace of Tron, marked as ours', () => {
    expect(result.cronJob).toMatchObject({
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: {
        name: 'web-nightly',
        namespace: 'tron',
        labels: {
          'paasta.yelp.com/service': 'web',
          'paasta.yelp.com/instance': 'nightly',
          'paasta.yelp.com/git_sha': SHA,
          'app.kubernetes.io/managed-by': 'paasta-actions',
        },
      },
    });
    expect(result.warnings).toEqual([]);
  });

  it('runs when Tron would, in its time zone, one run at a time', () => {
    expect(specOf(result)).toMatchObject({
      schedule: '0 3 * * 1-5',
      timeZone: 'America/Los_Angeles',
      concurrencyPolicy: 'Forbid',
      suspend: false,
    });
    expect(specOf(result)).not.toHaveProperty('startingDeadlineSeconds');
    expect(specOf(result).jobTemplate.spec).toMatchObject({ backoffLimit: 0 });
    expect(specOf(result).jobTemplate.spec).not.toHaveProperty('activeDeadlineSeconds');
  });

  it('has the pod that Tron would make: command in a shell, resources without burst, secrets by their objects', () => {
    const pod = podOf(result);
    const [main] = pod.spec.containers;
    expect(pod.spec).toMatchObject({ restartPolicy: 'Never', nodeSelector: { 'yelp.com/pool': 'default' } });
    expect(pod.spec.initContainers).toBeUndefined();
    expect(main).toMatchObject({
      name: 'run',
      image: `registry.example.net/services-web:paasta-${SHA}@${DIGEST}`,
      command: ['/bin/sh', '-c'],
      args: ['./report --all'],
      resources: {
        requests: { cpu: 0.5, memory: '256Mi', 'ephemeral-storage': '4096Mi' },
        limits: { cpu: 0.5, memory: '256Mi', 'ephemeral-storage': '4096Mi' },
      },
      volumeMounts: [
        { name: 'host--slash-a', mountPath: '/b', readOnly: false },
        { name: 'secret--api', mountPath: '/s', readOnly: true },
      ],
    });
    const env = main?.['env'] as readonly { name: string; value?: string; valueFrom?: unknown }[];
    const named = (name: string): unknown => env.find((entry) => entry.name === name);
    expect(named('PAASTA_INSTANCE')).toEqual({ name: 'PAASTA_INSTANCE', value: 'nightly.run' });
    expect(named('PAASTA_CLUSTER')).toEqual({ name: 'PAASTA_CLUSTER', value: 'lab' });
    expect(named('P')).toEqual({ name: 'P', valueFrom: { secretKeyRef: { name: 'tron-secret-web-db', key: 'db', optional: false } } });
    expect(named('S')).toEqual({
      name: 'S',
      valueFrom: { secretKeyRef: { name: 'tron-secret-underscore-shared-api', key: 'api', optional: false } },
    });
    expect(named('PAASTA_POD_IP')).toEqual({ name: 'PAASTA_POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } });
    expect(pod.spec['volumes']).toContainEqual({
      name: 'secret--api',
      secret: { secretName: 'tron-secret-underscore-shared-api', optional: false },
    });
    expect(pod.metadata.labels).toMatchObject({
      'paasta.yelp.com/service': 'web',
      'paasta.yelp.com/instance': 'nightly.run',
      'paasta.yelp.com/job_type': 'tron',
      'tron.yelp.com/idempotent-action': 'false',
    });
    // Long-running instances are found by this label: a run must not count as one.
    expect(pod.metadata.labels).not.toHaveProperty('paasta.yelp.com/managed');
  });
});

describe('settings of a job', () => {
  it.each<[string, string, Record<string, unknown>]>([
    ['a time zone of its own', 'time_zone: Europe/Berlin', { timeZone: 'Europe/Berlin' }],
    ['allow_overlap', 'allow_overlap: true', { concurrencyPolicy: 'Allow' }],
    ['queueing: false leaves late runs out', 'queueing: false', { concurrencyPolicy: 'Forbid', startingDeadlineSeconds: 60 }],
    ['enabled: false', 'enabled: false', { suspend: true }],
    ['run_limit', 'run_limit: 7', { successfulJobsHistoryLimit: 7, failedJobsHistoryLimit: 7 }],
    ['max_runtime', 'max_runtime: 2 hours', { jobTemplate: { spec: { activeDeadlineSeconds: 7_200 } } }],
  ])('%s', (_, line, expected) => {
    expect(specOf(rendering({ yaml: `${line}\n${ONE}` }))).toMatchObject(expected);
  });

  it('retries of a single action are those of the Job', () => {
    const result = rendering({ yaml: `${HEAD}actions:\n  run: {command: ./report, retries: 3, retries_delay: 5m, max_runtime: 10m}` });
    expect(specOf(result).jobTemplate.spec).toMatchObject({ backoffLimit: 3, activeDeadlineSeconds: 600 });
    expect(result.warnings).toMatchObject([{ code: 'KEY_WITHOUT_EFFECT', message: expect.stringContaining('retries_delay') as string }]);
  });

  it('a stopped action suspends its CronJob', () => {
    expect(specOf(rendering({ yaml: ONE, stopped: true })).suspend).toBe(true);
  });

  it('the zone of the system configuration stands in for Tron’s', () => {
    expect(specOf(rendering({ yaml: ONE, system: { tron_time_zone: 'UTC' } }))['timeZone']).toBe('UTC');
  });

  it('doubled braces are the shell’s', () => {
    expect(podOf(rendering({ yaml: `${HEAD}actions:\n  run: {command: 'echo $\{{HOME}}'}` })).spec.containers[0]?.['args']).toEqual([
      'echo ${HOME}',
    ]);
  });

  it('an IAM role brings its account', () => {
    const result = rendering({ yaml: `${HEAD}actions:\n  run: {command: a, iam_role: "arn:aws:iam::000000000000:role/web"}` });
    expect(result.accounts).toMatchObject([
      {
        kind: 'ServiceAccount',
        metadata: {
          namespace: 'tron',
          name: 'paasta--arn-aws-iam-000000000000-role-web',
          labels: { 'app.kubernetes.io/managed-by': 'paasta-actions' },
        },
      },
    ]);
    expect(podOf(result).spec).toMatchObject({
      serviceAccountName: 'paasta--arn-aws-iam-000000000000-role-web',
      securityContext: { fsGroup: 65534 },
    });
  });

  it('names of any length fit', () => {
    const name = 'n'.repeat(80);
    const system = systemConfigOf({ clusters: ['lab'], docker_registry: 'r.example', volumes: [] });
    const [job] = loadSoaConfigs(
      memoryTree({ 'web/tron-lab.yaml': `${name}: {schedule: daily, deploy_group: g, actions: {run: {command: a}}}\n` }),
      system,
    ).load('web').tronJobs;
    expect(job?.job).toBe(name);
  });
});

describe('a line of actions', () => {
  const yaml = `${HEAD}actions:\n  last: {command: c, requires: [middle]}\n  first: {command: a}\n  middle: {command: b, requires: [first], service: other}`;
  it('is one pod: init containers in the order of requires, the last action as its container', () => {
    const pod = podOf(rendering({ yaml })).spec;
    expect(
      [...(pod.initContainers ?? []), ...pod.containers].map(({ name, args, image }) => [name, args, String(image).split('/')[0]]),
    ).toEqual([
      ['first', ['a'], 'registry.example.net'],
      ['middle', ['b'], 'other.example.net'],
      ['last', ['c'], 'registry.example.net'],
    ]);
  });

  it.each<[string, string, string, number]>([
    ['fan-in', 'actions:\n  a: {command: x}\n  b: {command: x, requires: [a]}\n  c: {command: x, requires: [a, b]}', 'TRON_NOT_A_LINE', 7],
    ['fan-out', 'actions:\n  a: {command: x}\n  b: {command: x, requires: [a]}\n  c: {command: x, requires: [a]}', 'TRON_NOT_A_LINE', 7],
    ['two beginnings', 'actions:\n  a: {command: x}\n  b: {command: x}', 'TRON_NOT_A_LINE', 4],
    ['a circle', 'actions:\n  a: {command: x, requires: [b]}\n  b: {command: x, requires: [a]}', 'TRON_NOT_A_LINE', 4],
    [
      'a circle beside a line',
      'actions:\n  z: {command: x}\n  a: {command: x, requires: [b]}\n  b: {command: x, requires: [a]}',
      'TRON_NOT_A_LINE',
      4,
    ],
    ['an unknown action', 'actions:\n  first: {command: x}\n  b: {command: x, requires: [frist]}', 'UNKNOWN_ACTION', 6],
    ['retries', 'actions:\n  a: {command: x, retries: 2}\n  b: {command: x, requires: [a]}', 'TRON_NOT_EXPRESSIBLE', 5],
    ['max_runtime of one', 'actions:\n  a: {command: x, max_runtime: 5m}\n  b: {command: x, requires: [a]}', 'TRON_NOT_EXPRESSIBLE', 5],
    ['two pools', 'actions:\n  a: {command: x, pool: big}\n  b: {command: x, requires: [a]}', 'TRON_ACTIONS_DIFFER', 6],
  ])('%s is refused on its line', (_, actions, code, line) => {
    const result = attempt({ yaml: `${HEAD}${actions}` });
    expect('problems' in result ? result.problems.filter(({ severity }) => severity === 'error') : []).toMatchObject([
      { code, file: 'web/tron-lab.yaml', line },
    ]);
  });
});

describe('what a CronJob cannot do is refused, with key, file and line', () => {
  it.each<[string, string, string, number]>([
    ['schedule', `schedule: cron 0 0 L * *\ndeploy_group: prod\nactions:\n  run: {command: a}`, 'TRON_SCHEDULE', 2],
    ['cleanup_action', `cleanup_action: {command: b}\n${ONE}`, 'TRON_NOT_EXPRESSIBLE', 2],
    ['all_nodes', `all_nodes: true\n${ONE}`, 'TRON_NOT_EXPRESSIBLE', 2],
    ['time_zone', `time_zone: Mars/Olympus\n${ONE}`, 'UNKNOWN_TIME_ZONE', 2],
    ['triggered_by', `${ONE.slice(0, -1)}, triggered_by: [other.job.action]}`, 'TRON_NOT_EXPRESSIBLE', 5],
    ['trigger_downstreams', `${ONE.slice(0, -1)}, trigger_downstreams: true}`, 'TRON_NOT_EXPRESSIBLE', 5],
    ['executor ssh', `${ONE.slice(0, -1)}, executor: ssh}`, 'TRON_NOT_EXPRESSIBLE', 5],
    ['executor spark', `${ONE.slice(0, -1)}, executor: spark}`, 'TRON_NOT_EXPRESSIBLE', 5],
    ['boto_keys', `${ONE.slice(0, -1)}, boto_keys: [a]}`, 'TRON_NOT_EXPRESSIBLE', 5],
    ['crypto_keys', `${ONE.slice(0, -1)}, crypto_keys: {encrypt: [a]}}`, 'TRON_NOT_EXPRESSIBLE', 5],
    ['mrjob', `${ONE.slice(0, -1)}, mrjob: true}`, 'TRON_NOT_EXPRESSIBLE', 5],
    ['variables of Tron', `${HEAD}actions:\n  run: {command: 'run --day {shortdate-1}'}`, 'TRON_VARIABLE', 5],
    ['no actions', `${HEAD}actions: {}`, 'TRON_JOB_INVALID', 4],
  ])('%s', (_, yaml, code, line) => {
    const result = attempt({ yaml });
    expect('problems' in result ? result.problems.filter(({ severity }) => severity === 'error') : []).toMatchObject([
      { code, file: 'web/tron-lab.yaml', line },
    ]);
  });

  it.each([
    'expected_runtime: 5m',
    'trigger_timeout: 5m',
    'on_upstream_rerun: ignore',
    'constraints: [[a, b]]',
    'aws_credentials: x',
    'node: somewhere',
    'cluster: x',
    'spark_args: {spark.app.name: x}',
    'force_spark_resource_configs: true',
    'extra_constraints: [[a, b]]',
  ])('%s is a warning: it changes nothing', (entry) => {
    const result = rendering({ yaml: `${ONE.slice(0, -1)}, ${entry}}` });
    expect(result.warnings).toMatchObject([{ severity: 'warning', code: 'KEY_WITHOUT_EFFECT', line: 5 }]);
    expect(result.cronJob).toEqual(rendering({ yaml: ONE }).cronJob);
  });

  it('an unmarked deploy group is said as such, a missing digest too', () => {
    expect(attempt({ yaml: ONE, marked: false })).toMatchObject({ problems: [{ code: 'NOT_MARKED' }] });
  });
});
