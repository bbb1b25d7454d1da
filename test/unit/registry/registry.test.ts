import { createHash } from 'node:crypto';
import { UserError } from '../../../src/shared/contract/errors.ts';
import type { Clock, Log } from '../../../src/shared/contract/ports.ts';
import {
  createRegistry,
  dockerCredentials,
  givenCredentials,
  parseReference,
  registryProblem,
  type Credential,
  type Registry,
} from '../../../src/shared/registry/index.ts';
import { parseChallenges } from '../../../src/shared/registry/challenge.ts';
import { retryAfter } from '../../../src/shared/registry/transport.ts';

const SHA = '3f'.repeat(20);
const MANIFEST = '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}';
const DIGEST = `sha256:${createHash('sha256').update(MANIFEST).digest('hex')}`;
const OCI = 'application/vnd.oci.image.manifest.v1+json';

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}
type Answer = Response | Error;

/** A registry whose answers are written in the test, and a clock whose pauses are only noted. */
function world(
  answer: (seen: Seen, count: number) => Answer,
  options: { credential?: Credential; insecure?: boolean } = {},
): { registry: Registry; seen: Seen[]; pauses: number[]; masked: string[]; said: string[] } {
  const seen: Seen[] = [];
  const pauses: number[] = [];
  const masked: string[] = [];
  const said: string[] = [];
  let now = Date.UTC(2026, 0, 1);
  const clock: Clock = {
    now: () => now,
    sleep: (ms) => {
      pauses.push(ms);
      now += ms;
      return Promise.resolve();
    },
  };
  const log: Log = {
    debug: (m) => said.push(m),
    info: (m) => said.push(m),
    problem: (p) => said.push(p.message),
    group: (_, body) => body(),
  };
  const registry = createRegistry({
    credentials: () => Promise.resolve(options.credential),
    log,
    mask: (secret) => masked.push(secret),
    clock,
    insecure: options.insecure ?? false,
    fetch: (url, init) => {
      const request: Seen = { method: init.method, url, headers: init.headers, body: init.body };
      seen.push(request);
      const given = answer(request, seen.length);
      return given instanceof Error ? Promise.reject(given) : Promise.resolve(given);
    },
  });
  return { registry, seen, pauses, masked, said };
}

const present = (): Response => new Response(null, { status: 200, headers: { 'docker-content-digest': DIGEST, 'content-type': OCI } });
const silent = (code: string, message = code): Error =>
  new TypeError('fetch failed', { cause: Object.assign(new Error(message), { code }) });
const image = `reg.example/org/services-web:paasta-${SHA}`;
const unauthorized = (challenge?: string): Response =>
  new Response(null, { status: 401, headers: challenge === undefined ? {} : { 'www-authenticate': challenge } });

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof UserError) return error.problems[0]?.code ?? '';
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('parseReference', () => {
  it.each([
    ['reg.example:443/services-web:paasta-abc', 'reg.example:443', 'services-web', 'paasta-abc'],
    ['reg.example/org/team/services-web:t', 'reg.example', 'org/team/services-web', 't'],
    ['127.0.0.1:5000/services-web', '127.0.0.1:5000', 'services-web', 'latest'],
    ['localhost/services-web:t', 'localhost', 'services-web', 't'],
    ['busybox', 'docker.io', 'library/busybox', 'latest'],
    ['org/services-web:t', 'docker.io', 'org/services-web', 't'],
    ['index.docker.io/org/services-web:t', 'docker.io', 'org/services-web', 't'],
    [`reg.example/services-web:t@${DIGEST}`, 'reg.example', 'services-web', DIGEST],
    ['[::1]:5000/services-web:t', '[::1]:5000', 'services-web', 't'],
  ])('%s', (text, host, repository, target) => {
    expect(parseReference(text)).toMatchObject({ host, repository, target });
  });

  it.each([
    'https://reg.example/services-web:t',
    'reg.example/Services-Web:t',
    'reg.example/../x:t',
    'reg.example/a b:t',
    'reg.example/x:$(id)',
    'reg.example/x:t\nInjected: 1',
    'reg.example/x@sha256:abc',
    'reg.example/',
    '',
  ])('refuses %j', (text) => {
    expect(() => parseReference(text)).toThrow(/is not an image reference/);
  });
});

describe('parseChallenges', () => {
  it.each([
    ['Basic realm="Registry Realm"', [{ scheme: 'basic', parameters: { realm: 'Registry Realm' } }]],
    [
      'Bearer realm="https://auth.example/token",service="reg.example",scope="repository:a,b:pull"',
      [{ scheme: 'bearer', parameters: { realm: 'https://auth.example/token', service: 'reg.example', scope: 'repository:a,b:pull' } }],
    ],
    [
      'Negotiate, Basic realm=x, Bearer realm="y"',
      [
        { scheme: 'negotiate', parameters: {} },
        { scheme: 'basic', parameters: { realm: 'x' } },
        { scheme: 'bearer', parameters: { realm: 'y' } },
      ],
    ],
    ['', []],
    ['"', []],
  ])('%s', (header, expected) => {
    expect(parseChallenges(header)).toEqual(expected);
  });
});

describe('presence of an image', () => {
  it('asks with HEAD and all four manifest types, and believes 200 and 404', async () => {
    const { registry, seen } = world((_, n) => (n === 1 ? present() : new Response(null, { status: 404 })));
    expect(await registry.resolveDigest(image)).toEqual({ digest: DIGEST, mediaType: OCI });
    expect(await registry.exists(image)).toBe(false);
    expect(seen[0]).toMatchObject({ method: 'HEAD', url: `https://reg.example/v2/org/services-web/manifests/paasta-${SHA}` });
    expect(seen[0]?.headers['Accept']?.split(', ').sort()).toEqual([
      'application/vnd.docker.distribution.manifest.list.v2+json',
      'application/vnd.docker.distribution.manifest.v2+json',
      'application/vnd.oci.image.index.v1+json',
      'application/vnd.oci.image.manifest.v1+json',
    ]);
  });

  it('falls back to GET on 405, and computes the digest of the body', async () => {
    const { registry, seen } = world(({ method }) =>
      method === 'HEAD'
        ? new Response(null, { status: 405 })
        : new Response(MANIFEST, { status: 200, headers: { 'content-type': `${OCI}; charset=utf-8` } }),
    );
    expect(await registry.resolveDigest(image)).toEqual({ digest: DIGEST, mediaType: OCI });
    expect(seen.map(({ method }) => method)).toEqual(['HEAD', 'GET']);
  });

  it('gets the body when HEAD names no digest', async () => {
    const { registry } = world(
      ({ method }) => new Response(method === 'HEAD' ? null : MANIFEST, { status: 200, headers: { 'content-type': OCI } }),
    );
    expect(await registry.resolveDigest(image)).toEqual({ digest: DIGEST, mediaType: OCI });
  });

  it('does not believe a manifest whose digest is another than the one named', async () => {
    const { registry } = world(
      ({ method }) =>
        new Response(method === 'HEAD' ? null : MANIFEST, {
          status: 200,
          headers: { 'content-type': OCI, ...(method === 'HEAD' ? {} : { 'docker-content-digest': `sha256:${'0'.repeat(64)}` }) },
        }),
    );
    expect(await codeOf(registry.resolveDigest(image))).toBe('REGISTRY_BAD_DIGEST');
  });

  it('does not take a login page for an image', async () => {
    const { registry } = world(
      ({ method }) =>
        new Response(method === 'HEAD' ? null : '<html>sign in</html>', { status: 200, headers: { 'content-type': 'text/html' } }),
    );
    expect(await codeOf(registry.exists(image))).toBe('REGISTRY_NOT_A_REGISTRY');
  });

  it.each([
    [403, 'REGISTRY_FORBIDDEN'],
    [400, 'REGISTRY_ERROR'],
    [204, 'REGISTRY_ERROR'],
  ])('a %i is "cannot tell", not "absent", and not asked again', async (status, code) => {
    const { registry, seen } = world(() => new Response(null, { status }));
    expect(await codeOf(registry.exists(image))).toBe(code);
    expect(seen).toHaveLength(1);
  });

  it('lists the members of an index, attestations left out', async () => {
    const entries = [
      { digest: `sha256:${'a'.repeat(64)}`, platform: { os: 'linux', architecture: 'amd64' } },
      { digest: `sha256:${'b'.repeat(64)}`, platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } },
      { digest: `sha256:${'c'.repeat(64)}`, platform: { os: 'unknown', architecture: 'unknown' } },
    ];
    const { registry } = world(
      () =>
        new Response(JSON.stringify({ schemaVersion: 2, manifests: entries }), {
          status: 200,
          headers: { 'content-type': 'application/vnd.oci.image.index.v1+json' },
        }),
    );
    expect(await registry.members(image)).toEqual([
      { digest: `sha256:${'a'.repeat(64)}`, platform: 'linux/amd64' },
      { digest: `sha256:${'b'.repeat(64)}`, platform: 'linux/arm64/v8' },
    ]);
  });

  it('names the single image as its own member', async () => {
    const { registry } = world(() => new Response(MANIFEST, { status: 200, headers: { 'content-type': OCI } }));
    expect(await registry.members(image)).toEqual([{ digest: DIGEST, platform: undefined }]);
  });
});

describe('retries', () => {
  it('tries 500 and a broken connection again with a doubling pause', async () => {
    const { registry, pauses } = world((_, n) =>
      n === 1 ? new Response(null, { status: 500 }) : n === 2 ? silent('ECONNRESET') : present(),
    );
    expect(await registry.exists(image)).toBe(true);
    expect(pauses).toEqual([500, 1_000]);
  });

  it('waits as long as the server says', async () => {
    const { registry, pauses } = world((_, n) =>
      n === 1 ? new Response(null, { status: 429, headers: { 'retry-after': '7' } }) : present(),
    );
    expect(await registry.exists(image)).toBe(true);
    expect(pauses).toEqual([7_000]);
  });

  it.each([
    ['3', 3_000],
    ['99999', 60_000],
    ['Thu, 01 Jan 2026 00:00:05 GMT', 5_000],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
    ['soon', undefined],
    ['', undefined],
  ])('Retry-After %j is %j ms', (header, expected) => {
    expect(retryAfter(header, Date.UTC(2026, 0, 1))).toBe(expected);
  });

  it('gives up after four attempts', async () => {
    const { registry, seen } = world(() => new Response('{"errors":[{"code":"UNKNOWN","message":"disk full"}]}', { status: 503 }));
    await expect(registry.exists(image)).rejects.toThrow(/answered 503|disk full/);
    expect(seen).toHaveLength(4);
  });

  it.each([
    ['ECONNREFUSED', 'REGISTRY_UNREACHABLE', 4],
    ['ENOTFOUND', 'REGISTRY_UNREACHABLE', 1],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'REGISTRY_CERTIFICATE', 1],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'REGISTRY_NOT_TLS', 1],
  ])('%s is explained as %s after %i attempts', async (code, problem, attempts) => {
    const { registry, seen } = world(() => silent(code));
    expect(await codeOf(registry.exists(image))).toBe(problem);
    expect(seen).toHaveLength(attempts);
  });

  it('waits for an image until the time is over', async () => {
    const late = world((_, n) => (n < 3 ? new Response(null, { status: 404 }) : present()));
    expect(await late.registry.waitFor(image, 60_000, 10_000)).toMatchObject({ digest: DIGEST });
    expect(late.pauses).toEqual([10_000, 10_000]);
    const never = world(() => new Response(null, { status: 404 }));
    expect(await never.registry.waitFor(image, 25_000, 10_000)).toBeUndefined();
    expect(never.pauses).toEqual([10_000, 10_000, 5_000]);
  });
});

describe('authentication', () => {
  const user: Credential = { kind: 'basic', username: 'ci', password: 'pass-word' };
  const basic = `Basic ${Buffer.from('ci:pass-word').toString('base64')}`;

  it('answers a Basic challenge, and remembers the answer', async () => {
    const { registry, seen } = world(({ headers }) => (headers['Authorization'] === basic ? present() : unauthorized('Basic realm="r"')), {
      credential: user,
    });
    expect(await registry.exists(image)).toBe(true);
    expect(await registry.exists(image)).toBe(true);
    expect(seen.map(({ headers }) => headers['Authorization'] !== undefined)).toEqual([false, true, true]);
  });

  it('says that the credentials are wrong, with the user and without the password', async () => {
    const { registry, seen, said } = world(() => unauthorized('Basic realm="r"'), { credential: user });
    await expect(registry.exists(image)).rejects.toThrow(/refused our credentials .*401, as user 'ci'/);
    expect(seen).toHaveLength(2);
    expect(said.join('\n')).not.toContain('pass-word');
  });

  it('says to log in when there are no credentials', async () => {
    const { registry } = world(() => unauthorized('Basic realm="r"'));
    await expect(registry.exists(image)).rejects.toThrow(/none is configured\n {2}next: run docker login reg\.example/);
  });

  it('explains a 401 without a challenge', async () => {
    const { registry } = world(() => unauthorized(), { credential: user });
    await expect(registry.exists(image)).rejects.toThrow(/answered 401 without saying how to authenticate/);
  });

  const challenge = 'Bearer realm="https://auth.example/token",service="reg.example"';

  it.each([
    ['with a password', user, 'GET', basic, undefined],
    ['anonymously', undefined, 'GET', undefined, undefined],
    ['with an identity token', { kind: 'identity', token: 'refresh-me' } as Credential, 'POST', undefined, 'refresh-me'],
  ])('gets a token %s', async (_, credential, method, authorization, refresh) => {
    const { registry, seen, masked } = world(
      ({ url, headers }) =>
        url.startsWith('https://auth.example/')
          ? Response.json({ access_token: 'tok-1' })
          : headers['Authorization'] === 'Bearer tok-1'
            ? present()
            : unauthorized(challenge),
      credential === undefined ? {} : { credential },
    );
    expect(await registry.exists(image)).toBe(true);
    const ask = seen[1] as Seen;
    expect(ask.method).toBe(method);
    expect(ask.headers['Authorization']).toBe(authorization);
    const parameters = method === 'GET' ? new URL(ask.url).searchParams : new URLSearchParams(ask.body);
    expect(parameters.get('service')).toBe('reg.example');
    expect(parameters.get('scope')).toBe('repository:org/services-web:pull');
    expect(parameters.get('refresh_token') ?? undefined).toBe(refresh);
    expect(masked).toContain('tok-1');
  });

  it('gets a new token when the old one has expired', async () => {
    let valid = 'tok-1';
    const { registry } = world(({ url, headers }) =>
      url.startsWith('https://auth.example/')
        ? Response.json({ token: valid })
        : headers['Authorization'] === `Bearer ${valid}`
          ? present()
          : unauthorized(challenge),
    );
    expect(await registry.exists(image)).toBe(true);
    valid = 'tok-2';
    expect(await registry.exists(image)).toBe(true);
  });

  it('never sends a password to a token server without TLS', async () => {
    const { registry, seen } = world(() => unauthorized('Bearer realm="http://auth.example/token"'), { credential: user });
    expect(await codeOf(registry.exists(image))).toBe('REGISTRY_NO_CHALLENGE');
    expect(seen).toHaveLength(1);
  });

  it('is told that the token server refuses', async () => {
    const { registry } = world(
      ({ url }) => (url.startsWith('https://auth.example/') ? new Response(null, { status: 403 }) : unauthorized(challenge)),
      { credential: user },
    );
    await expect(registry.exists(image)).rejects.toThrow(
      /auth\.example, which gives out the tokens of reg\.example, refused us access to org\/services-web \(403, as user 'ci'\)/,
    );
  });

  it('follows a redirect without handing the credentials to the other host, and without answering its challenge', async () => {
    const { registry, seen } = world(
      ({ url, headers }) => {
        if (url.startsWith('https://store.example/')) return present();
        return headers['Authorization'] === basic
          ? new Response(null, { status: 307, headers: { location: 'https://u:p@store.example/blob?signature=s3cret' } })
          : unauthorized('Basic realm="r"');
      },
      { credential: user },
    );
    expect(await registry.exists(image)).toBe(true);
    expect(seen.at(-1)?.url).toBe('https://store.example/blob?signature=s3cret');
    expect(seen.at(-1)?.headers['Authorization']).toBeUndefined();
    const other = world(
      ({ url }) =>
        url.startsWith('https://store.example/')
          ? unauthorized('Basic realm="give"')
          : new Response(null, { status: 302, headers: { location: 'https://store.example/x' } }),
      { credential: user },
    );
    expect(await codeOf(other.registry.exists(image))).toBe('REGISTRY_UNAUTHORIZED');
    expect(other.seen.some(({ headers }) => headers['Authorization'] !== undefined)).toBe(false);
  });

  it.each([
    ['http://reg.example/x', /from https to plain http/],
    ['ftp://reg.example/x', /a redirect to ftp:/],
    [`/v2/org/services-web/manifests/again`, /more than 5 redirects/],
  ])('does not follow %s', async (location, message) => {
    const { registry } = world(() => new Response(null, { status: 302, headers: { location } }));
    await expect(registry.exists(image)).rejects.toThrow(message);
  });

  it('keeps signed addresses out of the log', async () => {
    const { registry, said } = world(({ url }) =>
      url.startsWith('https://store.example/')
        ? present()
        : new Response(null, { status: 307, headers: { location: 'https://store.example/blob?signature=s3cret' } }),
    );
    await registry.exists(image);
    expect(said.join('\n')).toContain('https://store.example/blob');
    expect(said.join('\n')).not.toContain('s3cret');
  });
});

describe('plain HTTP', () => {
  const plain = ({ url }: Seen): Answer => (url.startsWith('https:') ? silent('ERR_SSL_WRONG_VERSION_NUMBER') : present());

  it.each([
    ['127.0.0.1:5000/services-web:t', false],
    ['localhost:5000/services-web:t', false],
    ['reg.example:5000/services-web:t', true],
  ])('%s with insecure %s', async (reference, insecure) => {
    const { registry, seen } = world(plain, { insecure });
    expect(await registry.exists(reference)).toBe(true);
    expect(await registry.exists(reference)).toBe(true);
    expect(seen.map(({ url }) => new URL(url).protocol)).toEqual(['https:', 'http:', 'http:']);
  });

  it('is never used unasked: PaaSTA fell back silently', async () => {
    const { registry, seen } = world(plain);
    await expect(registry.exists(image)).rejects.toThrow(/does not speak TLS\n {2}next: set insecure-registry: true/);
    expect(seen.every(({ url }) => url.startsWith('https:'))).toBe(true);
  });

  it('is not used because a certificate is bad, even when asked for', async () => {
    const { registry } = world(() => silent('CERT_HAS_EXPIRED'), { insecure: true });
    expect(await codeOf(registry.exists(image))).toBe('REGISTRY_CERTIFICATE');
  });
});

describe('docker credentials', () => {
  const log: Log = { debug: () => undefined, info: () => undefined, problem: () => undefined, group: (_, body) => body() };
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const lookup = (
    config: unknown,
    helper: (argv: readonly string[], input: string) => { code: number; stdout: string } = () => ({ code: 1, stdout: '' }),
    masked: string[] = [],
  ): ((host: string, repository: string) => Promise<Credential | undefined>) =>
    dockerCredentials({
      env: { DOCKER_CONFIG: '/cfg' },
      log,
      mask: (s) => masked.push(s),
      readFile: (path) => (path === '/cfg/config.json' ? (typeof config === 'string' ? config : JSON.stringify(config)) : undefined),
      run: (argv, options) =>
        Promise.resolve({
          signal: null,
          timedOut: false,
          cancelled: false,
          stderr: '',
          duration: 1,
          ...helper(argv, options?.input ?? ''),
        }),
    });

  it.each([
    ['the host', { 'reg.example': { auth: base64('ci:p:w') } }, 'reg.example', 'x', { username: 'ci', password: 'p:w' }],
    ['an address', { 'https://reg.example/v2/': { auth: base64('ci:pw') } }, 'reg.example', 'x', { username: 'ci', password: 'pw' }],
    [
      'host and port',
      { 'reg.example': { auth: base64('no:no') }, 'reg.example:443': { auth: base64('ci:pw') } },
      'reg.example:443',
      'x',
      { username: 'ci', password: 'pw' },
    ],
    [
      'the longest path',
      { 'reg.example': { auth: base64('no:no') }, 'reg.example/org': { auth: base64('ci:pw') } },
      'reg.example',
      'org/services-web',
      { username: 'ci', password: 'pw' },
    ],
    [
      'Docker Hub by its old address',
      { 'https://index.docker.io/v1/': { auth: base64('ci:pw') } },
      'docker.io',
      'library/x',
      { username: 'ci', password: 'pw' },
    ],
    ['a password with padding', { 'reg.example': { auth: base64('ci:pw\0\0') } }, 'reg.example', 'x', { username: 'ci', password: 'pw' }],
    ['plain fields', { 'reg.example': { username: 'ci', password: 'pw' } }, 'reg.example', 'x', { username: 'ci', password: 'pw' }],
    [
      'a password as it is: PaaSTA cut its last two characters',
      { 'reg.example': { auth: base64('ci:secret') } },
      'reg.example',
      'x',
      { username: 'ci', password: 'secret' },
    ],
    [
      'an identity token',
      { 'reg.example': { auth: base64('0:'), identitytoken: 'idt' } },
      'reg.example',
      'x',
      { kind: 'identity', token: 'idt' },
    ],
    ['a registry token', { 'reg.example': { registrytoken: 'rt' } }, 'reg.example', 'x', { kind: 'bearer', token: 'rt' }],
  ])('finds %s', async (_, auths, host, repository, expected) => {
    expect(await lookup({ auths })(host, repository)).toMatchObject(expected);
  });

  it.each([
    ['another host', { auths: { 'other.example': { auth: base64('ci:pw') } } }],
    ['a path of another organisation', { auths: { 'reg.example/other': { auth: base64('ci:pw') } } }],
    ['an empty entry, which docker writes beside a store', { auths: { 'reg.example': {} } }],
    ['nothing', {}],
    ['an empty file', ''],
  ])('asks anonymously with %s', async (_, config) => {
    expect(await lookup(config)('reg.example', 'org/x')).toBeUndefined();
  });

  it('masks what it finds before it hands it out', async () => {
    const masked: string[] = [];
    await lookup({ auths: { 'reg.example': { auth: base64('ci:pw-1') } } }, undefined, masked)('reg.example', 'x');
    expect(masked).toEqual([base64('ci:pw-1'), 'pw-1']);
  });

  it('asks the helper of the host before the store, by standard input', async () => {
    const asked: string[] = [];
    const find = lookup(
      { credHelpers: { 'reg.example': 'ecr-login' }, credsStore: 'desktop', auths: { 'reg.example': {} } },
      (argv, input) => {
        asked.push(`${argv.join(' ')} < ${input}`);
        return { code: 0, stdout: JSON.stringify({ ServerURL: input, Username: 'AWS', Secret: 'st' }) };
      },
    );
    expect(await find('reg.example', 'x')).toEqual({ kind: 'basic', username: 'AWS', password: 'st' });
    expect(await find('docker.io', 'library/x')).toMatchObject({ username: 'AWS' });
    expect(asked).toEqual(['docker-credential-ecr-login get < reg.example', 'docker-credential-desktop get < https://index.docker.io/v1/']);
  });

  it('reads an identity token from a helper', async () => {
    expect(
      await lookup({ credsStore: 's' }, () => ({ code: 0, stdout: '{"Username":"<token>","Secret":"idt"}' }))('reg.example', 'x'),
    ).toEqual({ kind: 'identity', token: 'idt' });
  });

  it('goes on anonymously when the helper knows nothing, and fails when it is broken', async () => {
    expect(
      await lookup({ credsStore: 's' }, () => ({ code: 1, stdout: 'credentials not found in native keychain\n' }))('reg.example', 'x'),
    ).toBeUndefined();
    await expect(lookup({ credsStore: 's' }, () => ({ code: 1, stdout: 'token expired' }))('reg.example', 'x')).rejects.toThrow(
      /docker-credential-s .*exit 1: token expired/,
    );
    await expect(lookup({ credsStore: 's;id' })('reg.example', 'x')).rejects.toThrow(/its name is not that of a program/);
  });

  it('does not quote a broken configuration, which holds passwords', async () => {
    const found = lookup('{"auths":{"reg.example":{"auth":"c2VjcmV0"')('reg.example', 'x');
    await expect(found).rejects.toThrow(/\/cfg\/config\.json is not a docker configuration: it is not JSON/);
    await expect(found).rejects.not.toThrow(/c2VjcmV0/);
  });
});

describe('credentials that were given to the run', () => {
  const docker = (): Promise<Credential | undefined> => Promise.resolve({ kind: 'bearer', token: 'from docker' });
  it.each([
    ['reg.example:5000/org', 'reg.example:5000', 'ci'],
    ['reg.example:5000/org', 'reg.example', 'docker'],
    ['reg.example', 'store.example', 'docker'],
    ['docker.io/org', 'docker.io', 'ci'],
  ])('for %s, asked for %s: those of %s', async (registry, host, whose) => {
    const masked: string[] = [];
    const found = await givenCredentials({ registry, username: 'ci', password: 'pw', mask: (s) => masked.push(s) }, docker)(host, 'org/x');
    expect(found).toEqual(whose === 'ci' ? { kind: 'basic', username: 'ci', password: 'pw' } : { kind: 'bearer', token: 'from docker' });
    expect(masked).toEqual(['pw']);
  });
  it("are docker's when none are given", async () => {
    expect(await givenCredentials({ registry: 'r', username: '', password: '', mask: () => undefined }, docker)('r', 'x')).toEqual({
      kind: 'bearer',
      token: 'from docker',
    });
  });
});

describe('the address of a registry', () => {
  it.each(['reg.example', 'reg.example:443', 'ghcr.io/acme', '127.0.0.1:5000/org/team', 'localhost', 'reg.example/org/'])(
    '%s is one',
    (value) => {
      expect(registryProblem(value)).toBeUndefined();
    },
  );
  it.each(['https://reg.example', 'reg.example/Org', 'reg.example/$(id)', '-x', 'a b', 'reg.example//x', 'reg.example\nx', ''])(
    '%j is none',
    (value) => {
      expect(registryProblem(value)?.code).toBe('BAD_REGISTRY');
    },
  );
});
