/** Rule: `deep_merge_dictionaries`: mappings merge key by key, anything else is replaced by the overriding side. */
import { isMap, type Value, type ValueMap } from './values.ts';

/** New mapping without a prototype; `overrides` wins. */
export function deepMerge(overrides: ValueMap, defaults: ValueMap): ValueMap {
  const merged: Record<string, Value> = Object.create(null) as Record<string, Value>;
  for (const [key, value] of Object.entries(defaults)) merged[key] = value;
  for (const [key, value] of Object.entries(overrides)) {
    const below = merged[key];
    merged[key] = isMap(value) && isMap(below) ? deepMerge(value, below) : value;
  }
  return merged;
}
