import { flag, readInputs, service, TREE_INPUTS, type Inputs, type InputSource, type InputSpec } from '../shared/runtime/inputs.ts';

/** What action-pipeline/action.yml offers. */
export const INPUTS = { service: service(), 'allow-unknown-group': flag(), ...TREE_INPUTS } satisfies InputSpec;

/** Inputs of `paasta pipeline`. */
const COMMAND_INPUTS = { ...INPUTS, json: flag() } satisfies InputSpec;

export type PipelineInputs = Inputs<typeof INPUTS>;

export function readPipelineInputs(runtime: InputSource): PipelineInputs {
  return readInputs(runtime, INPUTS);
}

export function readCommandInputs(runtime: InputSource): Inputs<typeof COMMAND_INPUTS> {
  return readInputs(runtime, COMMAND_INPUTS);
}
