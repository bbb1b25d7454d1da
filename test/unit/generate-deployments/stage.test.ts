/** generate-deployments over fakes: places, changes, broken services beside good ones, and what the run says. */
import { problem, UserError, type Problem } from '../../../src/shared/contract/errors.ts';
import type { Runtime } from '../../../src/shared/contract/ports.ts';
import { legacyBranches } from '../../../src/generate-deployments/legacy.ts';
import { main } from '../../../src/generate-deployments/main.ts';
import { placeOf } from '../../../src/generate-deployments/sources.ts';
import { repositoryAddress } from '../../../src/shared/github/addresses.ts';
import type { Ref } from '../../../src/shared/deployments/index.ts';
import { memoryTree } from '../../support/memory-tree.ts';

const A = 'a'.repeat(40);
const B = 'b'.repeat(40);
const tag = (name: string, sha = A): Ref => ({ name: `refs/tags/${name}`, sha });
const MARK = tag('paasta-prod.main-20260101T000000-deploy');
const EMPTY = '{"v1": {}, "v2": {"deployments": {}, "controls": {}}}';
const ofWeb = (sha = A, state = '"desired_state": "start", "force_bounce": null'): string =>
  `{"v1": {"web:paasta-prod.main": {"docker_image": "services-web:paasta-${sha}", ${state}}}, "v2": {"deployments": {"prod.main": {"docker_image": "services-web:paasta-${sha}", "git_sha": "${sha}", "image_version": null}}, "controls": {"web:prod.main": {${state}}}}}`;

interface Run {
  readonly written: Record<string, string>;
  readonly outputs: Record<string, string>;
  readonly lines: string[];
  readonly problems: Problem[];
  readonly summary: string;
  readonly thrown: readonly Problem[];
  readonly asked: string[];
}

interface Scene {
  readonly files: Readonly<Record<string, string>>;
  readonly repositories?: Readonly<Record<string, readonly Ref[] | Problem>>;
  readonly inputs?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly system?: string;
  readonly github?: { readonly graph: readonly Ref[]; readonly rest: readonly Ref[] };
  readonly unwritable?: readonly string[];
}

async function generate({
  files,
  repositories = {},
  inputs = {},
  env = {},
  system = '{"clusters": ["prod", "eu"]}',
  github,
  unwritable = [],
}: Scene): Promise<Run> {
  const run: Run & { summary: string; thrown: readonly Problem[] } = {
    written: {},
    outputs: {},
    lines: [],
    problems: [],
    summary: '',
    thrown: [],
    asked: [],
  };
  const runtime: Runtime = {
    name: 'test',
    input: (name) => inputs[name] ?? '',
    env: { PAASTA_SOA_DIR: '/soa', PAASTA_SYSTEM_CONFIG_DIR: '/system', ...env },
    workingDirectory: '/',
    platform: 'linux',
    log: {
      debug: () => undefined,
      info: (line) => {
        run.lines.push(line);
      },
      problem: (found) => {
        run.problems.push(found);
      },
      group: async (_, body) => body(),
    },
    mask: () => undefined,
    clock: { now: () => 0, sleep: () => Promise.resolve() },
    signal: new AbortController().signal,
    setOutput: (name, value) => {
      run.outputs[name] = value;
    },
    addSummary: (text) => {
      run.summary += text;
      return Promise.resolve();
    },
  };
  let requests = 0;
  const batches = {
    listRefs: (names: readonly { owner: string; name: string }[]) => {
      requests += 1;
      run.asked.push(`graph ${names.map(({ name }) => name).join(' ')}`);
      return Promise.resolve(new Map(names.map(({ owner, name }) => [`${owner}/${name}`.toLowerCase(), { refs: github?.graph ?? [] }])));
    },
    listRefsByRest: ({ name }: { name: string }) => {
      requests += 1;
      run.asked.push(`rest ${name}`);
      return Promise.resolve({ refs: github?.rest ?? [] });
    },
    requests: () => requests,
  };
  try {
    await main(runtime, {
      tree: (path) => memoryTree(path === '/system' ? { 'paasta.json': system } : files),
      isDirectory: (path) => path === '/soa',
      write: (_, path, text) => {
        if (unwritable.includes(path)) throw new UserError(problem('FILE_NOT_WRITABLE', 'cannot be written', { file: path }));
        run.written[path] = text;
      },
      refs: ({ token }) => ({
        github: () => Promise.resolve(token === '' ? undefined : { serverHost: 'github.com', address: repositoryAddress, batches }),
        git: (url) => ({
          listRefsOf: () => {
            run.asked.push(`git ${url}`);
            const answer = repositories[url] ?? problem('GIT_REPOSITORY_NOT_FOUND', `there is no ${url}`);
            return 'code' in answer ? Promise.reject(new UserError(answer)) : Promise.resolve(answer);
          },
        }),
      }),
    });
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    run.thrown = error.problems;
  }
  return run;
}

const WEB = { 'web/service.yaml': 'git_url: /git/web\n', 'web/kubernetes-prod.yaml': 'main: {cpus: 1}\n' };
const codes = (problems: readonly Problem[]): readonly string[] => problems.map(({ code }) => code);

describe('one service', () => {
  it.each<[string, string | undefined, readonly Ref[], string | undefined, string]>([
    ['is written the first time', undefined, [MARK], ofWeb(), 'web: prod.main: aaaaaaaa'],
    ['is left alone when nothing changed', ofWeb(), [MARK], undefined, '0 written, 1 unchanged'],
    [
      'keeps its spelling when the content is the same',
      `${ofWeb().replaceAll(': ', ' : ')}\n`,
      [MARK],
      undefined,
      '0 written, 1 unchanged',
    ],
    [
      'gets a newer mark',
      ofWeb(B),
      [tag('paasta-prod.main-20250101T000000-deploy', B), MARK],
      ofWeb(),
      'web: prod.main: bbbbbbbb → aaaaaaaa',
    ],
    [
      'gets a stop',
      ofWeb(),
      [MARK, tag('paasta-prod.main-20260102T000000-stop')],
      ofWeb(A, '"desired_state": "stop", "force_bounce": "20260102T000000"'),
      'web: prod.main: stopped',
    ],
    [
      'gets a restart',
      ofWeb(),
      [MARK, tag('paasta-prod.main-20260102T000000-start')],
      ofWeb(A, '"desired_state": "start", "force_bounce": "20260102T000000"'),
      'web: prod.main: restarted at 20260102T000000',
    ],
    ['without marks is an empty file', undefined, [tag('paasta-other-20260101T000000-deploy')], EMPTY, 'web: nothing is marked yet'],
    ['that lost its marks is emptied', ofWeb(), [], EMPTY, 'web: no longer: prod.main'],
  ])('%s', async (_, previous, refs, expected, line) => {
    const run = await generate({
      files: { ...WEB, ...(previous === undefined ? {} : { 'web/deployments.json': previous }) },
      repositories: { '/git/web': refs },
    });
    expect(run.thrown).toEqual([]);
    expect(run.written).toEqual(expected === undefined ? {} : { 'web/deployments.json': expected });
    expect(run.outputs).toEqual({
      changed: String(expected !== undefined),
      services: expected === undefined ? '[]' : '["web"]',
      failed: '[]',
      requests: '0',
    });
    expect(run.lines.join('\n')).toContain(line);
  });

  it('that has no repository (git_url: null) or no instances gets empty maps, and nobody is asked', async () => {
    const run = await generate({
      files: {
        'a/service.yaml': 'git_url:\n',
        'a/kubernetes-prod.yaml': 'main: {}\n',
        'b/service.yaml': 'git_url: /git/b\n',
        'docs/readme.md': '',
      },
    });
    expect(run).toMatchObject({ written: { 'a/deployments.json': EMPTY, 'b/deployments.json': EMPTY }, asked: [], thrown: [] });
    expect(run.outputs['services']).toBe('["a","b"]');
  });

  it.each([
    ['cut off', '{"v1": {'],
    ['empty', ''],
    ['no mapping', '[]'],
  ])('with an old file that is %s gets a new one, with a warning', async (_, text) => {
    const run = await generate({ files: { ...WEB, 'web/deployments.json': text }, repositories: { '/git/web': [MARK] } });
    expect(run.written).toEqual({ 'web/deployments.json': ofWeb() });
    expect(run.thrown).toEqual([]);
    expect(run.problems).toMatchObject([
      {
        severity: 'warning',
        code: 'DEPLOYMENTS_UNREADABLE',
        file: 'soa/web/deployments.json',
        line: 1,
        message: expect.stringContaining('; it counts as empty and is written anew') as string,
      },
    ]);
  });

  it('is only said in a dry run', async () => {
    const run = await generate({ files: WEB, repositories: { '/git/web': [MARK] }, inputs: { 'dry-run': 'true' } });
    expect(run).toMatchObject({ written: {}, outputs: { changed: 'true', services: '["web"]' } });
    expect(run.lines).toEqual([
      'web: would write prod.main: aaaaaaaa',
      'dry run: deployments.json of 1 service: 1 would be written, 0 unchanged (0.0 s)',
    ]);
  });

  it('may have a repository of its own in the inputs; the whole tree may not', async () => {
    expect(
      (await generate({ files: WEB, repositories: { '/git/fork': [MARK] }, inputs: { service: 'web', 'git-url': '/git/fork' } })).written,
    ).toEqual({ 'web/deployments.json': ofWeb() });
    expect(codes((await generate({ files: WEB, inputs: { 'git-url': '/git/fork' } })).thrown)).toEqual(['BAD_INPUT']);
    expect(codes((await generate({ files: WEB, inputs: { service: 'web', 'git-url': 'ext::sh -c x' } })).thrown)).toEqual(['BAD_INPUT']);
    expect(codes((await generate({ files: WEB, inputs: { service: 'wbe' } })).thrown)).toEqual(['UNKNOWN_SERVICE']);
  });

  it('has one warning about tags that mark nothing', async () => {
    const run = await generate({ files: WEB, repositories: { '/git/web': [MARK, tag('paasta-oops'), tag('paasta-oops2')] } });
    expect(codes(run.problems)).toEqual(['MALFORMED_TAG']);
    expect(run.thrown).toEqual([]);
  });
});

describe('one broken service among good ones', () => {
  const GOOD = Object.fromEntries(
    ['a', 'z'].flatMap((name) => [
      [`${name}/service.yaml`, 'git_url: /git/good\n'],
      [`${name}/kubernetes-prod.yaml`, 'main: {}\n'],
    ]),
  );
  it.each<[string, Readonly<Record<string, string>>, string, string]>([
    ['YAML that cannot be read', { 'web/kubernetes-prod.yaml': 'main: {\n' }, 'YAML', 'web/kubernetes-prod.yaml'],
    ['a companion that cannot be read', { 'web/monitoring.yaml': 'a: [\n' }, 'YAML', 'web/monitoring.yaml'],
    ['no git_url', { 'web/service.yaml': 'description: x\n' }, 'NO_REPOSITORY', 'git_url'],
    ['a git_url that is a number', { 'web/service.yaml': 'git_url: 5\n' }, 'WRONG_TYPE', 'git_url must be text'],
    ['a repository that is not there', {}, 'GIT_REPOSITORY_NOT_FOUND', 'web: there is no /git/web'],
  ])('%s: the others are written, its file stays, the end names it', async (_, files, code, text) => {
    const run = await generate({
      files: { ...GOOD, ...WEB, 'web/deployments.json': ofWeb(), ...files },
      repositories: { '/git/good': [MARK] },
    });
    expect(Object.keys(run.written)).toEqual(['a/deployments.json', 'z/deployments.json']);
    expect(run.outputs).toMatchObject({ changed: 'true', services: '["a","z"]', failed: '["web"]' });
    expect(run.thrown.map((found) => found.code).join()).toContain(code);
    expect(`${run.thrown[0]?.file ?? ''} ${run.thrown[0]?.message ?? ''}`).toContain(text);
    expect(run.thrown.at(-1)?.message).toBe('1 of 3 services could not be generated as a whole: web');
    expect(run.summary).toContain('| `web` |');
  });

  it('an instance that cannot be read is left out and told; the other instances are written', async () => {
    const run = await generate({
      files: { ...WEB, 'web/kubernetes-prod.yaml': 'main: {}\nodd: null\n' },
      repositories: { '/git/web': [MARK] },
    });
    expect(run.written).toEqual({ 'web/deployments.json': ofWeb() });
    expect(run.outputs).toMatchObject({ services: '["web"]', failed: '["web"]' });
    expect(codes(run.thrown)).toEqual(['INSTANCE_NOT_A_MAPPING', 'NOT_GENERATED']);
    expect(run.thrown[0]).toMatchObject({ file: 'soa/web/kubernetes-prod.yaml', line: 2 });
  });

  it('a pipeline that is wrong is no business of this file', async () => {
    const run = await generate({ files: { ...WEB, 'web/deploy.yaml': 'pipeline: [{step: 5}]\n' }, repositories: { '/git/web': [MARK] } });
    expect(run).toMatchObject({ thrown: [], written: { 'web/deployments.json': ofWeb() } });
  });

  it('a file that cannot be written', async () => {
    const run = await generate({
      files: { ...GOOD, ...WEB },
      repositories: { '/git/good': [MARK], '/git/web': [MARK] },
      unwritable: ['web/deployments.json'],
    });
    expect(run.outputs).toMatchObject({ services: '["a","z"]', failed: '["web"]' });
    expect(codes(run.thrown)).toEqual(['FILE_NOT_WRITABLE', 'NOT_GENERATED']);
  });

  it('what all say alike is said once', async () => {
    const away = problem('GITHUB_UNREACHABLE', 'nobody answers');
    const run = await generate({ files: { ...GOOD, ...WEB }, repositories: { '/git/good': away, '/git/web': away } });
    expect(run.thrown.map(({ message }) => message)).toEqual([
      'a and 2 more: nobody answers',
      '3 of 3 services could not be generated as a whole: a, web, z',
    ]);
    expect(run.asked).toEqual(['git /git/good', 'git /git/web']);
  });
});

describe('a tree that is not what was meant', () => {
  it.each<[string, Scene, readonly string[]]>([
    ['no clusters: every file would lose its instances', { files: WEB, system: '{}' }, ['NO_CLUSTERS']],
    ['a soa-dir that is not there', { files: WEB, inputs: { 'soa-dir': '/elsewhere' } }, ['SOA_DIR_MISSING']],
    ['a system configuration that cannot be read', { files: WEB, system: '{' }, ['JSON_SYNTAX']],
  ])('%s', async (_, scene, expected) => {
    const run = await generate(scene);
    expect(run.written).toEqual({});
    expect(codes(run.thrown)).toHaveLength(expected.length);
    if (expected[0] !== 'JSON_SYNTAX') expect(codes(run.thrown)).toEqual(expected);
  });

  it('no service at all is a warning', async () => {
    expect(codes((await generate({ files: {} })).problems)).toEqual(['EMPTY_SOA_CONFIGS']);
  });
});

describe('GitHub', () => {
  const FILES = {
    'web/service.yaml': 'git_url: git@github.com:acme/web.git\n',
    'web/kubernetes-prod.yaml': 'main: {}\n',
    'api/service.yaml': 'git_url: https://github.com/acme/web\n',
    'api/kubernetes-prod.yaml': 'main: {}\n',
  };
  const inputs = { 'github-token': 't' };

  it('is asked in batches, once for two services of one repository', async () => {
    const run = await generate({ files: FILES, inputs, github: { graph: [MARK], rest: [] } });
    expect(run.asked).toEqual(['graph web']);
    expect(run.outputs).toMatchObject({ services: '["api","web"]', requests: '1' });
    expect(run.lines.at(-1)).toBe('deployments.json of 2 services: 2 written, 0 unchanged; 1 request to GitHub for 1 repository (0.0 s)');
  });

  it('is asked a second time, and otherwise, before a file loses all of its marks', async () => {
    const kept = await generate({
      files: { ...FILES, 'web/deployments.json': ofWeb() },
      inputs: { ...inputs, service: 'web' },
      github: { graph: [], rest: [MARK] },
    });
    expect(kept).toMatchObject({ asked: ['graph web', 'rest web'], written: {} });
    const gone = await generate({
      files: { ...FILES, 'web/deployments.json': ofWeb() },
      inputs: { ...inputs, service: 'web' },
      github: { graph: [], rest: [] },
    });
    expect(gone).toMatchObject({ asked: ['graph web', 'rest web'], written: { 'web/deployments.json': EMPTY } });
  });

  it.each<[string, string | null | undefined, string | undefined, string]>([
    ['an address of the server', 'https://github.com/acme/web.git', undefined, 'github acme/web'],
    ['ssh to the server', 'ssh://git@GitHub.com/acme/web', undefined, 'github acme/web'],
    ['another server', 'git@git.example:acme/web', undefined, 'git git@git.example:acme/web'],
    ['a path', '/git/web', undefined, 'git /git/web'],
    ['null', null, 'acme/web', 'none'],
    ['nothing, in the job of the repository', undefined, 'acme/services-web', 'github acme/services-web'],
    ['nothing, in another job', undefined, 'acme/soa-configs', 'NO_REPOSITORY'],
    ['nothing at all', undefined, undefined, 'NO_REPOSITORY'],
  ])('%s', (_, gitUrl, jobRepository, expected) => {
    const place = placeOf({ service: 'web', gitUrl, jobRepository }, { serverHost: 'github.com', address: repositoryAddress });
    expect(
      'code' in place
        ? place.code
        : place.kind === 'github'
          ? `github ${place.repository.owner}/${place.repository.name}`
          : place.kind === 'git'
            ? `git ${place.url}`
            : 'none',
    ).toBe(expected);
  });

  it('without a token is a git server like any other', () => {
    expect(placeOf({ service: 'web', gitUrl: 'https://github.com/acme/web', jobRepository: 'acme/web' }, undefined)).toEqual({
      kind: 'git',
      url: 'https://github.com/acme/web',
    });
  });
});

describe('control branches of before 2016', () => {
  const head = (name: string, sha = A): Ref => ({ name: `refs/heads/${name}`, sha });
  const instances = [
    { branch: 'prod.main', deployGroup: 'all' },
    { branch: 'eu.main', deployGroup: 'all' },
  ];

  it('are one warning, and read only where a group has no mark and somebody asks for it', async () => {
    const refs = [head('paasta-prod.main', B), head('main', B), head('paasta-fix-typo', B)];
    const ignored = await generate({ files: WEB, repositories: { '/git/web': [...refs, MARK] } });
    expect(ignored.written).toEqual({ 'web/deployments.json': ofWeb() });
    expect(ignored.problems).toMatchObject([
      {
        severity: 'warning',
        code: 'LEGACY_CONTROL_BRANCHES',
        message: "web: the branch 'paasta-prod.main' is a control branch of before 2016: not read",
      },
    ]);
    expect((await generate({ files: WEB, repositories: { '/git/web': refs } })).written).toEqual({ 'web/deployments.json': EMPTY });
    const inputs = { 'legacy-control-branches': 'true' };
    expect((await generate({ files: WEB, inputs, repositories: { '/git/web': refs } })).written).toEqual({
      'web/deployments.json': ofWeb(B),
    });
    expect((await generate({ files: WEB, inputs, repositories: { '/git/web': [...refs, MARK] } })).written).toEqual({
      'web/deployments.json': ofWeb(),
    });
  });

  it('of one deploy group: the first instance counts, then the branch of the group itself', () => {
    expect(legacyBranches('web', instances, [head('paasta-all', B), head('paasta-eu.main', A)], true).marks).toEqual([
      tag('paasta-all-00000000T000000-deploy', B),
    ]);
    expect(legacyBranches('web', instances, [head('paasta-prod.main', A), head('paasta-all', B)], true).marks).toEqual([
      tag('paasta-all-00000000T000000-deploy', A),
    ]);
    expect(legacyBranches('web', instances, [head('paasta-elsewhere.main')], true)).toEqual({ marks: [], problem: undefined });
  });
});
