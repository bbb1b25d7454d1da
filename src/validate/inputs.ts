import { problem, type Problem } from '../shared/contract/errors.ts';
import { normaliseServiceName, quoted, serviceNameProblem } from '../shared/contract/validity.ts';
import {
  choice,
  flag,
  list,
  optionalText,
  readInputs,
  TREE_INPUTS,
  type Inputs,
  type InputSource,
  type InputSpec,
} from '../shared/runtime/inputs.ts';
import { GITHUB_INPUTS } from '../shared/runtime/repository-inputs.ts';

/** What action-validate/action.yml offers. Options of `paasta validate`: paasta_tools/cli/cmds/validate.py. */
export const INPUTS = {
  service: list({ check: (value, input) => serviceNameProblem(normaliseServiceName(value), input) }),
  'changed-only': flag(),
  base: optionalText({ check: refProblem }),
  'fail-on': choice({ of: ['error', 'warning'], default: 'error' }),
  'check-run': flag({ default: 'true' }),
  'sarif-file': optionalText(),
  'json-file': optionalText(),
  ...GITHUB_INPUTS,
  ...TREE_INPUTS,
} satisfies InputSpec;

/** Inputs of `paasta validate`: a check run only when it is asked for. */
const COMMAND_INPUTS = { ...INPUTS, 'check-run': flag(), path: optionalText(), json: flag() } satisfies InputSpec;

export type ValidateInputs = Inputs<typeof INPUTS>;
export type CommandInputs = Inputs<typeof COMMAND_INPUTS>;

/** All inputs, or every problem with them at once. */
export function readValidateInputs(runtime: InputSource): ValidateInputs {
  return readInputs(runtime, INPUTS, [contradictions]);
}

export function readCommandInputs(runtime: InputSource): CommandInputs {
  return readInputs(runtime, COMMAND_INPUTS, [
    contradictions,
    ({ path, service }) =>
      path !== undefined && service.length > 0
        ? problem('BAD_INPUT', 'a path and service both say what to validate', { input: 'path', hint: 'give one of them' })
        : undefined,
  ]);
}

function contradictions({ service, changedOnly, base }: Pick<ValidateInputs, 'service' | 'changedOnly' | 'base'>): Problem | undefined {
  if (changedOnly && service.length > 0)
    return problem('BAD_INPUT', 'changed-only chooses the services, and service names them', {
      input: 'changed-only',
      hint: 'give one of them',
    });
  if (!changedOnly && base !== undefined)
    return problem('BAD_INPUT', 'base says what changed-only compares with', { input: 'base', hint: 'set changed-only: true, too' });
  return undefined;
}

/** A ref or commit that git cannot take for an option or a range. */
function refProblem(value: string, input: string): Problem | undefined {
  if (/^[^-\s~^:?*[\\\u0000-\u001f\u007f][^\s~^:?*[\\\u0000-\u001f\u007f]*$/.test(value) && !value.includes('..')) return undefined;
  return problem('BAD_INPUT', `${input}: ${quoted(value)} is not a branch, tag or commit`, { input, hint: 'for example origin/main' });
}
