/** Whose container port a Service sends to that several instances share through a registration. */
import { numberOf } from '../contract/values.ts';
import { DEFAULT_CONTAINER_PORT } from '../soa-configs/instance-settings.ts';
import type { ServiceConfig } from '../soa-configs/types.ts';
import { registrationServiceName, type PortOwners } from '../workload/index.ts';
import { longRunning } from './select.ts';
import { placeOf } from './wishes.ts';

/**
 * That of the instance whose name the registration bears, else of the first one. All instances of the cluster are looked at, deployed in
 * this run or not: else each deploy group would take the Service away from the other.
 */
export function portOwners(services: readonly ServiceConfig[], cluster: string): PortOwners {
  const found = new Map<string, { readonly port: number; readonly by: string }>();
  for (const instance of longRunning(services, cluster)) {
    const by = `${instance.service}.${instance.instance}`;
    const { registrations, container_port: written } = instance.config;
    const port = written === undefined || written === null ? DEFAULT_CONTAINER_PORT : numberOf(written);
    if (port === undefined) continue;
    for (const registration of Array.isArray(registrations) && registrations.length > 0 ? registrations : [by]) {
      if (typeof registration !== 'string') continue;
      const key = `${placeOf(instance).namespace}/${registrationServiceName(registration)}`;
      if (!found.has(key) || registration === by) found.set(key, { port, by });
    }
  }
  return found;
}
