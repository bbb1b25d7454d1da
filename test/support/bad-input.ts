/** Trees of bad input: one service for each kind of mistake, beside a good one. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface BadInput {
  readonly name: string;
  /** Files below the service; a link is written as `{ link: target }`. */
  readonly files: Readonly<Record<string, string | Buffer | { readonly link: string }>>;
}

const DEPLOY = 'pipeline:\n  - step: g\n';
const GOOD = 'main:\n  deploy_group: g\n  cpus: 1\n';

function laughs(): string {
  const lines = ['a: &a [x,x,x,x,x,x,x,x,x,x]'];
  for (let i = 1; i < 10; i++)
    lines.push(
      `${String.fromCharCode(97 + i)}: &${String.fromCharCode(97 + i)} [${Array(10)
        .fill(`*${String.fromCharCode(96 + i)}`)
        .join(',')}]`,
    );
  return `${lines.join('\n')}\n`;
}

const instance = (...lines: readonly string[]): string => `main:\n  deploy_group: g\n${lines.map((line) => `  ${line}\n`).join('')}`;
const prod = (text: string | Buffer): BadInput['files'] => ({ 'kubernetes-prod.yaml': text, 'deploy.yaml': DEPLOY });
const deployments = (text: string): BadInput['files'] => ({ ...prod(GOOD), 'deployments.json': text });

/** Every kind of bad input of issue 4 but wrong types, which have a table of their own. */
export const BAD_INPUTS: readonly BadInput[] = [
  { name: 'bomb', files: prod(laughs()) },
  { name: 'deep', files: prod(`a: ${'['.repeat(5000)}${']'.repeat(5000)}\n`) },
  { name: 'large', files: prod('# ten megabytes\n'.repeat(655_360)) },
  { name: 'duplicate', files: prod(instance('cpus: 1', 'mem: 64', 'cpus: 2')) },
  { name: 'tab', files: prod('main:\n\tcpus: 1\n') },
  { name: 'nul', files: prod('main:\n  cpus: 1\0\n') },
  { name: 'bom', files: prod(`\uFEFF${instance('cpus: one')}`) },
  { name: 'crlf', files: prod(instance('mem: 64', 'cpus: one').replaceAll('\n', '\r\n')) },
  { name: 'utf16', files: prod(Buffer.from('\uFEFFmain:\n', 'utf16le')) },
  { name: 'assignment', files: prod('main:\n  deploy_group: g\n  mem = 512\n') },
  {
    name: 'assignments',
    files: {
      ...prod('main:\n  cpus = 1\n'),
      'monitoring.yaml': 'team = x\npage = true\n',
      'smartstack.yaml': 'main:proxy_port\n',
      'service.yaml': 'description = x\n',
    },
  },
  { name: 'unknown-key', files: prod(instance('cpuss: 1')) },
  { name: 'link-loop', files: { ...prod(GOOD), 'kubernetes-dev.yaml': { link: 'kubernetes-dev.yaml' } } },
  { name: 'link-out', files: { ...prod(GOOD), 'kubernetes-dev.yaml': { link: '../../outside.yaml' } } },
  { name: 'directory-loop', files: { ...prod(GOOD), secrets: { link: '.' } } },
  { name: 'non-ascii', files: prod(`${GOOD}größe:\n  deploy_group: g\n`) },
  { name: 'long-name', files: prod(`${GOOD}${'a'.repeat(300)}:\n  deploy_group: g\n`) },
  { name: 'cpu-zero', files: prod(instance('cpus: 0')) },
  { name: 'mem-negative', files: prod(instance('mem: -512')) },
  { name: 'many', files: prod(instance('instances: 1000000000')) },
  { name: 'many-text', files: prod(instance('instances: 1e9')) },
  { name: 'infinitely-many', files: prod(instance('instances: .inf')) },
  { name: 'infinitely-large', files: prod(instance('cpus: .inf')) },
  { name: 'port', files: prod(instance('container_port: 70000')) },
  { name: 'env', files: prod(instance('env:', '  LINES: "a\\nb"', '  SHELL: $(whoami)', '  OK: fine')) },
  {
    name: 'secret',
    files: prod(instance('env:', '  TOKEN: SECRET(none)', 'secret_volumes:', '  - container_path: /a', '    secret_name: none')),
  },
  {
    name: 'steps',
    files: {
      ...prod(GOOD),
      'deploy.yaml': 'pipeline:\n  - step: g\n  - parallel:\n      - step: g\n      - parallel:\n          - step: h\n  - step: nobody\n',
    },
  },
  { name: 'cyclic', files: { ...prod(GOOD), 'deploy.yaml': 'pipeline: &p\n  - step: g\n  - parallel: *p\n' } },
  {
    name: 'cyclic-actions',
    files: {
      'deploy.yaml': DEPLOY,
      'tron-prod.yaml':
        'job:\n  schedule: cron 0 25 * * *\n  deploy_group: g\n  node: paasta\n  monitoring: {team: t}\n  actions:\n    a: {command: x, requires: [b]}\n    b: {command: x, requires: [a, c]}\n',
    },
  },
  { name: 'truncated', files: deployments('{"v2": {\n  "deployments": {"g": {"docker_image": "x"') },
  { name: 'old-version', files: deployments('{\n  "v1": {}\n}\n') },
  {
    name: 'short-sha',
    files: deployments('{"v2": {"deployments": {\n  "g": {"docker_image": "services-x:paasta-abc",\n        "git_sha": "abc1234"}}}}\n'),
  },
  { name: 'prototype', files: prod(instance('__proto__: {cpus: 1}', 'constructor: x', 'cpus: 1')) },
  { name: 'prototype-instance', files: prod(`${GOOD}constructor:\n  cpus: true\n__proto__:\n  cpus: true\n`) },
  { name: 'unreadable', files: { ...prod(instance('cpus: 0')), 'kubernetes-dev.yaml': GOOD } },
  { name: 'itself', files: prod('main: &m\n  deploy_group: g\n  env: *m\n') },
  {
    name: 'beside-broken-mesh',
    files: {
      ...prod(
        'main:\n  deploy_group: gg\n  env: {TOKEN: SECRET(none)}\n  min_instances: 5\n  max_instances: 2\n  registrations: [nobody.main]\n',
      ),
      'smartstack.yaml': 'main: {proxy_port: 20001\n',
    },
  },
  {
    name: 'beside-broken-pipeline',
    files: {
      ...prod('main:\n  deploy_group: gg\n  env: {TOKEN: SECRET(none)}\n'),
      'deploy.yaml': 'pipeline: [\n',
      'tron-prod.yaml': 'job:\n  schedule: cron 0 25 * * *\n  node: paasta\n  monitoring: {team: t}\n  actions:\n    a: {command: x}\n',
    },
  },
  { name: 'beside-null-group', files: prod('main:\n  deploy_group: null\n  env: {TOKEN: SECRET(none)}\n  command: run\n') },
  { name: 'null-instance', files: prod(`${GOOD}other:\n`) },
  { name: 'größe', files: prod(GOOD) },
  { name: 'x'.repeat(120), files: prod(GOOD) },
  { name: 'good', files: prod(GOOD) },
];

/** Keys of instances that people write most, each with a value of a wrong type. */
export const WRONG_TYPES: Readonly<Record<string, string>> = {
  cpus: 'one',
  mem: '[1]',
  disk: '{a: b}',
  gpus: '1.5',
  cpu_burst_add: 'yes',
  instances: '"3"',
  min_instances: '[1]',
  max_instances: 'many',
  autoscaling: 'cpu',
  cmd: '5',
  args: 'run',
  env: '[A]',
  container_port: '"8888"',
  registrations: 'web.main',
  pool: '5',
  bounce_method: '[brutal]',
  bounce_margin_factor: 'half',
  bounce_health_params: 'none',
  drain_method: '5',
  drain_method_params: '[a]',
  lifecycle: 'short',
  replication_threshold: 'half',
  healthcheck_mode: '5',
  healthcheck_uri: '[/status]',
  healthcheck_grace_period_seconds: '1m',
  healthcheck_interval_seconds: '10s',
  healthcheck_timeout_seconds: 'long',
  healthcheck_max_consecutive_failures: 'few',
  node_selectors: '[gpu]',
  deploy_whitelist: 'region',
  deploy_blacklist: 'region',
  extra_volumes: '/tmp',
  secret_volumes: 'a',
  monitoring: 'team',
  weight: 'heavy',
  iam_role: '5',
  service_account_name: '[a]',
  cap_add: 'NET_ADMIN',
  persistent_volumes: '/a',
  fs_group: 'staff',
  prometheus_port: 'http',
  topology_spread_constraints: 'zone',
  dependencies_reference: '5',
  routable_ip: '"yes"',
};

/** `wrong-types/kubernetes-prod.yaml`: an instance for each key; the key stands on line 3n, column 3. */
export function wrongTypes(): BadInput {
  return {
    name: 'wrong-types',
    files: prod(
      Object.entries(WRONG_TYPES)
        .map(([key, value], index) => `i${String(index)}:\n  deploy_group: g\n  ${key}: ${value}\n`)
        .join(''),
    ),
  };
}

export function writeTree(root: string, inputs: readonly BadInput[]): void {
  for (const { name, files } of inputs) {
    for (const [file, content] of Object.entries(files)) {
      const path = join(root, name, file);
      mkdirSync(dirname(path), { recursive: true });
      if (typeof content === 'object' && 'link' in content) symlinkSync(content.link, path);
      else writeFileSync(path, content);
    }
  }
}
