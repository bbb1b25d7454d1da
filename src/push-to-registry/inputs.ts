import { commit, duration, flag, imageVersion, readInputs, service, soaDir, systemConfigDir, optionalText, type Inputs, type InputSource } from '../shared/runtime/index.ts';
import { registryProblem } from '../shared/registry/index.ts';

export const INPUTS = {
  service: service(),
  commit: commit(),
  'image-version': imageVersion(),
  registry: optionalText({ check: registryProblem }),
  'insecure-registry': flag(),
  'push-legacy-tag': flag({ default: 'true' }),
  force: flag(),
  'soa-dir': soaDir(),
  'system-config-dir': systemConfigDir(),
  timeout: duration({ default: '60m' }),
  'dry-run': flag(),
};

export type PushInputs = Inputs<typeof INPUTS>;

/** All inputs, or every problem with them at once. */
export function readPushInputs(runtime: InputSource): PushInputs {
  return readInputs(runtime, INPUTS);
}
