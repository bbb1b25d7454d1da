import type { Diagnosis } from '../../../src/shared/health/types.ts';
import { makePlan } from '../../../src/shared/plan/index.ts';
import type { ConvergeResult, InstanceResult } from '../../../src/shared/report/deploy-results.ts';
import { finalStatus } from '../../../src/shared/report/deploy-status.ts';
import { deploySummary } from '../../../src/shared/report/deploy-summary.ts';
import { failureText, resultText } from '../../../src/shared/report/deploy-text.ts';
import { foreignLine } from '../../../src/shared/report/foreign.ts';
import { planText } from '../../../src/shared/report/plan-text.ts';
import { rendering } from '../workload/world.ts';

const SHA = '1234abcd'.repeat(5);
const result = (more: Partial<InstanceResult> = {}): InstanceResult => ({
  service: 'web',
  instance: 'main',
  cluster: 'lab',
  deployGroup: 'prod',
  state: 'deployed',
  action: 'update',
  reasons: ['new version a → b'],
  effect: 'bounces',
  version: { sha: SHA, imageVersion: null },
  image: 'i',
  namespace: 'paastasvc-web',
  name: 'web-main',
  ready: 3,
  wanted: 3,
  duration: 12_000,
  diagnosis: undefined,
  log: [],
  problems: [],
  file: 'web/kubernetes-lab.yaml',
  line: 3,
  ...more,
});
const diagnosis: Diagnosis = {
  code: 'CRASH_LOOP',
  object: 'Pod web-main-1',
  container: 'main',
  cause: 'The container ends with exit code 3 right after its start.',
  next: 'Read the log below.',
  events: ['BackOff: restarting ×5'],
  inCommit: true,
};
const failed = result({
  instance: 'worker',
  state: 'failed',
  ready: 0,
  duration: 20_000,
  diagnosis,
  stillReady: [
    { version: 'version aaaaaaaa', pods: 3 },
    { version: 'the wanted version', pods: 1 },
  ],
  log: ['DATABASE_URL is not set', '```', '<img src=x> ghp_0123456789abcdefghijABCDEFGHIJ', '\u001b[31mred\u001b[0m'],
});
const all = (instances: readonly InstanceResult[], more: Partial<ConvergeResult> = {}): ConvergeResult => ({
  cluster: 'lab',
  plan: undefined,
  planHash: 'abc',
  instances,
  problems: [],
  writes: 1,
  requests: { reads: 12, writes: 1 },
  cancelled: false,
  duration: 31_000,
  ...more,
});

const FACTS = { cluster: 'lab', server: 'https://k', soaDir: 'soa', soaCommit: SHA, mode: 'apply' };

describe('deploy in plain text', () => {
  it('explains a failure in the order in which one looks', () => {
    expect(failureText(failed)).toEqual([
      'web.worker: CRASH_LOOP',
      '  object: Pod web-main-1, container main',
      '  cause: The container ends with exit code 3 right after its start.',
      '  meanwhile: 3 pods of version aaaaaaaa and 1 pod of the wanted version are ready',
      '  events:',
      '    BackOff: restarting ×5',
      '  last 4 log lines:',
      '    | DATABASE_URL is not set',
      '    | ```',
      '    | <img src=x> ***',
      '    | red',
      '  next: Read the log below.',
    ]);
  });

  it.each<readonly [string, InstanceResult['stillReady']]>([
    ['no pod of it is ready', []],
    ['1 pod of version aaaaaaaa is ready', [{ version: 'version aaaaaaaa', pods: 1 }]],
  ])('says who serves meanwhile: %s', (text, stillReady = []) => {
    expect(failureText({ ...failed, stillReady })).toContain(`  meanwhile: ${text}`);
    expect(deploySummary(all([{ ...failed, stillReady }]), FACTS)).toContain(`**Meanwhile:** ${text}.`);
  });

  it('ends with a table and the cost', () => {
    expect(resultText(all([result(), failed]))).toEqual([
      'web.main    1234abcd  deployed, 3/3 ready after 12 s',
      'web.worker  1234abcd  failed (CRASH_LOOP) at 0/3 ready',
      '1 write, 13 API requests, 31 s',
    ]);
  });

  it('prints a plan', () => {
    const rendered = rendering({ service: 'web', yaml: 'cpus: 0.1\nmem: 64\ninstances: 3\ndeploy_group: prod' });
    const plan = makePlan([rendered], { objects: new Map() }, { cluster: 'c', adopt: false, namespaces: [], services: [] });
    expect(planText(plan, 'abc')).toEqual(
      [
        'plan abc:',
        '  what      action  why                  effect',
        '+ web.main  create  does not exist yet  starts 3 pods',
        '    pods 0 → 3, cpu 0 → 0.3, memory 0 → 192Mi',
      ].map((l) => l.replace('why                  ', 'why                 ')),
    );
  });

  it.each([
    ['a token', 'x ghp_0123456789abcdefghijABCDEFGHIJ y', 'x *** y'],
    ['terminal codes', '\u001b[1;31mred\u001b[0m\u0007', 'red'],
    ['a JWT', 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijk', '***'],
    ['a very long line', 'a'.repeat(10_000), `${'a'.repeat(500)}…`],
  ])('makes %s in a foreign line harmless', (_, line, expected) => {
    expect(foreignLine(line)).toBe(expected);
  });
});

describe('deploy in Markdown', () => {
  it('is this for a mixed outcome', () => {
    const text = deploySummary(all([result(), failed]), FACTS);
    expect(text).toBe(
      [
        '### paasta deploy to lab: failed: 1 of 2',
        '',
        'Cluster lab at https://k; soa-configs soa at `1234abcd1234`; 1 write, 13 API requests, 31 s.',
        '',
        '| | instance | version | outcome | took |',
        '| --- | --- | --- | --- | --- |',
        '| ✅ | web.main | `1234abcd` | deployed, 3/3 ready after 12 s | 12 s |',
        '| ❌ | web.worker | `1234abcd` | failed (CRASH\\_LOOP) at 0/3 ready | 20 s |',
        '',
        '#### ❌ web.worker: `CRASH_LOOP`',
        '',
        'Pod web-main-1, container main: The container ends with exit code 3 right after its start.',
        '',
        '**Meanwhile:** 3 pods of version aaaaaaaa and 1 pod of the wanted version are ready.',
        '',
        '**Next:** Read the log below.',
        '',
        '<details><summary>events</summary>',
        '',
        '```text',
        'BackOff: restarting ×5',
        '```',
        '',
        '</details>',
        '',
        'Last 4 log lines:',
        '',
        '````text',
        'DATABASE_URL is not set',
        '```',
        '<img src=x> ***',
        'red',
        '````',
        '',
        '',
      ].join('\n'),
    );
  });

  it('does not let names become markup', () => {
    expect(
      deploySummary(all([result({ instance: 'a|b<script>@team' })]), {
        cluster: 'lab',
        server: 's',
        soaDir: 'd',
        soaCommit: '',
        mode: 'apply',
      }),
    ).toContain('| ✅ | web.a\\|b&lt;script&gt;@\u200bteam |');
  });
});

describe('status of the GitHub Deployment', () => {
  it.each<[string, InstanceResult[], string, string]>([
    ['all well', [result()], 'success', 'lab: 1 instance of 1234abcd running'],
    ['nothing to do', [result({ state: 'unchanged' })], 'success', 'lab: 1 instance of 1234abcd unchanged'],
    ['one failed', [result(), failed], 'failure', 'lab: web.worker CRASH_LOOP: The container ends with exit code 3 right after its start.'],
    ['superseded', [result({ state: 'superseded', supersededBy: 'version ffff' })], 'inactive', 'lab: superseded by version ffff'],
    ['cancelled', [result({ state: 'cancelled' })], 'failure', 'lab: web.main cancelled'],
  ])('%s', (_, results, state, description) => {
    expect(finalStatus('lab', results)).toEqual({ state, description });
  });

  it("keeps within GitHub's 140 characters", () => {
    const status = finalStatus('lab', [result({ state: 'failed', diagnosis: { ...diagnosis, cause: 'ü'.repeat(500) } })]);
    expect([...status.description]).toHaveLength(140);
  });
});
