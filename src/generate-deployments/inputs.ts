import { flag, readInputs, service, TREE_INPUTS, type Inputs, type InputSource, type InputSpec } from '../shared/runtime/inputs.ts';
import { GITHUB_INPUTS, gitUrl, urlNeedsService } from '../shared/runtime/repository-inputs.ts';

/** What action-generate-deployments/action.yml offers. Options of `generate_deployments_for_service`: paasta_tools/generate_deployments_for_service.py. */
export const INPUTS = {
  service: service(),
  'git-url': gitUrl(),
  'legacy-control-branches': flag(),
  ...GITHUB_INPUTS,
  ...TREE_INPUTS,
  'dry-run': flag(),
} satisfies InputSpec;

export type GenerateInputs = Inputs<typeof INPUTS>;

/** All inputs, or every problem with them at once. */
export function readGenerateInputs(runtime: InputSource): GenerateInputs {
  return readInputs(runtime, INPUTS, [urlNeedsService]);
}
