/** Settings of an instance: PaaSTA's runtime defaults over the effective mapping. */
import type { InstanceConfig, ServiceConfig, SystemConfig } from './types.ts';
import type { InstanceSettings, SettingsContext } from './settings-types.ts';

export type * from './settings-types.ts';

/** Signature of `settingsOf`. */
export type SettingsOf = (instance: InstanceConfig, service: ServiceConfig, system: SystemConfig, context?: SettingsContext) => InstanceSettings;
