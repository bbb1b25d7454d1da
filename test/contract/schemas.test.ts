/** The schemas are the one source: copies for editors and the table of keys are made of them, and the code reads no key that they lack. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { keysPage, refreshSchemas } from '../../scripts/schema-docs.ts';
import { refreshTypes } from '../../scripts/schema-types.ts';
import { NO_EFFECT } from '../../src/shared/soa-configs/without-effect.ts';
import { STEP_KEYS } from '../../src/shared/soa-configs/pipeline.ts';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const SCHEMAS = join(ROOT, 'src', 'shared', 'soa-configs', 'schemas');
interface Deploy {
  readonly definitions: { readonly step: { readonly properties: Readonly<Record<string, unknown>> } };
}

it('docs/schemas and docs/instance-keys.md are fresh (npm run docs)', () => {
  expect(refreshSchemas(true)).toEqual([]);
});

it('the types that the code uses are those of the schemas (npm run docs)', async () => {
  expect(await refreshTypes(true)).toEqual([]);
});

it('every schema for a file is named in the page about editors, and refers only to files beside it', () => {
  const page = readFileSync(join(ROOT, 'docs', 'schemas', 'README.md'), 'utf8');
  for (const name of readdirSync(SCHEMAS)) {
    if (name !== 'common.json') expect(page).toContain(`[${name}](${name})`);
    for (const [, target = ''] of readFileSync(join(SCHEMAS, name), 'utf8').matchAll(/"\$ref": "([^"#]*)#/g))
      if (target !== '') expect(existsSync(join(ROOT, 'docs', 'schemas', target))).toBe(true);
  }
});

it('the schema of deploy.yaml has the keys of a step that the pipeline knows', () => {
  const { definitions } = JSON.parse(readFileSync(join(SCHEMAS, 'deploy.json'), 'utf8')) as Deploy;
  expect(Object.keys(definitions.step.properties).sort()).toEqual([...STEP_KEYS].sort());
});

it('a key without effect says what does its job, in the schema and so in the table and in editors', () => {
  const told = readdirSync(SCHEMAS).flatMap((name) =>
    [...readFileSync(join(SCHEMAS, name), 'utf8').matchAll(/"deprecationMessage": "([^"]*)"/g)].map(([, text = '']) => text),
  );
  expect(told.length).toBeGreaterThan(50);
  expect(told.filter((text) => !text.startsWith(NO_EFFECT) || !text.endsWith('.'))).toEqual([]);
  expect(keysPage()).toContain(
    '| `auto_rollback` | true or false | Mark the old version again when the deployment fails. No effect here: nothing rolls back by itself: mark the old commit again. |',
  );
});

it('the table of keys has a section for every kind of file, and rows in each', () => {
  const sections = keysPage().split('\n## ').slice(1);
  expect(sections).toHaveLength(11);
  for (const section of sections) expect(section.match(/^\| `/gm)?.length ?? 0).toBeGreaterThan(3);
});
