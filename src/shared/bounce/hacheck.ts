/** What hacheck says about a registration, and what follows from it. Upstream: paasta_tools/hacheck.py, `HacheckDrainMethod`. */
import type { PodUrl } from './drain-url.ts';

export interface HacheckParams {
  /** Seconds that every registration must have been down before the pod may be ended. */
  readonly delay: number;
  /** Port of the sidecar. */
  readonly port: number;
  /** Seconds after which hacheck forgets by itself that a registration is down. */
  readonly expiration: number;
  /** The instance itself asks for the delay (the mesh's default is 60 s, which the preStop hook waits for already). */
  readonly wantsDelay: boolean;
}

export const HACHECK_PORT = 6666;
export const HACHECK_DELAY = 240;

export interface SpoolState {
  /** `up`, `down`, …; `unknown` when hacheck answered something else. */
  readonly state: string;
  /** Seconds since the epoch. */
  readonly since?: number;
  readonly until?: number;
  readonly reason?: string;
}

/** Address of the spool entry of a registration. */
export function spoolUrl({ port }: Pick<HacheckParams, 'port'>, registration: string, taskPort: number): PodUrl {
  return { scheme: 'http', port, path: `/spool/${encodeURIComponent(registration)}/${taskPort}/status` };
}

/** Body of the POST that takes a registration down; `now` in milliseconds. */
export function downForm({ expiration }: Pick<HacheckParams, 'expiration'>, now: number): Readonly<Record<string, string>> {
  return { status: 'down', expiration: String(now / 1_000 + expiration), reason: 'Drained by Paasta' };
}

/** Body of the POST that takes it up again. */
export const UP_FORM: Readonly<Record<string, string>> = { status: 'up' };

/** 200 is up; otherwise the body tells. */
export function spoolState(status: number, body: string): SpoolState {
  if (status === 200) return { state: 'up' };
  const found = /^Service (\S+) in (\w+) state since ([0-9]+(?:\.[0-9]*)?)(?: until ([0-9]+(?:\.[0-9]*)?))?(?:: ?([^]*))?$/.exec(
    body.trim(),
  );
  if (found === null) return { state: 'unknown' };
  const [, , state = '', since, until, reason] = found;
  return {
    state,
    since: Number(since),
    ...(until === undefined ? {} : { until: Number(until) }),
    ...(reason === undefined ? {} : { reason }),
  };
}

/** Draining as soon as any registration is neither up nor unknown. */
export function isDrainingInHacheck(states: readonly SpoolState[]): boolean {
  return states.some(({ state }) => state !== 'up' && state !== 'unknown');
}

/** Every registration has been down for longer than the delay; `now` in milliseconds. What is up or unknown was never down. */
export function isSafeInHacheck(states: readonly SpoolState[], { delay }: Pick<HacheckParams, 'delay'>, now: number): boolean {
  return (
    states.length > 0 &&
    states.every(({ state, since }) => state !== 'up' && state !== 'unknown' && since !== undefined && since + delay < now / 1_000)
  );
}
