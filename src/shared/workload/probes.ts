/** Probes of the main container. Upstream: `get_liveness_probe`, `get_readiness_probe`. */
import type { InstanceSettings } from '../soa-configs/instance-settings.ts';
import type { Fields } from './values-of.ts';

/** `null` without a health check. Defaults: first look after 60 s, every 10 s, 10 s each, 30 failures. */
export function livenessProbe(settings: InstanceSettings): Fields | null {
  const check = probeAction(settings);
  if (check === undefined) return null;
  return {
    ...check,
    initialDelaySeconds: settings.healthcheckGracePeriodSeconds,
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
export function readinessProbe(settings: InstanceSettings, sidecarAnswers: boolean): Fields | null {
  if (sidecarAnswers) return null;
  const probe = livenessProbe(settings);
  if (probe === null || !settings.mesh.inMesh) return probe;
  return {
    ...probe,
    initialDelaySeconds: Math.min(settings.healthcheckGracePeriodSeconds, MESH_INITIAL_DELAY_SECONDS),
    failureThreshold: Math.min(settings.healthcheckMaxConsecutiveFailures, MESH_FAILURES),
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
