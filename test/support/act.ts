/**
 * Runs a consumer's workflow through nektos/act in host mode: `uses:` is resolved at a tag of our own bare repository over
 * HTTP, as a consumer gets it. What act refuses or does differently is in docs of `scripts/pinned-workflows.ts`.
 */
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { forAct, pinned, publicWorkflows } from '../../scripts/pinned-workflows.ts';
import type { GitHubDouble } from '../testbed/github/index.ts';
import { filesOf } from './world.ts';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Publishes this repository, as it is on disk, at `owner/name@tag` of the double, and a stand-in for actions/checkout. */
export async function publish(github: GitHubDouble, repository: string, tag: string): Promise<void> {
  const [owner, name] = repository.split('/') as [string, string];
  const files: Record<string, string> = { 'package.json': readFileSync(join(ROOT, 'package.json'), 'utf8') };
  for (const action of ['action-itest', 'action-push-to-registry', 'action-mark-for-deployment', 'action-deploy']) {
    files[`${action}/action.yml`] = readFileSync(join(ROOT, action, 'action.yml'), 'utf8');
  }
  for (const [path, text] of Object.entries(filesOf(join(ROOT, 'dist')))) files[`dist/${path}`] = text;
  for (const workflow of publicWorkflows())
    files[`.github/workflows/${workflow}`] = forAct(
      pinned(readFileSync(join(ROOT, '.github', 'workflows', workflow), 'utf8'), repository, tag),
    );
  const ours = await github.createRepository(owner, name, { files });
  await ours.setRef(`refs/tags/${tag}`, ours.firstCommit);
  const checkout = await github.createRepository('actions', 'checkout', {
    files: {
      'action.yml': `name: checkout
description: stands in for actions/checkout where another repository is asked for
inputs:
  repository: {description: owner/name, default: ''}
  ref: {description: ref, default: ''}
  token: {description: token, default: ''}
  path: {description: path, default: .}
  persist-credentials: {description: unused, default: 'false'}
runs:
  using: composite
  steps:
    - shell: bash
      env: {REPOSITORY: '\${{ inputs.repository }}', REF: '\${{ inputs.ref }}', TOKEN: '\${{ inputs.token }}', CHECKOUT_PATH: '\${{ inputs.path }}'}
      run: |
        git init --quiet "$CHECKOUT_PATH"
        cd "$CHECKOUT_PATH"
        header="authorization: basic $(printf 'x-access-token:%s' "$TOKEN" | base64 -w0)"
        git -c http.extraHeader="$header" fetch --quiet --depth=1 "$GITHUB_SERVER_URL/\${REPOSITORY:-$GITHUB_REPOSITORY}.git" "\${REF:-HEAD}"
        git checkout --quiet FETCH_HEAD
`,
    },
  });
  await checkout.setRef('refs/tags/v5', checkout.firstCommit);
}

/** What act said of one job or step. */
export interface ActRun {
  readonly code: number | null;
  /** Every line of output, act's own JSON resolved to its message. */
  readonly text: string;
  /** Job id → `success`, `failure`; jobs that did not run are missing. */
  readonly jobs: Readonly<Record<string, string>>;
}

export async function runAct(options: {
  readonly act: string;
  readonly github: GitHubDouble;
  readonly directory: string;
  /** `owner/name` of the consumer. */
  readonly repository: string;
  readonly workflow: string;
  readonly event: string;
  readonly payload: unknown;
  readonly token: string;
  readonly secrets: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
  /** Directories in front of /usr/bin on the PATH of every step. */
  readonly path: readonly string[];
  readonly actor?: string;
  /** The docker command; only the job `build` gets through to it, as hosted runners start empty. */
  readonly docker: string;
}): Promise<ActRun> {
  const state = mkdtempSync(join(tmpdir(), 'paasta-act-'));
  try {
    const bin = join(state, 'bin');
    mkdirSync(bin);
    writeFileSync(
      join(bin, 'docker'),
      `#!/bin/sh
if [ "$GITHUB_JOB" != build ]; then echo "docker: this job has no docker engine (GITHUB_JOB=$GITHUB_JOB)" >&2; exit 127; fi
exec '${options.docker}' "$@"
`,
    );
    chmodSync(join(bin, 'docker'), 0o755);
    writeFileSync(join(state, 'event.json'), JSON.stringify(options.payload));
    const secrets = join(state, 'secrets');
    writeFileSync(
      secrets,
      Object.entries({ GITHUB_TOKEN: options.token, ...options.secrets })
        .map(([k, v]) => `${k}=${JSON.stringify(v)}\n`)
        .join(''),
    );
    const argv = [
      options.event,
      '-W',
      options.workflow,
      '-e',
      join(state, 'event.json'),
      '-P',
      'ubuntu-latest=-self-hosted',
      '--no-cache-server',
      '--pull=false',
      '--rm',
      '--json',
      '--env',
      `GITHUB_REPOSITORY=${options.repository}`,
      '--env',
      `GITHUB_REPOSITORY_OWNER=${options.repository.split('/')[0] ?? ''}`,
      '--secret-file',
      secrets,
      '--actor',
      options.actor ?? 'ada',
      '--env',
      `GITHUB_API_URL=${options.github.apiUrl}`,
      '--env',
      `GITHUB_SERVER_URL=${options.github.url}`,
      ...Object.entries(options.env).flatMap(([k, v]) => ['--env', `${k}=${v}`]),
    ];
    return await new Promise<ActRun>((resolve, reject) => {
      const child = spawn(options.act, argv, {
        cwd: options.directory,
        env: {
          HOME: state,
          PATH: [bin, dirname(process.execPath), ...options.path, '/usr/local/bin', '/usr/bin', '/bin'].join(':'),
          ...options.env,
          GITHUB_SERVER_URL: options.github.url,
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let text = '';
      let rest = '';
      const jobs: Record<string, string> = {};
      const take = (line: string): void => {
        if (!line.startsWith('{')) {
          text += `${line}\n`;
          return;
        }
        const said = JSON.parse(line) as { msg?: string; jobID?: string; jobResult?: string };
        if (said.jobID !== undefined && said.jobResult !== undefined) jobs[said.jobID] = said.jobResult;
        text += `${said.jobID ?? ''}| ${said.msg ?? ''}${said.msg?.endsWith('\n') === true ? '' : '\n'}`;
      };
      const feed = (chunk: string): void => {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        lines.forEach(take);
      };
      child.stdout.setEncoding('utf8').on('data', feed);
      child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      const timer = setTimeout(() => child.kill('SIGKILL'), 840_000);
      child.on('error', reject).on('close', (code) => {
        clearTimeout(timer);
        if (rest !== '') take(rest);
        resolve({ code, text, jobs });
      });
    });
  } finally {
    rmSync(state, { recursive: true, force: true });
  }
}
