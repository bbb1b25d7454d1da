/**
 * validate on a pull request with a broken tree, as the runner runs it: the GitHub double holds the annotations, the log the commands. Without
 * the stage's rules these break: annotations on lines that the repository does not have, a run that ends at the first problem, a red
 * run because a fork's token may make no check run.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runBundle, type BundleRun } from '../support/runner.ts';
import { startGitHub, type DoubleRepository, type GitHubDouble } from '../testbed/github/index.ts';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
/** The bundle, as the runner runs it; `PAASTA_TEST_SOURCES=1` runs the sources instead, which need no build. */
const ENTRY = join(
  ROOT,
  ...(process.env['PAASTA_TEST_SOURCES'] === '1' ? ['src', 'validate', 'index.ts'] : ['dist', 'validate', 'index.js']),
);
const COMMAND = join(ROOT, ...(process.env['PAASTA_TEST_SOURCES'] === '1' ? ['src', 'cli', 'index.ts'] : ['dist', 'cli', 'index.js']));

let github: GitHubDouble;
let repository: DoubleRepository;
let token: string;
let scratch: string;
let counter = 0;
/** A checkout: the tree in `soa/`, the system configuration in `system/`. */
let checkout: string;
let base: string;
let head: string;

const git = (...argv: readonly string[]): string =>
  execFileSync('git', ['-C', checkout, '-c', 'user.name=t', '-c', 'user.email=t@example.com', ...argv], {
    encoding: 'utf8',
    stdio: 'pipe',
  }).trim();
function write(file: string, text: string): void {
  const path = join(checkout, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
function commit(message: string): string {
  git('add', '-A');
  git('commit', '-q', '-m', message);
  return git('rev-parse', 'HEAD');
}
const GOOD = {
  'service.yaml': 'description: x\nexternal_link: https://x.example\n',
  'monitoring.yaml': 'team: x\n',
  'deploy.yaml': 'pipeline:\n  - step: prod.main\n',
  'kubernetes-prod.yaml': 'main:\n  deploy_group: prod.main\n',
};
function writeService(service: string, files: Readonly<Record<string, string>> = {}): void {
  for (const [file, text] of Object.entries({ ...GOOD, ...files })) write(`soa/${service}/${file}`, text);
}

const env = (): Record<string, string> => ({
  GITHUB_REPOSITORY: `acme/${repository.name}`,
  GITHUB_SHA: 'f'.repeat(40),
  GITHUB_EVENT_NAME: 'pull_request',
  GITHUB_BASE_REF: 'main',
  GITHUB_RUN_ID: '77',
  GITHUB_API_URL: github.apiUrl,
  GITHUB_SERVER_URL: github.url,
  GITHUB_ACTOR: 'alice',
});
function validate(
  inputs: Record<string, string> = {},
  more: { readonly env?: Record<string, string>; readonly fork?: boolean } = {},
): Promise<BundleRun> {
  const name = `acme/${repository.name}`;
  return runBundle('validate', {
    entry: ENTRY,
    cwd: checkout,
    inputs: { 'soa-dir': 'soa', 'system-config-dir': 'system', 'github-token': token, ...inputs },
    env: { ...env(), ...more.env },
    event: {
      pull_request: {
        number: 5,
        user: { login: 'alice' },
        head: { sha: head, repo: { full_name: more.fork === true ? 'mallory/fork' : name } },
        base: { sha: base, repo: { full_name: name } },
      },
      repository: { full_name: name, name: repository.name, owner: { login: 'acme' } },
    },
  });
}
function paasta(
  directory: string,
  ...argv: readonly string[]
): { readonly code: number; readonly stdout: string; readonly stderr: string } {
  try {
    return {
      code: 0,
      stdout: execFileSync(process.execPath, [COMMAND, 'validate', ...argv], { cwd: directory, encoding: 'utf8', stdio: 'pipe' }),
      stderr: '',
    };
  } catch (error) {
    const { status, stdout, stderr } = error as { status: number; stdout: string; stderr: string };
    return { code: status, stdout, stderr };
  }
}
/** Where annotations of the check run stand. */
const annotated = (): readonly string[] =>
  (repository.state.checkRuns[0]?.annotations ?? []).map((one) => {
    const { path, start_line, annotation_level, title } = one as unknown as Record<string, string>;
    return `${String(path)}:${String(start_line)} ${String(annotation_level)} ${String(title)}`;
  });

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'paasta-validate-'));
  github = await startGitHub();
});
afterAll(async () => {
  await github.stop();
  rmSync(scratch, { recursive: true, force: true });
});
beforeEach(async () => {
  github.reset();
  counter += 1;
  repository = await github.createRepository('acme', `soa-${String(counter)}`, { files: { 'a.txt': 'a' } });
  token = github.addToken({ permissions: { contents: 'read', checks: 'write', metadata: 'read' } });
  checkout = join(scratch, `checkout-${String(counter)}`);
  mkdirSync(checkout);
  execFileSync('git', ['clone', '-q', repository.bareDir, checkout], { stdio: 'pipe' });
  write('system/paasta.json', JSON.stringify({ clusters: ['prod'], vault_cluster_map: { prod: 'prod' } }));
  writeService('web');
  writeService('api');
  base = commit('good');
  git('push', '-q', 'origin', 'HEAD:main');
  git('fetch', '-q');
  head = base;
});
afterEach(() => {
  expect(github.violations()).toEqual([]);
});

function breakTree(): void {
  writeService('web', {
    'kubernetes-prod.yaml': 'main:\n  deploy_group: prod.mian\n  cpuss: 1\n  registrations: [web.nowhere]\n',
    'smartstack.yaml': 'main:\n  proxy_port: 70000\n',
    'deploy.yaml': 'pipeline:\n  - step: prod.main\n  - parallel:\n      - parallel: [{step: x}]\n',
  });
  writeService('api', { 'kubernetes-prod.yaml': 'main:\n  deploy_group: prod.main\n  mem = 512\n' });
  head = commit('broken');
  git('push', '-q', 'origin', 'HEAD:topic');
}

describe('a pull request with a broken tree', () => {
  it('gets every problem of every file as an annotation on its line, in the check run and in the log', async () => {
    breakTree();
    const run = await validate();
    expect(run.code).toBe(1);
    expect(annotated()).toEqual([
      'soa/api/kubernetes-prod.yaml:3 failure YAML_INVALID',
      'soa/web/deploy.yaml:4 failure DEPLOY_YAML_INVALID',
      'soa/web/kubernetes-prod.yaml:2 failure UNKNOWN_DEPLOY_GROUP',
      'soa/web/kubernetes-prod.yaml:3 failure UNKNOWN_KEY',
      'soa/web/smartstack.yaml:2 failure OUT_OF_RANGE',
      'soa/web/deploy.yaml:2 warning DEPLOY_GROUP_WITHOUT_INSTANCE',
      'soa/web/kubernetes-prod.yaml:4 warning UNKNOWN_REGISTRATION',
      'soa/web/smartstack.yaml:1 warning NAMESPACE_WITHOUT_INSTANCE',
    ]);
    expect(repository.state.checkRuns).toHaveLength(1);
    expect(repository.state.checkRuns[0]).toMatchObject({
      name: 'paasta validate',
      sha: head,
      conclusion: 'failure',
      title: '5 errors, 3 warnings in 2 services',
    });
    expect(run.text).toContain(
      "::error title=paasta-validate%3A YAML_INVALID,file=soa/api/kubernetes-prod.yaml,line=3,col=3::soa/api/kubernetes-prod.yaml:3:3: 'mem = 512' is not 'key: value'%0A  next: did you mean 'mem: 512'?",
    );
    expect(run.text).toContain(
      "::error title=paasta-validate%3A UNKNOWN_KEY,file=soa/web/kubernetes-prod.yaml,line=3,col=3::soa/web/kubernetes-prod.yaml:3:3: unknown key 'cpuss' in main%0A  next: did you mean 'cpus' or 'gpus'?",
    );
    expect(run.text).toContain("did you mean 'prod.main'?");
    expect(run.text).toMatch(/^::warning title=paasta-validate%3A UNKNOWN_REGISTRATION,file=soa\/web\/kubernetes-prod\.yaml,line=4/m);
    expect(run.text).toContain('invalid configs found: 5 errors, 3 warnings in 2 services');
    expect(run.outputs).toMatchObject({
      ok: 'false',
      errors: '5',
      warnings: '3',
      services: '["api","web"]',
      'check-run-id': String(repository.state.checkRuns[0]?.id),
    });
    expect(JSON.parse(run.outputs['problems'] ?? '')).toHaveLength(8);
    expect(run.summary).toContain('### validate: 5 errors, 3 warnings in 2 services');
    expect(run.summary).toContain('`soa/web/kubernetes-prod.yaml:3:3`');
  });

  it('sends more than 50 annotations in batches, and shows ten of a severity as commands and all others as lines', async () => {
    writeService('web', {
      'kubernetes-prod.yaml': Array.from({ length: 120 }, (_unused, at) => `i${String(at)}:\n  deploy_group: prod.main\n  cpus: 0\n`).join(
        '',
      ),
    });
    head = commit('many');
    git('push', '-q', 'origin', 'HEAD:topic');
    const run = await validate({ service: 'web' });
    expect(annotated()).toHaveLength(120);
    expect(annotated().at(-1)).toBe('soa/web/kubernetes-prod.yaml:360 failure OUT_OF_RANGE');
    expect(github.count('checks/create') + github.count('checks/update')).toBe(3);
    expect(run.text.match(/^::error title=paasta-validate%3A OUT_OF_RANGE/gm)).toHaveLength(10);
    expect(run.text.match(/^error: soa\/web\/kubernetes-prod\.yaml/gm)).toHaveLength(110);
  });

  it('writes SARIF and JSON with the same places', async () => {
    breakTree();
    await validate({ 'sarif-file': 'out/paasta.sarif', 'json-file': 'out/paasta.json' });
    const sarif = JSON.parse(readFileSync(join(checkout, 'out', 'paasta.sarif'), 'utf8')) as {
      version: string;
      runs: {
        tool: { driver: { rules: { id: string }[] } };
        results: {
          ruleId: string;
          ruleIndex: number;
          level: string;
          locations: { physicalLocation: { artifactLocation: { uri: string }; region: { startLine: number; startColumn: number } } }[];
          partialFingerprints: Record<string, string>;
        }[];
      }[];
    };
    expect(sarif.version).toBe('2.1.0');
    const [{ results, tool } = { results: [], tool: { driver: { rules: [] } } }] = sarif.runs;
    expect(results).toHaveLength(8);
    for (const { ruleId, ruleIndex } of results) expect(tool.driver.rules[ruleIndex]?.id).toBe(ruleId);
    expect(new Set(results.map(({ partialFingerprints }) => Object.values(partialFingerprints)[0])).size).toBe(8);
    expect(results.find(({ ruleId }) => ruleId === 'UNKNOWN_KEY')).toMatchObject({
      level: 'error',
      locations: [
        { physicalLocation: { artifactLocation: { uri: 'soa/web/kubernetes-prod.yaml' }, region: { startLine: 3, startColumn: 3 } } },
      ],
    });
    const json = JSON.parse(readFileSync(join(checkout, 'out', 'paasta.json'), 'utf8')) as {
      ok: boolean;
      problems: { file: string; line: number; hint: string | null }[];
    };
    expect(json.ok).toBe(false);
    expect(json.problems.find(({ file }) => file === 'soa/api/kubernetes-prod.yaml')).toMatchObject({
      line: 3,
      hint: "did you mean 'mem: 512'?",
    });
  });

  it('still fails with all its annotations in the log when the token may make no check run', async () => {
    breakTree();
    token = github.addToken({ permissions: { contents: 'read', metadata: 'read' } });
    const run = await validate({}, { fork: true });
    expect(run.code).toBe(1);
    expect(repository.state.checkRuns).toHaveLength(0);
    expect(run.text).toMatch(/::notice title=paasta-validate%3A NO_CHECK_RUN::no check run: .*runs of forks/);
    expect(run.text.match(/^::error /gm)?.length).toBe(6);
    expect(run.outputs['check-run-id']).toBe('');
  });
});

describe('a good tree', () => {
  it('succeeds, with a check run that says so', async () => {
    const run = await validate();
    expect(run.code).toBe(0);
    expect(run.text).toContain('✓ web');
    expect(run.outputs).toMatchObject({ ok: 'true', errors: '0', warnings: '0' });
    expect(repository.state.checkRuns[0]).toMatchObject({ conclusion: 'success', annotations: [] });
    expect(run.summary).toContain('All files are valid.');
  });

  it('succeeds with warnings, and fails with them when it is told to', async () => {
    writeService('web', { 'deploy.yaml': 'pipeline:\n  - step: prod.main\n  - step: prod.none\n' });
    const lenient = await validate({ 'check-run': 'false' });
    expect([lenient.code, lenient.outputs['ok'], lenient.outputs['warnings']]).toEqual([0, 'true', '1']);
    expect(repository.state.checkRuns).toHaveLength(0);
    const strict = await validate({ 'fail-on': 'warning' });
    expect(strict.code).toBe(1);
    expect(repository.state.checkRuns[0]).toMatchObject({ conclusion: 'failure' });
  });

  it('is validated without a system configuration, too, and says what that means', async () => {
    writeService('web', {
      'kubernetes-prod.yaml': 'main:\n  deploy_group: prod.main\n  env: {A: SECRET(x)}\n',
      'secrets/x.json': '{"environments": {"prod": {"ciphertext": "y"}}}',
    });
    const run = await validate({ 'system-config-dir': 'nowhere' });
    expect(run.code).toBe(0);
    expect(run.text).toContain('those that files name are taken (prod)');
  });
});

describe('changed-only', () => {
  it('looks only at services that the pull request touches', async () => {
    writeService('api', { 'kubernetes-prod.yaml': 'main:\n  deploy_group: prod.main\n  cpus: 0\n' });
    base = commit('api was broken before');
    git('push', '-q', 'origin', 'HEAD:main');
    git('fetch', '-q');
    writeService('web', { 'kubernetes-prod.yaml': 'main:\n  deploy_group: prod.main\n  cpus: 2\n' });
    rmSync(join(checkout, 'soa', 'api', 'monitoring.yaml'));
    git('checkout', '-q', '--', 'soa/api');
    head = commit('web');
    const run = await validate({ 'changed-only': 'true' });
    expect([run.code, run.outputs['services']]).toEqual([0, '["web"]']);
    const named = await validate({ 'changed-only': 'true', base: head });
    expect([named.code, named.outputs['services']]).toEqual([0, '[]']);
    expect(named.summary).toContain('No service has changed.');
  });

  it('looks at all of them when the system configuration has changed, or when nobody knows what has', async () => {
    write('system/paasta.json', JSON.stringify({ clusters: ['prod', 'dev'], vault_cluster_map: { prod: 'prod', dev: 'dev' } }));
    head = commit('cluster');
    expect((await validate({ 'changed-only': 'true' })).outputs['services']).toBe('["api","web"]');
    const unknown = await validate({ 'changed-only': 'true', base: 'no-such-branch' });
    expect(unknown.outputs['services']).toBe('["api","web"]');
    expect(unknown.text).toContain('the checkout does not have no-such-branch or origin/no-such-branch');
    expect(unknown.text).toContain('fetch-depth: 0');
  });
});

describe('paasta validate', () => {
  it('tells all problems of the service of the current directory, and exits with 1', () => {
    breakTree();
    const run = paasta(join(checkout, 'soa', 'api'), '--system-config-dir', join(checkout, 'system'));
    expect(run.code).toBe(1);
    expect(run.stdout).toBe('✗ api: 1 error (schemas)\n');
    expect(run.stderr).toContain(
      "error: kubernetes-prod.yaml:3:3: 'mem = 512' is not 'key: value'\n  next: did you mean 'mem: 512'? [YAML_INVALID]",
    );
  });

  it('takes a service, a path, or nothing for the whole tree', () => {
    const options = ['--system-config-dir', 'system'];
    expect(paasta(checkout, '-s', 'web', '-d', 'soa', ...options).stdout).toBe('✓ web\n');
    expect(paasta(checkout, 'soa/api', ...options).stdout).toBe('✓ api\n');
    expect(paasta(checkout, 'soa', ...options).stdout).toBe('✓ api\n✓ web\n');
    expect(paasta(checkout, '-y', 'soa', ...options).stdout).toBe('✓ api\n✓ web\n');
    expect(JSON.parse(paasta(checkout, 'soa', '--json', ...options).stdout)).toMatchObject({
      ok: true,
      services: [{ service: 'api' }, { service: 'web' }],
    });
  });

  it('explains a service that is not there', () => {
    const run = paasta(checkout, '-s', 'wbe', '-d', 'soa', '--system-config-dir', 'system');
    expect(run.code).toBe(1);
    expect(run.stderr).toContain("did you mean 'web'?");
  });

  it('finds nothing wrong with the example tree', () => {
    const run = paasta(ROOT, 'examples/soa-configs', '--system-config-dir', 'examples/system-config');
    expect(run).toEqual({ code: 0, stdout: '✓ hello\n', stderr: '' });
  });
});
