/** push-to-registry through its bundle, against a docker engine and a registry with htpasswd. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { holdClosedPort } from '../support/closed-port.ts';
import { startFront, type Front } from '../support/registry-front.ts';
import { describeWith, root } from '../support/requirements.ts';
import { runBundle, type BundleRun } from '../support/runner.ts';
import { ensureDocker, startRegistry, type Docker, type Registry } from '../testbed/index.ts';

/** The bundle, as the runner runs it; `PAASTA_TEST_SOURCES=1` runs the sources instead, which need no build. */
const ENTRY = join(
  dirname(dirname(dirname(fileURLToPath(import.meta.url)))),
  ...(process.env['PAASTA_TEST_SOURCES'] === '1' ? ['src', 'push-to-registry', 'index.ts'] : ['dist', 'push-to-registry', 'index.js']),
);
const NAME = `test-push-${String(process.pid)}`;
/** What people see: the runner swallows the lines that register a secret. */
const visible = (text: string): string => text.replace(/^::add-mask::.*$/gm, '');
let counter = 0;
/** A commit of its own for every test: tags are never reused. */
const newSha = (): string => (++counter).toString(16).padStart(40, 'a');

describeWith([root()], 'push-to-registry', () => {
  let docker: Docker;
  let registry: Registry;
  let front: Front;
  let scratch: string;
  const made: string[] = [];

  const engine = (args: readonly string[], input?: Buffer): string =>
    execFileSync(docker.dockerPath, args, {
      env: { ...process.env, ...docker.env },
      encoding: 'utf8',
      ...(input === undefined ? {} : { input }),
      stdio: ['pipe', 'pipe', 'pipe'],
    }).trim();
  /** An image without a build: one file, of that content. */
  const image = (reference: string, content: string): string => {
    writeFileSync(join(scratch, 'content'), content);
    const tar = execFileSync('tar', ['-C', scratch, '-c', 'content']);
    const id = engine(['import', '-', reference], tar);
    made.push(id);
    return id;
  };
  const login = (host: string, password = registry.password): void => {
    writeFileSync(
      join(scratch, 'docker', 'config.json'),
      JSON.stringify({ auths: { [host]: { auth: Buffer.from(`${registry.user}:${password}`).toString('base64') } } }),
    );
  };
  const push = (inputs: Record<string, string>, env: Record<string, string> = {}): Promise<BundleRun> =>
    runBundle('push-to-registry', {
      entry: ENTRY,
      inputs: {
        service: 'web',
        registry: registry.host,
        'soa-dir': join(scratch, 'soa'),
        'system-config-dir': join(scratch, 'system'),
        ...inputs,
      },
      env: { ...docker.env, DOCKER_CONFIG: join(scratch, 'docker'), RUNNER_DEBUG: '1', ...env },
    });
  const digestOf = async (reference: string): Promise<string | null> => {
    const [, path = '', tag = ''] = /^[^/]+\/(.*):([^:]+)$/.exec(reference) ?? [];
    const answer = await fetch(`http://${registry.host}/v2/${path}/manifests/${tag}`, {
      method: 'HEAD',
      headers: {
        authorization: `Basic ${Buffer.from(`${registry.user}:${registry.password}`).toString('base64')}`,
        accept:
          'application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json',
      },
    });
    return answer.status === 200 ? answer.headers.get('docker-content-digest') : null;
  };

  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), 'paasta-push-'));
    for (const dir of ['docker', 'system', 'soa/web']) mkdirSync(join(scratch, dir), { recursive: true });
    docker = await ensureDocker({ name: NAME });
    registry = await startRegistry({ name: NAME });
    front = await startFront(registry.host);
  });
  afterAll(async () => {
    if (made.length > 0) engine(['image', 'rm', '-f', ...new Set(made)]);
    await front.close();
    await registry.stop();
    await docker.stop();
    rmSync(scratch, { recursive: true, force: true });
  });
  beforeEach(() => {
    front.intercept = undefined;
    front.asked.length = 0;
    login(registry.host);
  });

  it('pushes once; the second time the tag is there and is not touched', async () => {
    const commit = newSha();
    const reference = `${registry.host}/services-web:paasta-${commit}`;
    image(reference, 'first');
    const first = await push({ commit });
    expect(first.text).toContain(`docker push ${reference}`);
    expect(first).toMatchObject({
      code: 0,
      outputs: { image: reference, digest: await digestOf(reference), pushed: 'true', 'already-present': 'false' },
    });
    expect(first.summary).toContain(`| \`${reference}\` | pushed | \`${first.outputs['digest'] ?? ''}\` |`);
    expect(visible(first.text)).not.toContain(registry.password);

    image(reference, 'another build of the same commit');
    const second = await push({ commit });
    expect(second).toMatchObject({
      code: 0,
      outputs: { image: reference, digest: first.outputs['digest'], pushed: 'false', 'already-present': 'true' },
    });
    expect(second.text).toContain('it is not overwritten');
    expect(second.text).not.toContain('run docker');
    expect(await digestOf(reference)).toBe(first.outputs['digest']);
  });

  it('says what force replaces', async () => {
    const commit = newSha();
    const reference = `${registry.host}/services-web:paasta-${commit}`;
    image(reference, 'old');
    const before = (await push({ commit })).outputs['digest'];
    image(reference, 'new');
    const after = await push({ commit, force: 'true' });
    expect(after).toMatchObject({ code: 0, outputs: { pushed: 'true', 'already-present': 'false' } });
    expect(after.outputs['digest']).not.toBe(before);
    expect(after.text).toContain(`${reference}: ${before ?? ''} -> ${after.outputs['digest'] ?? ''}`);
    expect(after.summary).toContain(`replaced (force) | \`${before ?? ''}\` → \`${after.outputs['digest'] ?? ''}\``);
  });

  it('pushes the legacy tag first, leaves it alone when it is there, and can be told not to', async () => {
    const commit = newSha();
    const legacy = `${registry.host}/services-web:paasta-${commit}`;
    const one = `${legacy}-20260101T000000`;
    const two = `${legacy}-20260201T000000`;
    image(one, 'build one');
    image(two, 'build two');
    const first = await push({ commit, 'image-version': '20260101T000000' });
    expect(first).toMatchObject({ code: 0, outputs: { image: one } });
    expect(first.text.indexOf(`docker push ${legacy}\n`)).toBeGreaterThan(-1);
    expect(first.text.indexOf(`docker push ${legacy}\n`)).toBeLessThan(first.text.indexOf(`docker push ${one}`));
    expect(await digestOf(legacy)).toBe(first.outputs['digest']);

    const second = await push({ commit, 'image-version': '20260201T000000' });
    expect(second).toMatchObject({ code: 0, outputs: { image: two, pushed: 'true' } });
    expect(await digestOf(legacy)).toBe(first.outputs['digest']);
    expect(await digestOf(two)).toBe(second.outputs['digest']);
    expect(second.outputs['digest']).not.toBe(first.outputs['digest']);

    const other = newSha();
    image(`${registry.host}/services-web:paasta-${other}-v1`, 'build three');
    expect((await push({ commit: other, 'image-version': 'v1', 'push-legacy-tag': 'false' })).code).toBe(0);
    expect(await digestOf(`${registry.host}/services-web:paasta-${other}`)).toBeNull();
  });

  it('takes the registry from service.yaml, then from the system configuration, path prefix included', async () => {
    const commit = newSha();
    const reference = `${registry.host}/org/team/services-web:paasta-${commit}`;
    image(reference, 'prefixed');
    writeFileSync(join(scratch, 'system', 'a.json'), JSON.stringify({ docker_registry: 'elsewhere.example' }));
    writeFileSync(join(scratch, 'soa', 'web', 'service.yaml'), `docker_registry: ${registry.host}/org/team\n`);
    const result = await push({ commit, registry: '' });
    expect(result).toMatchObject({ code: 0, outputs: { image: reference, pushed: 'true' } });
    writeFileSync(join(scratch, 'system', 'a.json'), JSON.stringify({ docker_registry: `${registry.host}/org/team` }));
    writeFileSync(join(scratch, 'soa', 'web', 'service.yaml'), 'description: web\n');
    expect(await push({ commit, registry: '' })).toMatchObject({ code: 0, outputs: { image: reference, 'already-present': 'true' } });
    writeFileSync(join(scratch, 'system', 'a.json'), '{}');
    const none = await push({ commit, registry: '' });
    expect(none.code).toBe(1);
    expect(none.text).toContain('no docker registry is configured for web');
    writeFileSync(join(scratch, 'soa', 'web', 'service.yaml'), 'docker_registry: [\n');
    const broken = await push({ commit, registry: '' });
    expect(broken.code).toBe(1);
    expect(broken.text).toMatch(/file=web\/service\.yaml,line=\d/);
    writeFileSync(join(scratch, 'soa', 'web', 'service.yaml'), 'description: web\n');
  });

  it('does nothing in a dry run', async () => {
    const commit = newSha();
    const reference = `${registry.host}/services-web:paasta-${commit}`;
    image(reference, 'dry');
    const result = await push({ commit, 'dry-run': 'true' });
    expect(result).toMatchObject({ code: 0, outputs: { image: reference, digest: '', pushed: 'false' } });
    expect(result.text).toContain(`dry run: would push ${reference}`);
    expect(await digestOf(reference)).toBeNull();
  });

  it('says to run itest when there is no local image', async () => {
    const commit = newSha();
    const result = await push({ commit });
    expect(result).toMatchObject({
      code: 1,
      outputs: { image: `${registry.host}/services-web:paasta-${commit}`, pushed: 'false', digest: '' },
    });
    expect(result.text).toContain(`there is no local image ${registry.host}/services-web:paasta-${commit} to push`);
    expect(result.text).toContain('run itest for this commit');
    expect(result.summary).toContain('LOCAL_IMAGE_MISSING');
  });

  it('pushes nothing when it cannot tell: wrong password', async () => {
    const commit = newSha();
    image(`${registry.host}/services-web:paasta-${commit}`, 'x');
    login(registry.host, 'wrong-password');
    const result = await push({ commit });
    expect(result.code).toBe(1);
    expect(result.text).toContain('refused our credentials');
    expect(result.text).toContain(`docker login ${registry.host}`);
    expect(visible(result.text)).not.toContain('wrong-password');
    expect(result.text).not.toContain('run docker image push');
  });

  it('pushes nothing when it cannot tell: the registry is down', async () => {
    const { port, release } = await holdClosedPort();
    const result = await push({ commit: newSha(), registry: `127.0.0.1:${String(port)}` });
    release();
    expect(result.code).toBe(1);
    expect(result.text).toContain('REGISTRY_UNREACHABLE');
    expect(result.text).toContain('trying again in 0.5 s');
  });

  it('pushes nothing when it cannot tell: 401 without challenge', async () => {
    front.intercept = (_, response) => (response.writeHead(401).end(), true);
    const result = await push({ commit: newSha(), registry: front.host });
    expect(result.code).toBe(1);
    expect(result.text).toContain('answered 401 without saying how to authenticate');
  });

  it('goes through a registry that answers 500 and then is fine', async () => {
    const commit = newSha();
    const reference = `${front.host}/services-web:paasta-${commit}`;
    image(reference, 'flaky');
    login(front.host);
    // docker tries failed uploads of layers again by itself, but not the manifest.
    const left = { HEAD: 1, PUT: 1 };
    front.intercept = (request, response) => {
      const key =
        request.method === 'HEAD' && (request.url ?? '').includes('/manifests/')
          ? 'HEAD'
          : request.method === 'PUT' && (request.url ?? '').includes('/manifests/')
            ? 'PUT'
            : undefined;
      return key !== undefined && left[key]-- > 0 && (request.resume(), response.writeHead(500).end(), true);
    };
    const result = await push({ commit, registry: front.host });
    expect(result).toMatchObject({ code: 0, outputs: { pushed: 'true' } });
    expect(result.text).toContain('answered 500; trying again');
    expect(result.text).toMatch(/docker push \S+ \(attempt 2 of 4\)/);
  });

  it('does not try again after a refusal: denied', async () => {
    const commit = newSha();
    image(`${front.host}/services-web:paasta-${commit}`, 'refused');
    login(front.host);
    // An account that may read but not write: its token does not cover the upload.
    front.intercept = (request, response) => {
      const challenge = `Bearer realm="http://${front.host}/token",service="reg"`;
      if ((request.url ?? '').startsWith('/token'))
        response.writeHead(200, { 'content-type': 'application/json' }).end('{"token":"pull-only"}');
      else if (request.headers.authorization !== 'Bearer pull-only') response.writeHead(401, { 'www-authenticate': challenge }).end();
      else if (request.method === 'POST')
        response
          .writeHead(401, { 'www-authenticate': `${challenge},error="insufficient_scope"`, 'content-type': 'application/json' })
          .end('{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}');
      else response.writeHead(404).end();
      return true;
    };
    const result = await push({ commit, registry: front.host });
    expect(result.code).toBe(1);
    expect(result.text).toContain('REGISTRY_DENIED');
    expect(result.text).toContain('give the account the right to push');
    expect(result.text).not.toContain('attempt 2');
    expect(result.outputs).toMatchObject({ pushed: 'false' });
  });

  it('does not try again after a refusal: a repository that must be created first', async () => {
    const commit = newSha();
    image(`${front.host}/services-web:paasta-${commit}`, 'refused');
    login(front.host);
    front.intercept = (request, response) =>
      request.method === 'POST' &&
      (response
        .writeHead(404, { 'content-type': 'application/json' })
        .end(
          JSON.stringify({
            errors: [
              { code: 'NAME_UNKNOWN', message: "The repository with name 'services-web' does not exist in the registry with id '1'" },
            ],
          }),
        ),
      true);
    const result = await push({ commit, registry: front.host });
    expect(result.code).toBe(1);
    expect(result.text).toContain('REPOSITORY_MISSING');
    expect(result.text).toContain("create the repository 'services-web' first: this registry (ECR, for one) does not create it on push");
    expect(result.text).not.toContain('attempt 2');
  });

  // One column of the table is one run: all problems are reported together.
  const attempts: Readonly<Record<string, readonly string[]>> = {
    service: ['../../etc', 'web$(touch /tmp/pwned)', 'web\nname=injected'],
    commit: ['abc', `${'a'.repeat(40)};rm -rf /`, '--x'],
    'image-version': ['../x', 'a+b', '-'],
    registry: ['https://reg.example', 'reg.example/$(id)', '--config=/tmp/x'],
    force: ['yes', '1', 'on'],
    timeout: ['soon', '0s', '-5m'],
  };
  it.each([0, 1, 2])('refuses all wrong inputs together, before anything happens (%i)', async (column) => {
    const result = await push(Object.fromEntries(Object.entries(attempts).map(([name, values]) => [name, values[column] ?? ''])));
    expect(result.code).toBe(1);
    for (const name of Object.keys(attempts)) expect(result.text).toMatch(new RegExp(`::error title=[^:]+::${name}: `));
    expect(result.text).not.toMatch(/^name=injected/m);
    expect(result.text).not.toContain('run docker');
    expect(result.outputs).toEqual({});
  });
});
