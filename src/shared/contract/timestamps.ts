/** Timestamps of tags: `YYYYmmddTHHMMSS`, UTC, one second, no zone letter; compared as text. */
import { problem, UserError } from './errors.ts';
import { quoted } from './validity.ts';

const SHAPE = /^([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})$/;

/** Text of a moment (milliseconds since the epoch), cut to the second. */
export function formatTimestamp(milliseconds: number): string {
  return new Date(milliseconds).toISOString().slice(0, 19).replaceAll(/[-:]/g, '');
}

/** Has the shape of a timestamp; `00000000T000000` and other impossible dates occur in old tags and count. */
export function isTimestamp(text: string): boolean {
  return SHAPE.test(text);
}

/** As Python's `strptime` reads `%Y%m%dT%H%M%S`: all but the year may have one digit, the day a space before it, and the letter either case. */
const READ =
  /^([0-9]{4})(1[0-2]|0[1-9]|[1-9])(3[01]|[12][0-9]|0[1-9]|[1-9]| [1-9])T(2[0-3]|[01][0-9]|[0-9])([0-5][0-9]|[0-9])([0-5][0-9]|[0-9])$/i;

/** Milliseconds since the epoch. Throws `UserError` for text that is no timestamp or names no real moment. Rule: `parse_timestamp` of paasta_tools/utils.py. */
export function parseTimestamp(text: string): number {
  const [year, month, day, hour, minute, second] = (READ.exec(text) ?? []).slice(1).map(Number);
  const moment = new Date(0);
  moment.setUTCFullYear(year ?? 0, (month ?? 0) - 1, day);
  moment.setUTCHours(hour ?? 0, minute, second);
  // A date carries the 30th of February over into March.
  if (year === undefined || year === 0 || moment.getUTCDate() !== day) {
    throw new UserError(
      problem('BAD_TIMESTAMP', `${quoted(text)} is not a timestamp`, { hint: 'write YYYYmmddTHHMMSS in UTC, such as 20240102T030405' }),
    );
  }
  return moment.getTime();
}

/** One second later. For a mark whose name is already taken (marks are never forced). */
export function nextSecond(timestamp: string): string {
  return formatTimestamp(parseTimestamp(timestamp) + 1_000);
}
