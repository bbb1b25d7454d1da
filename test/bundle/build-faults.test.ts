/** Faults of itest, push-to-registry and mark-for-deployment with real parts, each through the committed bundle: printed text and exit code. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeWith, root } from '../support/requirements.ts';
import { startServiceWorld, type ServiceWorld } from '../support/world.ts';
import { startTime } from '../testbed/parts/processes.ts';

const quiet = (): void => undefined;

/** A registry that answers every request as told. */
async function fakeRegistry(
  answer: (request: http.IncomingMessage, count: number) => { status: number; headers?: Record<string, string>; body?: string },
): Promise<{ host: string; requests(): number; stop(): void }> {
  let count = 0;
  const server = http.createServer((request, response) => {
    const { status, headers, body } = answer(request, ++count);
    response.writeHead(status, headers ?? {}).end(body ?? '');
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    host: `127.0.0.1:${(server.address() as { port: number }).port}`,
    requests: () => count,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

describeWith([root()], 'faults of the build half', () => {
  let world: ServiceWorld;
  let sha: string;

  beforeAll(async () => {
    world = await startServiceWorld({ name: `faults-${process.pid}`, log: quiet });
    sha = await world.commit({ NOTES: 'faults\n' }, 'A commit');
    const [built, pushed] = [await world.action('itest', {}), await world.action('push-to-registry', {})];
    if (built.code !== 0 || pushed.code !== 0) throw new Error(built.text + pushed.text);
  });
  afterAll(async () => {
    await world.stop();
  });

  describe('itest', () => {
    let directory: string;
    const makefile = async (text: string | undefined, inputs: Record<string, string> = {}): ReturnType<ServiceWorld['action']> => {
      rmSync(join(directory, 'Makefile'), { force: true });
      if (text !== undefined) writeFileSync(join(directory, 'Makefile'), text);
      return world.action('itest', { service: 'hello', ...inputs }, { cwd: directory });
    };
    beforeAll(() => {
      directory = mkdtempSync(join(tmpdir(), 'paasta-make-'));
      execFileSync('git', ['-C', directory, 'init', '--quiet']);
      execFileSync('git', [
        '-C',
        directory,
        '-c',
        'user.name=x',
        '-c',
        'user.email=x@example.com',
        'commit',
        '--quiet',
        '--allow-empty',
        '-m',
        'x',
      ]);
    });
    afterAll(() => {
      rmSync(directory, { recursive: true, force: true });
    });

    it('names a missing Makefile and what to do', async () => {
      const run = await makefile(undefined);
      expect(run.code).toBe(1);
      expect(run.text).toMatch(
        /^::error title=paasta-itest%3A MAKEFILE_MISSING::there is no Makefile in '[^']+'%0A {2}next: check the repository out before this step, and give it a Makefile with the target 'itest'/m,
      );
      expect(run.summary).toContain('MAKEFILE_MISSING');
    });

    it('names a missing target', async () => {
      const run = await makefile('test:\n\ttrue\n');
      expect(run.code).toBe(1);
      expect(run.text).toMatch(
        /^::error title=paasta-itest%3A TARGET_MISSING,file=Makefile::.*the Makefile has no target 'itest'%0A {2}next: add the target 'itest'/m,
      );
    });

    it('passes on the exit code of make and shows its output', async () => {
      const run = await makefile('itest:\n\t@echo about to fail\n\t@exit 3\n');
      expect(run.text).toContain('about to fail');
      expect(run.text).toMatch(
        /^::error title=paasta-itest%3A MAKE_FAILED,file=Makefile,line=3::Makefile:3: make itest ended with exit code 2 in the target 'itest'/m,
      );
      expect(run.summary).toContain('about to fail');
      expect(run.outputs).toHaveProperty('duration');
      expect(run.code).toBe(2); // what make says for a failing recipe
    });

    it('ends grandchildren when make hangs', async () => {
      const pidFile = join(directory, 'grandchild');
      const run = await makefile(`itest:\n\t@sh -c 'sleep 600 & echo $$! > ${pidFile}; wait'\n`, { timeout: '10s' });
      expect(run.code).toBe(124); // what timeout(1) says
      expect(run.text).toMatch(
        /^::error title=paasta-itest%3A ITEST_TIMEOUT::.*make itest took longer than 10(?:\.0)? s and was ended with everything that it started/m,
      );
      expect(run.outputs).toHaveProperty('duration');
      const pid = readFileSync(pidFile, 'utf8').trim();
      expect(pid).toMatch(/^\d+$/);
      expect(startTime(Number(pid))).toBeUndefined();
    });

    it('does not pass when make leaves no image of the name', async () => {
      const run = await makefile('itest:\n\ttrue\n');
      expect(run.code).toBe(1);
      expect(run.text).toMatch(
        /^::error title=paasta-itest%3A IMAGE_NOT_TAGGED,file=Makefile::.*make itest succeeded, but there is no image \S+\/services-hello:paasta-[0-9a-f]{40}%0A {2}next: the target 'itest' has to tag what it builds: docker build -t \$\(DOCKER_TAG\) \.$/m,
      );
    });
  });

  describe('push-to-registry', () => {
    it('says that itest must come first', async () => {
      const run = await world.action('push-to-registry', { commit: 'b'.repeat(40) });
      expect(run.code).toBe(1);
      expect(run.text).toMatch(/itest/);
    });

    it('refuses a commit that is none', async () => {
      const run = await world.action('push-to-registry', { commit: `${'a'.repeat(40)};rm` });
      expect(run.code).toBe(1);
      expect(run.text).toMatch(/40 hexadecimal|full commit/i);
    });

    it('explains a wrong password without trying again', async () => {
      const config = mkdtempSync(join(tmpdir(), 'paasta-docker-'));
      writeFileSync(
        join(config, 'config.json'),
        JSON.stringify({ auths: { [world.registry.host]: { auth: Buffer.from('ci:wrong').toString('base64') } } }),
      );
      const run = await world.action('push-to-registry', {}, { env: { DOCKER_CONFIG: config } });
      rmSync(config, { recursive: true });
      expect(run.code).toBe(1);
      expect(run.text).toMatch(/^::error title=paasta-push-to-registry%3A REGISTRY_UNAUTHORIZED::/m);
      expect(run.text).toMatch(/password|credential|log ?in/i);
      expect(run.text).not.toContain('trying again');
      expect(run.text).not.toContain('ci:wrong');
    });

    it('explains a 401 without a challenge', async () => {
      const registry = await fakeRegistry(() => ({ status: 401 }));
      const run = await world.action('push-to-registry', { registry: registry.host });
      registry.stop();
      expect(run.code).toBe(1);
      expect(run.text).toMatch(
        /^::error title=paasta-push-to-registry%3A REGISTRY_NO_CHALLENGE::the registry \S+ answered 401 without saying how to authenticate \(no WWW-Authenticate header\)/m,
      );
      expect(run.text).not.toContain('trying again');
    });

    it('tries again after 500 and goes on', async () => {
      let failures = 2;
      const registry = await fakeRegistry(() =>
        failures-- > 0
          ? { status: 500 }
          : {
              status: 200,
              headers: {
                'docker-content-digest': `sha256:${'c'.repeat(64)}`,
                'content-type': 'application/vnd.oci.image.manifest.v1+json',
              },
            },
      );
      const run = await world.action('push-to-registry', { registry: registry.host });
      registry.stop();
      expect(run.code).toBe(0);
      expect(run.outputs['already-present']).toBe('true');
      expect(registry.requests()).toBeGreaterThanOrEqual(3);
    });
  });

  describe('mark-for-deployment', () => {
    const mark = (
      inputs: Record<string, string>,
      options: Parameters<ServiceWorld['action']>[2] = {},
    ): ReturnType<ServiceWorld['action']> =>
      world.action('mark-for-deployment', { 'deploy-group': 'prod.main', 'github-token': world.token, commit: sha, ...inputs }, options);

    it('names the near deploy groups and services', async () => {
      const [group, service] = [await mark({ 'deploy-group': 'prod.mian' }), await mark({ service: 'helo' })];
      expect(group.code).toBe(1);
      expect(group.text).toMatch(/prod\.mian.*did you mean 'prod\.main'/s);
      expect(service.code).toBe(1);
      expect(service.text).toMatch(/helo.*did you mean 'hello'/s);
    });

    it('refuses what is no commit and what is more than a name', async () => {
      const run = await mark({ commit: 'main', 'deploy-group': 'prod;$(id)', 'image-version': '../x' });
      expect(run.code).toBe(1);
      for (const input of ['commit', 'deploy-group', 'image-version']) expect(run.text).toContain(`${input}:`);
      expect(Object.keys(await world.repository.tags())).toEqual([]);
    });

    it('refuses a commit whose image is not in the registry', async () => {
      const other = await world.commit({ NOTES: 'no image\n' }, 'Without an image');
      const run = await mark({ commit: other });
      expect(run.code).toBe(1);
      expect(run.text).toContain(`services-hello:paasta-${other}`);
      expect(run.text).toMatch(/push-to-registry/);
    });

    it('names the permission that the token lacks', async () => {
      const reader = world.github.addToken({ permissions: { contents: 'read', metadata: 'read' } });
      const run = await mark({ 'github-token': reader });
      expect(run.code).toBe(1);
      expect(run.text).toMatch(/contents: write/);
      expect(run.text.replace(/::add-mask::.*/g, '')).not.toContain(reader);
    });

    it('takes the next second when another marker was faster', async () => {
      world.github.faults.add({ operation: 'git/create-ref', kind: 'tag-race', sha: world.repository.firstCommit });
      const run = await mark({ 'create-deployment': 'false' });
      expect(run.text).not.toMatch(/::error/);
      expect(run.code).toBe(0);
      const tags = Object.keys(await world.repository.tags());
      expect(tags).toContain(run.outputs['tag']);
      expect(tags).toHaveLength(2);
      world.github.faults.clear();
    });

    it('marks once', async () => {
      const before = Object.keys(await world.repository.tags()).length;
      const run = await mark({ 'create-deployment': 'false' });
      expect(run.code).toBe(0);
      expect(run.outputs['marked']).toBe('false');
      expect(run.text).toMatch(/already marked/);
      expect(Object.keys(await world.repository.tags())).toHaveLength(before);
    });
  });
});
