/** Instances that would be the same object in Kubernetes: `_` becomes `--` there, and two files may name one instance. */
import { problem, type Problem } from '../contract/errors.ts';
import type { InstanceConfig, ServiceConfig } from '../soa-configs/types.ts';
import type { Rendering } from './desired.ts';
import { longRunning } from './select.ts';
import { placeOf } from './wishes.ts';

function fileOf(instance: InstanceConfig): string {
  const { file, line } = instance.position();
  return `${file}${line === undefined ? '' : `:${line}`}`;
}

/** Every instance of a cluster whose workload another one would overwrite, whether that one is deployed in this run or not. Neither is touched. */
export function clashes(services: readonly ServiceConfig[], cluster: string): ReadonlyMap<InstanceConfig, Problem> {
  const byPlace = new Map<string, InstanceConfig[]>();
  for (const instance of longRunning(services, cluster)) {
    const { namespace, name } = placeOf(instance);
    const key = `${namespace}/${name}`;
    byPlace.set(key, [...(byPlace.get(key) ?? []), instance]);
  }
  const found = new Map<InstanceConfig, Problem>();
  for (const [place, instances] of byPlace) {
    for (const instance of instances.length < 2 ? [] : instances) {
      const others = instances
        .filter((other) => other !== instance)
        .map((other) => `${other.service}.${other.instance} (${fileOf(other)})`);
      found.set(
        instance,
        problem(
          'NAME_COLLISION',
          `${instance.service}.${instance.instance} and ${others.join(', ')} are both ${place} in Kubernetes: neither is deployed`,
          { ...instance.position(), hint: 'rename one: _ becomes -- there' },
        ),
      );
    }
  }
  return found;
}

/** A rendering that clashes is none. */
export function withoutClash(rendering: Rendering, clashing: ReadonlyMap<InstanceConfig, Problem>): Rendering {
  const clash = clashing.get(rendering.wish.instance);
  return clash === undefined ? rendering : { wish: rendering.wish, problems: [clash] };
}
