import { problem, type Problem } from './errors.ts';

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Milliseconds of a duration such as `90s`, `10m`, `1h30m`. A bare number is seconds, as in PaaSTA's own options.
 * Returns a problem, never a default, for anything else.
 */
export function parseDuration(text: string, input: string): number | Problem {
  const bad = (): Problem =>
    problem('BAD_DURATION', `${input}: '${text}' is not a duration`, {
      input,
      hint: 'write it as 90s, 10m, 1h30m; a bare number is seconds',
    });
  const trimmed = text.trim();
  if (/^\d+(\.\d+)?$/.test(trimmed)) return Math.round(Number(trimmed) * 1_000);
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(trimmed)) return bad();
  let total = 0;
  for (const [, amount, , unit] of trimmed.matchAll(/(\d+(\.\d+)?)(ms|s|m|h|d)/gy)) total += Number(amount) * (UNITS[unit ?? ''] ?? NaN);
  return Number.isFinite(total) ? Math.round(total) : bad();
}

/** `1m 5s`, `340 ms`, `2h 3m`: for people. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1_000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 10_000) return `${(milliseconds / 1_000).toFixed(1)} s`;
  const seconds = Math.round(milliseconds / 1_000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m ${seconds % 60}s`;
  return `${Math.floor(seconds / 3_600)}h ${Math.floor((seconds % 3_600) / 60)}m`;
}
