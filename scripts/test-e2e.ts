/** `npm run test:e2e`: real pods behind a kubelet, and the public workflow through act. Needs root. */
import { jestStep, runSteps } from './steps.ts';

process.exitCode = await runSteps([
  {
    name: 'testbed',
    about: 'what the machine lacks is brought (seconds; on a cold machine 4 to 8 minutes)',
    argv: ['node', 'test/testbed/cli.ts', 'bring', '--size', 'full'],
    always: true,
  },
  jestStep('e2e', 'real pods under load, the three-command script, the pipeline workflow through act (4 min)', '--runInBand'),
]);
