import { UserError, problem } from '../../../src/shared/contract/errors.ts';
import { gitUrlOf } from '../../../src/shared/soa-configs/repository.ts';
import { loadSoaConfigs } from '../../../src/shared/soa-configs/soa-configs.ts';
import { systemConfigOf } from '../../../src/shared/soa-configs/system-config.ts';
import type { ServiceConfig } from '../../../src/shared/soa-configs/types.ts';
import { memoryTree } from '../../support/memory-tree.ts';

const SYSTEM = systemConfigOf({
  clusters: ['dev', 'prod-east'],
  auto_config_instance_types_enabled: { kubernetes: true },
  auto_config_instance_type_aliases: { eks: 'kubernetes' },
});

function load(files: Readonly<Record<string, string>>, service = 'web'): ServiceConfig {
  return loadSoaConfigs(memoryTree(files), SYSTEM).load(service);
}

function told(config: ServiceConfig): readonly string[] {
  return config.problems.map((p) => `${p.file ?? ''}:${p.line ?? 0}:${p.column ?? 0} ${p.code} ${p.message}`);
}

it('has no services in a missing or empty tree', () => {
  const soa = loadSoaConfigs(memoryTree({}), SYSTEM);
  expect(soa.services()).toEqual([]);
  expect(soa.has('web')).toBe(false);
  expect(soa.load('web')).toMatchObject({ instances: [], problems: [], pipelineDeployGroups: undefined });
  expect(soa.problems).toEqual([]);
});

it.each(['../etc', 'a/b', '', '.', 'a\0b', '__proto__'])('never leaves the tree for a service called %j', (name) => {
  const soa = loadSoaConfigs(memoryTree({ 'web/service.yaml': 'a: 1' }), SYSTEM);
  expect(soa.has(name)).toBe(false);
  expect(soa.load(name).instances).toEqual([]);
});

it('lists services without hidden and shared directories', () => {
  expect(
    loadSoaConfigs(
      memoryTree({ 'b/x.yaml': '', 'a/x.yaml': '', '_shared/secrets/k.json': '{}', '.git/x': '', 'top.yaml': '' }),
      SYSTEM,
    ).services(),
  ).toEqual(['a', 'b']);
});

it('merges service.yaml, its companions, tuned defaults and templates under the instance', () => {
  const { instances } = load({
    'web/service.yaml': 'cost_owner: us\nenv: {FROM: service, BOTH: service}\n',
    'web/monitoring.yaml': 'team: web\n',
    'web/kubernetes-dev.yaml': '_t: &t\n  cpus: 0.5\n  env: {BOTH: template}\nmain:\n  <<: *t\n  mem: null\n',
    'web/autotuned_defaults/kubernetes-dev.yaml': 'main: {cpus: 3, mem: 99, disk: 77}\n',
  });
  expect(instances).toHaveLength(1);
  expect(instances[0]?.config).toMatchObject({
    cost_owner: 'us',
    env: { FROM: 'service', BOTH: 'template' },
    cpus: 0.5,
    mem: null,
    disk: 77,
    monitoring: { team: 'web' },
  });
  expect(instances[0]?.branch).toBe('dev.main');
  expect(instances[0]?.deployGroup).toBe('dev.main');
});

it('orders instances by cluster, then type, then file; templates and unknown clusters do not count', () => {
  const config = load({
    'web/eks-dev.yaml': 'e: {cpus: 1}\n',
    'web/kubernetes-dev.yaml': '"10": {cpus: 1}\n"2": {cpus: 1}\n_t: {}\n',
    'web/adhoc-dev.yaml': 'a: {cpus: 1}\n',
    'web/kubernetes-prod-east.yaml': 'p: {cpus: 1}\n',
    'web/kubernetes-nowhere.yaml': 'x: {cpus: 1}\n',
  });
  expect(config.instances.map((i) => `${i.type} ${i.branch}`)).toEqual([
    'adhoc dev.a',
    'kubernetes dev.10',
    'kubernetes dev.2',
    'eks dev.e',
    'kubernetes prod-east.p',
  ]);
  expect(config.clusters).toEqual(['dev', 'prod-east']);
});

it.each<[string, string]>([
  ['"{cluster}.{instance}"', 'dev.main'],
  ['"{service}{{x}}"', 'web{x}'],
  ['"{cluster:>5}"', '  dev'],
  ['plain', 'plain'],
])('interpolates deploy_group %s', (text, expected) => {
  expect(load({ 'web/kubernetes-dev.yaml': `main:\n  deploy_group: ${text}\n` }).instances[0]?.deployGroup).toBe(expected);
});

it.each<[string, RegExp]>([
  ['"{clutser}.x"', /web\/kubernetes-dev.yaml:2:3 DEPLOY_GROUP_INVALID '\{clutser\}' in '\{clutser\}.x' is not a placeholder/],
  ['"{0}"', /is not a placeholder/],
  ['"a}"', /has a single '\}'/],
  ['"{a"', /has a '\{' that is never closed/],
  ['null', /2:3 DEPLOY_GROUP_INVALID deploy_group of 'main' is null/],
  ['5', /deploy_group of 'main' is 5, which YAML does not read as text/],
  ['[a]', /is a list$/],
  ['""', /is empty/],
])('refuses deploy_group %s on its line, and goes on', (text, message) => {
  const config = load({ 'web/kubernetes-dev.yaml': `main:\n  deploy_group: ${text}\nother:\n  cpus: 1\n` });
  expect(config.instances.map((i) => i.instance)).toEqual(['other']);
  expect(told(config)).toEqual([expect.stringMatching(message)]);
});

it('says what is wrong with an instance, and loads the others', () => {
  const config = load({ 'web/kubernetes-dev.yaml': 'nothing:\nlist: [a]\ntext: x\n5: {cpus: 1}\ngood: {cpus: 1}\n' });
  expect(config.instances.map((i) => i.instance)).toEqual(['good']);
  expect(config.declared.map((d) => d.instance)).toEqual(['nothing', 'list', 'text', 'good']);
  expect(told(config)).toEqual([
    "web/kubernetes-dev.yaml:1:1 INSTANCE_NOT_A_MAPPING instance 'nothing' has no configuration",
    "web/kubernetes-dev.yaml:2:1 INSTANCE_NOT_A_MAPPING instance 'list' must be a mapping, not a list",
    "web/kubernetes-dev.yaml:3:1 INSTANCE_NOT_A_MAPPING instance 'text' must be a mapping, not the text 'x'",
    "web/kubernetes-dev.yaml:4:1 INSTANCE_NAME the name '5' is read as a number, not as text",
  ]);
});

it('loses only the file that is broken, and says that something is missing', () => {
  const config = load({ 'web/kubernetes-dev.yaml': 'a:\n\tcpus: 1\n', 'web/eks-dev.yaml': 'b: {cpus: 1}\n' });
  expect(config.instances.map((i) => i.instance)).toEqual(['b']);
  expect(config.incomplete).toBe(true);
  expect(told(config)).toEqual(['web/kubernetes-dev.yaml:2:1 YAML_INVALID a tab character is used as indentation']);
});

// Without the mesh an instance would be rendered quite differently: better not at all.
it('deploys nothing of a service whose common files are broken', () => {
  const config = load({ 'web/smartstack.yaml': 'main: [\n', 'web/kubernetes-dev.yaml': 'main: {cpus: 1}\n' });
  expect(config.instances).toEqual([]);
  expect(config.incomplete).toBe(true);
});

it('refuses a value that contains itself', () => {
  expect(told(load({ 'web/kubernetes-dev.yaml': 'main: &m\n  env: *m\n' }))).toEqual([
    'web/kubernetes-dev.yaml:2:8 YAML_RECURSIVE an alias stands inside the value that it names',
  ]);
});

it('keeps the other instances of a file in which one contains itself, and lists them all, as PaaSTA does', () => {
  const config = load({ 'web/kubernetes-dev.yaml': 'a: {cpus: 1, env: &e {A: x}}\nmain: &m\n  env: [1, {x: *m}]\nb: {env: *e}\n' });
  expect(config.instances.map((i) => i.instance)).toEqual(['a', 'b']);
  expect(config.declared.map((i) => i.instance)).toEqual(['a', 'main', 'b']);
  expect(told(config)).toEqual([expect.stringContaining('3:16 YAML_RECURSIVE')]);
  // Nothing is left where the whole file is inside of itself, and files of another kind are refused as before.
  expect(load({ 'web/kubernetes-dev.yaml': '&f\nmain: {env: *f}\n' })).toMatchObject({
    instances: [],
    declared: [{ instance: 'main' }],
    incomplete: false,
  });
  expect(load({ 'web/smartstack.yaml': 'main: &m {a: *m}\n', 'web/kubernetes-dev.yaml': 'main: {cpus: 1}\n' })).toMatchObject({
    instances: [],
    incomplete: true,
  });
});

it('goes on after a file that the reader refuses', () => {
  const good = memoryTree({ 'web/kubernetes-dev.yaml': 'main: {cpus: 1}\n', 'web/eks-dev.yaml': 'x' });
  const tree = {
    ...good,
    read: (path: string) => {
      if (path === 'web/eks-dev.yaml') throw new UserError(problem('FILE_UNREADABLE', 'no permission to read it', { file: path }));
      return good.read(path);
    },
  };
  const config = loadSoaConfigs(tree, SYSTEM).load('web');
  expect(config.instances.map((i) => i.instance)).toEqual(['main']);
  expect(told(config)).toEqual(['web/eks-dev.yaml:0:0 FILE_UNREADABLE no permission to read it']);
});

it('knows positions of keys, and falls back to the instance for inherited ones', () => {
  const main = load({ 'web/service.yaml': 'pool: gpu\n', 'web/kubernetes-dev.yaml': '# x\nmain:\n  env:\n    A: b\n' }).instances[0];
  expect(main?.position(['env', 'A'])).toEqual({ file: 'web/kubernetes-dev.yaml', line: 4, column: 5 });
  expect(main?.position(['pool'])).toEqual({ file: 'web/kubernetes-dev.yaml', line: 2, column: 1 });
});

it('reads mesh namespaces: the own file for the mesh, the named service for the port', () => {
  const config = load({ 'web/smartstack.yaml': 'main: {proxy_port: null}\n', 'other/smartstack.yaml': 'main: {proxy_port: 20001}\n' });
  expect(config.mesh('web.main')).toMatchObject({ inMesh: true, values: { proxy_port: null } });
  expect(config.mesh('other.main').values).toEqual({ proxy_port: null });
  expect(config.registered('other.main').values).toEqual({ proxy_port: 20001 });
  expect(config.mesh('web.nothing')).toEqual({ registration: 'web.nothing', values: undefined, inMesh: false });
});

it('inherits of a tron job what its actions need', () => {
  const { instances } = load({
    'web/monitoring.yaml': 'team: web\nirrelevant: 1\n',
    'web/tron-dev.yaml':
      'job:\n  schedule: daily\n  deploy_group: g\n  monitoring: {page: true}\n  actions:\n    one: {command: a}\n    two: {command: b, deploy_group: h}\n',
  });
  expect(instances.map((i) => [i.instance, i.deployGroup])).toEqual([
    ['job.one', 'g'],
    ['job.two', 'h'],
  ]);
  expect(instances[0]?.config['monitoring']).toEqual({ team: 'web', page: true });
});

it('knows secrets, the commit and who authenticates', () => {
  const soa = loadSoaConfigs(
    memoryTree({
      '.metadata.json': '{"git_sha": "abc"}',
      'authenticating.yaml': 'services: [web]\n',
      '_shared/secrets/k.json': '{}',
      'web/secrets/s.json': '{}',
    }),
    SYSTEM,
    { commit: 'other' },
  );
  expect([soa.commit, soa.authenticating, soa.secrets('web'), soa.secrets('_shared'), soa.secrets('../x')]).toEqual([
    'abc',
    ['web'],
    ['s'],
    ['k'],
    [],
  ]);
});

it('tells a null git_url from a missing one', () => {
  expect(gitUrlOf(load({ 'web/service.yaml': 'git_url: null\n' }))).toBeNull();
  expect(gitUrlOf(load({ 'web/service.yaml': 'a: 1\n' }))).toBe('git@github.yelpcorp.com:services/web');
});

// Tron reads monitoring.yaml and the mesh smartstack.yaml: a key of the same name in service.yaml reaches neither.
it('says that a tron job without actions has none, and goes on with the other jobs', () => {
  const service = load({ 'web/tron-dev.yaml': 'empty: {schedule: daily}\njob:\n  schedule: daily\n  actions:\n    one: {command: a}\n' });
  expect(service.instances.map(({ instance }) => instance)).toEqual(['job.one']);
  expect(service.problems).toMatchObject([
    { code: 'TRON_JOB_INVALID', severity: 'error', message: "job 'empty' has no actions", file: 'web/tron-dev.yaml', line: 1 },
  ]);
});

it('takes monitoring of tron jobs and the mesh from their own files only', () => {
  const service = load({
    'web/service.yaml': 'monitoring: {team: other}\nsmartstack: {main: {proxy_port: 20001}}\n',
    'web/tron-dev.yaml': 'job:\n  schedule: daily\n  actions:\n    one: {command: a}\n',
    'web/kubernetes-dev.yaml': 'main: {}\n',
  });
  const monitoring = Object.fromEntries(service.instances.map((instance) => [instance.instance, instance.config.monitoring]));
  expect(monitoring).toEqual({ main: { team: 'other' }, 'job.one': {} });
  expect(service.mesh('web.main').inMesh).toBe(false);
});
