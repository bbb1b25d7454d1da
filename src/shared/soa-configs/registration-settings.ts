/** Where an instance registers in the mesh, and what is known of it there. Rule: `get_registrations` in long_running_service_tools.py. */
import { numberOf } from '../contract/values.ts';
import { meshSettingsOf } from './mesh-settings.ts';
import type { InstanceReader } from './setting-reader.ts';
import type { InstanceSettings } from './settings-types.ts';
import type { InstanceConfig, ServiceConfig } from './types.ts';

/** `nerveNamespace`, `mesh` and `proxyPort` are those of the first registration. */
export function meshOf(
  instance: InstanceConfig,
  service: ServiceConfig,
  read: InstanceReader,
  tron: boolean,
): Pick<InstanceSettings, 'registrations' | 'invalidRegistrations' | 'nerveNamespace' | 'mesh' | 'proxyPort'> {
  const own = `${instance.service}.${instance.instance}`;
  let registrations = tron ? [] : read.texts('registrations', ['registrations']);
  if (registrations.length === 0) {
    const namespace = tron ? null : read.optionalText('registrations', ['nerve_ns']);
    registrations = [namespace === null ? own : `${instance.service}.${namespace}`];
  }
  const parts = (registration: string): number => registration.split('.').length;
  const invalid = tron ? [] : registrations.filter((r) => parts(r) !== 2 && parts(r) !== 4);
  for (const bad of invalid)
    read.fault(
      'invalidRegistrations',
      'REGISTRATION_INVALID',
      `registration '${bad}' is not of the form service.namespace`,
      ['registrations', Math.max(0, registrations.indexOf(bad))],
      `for example ${own}`,
    );
  // Listing invalid ones is an answer, not a failure; only a first registration that cannot be split has no namespace.
  if (invalid.length > 0) delete read.faults.invalidRegistrations;
  const first = registrations[0] as string;
  if (invalid.includes(first))
    read.fault('nerveNamespace', 'REGISTRATION_INVALID', `the first registration '${first}' names no namespace`, ['registrations', 0]);
  const { mesh, problem } = meshSettingsOf(
    invalid.includes(first) || tron ? { registration: first, values: undefined, inMesh: false } : service.mesh(first),
  );
  if (problem !== undefined) read.fault('mesh', problem.code, problem.message, [], problem.hint);
  const registered = tron || invalid.includes(first) ? undefined : numberOf(service.registered(first).values?.proxy_port);
  return { registrations, invalidRegistrations: invalid, nerveNamespace: first.split('.')[1] ?? '', mesh, proxyPort: registered ?? null };
}
