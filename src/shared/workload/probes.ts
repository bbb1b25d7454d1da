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

/** The same as liveness, unless a sidecar answers for readiness: an instance in the mesh has it on hacheck. */
export function readinessProbe(settings: InstanceSettings, sidecarAnswers: boolean): Fields | null {
  return sidecarAnswers ? null : livenessProbe(settings);
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
