import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, problem, UserError } from '../contract/errors.ts';
import type { Log, Mask } from '../contract/ports.ts';
import type { Run } from '../process/index.ts';
import { credentialKeys } from './reference.ts';

/** What a registry may ask for: a user with a password, a token to trade for access tokens, or an access token itself. */
export type Credential =
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  | { readonly kind: 'identity'; readonly token: string }
  | { readonly kind: 'bearer'; readonly token: string };

/** Finds the credential for a repository; `undefined`: none is configured, ask anonymously. */
export type CredentialSource = (host: string, repository: string) => Promise<Credential | undefined>;

export interface DockerCredentialOptions {
  /** `DOCKER_CONFIG` names the directory of config.json, else `~/.docker`. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Starts `docker-credential-<name>`. */
  readonly run: Run;
  readonly mask: Mask;
  readonly log: Log;
  /** Text of a file, `undefined` when it does not exist. The default reads the file system. */
  readonly readFile?: (path: string) => string | undefined;
}

interface AuthEntry {
  readonly auth?: string;
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
  readonly registrytoken?: string;
}
interface DockerConfig {
  readonly auths?: Readonly<Record<string, AuthEntry | null>>;
  readonly credsStore?: string;
  readonly credHelpers?: Readonly<Record<string, string>>;
}

const HELPER_TIMEOUT = 30_000;

/** `https://host/v1/` → `host`, as docker compares the keys of its configuration. */
const hostOf = (key: string): string => key.replace(/^https?:\/\//, '').replace(/\/.*$/, '');

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new UserError(problem('DOCKER_CONFIG_UNREADABLE', `${path} cannot be read: ${messageOf(error)}`, { file: path }), {
      cause: error,
    });
  }
}

function load(path: string, readFile: (path: string) => string | undefined): DockerConfig {
  const text = readFile(path);
  if (text === undefined || text.trim() === '') return {};
  const refuse = (why: string): UserError =>
    new UserError(
      problem('DOCKER_CONFIG_INVALID', `${path} is not a docker configuration: ${why}`, {
        file: path,
        hint: 'run docker login again, or remove the file',
      }),
    );
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's message would quote the text, which holds passwords.
    throw refuse('it is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refuse('it is not a JSON object');
  return value;
}

function ofEntry(entry: AuthEntry, mask: Mask): Credential | undefined {
  for (const secret of [entry.auth, entry.password, entry.identitytoken, entry.registrytoken]) if (secret) mask(secret);
  if (entry.registrytoken) return { kind: 'bearer', token: entry.registrytoken };
  if (entry.identitytoken) return { kind: 'identity', token: entry.identitytoken };
  let { username, password } = entry;
  if (entry.auth) {
    const plain = Buffer.from(entry.auth, 'base64').toString('utf8');
    const colon = plain.indexOf(':');
    if (colon > 0) {
      username = plain.slice(0, colon);
      // Docker pads some stored passwords with NUL; PaaSTA cut two characters off every password instead (register 8).
      password = plain.slice(colon + 1).replace(/\0+$/, '');
    }
  }
  if (!username || password === undefined) return undefined;
  if (password !== '') mask(password);
  return { kind: 'basic', username, password };
}

/**
 * Credentials as the docker command finds them: `credHelpers` of the host, else `credsStore`, else `auths`.
 * A helper that fails is an error (asking anonymously instead would hide the cause); one that knows nothing is not.
 */
export function dockerCredentials(options: DockerCredentialOptions): CredentialSource {
  const { env, run, mask, log } = options;
  const directory = env['DOCKER_CONFIG'] || join(env['HOME'] ?? '', '.docker');
  const path = join(directory, 'config.json');
  let config: DockerConfig | undefined;

  const askHelper = async (name: string, server: string): Promise<Credential | undefined> => {
    const program = `docker-credential-${name}`;
    const refuse = (why: string): UserError =>
      new UserError(
        problem('CREDENTIAL_HELPER_FAILED', `${program} (named in ${path}) did not give the credentials of ${server}: ${why}`, {
          hint: `run 'echo ${server} | ${program} get' to see why; the program must be on PATH`,
        }),
      );
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) throw refuse('its name is not that of a program');
    let answer;
    try {
      answer = await run([program, 'get'], { input: server, env, timeout: HELPER_TIMEOUT });
    } catch (error) {
      throw refuse(messageOf(error));
    }
    if (answer.timedOut) throw refuse('it did not answer in 30 s');
    if (answer.code !== 0) {
      const said = `${answer.stdout}${answer.stderr}`.trim();
      if (/credentials not found|no credentials server URL|not logged in/i.test(said)) return undefined;
      throw refuse(`exit ${answer.code}: ${said.slice(0, 300)}`);
    }
    let parsed: { Username?: unknown; Secret?: unknown };
    try {
      parsed = JSON.parse(answer.stdout) as typeof parsed;
    } catch {
      throw refuse('it did not print JSON');
    }
    const { Username: username, Secret: secret } = parsed;
    if (typeof secret !== 'string' || secret === '') return undefined;
    mask(secret);
    if (username === '<token>') return { kind: 'identity', token: secret };
    return typeof username === 'string' && username !== '' ? { kind: 'basic', username, password: secret } : undefined;
  };

  return async (host, repository) => {
    config ??= load(path, options.readFile ?? readIfThere);
    const keys = credentialKeys(host, repository);
    for (const key of keys) {
      const helper = config.credHelpers?.[key];
      if (helper !== undefined && helper !== '') {
        log.debug(`registry: credentials of ${key} from docker-credential-${helper}`);
        return askHelper(helper, key);
      }
    }
    if (config.credsStore) {
      const server = host === 'docker.io' ? 'https://index.docker.io/v1/' : host;
      log.debug(`registry: credentials of ${server} from docker-credential-${config.credsStore}`);
      const found = await askHelper(config.credsStore, server);
      if (found !== undefined) return found;
    }
    const auths = Object.entries(config.auths ?? {});
    for (const key of keys) {
      const entry = (auths.find(([k]) => k === key) ?? auths.find(([k]) => hostOf(k) === key && !hostHasPath(k)))?.[1];
      const found = entry ? ofEntry(entry, mask) : undefined;
      if (found !== undefined) {
        log.debug(`registry: credentials of ${key} from ${path}`);
        return found;
      }
    }
    log.debug(`registry: no credentials for ${host} in ${path}`);
    return undefined;
  };
}

/** `host/org` belongs to that path only; `https://host/v1/` and `host/v2/` are spellings of the host. */
function hostHasPath(key: string): boolean {
  const rest = key
    .replace(/^https?:\/\//, '')
    .replace(/^[^/]*\/?/, '')
    .replace(/\/$/, '');
  return rest !== '' && rest !== 'v1' && rest !== 'v2';
}

/** User and password that were given to the run itself (inputs), before what docker knows. Only for the registry that they were given for. */
export function givenCredentials(
  given: { readonly registry: string; readonly username: string; readonly password: string; readonly mask: Mask },
  otherwise: CredentialSource,
): CredentialSource {
  const { registry, username, password, mask } = given;
  if (password === '') return otherwise;
  mask(password);
  const host = registry.split('/')[0];
  return (asked, repository) =>
    asked === host || (asked === 'docker.io' && /(?:^|\.)docker\.(?:io|com)$/.test(host ?? ''))
      ? Promise.resolve({ kind: 'basic', username, password })
      : otherwise(asked, repository);
}
