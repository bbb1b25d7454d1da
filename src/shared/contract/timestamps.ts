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

/** Milliseconds since the epoch. Throws `UserError` for text that is no timestamp or names no real moment. */
export function parseTimestamp(text: string): number {
  const [, year, month, day, hour, minute, second] = SHAPE.exec(text) ?? [];
  const moment = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
  // Date.UTC carries a 13th month over into the next year: formatting it again shows that.
  if (Number.isNaN(moment) || formatTimestamp(moment) !== text) {
    throw new UserError(problem('BAD_TIMESTAMP', `${quoted(text)} is not a timestamp`, { hint: 'write YYYYmmddTHHMMSS in UTC, such as 20240102T030405' }));
  }
  return moment;
}

/** One second later. For a mark whose name is already taken (marks are never forced). */
export function nextSecond(timestamp: string): string {
  return formatTimestamp(parseTimestamp(timestamp) + 1_000);
}
