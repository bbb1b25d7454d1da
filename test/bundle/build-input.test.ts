/**
 * Bad input of itest, push-to-registry and mark-for-deployment through the committed bundle: what is printed, the exit code, and that
 * nothing was run or asked. No engine, registry or server is needed: programs are shims that write down how they were called.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { holdClosedPort } from '../support/closed-port.ts';
import { runBundle, type BundleRun } from '../support/runner.ts';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const SHA = 'a'.repeat(40);
/** The bundle, as the runner runs it; `PAASTA_TEST_SOURCES=1` runs the sources instead, which need no build. */
const entryOf = (name: string): string =>
  join(ROOT, ...(process.env['PAASTA_TEST_SOURCES'] === '1' ? ['src', name, 'index.ts'] : ['dist', name, 'index.js']));

let scratch: string;
let checkout: string;
let asked = 0;
let server: net.Server;
let address: string;

beforeAll(async () => {
  server = net.createServer((socket) => {
    asked += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  address = `127.0.0.1:${String((server.address() as net.AddressInfo).port)}`;
});
afterAll(() => {
  server.close();
});
beforeEach(() => {
  asked = 0;
  scratch = mkdtempSync(join(tmpdir(), 'paasta-input-'));
  checkout = join(scratch, 'checkout');
  mkdirSync(join(scratch, 'bin'));
  mkdirSync(checkout);
  execFileSync('git', ['-C', checkout, 'init', '--quiet']);
  execFileSync('git', [
    '-C',
    checkout,
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
afterEach(() => {
  rmSync(scratch, { recursive: true, force: true });
});

/** A program on the PATH of the run; each call is written down. `body`: what it does, as shell. */
function program(name: string, body = 'exit 1'): void {
  const file = join(scratch, 'bin', name);
  writeFileSync(file, `#!/bin/sh\necho "${name} $*" >> '${join(scratch, 'calls')}'\n${body}\n`);
  chmodSync(file, 0o755);
}
const calls = (): readonly string[] =>
  existsSync(join(scratch, 'calls')) ? readFileSync(join(scratch, 'calls'), 'utf8').trim().split('\n') : [];

function action(
  name: string,
  inputs: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<BundleRun> {
  return runBundle(name, {
    cwd: checkout,
    entry: entryOf(name),
    inputs: { 'soa-dir': join(ROOT, 'examples/soa-configs'), 'system-config-dir': join(ROOT, 'examples/system-config'), ...inputs },
    env: {
      PATH: `${join(scratch, 'bin')}:${process.env['PATH'] ?? ''}`,
      GITHUB_REPOSITORY: 'acme/hello',
      GITHUB_SHA: SHA,
      GITHUB_EVENT_NAME: 'push',
      GITHUB_API_URL: `http://${address}`,
      ...env,
    },
  });
}

describe('a name is nothing but a name', () => {
  const PAYLOADS: readonly (readonly [string, string])[] = [
    ['a shell command', '$(touch pwned)`touch pwned`;touch pwned'],
    ['line ends and workflow commands', 'hello\n::error::forged\n::set-output name=tag::forged\n::stop-commands::x'],
    ['a path out of the tree', '../../etc'],
    ['an option', '--upload-pack=touch pwned'],
    ['markup', '<img src=x onerror=1>|`'],
  ];
  const NAMES: Readonly<Record<string, readonly string[]>> = {
    itest: ['service', 'commit', 'image-version', 'target', 'registry'],
    'push-to-registry': ['service', 'commit', 'image-version', 'registry'],
    'mark-for-deployment': ['service', 'commit', 'image-version', 'registry', 'deploy-group', 'repository'],
  };
  it.each(Object.keys(NAMES).flatMap((name) => PAYLOADS.map(([what, payload]) => [name, what, payload] as const)))(
    '%s: %s',
    async (name, _what, payload) => {
      for (const each of ['docker', 'make', 'git']) program(each);
      const names = NAMES[name] ?? [];
      const run = await action(name, Object.fromEntries(names.map((input) => [input, payload])));
      expect(run.code).toBe(1);
      for (const input of names) expect(run.text).toMatch(new RegExp(`^::error title=paasta-${name}%3A [A-Z_]+::${input}: `, 'm'));
      expect(run.text.match(/^::error/gm)).toHaveLength(names.length);
      expect(run.text).not.toMatch(/^::(?:error::forged|set-output|stop-commands)/m);
      expect(run.summary).toContain(`### paasta-${name} failed`);
      expect(run.summary).not.toContain('<img');
      expect(run.outputs).toEqual({});
      expect(calls()).toEqual([]);
      expect(existsSync(join(checkout, 'pwned'))).toBe(false);
      expect(asked).toBe(0);
    },
  );

  it.each(['ext::sh -c touch% pwned', '--upload-pack=touch pwned', 'ssh://-oProxyCommand=touch/x'])(
    'mark-for-deployment: no git address that starts a program: %s',
    async (url) => {
      program('git');
      const run = await action('mark-for-deployment', { service: 'hello', 'deploy-group': 'prod.main', commit: SHA, 'git-url': url });
      expect(run.text).toMatch(/^::error title=paasta-mark-for-deployment%3A \w+::git-url: /m);
      expect(run.code).toBe(1);
      expect(calls()).toEqual([]);
    },
  );
});

describe('names that nobody knows', () => {
  it.each([
    ['itest', {}],
    ['push-to-registry', {}],
    ['mark-for-deployment', { 'deploy-group': 'prod.main', commit: SHA }],
  ])('%s: the near service', async (name, inputs) => {
    writeFileSync(join(checkout, 'Makefile'), 'itest:\n\tdocker build -t $(DOCKER_TAG) .\n');
    program('docker');
    const run = await action(name, { service: 'helo', ...inputs });
    expect(run.text).toMatch(
      /%3A UNKNOWN_SERVICE::service: 'helo' is not a directory of \S+%0A {2}next: did you mean 'hello'\? known: hello$/m,
    );
    expect(run.code).toBe(1);
    expect(calls()).toEqual([]);
    expect(asked).toBe(0);
  });

  it.each(['itest', 'push-to-registry'])('%s: a commit is 40 digits', async (name) => {
    const run = await action(name, { service: 'hello', commit: 'abcdef0' });
    expect(run.text).toContain("BAD_COMMIT::commit: 'abcdef0' is not a full commit id%0A  next: give all 40 digits");
    expect(run.code).toBe(1);
  });
});

describe('files that cannot be read', () => {
  /** soa-configs and system configuration inside the workspace, as a job checks them out. */
  const trees = (files: Readonly<Record<string, string>>): Readonly<Record<string, string>> => {
    cpSync(join(ROOT, 'examples/soa-configs'), join(checkout, '.soa'), { recursive: true });
    cpSync(join(ROOT, 'examples/system-config'), join(checkout, '.system'), { recursive: true });
    for (const [path, text] of Object.entries(files)) writeFileSync(join(checkout, path), text);
    return { service: 'hello', commit: SHA, 'soa-dir': '.soa', 'system-config-dir': '.system', 'dry-run': 'true' };
  };
  const bare = (): string => {
    execFileSync('git', ['init', '--quiet', '--bare', join(scratch, 'bare.git')]);
    return join(scratch, 'bare.git');
  };
  const OPEN_BRACKET = "a '[' or '{' is never closed%0A  next: add the missing ']' or '}'";

  it.each(['itest', 'push-to-registry'])('%s: the registry cannot be told; file and line in the workspace', async (name) => {
    writeFileSync(join(checkout, 'Makefile'), 'itest:\n\tdocker build -t $(DOCKER_TAG) .\n');
    const service = await action(name, trees({ '.soa/hello/service.yaml': 'description: x\ndocker_registry: [x\n' }));
    expect(service.text).toContain(
      `::error title=paasta-${name}%3A YAML_INVALID,file=.soa/hello/service.yaml,line=3,col=1::.soa/hello/service.yaml:3:1: ${OPEN_BRACKET}`,
    );
    expect(service.code).toBe(1);
    const system = await action(
      name,
      trees({ '.soa/hello/service.yaml': 'description: x\n', '.system/paasta.json': '{\n  "docker_registry": ' }),
    );
    expect(system.text).toMatch(
      new RegExp(
        `^::error title=paasta-${name}%3A JSON_INVALID,file=\\.system/paasta\\.json,line=2,col=\\d+::\\.system/paasta\\.json:2:\\d+: the file ends in the middle of a value`,
        'm',
      ),
    );
    expect(system.code).toBe(1);
  });

  it('itest: a Makefile in a directory of its own', async () => {
    mkdirSync(join(checkout, 'service'));
    writeFileSync(join(checkout, 'service', 'Makefile'), 'test:\n\ttrue\n');
    const run = await action('itest', { ...trees({}), 'working-directory': 'service' });
    expect(run.text).toContain(
      "::error title=paasta-itest%3A TARGET_MISSING,file=service/Makefile::service/Makefile: the Makefile has no target 'itest'",
    );
    expect(run.code).toBe(1);
  });

  it('mark-for-deployment: says which file is broken, not that no instance uses the group', async () => {
    const inputs = {
      ...trees({ '.soa/hello/kubernetes-prod.yaml': 'main:\n  cpus: [1\n' }),
      'deploy-group': 'prod.main',
      'git-url': bare(),
      'verify-image': 'false',
    };
    const instances = await action('mark-for-deployment', inputs);
    expect(instances.text).toContain(
      `::warning title=paasta-mark-for-deployment%3A YAML_INVALID,file=.soa/hello/kubernetes-prod.yaml,line=3,col=1::.soa/hello/kubernetes-prod.yaml:3:1: ${OPEN_BRACKET}`,
    );
    expect(instances.text).not.toContain('no instance uses it');
    expect(instances.code).toBe(0);
    const typo = await action('mark-for-deployment', { ...inputs, 'deploy-group': 'prod.mian' });
    expect(typo.text).toMatch(/^::error title=paasta-mark-for-deployment%3A UNKNOWN_DEPLOY_GROUP::.*did you mean 'prod\.main'/m);
    expect(typo.text).toContain('::error title=paasta-mark-for-deployment%3A YAML_INVALID,file=.soa/hello/kubernetes-prod.yaml,line=3');
    expect(typo.code).toBe(1);
  });
});

describe('the runner', () => {
  /** The bundle believes that it runs there. */
  const on = (platform: string): Readonly<Record<string, string>> => ({
    NODE_OPTIONS: `--import=data:text/javascript,Object.defineProperty(process,'platform',{value:'${platform}'})`,
  });

  it.each([
    ['win32', 'Windows'],
    ['darwin', 'macOS'],
  ])('itest refuses %s runners before anything else', async (platform, name) => {
    for (const each of ['docker', 'make', 'git']) program(each);
    const run = await action('itest', { service: 'hello' }, on(platform));
    expect(run.text).toContain(
      `::error title=paasta-itest%3A UNSUPPORTED_PLATFORM::paasta-itest does not run on ${name}: it builds Linux images with make and docker%0A  next: use runs-on: ubuntu-latest`,
    );
    expect(run.code).toBe(1);
    expect(run.summary).toContain('UNSUPPORTED_PLATFORM');
    expect(calls()).toEqual([]);
  });

  it('a person may build on a Mac', async () => {
    const run = await action('itest', { service: 'hello' }, { ...on('darwin'), GITHUB_ACTIONS: undefined });
    expect(run.text).not.toContain('UNSUPPORTED_PLATFORM');
    expect(run.text).toContain('MAKEFILE_MISSING');
  });
});

describe('itest and a builder that keeps what it builds', () => {
  /** A docker command whose engine has no image, with this builder. */
  const docker = (inspect: string): void => {
    program(
      'docker',
      `case "$1 $2" in
  'version --format') echo 28.0.0 ;;
  'image inspect') echo "Error response from daemon: No such image: $4" >&2; exit 1 ;;
  'buildx inspect') printf '${inspect}' ;;
  'build -t') echo 'WARNING: No output specified with docker-container driver. Build result will only remain in the build cache.' >&2 ;;
esac`,
    );
    writeFileSync(join(checkout, 'Makefile'), 'itest:\n\tdocker build -t $(DOCKER_TAG) .\n');
  };

  it('explains it, with both ways out', async () => {
    docker('Name:          ci\\nDriver:        docker-container\\n\\nNodes:\\nName:     ci0\\n');
    const run = await action('itest', { service: 'hello', registry: 'reg.example', commit: SHA });
    expect(run.text).toMatch(
      new RegExp(
        `^::error title=paasta-itest%3A IMAGE_NOT_LOADED,file=Makefile::.*make itest succeeded, but there is no image reg\\.example/services-hello:paasta-${SHA}: the buildx builder 'ci' \\(driver docker-container\\) keeps what it builds to itself%0A {2}next: add --load to docker build`,
        'm',
      ),
    );
    expect(run.text).toContain('select the builder of the engine with docker buildx use default');
    expect(run.summary).toContain('no image');
    expect(run.outputs).toMatchObject({ 'docker-tag': `reg.example/services-hello:paasta-${SHA}` });
    expect(run.outputs).not.toHaveProperty('image-id');
    expect(run.code).toBe(1);
  });

  it.each([
    ["the engine's own builder", 'Name: default\\nDriver: docker\\n'],
    ['a builder that loads by default', 'Name: ci\\nDriver: docker-container\\nDriver Options: default-load="true"\\n'],
  ])('does not blame %s', async (_what, inspect) => {
    docker(inspect);
    const run = await action('itest', { service: 'hello', registry: 'reg.example', commit: SHA });
    expect(run.text).toMatch(
      /^::error title=paasta-itest%3A IMAGE_NOT_TAGGED,file=Makefile::.*next: the target 'itest' has to tag what it builds: docker build -t \$\(DOCKER_TAG\) \.$/m,
    );
    expect(run.code).toBe(1);
  });
});

describe('a registry that is down', () => {
  it.each([
    ['push-to-registry', {}],
    ['mark-for-deployment', { 'deploy-group': 'prod.main' }],
  ])('%s: names it, tries a few times, and writes nothing', async (name, inputs) => {
    const { port, release } = await holdClosedPort();
    const registry = `127.0.0.1:${String(port)}`;
    execFileSync('git', ['init', '--quiet', '--bare', join(scratch, 'bare.git')]);
    program('docker');
    const run = await action(name, {
      service: 'hello',
      commit: SHA,
      registry,
      ...inputs,
      ...(name === 'push-to-registry' ? {} : { 'git-url': join(scratch, 'bare.git') }),
    });
    release();
    expect(run.text).toMatch(
      new RegExp(`^::error title=paasta-${name}%3A REGISTRY_UNREACHABLE::.*${registry.replaceAll('.', '\\.')}.*ECONNREFUSED`, 'm'),
    );
    expect(run.code).toBe(1);
    expect(run.summary).toContain('REGISTRY_UNREACHABLE');
    expect(calls()).toEqual([]);
    expect(execFileSync('git', ['-C', join(scratch, 'bare.git'), 'tag'], { encoding: 'utf8' })).toBe('');
  });
});
