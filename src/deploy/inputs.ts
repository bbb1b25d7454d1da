import { problem, type Problem } from '../shared/contract/errors.ts';
import { registryProblem } from '../shared/registry/index.ts';
import { choice, cluster, deployGroup, duration, flag, instances, optionalInteger, optionalText, readInputs, secret, service, soaDir, systemConfigDir, text, url, type Inputs, type InputSource, type InputSpec } from '../shared/runtime/inputs.ts';

/** What action-deploy/action.yml offers. */
export const INPUTS = {
  service: service(),
  instance: instances(),
  'deploy-group': deployGroup(),
  cluster: cluster(),
  mode: choice({ of: ['plan', 'apply', 'wait'], default: 'apply' }),
  'soa-dir': soaDir(),
  'system-config-dir': systemConfigDir(),
  kubeconfig: text(),
  'kube-context': optionalText({ check: contextProblem }),
  'git-url': optionalText({ check: gitUrlProblem }),
  'github-token': secret({ env: 'GITHUB_TOKEN' }),
  'github-api-url': url({ env: 'GITHUB_API_URL' }),
  'deployment-id': optionalInteger({ min: 1 }),
  registry: optionalText({ check: registryProblem }),
  'insecure-registry': flag(),
  'registry-username': text(),
  'registry-password': secret(),
  'pin-digest': flag({ default: 'true' }),
  'stop-binds-to': choice({ of: ['mark', 'commit'], default: 'mark' }),
  adopt: flag(),
  timeout: duration({ default: '30m', min: 1_000 }),
  'dry-run': flag(),
} satisfies InputSpec;

export type DeployInputs = Inputs<typeof INPUTS>;

/** All inputs, or every problem with them at once. */
export function readDeployInputs(runtime: InputSource): DeployInputs {
  return readInputs(runtime, INPUTS, [
    ({ instance, service: name }) => (instance.length > 0 && name === undefined ? problem('BAD_INPUT', 'instance names an instance of a service, but no service is given', { input: 'instance', hint: "give 'service', too" }) : undefined),
    ({ gitUrl, service: name }) => (gitUrl !== undefined && name === undefined ? problem('BAD_INPUT', 'git-url is the repository of one service, but no service is given', { input: 'git-url', hint: "give 'service', too" }) : undefined),
    ({ mode, adopt, dryRun }) => (mode === 'wait' && (adopt || dryRun) ? problem('BAD_INPUT', `mode: wait writes nothing: ${adopt ? 'adopt' : 'dry-run'} has no meaning with it`, { input: 'mode', hint: 'use mode: plan to see what would be done' }) : undefined),
    ({ registryUsername, registryPassword }) =>
      (registryUsername === '') !== (registryPassword === '')
        ? problem('BAD_INPUT', `registry-${registryUsername === '' ? 'username' : 'password'} is missing beside registry-${registryUsername === '' ? 'password' : 'username'}`, { input: registryUsername === '' ? 'registry-username' : 'registry-password', hint: 'give both or none' })
        : undefined,
  ]);
}

function contextProblem(value: string, input: string): Problem | undefined {
  return /[\p{Cc}]/u.test(value) ? problem('BAD_INPUT', `${input}: a context name has no control characters`, { input, hint: 'write the name of a context of the kubeconfig' }) : undefined;
}

/** Addresses that git would take for an option or for a program to start (`ext::`) are refused. */
function gitUrlProblem(value: string, input: string): Problem | undefined {
  const plain = !/[\s\p{Cc}]/u.test(value) && !value.startsWith('-') && !/^[A-Za-z0-9]+::/.test(value);
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(value)?.[1]?.toLowerCase();
  if (plain && (scheme === undefined || ['http', 'https', 'ssh', 'git', 'git+ssh', 'file'].includes(scheme))) return undefined;
  return problem('BAD_INPUT', `${input}: this is not a git address`, { input, hint: 'write https://host/owner/name.git, ssh://…, git@host:owner/name.git or a path' });
}
