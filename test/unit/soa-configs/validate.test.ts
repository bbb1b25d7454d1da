import { readFileSync, readdirSync } from 'node:fs';
import { cronFault } from '../../../src/shared/soa-configs/cron.ts';
import { loadSoaConfigs } from '../../../src/shared/soa-configs/soa-configs.ts';
import { systemConfigOf } from '../../../src/shared/soa-configs/system-config.ts';
import { validateService, type ServiceVerdict, type ValidationWorld } from '../../../src/shared/soa-configs/validate.ts';
import { memoryTree } from '../../support/memory-tree.ts';

const GOOD = {
  'web/service.yaml': 'description: a\nexternal_link: b\n',
  'web/monitoring.yaml': 'team: web\n',
  'web/deploy.yaml': 'pipeline:\n- step: dev.main\n',
  'web/kubernetes-dev.yaml': 'main:\n  cpus: 1\n',
};

function validate(files: Readonly<Record<string, string>>, world: ValidationWorld = {}, service = 'web'): ServiceVerdict {
  const tree = memoryTree(files);
  const system = systemConfigOf({ clusters: ['dev'], vault_cluster_map: { dev: 'devc' } });
  return validateService(tree, system, loadSoaConfigs(tree, system), service, world);
}

function told(verdict: ServiceVerdict): readonly string[] {
  return verdict.problems.map((p) => `${(p.file ?? '').replace('web/', '')}:${p.line ?? 0}:${p.column ?? 0} ${p.severity === 'error' ? '' : `${p.severity} `}${p.code} ${p.message}`);
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
    'web/kubernetes-dev.yaml': 'main:\n  cpus: "1"\n  mem: 5\n  instnaces: 3\n  deploy_group: dev.mian\n  env: {A: 1, B: "SECRET(nope)"}\nbad name: {cpus: 1}\nother:\n  deploy_group: dev.main\n  net: host\n  cpu_burst_add: 5\n  min_instances: 5\n  max_instances: 2\n  container_port: 70000\n',
    'web/eks-dev.yaml': 'main:\n  healthcheck_mode: cmd\n  deploy_group: dev.main\n',
    'web/smartstack.yaml': 'main: {proxy_port: 20001, discover: habitat}\n',
    'web/tron-dev.yaml': 'job:\n  schedule: cron 99 * * * *\n  actions:\n    run: {command: a}\n',
    'web/rollback-dev.yaml': 'conditions:\n  prometheus:\n  - query: up\n    upper_bound: 0\n',
    'web/adhoc-dev.yaml': 'a: [\n',
  });
  expect(told(verdict)).toEqual([
    "adhoc-dev.yaml:2:1 YAML_INVALID a '[' or '{' is never closed",
    'eks-dev.yaml:1:1 DUPLICATE_INSTANCE instance \'main\' is in kubernetes-dev.yaml too: a name may stand in one file per cluster',
    "eks-dev.yaml:2:3 HEALTHCHECK_INVALID main: healthcheck_mode does not fit: cmd needs a healthcheck_cmd, the others are tcp, http and https",
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
  expect(verdict.checks).toEqual({ schemas: false, tron: false, objects: false, 'unique-names': false, autoscaling: true, secrets: false, 'min-max': false, 'pool-limits': true, 'cpu-burst': false, smartstack: false, 'monitoring-file': true });
});

// PaaSTA reads comments with a reader for which the first of two equal keys counts, and finds one type only of a name in two files.
it('judges what is there twice as PaaSTA does', () => {
  const burst = (text: string): boolean | undefined => validate({ ...GOOD, 'web/kubernetes-dev.yaml': `main:\n${text}` }).checks['cpu-burst'];
  expect(burst('  cpu_burst_add: 5\n  cpu_burst_add: 1\n')).toBe(false);
  expect(burst('  cpu_burst_add: 5 # override-cpu-burst (a WEB-1 b)\n  cpu_burst_add: 5\n')).toBe(true);
  const twice = validate({ ...GOOD, 'web/eks-dev.yaml': 'main: {min_instances: 5, max_instances: 2, deploy_group: dev.main}\n' });
  expect(twice.checks).toMatchObject({ 'unique-names': false, 'min-max': true });
  expect(told(twice).join()).toMatch(/MIN_ABOVE_MAX/);
});

it('takes an empty deploy group for an unknown one', () => {
  expect(validate({ ...GOOD, 'web/kubernetes-dev.yaml': 'main: {deploy_group: ""}\n' }).checks).toMatchObject({ objects: false, tron: true });
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
  expect(validate({ ...GOOD, 'web/kubernetes-dev.yaml': 'main: {cpu_burst_add: 5}\n', 'web/kubernetes-dev.in': '' }).checks['cpu-burst']).toBe(true);
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
it('has patterns in its schemas that do not backtrack', () => {
  const directory = new URL('../../../src/shared/soa-configs/schemas/', import.meta.url);
  const patterns = new Set<string>();
  const collect = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      if (key === 'pattern' && typeof inner === 'string') patterns.add(inner);
      if (key === 'patternProperties') for (const pattern of Object.keys(inner as object)) patterns.add(pattern);
      collect(inner);
    }
  };
  for (const name of readdirSync(directory)) collect(JSON.parse(readFileSync(new URL(name, directory), 'utf8')));
  expect(patterns.size).toBeGreaterThan(10);
  for (const pattern of patterns) {
    for (const unit of ['a', '1', 'a1', '-', 'a-', '_', '.', '/', ' ', 'a/', 'arn:aws:iam::1:role/']) {
      const text = `${unit.repeat(Math.floor(100_000 / unit.length))}\n!`;
      const start = performance.now();
      new RegExp(pattern, 'u').test(text);
      expect([pattern, unit, performance.now() - start < 500]).toEqual([pattern, unit, true]);
    }
  }
});
