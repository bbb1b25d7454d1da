import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readDeployInputs } from '../../../src/deploy/inputs.ts';
import { isChanged, summaryJson } from '../../../src/deploy/outputs.ts';
import { readExpected, requireExpected, writePlanFiles } from '../../../src/deploy/plan-files.ts';
import { UserError } from '../../../src/shared/contract/errors.ts';
import { makePlan, planHash, type Plan } from '../../../src/shared/plan/index.ts';
import type { ConvergeResult } from '../../../src/shared/report/deploy-results.ts';
import { rendering } from '../workload/world.ts';

const empty: Plan = { cluster: 'lab', namespaces: [], shared: [], instances: [], problems: [] };
const plan = makePlan(
  [rendering({ service: 'web', yaml: 'cpus: 0.1\nmem: 64\ninstances: 2\ndeploy_group: prod\ncmd: serve' })],
  { objects: new Map() },
  { cluster: 'lab', adopt: false, namespaces: [], services: [] },
);
const hash = planHash(plan);
const messages = (body: () => unknown): readonly string[] => {
  try {
    body();
  } catch (error) {
    if (error instanceof UserError) return error.problems.map((p) => `${p.code} ${p.message}`);
    throw error;
  }
  return [];
};
const inputs = (given: Readonly<Record<string, string>>): ReturnType<typeof readDeployInputs> =>
  readDeployInputs({ input: (name) => given[name] ?? '', env: {}, mask: () => undefined });

describe('a plan in files', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'paasta-plan-'));
  });
  afterEach(() => {
    rmSync(directory, { recursive: true, force: true });
  });

  it('goes where it is asked for, by ending, and comes back as the expected one', () => {
    writePlanFiles(['a/plan.json', 'plan.md'], directory, plan, hash, []);
    expect(readFileSync(join(directory, 'plan.md'), 'utf8')).toContain(`Plan \`${hash}\``);
    const expected = readExpected('a/plan.json', directory);
    expect([expected.hash, expected.document?.instances.length]).toEqual([hash, 1]);
    expect(
      messages(() => {
        requireExpected(expected, plan, hash);
      }),
    ).toEqual([]);
    expect(
      messages(() => {
        requireExpected(readExpected(hash, directory), plan, hash);
      }),
    ).toEqual([]);
  });

  it('that cannot be written is said with its name', () => {
    writeFileSync(join(directory, 'file'), '');
    expect(
      messages(() => {
        writePlanFiles(['file/plan.json'], directory, plan, hash, []);
      })[0],
    ).toMatch(/^PLAN_FILE plan-file: 'file\/plan\.json' cannot be written: /);
  });

  it.each([
    ['no-such.json', "BAD_INPUT expected-plan: 'no-such.json' is neither the hash of a plan nor a file that can be read"],
    ['ABCDEF0123456789', "BAD_INPUT expected-plan: 'ABCDEF0123456789' is neither the hash of a plan nor a file that can be read"],
    ['other.json', "BAD_INPUT expected-plan: 'other.json' is not a plan of this version"],
  ])('expected-plan %s', (value, message) => {
    writeFileSync(join(directory, 'other.json'), '{"schema": "terraform"}');
    expect(messages(() => readExpected(value, directory))).toEqual([message]);
  });

  it('a plan that is another one is refused with both hashes, and says when nothing is left', () => {
    const other = '0123456789abcdef';
    expect(
      messages(() => {
        requireExpected({ hash: other, document: undefined }, plan, hash);
      }),
    ).toEqual([
      `PLAN_CHANGED the plan is ${hash}, but ${other} was approved: soa-configs, marks or the cluster changed since. Nothing was written`,
    ]);
    expect(
      messages(() => {
        requireExpected({ hash: other, document: undefined }, empty, planHash(empty));
      })[0],
    ).toContain('; nothing is left to be done. Nothing was written');
  });

  it('inputs are checked before anything happens', () => {
    expect(inputs({ 'plan-file': 'plan.json, out/plan.md' }).planFile).toEqual(['plan.json', 'out/plan.md']);
    expect(messages(() => inputs({ 'plan-file': 'plan.txt' }))).toEqual([
      "BAD_INPUT plan-file: 'plan.txt' ends neither in .json nor in .md",
    ]);
    expect(messages(() => inputs({ mode: 'wait', 'plan-file': 'plan.md' }))).toEqual([
      'BAD_INPUT mode: wait makes no plan: plan-file has no meaning with it',
    ]);
    expect(messages(() => inputs({ mode: 'wait', 'expected-plan': 'x' }))).toEqual([
      'BAD_INPUT mode: wait makes no plan: expected-plan has no meaning with it',
    ]);
    expect(existsSync(join(directory, 'plan.md'))).toBe(false);
  });
});

describe('the output changed', () => {
  const result = (of: Plan, writes = 0): ConvergeResult => ({
    cluster: 'lab',
    plan: of,
    planHash: planHash(of),
    instances: [],
    problems: [],
    writes,
    requests: { reads: 0, writes: 0 },
    cancelled: false,
    duration: 0,
  });
  it.each([
    ['a plan with writes', plan, 0, 'plan', true],
    ['a plan of shared objects only', { ...empty, shared: plan.instances[0]?.steps ?? [] }, 0, 'plan', true],
    ['an empty plan', empty, 0, 'plan', false],
    ['a run that was refused before its first write', plan, 0, 'apply', false],
    ['a run that wrote', plan, 1, 'apply', true],
  ])('%s', (_, of, writes, mode, expected) => {
    expect(isChanged(result(of, writes), mode)).toBe(expected);
    expect(summaryJson(result(of, writes), mode)['changed']).toBe(expected);
  });
});
