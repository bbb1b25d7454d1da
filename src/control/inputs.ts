import { problem, type Problem } from '../shared/contract/errors.ts';
import { clusterNameProblem, deployGroupProblem, quoted } from '../shared/contract/validity.ts';
import { choice, flag, instances, list, optionalText, readInputs, secret, service, soaDir, systemConfigDir, url, type Inputs, type InputSource, type InputSpec } from '../shared/runtime/inputs.ts';

/** What action-control/action.yml offers. Options of `paasta start|stop|restart`: paasta_tools/cli/cmds/start_stop_restart.py. */
export const INPUTS = {
  action: choice({ of: ['start', 'stop', 'restart'], required: true }),
  service: service(),
  cluster: list({ check: clusterNameProblem }),
  instance: instances(),
  'deploy-group': list({ check: deployGroupProblem }),
  'git-url': optionalText({ check: gitUrlProblem }),
  repository: optionalText({ check: repositoryProblem }),
  'github-token': secret({ env: 'GITHUB_TOKEN' }),
  'github-api-url': url({ env: 'GITHUB_API_URL' }),
  'stop-binds-to': choice({ of: ['mark', 'commit'], default: 'mark' }),
  'soa-dir': soaDir(),
  'system-config-dir': systemConfigDir(),
  'dry-run': flag(),
} satisfies InputSpec;

export type ControlInputs = Inputs<typeof INPUTS>;

/** All inputs, or every problem with them at once. A stop is never implicit: PaaSTA learned that from a stop of everything. */
export function readControlInputs(runtime: InputSource): ControlInputs {
  return readInputs(runtime, INPUTS, [
    ({ action, service: name, cluster, instance }) => {
      if (action !== 'stop') return undefined;
      const missing = [...(name === undefined ? ['service'] : []), ...(cluster.length === 0 ? ['cluster'] : []), ...(instance.length === 0 ? ['instance'] : [])];
      return missing.map((input) => problem('INPUT_REQUIRED', `${input}: a stop names its service, clusters and instances`, { input, hint: `give '${input}' (several with commas): nothing is stopped because a name was left out` }));
    },
    ({ gitUrl, repository }) => (gitUrl !== undefined && repository !== undefined ? problem('BAD_INPUT', 'git-url and repository both name the repository of the service', { input: 'git-url', hint: 'give one of them' }) : undefined),
  ]);
}

function repositoryProblem(value: string, input: string): Problem | undefined {
  if (/^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\/[A-Za-z0-9._-]{1,100}$/.test(value) && !/\/\.{1,2}$/.test(value)) return undefined;
  return problem('BAD_INPUT', `${input}: ${quoted(value)} is not a repository`, { input, hint: 'write owner/name' });
}

/** Addresses that git would take for an option or for a program to start (`ext::`) are refused. */
function gitUrlProblem(value: string, input: string): Problem | undefined {
  const plain = !/[\s\p{Cc}]/u.test(value) && !value.startsWith('-') && !/^[A-Za-z0-9]+::/.test(value);
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(value)?.[1]?.toLowerCase();
  if (plain && (scheme === undefined || ['http', 'https', 'ssh', 'git', 'git+ssh', 'file'].includes(scheme))) return undefined;
  return problem('BAD_INPUT', `${input}: ${quoted(value)} is not a git address`, { input, hint: 'write https://host/owner/name.git, ssh://…, git@host:owner/name.git or a path' });
}
