/** A log and a mask that remember. */
import type { Log, Mask } from '../../src/shared/contract/ports.ts';

export interface RecordingLog extends Log {
  readonly lines: string[];
}

export function recordingLog(): RecordingLog {
  const lines: string[] = [];
  return {
    lines,
    debug: (message) => {
      lines.push(`debug ${message}`);
    },
    info: (message) => {
      lines.push(`info ${message}`);
    },
    problem: (found) => {
      lines.push(`${found.severity} ${found.code} ${found.message}`);
    },
    group: async (title, body) => {
      lines.push(`group ${title}`);
      return body();
    },
  };
}

export function recordingMask(): { readonly mask: Mask; readonly secrets: string[] } {
  const secrets: string[] = [];
  return {
    mask: (secret) => {
      secrets.push(secret);
    },
    secrets,
  };
}
