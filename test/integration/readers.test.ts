/** The words that read and print: texts, streams and exit codes; and action-pipeline with its annotations. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCommand, type CommandRun } from '../support/command.ts';
import { runBundle } from '../support/runner.ts';

const PIPELINE = join(
  dirname(dirname(dirname(fileURLToPath(import.meta.url)))),
  ...(process.env['PAASTA_TEST_SOURCES'] === '1' ? ['src', 'pipeline', 'index.ts'] : ['dist', 'pipeline', 'index.js']),
);
const MAKEFILE =
  'DOCKER_TAG ?= web-dev-$(USER)\ncook-image:\n\tdocker build -t $(DOCKER_TAG) .\nitest: cook-image\n\t./test\ntest:\n\t./unit\n';

let scratch: string;
/** A service's repository with a commit and tags. */
let repository: string;
let sha: string;

const write = (path: string, text: string): void => {
  mkdirSync(dirname(join(scratch, path)), { recursive: true });
  writeFileSync(join(scratch, path), text);
};
const git = (...argv: string[]): string =>
  execFileSync('git', ['-C', repository, '-c', 'user.name=Ada', '-c', 'user.email=ada@example.com', ...argv], { encoding: 'utf8' }).trim();
function paasta(word: string, ...argv: string[]): Promise<CommandRun> {
  return runCommand([word, ...argv, '--soa-dir', join(scratch, 'soa'), '--system-config-dir', join(scratch, 'system')], {
    cwd: repository,
  });
}

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'paasta-readers-'));
  repository = join(scratch, 'web');
  write('web/Makefile', MAKEFILE);
  write('web/Dockerfile', 'FROM scratch\n');
  git('init', '--quiet', '--initial-branch', 'main');
  git('add', '--all');
  git('commit', '--quiet', '--message', 'first');
  sha = git('rev-parse', 'HEAD');
  write(
    'system/paasta.json',
    JSON.stringify({
      clusters: ['prod', 'dev', 'unused'],
      docker_registry: 'registry.example/team',
      vault_cluster_map: { prod: 'prod', dev: 'dev' },
    }),
  );
  write('soa/web/service.yaml', `git_url: ${repository}\ndescription: Serves pages\nexternal_link: https://docs.example/web\n`);
  write(
    'soa/web/deploy.yaml',
    'pipeline:\n- step: itest\n- step: security-check\n- step: push-to-registry\n- {step: dev.all, trigger_next_step_manually: true}\n- step: prod.main\n',
  );
  write('soa/web/monitoring.yaml', 'team: web-team\n');
  write('soa/web/kubernetes-prod.yaml', 'main: {deploy_group: prod.main}\n');
  write('soa/web/kubernetes-dev.yaml', 'main: {deploy_group: dev.all}\nshadow: {deploy_group: dev.all}\n');
  write('soa/library/service.yaml', 'description: no instances\n');
});
afterEach(() => {
  rmSync(scratch, { recursive: true, force: true });
});

describe('list and list-clusters', () => {
  it('print names and nothing else', async () => {
    expect(await paasta('list')).toEqual({ code: 0, stdout: 'web\n', stderr: '' });
    expect(await paasta('list', '-a')).toEqual({ code: 0, stdout: 'library\nweb\n', stderr: '' });
    expect(await paasta('list', '-i')).toEqual({ code: 0, stdout: 'web.main\nweb.shadow\n', stderr: '' });
    expect(await paasta('list-clusters')).toEqual({ code: 0, stdout: 'dev\nprod\n', stderr: '' });
  });

  it('a file that cannot be read is said beside the answer', async () => {
    write('soa/broken/kubernetes-prod.yaml', 'main: {\n');
    const run = await paasta('list');
    expect(run).toMatchObject({ code: 0, stdout: 'web\n' });
    expect(run.stderr).toMatch(/^warning: broken\/kubernetes-prod\.yaml:2:1: /);
  });

  it('a tree that is not there is an error, not an empty list', async () => {
    rmSync(join(scratch, 'soa'), { recursive: true });
    const run = await paasta('list');
    expect(run).toMatchObject({ code: 1, stdout: '' });
    expect(run.stderr).toContain('[SOA_DIR_MISSING]');
    write('soa/web/service.yaml', '');
    write('system/paasta.json', '{}');
    expect((await paasta('list-clusters')).stderr).toContain('[NO_CLUSTERS]');
  });
});

describe('info', () => {
  it('of the service of this checkout', async () => {
    git('remote', 'add', 'origin', 'git@github.com:acme/web.git');
    const run = await paasta('info');
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(run.stdout).toMatch(/^Service Name: web\nDescription: Serves pages\n/);
    expect(run.stdout).toContain('Monitored By: team web-team\n');
  });

  it('of a service that is not there: exit 1 and near names', async () => {
    const run = await paasta('info', '-s', 'wbe');
    expect(run).toMatchObject({ code: 1, stdout: '' });
    expect(run.stderr).toBe(
      "error: service 'wbe' is not in soa-configs\n  next: did you mean 'web'? known: library, web [UNKNOWN_SERVICE]\n",
    );
  });
});

describe('get-latest-deployment and get-docker-image', () => {
  const ask = (word: string, ...more: string[]): Promise<CommandRun> => paasta(word, '-s', 'web', '-l', 'prod.main', ...more);

  it('from the tags', async () => {
    git('tag', 'paasta-prod.main-20260101T000000-deploy', sha);
    expect(await ask('get-latest-deployment')).toEqual({ code: 0, stdout: `${sha}\n`, stderr: '' });
    expect(await ask('get-docker-image')).toEqual({ code: 0, stdout: `registry.example/team/services-web:paasta-${sha}\n`, stderr: '' });
    git('tag', 'paasta-prod.main+v2-20260102T000000-deploy', sha);
    expect((await ask('get-latest-deployment')).stdout).toBe(`DeploymentVersion(sha=${sha}, image_version=v2)\n`);
    expect((await ask('get-latest-deployment', '--sha-only')).stdout).toBe(`${sha}\n`);
    expect((await ask('get-latest-deployment', '-j')).stdout).toBe(`{"sha": "${sha}", "image_version": "v2"}\n`);
    expect((await ask('get-docker-image')).stdout).toBe(`registry.example/team/services-web:paasta-${sha}-v2\n`);
  });

  it('from deployments.json, which wins unless a repository is named', async () => {
    const old = 'ab'.repeat(20);
    write(
      'soa/web/deployments.json',
      JSON.stringify({
        v2: {
          deployments: { 'prod.main': { docker_image: `services-web:paasta-${old}`, git_sha: old, image_version: null } },
          controls: {},
        },
      }),
    );
    git('tag', 'paasta-prod.main-20260101T000000-deploy', sha);
    expect((await ask('get-latest-deployment')).stdout).toBe(`${old}\n`);
    expect((await ask('get-latest-deployment', '--git-url', repository)).stdout).toBe(`${sha}\n`);
    expect((await ask('get-docker-image')).stdout).toBe(`registry.example/team/services-web:paasta-${old}\n`);
  });

  it.each([
    ['cut off', '{"v1": {},\n "v2": {"depl', '2:9: deployments.json ends in the middle'],
    ['version 1 only', '{"v1": {}}', "1:1: deployments.json has only 'v1'"],
  ])('a deployments.json that is %s is told on its line', async (_, text, said) => {
    write('soa/web/deployments.json', text);
    for (const word of ['get-latest-deployment', 'get-docker-image']) {
      const run = await ask(word);
      expect(run).toMatchObject({ code: 1, stdout: '' });
      expect(run.stderr).toContain(`error: web/deployments.json:${said}`);
      expect(run.stderr).toContain('next: write it anew with generate-deployments, or deploy from the refs of the repository');
    }
    const info = await paasta('info', '-s', 'web');
    expect(info.code).toBe(0);
    expect(info.stderr).toContain(`warning: web/deployments.json:${said}`);
  });

  it('a group that was never deployed: exit 1, nothing on standard output', async () => {
    const run = await ask('get-latest-deployment');
    expect(run).toMatchObject({ code: 1, stdout: '' });
    expect(run.stderr).toBe(
      `error: A deployment could not be found for prod.main in web (looked in ${repository})\n  next: mark a commit for prod.main first [NOT_DEPLOYED]\n`,
    );
    const typo = await paasta('get-docker-image', '-s', 'web', '-l', 'prod.mian');
    expect(typo.code).toBe(1);
    expect(typo.stderr).toContain("did you mean 'prod.main'? known: dev.all, prod.main");
  });

  it('without a service and a group: exit 1 and both are named', async () => {
    const run = await paasta('get-latest-deployment');
    expect(run.code).toBe(1);
    expect(run.stderr).toMatch(/service: this input is required[^]*deploy-group: this input is required/);
  });
});

describe('check', () => {
  it('a repository and soa-configs that keep the contract: exit 0, a line for each rule', async () => {
    const run = await paasta('check', '-s', 'web');
    expect(run.stderr).toBe('');
    expect(run.code).toBe(0);
    expect(run.stdout.split('\n')).toEqual(
      expect.arrayContaining([
        '✓ web is in soa-configs',
        '✓ a deploy.yaml is there',
        '✓ the pipeline has a security-check',
        `✓ the git repository ${repository} answers`,
        '✓ a Dockerfile is there',
        '✓ a Makefile is there',
        "✓ the Makefile has the target 'cook-image'",
        "✓ the Makefile has the target 'itest'",
        "✓ the Makefile has the target 'test'",
        '✓ every instance has its deploy group in deploy.yaml',
        '✓ every deploy group of deploy.yaml has an instance',
        '✓ alerts go to the team web-team',
        '✓ the files are valid',
      ]),
    );
    expect(run.stdout).not.toMatch(/[✗!]/);
  });

  it.each<[string, () => void, RegExp]>([
    [
      'no Makefile',
      () => {
        rmSync(join(repository, 'Makefile'));
      },
      /✗ there is no Makefile in .*\n {2}next: run this at the root/,
    ],
    [
      'no target itest',
      () => {
        write('web/Makefile', 'DOCKER_TAG ?= x\ncook-image:\n\ttrue\ntest:\n\ttrue\n');
      },
      /✗ Makefile: the Makefile has no target 'itest'\n {2}next: add it/,
    ],
    [
      'blanks for tabs',
      () => {
        write('web/Makefile', MAKEFILE.replaceAll('\t', '    '));
      },
      /✗ Makefile: no line of the Makefile begins with a tab/,
    ],
    [
      'no deploy.yaml',
      () => {
        rmSync(join(scratch, 'soa/web/deploy.yaml'));
      },
      /✗ web\/deploy\.yaml: web has no deploy\.yaml/,
    ],
    [
      'an instance whose group is no step',
      () => {
        write('soa/web/kubernetes-prod.yaml', 'main:\n  cpus: 1\n  deploy_group: prod.mian\n');
      },
      /✗ web\/kubernetes-prod\.yaml:3: the deploy group 'prod\.mian' of prod\.main is no step of deploy\.yaml: it is never deployed\n {2}next: .*did you mean 'prod\.main'/,
    ],
    [
      'a repository that is not there',
      () => {
        write('soa/web/service.yaml', `git_url: ${scratch}/nowhere.git\n`);
      },
      /✗ cannot list the refs refs\/heads\/\* at .*nowhere\.git/,
    ],
    [
      'an invalid file',
      () => {
        write('soa/web/kubernetes-prod.yaml', 'main:\n  deploy_group: prod.main\n  cpus: many\n');
      },
      /✗ web\/kubernetes-prod\.yaml:3: /,
    ],
    [
      'an unknown service',
      () => {
        rmSync(join(scratch, 'soa/web'), { recursive: true });
      },
      /✗ soa-configs \(.*\) has no service 'web'/,
    ],
  ])('%s: exit 1', async (_, spoil, text) => {
    spoil();
    const run = await paasta('check', '-s', 'web');
    expect(run.code).toBe(1);
    expect(run.stdout).toMatch(text);
    expect(run.stderr).toMatch(/^error: web does not keep the contract: \d+ of \d+ checks failed \([a-z, -]+\)\n/);
  });

  it.each<[string, () => void, RegExp]>([
    [
      'no security-check',
      () => {
        write('soa/web/deploy.yaml', 'pipeline:\n- step: dev.all\n- step: prod.main\n');
      },
      /! web\/deploy\.yaml: the pipeline has no step security-check/,
    ],
    [
      'a group that nothing uses',
      () => {
        write('soa/web/deploy.yaml', 'pipeline:\n- step: dev.all\n- step: prod.main\n- step: later\n');
      },
      /! web\/deploy\.yaml:4: no instance has the deploy group 'later' of deploy\.yaml/,
    ],
    [
      'no default of DOCKER_TAG',
      () => {
        write('web/Makefile', MAKEFILE.replace('?=', '='));
      },
      /! Makefile: DOCKER_TAG has no default/,
    ],
    [
      'export before DOCKER_TAG is fine',
      () => {
        write('web/Makefile', `export ${MAKEFILE}`);
      },
      /✓ DOCKER_TAG has a default in the Makefile/,
    ],
    [
      'no team',
      () => {
        rmSync(join(scratch, 'soa/web/monitoring.yaml'));
      },
      /! web\/monitoring\.yaml: monitoring\.yaml names no team/,
    ],
    [
      'a mesh namespace without a port',
      () => {
        write('soa/web/smartstack.yaml', 'main: {mode: http}\n');
      },
      /[!✗] web\/smartstack\.yaml: the mesh namespace main has no proxy_port/,
    ],
  ])('%s: said, and not what the exit code is about', async (_, spoil, text) => {
    spoil();
    const run = await paasta('check', '-s', 'web', '--json');
    const broken = (JSON.parse(run.stdout) as { ok: boolean; level: string; name: string }[]).filter(
      ({ ok, level, name }) => !ok && level === 'must' && name !== 'validate',
    );
    expect(broken).toEqual([]);
    expect((await paasta('check', '-s', 'web')).stdout).toMatch(text);
  });

  it('a machine without make is told so, and the other checks go on', async () => {
    const bin = join(scratch, 'bin');
    mkdirSync(bin);
    for (const program of ['git', 'sh']) {
      writeFileSync(
        join(bin, program),
        `#!/bin/sh\nexec ${execFileSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).trim()} "$@"\n`,
      );
      chmodSync(join(bin, program), 0o755);
    }
    const run = await runCommand(
      ['check', '-s', 'web', '--soa-dir', join(scratch, 'soa'), '--system-config-dir', join(scratch, 'system')],
      { cwd: repository, env: { PATH: bin } },
    );
    expect(run.code).toBe(1);
    expect(run.stdout).toContain("✗ Makefile: make cannot say whether it has the target 'itest': the program 'make' is not installed");
    expect(run.stdout).toContain('✓ alerts go to the team web-team');
  });
});

describe('pipeline', () => {
  it('prints a table, or JSON', async () => {
    const table = await paasta('pipeline', '-s', 'web');
    expect(table).toEqual({
      code: 0,
      stderr: '',
      stdout: [
        'STAGE  STEP               KIND    NEEDS              SETTINGS',
        '1      itest              build   -',
        '2      security-check     build   itest',
        '3      push-to-registry   build   security-check',
        '4      dev.all            deploy  push-to-registry',
        '5      approve-prod.main  manual  dev.all',
        '5      prod.main          deploy  approve-prod.main',
        '',
      ].join('\n'),
    });
    const json = await paasta('pipeline', '-s', 'web', '--json');
    expect((JSON.parse(json.stdout) as { id: string }[]).map(({ id }) => id)).toEqual([
      'itest',
      'security-check',
      'push-to-registry',
      'dev.all',
      'approve-prod.main',
      'prod.main',
    ]);
  });

  it('as an action: outputs and summary; what is wrong is an annotation on its line, and nothing is put out', async () => {
    const run = (): ReturnType<typeof runBundle> =>
      runBundle('pipeline', { entry: PIPELINE, cwd: scratch, inputs: { service: 'web', 'soa-dir': 'soa', 'system-config-dir': 'system' } });
    const good = await run();
    expect(good.code).toBe(0);
    expect(JSON.parse(good.outputs['deploy-groups'] ?? '')).toEqual(['dev.all', 'prod.main']);
    expect(
      (JSON.parse(good.outputs['deploy-matrix'] ?? '') as { include: { step: string; manual: boolean }[] }).include.map(
        ({ step, manual }) => [step, manual],
      ),
    ).toEqual([
      ['dev.all', false],
      ['prod.main', true],
    ]);
    expect(good.summary).toContain('| 5 | `prod.main` | deploy | `approve-prod.main` |');

    write(
      'soa/web/deploy.yaml',
      'pipeline:\n- step: itset\n- step: prod.main\n  tiemout: 5\n- parallel: [{step: dev.all, parallel: [{step: x}]}]\n',
    );
    const bad = await run();
    expect(bad.code).toBe(1);
    expect(bad.outputs).toEqual({});
    expect(bad.text).toMatch(/::error [^:]*file=soa\/web\/deploy\.yaml,line=2[^\n]*: step 'itset' is taken for a deploy group/);
    expect(bad.text).toMatch(/::error [^:]*file=soa\/web\/deploy\.yaml,line=5[^\n]*: a parallel block inside a parallel block/);
    expect(bad.text).toMatch(/::warning [^:]*file=soa\/web\/deploy\.yaml,line=4[^\n]*: unknown key 'tiemout'/);

    write('system/more.json', '{"clusters": [\n');
    const torn = await run();
    expect(torn.code).toBe(1);
    expect(torn.text).toMatch(/::error [^\n]*more\.json:2:1: the file ends in the middle of a value/);
    rmSync(join(scratch, 'system/more.json'));

    rmSync(join(scratch, 'soa/web/deploy.yaml'));
    expect((await run()).text).toContain('web has no deploy.yaml, so it has no pipeline');
  });
});
