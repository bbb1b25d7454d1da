/** Checks between files and services. Without them these trees pass, and break when they are deployed. */
import { describeProblem } from '../../../src/shared/contract/errors.ts';
import { loadSoaConfigs, systemConfigOf } from '../../../src/shared/soa-configs/index.ts';
import { acrossChecks } from '../../../src/shared/soa-configs/validate-across.ts';
import { memoryTree } from '../../support/memory-tree.ts';

const SYSTEM = systemConfigOf({ clusters: ['dev', 'prod'] });

/** What is told about `web`. */
function told(files: Readonly<Record<string, string>>, service = 'web'): readonly string[] {
  const tree = memoryTree({
    'web/deploy.yaml': 'pipeline:\n  - step: g\n',
    'web/kubernetes-prod.yaml': 'main:\n  deploy_group: g\n',
    ...files,
  });
  return acrossChecks(
    tree,
    SYSTEM,
    loadSoaConfigs(tree, SYSTEM),
  )(service).map((found) => `${found.severity} ${found.code} ${describeProblem(found)}`);
}
const instance = (...lines: readonly string[]): string => `main:\n  deploy_group: g\n${lines.map((line) => `  ${line}\n`).join('')}`;

it('has nothing to say about a good service', () => {
  expect(
    told({
      'web/smartstack.yaml': 'main:\n  proxy_port: 20001\n',
      'web/service.yaml': 'git_url: git@github.com:acme/web.git\n',
      'web/monitoring.yaml': 'team: x\n',
      'web/README.md': 'x',
      'web/dependencies.yaml': 'a: []\n',
      'web/secrets/a.json': '{"environments": {}}',
    }),
  ).toEqual([]);
});

describe('deploy groups', () => {
  it('tells a step that no instance uses, with what was meant', () => {
    expect(
      told({
        'web/deploy.yaml': 'pipeline:\n  - step: itest\n  - step: g\n  - parallel:\n      - step: prod.mian\n  - step: itset\n',
        'web/kubernetes-dev.yaml': 'main:\n  deploy_group: prod.main\n',
      }),
    ).toEqual([
      "warning DEPLOY_GROUP_WITHOUT_INSTANCE web/deploy.yaml:5:9: no instance has the deploy group 'prod.mian': the step deploys nothing\n  next: did you mean 'prod.main'? known: g, itest, itest-and-push-to-registry, prod.main, push-to-registry, security-check",
      expect.stringContaining(
        "web/deploy.yaml:6:5: no instance has the deploy group 'itset': the step deploys nothing\n  next: did you mean 'itest'",
      ),
    ]);
  });

  it('tells a step that runs a program and does not say which, also inside parallel', () => {
    expect(
      told({
        'web/deploy.yaml': 'pipeline:\n  - step: command-a\n    command: make a\n  - parallel:\n      - step: command-b\n      - step: g\n',
      }),
    ).toEqual([
      "warning COMMAND_MISSING web/deploy.yaml:5:9: step 'command-b' has no command\n  next: write the program that it runs as 'command'",
    ]);
  });

  it('says nothing while files of instances cannot be read', () => {
    expect(told({ 'web/deploy.yaml': 'pipeline:\n  - step: other\n', 'web/kubernetes-dev.yaml': 'main: [\n' })).toEqual([]);
  });

  it('tells that services of one repository deploy together', () => {
    const service = (url: string): string => `git_url: ${url}\n`;
    const files = { 'api/deploy.yaml': 'pipeline:\n  - step: g\n', 'api/kubernetes-prod.yaml': 'main: {deploy_group: g}\n' };
    const shared = told({
      ...files,
      'web/service.yaml': service('git@github.com:Acme/mono'),
      'api/service.yaml': service('git@github.com:acme/mono.git'),
    });
    expect(shared).toEqual([
      expect.stringMatching(
        /^warning SHARED_DEPLOY_GROUP web\/deploy\.yaml:2:5: deploy group 'g' is shared with api, which has the same repository/,
      ),
    ]);
    expect(
      told({ ...files, 'web/service.yaml': service('git@github.com:acme/web'), 'api/service.yaml': service('git@github.com:acme/api') }),
    ).toEqual([]);
    expect(told({ ...files, 'web/service.yaml': 'git_url: null\n', 'api/service.yaml': 'git_url: null\n' })).toEqual([]);
    // Without git_url each has the repository of its name.
    expect(told(files)).toEqual([]);
  });
});

describe('mesh', () => {
  it('tells registrations without a namespace, and namespaces without a registration', () => {
    expect(
      told({
        'web/kubernetes-prod.yaml': instance('registrations: [web.mian, api.main, wbe.main, api.none]'),
        'web/smartstack.yaml': 'main:\n  proxy_port: 20001\n',
        'api/smartstack.yaml': 'main: {proxy_port: 20002}\n',
      }),
    ).toEqual([
      "warning UNKNOWN_REGISTRATION web/kubernetes-prod.yaml:3:19: web.main in prod: registration 'web.mian': 'mian' is no namespace in web/smartstack.yaml\n  next: did you mean 'main'? known: main",
      "warning UNKNOWN_REGISTRATION web/kubernetes-prod.yaml:3:39: web.main in prod: registration 'wbe.main': there is no service 'wbe'\n  next: did you mean 'web'? known: api, web",
      expect.stringContaining("registration 'api.none': 'none' is no namespace in api/smartstack.yaml"),
      expect.stringMatching(/^warning NAMESPACE_WITHOUT_INSTANCE web\/smartstack\.yaml:1:1: no instance of web registers in 'web\.main'/),
    ]);
  });

  it('tells a port that two namespaces have, with a free one', () => {
    const files = {
      'web/smartstack.yaml': 'main:\n  proxy_port: 20000\n',
      'api/smartstack.yaml': 'main:\n  proxy_port: 20000\nother:\n  proxy_port: 20001\n',
    };
    expect(told(files)).toEqual([
      'error PORT_TAKEN web/smartstack.yaml:2:3: proxy_port 20000 of web.main is also that of api.main (api/smartstack.yaml:2)\n  next: choose a free one, such as 20002',
    ]);
    expect(told({ 'web/smartstack.yaml': 'main:\n  proxy_port: null\n', 'api/smartstack.yaml': 'main:\n  proxy_port: null\n' })).toEqual(
      [],
    );
  });
});

describe('names', () => {
  it('tells names that are one in Kubernetes', () => {
    expect(told({ 'web/kubernetes-prod.yaml': 'a_b:\n  deploy_group: g\n', 'web/eks-prod.yaml': 'a--b:\n  deploy_group: g\n' })).toEqual([
      "error NAME_COLLISION web/eks-prod.yaml:1:1: instances 'a_b' and 'a--b' of prod are both 'a--b' in Kubernetes\n  next: rename one: _ becomes -- there",
    ]);
    expect(
      told({ 'web/kubernetes-prod.yaml': 'a_b:\n  deploy_group: g\n', 'web/kubernetes-dev.yaml': 'a--b:\n  deploy_group: g\n' }),
    ).toEqual([]);
    expect(told({ 'a_b/kubernetes-prod.yaml': 'main: {}\n', 'a--b/kubernetes-prod.yaml': 'main: {}\n' }, 'a_b')).toEqual([
      expect.stringMatching(/^error NAME_COLLISION a_b\/service\.yaml:1:1: service 'a_b' and 'a--b' are both 'a--b'/),
    ]);
  });

  it('tells values that cannot be labels of pods', () => {
    const long = `g${'x'.repeat(63)}`;
    expect(
      told({
        'web/deploy.yaml': `pipeline:\n  - step: ${long}\n`,
        'web/kubernetes-prod.yaml': `main:\n  deploy_group: ${long}\n  pool: a b\n`,
      }),
    ).toEqual([
      expect.stringMatching(/^error LABEL_INVALID web\/kubernetes-prod\.yaml:2:3: .* has 64 characters; a label of a pod has at most 63/),
      expect.stringMatching(/^error LABEL_INVALID web\/kubernetes-prod\.yaml:3:3: .*pool 'a b' cannot be a label of a pod/),
    ]);
  });

  it.each([
    [
      'kubernetes-prdo.yaml',
      "UNKNOWN_CLUSTER web/kubernetes-prdo.yaml:1:1: nothing reads this file: the system configuration has no cluster 'prdo'\n  next: did you mean 'prod'? known: dev, prod",
    ],
    ['deploy.yml', 'UNREAD_FILE web/deploy.yml:1:1: nothing reads this file: its name must end in .yaml\n  next: rename it to deploy.yaml'],
    [
      'kuberntes-prod.yaml',
      'UNREAD_FILE web/kuberntes-prod.yaml:1:1: nothing reads a file of this name\n  next: did you mean kubernetes-prod.yaml?',
    ],
    ['montoring.yaml', 'UNREAD_FILE web/montoring.yaml:1:1: nothing reads a file of this name\n  next: did you mean monitoring.yaml?'],
  ])('tells that nothing reads %s', (name, text) => {
    expect(told({ [`web/${name}`]: 'a: {}\n' })).toEqual([`warning ${text}`]);
  });
});

describe('values that pass the schema', () => {
  it.each([
    ['cpus: 1000', 'UNUSUALLY_LARGE', 'cpus 1000 is more than any machine has'],
    ['instances: 1000000000', 'UNUSUALLY_LARGE', 'instances 1000000000 is more than 10000'],
    ['min_instances: 2', 'AUTOSCALING_INCONSISTENT', 'min_instances has no effect without max_instances'],
    ['autoscaling: {metrics_providers: []}', 'AUTOSCALING_INCONSISTENT', 'autoscaling has no effect without max_instances'],
    ['env: {A: "x\\ny"}', 'ENV_NEWLINE', 'the value of A has more than one line'],
    ['env: {A: $(HOME)}', 'ENV_EXPANSION', 'Kubernetes replaces $(NAME) in the value of A'],
  ])('%s', (line, code, text) => {
    expect(told({ 'web/kubernetes-prod.yaml': instance(line) })).toEqual([
      expect.stringMatching(new RegExp(`^warning ${code} web/kubernetes-prod\\.yaml:3:\\d+: web\\.main in prod: `)),
    ]);
    expect(told({ 'web/kubernetes-prod.yaml': instance(line) })[0]).toContain(text);
  });

  it('instances beside max_instances', () => {
    expect(told({ 'web/kubernetes-prod.yaml': instance('max_instances: 3', 'instances: 2') })).toEqual([
      expect.stringContaining('web/kubernetes-prod.yaml:4:3: web.main in prod: instances has no effect beside max_instances'),
    ]);
  });
});

describe('files that PaaSTA does not check', () => {
  it('keys of deploy.yaml that nothing acts on: one warning each, on its first line', () => {
    const deploy = [
      'slack_channels: [a]',
      'pipeline:',
      '  - step: itest',
      '  - step: g',
      '    wait_for_deployment: true',
      '    auto_rollback: true',
      '    timeout: 60',
      '  - parallel:',
      '      - step: h',
      '        auto_rollback: false',
      '        wait_for_deployment: false',
      '      - step: i',
      '        auto_rollback: true',
    ];
    const instances = ['a', 'b', 'c'].map((name, index) => `${name}: {deploy_group: ${'ghi'[index] ?? ''}}\n`).join('');
    expect(told({ 'web/deploy.yaml': `${deploy.join('\n')}\n`, 'web/kubernetes-prod.yaml': instances })).toEqual([
      'warning KEY_WITHOUT_EFFECT web/deploy.yaml:1:1: slack_channels has no effect\n  next: subscribe the channels to the repository with the GitHub app of Slack',
      'warning KEY_WITHOUT_EFFECT web/deploy.yaml:6:5: auto_rollback has no effect (nor on lines 10, 13)\n  next: nothing rolls back by itself: mark the old commit again',
      'warning KEY_WITHOUT_EFFECT web/deploy.yaml:11:9: wait_for_deployment has no effect\n  next: deploy always waits; leave its job out of what the next ones need',
    ]);
  });

  it('deploy.yaml and monitoring.yaml', () => {
    expect(
      told({
        'web/deploy.yaml': 'pipeline:\n  - step: g\n    timeout: soon\npipelines: []\n',
        'web/monitoring.yaml': 'pge: true\nteam: x\nteam: y\n',
      }),
    ).toEqual([
      expect.stringMatching(/^warning UNKNOWN_KEY web\/deploy\.yaml:4:1: unknown key 'pipelines'/),
      "warning SCHEMA_TYPE web/deploy.yaml:3:5: pipeline.0.timeout must be a number, not the text 'soon'",
      expect.stringMatching(/^warning DUPLICATE_KEY web\/monitoring\.yaml:3:1: the key 'team' is there twice \(first on line 2\)/),
      expect.stringMatching(/^warning UNKNOWN_KEY web\/monitoring\.yaml:1:1: unknown key 'pge'[\s\S]*'page'/),
    ]);
  });

  it('actions of tron jobs that wait for nobody, or for each other', () => {
    const job = (...actions: readonly string[]): string => `job:\n  actions:\n${actions.map((action) => `    ${action}\n`).join('')}`;
    const codes = (text: string): readonly string[] =>
      told({ 'web/tron-dev.yaml': text })
        .filter((line) => /ACTION/.test(line.split(' ')[1] ?? ''))
        .map((line) => line.split('\n')[0] ?? '');
    expect(codes(job('a: {command: x, requires: [b]}', 'b: {command: x}', 'c: {command: x, requires: [a, b]}'))).toEqual([]);
    expect(codes(job('a: {command: x, requires: [bb]}', 'b: {command: x}'))).toEqual([
      "error UNKNOWN_ACTION web/tron-dev.yaml:3:32: job 'job': action 'a' requires 'bb', which is no action of the job",
    ]);
    expect(codes(job('a: {command: x, requires: [b]}', 'b: {command: x, requires: [c]}', 'c: {command: x, requires: [b]}'))).toEqual([
      expect.stringContaining('actions wait for each other: b → c → b'),
    ]);
    expect(codes(job('a: {command: x, requires: [a]}'))).toEqual([expect.stringContaining('a → a')]);
  });

  it('secrets without a file where no ecosystem is known', () => {
    const files = {
      'web/kubernetes-prod.yaml': instance('env:', '  A: SECRET(tokne)', '  B: SHARED_SECRET(key)', '  C: SECRET(token)'),
      'web/secrets/token.json': '{"environments": {}}',
    };
    expect(told(files)).toEqual([
      "error SECRET_MISSING web/kubernetes-prod.yaml:4:5: web.main in prod: secret 'tokne': there is no web/secrets/tokne.json\n  next: add the secret, or correct its name; did you mean 'token'? known: token",
      expect.stringContaining("web/kubernetes-prod.yaml:5:5: web.main in prod: secret 'key': there is no _shared/secrets/key.json"),
    ]);
    expect(told({ ...files, 'web/secrets/tokne.json': '{"environments": {}}', '_shared/secrets/key.json': '{}' })).toEqual([]);
  });

  it('rollback conditions, which nothing watches', () => {
    expect(told({ 'web/rollback-slo.yaml': 'conditions: {}\n', 'web/rollback.md': 'x' })).toEqual([
      expect.stringMatching(
        /^warning FILE_WITHOUT_EFFECT web\/rollback-slo\.yaml:1:1: nothing here watches the conditions of this file: .*\n {2}next: alert on the queries/,
      ),
    ]);
  });

  it('secrets that cannot be read', () => {
    expect(told({ 'web/secrets/a.json': '{"environments": {}', 'web/secrets/b.json': '{}' })).toEqual([
      expect.stringMatching(/^error JSON_INVALID web\/secrets\/a\.json:1:20/),
      expect.stringMatching(/^error SECRET_INVALID web\/secrets\/b\.json:1:1/),
    ]);
  });
});
