/**
 * soa-configs and system configuration: files in, typed services and settings out. Pure: file text comes in through a `TreeReader`.
 * Validation has an entry of its own, `validate.ts`: the schema validator is heavy, and only those who validate load it.
 */
export type * from './types.ts';
export type * from './settings-types.ts';
export type { Pipeline, PipelineStage, PipelineStep, StepKind } from './pipeline.ts';
export { loadSoaConfigs } from './soa-configs.ts';
export { settingsOf } from './instance-settings.ts';
export { CAPS_DROP } from './docker-parameters.ts';
export { INHERITED_KEYS, INSTANCE_KEYS, keysIdle, NO_EFFECT, unknownKeys } from './idle-keys.ts';
export { tronActionOf } from './tron-action.ts';
export { systemSettingsOf } from './system-settings.ts';
export { ownerOf } from './owner.ts';
export { gitUrlOf, othersOfRepository } from './repository.ts';
export { loadSystemConfig, systemConfigOf } from './system-config.ts';
export { commandProblems, readPipeline, stepKind } from './pipeline.ts';
export { readYaml } from './yaml.ts';
export { readJson } from './json.ts';
export { entriesOf, keysOf, isTruthy } from './yaml-values.ts';
export { registryAddress } from './registry-address.ts';
