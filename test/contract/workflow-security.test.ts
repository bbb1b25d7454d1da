/** Rules that every workflow of ours keeps, so that a release of somebody else's action or the title of a pull request runs nothing here. CI runs zizmor, too. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { load } from 'js-yaml';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const DIRECTORY = join(ROOT, '.github', 'workflows');

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}
interface Job {
  readonly uses?: string;
  readonly permissions?: unknown;
  readonly 'timeout-minutes'?: number;
  readonly steps?: readonly Step[];
}
interface Workflow {
  readonly permissions?: unknown;
  readonly jobs?: Readonly<Record<string, Job>>;
}

/** What a workflow does that it must not, as sentences. */
function weaknesses(where: string, text: string): readonly string[] {
  const found: string[] = [];
  const { permissions, jobs = {} } = load(text) as Workflow;
  if (JSON.stringify(permissions) !== '{}') found.push(`${where}: permissions on top are not {}`);
  for (const line of text.split('\n')) {
    const [, uses = '', comment = ''] = /^\s*(?:- )?uses: (\S+)(.*)$/.exec(line) ?? [];
    if (uses !== '' && !/^(?:\$|\.)\//.test(uses) && !(/@[0-9a-f]{40}$/.test(uses) && /^ # v\d+(?:\.\d+)*$/.test(comment)))
      found.push(`${where}: ${uses} is not pinned by its full commit id with its version beside it`);
    if (/^\s+[a-z-]+: (?:read|write)\b/.test(line) && !line.includes(' # '))
      found.push(`${where}: a right without a reason: ${line.trim()}`);
  }
  for (const [id, job] of Object.entries(jobs)) {
    const at = `${where}: job ${id}`;
    if (typeof job.permissions !== 'object' || job.permissions === null) found.push(`${at}: does not say its permissions`);
    if (job.uses === undefined && job['timeout-minutes'] === undefined) found.push(`${at}: has no timeout-minutes`);
    for (const step of job.steps ?? []) {
      if (step.run?.includes('${{') === true) found.push(`${at}: a value reaches run: without env:`);
      if (step.uses?.startsWith('actions/checkout@') === true && step.with?.['persist-credentials'] !== false)
        found.push(`${at}: a checkout keeps its credentials`);
    }
  }
  return found;
}

it.each(readdirSync(DIRECTORY))('%s is harmless', (name) => {
  expect(weaknesses(name, readFileSync(join(DIRECTORY, name), 'utf8'))).toEqual([]);
});

it('a planted weakness is reported', () => {
  const planted = `
permissions: {contents: write}
jobs:
  a:
    steps:
      - uses: actions/checkout@v5
      - uses: docker/login-action@0123456789012345678901234567890123456789
      - run: echo \${{ github.event.pull_request.title }}
  b:
    timeout-minutes: 5
    permissions:
      contents: write
    steps: []
`;
  expect(weaknesses('w.yml', planted)).toEqual([
    'w.yml: permissions on top are not {}',
    'w.yml: actions/checkout@v5 is not pinned by its full commit id with its version beside it',
    'w.yml: docker/login-action@0123456789012345678901234567890123456789 is not pinned by its full commit id with its version beside it',
    'w.yml: a right without a reason: contents: write',
    'w.yml: job a: does not say its permissions',
    'w.yml: job a: has no timeout-minutes',
    'w.yml: job a: a checkout keeps its credentials',
    'w.yml: job a: a value reaches run: without env:',
  ]);
});
