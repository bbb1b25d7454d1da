/** paasta-pipeline.yml and events that others can cause: itest only, and no credential within reach. The script of its first step is run as it stands. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { load } from 'js-yaml';

interface Step {
  readonly id?: string;
  readonly name: string;
  readonly if?: string;
  readonly run?: string;
  readonly uses?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly with?: Readonly<Record<string, unknown>>;
}
interface Job {
  readonly if?: string;
  readonly needs?: unknown;
  readonly permissions: Readonly<Record<string, string>>;
  readonly steps: readonly Step[];
}

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const { jobs } = load(readFileSync(join(ROOT, '.github', 'workflows', 'paasta-pipeline.yml'), 'utf8')) as {
  readonly jobs: Readonly<Record<'build' | 'mark' | 'deploy', Job>>;
};
const trust = jobs.build.steps[0];

function decide(event: string, actor: string): { readonly code: number | null; readonly text: string; readonly outputs: string } {
  const directory = mkdtempSync(join(tmpdir(), 'paasta-trust-'));
  const output = join(directory, 'output');
  writeFileSync(output, '');
  // as the runner runs a `run:` without `shell:`
  const { status: code, stdout: text } = spawnSync('bash', ['-e', '-c', trust?.run ?? 'exit 99'], {
    env: { PATH: '/usr/bin:/bin', EVENT: event, ACTOR: actor, GITHUB_OUTPUT: output },
    encoding: 'utf8',
  });
  const outputs = readFileSync(output, 'utf8');
  rmSync(directory, { recursive: true });
  return { code, text, outputs };
}

describe('what an event may do', () => {
  it('is decided first, from the event and who caused it', () => {
    expect(trust).toMatchObject({ id: 'trust', env: { EVENT: '${{ github.event_name }}', ACTOR: '${{ github.actor }}' } });
  });

  it.each(['push', 'workflow_dispatch', 'schedule', 'repository_dispatch', 'release'])('%s: everything', (event) => {
    expect(decide(event, 'ada')).toEqual({ code: 0, text: '', outputs: 'release=true\n' });
  });

  it.each([
    ['pull_request', 'ada'],
    ['pull_request_review', 'ada'],
    ['pull_request_review_comment', 'ada'],
    ['merge_group', 'ada'],
    ['push', 'dependabot[bot]'],
    ['pull_request', 'dependabot[bot]'],
    ['workflow_dispatch', 'dependabot[bot]'],
  ])('%s by %s: itest only, and it says so', (event, actor) => {
    expect(decide(event, actor)).toEqual({
      code: 0,
      text: `::notice title=paasta-pipeline::${event} by ${actor}: itest only. Nothing is pushed, marked or deployed.\n`,
      outputs: 'release=false\n',
    });
  });

  it('pull_request_target: refused', () => {
    const { code, text, outputs } = decide('pull_request_target', 'mallory');
    expect(text).toMatch(
      /^::error title=paasta-pipeline::pull_request_target runs foreign code with this repository's credentials\. Call this workflow on pull_request instead\.$/m,
    );
    expect({ code, outputs }).toEqual({ code: 1, outputs: '' });
  });
});

describe('without trust', () => {
  it('no step of the build sees a secret or a token of the job', () => {
    const reachable = jobs.build.steps.filter((step) => step.if !== "steps.trust.outputs.release == 'true'");
    expect(reachable.map(({ name }) => name)).toEqual(['Decide what this event may do', 'Check out the service', 'itest']);
    expect(JSON.stringify(reachable)).not.toMatch(/secrets\.|github\.token|GITHUB_TOKEN/);
    expect(reachable.find(({ uses }) => uses?.startsWith('actions/checkout@') === true)?.with).toEqual({ 'persist-credentials': false });
  });

  it.each(['mark', 'deploy'] as const)('%s does not begin', (job) => {
    expect(jobs[job].if).toBe("needs.build.outputs.release == 'true'");
    expect([jobs[job].needs].flat()).toContain('build');
  });
});
