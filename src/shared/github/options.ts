/** What a connection to GitHub's API is made of, and the addresses that follow from it. */
import { problem, UserError } from '../contract/errors.ts';
import type { Log, Mask } from '../contract/ports.ts';
import { withoutTrailing } from '../contract/trailing.ts';
import { proxySettings } from '../network/index.ts';
import type { Environment } from '../network/index.ts';

export interface ConnectOptions {
  /** `GITHUB_API_URL`: `https://api.github.com` or `https://<enterprise host>/api/v3`. */
  readonly apiUrl: string;
  readonly token: string;
  /** Name and version of the action. */
  readonly userAgent: string;
  readonly log: Log;
  readonly mask: Mask;
  /** For HTTP_PROXY, HTTPS_PROXY, NO_PROXY and GITHUB_SERVER_URL. */
  readonly env: Environment;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds of the first pause before a passing failure is tried again (then 4 and 9 times as long). Default 1000. */
  readonly backOff?: number;
  /** Seconds that we wait for a rate limit to end; longer ones are reported at once. Default 120. */
  readonly longestWait?: number;
  /** Milliseconds that one request may take. Default 30 s. */
  readonly requestTimeout?: number;
}

/** Pages for people live beside the API: github.com for api.github.com, the host itself on Enterprise. */
export function serverUrlOf(apiUrl: string): string {
  const url = new URL(apiUrl);
  if (url.hostname === 'api.github.com') return 'https://github.com';
  if (/^api\./.test(url.hostname) && url.hostname.endsWith('.ghe.com')) return `${url.protocol}//${url.host.slice('api.'.length)}`;
  return url.origin;
}

/** The address without its last slash. Throws `UserError`: NO_GITHUB_TOKEN, INVALID_API_URL, INVALID_PROXY. */
export function checkedApiUrl({ apiUrl, token, env }: Pick<ConnectOptions, 'apiUrl' | 'token' | 'env'>): string {
  if (token === '')
    throw new UserError(
      problem('NO_GITHUB_TOKEN', 'there is no token for the GitHub API', {
        input: 'github-token',
        hint: 'pass github-token: ${{ github.token }} with the permissions that the README names',
      }),
    );
  const address = withoutTrailing(apiUrl, '/');
  if (!URL.canParse(address) || !/^https?:$/.test(new URL(address).protocol)) {
    throw new UserError(
      problem('INVALID_API_URL', `github-api-url is not an http(s) address: '${apiUrl}'`, {
        input: 'github-api-url',
        hint: 'https://api.github.com, or https://<host>/api/v3 on an Enterprise server',
      }),
    );
  }
  proxySettings(env);
  return address;
}

/** Pages for people of this API address: the runner's own word for it, when it is the runner's API. */
export function serverUrlFor(apiUrl: string, env: Environment): string {
  const given = env['GITHUB_SERVER_URL'];
  return given !== undefined && withoutTrailing(env['GITHUB_API_URL'] ?? '', '/') === apiUrl
    ? withoutTrailing(given, '/')
    : serverUrlOf(apiUrl);
}
