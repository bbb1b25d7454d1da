/** The part of the `http` drain method that is arithmetic. Upstream: `HTTPDrainMethod.check_response_code` of drain_lib.py. */
import { problem, UserError } from '../contract/errors.ts';
import { quoted } from '../contract/validity.ts';

function code(text: string, whole: string): number {
  // A plus sign and single underscores between digits are what Python's int() takes too.
  const digits = /^\s*\+?([0-9]+(?:_[0-9]+)*)\s*$/.exec(text)?.[1]?.replaceAll('_', '');
  if (digits === undefined) {
    throw new UserError(
      problem('BAD_SUCCESS_CODES', `success_codes ${quoted(whole)} is not a list of HTTP status codes`, {
        hint: 'write codes and ranges with commas between them, such as 200-299,404',
      }),
    );
  }
  return Number(digits);
}

/**
 * Is a status code one of `success_codes` (`200-399,404`; a number is accepted too)? The whole list is read first.
 * Throws `UserError` for text that is no list of codes.
 */
export function isSuccessCode(successCodes: string | number, status: number): boolean {
  const whole = String(successCodes);
  // Everything is read before anything is compared: half a range or a word is a mistake whatever the status is.
  const ranges = whole.split(',').map((part) => {
    const [first = '', last = first, ...more] = part.split('-');
    return [code(more.length > 0 ? part : first, whole), code(last, whole)] as const;
  });
  return ranges.some(([from, to]) => from <= status && status <= to);
}
