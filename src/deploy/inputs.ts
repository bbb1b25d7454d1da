import { problem, type Problem } from '../shared/contract/errors.ts';
import { registryProblem } from '../shared/registry/index.ts';
import {
  choice,
  cluster,
  deployGroup,
  duration,
  flag,
  instances,
  list,
  optionalInteger,
  optionalText,
  readInputs,
  service,
  text,
  TREE_INPUTS,
  type Inputs,
  type InputSource,
  type InputSpec,
} from '../shared/runtime/inputs.ts';
import { GITHUB_INPUTS, gitUrl, REGISTRY_LOGIN_INPUTS, urlNeedsService, wholeRegistryLogin } from '../shared/runtime/repository-inputs.ts';
import { planFileProblem } from './plan-files.ts';

/** What action-deploy/action.yml offers. */
export const INPUTS = {
  service: service(),
  instance: instances(),
  'deploy-group': deployGroup(),
  cluster: cluster(),
  mode: choice({ of: ['plan', 'apply', 'wait'], default: 'apply' }),
  ...TREE_INPUTS,
  kubeconfig: text(),
  'kube-context': optionalText({ check: contextProblem }),
  'git-url': gitUrl(),
  ...GITHUB_INPUTS,
  'deployment-id': optionalInteger({ min: 1 }),
  registry: optionalText({ check: registryProblem }),
  ...REGISTRY_LOGIN_INPUTS,
  'pin-digest': flag({ default: 'true' }),
  'stop-binds-to': choice({ of: ['mark', 'commit'], default: 'mark' }),
  adopt: flag(),
  timeout: duration({ default: '30m', min: 1_000 }),
  'stability-window': duration({ default: '60s', min: 0 }),
  'rate-limit': optionalInteger({ min: 0 }),
  'dry-run': flag(),
  'plan-file': list({ check: planFileProblem }),
  'expected-plan': optionalText(),
} satisfies InputSpec;

export type DeployInputs = Inputs<typeof INPUTS>;

/** All inputs, or every problem with them at once. */
export function readDeployInputs(runtime: InputSource): DeployInputs {
  return readInputs(runtime, INPUTS, [
    ({ instance, service: name }) =>
      instance.length > 0 && name === undefined
        ? problem('BAD_INPUT', 'instance names an instance of a service, but no service is given', {
            input: 'instance',
            hint: "give 'service', too",
          })
        : undefined,
    urlNeedsService,
    ({ mode, adopt, dryRun }) =>
      mode === 'wait' && (adopt || dryRun)
        ? problem('BAD_INPUT', `mode: wait writes nothing: ${adopt ? 'adopt' : 'dry-run'} has no meaning with it`, {
            input: 'mode',
            hint: 'use mode: plan to see what would be done',
          })
        : undefined,
    ({ mode, planFile, expectedPlan }) =>
      mode === 'wait' && (planFile.length > 0 || expectedPlan !== undefined)
        ? problem(
            'BAD_INPUT',
            `mode: wait makes no plan: ${expectedPlan === undefined ? 'plan-file' : 'expected-plan'} has no meaning with it`,
            { input: 'mode', hint: 'use mode: plan or mode: apply' },
          )
        : undefined,
    wholeRegistryLogin,
  ]);
}

function contextProblem(value: string, input: string): Problem | undefined {
  return /[\p{Cc}]/u.test(value)
    ? problem('BAD_INPUT', `${input}: a context name has no control characters`, {
        input,
        hint: 'write the name of a context of the kubeconfig',
      })
    : undefined;
}
