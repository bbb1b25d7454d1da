/** `npm test`: types, lint, unit, contract, integration and bundle tests. The kubelet ones are `npm run test:e2e`. */
import { jestStep, runSteps } from './steps.ts';

process.exitCode = await runSteps([
  { name: 'types', about: 'the TypeScript compiler over everything (10 s)', argv: ['tsc', '-p', '.'] },
  { name: 'lint', about: 'typed lint and the import rules (20 s)', argv: ['eslint', '.', '--max-warnings', '0'] },
  { name: 'format', about: 'the form of prettier (10 s); npm run format gives it', argv: ['prettier', '--check', '.'] },
  jestStep('unit', 'pure rooms, by tables (20 s)'),
  jestStep('contract', 'action.yml, inputs, READMEs, workflows, import rules, a fresh build of dist/ (1 min)'),
  { name: 'conformance', about: "our results against PaaSTA's own (10 s)", argv: ['node', 'test/conformance/run.ts'] },
  {
    name: 'testbed',
    about: 'what the machine lacks is brought (seconds; on a cold machine 4 to 8 minutes, most of it the first build of Kubernetes)',
    argv: ['node', 'test/testbed/cli.ts', 'bring'],
    always: true,
  },
  jestStep('integration', 'against real git, docker, a registry and an API server (3 min)', '--maxWorkers=2'),
  jestStep('bundle', 'the committed bundles, run as the runner runs them (2 min)', '--maxWorkers=2'),
]);
