/** Probes of the main container. Upstream: `get_liveness_probe`, `get_readiness_probe`. */
import type { InstanceSettings } from '../soa-configs/instance-settings.ts';
import type { SystemConfig } from '../soa-configs/types.ts';
import { flagOf, type Fields } from './values-of.ts';

/** True when the system configuration says `startup_probe: true`: slow starters are waited for by a startup probe instead of an initial delay. */
export function hasStartupProbe(system: SystemConfig): boolean {
  return flagOf(system.values['startup_probe'], false);
}

/** `null` without a health check. Defaults: first look after 60 s (at once behind a startup probe), every 10 s, 10 s each, 30 failures. */
export function livenessProbe(settings: InstanceSettings, startup = false): Fields | null {
  const check = probeAction(settings);
  if (check === undefined) return null;
  return {
    ...check,
    initialDelaySeconds: startup ? 0 : settings.healthcheckGracePeriodSeconds,
    periodSeconds: settings.healthcheckIntervalSeconds,
    timeoutSeconds: settings.healthcheckTimeoutSeconds,
    failureThreshold: settings.healthcheckMaxConsecutiveFailures,
  };
}

/** What hacheck's readiness looks like: first look after 10 s, out of rotation after 3 failures. */
const MESH_INITIAL_DELAY_SECONDS = 10;
const MESH_FAILURES = 3;

/**
 * Outside the mesh a copy of liveness. In the mesh the hacheck sidecar answers; where none is configured (rule D-no-hacheck) the main
 * container does, with the patience of hacheck, so that a sick pod leaves rotation before liveness restarts it.
 */
export function readinessProbe(settings: InstanceSettings, sidecarAnswers: boolean, startup = false): Fields | null {
  if (sidecarAnswers) return null;
  const probe = livenessProbe(settings, startup);
  if (probe === null || !settings.mesh.inMesh) return probe;
  return {
    ...probe,
    initialDelaySeconds: startup ? 0 : Math.min(settings.healthcheckGracePeriodSeconds, MESH_INITIAL_DELAY_SECONDS),
    failureThreshold: Math.min(settings.healthcheckMaxConsecutiveFailures, MESH_FAILURES),
  };
}

/**
 * The same check, as patient as PaaSTA's liveness with its initial delay: a pod that never answers is restarted after grace period +
 * interval × failures, a pod that answers early gets traffic early. PaaSTA renders none.
 */
export function startupProbe(settings: InstanceSettings): Fields | null {
  const check = probeAction(settings);
  if (check === undefined) return null;
  const period = Math.max(1, settings.healthcheckIntervalSeconds);
  return {
    ...check,
    periodSeconds: settings.healthcheckIntervalSeconds,
    timeoutSeconds: settings.healthcheckTimeoutSeconds,
    failureThreshold: Math.ceil(settings.healthcheckGracePeriodSeconds / period) + settings.healthcheckMaxConsecutiveFailures,
  };
}

function probeAction(settings: InstanceSettings): Fields | undefined {
  const port = settings.containerPort;
  switch (settings.healthcheckMode) {
    case 'http':
    case 'https':
      return { httpGet: { path: settings.healthcheckUri, port, scheme: settings.healthcheckMode.toUpperCase() } };
    case 'tcp':
      return { tcpSocket: { port } };
    case 'cmd':
      return settings.healthcheckCmd === null ? undefined : { exec: { command: ['/bin/sh', '-c', settings.healthcheckCmd] } };
    case null:
      return undefined;
  }
}
