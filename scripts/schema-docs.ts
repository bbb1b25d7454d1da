/** Copies of the schemas for editors (`docs/schemas/`), and the table of keys that is made of them (`docs/instance-keys.md`). */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { effectWords } from './key-effects.ts';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
/** The one source of validation, types in the docs and completion. */
const SOURCE = 'src/shared/soa-configs/schemas';
const COPIES = 'docs/schemas';
const KEYS = 'docs/instance-keys.md';

export interface Schema {
  readonly $ref?: string;
  readonly title?: string;
  readonly type?: string | readonly string[];
  readonly description?: string | undefined;
  /** What does the job of a key that has no effect here. Editors show it. */
  readonly deprecationMessage?: string;
  readonly enum?: readonly unknown[];
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly definitions?: Readonly<Record<string, Schema>>;
}

const WORDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'number',
  integer: 'whole number',
  boolean: 'true or false',
  array: 'list',
  object: 'mapping',
  null: 'null',
};
/** Files in the order of the page, with the name that a user knows. */
const PAGES: readonly (readonly [file: string, title: string, definition?: string])[] = [
  ['kubernetes', 'kubernetes-<cluster>.yaml, one mapping for each instance'],
  ['eks', 'eks-<cluster>.yaml'],
  ['adhoc', 'adhoc-<cluster>.yaml'],
  ['tron', 'tron-<cluster>.yaml, one mapping for each job'],
  ['tron', 'tron-<cluster>.yaml, one mapping for each action of a job', 'action'],
  ['service', 'service.yaml'],
  ['deploy', 'deploy.yaml'],
  ['deploy', 'deploy.yaml, one mapping for each step of the pipeline', 'step'],
  ['smartstack', 'smartstack.yaml, one mapping for each namespace'],
  ['monitoring', 'monitoring.yaml'],
  ['rollback', 'rollback.yaml'],
];

/** A schema by its name. */
export function readSchema(name: string): Schema {
  return JSON.parse(readFileSync(join(ROOT, SOURCE, `${name}.json`), 'utf8')) as Schema;
}

/** The shape that a reference names, with the description that stands beside it. */
export function resolved(schema: Schema, file: Schema): Schema {
  const { $ref: target } = schema;
  if (target === undefined) return schema;
  const [name = '', path = ''] = target.split('#/definitions/');
  const found = (name === '' ? file : readSchema(name.replace(/\.json$/, ''))).definitions?.[path];
  return found === undefined
    ? schema
    : {
        ...resolved(found, name === '' ? file : readSchema(name.replace(/\.json$/, ''))),
        ...(schema.description === undefined ? {} : { description: schema.description }),
      };
}

function kind(schema: Schema, file: Schema): string {
  const whole = resolved(schema, file);
  if (whole.enum !== undefined) return whole.enum.map((value) => `\`${String(value)}\``).join(', ');
  if (whole.oneOf !== undefined) return [...new Set(whole.oneOf.map((one) => kind(one, file)))].join(' or ');
  const types = [whole.type ?? '']
    .flat()
    .map((type: string) => WORDS[type] ?? 'any value')
    .join(' or ');
  const bounds = [
    ...(whole.minimum === undefined ? [] : [`≥ ${String(whole.minimum)}`]),
    ...(whole.exclusiveMinimum === undefined ? [] : [`> ${String(whole.exclusiveMinimum)}`]),
    ...(whole.maximum === undefined ? [] : [`≤ ${String(whole.maximum)}`]),
  ];
  return bounds.length === 0 ? types : `${types} ${bounds.join(', ')}`;
}

/** The mapping whose keys people write: the file itself, or each entry of it. */
export function entryOf(file: Schema): Schema {
  if (file.properties !== undefined) return file;
  const patterns = Object.entries(file.patternProperties ?? {}).filter(([pattern]) => pattern !== '^_');
  const entry = patterns[0]?.[1] ?? (typeof file.additionalProperties === 'object' ? file.additionalProperties : {});
  return resolved(entry, file);
}

/** Sections with a table of keys for every kind of file. */
export function keysPage(): string {
  const sections = PAGES.flatMap(([name, title, definition]) => {
    const file = readSchema(name);
    const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
    // Of instances and jobs it is known what a key changes; the golden rows say it.
    const effects = name === 'tron' ? (definition ?? 'job') : ['kubernetes', 'eks', 'adhoc'].includes(name) ? name : undefined;
    const effect = (key: string): string => (effects === undefined ? '' : ` ${cell(effectWords(effects, key))} |`);
    const rows = Object.entries((definition === undefined ? entryOf(file) : file.definitions?.[definition])?.properties ?? {}).map(
      ([key, schema]) =>
        `| \`${key}\` | ${cell(kind(schema, file))} | ${cell([resolved(schema, file).description, schema.deprecationMessage].filter((text) => text !== undefined).join(' '))} |${effect(key)}`,
    );
    return [
      `## ${title.replaceAll('<', '&lt;')}`,
      '',
      `| key | value | meaning |${effects === undefined ? '' : ' changes |'}`,
      `| --- | --- | --- |${effects === undefined ? '' : ' --- |'}`,
      ...rows,
      '',
    ];
  });
  return [
    '# Keys of soa-configs',
    '',
    '<!-- Made by npm run docs from src/shared/soa-configs/schemas. -->',
    '',
    'What each file may hold. Every key of service.yaml is also a default for every instance. "No effect" keys are accepted with a warning.',
    'The last column of instances and jobs says which fields of which objects a key changes (container or pod where nothing else is said); jobs: of their CronJobs; what those cannot do is refused, or changes nothing and is a warning.',
    '',
    ...sections,
  ].join('\n');
}

/** Files that are not fresh; they are written unless only checked. */
export function refreshSchemas(check: boolean): readonly string[] {
  const wanted = [
    ...readdirSync(join(ROOT, SOURCE))
      .sort()
      .map((name): readonly [string, string] => [`${COPIES}/${name}`, readFileSync(join(ROOT, SOURCE, name), 'utf8')]),
    [KEYS, keysPage()] as const,
  ];
  return wanted.flatMap(([file, text]) => {
    const path = join(ROOT, file);
    if (existsSync(path) && readFileSync(path, 'utf8') === text) return [];
    if (!check) writeFileSync(path, text);
    return [file];
  });
}
