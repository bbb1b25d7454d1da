import { isShortCommit, parseCommit } from '../shared/contract/commit.ts';
import { problem, type Problem } from '../shared/contract/errors.ts';
import { registryProblem } from '../shared/registry/index.ts';
import {
  deployGroup,
  duration,
  flag,
  imageVersion,
  optionalText,
  readInputs,
  service,
  TREE_INPUTS,
  type Inputs,
  type InputSource,
  type InputSpec,
} from '../shared/runtime/inputs.ts';
import {
  GITHUB_INPUTS,
  gitUrl,
  oneRepository,
  REGISTRY_LOGIN_INPUTS,
  repository,
  wholeRegistryLogin,
} from '../shared/runtime/repository-inputs.ts';

/** What action-mark-for-deployment/action.yml offers. Options of `paasta mark-for-deployment`: paasta_tools/cli/cmds/mark_for_deployment.py. */
export const INPUTS = {
  service: service(),
  'deploy-group': deployGroup({ required: true }),
  commit: optionalText({ check: commitProblem }),
  'image-version': imageVersion(),
  'git-url': gitUrl(),
  repository: repository(),
  ...GITHUB_INPUTS,
  'verify-image': flag({ default: 'true' }),
  'wait-for-image': flag(),
  timeout: duration({ default: '30m', min: 1_000 }),
  registry: optionalText({ check: registryProblem }),
  ...REGISTRY_LOGIN_INPUTS,
  'allow-unknown-group': flag(),
  'allow-older': flag(),
  'allow-rolled-back': flag(),
  'create-deployment': flag({ default: 'true' }),
  ...TREE_INPUTS,
  'dry-run': flag(),
} satisfies InputSpec;

export type MarkInputs = Inputs<typeof INPUTS>;

/** All inputs, or every problem with them at once. */
export function readMarkInputs(runtime: InputSource): MarkInputs {
  return readInputs(runtime, INPUTS, [
    oneRepository('to mark in'),
    ({ verifyImage, waitForImage }) =>
      waitForImage && !verifyImage
        ? problem('BAD_INPUT', 'wait-for-image waits for an image that verify-image: false does not look for', {
            input: 'wait-for-image',
            hint: 'leave verify-image at true',
          })
        : undefined,
    wholeRegistryLogin,
  ]);
}

/** A full commit id, or the beginning of one: 4 digits at least, as PaaSTA's short validator. */
function commitProblem(value: string, input: string): Problem | undefined {
  if (isShortCommit(value.toLowerCase())) return undefined;
  const parsed = parseCommit(value, input);
  return typeof parsed === 'string' ? undefined : parsed;
}
