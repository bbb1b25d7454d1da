/**
 * Bad input of every kind in one tree, validated in one run: each mistake is told on its line, none ends the run or hides another one.
 * Without the bounds of the reader some of these texts take gigabytes; without the collecting only the first would be told.
 */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UserError, problem, type Problem } from '../../../src/shared/contract/errors.ts';
import type { TreeReader } from '../../../src/shared/contract/ports.ts';
import { openTree } from '../../../src/shared/files/tree.ts';
import { systemConfigOf } from '../../../src/shared/soa-configs/index.ts';
import { checkServices, type Checked } from '../../../src/validate/check.ts';
import { BAD_INPUTS, WRONG_TYPES, wrongTypes, writeTree } from '../../support/bad-input.ts';
import { processorTime } from '../../support/processor-time.ts';

const SYSTEM = systemConfigOf({ clusters: ['dev', 'prod'], vault_cluster_map: { dev: 'dev', prod: 'prod' } });
let top: string;
let checked: Checked;
let milliseconds: number;

beforeAll(() => {
  top = mkdtempSync(join(tmpdir(), 'paasta-bad-'));
  const root = join(top, 'soa');
  mkdirSync(root);
  writeFileSync(join(top, 'outside.yaml'), 'main: {}\n');
  writeTree(root, [...BAD_INPUTS, wrongTypes()]);
  symlinkSync('/etc', join(root, 'out-of-tree'));
  const disk = openTree(root);
  // The tests run as root, whom no permission stops.
  const tree: TreeReader = {
    ...disk,
    read: (path) => {
      if (path === 'unreadable/kubernetes-dev.yaml')
        throw new UserError(problem('FILE_UNREADABLE', 'no permission to read it', { file: path }));
      return disk.read(path);
    },
  };
  milliseconds = processorTime(() => {
    checked = checkServices(tree, SYSTEM, undefined, false);
  });
});
afterAll(() => {
  rmSync(top, { recursive: true, force: true });
});

function told(service: string): readonly string[] {
  const line = (found: Problem): string =>
    `${(found.file ?? '').slice(service.length + 1)}:${String(found.line)}:${String(found.column)} ${found.severity} ${found.code} ${found.message.replaceAll(top, '<top>')}`;
  return checked.problems.filter(({ file }) => file === service || file?.startsWith(`${service}/`) === true).map(line);
}

const GOLDEN: Readonly<Record<string, readonly string[]>> = {
  bomb: ['kubernetes-prod.yaml:1:1 error YAML_BOMB with its aliases expanded the file has more than 1000000 values'],
  deep: ['kubernetes-prod.yaml:1:103 error YAML_TOO_DEEP nested more than 100 levels deep'],
  large: ['kubernetes-prod.yaml:1:1 error FILE_TOO_LARGE the file has 10485760 bytes; at most 1048576 are read'],
  duplicate: ["kubernetes-prod.yaml:5:3 warning DUPLICATE_KEY the key 'cpus' is there twice (first on line 3): this one counts"],
  tab: ['kubernetes-prod.yaml:2:1 error YAML_INVALID a tab character is used as indentation'],
  nul: ['kubernetes-prod.yaml:2:10 error YAML_CHARACTER the file holds a NUL byte'],
  bom: ["kubernetes-prod.yaml:3:3 error SCHEMA_TYPE main.cpus must be a number, not the text 'one'"],
  crlf: ["kubernetes-prod.yaml:4:3 error SCHEMA_TYPE main.cpus must be a number, not the text 'one'"],
  utf16: ['kubernetes-prod.yaml:1:1 error FILE_ENCODING the file is encoded in UTF-16'],
  assignment: ["kubernetes-prod.yaml:3:3 error YAML_INVALID 'mem = 512' is not 'key: value'"],
  assignments: [
    "kubernetes-prod.yaml:1:1 error INSTANCE_NOT_A_MAPPING instance 'main' must be a mapping, not the text 'cpus = 1'",
    "monitoring.yaml:1:1 warning SCHEMA_TYPE the file must be a mapping, not the text 'team = x page = true'",
    "service.yaml:1:1 error NOT_A_MAPPING the file must hold a mapping, not the text 'description = x'",
    "smartstack.yaml:1:1 error NOT_A_MAPPING smartstack.yaml must be a mapping from namespace to settings, not the text 'main:proxy_port'",
  ],
  'unknown-key': ["kubernetes-prod.yaml:3:3 error UNKNOWN_KEY unknown key 'cpuss' in main"],
  'link-loop': ['kubernetes-dev.yaml:1:1 error LINK_LOOP the symbolic link leads back to itself'],
  'link-out': ['kubernetes-dev.yaml:1:1 error LINK_LEAVES_TREE the symbolic link leads out of the tree, to <top>/outside.yaml'],
  'directory-loop': [
    'secrets:1:1 warning NOT_A_FILE this is neither a file nor a directory; a symbolic link may lead back to a directory above',
  ],
  'non-ascii': [
    "kubernetes-prod.yaml:4:1 error INSTANCE_NAME 'größe' is not a name of an instance: lower-case letters and digits, with - and _ inside",
  ],
  'long-name': [
    "kubernetes-prod.yaml:4:1 error INSTANCE_NAME_TOO_LONG the name 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…' has more than 63 characters (each _ counts as two)",
  ],
  'cpu-zero': ['kubernetes-prod.yaml:3:3 error OUT_OF_RANGE main.cpus must be > 0, not 0'],
  'mem-negative': ['kubernetes-prod.yaml:3:3 error OUT_OF_RANGE main.mem must be >= 32, not -512'],
  many: ['kubernetes-prod.yaml:3:3 warning UNUSUALLY_LARGE many.main in prod: instances 1000000000 is more than 10000'],
  'many-text': ["kubernetes-prod.yaml:3:3 error SCHEMA_TYPE main.instances must be a whole number, not the text '1e9'"],
  'infinitely-many': ['kubernetes-prod.yaml:3:3 error SCHEMA_TYPE main.instances must be a whole number, not inf'],
  'infinitely-large': [
    'kubernetes-prod.yaml:3:3 warning UNUSUALLY_LARGE infinitely-large.main in prod: cpus .inf is more than any machine has (512)',
  ],
  port: ['kubernetes-prod.yaml:3:3 error OUT_OF_RANGE port.main in prod: container_port must be a whole number from 1 to 65535, not 70000'],
  env: [
    'kubernetes-prod.yaml:4:5 warning ENV_NEWLINE env.main in prod: the value of LINES has more than one line',
    'kubernetes-prod.yaml:5:5 warning ENV_EXPANSION env.main in prod: Kubernetes replaces $(NAME) in the value of SHELL; nothing runs as a shell command there',
  ],
  secret: [
    "kubernetes-prod.yaml:4:5 error SECRET_MISSING secret.main in prod: secret 'none': there is no secret/secrets/none.json",
    'kubernetes-prod.yaml:6:7 warning SECRET_MISSING secret.main in prod: there is no secret/secrets/none.json',
  ],
  steps: [
    "deploy.yaml:4:9 warning DUPLICATE_STEP deploy group 'g' is a step twice (first on line 2)",
    'deploy.yaml:5:9 error DEPLOY_YAML_INVALID a parallel block inside a parallel block',
    "deploy.yaml:7:5 warning DEPLOY_GROUP_WITHOUT_INSTANCE no instance has the deploy group 'nobody': the step deploys nothing",
  ],
  cyclic: ['deploy.yaml:3:15 error YAML_RECURSIVE an alias stands inside the value that it names'],
  'cyclic-actions': [
    "tron-prod.yaml:2:3 error CRON_INVALID job 'job': '25' is no hour (0 to 23)",
    "tron-prod.yaml:7:21 error CYCLIC_ACTIONS job 'job': actions wait for each other: a → b → a",
    "tron-prod.yaml:8:35 error UNKNOWN_ACTION job 'job': action 'b' requires 'c', which is no action of the job",
  ],
  truncated: ["deployments.json:2:44 error DEPLOYMENTS_UNREADABLE deployments.json ends in the middle: a '{' is never closed"],
  'old-version': [
    "deployments.json:1:1 error DEPLOYMENTS_WITHOUT_V2 deployments.json has only 'v1', which says neither commit nor deploy group",
  ],
  'short-sha': [
    "deployments.json:3:9 error BAD_DEPLOYMENTS deploy group 'g': git_sha 'abc1234' is not a full commit id (40 lower-case hexadecimal digits)",
  ],
  prototype: [
    "kubernetes-prod.yaml:3:3 error UNKNOWN_KEY unknown key '__proto__' in main",
    "kubernetes-prod.yaml:4:3 error UNKNOWN_KEY unknown key 'constructor' in main",
  ],
  'prototype-instance': [
    "kubernetes-prod.yaml:4:1 error UNKNOWN_DEPLOY_GROUP prototype-instance.constructor in prod: deploy group 'prod.constructor' is no step of deploy.yaml",
    'kubernetes-prod.yaml:5:3 error SCHEMA_TYPE constructor.cpus must be a number, not the boolean true',
  ],
  unreadable: [
    'kubernetes-dev.yaml:1:1 error FILE_UNREADABLE no permission to read it',
    'kubernetes-prod.yaml:3:3 error OUT_OF_RANGE main.cpus must be > 0, not 0',
  ],
  itself: ['kubernetes-prod.yaml:3:8 error YAML_RECURSIVE an alias stands inside the value that it names'],
  'beside-broken-mesh': [
    "kubernetes-prod.yaml:2:3 error UNKNOWN_DEPLOY_GROUP beside-broken-mesh.main in prod: deploy group 'gg' is no step of deploy.yaml",
    "kubernetes-prod.yaml:3:9 error SECRET_MISSING beside-broken-mesh.main in prod: secret 'none': there is no beside-broken-mesh/secrets/none.json",
    'kubernetes-prod.yaml:4:3 error MIN_ABOVE_MAX beside-broken-mesh.main in prod: min_instances (5) is greater than max_instances (2)',
    "kubernetes-prod.yaml:6:19 warning UNKNOWN_REGISTRATION beside-broken-mesh.main in prod: registration 'nobody.main': there is no service 'nobody'",
    "smartstack.yaml:2:1 error YAML_INVALID a '[' or '{' is never closed",
  ],
  // Of groups nothing is said: they may be in the part that cannot be read.
  'beside-broken-pipeline': [
    "deploy.yaml:2:1 error YAML_INVALID a '[' or '{' is never closed",
    "kubernetes-prod.yaml:3:9 error SECRET_MISSING beside-broken-pipeline.main in prod: secret 'none': there is no beside-broken-pipeline/secrets/none.json",
    "tron-prod.yaml:2:3 error CRON_INVALID job 'job': '25' is no hour (0 to 23)",
  ],
  'beside-null-group': [
    "kubernetes-prod.yaml:2:3 error DEPLOY_GROUP_INVALID deploy_group of 'main' is null",
    'kubernetes-prod.yaml:2:3 error SCHEMA_TYPE main.deploy_group must be text, not null',
    "kubernetes-prod.yaml:3:9 error SECRET_MISSING beside-null-group.main in prod: secret 'none': there is no beside-null-group/secrets/none.json",
    "kubernetes-prod.yaml:4:3 error UNKNOWN_KEY unknown key 'command' in main",
  ],
  'null-instance': ["kubernetes-prod.yaml:4:1 error INSTANCE_NOT_A_MAPPING instance 'other' has no configuration"],
  größe: ["service.yaml:1:1 error BAD_SERVICE_NAME 'größe' is not a name of a service"],
  x: [],
  good: [],
  'out-of-tree': [':1:1 error LINK_LEAVES_TREE the symbolic link leads out of the tree, to /etc'],
};

it.each(Object.keys(GOLDEN))('%s', (service) => {
  expect(told(service)).toEqual(GOLDEN[service]);
});

it.each<[string, readonly string[]]>([
  ['assignment', ["did you mean 'mem: 512'?"]],
  [
    'assignments',
    ["did you mean 'cpus: 1'?", "did you mean 'team: x'?", "did you mean 'description: x'?", "did you mean 'main: proxy_port'?"],
  ],
  [
    'beside-null-group',
    ["name a group, or remove the line for the default 'prod.main'", 'add the secret, or correct its name', "did you mean 'cmd'?"],
  ],
])('%s says what was meant', (service, hints) => {
  expect(checked.problems.filter(({ file }) => file?.startsWith(`${service}/`) === true).flatMap(({ hint }) => hint ?? [])).toEqual(hints);
});

it('has a golden message for every kind of bad input', () => {
  const long = BAD_INPUTS.map(({ name }) => name).filter((name) => !(name in GOLDEN));
  expect(long).toEqual(['x'.repeat(120)]);
  expect(told('x'.repeat(120))).toEqual([expect.stringMatching(/^:1:1 error SERVICE_NAME_TOO_LONG /)]);
});

it.each(Object.keys(WRONG_TYPES))('a wrong type for %s is told on its line', (key) => {
  const at = `kubernetes-prod.yaml:${String(3 * Object.keys(WRONG_TYPES).indexOf(key) + 3)}:3 error `;
  const found = told('wrong-types').filter((line) => line.startsWith(at));
  expect(found.length).toBeGreaterThan(0);
  expect(found.some((line) => line.includes(key))).toBe(true);
});

it('looks at every service in one run, whatever the others hold, and in short time', () => {
  expect(Object.keys(WRONG_TYPES).length).toBeGreaterThanOrEqual(40);
  expect(checked.services).toHaveLength(BAD_INPUTS.length + 2);
  expect(checked.services.filter(({ errors, warnings }) => errors + warnings === 0).map(({ service }) => service)).toEqual(['good']);
  expect(milliseconds).toBeLessThan(5_000);
  // Keys such as __proto__ stay keys.
  expect(({} as Record<string, unknown>)['cpus']).toBeUndefined();
});
