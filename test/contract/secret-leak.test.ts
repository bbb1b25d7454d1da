/**
 * Secrets stay secret: none is in the repository, and none that an action is given comes out of it again, be it in the log,
 * the summary, an output, or the arguments of a program that it starts. Both checks are shown to find a planted leak.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { actionDirectories } from '../../scripts/docs.ts';
import type { InputSpec } from '../../src/shared/runtime/inputs.ts';
import { runBundle, type BundleRun } from '../support/runner.ts';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** What does not belong into a repository. Written so that this file does not match itself. */
const PATTERNS: readonly (readonly [what: string, pattern: RegExp])[] = [
  ['a private key', /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s+[A-Za-z0-9+/]{40}/],
  ['a GitHub token', /\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60})/],
  ['an AWS key', /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/],
  ['an npm token', /\bnpm_[A-Za-z0-9]{36}\b/],
  ['a Slack token', /\bxox[abprs]-[A-Za-z0-9-]{20,}/],
  ['a JSON web token', /\beyJ[A-Za-z0-9_-]{20,}\.eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}/],
  ['the path of a machine', /(?:^|["'\s(=])\/(?:work|home\/[a-z][a-z0-9-]*)\/(?:main|shared|brief)\b/m],
];

function leaks(text: string): readonly string[] {
  return PATTERNS.filter(([, pattern]) => pattern.test(text)).map(([what]) => what);
}

describe('the repository', () => {
  const files = execFileSync('git', ['-C', ROOT, 'ls-files', '-z'], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
    .split('\0')
    .filter((file) => file !== '' && existsSync(join(ROOT, file)) && statSync(join(ROOT, file)).size < 8_000_000);

  it('holds no secrets and no paths of the machine that it was written on', () => {
    expect(files.length).toBeGreaterThan(100);
    // Lock file: hashes of packages look like anything.
    const found = files
      .filter((file) => file !== 'package-lock.json' && file !== 'test/contract/secret-leak.test.ts')
      .flatMap((file) => leaks(readFileSync(join(ROOT, file), 'utf8')).map((what) => `${file}: ${what}`));
    expect(found).toEqual([]);
  });

  it.each([
    ['a private key', `-----BEGIN RSA ${'PRIVATE'} KEY-----\n${'A'.repeat(64)}`],
    ['a GitHub token', `token: ghp${'_'}${'a1'.repeat(18)}`],
    ['an AWS key', `AKIA${'ABCD'.repeat(4)}`],
    ['an npm token', `npm${'_'}${'a1'.repeat(18)}`],
    ['a Slack token', `xoxb${'-'}${'1234567890'.repeat(3)}`],
    ['a JSON web token', ['eyJ', 'eyJ', ''].map((head) => head + 'a'.repeat(30)).join('.')],
    ['the path of a machine', `const root = "/${'work'}/main/src";`],
  ])('would be seen to hold %s', (what, text) => {
    expect(leaks(text)).toEqual([what]);
  });
});

describe('inputs', () => {
  it.each(actionDirectories())('%s masks what its name says is a secret', async (directory) => {
    const { INPUTS } = (await import(`../../src/${directory.replace(/^action-/, '')}/inputs.ts`)) as { INPUTS: InputSpec };
    const open = Object.entries(INPUTS)
      .filter(([name, reader]) => /token|password|secret/.test(name) && !/-file$/.test(name) && !reader.secret)
      .map(([name]) => name);
    expect(open).toEqual([]);
  });
});

describe('an action', () => {
  /** Unlike any word that could be there by chance; with characters that escaping would change. */
  const SECRET = 'S3cr3t%Sentinel:0f9e|8d7c';
  let scratch: string;
  beforeAll(() => {
    scratch = mkdtempSync(join(tmpdir(), 'paasta-leak-'));
    mkdirSync(join(scratch, 'bin'));
    // Programs that write down their arguments. What they get by standard input or environment is not seen by others.
    for (const program of ['git', 'docker', 'make', 'docker-credential-x']) {
      writeFileSync(
        join(scratch, 'bin', program),
        `#!/bin/sh\nfor word in "$@"; do printf '%s\\n' "$word" >> "${scratch}/argv"; done\nexit 1\n`,
      );
      chmodSync(join(scratch, 'bin', program), 0o755);
    }
  });
  afterAll(() => {
    rmSync(scratch, { recursive: true, force: true });
  });

  /** Where the secret came out. The runner swallows the lines that register a secret; no other line may hold it. */
  function channels(run: BundleRun): readonly string[] {
    const argv = existsSync(join(scratch, 'argv')) ? readFileSync(join(scratch, 'argv'), 'utf8') : '';
    const log = run.text
      .split('\n')
      .filter((line) => !line.startsWith('::add-mask::'))
      .join('\n');
    const forms = [
      SECRET,
      encodeURIComponent(SECRET),
      Buffer.from(SECRET).toString('base64').replace(/=+$/, '').slice(0, -2),
      SECRET.replaceAll('%', '%25'),
    ];
    return Object.entries({ log, summary: run.summary, outputs: JSON.stringify(run.outputs), argv })
      .filter(([, text]) => forms.some((form) => text.includes(form)))
      .map(([name]) => name);
  }

  async function start(entry: string, inputs: Readonly<Record<string, string>>): Promise<BundleRun> {
    rmSync(join(scratch, 'argv'), { force: true });
    return await runBundle('x', {
      entry,
      inputs,
      env: {
        PATH: `${join(scratch, 'bin')}:/usr/bin:/bin`,
        RUNNER_DEBUG: '1',
        GITHUB_REPOSITORY: 'acme/hello',
        GITHUB_SHA: 'a'.repeat(40),
        GITHUB_API_URL: 'http://127.0.0.1:9',
      },
    });
  }

  it.each(actionDirectories())('%s gives no secret away, with RUNNER_DEBUG on and everything failing', async (directory) => {
    const stage = directory.replace(/^action-/, '');
    const { INPUTS } = (await import(`../../src/${stage}/inputs.ts`)) as { INPUTS: InputSpec };
    const given: Record<string, string> = {
      service: 'hello',
      commit: 'a'.repeat(40),
      'deploy-group': 'prod.main',
      cluster: 'prod',
      registry: '127.0.0.1:9',
      timeout: '2s',
      'registry-username': 'x',
      'soa-dir': join(ROOT, 'examples/soa-configs'),
      'system-config-dir': join(ROOT, 'examples/system-config'),
    };
    const inputs = Object.fromEntries(
      Object.entries(INPUTS).flatMap(([name, reader]) =>
        reader.secret ? [[name, SECRET]] : given[name] === undefined ? [] : [[name, given[name]]],
      ),
    );
    if ('kubeconfig' in INPUTS) {
      inputs['kubeconfig'] = JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        'current-context': 'prod',
        clusters: [{ name: 'prod', cluster: { server: 'http://127.0.0.1:9' } }],
        users: [{ name: 'x', user: { token: SECRET } }],
        contexts: [{ name: 'prod', context: { cluster: 'prod', user: 'x' } }],
      });
      inputs['kube-context'] = 'prod';
    }
    const run = await start(join(ROOT, 'src', stage, 'index.ts'), inputs as Record<string, string>);
    // An action that only reads files may well succeed.
    expect([0, 1]).toContain(run.code);
    expect(run.text).not.toContain('INTERNAL_ERROR');
    expect(channels(run)).toEqual([]);
  });

  it.each([
    ['log', 'console.log(`connecting with ${secret}`);'],
    ['summary', 'fs.appendFileSync(process.env.GITHUB_STEP_SUMMARY, `| token | ${encodeURIComponent(secret)} |`);'],
    ['outputs', "fs.appendFileSync(process.env.GITHUB_OUTPUT, `auth=${Buffer.from(secret).toString('base64')}\\n`);"],
    ['argv', "child.spawnSync('docker', ['login', '--password', secret]);"],
  ])('that leaks to the %s would be seen', async (channel, line) => {
    const entry = join(scratch, 'leaky.mjs');
    writeFileSync(
      entry,
      `import fs from 'node:fs';\nimport child from 'node:child_process';\nconst secret = process.env['INPUT_REGISTRY-PASSWORD'];\nconsole.log('::add-mask::' + secret);\n${line}\n`,
    );
    expect(channels(await start(entry, { 'registry-password': SECRET }))).toEqual([channel]);
  });
});
