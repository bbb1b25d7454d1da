import { createDocker, credentialsFile, engineRefusal, pushRefusal } from '../../../src/shared/docker/index.ts';
import type { Run, RunResult } from '../../../src/shared/process/index.ts';
import { UserError } from '../../../src/shared/contract/errors.ts';

const REF = 'reg.example.com:5000/team/services-web:paasta-a1';
const DIGEST = `sha256:${'d'.repeat(64)}`;

function docker(answers: Readonly<Record<string, Partial<RunResult>>>): {
  readonly docker: ReturnType<typeof createDocker>;
  readonly asked: string[];
} {
  const asked: string[] = [];
  const run: Run = async (argv) => {
    const line = argv.join(' ');
    asked.push(line);
    const answer = Object.entries(answers).find(([start]) => line.startsWith(start))?.[1] ?? { code: 1, stderr: 'unexpected' };
    return { code: 0, signal: null, timedOut: false, cancelled: false, stdout: '', stderr: '', duration: 1, ...answer };
  };
  return { docker: createDocker({ run, env: {} }), asked };
}

async function code(promise: Promise<unknown>): Promise<string | undefined> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return error instanceof UserError ? error.problems[0]?.code : String(error);
}

describe('docker', () => {
  it('looks at an image, and knows absence from failure', async () => {
    const found = docker({
      'docker image inspect': {
        stdout: JSON.stringify([{ Id: 'sha256:1', RepoTags: null, RepoDigests: [`x@${DIGEST}`], Created: '2024', Size: 5 }]),
      },
    });
    expect(await found.docker.inspect(REF)).toEqual({ id: 'sha256:1', tags: [], digests: [`x@${DIGEST}`], created: '2024', size: 5 });
    expect(
      await docker({ 'docker image inspect': { code: 1, stderr: `Error response from daemon: No such image: ${REF}` } }).docker.inspect(
        REF,
      ),
    ).toBeUndefined();
    expect(
      await code(
        docker({
          'docker image inspect': { code: 1, stderr: 'Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?' },
        }).docker.inspect(REF),
      ),
    ).toBe('NO_DOCKER_ENGINE');
    expect(await code(docker({ 'docker image inspect': { code: 125, stderr: 'something new' } }).docker.inspect(REF))).toBe(
      'DOCKER_FAILED',
    );
  });

  it('removes a tag but not the cache, and explains a container that holds it', async () => {
    const gone = docker({ 'docker image rm': { stdout: 'Untagged' } });
    expect(await gone.docker.untag(REF)).toBe(true);
    expect(gone.asked).toEqual([`docker image rm --force --no-prune -- ${REF}`]);
    expect(await docker({ 'docker image rm': { code: 1, stderr: 'Error response from daemon: No such image: x' } }).docker.untag(REF)).toBe(
      false,
    );
    expect(
      await code(
        docker({
          'docker image rm': {
            code: 1,
            stderr: 'conflict: unable to delete x (cannot be forced) - image is being used by running container 123',
          },
        }).docker.untag(REF),
      ),
    ).toBe('IMAGE_IN_USE');
  });

  it('reads the digest of a push from its output, else from the image', async () => {
    expect(await docker({ 'docker image push': { stdout: `paasta-a1: digest: ${DIGEST} size: 528\n` } }).docker.push(REF)).toEqual({
      ok: true,
      digest: DIGEST,
    });
    expect(
      await docker({
        'docker image push': {},
        'docker image inspect': {
          stdout: JSON.stringify([{ Id: 'x', RepoDigests: [`other@sha256:0`, `reg.example.com:5000/team/services-web@${DIGEST}`] }]),
        },
      }).docker.push(REF),
    ).toEqual({ ok: true, digest: DIGEST });
    expect(await docker({ 'docker image push': {}, 'docker image inspect': { code: 1 } }).docker.push(REF)).toEqual({
      ok: true,
      digest: undefined,
    });
  });

  it.each([
    ['Name:   default\nDriver: docker\n', true],
    ['Name:   ci\nDriver: docker-container\nNodes:\n', false],
    ['Name:   ci\nDriver: docker-container\nDriver Options: default-load="true"\n', true],
  ])('knows whether a builder loads what it builds: %j', async (stdout, loads) => {
    expect((await docker({ 'docker buildx inspect': { stdout } }).docker.builder())?.loads).toBe(loads);
  });

  it('has no builder without buildx', async () => {
    expect(
      await docker({ 'docker buildx': { code: 1, stderr: "docker: 'buildx' is not a docker command." } }).docker.builder(),
    ).toBeUndefined();
  });

  it('finds the credentials where docker does', () => {
    expect(credentialsFile({ HOME: '/home/x' })).toBe('/home/x/.docker/config.json');
    expect(credentialsFile({ HOME: '/home/x', DOCKER_CONFIG: '/etc/d' })).toBe('/etc/d/config.json');
  });
});

describe('what docker says and means', () => {
  it.each([
    ['permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock', 'DOCKER_DENIED'],
    ['Cannot connect to the Docker daemon at tcp://x', 'NO_DOCKER_ENGINE'],
    ['anything else', undefined],
  ])('%s', (text, expected) => {
    expect(engineRefusal(text)?.code).toBe(expected);
  });

  it.each([
    ['An image does not exist locally with the tag: reg/x', 'IMAGE_NOT_FOUND', false],
    ['no basic auth credentials', 'REGISTRY_UNAUTHORIZED', false],
    ['unauthorized: authentication required', 'REGISTRY_UNAUTHORIZED', false],
    ['denied: permission_denied: write_package', 'REGISTRY_DENIED', false],
    ["name unknown: The repository with name 'services-web' does not exist in the registry", 'REPOSITORY_MISSING', false],
    ['tag invalid: The image tag already exists and cannot be overwritten because the repository is immutable.', 'TAG_IMMUTABLE', false],
    ['Get "https://reg/v2/": http: server gave HTTP response to HTTPS client', 'REGISTRY_PLAIN_HTTP', false],
    ['tls: failed to verify certificate: x509: certificate signed by unknown authority', 'REGISTRY_CERTIFICATE', false],
    ['toomanyrequests: You have reached your rate limit', 'REGISTRY_BUSY', true],
    ['dial tcp 127.0.0.1:1: connect: connection refused', 'REGISTRY_UNREACHABLE', true],
    ['received unexpected HTTP status: 503 Service Unavailable', 'REGISTRY_UNREACHABLE', true],
    // numbers of ports and layers are not status codes, and the name of a service is not a reason
    ['write tcp 10.1.0.4:40123->10.9.0.1:443: write: connection reset by peer', 'REGISTRY_UNREACHABLE', true],
    ['dial tcp 10.9.0.1:42943: i/o timeout', 'REGISTRY_UNREACHABLE', true],
    ['received unexpected HTTP status: 403 Forbidden', 'REGISTRY_DENIED', false],
    ['unexpected status from HEAD request to https://reg.example.com:5000/v2/x: 401 Unauthorized', 'REGISTRY_UNAUTHORIZED', false],
    ['something new', 'PUSH_FAILED', false],
  ])('%s', (stderr, expected, transient) => {
    const refusal = pushRefusal(REF, { code: 1, stdout: '', stderr: `Using default tag\n${stderr}\n`, timedOut: false, cancelled: false });
    expect({ code: refusal.problem.code, transient: refusal.transient }).toEqual({ code: expected, transient });
    expect(refusal.problem.hint).toBeTruthy();
    expect(refusal.problem.message).toContain(REF);
  });

  it.each(['quota', 'certificate', 'denied', 'timeout'])('takes no service called %s for a reason', (name) => {
    const reference = `reg.example.com/team/services-${name}:paasta-${name}`;
    const said = `failed to do request: Head "https://reg.example.com/v2/team/services-${name}/manifests/paasta-${name}": something new`;
    expect(pushRefusal(reference, { code: 1, stdout: '', stderr: said, timedOut: false, cancelled: false }).problem).toMatchObject({
      code: 'PUSH_FAILED',
      message: `pushing ${reference} failed (exit 1): ${said}`,
    });
  });
});
