import { readYaml } from '../../../src/shared/soa-configs/yaml.ts';
import { readPipeline, type Pipeline } from '../../../src/shared/soa-configs/pipeline.ts';

function pipeline(text: string): Pipeline {
  const { document } = readYaml(text, 'deploy.yaml');
  return readPipeline(document?.read ?? null, (path) => document?.position(path) ?? { file: 'deploy.yaml' });
}

it('reads build words, deploy groups, parallel blocks, gates and settings inside blocks', () => {
  const read = pipeline(`
production_deploy_group: prod.rest
pipeline:
- step: itest
- step: push-to-registry
- parallel:
  - step: dev.a
    timeout: 60
  - step: dev.b
  trigger_next_step_manually: true
- {step: prod.canary, trigger_next_step_manually: true}
- step: command-smoke
- {step: prod.rest, disabled: true}
`);
  expect(read.problems).toEqual([]);
  expect(read.deployGroups).toEqual(['dev.a', 'dev.b', 'prod.canary', 'prod.rest']);
  expect(read.productionDeployGroup).toBe('prod.rest');
  expect(read.stages.map((s) => [s.steps.map((x) => `${x.kind} ${x.name}`), s.manualGateAfter, s.disabled])).toEqual([
    [['build itest'], false, false],
    [['build push-to-registry'], false, false],
    [['deploy dev.a', 'deploy dev.b'], true, false],
    [['deploy prod.canary'], true, false],
    [['command command-smoke'], false, false],
    [['deploy prod.rest'], false, true],
  ]);
  expect(read.stages[2]?.steps[0]?.settings['timeout']).toBe(60);
});

it.each<[string, RegExp]>([
  ['pipeline: 5\n', /1 pipeline must be a list of steps/],
  ['- step: a\n', /1 deploy.yaml must be a mapping/],
  ['pipeline:\n- a\n', /2 the text 'a' is not a step/],
  ['pipeline:\n- {timeout: 5}\n', /2 a step of the pipeline has no name/],
  ['pipeline:\n- step: 5\n', /2 the name of a step must be text, not 5/],
  ['pipeline:\n- parallel: x\n', /2 parallel must be a list of steps/],
  ['pipeline:\n- parallel:\n  - parallel:\n    - step: a\n', /3 a parallel block inside a parallel block/],
  ['pipeline:\n- step: a\n  tiemout: 5\n', /3 unknown key 'tiemout' in a step/],
  ['pipeline:\n- step: a\n- step: a\n', /3 deploy group 'a' is a step twice \(first on line 2\)/],
])('says what is wrong with %j', (text, message) => {
  expect(
    pipeline(text)
      .problems.map((p) => `${p.line ?? 0} ${p.message}`)
      .join('\n'),
  ).toMatch(message);
});
