import type { ValueMap } from '../../../src/shared/contract/values.ts';
import { cronFault } from '../../../src/shared/soa-configs/cron.ts';
import { loadSoaConfigs } from '../../../src/shared/soa-configs/soa-configs.ts';
import { systemConfigOf } from '../../../src/shared/soa-configs/system-config.ts';
import { validateService, type ServiceVerdict } from '../../../src/shared/soa-configs/validate.ts';
import type { ValidationWorld } from '../../../src/shared/soa-configs/validation-world.ts';
import { memoryTree } from '../../support/memory-tree.ts';

const GOOD = {
  'web/service.yaml': 'description: a\nexternal_link: b\n',
  'web/monitoring.yaml': 'team: web\n',
  'web/deploy.yaml': 'pipeline:\n- step: dev.main\n',
  'web/kubernetes-dev.yaml': 'main:\n  cpus: 1\n',
};

function validate(
  files: Readonly<Record<string, string>>,
  world: ValidationWorld = {},
  service = 'web',
  more: ValueMap = {},
): ServiceVerdict {
  const tree = memoryTree(files);
  const system = systemConfigOf({ clusters: ['dev'], vault_cluster_map: { dev: 'devc' }, ...more });
  return validateService(tree, system, loadSoaConfigs(tree, system), service, world);
}

function told(verdict: ServiceVerdict): readonly string[] {
  return verdict.problems.map(
    (p) =>
      `${(p.file ?? '').replace('web/', '')}:${p.line ?? 0}:${p.column ?? 0} ${p.severity === 'error' ? '' : `${p.severity} `}${p.code} ${p.message}`,
  );
}

it('has nothing to say about a good service', () => {
  expect(validate(GOOD)).toMatchObject({ ok: true, precondition: true, problems: [] });
});

it('checks nothing when there is no such service, no YAML, or a name too long', () => {
  expect(told(validate({}))).toEqual([":0:0 UNKNOWN_SERVICE there is no directory 'web'"].map((line) => `web${line}`));
  expect(validate({ 'web/x.txt': '' }).problems[0]?.code).toBe('NO_YAML');
  expect(validate({ [`${'x_'.repeat(25)}/a.yaml`]: '' }, {}, 'x_'.repeat(25)).problems[0]?.code).toBe('SERVICE_NAME_TOO_LONG');
});

it('finds all problems of all files in one run, each on its line', () => {
  const verdict = validate({
    ...GOOD,
    'web/kubernetes-dev.yaml':
      'main:\n  cpus: "1"\n  mem: 5\n  instnaces: 3\n  deploy_group: dev.mian\n  env: {A: 1, B: "SECRET(nope)"}\nbad name: {cpus: 1}\nother:\n  deploy_group: dev.main\n  net: host\n  cpu_burst_add: 5\n  min_instances: 5\n  max_instances: 2\n  container_port: 70000\n',
    'web/eks-dev.yaml': 'main:\n  healthcheck_mode: cmd\n  deploy_group: dev.main\n',
    'web/smartstack.yaml': 'main: {proxy_port: 20001, discover: habitat}\n',
    'web/tron-dev.yaml': 'job:\n  schedule: cron 99 * * * *\n  actions:\n    run: {command: a}\n',
    'web/rollback-dev.yaml': 'conditions:\n  prometheus:\n  - query: up\n    upper_bound: 0\n',
    'web/adhoc-dev.yaml': 'a: [\n',
  });
  expect(told(verdict)).toEqual([
    "adhoc-dev.yaml:2:1 YAML_INVALID a '[' or '{' is never closed",
    "eks-dev.yaml:1:1 DUPLICATE_INSTANCE instance 'main' is in kubernetes-dev.yaml too: a name may stand in one file per cluster",
    'eks-dev.yaml:2:3 HEALTHCHECK_INVALID main: healthcheck_mode does not fit: cmd needs a healthcheck_cmd, the others are tcp, http and https',
    "kubernetes-dev.yaml:2:3 SCHEMA_TYPE main.cpus must be a number, not the text '1'",
    "kubernetes-dev.yaml:2:3 WRONG_TYPE web.main in dev: cpus must be a number, not the text '1'",
    'kubernetes-dev.yaml:3:3 OUT_OF_RANGE main.mem must be >= 32, not 5',
    "kubernetes-dev.yaml:4:3 UNKNOWN_KEY unknown key 'instnaces' in main",
    "kubernetes-dev.yaml:5:3 UNKNOWN_DEPLOY_GROUP web.main in dev: deploy group 'dev.mian' is no step of deploy.yaml",
    'kubernetes-dev.yaml:6:9 SCHEMA_TYPE main.env.A must be text, not 1',
    "kubernetes-dev.yaml:6:15 SECRET_MISSING web.main in dev: secret 'nope': there is no web/secrets/nope.json",
    "kubernetes-dev.yaml:7:1 INSTANCE_NAME 'bad name' is not a name of an instance: lower-case letters and digits, with - and _ inside",
    "kubernetes-dev.yaml:7:1 UNKNOWN_DEPLOY_GROUP web.bad name in dev: deploy group 'dev.bad name' is no step of deploy.yaml",
    'kubernetes-dev.yaml:10:3 warning KEY_WITHOUT_EFFECT web.other in dev: net has no effect',
    'kubernetes-dev.yaml:11:3 CPU_BURST_HIGH web.other in dev: cpu_burst_add 5 is above 2 cores',
    'kubernetes-dev.yaml:12:3 MIN_ABOVE_MAX web.other in dev: min_instances (5) is greater than max_instances (2)',
    'kubernetes-dev.yaml:14:3 OUT_OF_RANGE web.other in dev: container_port must be a whole number from 1 to 65535, not 70000',
    'rollback-dev.yaml:3:5 MISSING_KEY condition 1 of prometheus needs lower_bound or upper_bound, other than 0',
    "smartstack.yaml:1:27 DISCOVER_NOT_ADVERTISED discover 'habitat' is not among advertise [region]",
    "tron-dev.yaml:2:3 CRON_INVALID job 'job': '99' is no minute (0 to 59)",
    'tron-dev.yaml:4:5 MISSING_KEY web.job.run in dev: an action that runs in a container needs a deploy_group',
  ]);
  expect(verdict.ok).toBe(false);
  expect(verdict.checks).toEqual({
    schemas: false,
    tron: false,
    objects: false,
    'unique-names': false,
    autoscaling: true,
    secrets: false,
    'min-max': false,
    'pool-limits': true,
    'cpu-burst': false,
    smartstack: false,
    'monitoring-file': true,
  });
});

it.each<[string, string, string]>([
  ['cpus: "1"', "main.cpus must be a number, not the text '1'", 'remove the quotes'],
  ['mem: 1e3', "main.mem must be a number, not the text '1e3'", "write the number without an exponent: YAML 1.1 reads '1e3' as text"],
  ['env: {A: 1}', 'main.env.A must be text, not 1', 'put it in quotes'],
  ['env: {A: yes}', 'main.env.A must be text, not the boolean true', 'put it in quotes'],
  ['env: {"A B": x}', "unknown key 'A B' in main.env", 'keys have the form ^[a-zA-Z_][a-zA-Z0-9_]*$ there'],
  ['env: A=1', "main.env must be a mapping, not the text 'A=1'", "did you mean 'A: 1'?"],
  ['cap_add: NET_ADMIN', "main.cap_add must be a list, not the text 'NET_ADMIN'", 'write it as a list: [NET_ADMIN]'],
  ['lifecycle: {pre_stop_command: 5}', 'main.lifecycle.pre_stop_command must be text or a list, not 5', ''],
  ['command: run', "unknown key 'command' in main", "did you mean 'cmd'?"],
  ['replicas: 3', "unknown key 'replicas' in main", "did you mean 'instances'?"],
  ['xyzzy: 3', "unknown key 'xyzzy' in main", 'remove it, or look its name up in docs/instance-keys.md'],
  ['autoscaling: {xyzzy: 3}', "unknown key 'xyzzy' in main.autoscaling", 'known: metrics_providers, scaledown_policies'],
  ['registrations: [web]', "web.main in dev: registration 'web' is not of the form service.namespace", 'for example web.main'],
  [
    'deploy_group: dev.mian',
    "web.main in dev: deploy group 'dev.mian' is no step of deploy.yaml",
    "did you mean 'dev.main'? known: dev.main",
  ],
])('%s: what is wrong, and what to write', (line, message, hint) => {
  const { problems } = validate({ ...GOOD, 'web/kubernetes-dev.yaml': `main:\n  ${line}\n` });
  expect(problems.map((one) => ({ message: one.message, hint: one.hint ?? '' }))).toContainEqual({ message, hint });
});

it.each([
  ['0 3 * *', true],
  ['*/5 * * * *', true],
  ['@daily', true],
  ['cron 0 3 * * *', false],
  ['daily 03:00', false],
  ['1st,3rd monday of month 10:00', false],
  ['every 2 of month', false],
])('schedule %j is a cron expression without its word: %j', (schedule, bare) => {
  const { problems, ok } = validate({
    ...GOOD,
    'web/tron-dev.yaml': `job:\n  schedule: "${schedule}"\n  node: paasta\n  deploy_group: dev.main\n  actions: {a: {command: x}}\n`,
  });
  expect(problems.map(({ line, severity, code, hint }) => `${String(line)} ${severity} ${code} ${hint ?? ''}`)).toEqual(
    bare ? [`2 warning CRON_WITHOUT_WORD write 'cron ${schedule}'`] : [],
  );
  expect(ok).toBe(true);
});

it.each([
  ['{}', 'is no file of a secret', 'mend the file: see what is said about it'],
  ['{"environments": {"other": {"ciphertext": "x"}}}', "has no ciphertext for 'devc'", "encrypt the secret for 'devc', too"],
])('a secret whose file holds %s', (text, why, hint) => {
  const { problems } = validate({ ...GOOD, 'web/kubernetes-dev.yaml': 'main:\n  env: {A: SECRET(a)}\n', 'web/secrets/a.json': text });
  expect(problems).toContainEqual(
    expect.objectContaining({ code: 'SECRET_MISSING', line: 2, message: `web.main in dev: secret 'a': web/secrets/a.json ${why}`, hint }),
  );
});

it('without a step in deploy.yaml the next step is to write one, not another name', () => {
  expect(
    validate({ ...GOOD, 'web/deploy.yaml': 'pipeline:\n- step: itest\n- parallel: []\n' }).problems.map(
      ({ file, line, message, hint }) => `${file ?? ''}:${String(line)} ${message} → ${hint ?? ''}`,
    ),
  ).toEqual([
    "web/deploy.yaml:3 parallel holds no steps → write '- step: <deploy group>' under it, or remove it",
    "web/kubernetes-dev.yaml:1 web.main in dev: deploy group 'dev.main' is no step of deploy.yaml → add the step to web/deploy.yaml, which has no deploy group yet",
  ]);
});

// PaaSTA reads comments with a reader for which the first of two equal keys counts, and finds one type only of a name in two files.
it('judges what is there twice as PaaSTA does', () => {
  const burst = (text: string): boolean | undefined =>
    validate({ ...GOOD, 'web/kubernetes-dev.yaml': `main:\n${text}` }).checks['cpu-burst'];
  expect(burst('  cpu_burst_add: 5\n  cpu_burst_add: 1\n')).toBe(false);
  expect(burst('  cpu_burst_add: 5 # override-cpu-burst (a WEB-1 b)\n  cpu_burst_add: 5\n')).toBe(true);
  const twice = validate({ ...GOOD, 'web/eks-dev.yaml': 'main: {min_instances: 5, max_instances: 2, deploy_group: dev.main}\n' });
  expect(twice.checks).toMatchObject({ 'unique-names': false, 'min-max': true });
  expect(told(twice).join()).toMatch(/MIN_ABOVE_MAX/);
});

it('takes an empty deploy group for an unknown one', () => {
  expect(validate({ ...GOOD, 'web/kubernetes-dev.yaml': 'main: {deploy_group: ""}\n' }).checks).toMatchObject({
    objects: false,
    tron: true,
  });
});

it('suggests what was meant', () => {
  expect(validate({ ...GOOD, 'web/kubernetes-dev.yaml': 'main: {instnaces: 3}\n' }).problems[0]?.hint).toBe("did you mean 'instances'?");
});

it.each<[string, boolean]>([
  ['  cpu_burst_add: 5 # override-cpu-burst (big batch WEB-12 ok)\n', true],
  ['  cpu_burst_add: 5\n  # override-cpu-burst (big batch WEB-12 ok)\n', true],
  ['  cpu_burst_add: 5 # because\n', false],
  ['  cpu_burst_add: 2\n', true],
  ['  cpu_burst_add: 5\n', false],
])('a comment with a ticket allows %j: %s', (line, ok) => {
  expect(validate({ ...GOOD, 'web/kubernetes-dev.yaml': `main:\n${line}` }).checks['cpu-burst']).toBe(ok);
});

it('follows templates for comments, and leaves files made from templates alone', () => {
  const text = '_t: &t\n  cpu_burst_add: 5 # override-cpu-burst (a WEB-1 b)\nmain:\n  <<: *t\n';
  expect(validate({ ...GOOD, 'web/kubernetes-dev.yaml': text }).checks['cpu-burst']).toBe(true);
  expect(
    validate({ ...GOOD, 'web/kubernetes-dev.yaml': 'main: {cpu_burst_add: 5}\n', 'web/kubernetes-dev.in': '' }).checks['cpu-burst'],
  ).toBe(true);
});

it.each<[string, string | undefined]>([
  ['0 3 * * 1-5', undefined],
  ['*/5 * * * *', undefined],
  ['0 0 L * *', undefined],
  ['0 0 1 jan,mar mon', undefined],
  ['0 0 * * 1#2', undefined],
  ['@daily', undefined],
  ['* * * *', 'a cron expression has 5 fields (minute, hour, day, month, weekday), not 4'],
  ['60 * * * *', "'60' is no minute (0 to 59)"],
  ['* 24 * * *', "'24' is no hour (0 to 23)"],
  ['* * * foo *', "'foo' is no month (1 to 12)"],
  ['*/0 * * * *', "'*/0' is no minute (0 to 59)"],
])('judges the cron expression %s', (text, fault) => {
  expect(cronFault(text)).toBe(fault);
});

// An instance name of 24 characters and a bad one took PaaSTA's pattern a second.
it.each<[string, ValueMap, readonly string[]]>([
  [
    'more cpus than a node of the pool has',
    { max_cpus: 2, recommended_pool: 'big' },
    ["kubernetes-dev.yaml:1:8 POOL_LIMIT web.main in dev: 2 cpus do not fit into pool 'default', whose instances have less than 2"],
  ],
  ['fewer', { max_cpus: 2.5 }, []],
  [
    'a limit without a number',
    { recommended_pool: 'big' },
    ["kubernetes-dev.yaml:1:1 POOL_LIMIT web.main in dev: pool_limits of the system configuration has no max_cpus for pool 'default'"],
  ],
])('limits of pools: %s', (_name, limit, problems) => {
  const verdict = validate({ ...GOOD, 'web/kubernetes-dev.yaml': 'main: {cpus: 2, deploy_group: dev.main}\n' }, {}, 'web', {
    pool_limits: { dev: { default: limit } },
  });
  expect(told(verdict).filter((line) => line.includes('POOL_LIMIT'))).toEqual(problems);
  expect(verdict.checks['pool-limits']).toBe(problems.length === 0);
});

describe('keys that YAML does not read as text', () => {
  // PaaSTA's validator lets them stand where any key may stand, and falls over everywhere else.
  it.each<[string, string, boolean, readonly string[]]>([
    [
      'where any key may stand',
      'web/smartstack.yaml|main: {proxy_port: null, advertise: [region], extra_healthcheck_headers: {1: a}}',
      true,
      ["smartstack.yaml:1:75 warning KEY_NOT_TEXT the key '1' is not text"],
    ],
    [
      'among known keys',
      'web/kubernetes-dev.yaml|main: {deploy_group: dev.main, 1: a}',
      false,
      ["kubernetes-dev.yaml:1:32 KEY_NOT_TEXT the key '1' is not text"],
    ],
    [
      'inside of one, two deep',
      'web/kubernetes-dev.yaml|main: {deploy_group: dev.main, env: {yes: a}}',
      false,
      ["kubernetes-dev.yaml:1:38 KEY_NOT_TEXT the key 'yes' is not text"],
    ],
    [
      'as the name of a job',
      'web/tron-dev.yaml|1: {schedule: daily, actions: {a: {command: x, deploy_group: dev.main}}}',
      false,
      ["tron-dev.yaml:1:1 KEY_NOT_TEXT the key '1' is not text"],
    ],
    [
      'as the name of a namespace',
      'web/smartstack.yaml|1: {proxy_port: null}',
      false,
      ["smartstack.yaml:1:1 KEY_NOT_TEXT the namespace '1' is not text"],
    ],
  ])('%s', (_name, file, ok, problems) => {
    const [path = '', text = ''] = file.split('|');
    const verdict = validate({ ...GOOD, [path]: `${text}\n` });
    expect(verdict.ok).toBe(ok);
    expect(told(verdict)).toEqual(expect.arrayContaining([...problems]));
  });
});

it('checks the cleanup action of a job like its actions, also when it is the only one', () => {
  const job = (more: string): ServiceVerdict =>
    validate({
      ...GOOD,
      'web/tron-dev.yaml': `job:\n  node: paasta\n  schedule: daily 01:00:00\n  actions: {}\n  cleanup_action:\n    command: a\n${more}`,
    });
  expect(job('  deploy_group: dev.main\n')).toMatchObject({ ok: true, checks: { tron: true } });
  expect(told(job('  deploy_group: dev.mian\n'))).toEqual([
    "tron-dev.yaml:7:3 UNKNOWN_DEPLOY_GROUP web.job.cleanup in dev: deploy group 'dev.mian' is no step of deploy.yaml",
  ]);
  expect(told(job('    deploy_group: x\n  deploy_group: dev.main\n'))).toEqual([
    "tron-dev.yaml:7:5 UNKNOWN_DEPLOY_GROUP web.job.cleanup in dev: deploy group 'x' is no step of deploy.yaml",
  ]);
  expect(told(job('  deploy_group: "{nope}"\n'))).toEqual([expect.stringContaining('DEPLOY_GROUP_INVALID')]);
  expect(told(job(''))).toEqual([
    'tron-dev.yaml:5:3 MISSING_KEY web.job.cleanup in dev: an action that runs in a container needs a deploy_group',
  ]);
});

it('validates the directory of shared secrets when somebody asks for it', () => {
  expect(
    validate({ '_shared/service.yaml': 'description: a\nexternal_link: b\n', '_shared/monitoring.yaml': 'team: web\n' }, {}, '_shared'),
  ).toMatchObject({ ok: true, precondition: true });
  expect(validate(GOOD, {}, '_shared').problems[0]?.code).toBe('UNKNOWN_SERVICE');
});
