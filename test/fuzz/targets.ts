/**
 * What is fuzzed: the readers of everything that people or servers write. A target reads one input and says what came of it; it throws
 * `UserError` or returns problems for what is wrong with the input, and anything else that it throws is a finding.
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { Problem } from '../../src/shared/contract/errors.ts';
import { imageReference, pinnedReference, shaOfImage, splitReference, versionOfImage } from '../../src/shared/contract/image.ts';
import { groupsOf, imageVersionFor, parseTag, splitTag, tagRef } from '../../src/shared/contract/tags.ts';
import {
  deploymentsFile,
  deploymentsFromFile,
  deploymentsFromRefs,
  generateDeployments,
  inByteOrder,
  type Ref,
} from '../../src/shared/deployments/index.ts';
import { parseReference, registryProblem } from '../../src/shared/registry/index.ts';
import { keysOf, loadSoaConfigs, loadSystemConfig, readPipeline, readYaml, systemConfigOf } from '../../src/shared/soa-configs/index.ts';
import { isMap, type Value } from '../../src/shared/contract/values.ts';
import { memoryTree } from '../support/memory-tree.ts';

export interface Target {
  readonly name: string;
  readonly dictionary: readonly string[];
  readonly maxBytes: number;
  /** Reads one input; the problems that it has, and any text that tells apart what was read. */
  run(input: string): { readonly problems: readonly Problem[]; readonly shape?: string };
}

/** A rule that holds for every input does not hold: always a finding. */
export class BrokenRule extends Error {}

function rule(holds: boolean, said: string): void {
  if (!holds) throw new BrokenRule(said);
}

/** A bound for walks over what was read: an input decides how large it is. */
const ENOUGH = 50;

function checkPlace(problem: Problem, text: string): void {
  rule(problem.message !== '' && problem.code !== '', 'a problem says what is wrong');
  const lines = text.split(/\r\n|[\n\r\u0085\u2028\u2029]/).length;
  rule(problem.line === undefined || (problem.line >= 1 && problem.line <= lines), `line ${problem.line} of a text with ${lines} lines`);
  rule(problem.column === undefined || problem.column >= 1, `column ${problem.column}`);
}

function kindOf(value: Value): string {
  return value === null ? 'null' : Array.isArray(value) ? 'list' : isMap(value) ? `map ${Math.min(keysOf(value).length, 4)}` : typeof value;
}

const YAML_WORDS = [
  ': ',
  '- ',
  '? ',
  '#',
  '&a ',
  '*a',
  '<<: *a',
  '<<: [*a, *a]',
  '!!set',
  '!!str ',
  '!!binary ',
  '!!omap',
  '!!timestamp ',
  '!x ',
  '!<tag:yaml.org,2002:int> ',
  '|',
  '>-',
  '|2+',
  '>1',
  '---\n',
  '...\n',
  '%YAML 1.1\n',
  '%TAG ! tag:x,2000:\n',
  '{',
  '}',
  '[',
  ']',
  '[[[[',
  '{a: {',
  ',',
  '"\\x00"',
  '"\\ud800"',
  "''",
  '~',
  'yes',
  'No',
  'on',
  '=',
  '.inf',
  '.nan',
  '1_000',
  '0b11',
  '0o7',
  '190:20:30',
  '2001-12-14t21:59:43.10-05:00',
  '2024-99-99',
];

const yaml: Target = {
  name: 'yaml',
  dictionary: YAML_WORDS,
  maxBytes: 65_536,
  run(input) {
    const { document, problem } = readYaml(input, 'web/kubernetes-prod.yaml');
    if (document === undefined) {
      checkPlace(problem, input);
      rule(problem.file === 'web/kubernetes-prod.yaml', 'a problem names its file');
      return { problems: [problem] };
    }
    document.position();
    if (document.recursive === undefined && isMap(document.value)) {
      for (const key of keysOf(document.value).slice(0, ENOUGH)) {
        document.position([key], 'key');
        document.comments([key]);
        rule(document.has([key]), `a key that was read is in the document: ${key}`);
      }
    }
    document.position(['__proto__', 0, 'nothing']);
    return {
      problems: [],
      shape: `${kindOf(document.value)} ${document.recursive === undefined ? '' : 'recursive'} ${Math.min(document.duplicates.length, 3)}`,
    };
  },
};

const tags: Target = {
  name: 'tags',
  dictionary: [
    'paasta-',
    'refs/tags/',
    'refs/heads/',
    '-deploy',
    '-rollback',
    '-start',
    '-stop',
    '+',
    '+v1',
    '^{}',
    '-20240101T000000',
    '20240101T',
    '.',
    '-',
    'prod.main',
    'web',
    'a'.repeat(40),
    '0'.repeat(40),
    '|',
    '.*',
    '\n',
    ' ',
  ],
  maxBytes: 65_536,
  run(input) {
    // As `git ls-remote` prints them, and the whole input as one name.
    const refs: Ref[] = input.split('\n').flatMap((line) => {
      const [, sha, name] = /^([^ \t]*)[ \t](.*)$/.exec(line) ?? [];
      return sha === undefined || name === undefined ? [] : [{ name, sha }];
    });
    const groups = new Set<string>();
    const shapes = new Set<string>();
    for (const name of [tagRef(input), input, ...refs.map((ref) => ref.name)]) {
      splitTag(name);
      const tag = parseTag(name);
      if (tag === undefined) continue;
      shapes.add(tag.kind);
      rule(tagRef(tag.name) === name, 'a tag keeps its name');
      if ('subject' in tag) {
        rule(tag.name === `paasta-${tag.subject}-${tag.timestamp}-${tag.kind}`, 'the parts of a mark make its name');
        for (const group of groupsOf(tag).slice(0, ENOUGH)) {
          const version = imageVersionFor(tag, group);
          rule(version !== undefined, `a mark belongs to its groups: ${group}`);
          rule(version === null || `${group}+${version}` === tag.subject, 'group and image version make the subject');
          if (groups.size < ENOUGH) groups.add(group);
        }
      } else rule(!tag.token.includes('-') && tag.branch !== '', 'a start or stop has a branch and a token');
    }
    const ordered = inByteOrder(refs);
    const deployments = deploymentsFromRefs('web', ordered);
    for (const group of groups) {
      const version = deployments.version(group);
      const newest = deployments.marks(group)[0];
      rule((version === undefined) === (newest === undefined) && version?.sha === newest?.sha, 'the newest mark is the version');
      for (const mark of deployments.marks(group)) rule(mark.timestamp <= (newest?.timestamp ?? ''), 'marks come newest first');
      const control = deployments.control('prod.main', group);
      rule(version !== undefined || control.desiredState === 'start', 'only what runs can be stopped');
      if (version !== undefined) deployments.rollbacks(group, version.sha);
    }
    return { problems: deployments.problems, shape: `${[...shapes].sort().join()} ${Math.min(groups.size, 5)}` };
  },
};

const JSON_WORDS = [
  '{',
  '}',
  '[',
  ']',
  '{"a":',
  '[[[[',
  ',',
  ':',
  '""',
  '"\\u0000"',
  '"\\ud800"',
  '"\\',
  'null',
  'true',
  'NaN',
  '-Infinity',
  '1e5',
  '//',
  '/*',
  '"__proto__":',
  '"10":',
  '"a":1,"a":2',
];

const deploymentsJson: Target = {
  name: 'deployments-json',
  dictionary: [
    ...JSON_WORDS,
    '"v1"',
    '"v2"',
    '"deployments"',
    '"controls"',
    '"docker_image"',
    '"git_sha"',
    '"image_version"',
    '"desired_state"',
    '"force_bounce"',
    '"start"',
    '"stop"',
    'web:prod.main',
    'a'.repeat(40),
  ],
  maxBytes: 65_536,
  run(input) {
    const deployments = deploymentsFromFile('web', input, 'web/deployments.json');
    const { text } = deploymentsFile(generateDeployments('web', [], []), input);
    rule(!deploymentsFile(generateDeployments('web', [], []), text).changed, 'what was written is not written again');
    for (const problem of deployments.problems) checkPlace(problem, input);
    for (const group of ['prod', '__proto__', 'constructor', '']) {
      const version = deployments.version(group);
      rule(version === undefined || /^[0-9a-f]{40}$/i.test(version.sha), `a version has a full commit id: ${version?.sha}`);
      const control = deployments.control(`${group}.main`);
      rule(control.desiredState === 'start' || control.desiredState === 'stop', 'a state is start or stop');
    }
    return {
      problems: deployments.problems,
      shape: `${deployments.version('prod') === undefined ? '' : 'prod'} ${deployments.control('prod.main').desiredState}`,
    };
  },
};

const deployYaml: Target = {
  name: 'deploy-yaml',
  dictionary: [
    ...YAML_WORDS,
    'pipeline:',
    '- step: ',
    'parallel:',
    'itest',
    'push-to-registry',
    'performance-check',
    'command-x',
    'trigger_next_step_manually: true',
    'disabled: true',
    'productiondeploygroup',
    'wait_for_deployment',
    'timeout: 1',
    'auto_rollback',
    'notify_after_mark',
    'deploy_group: ',
  ],
  maxBytes: 32_768,
  run(input) {
    const tree = memoryTree({
      'web/deploy.yaml': input,
      'web/service.yaml': 'git_url: git@example.com:web\n',
      'web/kubernetes-prod.yaml': 'main:\n  deploy_group: prod\n',
    });
    const service = loadSoaConfigs(tree, systemConfigOf({ clusters: ['prod'] })).load('web');
    for (const problem of service.problems) if (problem.file === 'web/deploy.yaml') checkPlace(problem, input);
    const { document } = readYaml(input, 'web/deploy.yaml');
    if (document === undefined || document.recursive !== undefined) return { problems: service.problems };
    const pipeline = readPipeline(document.read, (path) => document.position(path));
    const names = pipeline.stages.flatMap((stage) => stage.steps.filter((step) => step.kind === 'deploy').map((step) => step.name));
    rule(
      pipeline.deployGroups.every((group) => names.includes(group)),
      'every deploy group is a step',
    );
    return {
      problems: service.problems,
      shape: `${Math.min(pipeline.stages.length, 5)} ${Math.min(names.length, 5)} ${pipeline.productionDeployGroup === null ? '' : 'production'}`,
    };
  },
};

const registryReference: Target = {
  name: 'registry-reference',
  dictionary: [
    'docker.io',
    'index.docker.io',
    'localhost',
    '127.0.0.1',
    '[::1]',
    ':5000',
    ':99999',
    '/',
    '//',
    ':',
    '@',
    '@sha256:',
    'sha512:',
    '0'.repeat(64),
    'services-',
    'paasta-',
    ':paasta-',
    '-v1',
    'library',
    'latest',
    '__',
    '--',
    '..',
    'https://',
    'user:pass@',
    'ghcr.io/acme',
    '%2f',
    'A',
  ],
  maxBytes: 65_536,
  run(input) {
    const text = input.replace(/\n$/, '');
    const refused = registryProblem(text);
    splitReference(text);
    rule(splitReference(pinnedReference(text, 'sha256:0')).digest === 'sha256:0', 'a pinned reference has its digest');
    imageReference(text, 'services-web:paasta-0');
    const version = versionOfImage(text);
    shaOfImage(text);
    rule(version === undefined || /^[A-Za-z0-9]+$/.test(version.sha), 'the commit of an image is letters and digits');
    // After the checks above, because it throws for what is none.
    const reference = parseReference(text);
    const again = parseReference(
      `${reference.host}/${reference.repository}${reference.tag === undefined ? '' : `:${reference.tag}`}${reference.digest === undefined ? '' : `@${reference.digest}`}`,
    );
    rule(JSON.stringify(again) === JSON.stringify(reference), 'a reference that is put together again is the same');
    if (refused === undefined) rule(!/[\s@]/.test(text), 'an address of a registry has no blanks');
    return {
      problems: refused === undefined ? [] : [refused],
      shape: `${reference.digest === undefined ? '' : 'digest'} ${reference.tag === undefined ? '' : 'tag'} ${Math.min(reference.repository.split('/').length, 4)}`,
    };
  },
};

/** Between the files of one system configuration. */
const NEXT_FILE = '\n=====\n';

const systemConfig: Target = {
  name: 'system-config',
  dictionary: [...JSON_WORDS, NEXT_FILE, '"clusters"', '"cluster"', '"docker_registry"', '"volumes"', '["prod"]', '{"a": {"b": 1}}'],
  maxBytes: 65_536,
  run(input) {
    const texts = input.split(NEXT_FILE).slice(0, ENOUGH);
    const name = (i: number): string => (i % 3 === 2 ? `deeper/${i}.json` : `${i}.json`);
    const config = loadSystemConfig(memoryTree(Object.fromEntries(texts.map((text, i) => [name(i), text]))));
    for (const problem of config.problems) {
      const at = texts.findIndex((_, i) => name(i) === problem.file);
      rule(problem.file === undefined || at !== -1, `a problem names a file that exists: ${problem.file}`);
      if (at !== -1) checkPlace(problem, texts[at] as string);
    }
    rule(
      Object.getPrototypeOf(config.values) === null || Object.getPrototypeOf(config.values) === Object.prototype,
      'a key named __proto__ is a key',
    );
    return {
      problems: config.problems,
      shape: `${Math.min(Object.keys(config.values).length, 5)} ${config.cluster === undefined ? '' : 'cluster'} ${Math.min(config.clusters.length, 3)}`,
    };
  },
};

export const TARGETS: readonly Target[] = [yaml, tags, deploymentsJson, deployYaml, registryReference, systemConfig];

/** Names and bytes of the kept inputs of a target. */
export function corpusOf(target: string): readonly { readonly name: string; readonly bytes: Buffer }[] {
  const folder = new URL(`../fixtures/fuzz/${target}/`, import.meta.url);
  return readdirSync(folder)
    .sort()
    .map((name) => ({ name, bytes: readFileSync(new URL(name, folder)) }));
}
