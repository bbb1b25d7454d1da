/**
 * What happens before a container is told to stop: it goes on serving while the endpoint is taken out of every proxy.
 * Upstream: `get_kubernetes_container_termination_action`, `get_prestop_drain_seconds`.
 */
import type { InstanceSettings } from '../soa-configs/instance-settings.ts';
import type { PreStop } from './types.ts';
import type { Fields } from './values-of.ts';

/** PaaSTA's hook: a shell that sleeps and then waits while /proc/net/tcp shows an established connection on the port. */
function shellHook(settings: InstanceSettings): Fields {
  const sleep = `sleep ${settings.preStopDrainSeconds}`;
  const port = settings.containerPort.toString(16).toUpperCase().padStart(4, '0');
  const wait = `; while grep '^ *[0-9]*: ........:${port} ........:.... 01 ' /proc/net/tcp; do sleep 1; echo; done`;
  return { exec: { command: ['/bin/sh', '-c', settings.preStopWaitForConnections ? sleep + wait : sleep] } };
}

/**
 * preStop of the main container. The instance's own command wins (a list as it is, text as one word without a shell, as PaaSTA
 * does). Native `sleep` needs no shell in the image; 0 seconds is no hook then (design §5.12).
 */
export function preStopHook(settings: InstanceSettings, form: PreStop): Fields | null {
  const own = settings.preStopCommand;
  if (own !== null && own.length > 0) return { exec: { command: typeof own === 'string' ? [own] : [...own] } };
  if (form === 'exec') return shellHook(settings);
  return settings.preStopDrainSeconds > 0 ? { sleep: { seconds: Math.ceil(settings.preStopDrainSeconds) } } : null;
}
