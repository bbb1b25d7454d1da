import { createHash } from 'node:crypto';
import { CancelledError, problem, UserError, type Problem } from '../contract/errors.ts';
import type { Clock, Log, Mask } from '../contract/ports.ts';
import { authorizer, type Authorizer } from './authorize.ts';
import type { CredentialSource } from './credentials.ts';
import { apiHost, isLoopback, parseReference, type Reference } from './reference.ts';
import { explainSilence, NoAnswer, send, shown, type Fetch, type Request, type TransportOptions } from './transport.ts';

/** What a tag stands for in the registry. */
export interface ResolvedImage {
  /** `sha256:…` of the manifest, or of the index when the tag names one. */
  readonly digest: string;
  readonly mediaType: string;
}

/** One entry of an index, or the manifest itself when there is no index. */
export interface Member {
  readonly digest: string;
  /** `linux/amd64`, `linux/arm64/v8`; `undefined` when the manifest does not say (a single image). */
  readonly platform: string | undefined;
}

export interface RegistryOptions {
  readonly credentials: CredentialSource;
  readonly log: Log;
  readonly mask: Mask;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
  /** Defaults to Node's own. */
  readonly fetch?: Fetch;
  /** Plain HTTP is allowed to hosts that do not speak TLS. Loopback hosts always are, as in docker. */
  readonly insecure?: boolean;
  readonly userAgent?: string;
  /** Milliseconds, default 30 s. */
  readonly requestTimeout?: number;
  /** Default 4. */
  readonly attempts?: number;
}

/** A registry that speaks the OCI distribution protocol. Every method throws `UserError` when the registry gives no certain answer. */
export interface Registry {
  /** Is there an image under this reference? Certain in both directions: "cannot tell" is an error, never `false`. */
  exists(reference: string): Promise<boolean>;
  /** Digest and media type of a reference; `undefined` when it does not exist. */
  resolveDigest(reference: string): Promise<ResolvedImage | undefined>;
  /** Digests that a node may report for this reference: members of an index, or the image itself. `undefined` when it does not exist. */
  members(reference: string): Promise<readonly Member[] | undefined>;
  /** Asks until the reference exists; `undefined` when it still does not after `timeout` milliseconds. */
  waitFor(reference: string, timeout: number, poll: number): Promise<ResolvedImage | undefined>;
}

const INDEX_TYPES = ['application/vnd.oci.image.index.v1+json', 'application/vnd.docker.distribution.manifest.list.v2+json'];
const MANIFEST_TYPES = ['application/vnd.oci.image.manifest.v1+json', 'application/vnd.docker.distribution.manifest.v2+json'];
/** The four forms of a manifest; without the OCI ones an image pushed as OCI looks absent (PaaSTA 1.59.6). */
const ACCEPT = [INDEX_TYPES[0], MANIFEST_TYPES[0], INDEX_TYPES[1], MANIFEST_TYPES[1]].join(', ');
const MAX_MANIFEST = 8 * 1024 * 1024;
const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const DIGEST_HEADER = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-f]{32,}$/;

interface Manifest extends ResolvedImage {
  readonly body: Buffer | undefined;
}

export function createRegistry(options: RegistryOptions): Registry {
  const transport: TransportOptions = {
    fetch: options.fetch ?? ((url, init) => fetch(url, init)),
    log: options.log,
    clock: options.clock,
    signal: options.signal,
    userAgent: options.userAgent ?? 'paasta-actions',
    requestTimeout: options.requestTimeout ?? 30_000,
    attempts: options.attempts ?? 4,
  };
  const origins = new Map<string, Promise<string>>();
  const authorizers = new Map<string, Authorizer>();

  /**
   * `https://host`, or `http://host` where that is allowed and TLS is not spoken. Found out without credentials, so that
   * a listener on the plain port never gets them before it is known to be the registry's only form.
   */
  const originOf = (host: string): Promise<string> => {
    const api = apiHost(host);
    if (!(options.insecure === true || isLoopback(api))) return Promise.resolve(`https://${api}`);
    let found = origins.get(api);
    if (found === undefined) {
      found = send({ method: 'GET', url: `https://${api}/v2/` }, transport, 1).then(
        async (response) => {
          await response.body?.cancel();
          return `https://${api}`;
        },
        (error: unknown) => {
          if (!(error instanceof NoAnswer) || error.certificate) throw error;
          // Silence may pass; only an answer that is not TLS is remembered.
          if (!error.notTls) origins.delete(api);
          return `http://${api}`;
        },
      );
      origins.set(api, found);
      found.catch(() => origins.delete(api));
    }
    return found;
  };

  const follow = async (first: Request, authorization: string | undefined): Promise<{ response: Response; url: string }> => {
    const origin = new URL(first.url).origin;
    let url = first.url;
    for (let hop = 0; ; hop++) {
      const own = new URL(url).origin === origin;
      const response = await send(
        { ...first, url, headers: { ...first.headers, ...(own && authorization !== undefined ? { Authorization: authorization } : {}) } },
        transport,
      );
      const location = response.headers.get('location');
      if (!REDIRECTS.has(response.status) || location === null) return { response, url };
      await response.body?.cancel();
      const next = new URL(location, url);
      const bad =
        hop >= MAX_REDIRECTS
          ? `more than ${MAX_REDIRECTS} redirects`
          : !/^https?:$/.test(next.protocol)
            ? `a redirect to ${next.protocol}`
            : new URL(url).protocol === 'https:' && next.protocol === 'http:'
              ? 'a redirect from https to plain http'
              : undefined;
      if (bad !== undefined)
        throw new UserError(
          problem('REGISTRY_REDIRECT', `the registry ${new URL(origin).host} answered with ${bad} (${shown(next.href)})`, {
            hint: 'name the registry by the address that answers itself',
          }),
        );
      next.username = '';
      next.password = '';
      url = next.href;
    }
  };

  /** One manifest, authenticated as the registry wants it. `undefined`: 404. */
  const fetchManifest = async (reference: Reference, method: 'HEAD' | 'GET'): Promise<Response | undefined> => {
    let base = `https://${apiHost(reference.host)}`;
    try {
      base = await originOf(reference.host);
      const request: Request = {
        method,
        url: `${base}/v2/${reference.repository}/manifests/${reference.target}`,
        headers: { Accept: ACCEPT },
      };
      const key = `${reference.host}/${reference.repository}`;
      let auth = authorizers.get(key);
      if (auth === undefined)
        authorizers.set(
          key,
          (auth = authorizer({
            host: reference.host,
            repository: reference.repository,
            credentials: options.credentials,
            mask: options.mask,
            transport,
          })),
        );
      let { response, url } = await follow(request, auth.current());
      if (response.status === 401 && new URL(url).origin === base) {
        await response.body?.cancel();
        ({ response, url } = await follow(request, await auth.answer(response.headers.get('www-authenticate'), base)));
      }
      if (response.status === 200) return response;
      if (response.status === 404) {
        await response.body?.cancel();
        return undefined;
      }
      if (method === 'HEAD' && (response.status === 405 || response.status === 501)) {
        await response.body?.cancel();
        return await fetchManifest(reference, 'GET');
      }
      throw new UserError(await explainStatus(response, url, reference, auth.described()));
    } catch (error) {
      if (error instanceof NoAnswer) throw explainSilence(base, error);
      throw error;
    }
  };

  const manifest = async (reference: Reference, needBody: boolean): Promise<Manifest | undefined> => {
    let response = await fetchManifest(reference, needBody ? 'GET' : 'HEAD');
    if (response === undefined) return undefined;
    let said = response.headers.get('docker-content-digest') ?? '';
    if (!needBody && DIGEST_HEADER.test(said)) {
      await response.body?.cancel();
      return { digest: said, mediaType: mediaTypeOf(response), body: undefined };
    }
    let body = await readBody(response);
    if (body.length === 0) {
      // A HEAD answered without a digest header: the body has to be fetched to compute it.
      response = await fetchManifest(reference, 'GET');
      if (response === undefined) return undefined;
      said = response.headers.get('docker-content-digest') ?? '';
      body = await readBody(response);
    }
    const type = mediaTypeOf(response);
    const parsed = parseManifest(body);
    if (parsed === undefined) {
      throw new UserError(
        problem(
          'REGISTRY_NOT_A_REGISTRY',
          `${reference.host} answered 200 for ${reference.repository}:${reference.target}, but not with a manifest (content type '${type || 'none'}')`,
          { hint: 'is the address that of a registry, and not of a web site or a login page of a proxy?' },
        ),
      );
    }
    const computed = `sha256:${createHash('sha256').update(body).digest('hex')}`;
    const expected = reference.digest ?? (DIGEST_HEADER.test(said) ? said : computed);
    if (expected.startsWith('sha256:') && expected !== computed) {
      throw new UserError(
        problem(
          'REGISTRY_BAD_DIGEST',
          `${reference.host} sent a manifest of ${reference.repository}:${reference.target} whose digest is ${computed}, not ${expected}`,
          { hint: 'something between this machine and the registry changes its answers; do not deploy this image' },
        ),
      );
    }
    return { digest: expected, mediaType: type || parsed.mediaType || '', body };
  };

  const resolveDigest = async (text: string): Promise<ResolvedImage | undefined> => {
    const found = await manifest(parseReference(text), false);
    options.log.debug(`registry: ${text} is ${found === undefined ? 'absent' : found.digest}`);
    return found === undefined ? undefined : { digest: found.digest, mediaType: found.mediaType };
  };

  return {
    resolveDigest,
    exists: async (text) => (await resolveDigest(text)) !== undefined,
    async members(text) {
      const found = await manifest(parseReference(text), true);
      if (found?.body === undefined) return undefined;
      const entries = parseManifest(found.body)?.manifests;
      if (entries === undefined) return [{ digest: found.digest, platform: undefined }];
      return entries.flatMap(({ digest, platform }) => {
        if (typeof digest !== 'string') return [];
        // Attestations of buildx are entries too, for no platform that a node could run.
        if (platform?.os === 'unknown') return [];
        const text = platform === undefined ? undefined : [platform.os, platform.architecture, platform.variant].filter(Boolean).join('/');
        return [{ digest, platform: text === '' ? undefined : text }];
      });
    },
    async waitFor(text, timeout, poll) {
      const { clock, signal } = options;
      const end = clock.now() + timeout;
      for (;;) {
        if (signal?.aborted) throw new CancelledError();
        const found = await resolveDigest(text);
        if (found !== undefined) return found;
        const left = end - clock.now();
        if (left <= 0) return undefined;
        await clock.sleep(Math.min(poll, left), signal);
      }
    },
  };
}

interface ParsedManifest {
  readonly mediaType?: string;
  readonly manifests?: readonly {
    readonly digest?: unknown;
    readonly platform?: { readonly os?: string; readonly architecture?: string; readonly variant?: string };
  }[];
}

function parseManifest(body: Buffer): ParsedManifest | undefined {
  try {
    const value = JSON.parse(body.toString('utf8')) as { schemaVersion?: unknown; manifests?: unknown; mediaType?: unknown } | null;
    if (typeof value !== 'object' || value === null || typeof value.schemaVersion !== 'number') return undefined;
    return {
      ...(typeof value.mediaType === 'string' ? { mediaType: value.mediaType } : {}),
      ...(Array.isArray(value.manifests)
        ? {
            manifests: (value.manifests as unknown[]).filter(
              (m): m is NonNullable<ParsedManifest['manifests']>[number] => typeof m === 'object' && m !== null,
            ),
          }
        : {}),
    };
  } catch {
    return undefined;
  }
}

const mediaTypeOf = (response: Response): string => (response.headers.get('content-type') ?? '').replace(/;.*$/, '').trim();

async function readBody(response: Response): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const body: AsyncIterable<Uint8Array> | null = response.body;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > MAX_MANIFEST)
      throw new UserError(
        problem(
          'REGISTRY_NOT_A_REGISTRY',
          `${shown(response.url)} answered with more than ${MAX_MANIFEST / 1024 / 1024} MiB where a manifest was asked for`,
        ),
      );
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** What a status other than 200 and 404 means: never "absent". `identity` says as whom we asked. */
async function explainStatus(response: Response, url: string, reference: Reference, identity: string): Promise<Problem> {
  const { host } = new URL(url);
  const body = (await readBody(response)).toString('utf8').slice(0, 2_000);
  const messages = [...body.matchAll(/"message"\s*:\s*"((?:[^"\\]|\\.)*)"/g)].map(([, text]) => text).join('; ');
  const detail = messages === '' ? '' : `: ${messages.slice(0, 300)}`;
  const image = `${reference.repository}:${reference.target}`;
  const login = `run docker login ${reference.host} (or docker/login-action) in the same job with an account that may read ${reference.repository}`;
  switch (response.status) {
    case 401:
      return problem('REGISTRY_UNAUTHORIZED', `the registry ${host} refused our credentials for ${image} (401, ${identity})${detail}`, {
        hint: `${login}; the password or token may be wrong or expired`,
      });
    case 403:
      return problem('REGISTRY_FORBIDDEN', `the registry ${host} does not let us read ${image} (403, ${identity})${detail}`, {
        hint: `${login}; on GHCR the job needs 'packages: read' and the package must grant access to this repository`,
      });
    case 429:
      return problem('REGISTRY_RATE_LIMITED', `the registry ${host} limits our requests (429)${detail}`, {
        hint: 'log in for a higher limit, or try again later',
      });
    default:
      return problem('REGISTRY_ERROR', `the registry ${host} answered ${response.status} for ${image}${detail}`, {
        hint: 'the registry gave no certain answer about the image, so nothing was done; try again when it is well',
      });
  }
}
