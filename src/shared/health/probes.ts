/** Probes of a container: how long they may fail before that means something, and how to describe them. */
import { plainText } from './text.ts';

export interface Probe {
  readonly httpGet?: { readonly path?: string; readonly port?: number | string; readonly scheme?: string };
  readonly tcpSocket?: { readonly port?: number | string };
  readonly grpc?: { readonly port?: number; readonly service?: string };
  readonly exec?: { readonly command?: readonly string[] };
  readonly initialDelaySeconds?: number;
  readonly periodSeconds?: number;
  readonly failureThreshold?: number;
  readonly timeoutSeconds?: number;
}

/** PaaSTA's default readiness allows six minutes; nobody waits that long to hear that a port is wrong. */
const LONGEST_WINDOW = 120_000;
const SHORTEST_WINDOW = 5_000;

/** `GET http://:8888/status`, `TCP connect to port 8888`, `command 'check.sh'`. */
export function describeProbe(probe: Probe): string {
  if (probe.httpGet !== undefined)
    return `GET ${(probe.httpGet.scheme ?? 'HTTP').toLowerCase()}://<pod>:${probe.httpGet.port ?? '?'}${plainText(probe.httpGet.path ?? '/', 200)}`;
  if (probe.tcpSocket !== undefined) return `TCP connect to port ${probe.tcpSocket.port ?? '?'}`;
  if (probe.grpc !== undefined) return `gRPC health check on port ${probe.grpc.port ?? '?'}`;
  if (probe.exec !== undefined) return `command '${plainText((probe.exec.command ?? []).join(' '), 200)}'`;
  return 'probe';
}

/**
 * Milliseconds after the start of a container in which a failing probe is nothing unusual: its own
 * `initialDelay + failureThreshold × period`, at most two minutes, but never less than the initial delay and three attempts.
 */
export function probeWindow(probe: Probe): number {
  const delay = (probe.initialDelaySeconds ?? 0) * 1_000;
  const period = (probe.periodSeconds ?? 10) * 1_000;
  const threshold = probe.failureThreshold ?? 3;
  const whole = delay + threshold * period;
  const least = delay + Math.min(threshold, 3) * period;
  return Math.max(Math.min(whole, LONGEST_WINDOW), least, SHORTEST_WINDOW) + (probe.timeoutSeconds ?? 1) * 1_000;
}
