import { problem } from '../shared/contract/errors.ts';
import { clusterNameProblem, deployGroupProblem } from '../shared/contract/validity.ts';
import {
  choice,
  flag,
  instances,
  list,
  readInputs,
  service,
  TREE_INPUTS,
  type Inputs,
  type InputSource,
  type InputSpec,
} from '../shared/runtime/inputs.ts';
import { GITHUB_INPUTS, gitUrl, oneRepository, repository } from '../shared/runtime/repository-inputs.ts';

/** What action-control/action.yml offers. Options of `paasta start|stop|restart`: paasta_tools/cli/cmds/start_stop_restart.py. */
export const INPUTS = {
  action: choice({ of: ['start', 'stop', 'restart'], required: true }),
  service: service(),
  cluster: list({ check: clusterNameProblem }),
  instance: instances(),
  'deploy-group': list({ check: deployGroupProblem }),
  'git-url': gitUrl(),
  repository: repository(),
  ...GITHUB_INPUTS,
  'stop-binds-to': choice({ of: ['mark', 'commit'], default: 'mark' }),
  ...TREE_INPUTS,
  'dry-run': flag(),
} satisfies InputSpec;

export type ControlInputs = Inputs<typeof INPUTS>;

/** All inputs, or every problem with them at once. A stop is never implicit: PaaSTA learned that from a stop of everything. */
export function readControlInputs(runtime: InputSource): ControlInputs {
  return readInputs(runtime, INPUTS, [
    ({ action, service: name, cluster, instance }) => {
      if (action !== 'stop') return undefined;
      const missing = [
        ...(name === undefined ? ['service'] : []),
        ...(cluster.length === 0 ? ['cluster'] : []),
        ...(instance.length === 0 ? ['instance'] : []),
      ];
      return missing.map((input) =>
        problem('INPUT_REQUIRED', `${input}: a stop names its service, clusters and instances`, {
          input,
          hint: `give '${input}' (several with commas): nothing is stopped because a name was left out`,
        }),
      );
    },
    oneRepository('of the service'),
  ]);
}
