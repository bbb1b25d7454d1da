/**
 * generate-deployments as a process: 1,000 services of the GitHub double, of git over HTTP and of local git, with one that is broken.
 * `PAASTA_TEST_SOURCES=1` runs the sources instead of the bundle.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sharedStore, type SharedStore } from '../support/bare-repositories.ts';
import { runBundle, type BundleOptions, type BundleRun } from '../support/runner.ts';
import { until } from '../support/until.ts';
import { startGitHub, type GitHubDouble } from '../testbed/github/index.ts';

const ENTRY = join(
  dirname(dirname(dirname(fileURLToPath(import.meta.url)))),
  ...(process.env['PAASTA_TEST_SOURCES'] === '1'
    ? ['src', 'generate-deployments', 'index.ts']
    : ['dist', 'generate-deployments', 'index.js']),
);
const SERVICES = 1_000;
const name = (n: number): string => `svc${String(n).padStart(4, '0')}`;

let scratch: string;
let store: SharedStore;
let github: GitHubDouble;
let token: string;
let counter = 0;

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

/** A fresh soa-configs tree of services with their git_url. */
function tree(services: Readonly<Record<string, string>>): string {
  const soa = join(scratch, `soa${String(++counter)}`);
  for (const [service, url] of Object.entries(services)) {
    write(join(soa, service, 'service.yaml'), `git_url: ${url}\n`);
    write(join(soa, service, 'kubernetes-prod.yaml'), 'main: {deploy_group: prod}\ncanary: {deploy_group: prod.canary}\n');
  }
  return soa;
}

function generate(
  soa: string,
  inputs: Record<string, string> = {},
  env: Record<string, string | undefined> = {},
  onStart?: BundleOptions['onStart'],
): Promise<BundleRun> {
  return runBundle('generate-deployments', {
    entry: ENTRY,
    inputs: { 'soa-dir': soa, 'system-config-dir': join(scratch, 'system'), ...inputs },
    env: { GITHUB_API_URL: github.apiUrl, GITHUB_REPOSITORY: 'acme/soa-configs', RUNNER_DEBUG: '1', ...env },
    ...(onStart === undefined ? {} : { onStart }),
  });
}
const fileOf = (soa: string, service: string): string => readFileSync(join(soa, service, 'deployments.json'), 'utf8');
const expected = (service: string, commit = store.commit): string =>
  JSON.stringify({
    v1: {
      [`${service}:paasta-prod.main`]: {
        docker_image: `services-${service}:paasta-${commit}`,
        desired_state: 'stop',
        force_bounce: '20260103T000000',
      },
    },
    v2: {
      deployments: { prod: { docker_image: `services-${service}:paasta-${commit}`, git_sha: commit, image_version: null } },
      controls: { [`${service}:prod.main`]: { desired_state: 'stop', force_bounce: '20260103T000000' } },
    },
  })
    .replaceAll(/([:,])(?=["{n])/g, '$1 ')
    .replaceAll(/(services-\w+|\w+): (paasta-|prod\.)/g, '$1:$2');
const TAGS = {
  'refs/heads/main': 'commit',
  'refs/tags/paasta-prod-20260101T000000-deploy': 'commit',
  'refs/tags/paasta-prod-20260102T000000-deploy': 'tag',
  'refs/tags/paasta-prod.main-20260103T000000-stop': 'commit',
  'refs/tags/v1': 'tag',
} as const;

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'paasta-generate-'));
  write(join(scratch, 'system', 'paasta.json'), '{"clusters": ["prod"]}');
  store = sharedStore(join(scratch, 'store.git'));
  const root = join(scratch, 'github');
  for (let n = 0; n < SERVICES; n += 1) store.write(join(root, 'acme', `${name(n)}.git`), TAGS);
  github = await startGitHub({ root });
});
afterAll(async () => {
  await github.stop();
  rmSync(scratch, { recursive: true, force: true });
});
beforeEach(() => {
  github.reset();
  token = github.addToken({ permissions: { contents: 'read', metadata: 'read' } });
});

describe('1,000 services at GitHub', () => {
  it('are generated with at most 20 requests; one malformed service is named, the other 999 are written', async () => {
    const soa = tree(Object.fromEntries(Array.from({ length: SERVICES }, (_, n) => [name(n), `${github.url}/acme/${name(n)}.git`])));
    write(join(soa, name(500), 'kubernetes-prod.yaml'), 'main: {deploy_group: prod\n');
    const run = await generate(soa, { 'github-token': token });
    expect(run.code).toBe(1);
    expect(run.text).toMatch(/kubernetes-prod\.yaml:\d+:\d+: /);
    expect(run.text).toContain('1 of 1000 services could not be generated as a whole: svc0500');
    expect(run.text).toMatch(
      /deployments\.json of 1000 services: 999 written, 0 unchanged, 1 failed; 14 requests to GitHub for 999 repositories/,
    );
    expect(github.count()).toBeLessThanOrEqual(20);
    expect(github.count('graphql')).toBe(14);
    expect(run.outputs).toMatchObject({ changed: 'true', failed: '["svc0500"]', requests: '14' });
    expect(JSON.parse(run.outputs['services'] ?? '')).toHaveLength(999);
    expect(fileOf(soa, name(0))).toBe(expected(name(0)));
    expect(fileOf(soa, name(999))).toBe(expected(name(999)));
    expect(existsSync(join(soa, name(500), 'deployments.json'))).toBe(false);
    expect(run.summary).toContain('| `svc0500` |');

    write(join(soa, name(500), 'kubernetes-prod.yaml'), 'main: {deploy_group: prod}\n');
    const again = await generate(soa, { 'github-token': token });
    expect(again).toMatchObject({ code: 0, outputs: { changed: 'true', services: '["svc0500"]', failed: '[]' } });
    expect(github.violations()).toEqual([]);
    expect(run.text.replace(/^::add-mask::.*$/gm, '')).not.toContain(token);
  });

  it('keep their files when GitHub is away, and the reason is said once', async () => {
    const soa = tree(Object.fromEntries(Array.from({ length: 100 }, (_, n) => [name(n), `${github.url}/acme/${name(n)}.git`])));
    write(join(soa, name(0), 'deployments.json'), expected(name(0), 'b'.repeat(40)));
    github.faults.add({ kind: 'primary-rate-limit', operation: 'graphql', resetInSeconds: 3_000, times: Infinity });
    const run = await generate(soa, { 'github-token': token });
    expect(run.code).toBe(1);
    expect(run.text.match(/GITHUB_RATE_LIMIT|rate limit of this token is used up/g)?.length).toBeLessThanOrEqual(4);
    expect(run.text).toMatch(
      /and \d+ more: cannot list the tags in acme\/svc\d+ and \d+ more repositories: the rate limit of this token is used up; it ends at/,
    );
    expect(fileOf(soa, name(0))).toContain('b'.repeat(40));
    expect(run.outputs).toMatchObject({ changed: 'false', services: '[]' });
  });
});

describe('a signal', () => {
  it('ends the run at once, and leaves whole files', async () => {
    const soa = tree({ [name(0)]: `${github.url}/acme/${name(0)}.git` });
    github.faults.add({ kind: 'slow', operation: 'graphql', milliseconds: 600_000 });
    const run = await generate(soa, { 'github-token': token }, {}, (child) => {
      void until('the question', () => github.faults.pending === 0).then(() => child.kill('SIGTERM'));
    });
    expect(run.code).toBe(130);
    expect(readdirSync(join(soa, name(0))).sort()).toEqual(['kubernetes-prod.yaml', 'service.yaml']);
  });
});

describe('other repositories', () => {
  it('are read with git over HTTP, annotated tags dereferenced; a broken one is named', async () => {
    const soa = tree({ web: `${github.url}/acme/${name(1)}.git`, gone: `${github.url}/acme/nowhere.git` });
    const run = await generate(soa);
    expect(run.code).toBe(1);
    expect(fileOf(soa, 'web')).toBe(expected('web'));
    expect(existsSync(join(soa, 'gone', 'deployments.json'))).toBe(false);
    expect(run.text).toMatch(/gone: cannot list the refs refs\/tags\/paasta-\* and refs\/heads\/paasta-\* at http/);
    expect(run.outputs).toMatchObject({ services: '["web"]', failed: '["gone"]', requests: '0' });
    expect(github.count('graphql')).toBe(0);
  });

  it('on this machine are read where they lie, packed or not, with git for what is loose', async () => {
    const bare = join(scratch, 'github', 'acme', `${name(2)}.git`);
    const soa = tree({ packed: bare, url: `file://${bare}` });
    const first = await generate(soa);
    expect(first.code).toBe(0);
    expect(fileOf(soa, 'packed')).toBe(expected('packed'));
    expect(fileOf(soa, 'url')).toBe(expected('url'));
    expect(first.text).not.toContain('ls-remote');

    const work = join(scratch, 'work');
    const git = (...argv: string[]): string =>
      execFileSync('git', ['-C', work, '-c', 'user.name=T', '-c', 'user.email=t@example.com', ...argv], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }).trim();
    execFileSync('git', ['clone', '-q', '--no-checkout', bare, work], { stdio: 'ignore' });
    git('commit', '-q', '--allow-empty', '-m', 'two');
    git('tag', '-a', '-m', 'x', 'paasta-prod-20260104T000000-deploy');
    git('tag', '-a', '-m', 'x', 'paasta-prod-20260105T000000-deploy', 'paasta-prod-20260104T000000-deploy');
    const loose = tree({ web: work });
    expect((await generate(loose)).code).toBe(0);
    expect(JSON.parse(fileOf(loose, 'web'))).toMatchObject({ v2: { deployments: { prod: { git_sha: git('rev-parse', 'HEAD') } } } });
  });
});

describe('the file', () => {
  it('is replaced at once: no temporary file stays, the mode is that of the umask, a link is replaced and its target is not', async () => {
    const bare = join(scratch, 'github', 'acme', `${name(3)}.git`);
    const soa = tree({ web: bare, api: bare });
    const elsewhere = join(scratch, 'elsewhere.json');
    writeFileSync(elsewhere, 'precious');
    symlinkSync(elsewhere, join(soa, 'api', 'deployments.json'));
    const run = await generate(soa);
    expect(run.code).toBe(0);
    expect(run.text).toContain('it counts as empty and is written anew');
    expect(readFileSync(elsewhere, 'utf8')).toBe('precious');
    expect(fileOf(soa, 'api')).toBe(expected('api'));
    expect(readdirSync(join(soa, 'web')).sort()).toEqual(['deployments.json', 'kubernetes-prod.yaml', 'service.yaml']);
    expect((statSync(join(soa, 'web', 'deployments.json')).mode & 0o777).toString(8)).toBe(
      (0o666 & ~Number.parseInt(execFileSync('sh', ['-c', 'umask'], { encoding: 'utf8' }), 8)).toString(8),
    );
    const { ino, mtimeMs } = statSync(join(soa, 'web', 'deployments.json'));
    expect((await generate(soa)).outputs).toMatchObject({ changed: 'false', services: '[]' });
    expect(statSync(join(soa, 'web', 'deployments.json'))).toMatchObject({ ino, mtimeMs });
  });

  it('that cannot be written fails its service only', async () => {
    const bare = join(scratch, 'github', 'acme', `${name(4)}.git`);
    const soa = tree({ web: bare, api: bare });
    // Nobody, root included, renames a file onto a directory.
    mkdirSync(join(soa, 'web', 'deployments.json', 'x'), { recursive: true });
    const run = await generate(soa);
    expect(run.code).toBe(1);
    expect(run.outputs).toMatchObject({ services: '["api"]', failed: '["web"]' });
    expect(readdirSync(join(soa, 'web')).filter((file) => file.startsWith('.'))).toEqual([]);
  });
});
