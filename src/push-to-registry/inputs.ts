import {
  commit,
  duration,
  flag,
  imageVersion,
  readInputs,
  service,
  optionalText,
  TREE_INPUTS,
  type Inputs,
  type InputSource,
  type InputSpec,
} from '../shared/runtime/index.ts';
import { registryProblem } from '../shared/registry/index.ts';

/** What action-push-to-registry/action.yml offers. Options of `paasta push-to-registry`: paasta_tools/cli/cmds/push_to_registry.py. */
export const INPUTS = {
  service: service(),
  commit: commit(),
  'image-version': imageVersion(),
  registry: optionalText({ check: registryProblem }),
  'insecure-registry': flag(),
  'push-legacy-tag': flag({ default: 'true' }),
  force: flag(),
  ...TREE_INPUTS,
  timeout: duration({ default: '60m' }),
  'dry-run': flag(),
} satisfies InputSpec;

export type PushInputs = Inputs<typeof INPUTS>;

/** All inputs, or every problem with them at once. */
export function readPushInputs(runtime: InputSource): PushInputs {
  return readInputs(runtime, INPUTS);
}
