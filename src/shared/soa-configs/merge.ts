/** PaaSTA's merging of mappings (`deep_merge_dictionaries` in paasta_tools/utils.py). */
import { isMap, type Value, type ValueMap } from '../contract/values.ts';
import { emptyMap, entriesOf, rememberKeys } from './yaml-values.ts';

/**
 * Mappings merge key by key; every other value, lists included, is the override's (`null` too). Keys stay in the order of the defaults,
 * new ones follow. Neither argument changes; values are shared with the result.
 */
export function deepMerge(defaults: ValueMap, overrides: ValueMap): ValueMap {
  const result = emptyMap();
  const keys: (readonly [string, Value])[] = [];
  let odd = false;
  for (const [name, key, value] of entriesOf(defaults)) {
    keys.push([name, key]);
    odd ||= typeof key !== 'string' || /^\d+$/.test(key);
    result[name] = value;
  }
  for (const [name, key, value] of entriesOf(overrides)) {
    const before = result[name];
    if (!(name in result)) {
      keys.push([name, key]);
      odd ||= typeof key !== 'string' || /^\d+$/.test(key);
      result[name] = value;
    } else result[name] = isMap(before) && isMap(value) ? deepMerge(before, value) : value;
  }
  if (odd) rememberKeys(result, keys);
  return result;
}
