/** `config`: a directory of system configuration, merged, and a choice of its values with their defaults. */
import { Float, isMap, type Value } from '../../../src/shared/contract/values.ts';
import { loadSystemConfig } from '../../../src/shared/soa-configs/index.ts';
import { systemSettingsOf } from '../../../src/shared/soa-configs/system-settings.ts';
import { REFUSED, type JsonMap, type Plug } from '../types.ts';
import { memoryTree } from '../../support/memory-tree.ts';

function written(value: Value | undefined): unknown {
  if (value instanceof Float) return value.value;
  if (typeof value === 'number' && !Number.isFinite(value)) return { $float: Number.isNaN(value) ? 'nan' : value < 0 ? '-inf' : 'inf' };
  if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)) return { $int: BigInt(value).toString() };
  if (Array.isArray(value)) return (value as readonly Value[]).map(written);
  if (isMap(value)) return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, written(entry)]));
  return value;
}

export const plug: Plug = {
  answer: (test) => {
    const system = loadSystemConfig(memoryTree(test.input['files'] as Readonly<Record<string, string>>));
    if ('error' in test.expected)
      return {
        ours: system.problems.some((p) => p.severity === 'error') ? REFUSED : { merged: written(system.values) },
        wanted: { error: 'refused' },
      };
    const settings: Readonly<Record<string, Value | undefined>> = systemSettingsOf(system);
    const wantedGetters = test.expected['getters'] as JsonMap;
    const camel = (name: string): string => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    const getters = Object.fromEntries(
      Object.entries(wantedGetters).map(([name, wanted]) => {
        const value = settings[camel(name)];
        if (value === undefined) return [name, REFUSED];
        return [name, isMap(wanted) && '$set' in wanted ? { $set: written(value) } : written(value)];
      }),
    );
    // A value of the wrong type is refused by whoever asks for it; the merged mapping is what it is.
    const merged = system.problems.every(({ code }) => code === 'SYSTEM_CONFIG_TYPE') ? written(system.values) : REFUSED;
    return { ours: { merged, getters }, wanted: test.expected };
  },
};
