/** itest from its sources, with real make, git and docker. Faults through the bundle are in test/bundle. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeWith, root } from '../support/requirements.ts';
import { runBundle, type BundleOptions, type BundleRun } from '../support/runner.ts';
import { until } from '../support/until.ts';
import { ensureDocker, ensureGo, type Docker } from '../testbed/index.ts';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const NAME = `test-itest-${String(process.pid)}`;

describeWith([root()], 'itest', () => {
  let docker: Docker;
  let scratch: string;
  let repository: string;
  let sha: string;
  let path: string;

  const git = (...args: readonly string[]): string =>
    execFileSync('git', ['-C', repository, '-c', 'user.name=x', '-c', 'user.email=x@example.com', ...args], { encoding: 'utf8' }).trim();
  const engine = (...args: readonly string[]): string =>
    execFileSync(docker.dockerPath, args, {
      env: { ...process.env, ...docker.env },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  const itest = (inputs: Record<string, string> = {}, options: BundleOptions = {}): Promise<BundleRun> =>
    runBundle('itest', {
      entry: join(ROOT, 'src/itest/index.ts'),
      cwd: repository,
      inputs: { 'soa-dir': join(scratch, 'soa'), 'system-config-dir': join(scratch, 'system'), ...inputs },
      ...options,
      // The scratch home of a run has no build cache: Go's standard library would be compiled every time.
      env: {
        ...docker.env,
        GOCACHE: join(homedir(), '.cache/go-build'),
        PATH: path,
        GITHUB_REPOSITORY: 'acme/services-hello',
        ...options.env,
      },
    });

  beforeAll(async () => {
    docker = await ensureDocker({ name: NAME });
    const go = await ensureGo();
    path = `${dirname(docker.dockerPath)}:${go.env['PATH'] ?? ''}`;
    scratch = mkdtempSync(join(tmpdir(), 'paasta-itest-'));
    repository = join(scratch, 'repository');
    cpSync(join(ROOT, 'examples/hello'), repository, { recursive: true });
    mkdirSync(join(scratch, 'soa/hello'), { recursive: true });
    writeFileSync(join(scratch, 'soa/hello/service.yaml'), 'description: x\n');
    mkdirSync(join(scratch, 'system'));
    writeFileSync(join(scratch, 'system/docker.json'), '{"docker_registry": "registry.test/team"}');
    git('init', '--quiet');
    git('add', '-A');
    git('commit', '--quiet', '-m', 'first');
    sha = git('rev-parse', 'HEAD');
  });
  afterAll(async () => {
    for (const image of engine('image', 'ls', '--quiet', '--filter', 'reference=registry.test/team/services-hello')
      .split('\n')
      .filter((id) => id !== ''))
      engine('image', 'rm', '--force', image);
    await docker.stop();
    rmSync(scratch, { recursive: true, force: true });
  });

  it('builds the image of HEAD under the name that PaaSTA gives it, and takes service and registry from what is there', async () => {
    const run = await itest();
    expect(run.text).toContain('self-test passed');
    expect(run.code).toBe(0);
    const tag = `registry.test/team/services-hello:paasta-${sha}`;
    expect(run.outputs['docker-tag']).toBe(tag);
    expect(run.outputs['image-id']).toBe(engine('image', 'inspect', '--format', '{{.Id}}', tag));
    expect(Number(run.outputs['duration'])).toBeGreaterThan(0);
    expect(run.text).toMatch(/::group::make itest\n[\s\S]*self-test passed[\s\S]*::endgroup::/);
    expect(run.summary).toContain('### ✅ make itest for hello: passed');
    expect(run.text).not.toContain('::warning');
  });

  it('accepts a build whose every step is cached', async () => {
    const first = await itest();
    const second = await itest();
    expect(second.code).toBe(0);
    expect(second.outputs['image-id']).toBe(first.outputs['image-id']);
  });

  it('does not accept the image of an earlier build', async () => {
    expect((await itest()).code).toBe(0);
    const other = join(scratch, 'stale');
    mkdirSync(other);
    cpSync(join(repository, '.git'), join(other, '.git'), { recursive: true });
    writeFileSync(join(other, 'Makefile'), 'itest:\n\t@echo builds nothing with $(DOCKER_TAG)\n');
    const stale = await itest({}, { cwd: other });
    expect(stale.code).toBe(1);
    expect(stale.text).toContain(`make itest succeeded, but there is no image registry.test/team/services-hello:paasta-${sha}`);
    expect(stale.text).toContain('docker build -t $(DOCKER_TAG) .');
    expect(stale.outputs['docker-tag']).toContain(sha);
    expect(stale.outputs['image-id']).toBeUndefined();
  });

  it('names the image after image version and another registry, and warns about another commit and changed files', async () => {
    const other = 'f'.repeat(40);
    writeFileSync(join(repository, 'untracked'), 'x');
    const run = await itest({ commit: other, 'image-version': '20240102T030405', registry: 'localhost:5000/x', target: 'cook-image' });
    rmSync(join(repository, 'untracked'));
    expect(run.code).toBe(0);
    expect(run.outputs['docker-tag']).toBe(`localhost:5000/x/services-hello:paasta-${other}-20240102T030405`);
    expect(run.text).toMatch(new RegExp(`::warning title=paasta-itest%3A COMMIT_NOT_CHECKED_OUT::.*${other}.*${sha}`));
    expect(run.text).toMatch(/::warning title=paasta-itest%3A UNCOMMITTED_CHANGES::.*untracked/);
    expect(run.text).not.toContain('self-test passed');
    engine('image', 'rm', '--force', run.outputs['docker-tag'] ?? '');
  });

  it('runs make test without an engine and without a registry', async () => {
    const run = await itest({ target: 'test' }, { env: { DOCKER_HOST: 'unix:///nowhere', PAASTA_SYSTEM_CONFIG_DIR: '/nowhere' } });
    expect(run.text).toContain('go test ./...');
    expect(run.code).toBe(0);
    expect(Object.keys(run.outputs)).toEqual(['duration']);
  });

  it('says what it would do, and does not', async () => {
    const run = await itest({ 'dry-run': 'true' }, { env: { DOCKER_HOST: 'unix:///nowhere' } });
    expect(run.code).toBe(0);
    expect(run.text).toContain(`DOCKER_TAG=registry.test/team/services-hello:paasta-${sha}`);
    expect(run.text).toContain('dry run: would remove the tag, run make itest');
    expect(run.text).not.toContain('self-test');
  });

  it('explains an engine that is not there', async () => {
    const run = await itest({}, { env: { DOCKER_HOST: 'unix:///nowhere/docker.sock' } });
    expect(run.code).toBe(1);
    expect(run.text).toMatch(/::error title=paasta-itest%3A NO_DOCKER_ENGINE::no docker engine answers/);
  });

  it.each([
    [
      'a directory of the name of the target',
      'itest:\n\t@docker build -t $(DOCKER_TAG) .\n',
      'itest',
      /TARGET_UP_TO_DATE[\s\S]*IMAGE_NOT_TAGGED[\s\S]*\.PHONY: itest/,
    ],
    [
      'a Makefile that cannot be parsed',
      'itest:\n    echo spaces\n',
      undefined,
      /::error title=paasta-itest%3A MAKEFILE_BROKEN,file=Makefile,line=2::|::error title=paasta-itest%3A MAKEFILE_BROKEN.*Makefile/,
    ],
    ['a target that needs a file that nobody makes', 'itest: nowhere\n\ttrue\n', undefined, /MAKEFILE_BROKEN.*nowhere/],
    [
      'a recipe that fails, with its line',
      'itest:\n\t@echo building $(DOCKER_TAG)\n\t@exit 3\n',
      undefined,
      /::error title=paasta-itest%3A MAKE_FAILED,file=Makefile,line=3::Makefile:3: make itest ended with exit code 2 in the target 'itest'/,
    ],
  ])('explains %s', async (_what, makefile, directory, said) => {
    const place = mkdtempSync(join(scratch, 'make-'));
    cpSync(join(repository, '.git'), join(place, '.git'), { recursive: true });
    writeFileSync(join(place, 'Makefile'), makefile);
    if (directory !== undefined) mkdirSync(join(place, directory));
    const run = await itest({}, { cwd: place });
    expect(run.code).not.toBe(0);
    expect(run.text).toMatch(said);
  });

  it('keeps what make prints from being obeyed by the runner', async () => {
    const place = mkdtempSync(join(scratch, 'make-'));
    cpSync(join(repository, '.git'), join(place, '.git'), { recursive: true });
    writeFileSync(join(place, 'Makefile'), "test:\n\t@printf '::stop-commands::x\\n::add-mask::y\\n'\n");
    const run = await itest({ target: 'test' }, { cwd: place });
    expect(run.code).toBe(0);
    expect(run.text).not.toMatch(/^\s*::(?:stop-commands|add-mask)/m);
    expect(run.text).toContain('::stop-commands::x');
  });

  it('ends at once, with 130, when the job is cancelled, and takes make with it', async () => {
    const place = mkdtempSync(join(scratch, 'make-'));
    cpSync(join(repository, '.git'), join(place, '.git'), { recursive: true });
    writeFileSync(join(place, 'Makefile'), `test:\n\t@echo started; sh -c 'echo $$$$ > ${place}/pid; sleep 600'\n`);
    let stop = (): void => undefined;
    const run = await itest(
      { target: 'test' },
      {
        cwd: place,
        onStart: (child) => {
          stop = () => {
            child.kill('SIGINT');
          };
        },
        onText: (text) => {
          if (text.includes('started')) void until('the start of the recipe', () => existsSync(join(place, 'pid'))).then(stop);
        },
      },
    );
    expect(run.code).toBe(130);
    expect(run.text).toContain('paasta-itest was cancelled');
    expect(execFileSync('sh', ['-c', `ps -o stat= -p "$(cat ${place}/pid)" | grep -v Z || true`], { encoding: 'utf8' })).toBe('');
  });
});
