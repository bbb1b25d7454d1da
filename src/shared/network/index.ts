/**
 * `fetch` as the network around us wants it, for every client: GitHub and the registry. Without a proxy it is the one of
 * Node; with one, undici's with its proxy agent, loaded only then (it costs 25 ms). A private CA needs nothing here: Node
 * itself reads NODE_EXTRA_CA_CERTS at its start, for both.
 */
import { problem, UserError } from '../contract/errors.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Proxies as the environment names them; lower case wins, as in curl and git. Empty text is none. */
export interface ProxySettings {
  readonly http: string | undefined;
  readonly https: string | undefined;
  readonly none: string;
}

function variable(env: Environment, name: string): string | undefined {
  const value = env[name.toLowerCase()] ?? env[name];
  return value === undefined || value.trim() === '' ? undefined : value.trim();
}

/** Reads HTTP_PROXY, HTTPS_PROXY and NO_PROXY. Throws `UserError` INVALID_PROXY when one is not an http or https address. */
export function proxySettings(env: Environment): ProxySettings {
  const read = (name: string): string | undefined => {
    const value = variable(env, name);
    if (value === undefined) return undefined;
    const address = value.includes('://') ? value : `http://${value}`;
    if (!URL.canParse(address) || !/^https?:$/.test(new URL(address).protocol)) {
      throw new UserError(
        problem('INVALID_PROXY', `${name} is not the address of an HTTP proxy: '${withoutPassword(address)}'`, {
          hint: `set ${name} to http://<host>:<port>`,
        }),
      );
    }
    return address;
  };
  return { http: read('HTTP_PROXY'), https: read('HTTPS_PROXY'), none: variable(env, 'NO_PROXY') ?? '' };
}

/** The proxy that a request to this address takes, without its password; `undefined` when it goes directly. For messages. */
export function proxyFor(url: string, env: Environment): string | undefined {
  const { protocol, hostname, port } = new URL(url);
  const settings = proxySettings(env);
  const proxy = protocol === 'https:' ? (settings.https ?? settings.http) : settings.http;
  if (proxy === undefined) return undefined;
  const spared = settings.none
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => {
      if (entry === '*') return true;
      const [name = '', only] = entry.split(/:(?=\d+$)/);
      const plain = name.replace(/^\*?\./, '').toLowerCase();
      if (only !== undefined && only !== (port === '' ? (protocol === 'https:' ? '443' : '80') : port)) return false;
      return hostname.toLowerCase() === plain || hostname.toLowerCase().endsWith(`.${plain}`);
    });
  return spared ? undefined : withoutPassword(proxy);
}

function withoutPassword(address: string): string {
  return address.replace(/\/\/[^@/]*@/, '//***@');
}

export type Undici = typeof import('./undici.ts');

/** In `dist/` it is a file of its own beside the bundles, shared by all of them (the command has it inside). */
export function loadUndici(): Promise<Undici> {
  return import(/* webpackIgnore: true */ './undici.ts');
}

/** `fetch` as far as it is needed here. */
export type Fetch = (address: string | URL, init?: RequestInit) => Promise<Response>;

/** `fetch` that honours the proxy variables of the given environment. Throws `UserError` INVALID_PROXY. */
export function networkFetch(env: Environment): Fetch {
  const settings = proxySettings(env);
  if (settings.http === undefined && settings.https === undefined) return globalThis.fetch;
  let loaded: Promise<Fetch> | undefined;
  const load = async (): Promise<Fetch> => {
    const undici = await loadUndici();
    const dispatcher = new undici.EnvHttpProxyAgent({
      noProxy: settings.none,
      ...(settings.http === undefined ? {} : { httpProxy: settings.http }),
      ...(settings.https === undefined ? {} : { httpsProxy: settings.https }),
    });
    // The package and Node declare the same types twice.
    const through = undici.fetch as (address: string | URL, init: { readonly dispatcher: typeof dispatcher }) => Promise<Response>;
    return (address, init) => through(address, { ...init, dispatcher });
  };
  return async (address, init) => {
    loaded ??= load();
    return (await loaded)(address, init);
  };
}
