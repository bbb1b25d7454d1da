/** Jobs of tron-<cluster>.yaml: the mapping of each, with its actions as instances `job.action`. Rule: `TronJobConfig` in paasta_tools/tron_tools.py. */
import { isMap, type ValueMap } from '../contract/values.ts';
import type { InstanceConfig, Position, TronJob } from './types.ts';
import { emptyMap, entriesOf, keysOf } from './yaml-values.ts';
import type { YamlDocument } from './yaml.ts';

/** Jobs in file order, templates and what is no job left out. `instances`: the actions of the file that could be read. */
export function tronJobs(
  file: ValueMap,
  place: { readonly service: string; readonly cluster: string },
  instances: readonly InstanceConfig[],
  document: YamlDocument,
): readonly TronJob[] {
  return entriesOf(file).flatMap(([job, key, config]): TronJob[] => {
    if (job.startsWith('_') || typeof key !== 'string' || !isMap(config)) return [];
    const named = keysOf(isMap(config['actions']) ? config['actions'] : emptyMap());
    const actions = named.flatMap((name) => instances.find(({ instance }) => instance === `${job}.${name}`) ?? []);
    const position = (path: readonly (string | number)[] = []): Position =>
      document.position(document.has([job, ...path]) ? [job, ...path] : [job]);
    return [{ ...place, job, config, actions, complete: named.length > 0 && actions.length === named.length, position }];
  });
}
