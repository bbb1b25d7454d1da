/** The part of the `http` drain method that is arithmetic. Upstream: `HTTPDrainMethod.check_response_code` of drain_lib.py. */
import { problem, UserError } from '../contract/errors.ts';
import { quoted } from '../contract/validity.ts';

function code(text: string, whole: string): number {
  const digits = /^\s*([0-9]+)\s*$/.exec(text)?.[1];
  if (digits === undefined) {
    throw new UserError(problem('BAD_SUCCESS_CODES', `success_codes ${quoted(whole)} is not a list of HTTP status codes`, { hint: 'write codes and ranges with commas between them, such as 200-299,404' }));
  }
  return Number(digits);
}

/**
 * Is a status code one of `success_codes` (`200-399,404`; a number is accepted too)? Read from the left until one fits.
 * Throws `UserError` for text that is no list of codes.
 */
export function isSuccessCode(successCodes: string | number, status: number): boolean {
  const whole = String(successCodes);
  return whole.split(',').some((part) => {
    const [first = '', last = first, ...more] = part.split('-');
    // Both ends are read before they are compared: a range without an end is a mistake whatever the status is.
    const [from, to] = [code(more.length > 0 ? part : first, whole), code(last, whole)];
    return from <= status && status <= to;
  });
}
