import { registryProblem } from '../shared/registry/reference.ts';
import {
  choice,
  commit,
  duration,
  flag,
  imageVersion,
  optionalText,
  readInputs,
  service,
  text,
  TREE_INPUTS,
  type Inputs,
  type InputSource,
  type InputSpec,
} from '../shared/runtime/inputs.ts';

/** What action-itest/action.yml offers. Options of `paasta itest` and `paasta cook-image`: paasta_tools/cli/cmds/itest.py, cook_image.py. */
export const INPUTS = {
  service: service(),
  commit: commit(),
  'image-version': imageVersion(),
  target: choice({ of: ['itest', 'test', 'cook-image'], default: 'itest' }),
  registry: optionalText({ check: registryProblem }),
  'working-directory': text({ default: '.' }),
  timeout: duration({ default: '60m', min: 1_000 }),
  ...TREE_INPUTS,
  'dry-run': flag(),
} satisfies InputSpec;

export type ItestInputs = Inputs<typeof INPUTS>;

export function readItestInputs(runtime: InputSource): ItestInputs {
  return readInputs(runtime, INPUTS);
}
