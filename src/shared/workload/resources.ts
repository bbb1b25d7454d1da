/** Requests, limits and capabilities of containers. Upstream: `get_resource_requirements`, `get_security_context`, `get_sidecar_resource_requirements`. */
import { pythonText } from '../contract/python-text.ts';
import { numberOf, type Value } from '../contract/values.ts';
import { CAPS_DROP } from '../soa-configs/docker-parameters.ts';
import type { InstanceSettings, NumberValue } from '../soa-configs/settings-types.ts';
import type { SystemConfig } from '../soa-configs/types.ts';
import { compact, mapOf, plainOf, type Fields } from './values-of.ts';

const SIDECAR_DEFAULTS: Readonly<Record<string, Value>> = { cpu: 0.1, memory: '1024Mi', 'ephemeral-storage': '256Mi' };

/** In floating point, as PaaSTA adds: a workload that it has rendered (3.7 + 1, 0.1 + 0.2) must not bounce when we take it over. */
function sumOfCores(a: NumberValue, b: NumberValue): number {
  return (numberOf(a) ?? 0) + (numberOf(b) ?? 0);
}

/** Main container: CPU limit = `cpus` + `cpu_burst_add`; memory and disk limits equal their requests; GPUs both ways. */
export function containerResources(settings: InstanceSettings): Fields {
  const memory = `${pythonText(settings.mem)}Mi`;
  const disk = `${pythonText(settings.disk)}Mi`;
  const gpus = settings.gpus === null ? 0 : (numberOf(settings.gpus) ?? 0);
  const gpu = gpus === 0 ? {} : { 'nvidia.com/gpu': gpus };
  return {
    requests: { cpu: numberOf(settings.cpus), memory, 'ephemeral-storage': disk, ...gpu },
    limits: { cpu: sumOfCores(settings.cpus, settings.cpuBurstAdd), memory, 'ephemeral-storage': disk, ...gpu },
  };
}

/** `privileged` only when the key exists; `add` and the sorted rest of the drop list when `cap_add` exists. */
export function securityContext(settings: InstanceSettings): Fields {
  const privileged = settings.config['privileged'];
  const given = settings.config['cap_add'] !== undefined && settings.config['cap_add'] !== null;
  const add = settings.capAdd;
  const capabilities = given
    ? { add: [...add], drop: CAPS_DROP.filter((capability) => !add.includes(capability)).sort() }
    : { drop: [...CAPS_DROP] };
  return compact({ capabilities, privileged: privileged === undefined || privileged === null ? undefined : plainOf(privileged) });
}

/**
 * Sidecar: the system's `sidecar_requirements_config` (which replaces the defaults as a whole, so that what it leaves out is
 * `null`), then the instance's requests; limits are the resulting requests unless given.
 */
export function sidecarResources(
  settings: InstanceSettings,
  system: SystemConfig,
  sidecar = 'hacheck',
): { requests: Fields; limits: Fields } {
  const own = mapOf(settings.sidecarResourceRequirements[sidecar]);
  const configured = mapOf(system.values['sidecar_requirements_config'])[sidecar];
  const defaults = configured === undefined ? SIDECAR_DEFAULTS : mapOf(configured);
  const three = (from: Readonly<Fields>): Fields => ({
    cpu: from['cpu'] ?? null,
    memory: from['memory'] ?? null,
    'ephemeral-storage': from['ephemeral-storage'] ?? null,
  });
  const requests = { ...three(plainOf(defaults) as Fields), ...(plainOf(mapOf(own['requests'])) as Fields) };
  const limits = { ...three(requests), ...(plainOf(mapOf(own['limits'])) as Fields) };
  return { requests, limits };
}
