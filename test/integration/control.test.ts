/** start, stop and restart as an action and as words of the command: against the GitHub double and plain git, read back as deploy reads them. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { deploymentsFromRefs, inByteOrder, type Control } from '../../src/shared/deployments/index.ts';
import { runBundle, type BundleRun } from '../support/runner.ts';
import { runCommand, type CommandRun } from '../support/command.ts';
import { startGitHub, type DoubleRepository, type GitHubDouble } from '../testbed/github/index.ts';

/** The bundle, as the runner runs it; `PAASTA_TEST_SOURCES=1` runs the sources instead, which need no build. */
const ENTRY = join(
  dirname(dirname(dirname(fileURLToPath(import.meta.url)))),
  ...(process.env['PAASTA_TEST_SOURCES'] === '1' ? ['src', 'control', 'index.ts'] : ['dist', 'control', 'index.js']),
);

let github: GitHubDouble;
let repository: DoubleRepository;
let token: string;
let scratch: string;
let a: string;
let b: string;
let counter = 0;

const visible = (text: string): string => text.replace(/^::add-mask::.*$/gm, '');
const tagsOf = async (): Promise<Record<string, string>> =>
  Object.fromEntries(Object.entries(await repository.tags()).filter(([name]) => name.startsWith('paasta-')));
/** What deploy reads of the repository. */
async function reads(branch: string, group: string, stopBindsTo: 'mark' | 'commit' = 'mark'): Promise<Control> {
  const refs = Object.entries(await repository.tags()).map(([name, sha]) => ({ name: `refs/tags/${name}`, sha }));
  return deploymentsFromRefs('web', inByteOrder(refs), { stopBindsTo }).control(branch, group);
}
const trees = (): Record<string, string> => ({ 'soa-dir': join(scratch, 'soa'), 'system-config-dir': join(scratch, 'system') });
function control(inputs: Record<string, string>, env: Record<string, string | undefined> = {}): Promise<BundleRun> {
  return runBundle('control', {
    entry: ENTRY,
    inputs: { service: 'web', ...trees(), 'github-token': token, ...inputs },
    env: {
      GITHUB_REPOSITORY: `acme/${repository.name}`,
      GITHUB_SHA: b,
      GITHUB_EVENT_NAME: 'workflow_dispatch',
      GITHUB_API_URL: github.apiUrl,
      GITHUB_SERVER_URL: github.url,
      ...env,
    },
  });
}
const STOP = { action: 'stop', cluster: 'prod', instance: 'main' };

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'paasta-control-'));
  for (const dir of ['system', 'soa/web']) mkdirSync(join(scratch, dir), { recursive: true });
  writeFileSync(join(scratch, 'system', 'paasta.json'), JSON.stringify({ clusters: ['prod', 'eu'] }));
  writeFileSync(join(scratch, 'soa', 'web', 'kubernetes-prod.yaml'), 'main: {deploy_group: all}\ncanary: {}\n');
  writeFileSync(join(scratch, 'soa', 'web', 'kubernetes-eu.yaml'), 'main: {deploy_group: all}\n');
  github = await startGitHub();
});
afterAll(async () => {
  await github.stop();
  rmSync(scratch, { recursive: true, force: true });
});
beforeEach(async () => {
  github.reset();
  repository = await github.createRepository('acme', `web-${String(++counter)}`, { files: { 'a.txt': 'a' } });
  a = repository.firstCommit;
  b = await repository.commit({ 'a.txt': 'b' }, 'second');
  await repository.setRef('refs/tags/paasta-all-20260101T000000-deploy', a);
  token = github.addToken({ permissions: { contents: 'write', metadata: 'read' } });
});
afterEach(() => {
  expect(github.violations()).toEqual([]);
});

describe('through the API', () => {
  it('a stop is a light tag on the commit that the group runs, and is read as a stop', async () => {
    const result = await control(STOP);
    expect(result.code).toBe(0);
    const [tag, ...more] = JSON.parse(result.outputs['tags'] ?? '') as string[];
    expect(more).toEqual([]);
    expect(tag).toMatch(/^paasta-prod\.main-\d{8}T\d{6}-stop$/);
    expect((await repository.git('cat-file', '-t', `refs/tags/${tag ?? ''}`)).trim()).toBe('commit');
    expect((await tagsOf())[tag ?? '']).toBe(a);
    expect(result.outputs['changed']).toBe('true');
    expect(JSON.parse(result.outputs['results'] ?? '')).toEqual([
      { cluster: 'prod', instance: 'main', deploy_group: 'all', state: 'written', tag, git_sha: a, image_version: null, before: 'start' },
    ]);
    expect(result.summary).toContain(`| \`prod.main\` | \`all\` | \`${a.slice(0, 8)}\` | tag written | \`${tag ?? ''}\` |`);
    expect(result.summary).toContain('a mark of another version (commit or image version) starts it');
    expect(result.text).toContain('coming back to');
    expect(visible(result.text)).not.toContain(token);
    expect((await reads('prod.main', 'all')).desiredState).toBe('stop');
    expect((await reads('eu.main', 'all')).desiredState).toBe('start');

    const again = await control(STOP);
    expect(again).toMatchObject({ code: 0, outputs: { changed: 'false', tags: JSON.stringify([tag]) } });
    expect(again.text).toContain('prod.main is already stopped');
    expect(Object.keys(await tagsOf())).toHaveLength(2);
  });

  it('a later mark of another version starts it; the first version again does not stop it, but for readers of the old kind', async () => {
    await control(STOP);
    await repository.setRef('refs/tags/paasta-all-20990101T000000-deploy', b);
    expect((await reads('prod.main', 'all')).desiredState).toBe('start');
    await repository.setRef('refs/tags/paasta-all-20990101T000001-deploy', a);
    expect((await reads('prod.main', 'all')).desiredState).toBe('start');
    expect((await reads('prod.main', 'all', 'commit')).desiredState).toBe('stop');
    // The stop counts under the commit, so that a stop under that rule has nothing to write.
    expect((await control({ ...STOP, 'stop-binds-to': 'commit' })).outputs['changed']).toBe('false');
    expect((await control(STOP)).outputs['changed']).toBe('true');
    expect((await reads('prod.main', 'all')).desiredState).toBe('stop');
  });

  it('restart of a whole deploy group in every cluster; a group without a mark is named and fails the run', async () => {
    const result = await control({ action: 'restart' });
    expect(result.code).toBe(1);
    expect(result.text).toContain(`restart web (tags of acme/${repository.name}): eu.main, prod.main, prod.canary`);
    expect(result.text).toMatch(
      /::error title=[^:]*NOT_MARKED::prod\.canary cannot restart: its deploy group 'prod\.canary' was never marked in acme\//,
    );
    expect(JSON.parse(result.outputs['tags'] ?? '')).toHaveLength(2);
    expect(Object.keys(await tagsOf()).filter((name) => name.endsWith('-start'))).toHaveLength(2);
    expect((await reads('eu.main', 'all')).forceBounce).toMatch(/^\d{8}T\d{6}$/);
  });

  it('a dry run writes nothing', async () => {
    const result = await control({ ...STOP, 'dry-run': 'true' });
    expect(result).toMatchObject({ code: 0, outputs: { changed: 'false' } });
    expect(result.text).toMatch(/dry run: would create the tag paasta-prod\.main-\d{8}T\d{6}-stop on/);
    expect(Object.keys(await tagsOf())).toHaveLength(1);
  });

  it('two at once: the second takes the next second', async () => {
    github.faults.add({ kind: 'tag-race', sha: b });
    const result = await control(STOP);
    expect(result.code).toBe(0);
    expect(result.text).toContain('is taken; one second later');
    const stops = Object.entries(await tagsOf())
      .filter(([name]) => name.endsWith('-stop'))
      .sort();
    expect(stops.map(([, sha]) => sha)).toEqual([b, a]);
  });

  it('a tag that readers do not see yet counts all the same', async () => {
    github.faults.add({ kind: 'hidden-ref', reads: 3 });
    expect(await control({ ...STOP, action: 'start' })).toMatchObject({ code: 0, outputs: { changed: 'true' } });
  });

  it('a lost answer is not done twice', async () => {
    github.faults.add({ kind: 'drop', operation: 'git/create-ref', applied: true });
    expect(await control(STOP)).toMatchObject({ code: 0, outputs: { changed: 'true' } });
    expect(Object.keys(await tagsOf())).toHaveLength(2);
  });

  it('a token that may not write is told which permission is missing, after the outputs', async () => {
    token = github.addToken({ permissions: { contents: 'read', metadata: 'read' } });
    const result = await control(STOP);
    expect(result.code).toBe(1);
    expect(result.text).toContain('GITHUB_PERMISSION_MISSING');
    expect(result.text).toContain('contents: write');
    expect(result.outputs).toMatchObject({ tags: '[]', changed: 'false' });
    expect(JSON.parse(result.outputs['results'] ?? '')).toEqual([expect.objectContaining({ state: 'failed' })]);
  });
});

describe('what is refused before anything is asked', () => {
  it.each<[string, Record<string, string>, readonly RegExp[]]>([
    ['a stop without names', { action: 'stop', service: '' }, [/service: a stop names/, /cluster: a stop names/, /instance: a stop names/]],
    [
      'unknown names',
      { action: 'start', cluster: 'prd', instance: 'main' },
      [/cluster 'prd' is not in the system configuration/, /did you mean 'prod'/],
    ],
    [
      'an unknown instance',
      { action: 'start', cluster: 'prod', instance: 'mian' },
      [/instance 'mian' is not declared by web in prod/, /did you mean 'main'/],
    ],
    ['an unknown service', { action: 'start', service: 'wbe' }, [/UNKNOWN_SERVICE/, /did you mean 'web'/]],
    ['another word', { action: 'stpo' }, [/action: 'stpo' is not known/, /did you mean 'stop'/]],
    [
      'hostile names',
      { action: 'start', cluster: '../x,$(id)', instance: 'a/b', 'git-url': 'ext::sh -c id' },
      [
        /cluster: '\.\.\/x' is not a cluster name/,
        /cluster: '\$\(id\)'/,
        /instance: 'a\/b'/,
        /git-url: 'ext::sh -c id' is not a git address/,
      ],
    ],
  ])('%s', async (_, inputs, texts) => {
    const result = await control(inputs);
    expect(result.code).toBe(1);
    for (const text of texts) expect(result.text).toMatch(text);
    expect(github.count()).toBe(0);
  });
});

describe('the command, by plain git', () => {
  const paasta = (...argv: string[]): Promise<CommandRun> =>
    runCommand(
      [...argv, '--git-url', repository.bareDir, '--soa-dir', join(scratch, 'soa'), '--system-config-dir', join(scratch, 'system')],
      { cwd: scratch },
    );

  it('stop, start and restart write the same tags', async () => {
    const stop = await paasta('stop', '-s', 'web', '-c', 'prod,eu', '-i', 'main');
    expect(stop.stderr).toBe('');
    expect(stop.code).toBe(0);
    expect(stop.stdout).toMatch(
      /^stop web \(tags of [^)]*\): eu\.main, prod\.main\neu\.main at [0-9a-f]{8}: to be stopped \(paasta-eu\.main-\d{8}T\d{6}-stop\)\nprod\.main at [0-9a-f]{8}: to be stopped \(.*\)\nstopped while all runs [0-9a-f]{8}: .*instances: 0 in soa-configs stops it for good\n$/,
    );
    expect((await reads('eu.main', 'all')).desiredState).toBe('stop');
    expect(await paasta('start', '-s', 'web', '-l', 'all', '-c', 'eu')).toMatchObject({ code: 0, stderr: '' });
    expect([(await reads('eu.main', 'all')).desiredState, (await reads('prod.main', 'all')).desiredState]).toEqual(['start', 'stop']);
    const before = await reads('eu.main', 'all');
    expect(await paasta('restart', 'services-web.main', '-c', 'eu')).toMatchObject({ code: 0 });
    expect((await reads('eu.main', 'all')).forceBounce ?? '').not.toBe(before.forceBounce);
    expect(github.count()).toBe(0);
  });

  it.each<[string, readonly string[], RegExp]>([
    [
      'a stop without names',
      ['stop', '-s', 'web', '-c', 'prod'],
      /error: instance: a stop names its service, clusters and instances\n {2}next: give 'instance'/,
    ],
    [
      'a group without a mark',
      ['stop', '-s', 'web', '-c', 'prod', '-i', 'canary'],
      /error: prod\.canary cannot stop: its deploy group 'prod\.canary' was never marked in .*\n {2}next: has web been deployed there yet\?/,
    ],
    ['an owner', ['restart', '-o', 'team'], /paasta: error: -o is not available here\n {2}next: only one service is controlled at a time/],
    [
      'one replica',
      ['restart', '--replica', 'pod-1'],
      /--replica is not available here\n {2}next: one replica is replaced with 'kubectl delete pod NAME'/,
    ],
  ])('%s: exit 1, and why', async (_, argv, text) => {
    const run = await paasta(...argv);
    expect(run.code).toBe(1);
    expect(run.stderr).toMatch(text);
    expect(Object.keys(await tagsOf())).toHaveLength(1);
  });
});
