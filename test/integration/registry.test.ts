/** The registry client against Debian's docker-registry with htpasswd, and against loopback servers that play the rest. */
import { createHash } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../../src/shared/contract/errors.ts';
import type { Log } from '../../src/shared/contract/ports.ts';
import { run } from '../../src/shared/process/index.ts';
import { createRegistry, dockerCredentials, type Registry } from '../../src/shared/registry/index.ts';
import { systemClock } from '../../src/shared/runtime/clock.ts';
import { holdClosedPort } from '../support/closed-port.ts';
import { startFront, type Front } from '../support/registry-front.ts';
import { startRegistry, type Registry as TestRegistry } from '../testbed/index.ts';

const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const sha256 = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`;

let real: TestRegistry;
let front: Front;
let scratch: string;
const said: string[] = [];
const log: Log = {
  debug: (m) => said.push(m),
  info: (m) => said.push(m),
  problem: (p) => said.push(p.message),
  group: (_, body) => body(),
};

function client(env: Readonly<Record<string, string>> = {}): Registry {
  return createRegistry({
    credentials: dockerCredentials({ env: { PATH: process.env['PATH'], DOCKER_CONFIG: scratch, ...env }, run, mask: () => undefined, log }),
    log,
    mask: () => undefined,
    clock: systemClock,
  });
}
const login = (host: string, password = real.password): void => {
  writeFileSync(
    join(scratch, 'config.json'),
    JSON.stringify({ auths: { [host]: { auth: Buffer.from(`${real.user}:${password}`).toString('base64') } } }),
  );
};

/** Puts blobs and manifests into the registry by its own API, without docker. */
async function put(repository: string, tag: string, manifest: string, type: string): Promise<string> {
  const authorization = `Basic ${Buffer.from(`${real.user}:${real.password}`).toString('base64')}`;
  const answer = await fetch(`http://${real.host}/v2/${repository}/manifests/${tag}`, {
    method: 'PUT',
    headers: { authorization, 'content-type': type },
    body: manifest,
  });
  if (answer.status !== 201) throw new Error(`PUT manifest: ${String(answer.status)} ${await answer.text()}`);
  return answer.headers.get('docker-content-digest') ?? '';
}
async function putImage(repository: string, tag: string, label: string): Promise<string> {
  const authorization = `Basic ${Buffer.from(`${real.user}:${real.password}`).toString('base64')}`;
  const config = JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    config: { Labels: { label } },
    rootfs: { type: 'layers', diff_ids: [] },
  });
  const start = await fetch(`http://${real.host}/v2/${repository}/blobs/uploads/`, { method: 'POST', headers: { authorization } });
  const where = new URL(start.headers.get('location') ?? '', `http://${real.host}`);
  where.searchParams.set('digest', sha256(config));
  const stored = await fetch(where, {
    method: 'PUT',
    headers: { authorization, 'content-type': 'application/octet-stream' },
    body: config,
  });
  if (stored.status !== 201) throw new Error(`PUT blob: ${String(stored.status)}`);
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', size: config.length, digest: sha256(config) },
    layers: [],
  });
  return put(repository, tag, manifest, OCI_MANIFEST);
}
async function refusal(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof UserError) return `${error.problems[0]?.code ?? ''} ${error.message}`;
    throw error;
  }
  throw new Error('nothing was thrown');
}

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'paasta-registry-'));
  real = await startRegistry({ name: `test-registry-${String(process.pid)}` });
  front = await startFront(real.host);
});
afterAll(async () => {
  await front.close();
  await real.stop();
  rmSync(scratch, { recursive: true, force: true });
});
beforeEach(() => {
  front.intercept = undefined;
  front.asked.length = 0;
  said.length = 0;
  login(real.host);
});

describe('a registry with htpasswd', () => {
  it('has the image that was put there, under a path prefix, with the digest that it reported', async () => {
    const digest = await putImage('org/team/services-web', 'paasta-1', 'one');
    expect(await client().resolveDigest(`${real.host}/org/team/services-web:paasta-1`)).toEqual({ digest, mediaType: OCI_MANIFEST });
    expect(await client().exists(`${real.host}/org/team/services-web@${digest}`)).toBe(true);
    expect(await client().exists(`${real.host}/org/team/services-web:paasta-2`)).toBe(false);
    expect(await client().exists(`${real.host}/org/team/services-none:paasta-1`)).toBe(false);
  });

  it('lists the members of an index', async () => {
    const one = await putImage('services-multi', 'amd64', 'a');
    const two = await putImage('services-multi', 'arm64', 'b');
    const index = await put(
      'services-multi',
      'paasta-1',
      JSON.stringify({
        schemaVersion: 2,
        mediaType: OCI_INDEX,
        manifests: [
          { mediaType: OCI_MANIFEST, size: 1, digest: one, platform: { os: 'linux', architecture: 'amd64' } },
          { mediaType: OCI_MANIFEST, size: 1, digest: two, platform: { os: 'linux', architecture: 'arm64' } },
        ],
      }),
      OCI_INDEX,
    );
    expect(await client().resolveDigest(`${real.host}/services-multi:paasta-1`)).toEqual({ digest: index, mediaType: OCI_INDEX });
    expect(await client().members(`${real.host}/services-multi:paasta-1`)).toEqual([
      { digest: one, platform: 'linux/amd64' },
      { digest: two, platform: 'linux/arm64' },
    ]);
    expect(await client().members(`${real.host}/services-multi:none`)).toBeUndefined();
  });

  it('refuses a wrong password: that is not "absent"', async () => {
    login(real.host, 'wrong-password');
    const text = await refusal(client().exists(`${real.host}/services-web:paasta-1`));
    expect(text).toMatch(
      /^REGISTRY_UNAUTHORIZED the registry 127\.0\.0\.1:\d+ refused our credentials for services-web:paasta-1 \(401, as user 'ci'\)/,
    );
    expect(text).toContain(`run docker login ${real.host}`);
    expect(`${text}${said.join('\n')}`).not.toContain('wrong-password');
  });

  it('refuses us without a login, and says to log in', async () => {
    writeFileSync(join(scratch, 'config.json'), '{}');
    expect(await refusal(client().exists(`${real.host}/services-web:paasta-1`))).toMatch(
      /wants a user and a password .* none is configured\n {2}next: run docker login/,
    );
  });

  it('is asked with the credentials of a credential helper', async () => {
    const helper = join(scratch, 'docker-credential-testhelper');
    writeFileSync(
      helper,
      `#!/bin/sh\nread -r server\n[ "$1 $server" = "get ${real.host}" ] || { echo 'credentials not found in native keychain'; exit 1; }\nprintf '{"ServerURL":"%s","Username":"${real.user}","Secret":"%s"}' "$server" "$HELPER_SECRET"\n`,
    );
    chmodSync(helper, 0o755);
    writeFileSync(join(scratch, 'config.json'), JSON.stringify({ credHelpers: { [real.host]: 'testhelper' } }));
    await putImage('services-helped', 'paasta-1', 'h');
    const env = { PATH: `${scratch}:${process.env['PATH'] ?? ''}`, HELPER_SECRET: real.password };
    expect(await client(env).exists(`${real.host}/services-helped:paasta-1`)).toBe(true);
    expect(await refusal(client({ PATH: '/nonexistent' }).exists(`${real.host}/services-helped:paasta-1`))).toMatch(
      /^CREDENTIAL_HELPER_FAILED .*docker-credential-testhelper/,
    );
  });
});

describe('faults', () => {
  it('a registry that is down is unreachable, after a few attempts', async () => {
    const { port, release } = await holdClosedPort();
    const text = await refusal(client().exists(`127.0.0.1:${String(port)}/services-web:paasta-1`));
    release();
    expect(text).toMatch(/^REGISTRY_UNREACHABLE the registry 127\.0\.0\.1:\d+ does not answer over http: connect ECONNREFUSED/);
    expect(said.filter((line) => line.includes('trying again'))).toHaveLength(3);
  });

  it('a 401 without challenge is explained, and no password is sent', async () => {
    login(front.host);
    front.intercept = (_, response) => (response.writeHead(401).end(), true);
    expect(await refusal(client().exists(`${front.host}/services-web:paasta-1`))).toMatch(
      /^REGISTRY_NO_CHALLENGE .* answered 401 without saying how to authenticate/,
    );
    expect(front.asked.every(({ authorization }) => authorization === undefined)).toBe(true);
  });

  it('500 then fine is fine', async () => {
    await putImage('services-flaky', 'paasta-1', 'f');
    login(front.host);
    let failures = 2;
    front.intercept = (_, response) => failures-- > 0 && (response.writeHead(500).end(), true);
    expect(await client().exists(`${front.host}/services-flaky:paasta-1`)).toBe(true);
    expect(said.filter((line) => line.includes('answered 500; trying again'))).toHaveLength(2);
  });

  it('a connection that breaks off is tried again', async () => {
    await putImage('services-broken', 'paasta-1', 'f');
    login(front.host);
    let failures = 1;
    front.intercept = (request) => failures-- > 0 && (request.socket.destroy(), true);
    expect(await client().exists(`${front.host}/services-broken:paasta-1`)).toBe(true);
  });
});

describe('Bearer tokens', () => {
  it('are got from the token server with the password, and used', async () => {
    const tokens = await startFront();
    tokens.intercept = (request, response) => {
      const url = new URL(request.url ?? '', `http://${tokens.host}`);
      const known = request.headers.authorization === `Basic ${Buffer.from(`${real.user}:${real.password}`).toString('base64')}`;
      response
        .writeHead(known ? 200 : 401, { 'content-type': 'application/json' })
        .end(JSON.stringify({ token: `${url.searchParams.get('scope') ?? ''} of ${url.searchParams.get('service') ?? ''}` }));
      return true;
    };
    front.intercept = (request, response) => {
      if (request.headers.authorization === 'Bearer repository:org/services-web:pull of reg') {
        response.writeHead(200, { 'docker-content-digest': sha256('x'), 'content-type': OCI_MANIFEST }).end();
      } else
        response
          .writeHead(401, {
            'www-authenticate': `Bearer realm="http://${tokens.host}/token",service="reg",scope="repository:org/services-web:pull"`,
          })
          .end();
      return true;
    };
    login(front.host);
    expect(await client().resolveDigest(`${front.host}/org/services-web:paasta-1`)).toEqual({
      digest: sha256('x'),
      mediaType: OCI_MANIFEST,
    });
    login(front.host, 'wrong-password');
    expect(await refusal(client().exists(`${front.host}/org/services-web:paasta-1`))).toMatch(
      /which gives out the tokens of .* refused us access to org\/services-web \(401, as user 'ci'\)/,
    );
    await tokens.close();
  });
});

describe('redirects', () => {
  it('are followed without the credentials when they lead to another host', async () => {
    const store = await startFront();
    store.intercept = (_, response) => (
      response.writeHead(200, { 'docker-content-digest': sha256('y'), 'content-type': OCI_MANIFEST }).end(),
      true
    );
    front.intercept = (request, response) => {
      if (request.headers.authorization === undefined) response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end();
      else response.writeHead(307, { location: `http://${store.host}/blob?signature=s3cret` }).end();
      return true;
    };
    login(front.host);
    expect(await client().resolveDigest(`${front.host}/services-web:paasta-1`)).toEqual({ digest: sha256('y'), mediaType: OCI_MANIFEST });
    expect(store.asked).toEqual([{ method: 'HEAD', path: '/blob?signature=s3cret', authorization: undefined }]);
    expect(front.asked.at(-1)?.authorization).toMatch(/^Basic /);
    expect(said.join('\n')).not.toContain('s3cret');
    await store.close();
  });
});

describe('without HEAD', () => {
  it('a registry that answers 405 is asked with GET', async () => {
    const digest = await putImage('services-old', 'paasta-1', 'o');
    login(front.host);
    front.intercept = (request, response) => request.method === 'HEAD' && (response.writeHead(405).end(), true);
    expect((await client().resolveDigest(`${front.host}/services-old:paasta-1`))?.digest).toBe(digest);
  });
});
