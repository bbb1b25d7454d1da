/** The schemas of docs/schemas in an editor: yaml-language-server completes keys, explains them and underlines mistakes by the modeline of a file. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { openEditor, type Editor } from '../support/language-server.ts';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const EXAMPLES = join(ROOT, 'examples', 'soa-configs', 'hello');
let editor: Editor;
beforeAll(async () => {
  editor = await openEditor();
});
afterAll(async () => {
  await editor.close();
});

const modeline = (schema: string): string =>
  `# yaml-language-server: $schema=${pathToFileURL(join(ROOT, 'docs', 'schemas', `${schema}.json`)).href}\n`;
const complete = (schema: string, text: string): Promise<readonly string[]> =>
  editor.complete(`file:///soa/web/${schema}.yaml`, `${modeline(schema)}${text}`);

it.each<[string, string, string, readonly string[]]>([
  [
    'keys of an instance',
    'kubernetes',
    'main:\n  deploy_group: g\n  |\n',
    ['cpus', 'mem', 'env', 'bounce_method', 'healthcheck_mode', 'registrations', 'secret_volumes'],
  ],
  ['keys that begin with what is there', 'kubernetes', 'main:\n  bounce_m|\n', ['bounce_method', 'bounce_margin_factor']],
  ['the legal values', 'kubernetes', 'main:\n  bounce_method: |\n', ['crossover', 'brutal', 'downthenup', 'upthendown']],
  ['keys inside a key', 'kubernetes', 'main:\n  lifecycle:\n    |\n', ['pre_stop_command', 'termination_grace_period_seconds']],
  ['keys that a shared shape has', 'kubernetes', 'main:\n  secret_volumes:\n    - |\n', ['container_path', 'secret_name']],
  ['keys of eks files', 'eks', 'main:\n  |\n', ['cpus', 'deploy_group']],
  ['keys of a step', 'deploy', 'pipeline:\n  - |\n', ['step', 'parallel', 'trigger_next_step_manually']],
  ['keys of a namespace', 'smartstack', 'main:\n  |\n', ['proxy_port', 'timeout_server_ms']],
  ['keys of monitoring.yaml', 'monitoring', '|\n', ['team', 'page', 'runbook']],
  ['keys of a job', 'tron', 'job:\n  |\n', ['schedule', 'actions']],
  ['keys of service.yaml', 'service', '|\n', ['description', 'git_url']],
])('offers %s', async (_name, schema, text, labels) => {
  expect(await complete(schema, text)).toEqual(expect.arrayContaining([...labels]));
});

it('explains a key', async () => {
  expect(
    await editor.hover('file:///soa/web/kubernetes-prod.yaml', `${modeline('kubernetes')}main:\n  bounce_mar|gin_factor: 0.5\n`),
  ).toContain('healthy during a bounce');
});

it('underlines what validate tells', async () => {
  const found = await editor.diagnose(
    'file:///soa/web/kubernetes-prod.yaml',
    `${modeline('kubernetes')}main:\n  cpuss: 1\n  mem: -1\n  instances: three\n`,
  );
  expect([...found].sort()).toEqual([
    expect.stringMatching(/^3:3 .*cpuss/),
    expect.stringMatching(/^4:8 .*32/),
    expect.stringMatching(/^5:14 .*integer/),
  ]);
});

it('strikes through what has no effect here', async () => {
  expect(
    await editor.diagnose(
      'file:///soa/web/deploy.yaml',
      `${modeline('deploy')}pipeline:\n  - step: g\n    wait_for_deployment: true\n    auto_rollback: true\n`,
    ),
  ).toEqual([expect.stringMatching(/^5:5 No effect here: nothing rolls back by itself/)]);
});

it.each(readdirSync(EXAMPLES).filter((name) => name.endsWith('.yaml')))('finds nothing wrong with the example %s', async (name) => {
  const schema = name.replace(/(?:-.*)?\.yaml$/, '');
  expect(await editor.diagnose(`file:///soa/hello/${name}`, `${modeline(schema)}${readFileSync(join(EXAMPLES, name), 'utf8')}`)).toEqual(
    [],
  );
});
