/** action.yml ↔ inputs.ts and outputs.ts ↔ README tables ↔ every `with:` of a workflow ↔ options of the command. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { load } from 'js-yaml';
import { actionDirectories, readAction, refresh, withTables, type ActionFile } from '../../scripts/docs.ts';
import { WORDS } from '../../src/cli/words.ts';
import { INPUTS_OF } from '../../src/readers/inputs.ts';
import type { InputSpec } from '../../src/shared/runtime/inputs.ts';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const ACTIONS = actionDirectories();

interface Step {
  readonly id?: string;
  readonly uses?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}
interface Job {
  readonly uses?: string;
  readonly with?: Readonly<Record<string, unknown>>;
  readonly secrets?: unknown;
  readonly steps?: readonly Step[];
  readonly outputs?: Readonly<Record<string, string>>;
}
interface Workflow {
  readonly on?: {
    readonly workflow_call?: {
      readonly inputs?: Readonly<Record<string, { readonly required?: boolean; readonly description?: string; readonly type?: string }>>;
      readonly secrets?: Readonly<Record<string, { readonly required?: boolean }>>;
      readonly outputs?: Readonly<Record<string, { readonly value: string }>>;
    };
  };
  readonly jobs?: Readonly<Record<string, Job>>;
}

async function spec(directory: string): Promise<{ readonly inputs: InputSpec; readonly outputs: readonly string[] }> {
  const stage = directory.replace(/^action-/, '');
  const { INPUTS } = (await import(`../../src/${stage}/inputs.ts`)) as { INPUTS: InputSpec };
  const { OUTPUTS } = (await import(`../../src/${stage}/outputs.ts`)) as { OUTPUTS: readonly string[] };
  return { inputs: INPUTS, outputs: OUTPUTS };
}

/** What differs between action.yml and the code, as sentences. */
function drift(action: ActionFile, inputs: InputSpec, outputs: readonly string[]): readonly string[] {
  const found: string[] = [];
  const declared = action.inputs ?? {};
  for (const name of Object.keys(declared)) if (!(name in inputs)) found.push(`input ${name} is not read`);
  for (const [name, reader] of Object.entries(inputs)) {
    const input = declared[name];
    if (input === undefined || input === null) {
      found.push(`input ${name} is not declared`);
      continue;
    }
    if ((input.required ?? false) !== reader.required)
      found.push(`input ${name}: required is ${String(input.required ?? false)} in action.yml, ${String(reader.required)} in inputs.ts`);
    // An expression is evaluated by GitHub; the command has its own way to the value.
    const given = input.default === undefined || input.default === '' || input.default.includes('${{') ? undefined : input.default;
    if (given !== (reader.default === '' ? undefined : reader.default))
      found.push(`input ${name}: default is ${String(given)} in action.yml, ${String(reader.default)} in inputs.ts`);
  }
  for (const name of Object.keys(action.outputs ?? {})) if (!outputs.includes(name)) found.push(`output ${name} is not written`);
  for (const name of outputs) if (!(name in (action.outputs ?? {}))) found.push(`output ${name} is not declared`);
  return found;
}

describe.each(ACTIONS)('%s', (directory) => {
  it('declares what the code reads and writes', async () => {
    const { inputs, outputs } = await spec(directory);
    expect(drift(readAction(directory), inputs, outputs)).toEqual([]);
  });

  it('runs the committed bundle on Node 24', () => {
    const { runs } = readAction(directory);
    expect(runs).toEqual({ using: 'node24', main: `../dist/${directory.replace(/^action-/, '')}/index.js` });
  });

  it('has an example for GHCR and one for a cloud registry in its README, when it talks to a registry', () => {
    if (!('registry' in (readAction(directory).inputs ?? {}))) return;
    const readme = readFileSync(join(ROOT, directory, 'README.md'), 'utf8');
    expect(readme).toMatch(/ghcr\.io|GHCR/);
    expect(readme).toMatch(/ecr\.|pkg\.dev|azurecr\.io/);
  });
});

describe('all actions', () => {
  it('hold the four stages of the main path', () => {
    expect(ACTIONS).toEqual(
      expect.arrayContaining(['action-deploy', 'action-itest', 'action-mark-for-deployment', 'action-push-to-registry']),
    );
  });

  it('have README tables as action.yml says (npm run docs)', () => {
    expect(refresh(true)).toEqual([]);
  });

  it('mean the same by the same input', () => {
    const seen = new Map<string, string>();
    const different: string[] = [];
    for (const directory of ACTIONS) {
      for (const [name, input] of Object.entries(readAction(directory).inputs ?? {})) {
        // How long something takes depends on what it is.
        if (name === 'timeout') continue;
        const before = seen.get(name);
        const given = input?.default ?? '';
        if (before !== undefined && before !== given) different.push(`${name}: '${before}' and, in ${directory}, '${given}'`);
        seen.set(name, given);
      }
    }
    expect(different).toEqual([]);
  });

  it('have every input as an option of the command, and no option sets an input that is not there', async () => {
    const found: string[] = [];
    const reachable = new Map<string, Set<string>>();
    for (const word of WORDS) {
      // Words that only read and print have no action; their inputs stand in one table, each word's own.
      const inputs = word.stage === 'readers' ? (INPUTS_OF[word.name] ?? {}) : (await spec(`action-${word.stage}`)).inputs;
      const stage = word.stage === 'readers' ? word.name : word.stage;
      const set = reachable.get(stage) ?? new Set();
      reachable.set(stage, set);
      for (const input of Object.keys(word.inputs ?? {})) set.add(input);
      for (const { names, input, value, commandOnly } of word.options) {
        if (input === undefined || commandOnly === true) continue;
        set.add(input);
        const reader = inputs[input];
        if (reader === undefined) found.push(`paasta ${word.name}: an option sets ${input}, which the stage does not read`);
        if (reader?.secret === true && names.length > 0) found.push(`paasta ${word.name}: the secret ${input} must not be an option`);
        if (value === undefined && reader !== undefined && names.length > 0 && !['true', 'false'].includes(reader.default ?? ''))
          found.push(`paasta ${word.name}: ${names.join(', ')} is a switch, but ${input} takes a value`);
      }
    }
    // A stage may have several words; together they reach every input.
    for (const [stage, set] of reachable)
      for (const input of Object.keys(INPUTS_OF[stage] ?? (await spec(`action-${stage}`)).inputs))
        if (!set.has(input)) found.push(`paasta: no option of a word of ${stage} sets ${input}`);
    expect(found).toEqual([]);
  });
});

/** Workflows of ours and of the examples, and the YAML of READMEs, with their jobs (steps alone count as a job). */
function workflows(): readonly { readonly where: string; readonly workflow: Workflow }[] {
  const files = ['.github/workflows', 'examples/workflows'].flatMap((directory) =>
    existsSync(join(ROOT, directory))
      ? readdirSync(join(ROOT, directory))
          .filter((name) => /\.ya?ml$/.test(name))
          .map((name) => `${directory}/${name}`)
      : [],
  );
  const whole = files.map((where) => ({ where, workflow: load(readFileSync(join(ROOT, where), 'utf8')) as Workflow }));
  const pages = [
    'README.md',
    ...ACTIONS.map((directory) => `${directory}/README.md`),
    ...(existsSync(join(ROOT, 'docs'))
      ? readdirSync(join(ROOT, 'docs'))
          .filter((name) => name.endsWith('.md'))
          .map((name) => `docs/${name}`)
      : []),
  ];
  const quoted = pages
    .filter((page) => existsSync(join(ROOT, page)))
    .flatMap((page) =>
      [...readFileSync(join(ROOT, page), 'utf8').matchAll(/```ya?ml\n([\s\S]*?)```/g)].map(([, text = ''], at) => {
        const value = load(text) as unknown;
        const workflow: Workflow = Array.isArray(value)
          ? { jobs: { snippet: { steps: value as readonly Step[] } } }
          : typeof value === 'object' && value !== null && 'jobs' in value
            ? (value as Workflow)
            : {};
        return { where: `${page} (block ${String(at + 1)})`, workflow };
      }),
    );
  return [...whole, ...quoted];
}

/** `action-itest` of `$/action-itest`, `./action-itest` and `owner/name/action-itest@ref`. */
function actionOf(uses: string | undefined): string | undefined {
  return /(?:^\$\/|^\.\/|^[^/]+\/paasta-actions\/)(action-[a-z-]+)(?:@|$)/.exec(uses ?? '')?.[1];
}

function workflowProblems(where: string, workflow: Workflow): readonly string[] {
  const found: string[] = [];
  for (const [id, job] of Object.entries(workflow.jobs ?? {})) {
    const at = `${where}: job ${id}`;
    const called = /\/\.github\/workflows\/(paasta-[a-z-]+\.yml)(?:@|$)/.exec(job.uses ?? '')?.[1];
    if (called !== undefined) {
      const { inputs = {}, secrets = {} } =
        (load(readFileSync(join(ROOT, '.github/workflows', called), 'utf8')) as Workflow).on?.workflow_call ?? {};
      for (const name of Object.keys(job.with ?? {})) if (!(name in inputs)) found.push(`${at}: ${called} has no input ${name}`);
      for (const [name, { required }] of Object.entries(inputs))
        if (required === true && !(name in (job.with ?? {}))) found.push(`${at}: ${called} needs ${name}`);
      if (typeof job.secrets === 'object' && job.secrets !== null)
        for (const name of Object.keys(job.secrets)) if (!(name in secrets)) found.push(`${at}: ${called} has no secret ${name}`);
    }
    const outputs = new Map<string, readonly string[]>();
    for (const step of job.steps ?? []) {
      const directory = actionOf(step.uses);
      if (directory === undefined) continue;
      if (!ACTIONS.includes(directory)) {
        found.push(`${at}: there is no ${directory}`);
        continue;
      }
      const action = readAction(directory);
      for (const name of Object.keys(step.with ?? {}))
        if (!(name in (action.inputs ?? {}))) found.push(`${at}: ${directory} has no input ${name}`);
      for (const [name, input] of Object.entries(action.inputs ?? {}))
        if (input?.required === true && !(name in (step.with ?? {}))) found.push(`${at}: ${directory} needs ${name}`);
      if (step.id !== undefined) outputs.set(step.id, Object.keys(action.outputs ?? {}));
    }
    for (const [, step = '', name = ''] of JSON.stringify(job).matchAll(/steps\.([\w-]+)\.outputs\.([\w-]+)/g)) {
      if (outputs.has(step) && outputs.get(step)?.includes(name) !== true) found.push(`${at}: step ${step} has no output ${name}`);
    }
    for (const [, other = '', name = ''] of JSON.stringify(job).matchAll(/needs\.([\w-]+)\.outputs\.([\w-]+)/g)) {
      if (workflow.jobs?.[other] !== undefined && !(name in (workflow.jobs[other].outputs ?? {})))
        found.push(`${at}: job ${other} has no output ${name}`);
    }
  }
  for (const [name, { value }] of Object.entries(workflow.on?.workflow_call?.outputs ?? {})) {
    const [, job = '', output = ''] = /jobs\.([\w-]+)\.outputs\.([\w-]+)/.exec(value) ?? [];
    if (workflow.jobs?.[job]?.outputs?.[output] === undefined) found.push(`${where}: output ${name} comes from nowhere`);
  }
  for (const [name, { type, description }] of Object.entries(workflow.on?.workflow_call?.inputs ?? {})) {
    if (type === undefined || description === undefined) found.push(`${where}: input ${name} has no type or no description`);
    const text = JSON.stringify(workflow.jobs);
    if (!new RegExp(`inputs\\.${name}\\b|inputs\\['${name}'\\]`).test(text)) found.push(`${where}: input ${name} is used nowhere`);
  }
  return found;
}

describe('workflows', () => {
  it('give our actions only inputs that they have, and read only outputs that exist', () => {
    expect(workflows().flatMap(({ where, workflow }) => workflowProblems(where, workflow))).toEqual([]);
  });

  it('use every action somewhere', () => {
    const used = new Set(
      workflows()
        .flatMap(({ workflow }) => Object.values(workflow.jobs ?? {}))
        .flatMap(({ steps }) => steps ?? [])
        .flatMap(({ uses }) => actionOf(uses) ?? []),
    );
    expect([...used].sort()).toEqual(ACTIONS);
  });
});

describe('a planted drift is reported', () => {
  const action: ActionFile = {
    name: 'x',
    description: 'x',
    runs: { using: 'node24' },
    inputs: {
      service: { description: 'x' },
      timout: { description: 'x', default: '5m' },
      target: { description: 'x', default: 'test' },
      commit: { description: 'x', required: true },
    },
    outputs: { tag: { description: 'x' } },
  };

  it('between action.yml and inputs.ts', async () => {
    const { inputs } = await spec('action-itest');
    const found = drift(
      action,
      {
        service: inputs['service'] as InputSpec[string],
        target: inputs['target'] as InputSpec[string],
        commit: inputs['commit'] as InputSpec[string],
        timeout: inputs['timeout'] as InputSpec[string],
      },
      ['docker-tag'],
    );
    expect(found).toEqual([
      'input timout is not read',
      'input target: default is test in action.yml, itest in inputs.ts',
      'input commit: required is true in action.yml, false in inputs.ts',
      'input timeout is not declared',
      'output tag is not written',
      'output docker-tag is not declared',
    ]);
  });

  it('between action.yml and the README', () => {
    const readme = withTables('<!-- inputs -->\n<!-- /inputs -->\n<!-- outputs -->\nold\n<!-- /outputs -->\n', action, 'action-x');
    expect(readme).toContain('| `timout` | x | `5m` |\n| `target` | x | `test` |\n| `commit` | x | **required** |');
    expect(readme).toContain('| output | meaning |\n| --- | --- |\n| `tag` | x |\n<!-- /outputs -->');
    expect(readme).not.toContain('old');
    expect(() => withTables('nothing', action, 'action-x')).toThrow('action-x/README.md has no place for the table');
    expect(() => withTables(readme, { ...action, outputs: { tag: { description: ' ' } } }, 'action-x')).toThrow(
      'action-x: output tag has no description',
    );
  });

  it('in a workflow', () => {
    const planted = load(`
on: {workflow_call: {outputs: {tag: {value: '\${{ jobs.mark.outputs.none }}'}}}}
jobs:
  build:
    steps:
      - {id: itest, uses: $/action-itest, with: {servce: hello}}
      - {uses: OWNER/paasta-actions/action-mark-for-deployment@v1}
      - {uses: ./action-rollback}
      - {env: {TAG: '\${{ steps.itest.outputs.dockertag }}'}}
  mark: {uses: OWNER/paasta-actions/.github/workflows/paasta-pipeline.yml@v1, with: {deploy-grp: x, cluster: y}, secrets: {password: x}}
`) as Workflow;
    expect(workflowProblems('w.yml', planted)).toEqual([
      'w.yml: job build: action-itest has no input servce',
      'w.yml: job build: action-mark-for-deployment needs deploy-group',
      'w.yml: job build: there is no action-rollback',
      'w.yml: job build: step itest has no output dockertag',
      'w.yml: job mark: paasta-pipeline.yml has no input deploy-grp',
      'w.yml: job mark: paasta-pipeline.yml needs deploy-group',
      'w.yml: job mark: paasta-pipeline.yml needs soa-configs-repository',
      'w.yml: job mark: paasta-pipeline.yml has no secret password',
      'w.yml: output tag comes from nowhere',
    ]);
  });
});
