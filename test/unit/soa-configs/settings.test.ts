import { Float, type ValueMap } from '../../../src/shared/contract/values.ts';
import { settingsOf } from '../../../src/shared/soa-configs/instance-settings.ts';
import type { InstanceSettings, SettingsContext } from '../../../src/shared/soa-configs/settings-types.ts';
import { loadSoaConfigs } from '../../../src/shared/soa-configs/soa-configs.ts';
import { systemConfigOf } from '../../../src/shared/soa-configs/system-config.ts';
import { memoryTree } from '../../support/memory-tree.ts';

const VERSION = { sha: 'a'.repeat(40), imageVersion: null, dockerImage: `services-web:paasta-${'a'.repeat(40)}` };

function settings(
  body: string,
  context: SettingsContext = {},
  more: { readonly files?: Readonly<Record<string, string>>; readonly system?: ValueMap; readonly type?: string } = {},
): InstanceSettings {
  const system = systemConfigOf({ clusters: ['dev'], docker_registry: 'r.example', ...more.system });
  const service = loadSoaConfigs(
    memoryTree({ [`web/${more.type ?? 'kubernetes'}-dev.yaml`]: `main:\n  pool: default\n${body}`, ...more.files }),
    system,
  ).load('web');
  const instance = service.instances[0];
  if (instance === undefined) throw new Error(JSON.stringify(service.problems));
  return settingsOf(instance, service, system, context);
}

const MESH = { files: { 'web/smartstack.yaml': 'main: {proxy_port: 20001, timeout_server_ms: 30000}\n' } };

// PaaSTA's runtime defaults; its schema and its documentation say something else for several of these.
it('has the runtime defaults', () => {
  expect(settings('')).toMatchObject({
    cpus: 1,
    cpuBurstAdd: 1,
    mem: 4096,
    disk: 1024,
    gpus: null,
    cmd: null,
    args: [],
    containerPort: 8888,
    pool: 'default',
    namespace: 'paastasvc-web',
    appName: 'web-main',
    registrations: ['web.main'],
    healthcheckMode: null,
    healthcheckUri: '/status',
    healthcheckCmd: null,
    healthcheckGracePeriodSeconds: 60,
    healthcheckIntervalSeconds: 10,
    healthcheckTimeoutSeconds: 10,
    healthcheckMaxConsecutiveFailures: 30,
    instances: 1,
    minInstances: 1,
    maxInstances: null,
    autoscalingEnabled: false,
    bounceMethod: 'crossover',
    bounceMarginFactor: 0.95,
    bounceOverprovisionFactor: 1,
    drainMethod: 'noop',
    preStopDrainSeconds: 0,
    terminationGracePeriodSeconds: null,
    replicationThreshold: 50,
    weight: 10,
    unhealthyPodEvictionPolicy: 'IfHealthyBudget',
    routableIp: false,
    dockerUrl: null,
    desiredState: 'start',
    problems: [],
    faults: {},
  });
});

it('has other defaults in the mesh', () => {
  expect(settings('', {}, MESH)).toMatchObject({
    healthcheckMode: 'http',
    drainMethod: 'hacheck',
    drainMethodParams: { delay: 60 },
    preStopDrainSeconds: 30,
    preStopWaitForConnections: true,
    terminationGracePeriodSeconds: 362,
    proxyPort: 20001,
    routableIp: true,
  });
});

it('builds the environment in order, the port and the commit of soa-configs last', () => {
  const { env, secretEnv, sharedSecretEnv } = settings(
    '  cpus: 1.0\n  env: {PAASTA_SERVICE: mine, PAASTA_PORT: "1", A: "SECRET(a)", B: "SHARED_SECRET(b)"}\n',
    { version: VERSION, soaConfigsCommit: 'abc' },
  );
  expect(env).toEqual({
    PAASTA_SERVICE: 'mine',
    PAASTA_INSTANCE: 'main',
    PAASTA_DEPLOY_GROUP: 'dev.main',
    PAASTA_DOCKER_IMAGE: VERSION.dockerImage,
    PAASTA_RESOURCE_CPUS: '1.0',
    PAASTA_RESOURCE_MEM: '4096',
    PAASTA_RESOURCE_DISK: '1024',
    PAASTA_GIT_SHA: 'aaaaaaaa',
    PAASTA_INSTANCE_TYPE: 'kubernetes',
    AWS_SDK_UA_APP_ID: 'web.main',
    PAASTA_PORT: '8888',
    PAASTA_SOA_CONFIGS_SHA: 'abc',
  });
  expect([secretEnv, sharedSecretEnv]).toEqual([{ A: 'a' }, { B: 'b' }]);
});

it.each<[string, SettingsContext, number, number]>([
  ['instances: 3', {}, 3, 3],
  ['instances: 3', { control: { desiredState: 'stop', forceBounce: null } }, 3, 0],
  ['max_instances: 5', {}, 5, 5],
  ['max_instances: 5', { liveReplicas: 3 }, 3, 3],
  ['max_instances: 5', { liveReplicas: 0 }, 1, 1],
  ['{min_instances: 2, max_instances: 5}', { liveReplicas: 9 }, 5, 5],
])('%s with %j wants %i, desires %i', (text, context, instances, desired) => {
  const body = text.startsWith('{')
    ? text
        .slice(1, -1)
        .split(', ')
        .map((line) => `  ${line}\n`)
        .join('')
    : `  ${text}\n`;
  expect(settings(body, context)).toMatchObject({ instances, desiredInstances: desired });
});

it('merges, de-duplicates and sorts volumes', () => {
  const system = {
    volumes: [
      { hostPath: '/z/', containerPath: '/z', mode: 'RO' },
      { hostPath: '/b', containerPath: '/b', mode: 'RO' },
    ],
  };
  expect(
    settings('  uses_bulkdata: true\n  extra_volumes: [{hostPath: /z, containerPath: /z/, mode: RW}]\n', {}, { system }).volumes,
  ).toEqual([
    { hostPath: '/b', containerPath: '/b', mode: 'RO' },
    { hostPath: '/nail/bulkdata', containerPath: '/nail/bulkdata', mode: 'RO' },
    { hostPath: '/z', containerPath: '/z/', mode: 'RW' },
  ]);
});

it('fills the defaults of metrics providers', () => {
  expect(
    settings('  autoscaling: {metrics_providers: [{type: arbitrary-promql}, {type: cpu, setpoint: 0.5}]}\n').autoscalingParams
      .metrics_providers,
  ).toEqual([
    { type: 'arbitrary-promql', decision_policy: 'proportional', setpoint: new Float(1) },
    { type: 'cpu', decision_policy: 'proportional', setpoint: 0.5 },
  ]);
});

// What people mistype: each is one problem on its line (3: below `main:` and `pool:`), and the instance is not deployed.
it.each<[string, string, string]>([
  ['cpus: a lot', 'cpus', "main: cpus must be a number of cores, not the text 'a lot'"],
  ['cpus: "1"', 'cpus', "main: cpus must be a number of cores, not the text '1'"],
  ['cpus: -1', 'cpus', 'main: cpus must be a number of cores, at least 0, not -1'],
  ['cpus: true', 'cpus', 'main: cpus must be a number of cores, not the boolean true'],
  ['cpu_burst_add: -1', 'cpuBurstAdd', 'main: cpu_burst_add must be a number of cores, at least 0, not -1'],
  ['mem: 1Gi', 'mem', "main: mem must be a number of MiB, not the text '1Gi'"],
  ['mem: -5', 'mem', 'main: mem must be a number of MiB, above 0, not -5'],
  ['disk: [1]', 'disk', 'main: disk must be a number of MiB, not a list'],
  ['gpus: 1.5', 'gpus', 'main: gpus must be a whole number, not 1.5'],
  ['instances: -1', 'instances', 'main: instances must be a whole number, between 0 and 2147483647, not -1'],
  ['instances: two', 'instances', "main: instances must be a whole number, not the text 'two'"],
  ['min_instances: x', 'minInstances', "main: min_instances must be a whole number, not the text 'x'"],
  ['max_instances: {}', 'maxInstances', 'main: max_instances must be a whole number, not a mapping'],
  ['container_port: 70000', 'containerPort', 'main: container_port must be a whole number, between 1 and 65535, not 70000'],
  ['container_port: http', 'containerPort', "main: container_port must be a whole number, not the text 'http'"],
  ['prometheus_port: 0', 'prometheusPort', 'main: prometheus_port must be a whole number, between 1 and 65535, not 0'],
  ['cmd: {a: b}', 'cmd', 'main: cmd must be text, not a mapping'],
  ['args: run', 'args', "main: args must be a list, not the text 'run'"],
  ['args: [1]', 'args', 'main: args.0 must be text, not 1'],
  ['env: [A]', 'env', 'main: env must be a mapping, not a list'],
  ['env: {A: {b: c}}', 'env', 'main: env.A must be text, not a mapping'],
  ['healthcheck_mode: htp', 'healthcheckMode', "main: healthcheck_mode must be one of http, https, tcp, cmd, not the text 'htp'"],
  ['healthcheck_mode: cmd', 'healthcheckCmd', 'main: healthcheck_mode cmd needs a healthcheck_cmd'],
  ['healthcheck_uri: 5', 'healthcheckUri', 'main: healthcheck_uri must be text, not 5'],
  [
    'healthcheck_interval_seconds: 10s',
    'healthcheckIntervalSeconds',
    "main: healthcheck_interval_seconds must be a number of seconds, not the text '10s'",
  ],
  [
    'healthcheck_timeout_seconds: -1',
    'healthcheckTimeoutSeconds',
    'main: healthcheck_timeout_seconds must be a number of seconds, at least 0, not -1',
  ],
  [
    'healthcheck_grace_period_seconds: x',
    'healthcheckGracePeriodSeconds',
    "main: healthcheck_grace_period_seconds must be a number of seconds, not the text 'x'",
  ],
  [
    'healthcheck_max_consecutive_failures: 1.5',
    'healthcheckMaxConsecutiveFailures',
    'main: healthcheck_max_consecutive_failures must be a whole number, not 1.5',
  ],
  [
    'bounce_method: crosover',
    'bounceMethod',
    "main: bounce_method must be one of crossover, brutal, downthenup, upthendown, not the text 'crosover'",
  ],
  ['bounce_margin_factor: 2', 'bounceMarginFactor', 'main: bounce_margin_factor must be a number, between 0 and 1, not 2'],
  ['bounce_overprovision_factor: x', 'bounceOverprovisionFactor', "main: bounce_overprovision_factor must be a number, not the text 'x'"],
  ['drain_method: hachek', 'drainMethod', "main: drain_method must be one of noop, hacheck, http, test, not the text 'hachek'"],
  ['drain_method_params: 5', 'drainMethodParams', 'main: drain_method_params must be a mapping, not 5'],
  ['lifecycle: []', 'lifecycle', 'main: lifecycle must be a mapping, not a list'],
  [
    'lifecycle: {pre_stop_drain_seconds: x}',
    'preStopDrainSeconds',
    "main: lifecycle.pre_stop_drain_seconds must be a number of seconds, not the text 'x'",
  ],
  ['registrations: web.main', 'registrations', "main: registrations must be a list, not the text 'web.main'"],
  ['registrations: [main]', 'nerveNamespace', "main: registration 'main' is not of the form service.namespace"],
  ['cap_add: SYS_ADMIN', 'capAdd', "main: cap_add must be a list, not the text 'SYS_ADMIN'"],
  ['pool: 5', 'pool', 'main: pool must be text, not 5'],
  ['namespace: [a]', 'namespace', 'main: namespace must be text, not a list'],
  ['extra_volumes: [{hostPath: /a}]', 'extraVolumes', 'main: extra_volumes entry 1 needs hostPath and containerPath as text'],
  ['secret_volumes: [{container_path: /a}]', 'secretVolumes', 'main: secret_volumes entry 1 needs secret_name as text'],
  [
    'autoscaling: {metrics_providers: cpu}',
    'autoscalingParams',
    'main: autoscaling.metrics_providers must be a list of mappings with a type',
  ],
  ['monitoring: team', 'monitoring', "main: monitoring must be a mapping, not the text 'team'"],
  ['deploy_whitelist: [region]', 'deployWhitelist', 'main: deploy_whitelist must be [location type, [locations]]'],
  ['deploy_blacklist: [region]', 'deployBlacklist', 'main: deploy_blacklist entry 1 must be [location type, location]'],
  ['weight: heavy', 'weight', "main: weight must be a whole number, not the text 'heavy'"],
  ['iam_role: 5', 'iamRole', 'main: iam_role must be text, not 5'],
  [
    'routable_ip: {}\n  is_istio_sidecar_injection_enabled: 5',
    'istio',
    'main: is_istio_sidecar_injection_enabled must be true or false, not 5',
  ],
])('refuses %s', (line, setting, message) => {
  const found = settings(
    line.startsWith('pool') ? '' : `  ${line}\n`,
    {},
    line.startsWith('pool') ? { files: { 'web/kubernetes-dev.yaml': `main:\n  # x\n  ${line}\n` } } : {},
  );
  const first = found.problems.find((p) => p.severity === 'error');
  expect([first?.message, first?.file, Object.keys(found.faults)]).toEqual([
    message,
    'web/kubernetes-dev.yaml',
    expect.arrayContaining([setting]),
  ]);
  expect(first?.line).toBe(line.includes('\n') ? 4 : 3);
});

it('suggests near names and what to write', () => {
  expect(settings('  bounce_method: crosover\n').problems[0]?.hint).toBe("did you mean 'crossover'?");
  expect(settings('  cpus: 1e-05\n').problems[0]?.hint).toBe('YAML 1.1 reads 1e-05 as text: write it as 0.00001');
});

it('refuses cmd together with args, and EBS volumes that would be mounted twice', () => {
  expect(settings('  cmd: a\n  args: [b]\n').problems.map((p) => [p.line, p.code])).toEqual([[4, 'CONFLICTING_KEYS']]);
  expect(
    Object.keys(settings('  aws_ebs_volumes: [{volume_id: v, fs_type: ext4, container_path: /a}]\n  instances: 2\n').faults).sort(),
  ).toEqual(['bounceMethod', 'desiredInstances']);
});

// PaaSTA's runtime turns them into text; only validate refuses them.
it('warns of environment values that are not text, and says what the container sees', () => {
  const found = settings('  env: {A: 1.0, B: yes, C: null}\n');
  expect(found.env).toMatchObject({ A: '1.0', B: 'True', C: 'None' });
  expect(found.problems.map((p) => [p.severity, p.message])).toEqual([
    ['warning', "main: env.A is 1.0; the container sees '1.0'"],
    ['warning', "main: env.B is the boolean true; the container sees 'True'"],
    ['warning', "main: env.C is null; the container sees 'None'"],
  ]);
});

it('reads adhoc instances with their own image and namespace', () => {
  expect(settings('  docker_url: busybox:1\n  cmd: bash\n', {}, { type: 'adhoc' })).toMatchObject({
    dockerUrl: 'busybox:1',
    namespace: 'paasta',
    cmd: 'bash',
    env: { PAASTA_CLUSTER: 'dev', PAASTA_PORT: '8888' },
  });
});

// PaaSTA prints these with Python's int and str: every digit, and a port written as 8080.0 stays that way.
it('prints large docker limits in full and a port as it was written', () => {
  const found = settings(
    '  cpus: 1.0e+15\n  cpu_burst_add: 0\n  disk: 1.0e+16\n  container_port: 8080.0\n',
    {},
    { system: { enforce_disk_quota: true } },
  );
  expect(found.dockerParameters).toEqual(
    expect.arrayContaining(['cpu-quota=100000000000000000000', 'storage-opt=size=10485760000000000000000']),
  );
  expect([found.containerPort, found.env.PAASTA_PORT]).toEqual([8080, '8080.0']);
});

// Nothing is made of what was refused: the flag of a default that nobody asked for would look right.
it('refuses an instance without memory or disk, and the flags made of them', () => {
  for (const key of ['mem', 'disk'])
    expect(Object.keys(settings(`  ${key}: 0\n`, {}, { system: { enforce_disk_quota: true } }).faults)).toEqual(
      expect.arrayContaining([key, 'dockerParameters', 'env']),
    );
});
