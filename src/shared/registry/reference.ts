import { problem, UserError, type Problem } from '../contract/errors.ts';

/** An image reference taken apart. */
export interface Reference {
  /** Registry as a person writes it: `docker.io`, `ghcr.io`, `127.0.0.1:5000`. */
  readonly host: string;
  /** Repository inside the registry, path prefix included: `org/services-web`. */
  readonly repository: string;
  /** Tag or digest, whichever is to be asked for: the digest when the reference has both. */
  readonly target: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

const DOCKER_HUB = 'docker.io';
const HUB_ALIASES: ReadonlySet<string> = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com']);
const HOST = /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::\d{1,5})?$/;
const PATH_PART = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const DIGEST = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-fA-F]{32,}$/;

/**
 * Takes `[host[:port]/]path[:tag][@digest]` apart by docker's rules: the first part is a host when it has a dot, a colon or
 * is `localhost`; without a host the image is Docker Hub's. Throws `UserError` for anything that a registry could not hold.
 */
export function parseReference(text: string): Reference {
  const refuse = (why: string): UserError =>
    new UserError(
      problem('BAD_IMAGE_REFERENCE', `'${text}' is not an image reference: ${why}`, {
        hint: 'write it as host[:port]/path/name:tag, lower case, without https://',
      }),
    );
  const at = text.indexOf('@');
  const digest = at === -1 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !DIGEST.test(digest)) throw refuse(`'${digest}' is not a digest`);
  let name = at === -1 ? text : text.slice(0, at);
  const colon = name.lastIndexOf(':');
  let tag: string | undefined;
  if (colon > name.lastIndexOf('/')) {
    tag = name.slice(colon + 1);
    name = name.slice(0, colon);
    if (!TAG.test(tag)) throw refuse(`'${tag}' is not a tag`);
  }
  const parts = name.split('/');
  const first = parts[0] ?? '';
  const hasHost = parts.length > 1 && (/[.:[]/.test(first) || first === 'localhost');
  let host = hasHost ? (parts.shift() as string) : DOCKER_HUB;
  if (!HOST.test(host)) throw refuse(`'${host}' is not a host`);
  if (HUB_ALIASES.has(host)) {
    host = DOCKER_HUB;
    if (parts.length === 1) parts.unshift('library');
  }
  const bad = parts.find((part) => !PATH_PART.test(part));
  if (parts.length === 0 || bad !== undefined) throw refuse(`'${bad ?? ''}' cannot be part of a repository name`);
  return {
    host,
    repository: parts.join('/'),
    target: digest ?? tag ?? 'latest',
    tag: digest === undefined ? (tag ?? 'latest') : tag,
    digest,
  };
}

/** What is wrong with `host[:port][/path]` as the address of a registry; `undefined` when nothing is. */
export function registryProblem(value: string, input = 'registry'): Problem | undefined {
  const [host = '', ...path] = value.replace(/\/$/, '').split('/');
  if (HOST.test(host) && path.every((part) => PATH_PART.test(part))) return undefined;
  const shown = value.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?').slice(0, 100);
  return problem('BAD_REGISTRY', `${input}: '${shown}' is not the address of a registry`, {
    input,
    hint: 'write host[:port][/path], such as ghcr.io/acme, without https:// and in lower case',
  });
}

/** Host that answers the registry API: Docker Hub's is not the one in its references. */
export function apiHost(host: string): string {
  return host === DOCKER_HUB ? 'registry-1.docker.io' : host;
}

/**
 * Keys under which a docker configuration may keep the credentials of a repository, most specific first: `host/path`
 * (podman's form), the host, and for Docker Hub its historical address.
 */
export function credentialKeys(host: string, repository: string): readonly string[] {
  const parts = repository.split('/');
  const paths = parts.map((_, i) => `${host}/${parts.slice(0, parts.length - i).join('/')}`);
  return host === DOCKER_HUB
    ? [...paths, 'https://index.docker.io/v1/', 'index.docker.io', 'docker.io', 'registry-1.docker.io', 'registry.hub.docker.com']
    : [...paths, host];
}

/** True for `localhost` and loopback addresses, where docker allows plain HTTP without being told to. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/:\d+$/, '');
  return name === 'localhost' || name === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(name);
}
