import { deployGroupsOf, flatSteps, stepProblems, type FlatStep } from '../../../src/pipeline/steps.ts';
import { pipelineLines, pipelineSummary, writeOutputs } from '../../../src/pipeline/outputs.ts';
import { loadSoaConfigs, systemConfigOf, type ServiceConfig } from '../../../src/shared/soa-configs/index.ts';
import { memoryTree } from '../../support/memory-tree.ts';

function config(
  deploy: string,
  instances = 'main: {deploy_group: prod.main}\ncanary: {deploy_group: prod.canary}\ndev: {deploy_group: dev}\n',
): ServiceConfig {
  return loadSoaConfigs(
    memoryTree({ 'web/deploy.yaml': deploy, 'web/kubernetes-prod.yaml': instances }),
    systemConfigOf({ clusters: ['prod'] }),
  ).load('web');
}
const flat = (deploy: string): readonly FlatStep[] => flatSteps(config(deploy).pipeline);
const lines = (deploy: string): readonly string[] =>
  flat(deploy).map(
    ({ stage, id, kind, needs, manual, disabled }) =>
      `${stage} ${kind} ${id} after [${needs.join(' ')}]${manual ? ' by hand' : ''}${disabled ? ' disabled' : ''}`,
  );

describe('order', () => {
  it('each stage needs all steps of the stage before; a gate stands between', () => {
    expect(
      lines(`
pipeline:
- step: itest
- {step: push-to-registry}
- parallel: [{step: dev}, {step: prod.canary, timeout: 60}]
  trigger_next_step_manually: true
- {step: command-smoke, command: ./smoke}
- step: prod.main
`),
    ).toEqual([
      '1 build itest after []',
      '2 build push-to-registry after [itest]',
      '3 deploy dev after [push-to-registry]',
      '3 deploy prod.canary after [push-to-registry]',
      '4 manual approve-command-smoke after [dev prod.canary] by hand',
      '4 command command-smoke after [approve-command-smoke] by hand',
      '5 deploy prod.main after [command-smoke]',
    ]);
  });

  it.each<[string, string, readonly string[]]>([
    [
      'a gate on a step inside a block holds what follows the block',
      'pipeline:\n- parallel: [{step: dev, trigger_next_step_manually: true}, {step: prod.canary}]\n- step: prod.main\n',
      [
        '1 deploy dev after []',
        '1 deploy prod.canary after []',
        '2 manual approve-prod.main after [dev prod.canary] by hand',
        '2 deploy prod.main after [approve-prod.main] by hand',
      ],
    ],
    [
      'a disabled step is passed over',
      'pipeline:\n- step: dev\n- {step: prod.canary, disabled: true}\n- step: prod.main\n',
      ['1 deploy dev after []', '2 deploy prod.canary after [dev] disabled', '3 deploy prod.main after [dev]'],
    ],
    // Otherwise disabling a step would open the gate behind it.
    [
      'the gate of a disabled step holds',
      'pipeline:\n- step: dev\n- {step: prod.canary, disabled: true, trigger_next_step_manually: true}\n- step: prod.main\n',
      [
        '1 deploy dev after []',
        '2 deploy prod.canary after [dev] disabled',
        '3 manual approve-prod.main after [dev] by hand',
        '3 deploy prod.main after [approve-prod.main] by hand',
      ],
    ],
    [
      'a gate passes over a disabled step to the next one that runs',
      'pipeline:\n- {step: dev, trigger_next_step_manually: true}\n- {step: prod.canary, disabled: true}\n- step: prod.main\n',
      [
        '1 deploy dev after []',
        '2 deploy prod.canary after [dev] disabled',
        '3 manual approve-prod.main after [dev] by hand',
        '3 deploy prod.main after [approve-prod.main] by hand',
      ],
    ],
    [
      'one disabled step of a block leaves the others',
      'pipeline:\n- parallel: [{step: dev, disabled: true}, {step: prod.canary}]\n- step: prod.main\n',
      ['1 deploy dev after [] disabled', '1 deploy prod.canary after []', '2 deploy prod.main after [prod.canary]'],
    ],
    [
      'a gate behind the last step holds nothing',
      'pipeline:\n- {step: dev, trigger_next_step_manually: true}\n',
      ['1 deploy dev after []'],
    ],
    [
      'a step that is written twice has two ids',
      'pipeline:\n- step: itest\n- step: itest\n',
      ['1 build itest after []', '2 build itest#2 after [itest]'],
    ],
    ['no steps', 'pipeline: []\n', []],
  ])('%s', (_, deploy, expected) => {
    expect(lines(deploy)).toEqual(expected);
  });

  it('settings are those of the step, inside a block, too', () => {
    const [a, b] = flat(
      "pipeline:\n- parallel:\n  - {step: dev, timeout: 1800, auto_rollback: true, ignore_failure: true, warn: 1.0}\n  - {step: command-x, command: 'make x', service_account: 2024-01-02}\n",
    );
    expect(a).toMatchObject({
      'deploy-group': 'dev',
      timeout: '1800s',
      'continue-on-error': true,
      command: '',
      settings: { timeout: 1800, auto_rollback: true, ignore_failure: true, warn: 1 },
    });
    expect(b).toMatchObject({
      'deploy-group': '',
      kind: 'command',
      command: 'make x',
      timeout: '',
      settings: { service_account: '2024-01-02' },
    });
  });
});

describe('words', () => {
  const said = (deploy: string, options: Partial<Parameters<typeof stepProblems>[1]> = {}): readonly string[] =>
    stepProblems(config(deploy), { checkGroups: true, allowUnknownGroup: false, ...options }).map(
      ({ severity, code, message, hint, line }) => `${line ?? 0} ${severity} ${code} ${message} → ${hint ?? ''}`,
    );

  it.each<[string, RegExp]>([
    [
      'itset',
      /^2 error UNKNOWN_STEP step 'itset' is taken for a deploy group, as every word that is no build step, but no instance of web has that group → did you mean 'itest'\?/,
    ],
    ['prod.mian', /did you mean 'prod\.main'\? deploy groups of web: dev, prod\.canary, prod\.main; build steps: itest, /],
    ['performance-check', /→ deploy groups of web: .*a step that runs a program is named command-…; .*allow-unknown-group: true$/],
  ])('%s is explained', (word, text) => {
    const [only, ...more] = said(`pipeline:\n- step: ${word}\n`);
    expect(only).toMatch(text);
    expect(more).toEqual([]);
  });

  it('unknown ones may be allowed, and nobody can tell without clusters', () => {
    expect(said('pipeline:\n- step: later\n', { allowUnknownGroup: true })[0]).toMatch(/^2 warning UNKNOWN_STEP/);
    expect(said('pipeline:\n- step: later\n', { checkGroups: false })).toEqual([]);
  });

  it('a command without a command is a warning', () => {
    expect(said('pipeline:\n- step: command-x\n')).toEqual([
      "2 warning COMMAND_MISSING step 'command-x' has no command → write the program that it runs as 'command'",
    ]);
  });

  it('the known ones are fine', () => {
    expect(
      said(
        'pipeline:\n- step: itest\n- step: itest-and-push-to-registry\n- step: security-check\n- step: push-to-registry\n- parallel: [{step: dev}, {step: prod.main}]\n',
      ),
    ).toEqual([]);
  });
});

describe('outputs', () => {
  const deploy =
    'pipeline:\n- step: itest\n- {step: dev, trigger_next_step_manually: true}\n- {step: prod.canary, disabled: true}\n- {step: prod.main, timeout: 60}\n';

  it('are JSON: all steps, and matrices of those that run', () => {
    const outputs: Record<string, string> = {};
    writeOutputs({ setOutput: (name, value) => void (outputs[name] = value) }, flat(deploy));
    const read = (name: string) => JSON.parse(outputs[name] ?? '') as unknown;
    expect(read('deploy-groups')).toEqual(['dev', 'prod.main']);
    expect((read('steps') as FlatStep[]).map(({ id }) => id)).toEqual(['itest', 'dev', 'prod.canary', 'approve-prod.main', 'prod.main']);
    expect((read('matrix') as { include: FlatStep[] }).include.map(({ id }) => id)).toEqual([
      'itest',
      'dev',
      'approve-prod.main',
      'prod.main',
    ]);
    expect(
      (read('deploy-matrix') as { include: FlatStep[] }).include.map((step) => [step['deploy-group'], step.manual, step.timeout]),
    ).toEqual([
      ['dev', false, ''],
      ['prod.main', true, '60s'],
    ]);
    expect(deployGroupsOf(flat(deploy))).toEqual(['dev', 'prod.main']);
  });

  it('are a table for people', () => {
    expect(pipelineLines(flat(deploy))).toEqual([
      'STAGE  STEP               KIND               NEEDS              SETTINGS',
      '1      itest              build              -',
      '2      dev                deploy             itest',
      '3      prod.canary        deploy (disabled)  dev                disabled: true',
      '4      approve-prod.main  manual             dev',
      '4      prod.main          deploy             approve-prod.main  timeout: 60',
    ]);
    expect(pipelineSummary('web', flat("pipeline:\n- {step: command-x, command: 'a | b'}\n"))).toContain(
      '| 1 | `command-x` | command |  | command: a \\| b |',
    );
  });
});
