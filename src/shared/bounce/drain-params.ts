/** `drain_method` and `drain_method_params` of an instance, read and checked. Upstream: constructors of drain_lib.py, which check nothing. */
import { problem, UserError, type Problem } from '../contract/errors.ts';
import { suggestName } from '../contract/near.ts';
import { pythonText } from '../contract/python-text.ts';
import { isMap, numberOf, type Value, type ValueMap } from '../contract/values.ts';
import { isSuccessCode } from './drain.ts';
import { parseUrlFormat, type UrlFormat } from './drain-url.ts';
import { HACHECK_DELAY, HACHECK_PORT, type HacheckParams } from './hacheck.ts';

/** The four requests of the `http` method. */
export const HTTP_DRAIN_CALLS = ['drain', 'stop_draining', 'is_draining', 'is_safe_to_kill'] as const;
export type HttpDrainCall = (typeof HTTP_DRAIN_CALLS)[number];

export const HTTP_METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
export type HttpMethod = (typeof HTTP_METHODS)[number];

export interface UrlSpec {
  readonly url: UrlFormat;
  readonly method: HttpMethod;
  /** `200-399,404`. */
  readonly successCodes: string;
}

export type DrainMethod =
  /** Out of the EndpointSlices, nothing else (`noop`, `test`). */
  | { readonly kind: 'noop' }
  | { readonly kind: 'hacheck'; readonly params: HacheckParams }
  | { readonly kind: 'http'; readonly calls: Readonly<Record<HttpDrainCall, UrlSpec>> };

/** A problem and where in the instance it lies. */
export interface DrainFault {
  readonly path: readonly string[];
  readonly problem: Problem;
}

const PARAMS = 'drain_method_params';

class Reading {
  readonly faults: DrainFault[] = [];

  fault(path: readonly string[], message: string, hint?: string): undefined {
    this.faults.push({
      path: [PARAMS, ...path],
      problem: problem(
        'DRAIN_INVALID',
        `${[PARAMS, ...path].join('.')}${message.startsWith(':') ? '' : ' '}${message}`,
        hint === undefined ? {} : { hint },
      ),
    });
    return undefined;
  }

  keys(map: ValueMap, path: readonly string[], known: readonly string[]): void {
    for (const key of Object.keys(map)) {
      if (!known.includes(key)) this.fault([...path, key], 'is not a setting of the drain method', suggestName(key, known));
    }
  }

  number(map: ValueMap, key: string, otherwise: number, least: number, most = Infinity): number {
    const value = map[key];
    if (value === undefined) return otherwise;
    const number = numberOf(value);
    if (number !== undefined && number >= least && number <= most) return number;
    this.fault([key], `must be a number ${most === Infinity ? `of at least ${least}` : `from ${least} to ${most}`}, not ${shown(value)}`);
    return otherwise;
  }

  successCodes(value: Value | undefined, path: readonly string[]): string | undefined {
    if (value === undefined || value === null)
      return this.fault(path, 'is missing: there is no default', 'write codes and ranges, such as 200-299,404');
    const number = numberOf(value);
    const text = typeof value === 'string' ? value : number === undefined ? undefined : String(number);
    if (text === undefined) return this.fault(path, `must be codes and ranges such as 200-299,404, not ${shown(value)}`);
    try {
      isSuccessCode(text, 200);
      return text;
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      return this.fault(path, `: ${error.problems[0]?.message ?? ''}`, error.problems[0]?.hint);
    }
  }

  spec(map: ValueMap, call: HttpDrainCall): UrlSpec | undefined {
    const value = map[call];
    if (!isMap(value))
      return this.fault(
        value === undefined ? [] : [call],
        value === undefined ? `needs ${call}` : `must be a mapping, not ${shown(value)}`,
        'drain_method http needs drain, stop_draining, is_draining and is_safe_to_kill, each with url_format and success_codes',
      );
    this.keys(value, [call], ['url_format', 'method', 'success_codes']);
    const { url_format: format, method: asked = 'GET' } = value;
    const url = typeof format === 'string' ? parseUrlFormat(format) : undefined;
    if (url === undefined)
      this.fault(
        [call, ...(format === undefined ? [] : ['url_format'])],
        format === undefined ? 'needs url_format' : `must be text, not ${shown(format)}`,
        'for example http://{host}:{port}/drain',
      );
    else if ('code' in url) this.fault([call, 'url_format'], `: ${url.message}`, url.hint);
    const method = typeof asked === 'string' ? HTTP_METHODS.find((known) => known === asked.toUpperCase()) : undefined;
    if (method === undefined) this.fault([call, 'method'], `is ${shown(asked)}`, `legal: ${HTTP_METHODS.join(', ')}`);
    const successCodes = this.successCodes(value['success_codes'], [call, 'success_codes']);
    if (url === undefined || 'code' in url || method === undefined || successCodes === undefined) return undefined;
    return { url, method, successCodes };
  }
}

function shown(value: Value): string {
  return Array.isArray(value) ? 'a list' : isMap(value) ? 'a mapping' : pythonText(value);
}

function hacheck(params: ValueMap, wantsDelay: boolean, reading: Reading): DrainMethod {
  reading.keys(params, [], ['delay', 'hacheck_port', 'expiration']);
  const delay = reading.number(params, 'delay', HACHECK_DELAY, 0);
  const port = reading.number(params, 'hacheck_port', HACHECK_PORT, 1, 65_535);
  const expiration = reading.number(params, 'expiration', 0, 0);
  return { kind: 'hacheck', params: { delay, port, expiration: expiration === 0 ? delay * 10 : expiration, wantsDelay } };
}

function http(params: ValueMap, reading: Reading): DrainMethod {
  reading.keys(params, [], HTTP_DRAIN_CALLS);
  const [drain, stop, asks, safe] = HTTP_DRAIN_CALLS.map((call) => reading.spec(params, call));
  if (drain === undefined || stop === undefined || asks === undefined || safe === undefined) return { kind: 'noop' };
  return { kind: 'http', calls: { drain, stop_draining: stop, is_draining: asks, is_safe_to_kill: safe } };
}

/**
 * The method of an instance with everything that is wrong with its parameters (then it is what could be read, or `noop`).
 * `own`: the instance has parameters of its own, not the mesh's default.
 */
export function readDrainMethod(
  name: string,
  params: ValueMap,
  own: boolean,
): { readonly method: DrainMethod; readonly faults: readonly DrainFault[] } {
  const reading = new Reading();
  const method: DrainMethod =
    name === 'hacheck'
      ? hacheck(params, own && params['delay'] !== undefined, reading)
      : name === 'http'
        ? http(params, reading)
        : { kind: 'noop' };
  return { method, faults: reading.faults };
}
