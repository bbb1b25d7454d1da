/** Instances and the versions that git says they shall run. */
import { UserError, type Problem } from '../contract/errors.ts';
import { appName, defaultNamespace } from '../contract/names.ts';
import type { Control, Deployed } from '../deployments/types.ts';
import type { InstanceConfig, ServiceConfig } from '../soa-configs/types.ts';
import { pooled } from './pool.ts';
import type { VersionSource } from './ports.ts';

/** An instance and what it shall run; `deployed` is absent when its group was never marked. */
export interface Wish {
  readonly instance: InstanceConfig;
  readonly service: ServiceConfig;
  readonly deployed: Deployed | undefined;
  readonly control: Control;
  readonly problems: readonly Problem[];
}

const STARTED: Control = { desiredState: 'start', forceBounce: null };

/** Asks for the versions of every service once. A service whose versions cannot be read takes only its own instances down. */
export async function resolveVersions(
  instances: readonly InstanceConfig[],
  services: readonly ServiceConfig[],
  versions: VersionSource,
): Promise<readonly Wish[]> {
  const byName = new Map(services.map((s) => [s.service, s]));
  const wishes: Wish[] = [];
  await pooled([...new Set(instances.map((i) => i.service))], 8, async (name) => {
    const service = byName.get(name);
    if (service === undefined) return;
    const own = instances.filter((i) => i.service === name);
    try {
      const deployments = await versions.deployments(name);
      const problems = deployments.problems.filter((p) => p.severity === 'error');
      for (const instance of own) {
        const deployed = instance.deployGroup === undefined ? undefined : deployments.version(instance.deployGroup);
        wishes.push({
          instance,
          service,
          deployed,
          control: deployments.control(instance.branch),
          problems: deployed === undefined ? problems : [],
        });
      }
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      for (const instance of own) wishes.push({ instance, service, deployed: undefined, control: STARTED, problems: error.problems });
    }
  });
  // In the order of soa-configs, whoever answered first.
  const order = new Map(instances.map((i, n) => [i, n]));
  return wishes.sort((a, b) => (order.get(a.instance) ?? 0) - (order.get(b.instance) ?? 0));
}

export function placeOf(instance: InstanceConfig): { readonly namespace: string; readonly name: string } {
  const own = instance.config['namespace'];
  return {
    namespace: typeof own === 'string' && own !== '' ? own : defaultNamespace(instance.service),
    name: appName(instance.service, instance.instance),
  };
}
