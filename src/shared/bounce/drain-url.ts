/** URLs of the `http` drain method. Upstream: `HTTPDrainMethod.format_url` of drain_lib.py (`str.format` with these names). */
import { problem, type Problem } from '../contract/errors.ts';
import { suggestName } from '../contract/near.ts';
import { quoted } from '../contract/validity.ts';

/** What stands for `{name}` in a url_format. `nerve_ns` is the whole registration, as upstream fills it in. */
export interface UrlValues {
  /** Address of the pod. */
  readonly host: string;
  readonly port: number;
  readonly service: string;
  readonly instance: string;
  readonly nerve_ns: string;
}

const NAMES = ['host', 'port', 'service', 'instance', 'nerve_ns'] as const satisfies readonly (keyof UrlValues)[];

/** A url_format that was read: everything behind the pod's address still has names in it. */
export interface UrlFormat {
  readonly scheme: 'http' | 'https';
  /** The port of the instance when absent. */
  readonly port: number | undefined;
  /** Pieces of path and query: text, or the name of a value. */
  readonly path: readonly (string | { readonly name: keyof UrlValues })[];
}

/** One request that can be made to a pod. */
export interface PodUrl {
  readonly scheme: 'http' | 'https';
  readonly port: number;
  /** Path and query; begins with `/`. */
  readonly path: string;
}

function pieces(text: string): UrlFormat['path'] | Problem {
  const found: (string | { readonly name: keyof UrlValues })[] = [];
  for (let at = 0; at < text.length;) {
    const next = text[at] as string;
    if ((next === '{' || next === '}') && text[at + 1] === next) {
      found.push(next);
      at += 2;
    } else if (next === '{') {
      const end = text.indexOf('}', at);
      const name = end < 0 ? text.slice(at + 1) : text.slice(at + 1, end);
      const known = NAMES.find((one) => one === name);
      if (end < 0 || known === undefined)
        return problem('BAD_DRAIN_URL', `url_format ${quoted(text)}: {${name}} is not a name that can be filled in`, {
          hint: suggestName(name, NAMES),
        });
      found.push({ name: known });
      at = end + 1;
    } else if (next === '}') {
      return problem('BAD_DRAIN_URL', `url_format ${quoted(text)} has a single }`, { hint: 'write }} for a brace itself' });
    } else {
      const end = text.slice(at).search(/[{}]/);
      found.push(end < 0 ? text.slice(at) : text.slice(at, at + end));
      at = end < 0 ? text.length : at + end;
    }
  }
  return found;
}

/** Reads a url_format. Only the pod itself is asked, so that the address must be `{host}`. */
export function parseUrlFormat(text: string): UrlFormat | Problem {
  const found = /^(https?):\/\/\{host\}(?::(\{port\}|[0-9]{1,5}))?(?=[/?#]|$)([^]*)$/.exec(text);
  if (found === null) {
    return problem('BAD_DRAIN_URL', `url_format ${quoted(text)} is not an address of the pod`, {
      hint: 'write http://{host}:{port}/path: the API server passes the request on to the pod, nothing else can be reached',
    });
  }
  const [, scheme, port, rest = ''] = found;
  const path = pieces(rest.split('#')[0] ?? '');
  if ('code' in path) return path;
  const number = port === undefined ? (scheme === 'https' ? 443 : 80) : port === '{port}' ? undefined : Number(port);
  if (number !== undefined && (number < 1 || number > 65_535))
    return problem('BAD_DRAIN_URL', `url_format ${quoted(text)}: ${number} is not a port`, {
      hint: 'write {port} or a number up to 65535',
    });
  return { scheme: scheme === 'https' ? 'https' : 'http', port: number, path };
}

/** Fills in the names. */
export function podUrl(format: UrlFormat, values: UrlValues): PodUrl {
  const path = format.path.map((piece) => (typeof piece === 'string' ? piece : String(values[piece.name]))).join('');
  return { scheme: format.scheme, port: format.port ?? values.port, path: path.startsWith('/') ? path : `/${path}` };
}
