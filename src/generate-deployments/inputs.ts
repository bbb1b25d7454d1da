import { problem, UserError, type Problem } from '../shared/contract/errors.ts';
import { parseGitUrl } from '../shared/git/index.ts';
import { flag, optionalText, readInputs, secret, service, soaDir, systemConfigDir, url, type Inputs, type InputSource, type InputSpec } from '../shared/runtime/inputs.ts';

/** What action-generate-deployments/action.yml offers. Options of `generate_deployments_for_service`: paasta_tools/generate_deployments_for_service.py. */
export const INPUTS = {
  service: service(),
  'git-url': optionalText({ check: gitUrlProblem }),
  'legacy-control-branches': flag(),
  'github-token': secret({ env: 'GITHUB_TOKEN' }),
  'github-api-url': url({ env: 'GITHUB_API_URL' }),
  'soa-dir': soaDir(),
  'system-config-dir': systemConfigDir(),
  'dry-run': flag(),
} satisfies InputSpec;

export type GenerateInputs = Inputs<typeof INPUTS>;

/** All inputs, or every problem with them at once. */
export function readGenerateInputs(runtime: InputSource): GenerateInputs {
  return readInputs(runtime, INPUTS, [
    ({ gitUrl, service: name }) => (gitUrl !== undefined && name === undefined ? problem('BAD_INPUT', 'git-url is the repository of one service, but no service is given', { input: 'git-url', hint: "give 'service', too" }) : undefined),
  ]);
}

function gitUrlProblem(value: string, input: string): Problem | undefined {
  try {
    parseGitUrl(value);
    return undefined;
  } catch (error) {
    if (!(error instanceof UserError) || error.problems[0] === undefined) throw error;
    return { ...error.problems[0], input };
  }
}
