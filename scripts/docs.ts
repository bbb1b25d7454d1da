/**
 * `npm run docs`: writes the tables of inputs and outputs of every action-…/README.md from its action.yml, docs/schemas and
 * docs/instance-keys.md from the schemas, and the TypeScript types of what files hold. `--check` only compares.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { load } from 'js-yaml';
import { refreshSchemas } from './schema-docs.ts';
import { refreshTypes } from './schema-types.ts';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** What action.yml says. */
export interface ActionFile {
  readonly name: string;
  readonly description: string;
  readonly inputs?: Readonly<
    Record<
      string,
      { readonly description?: string; readonly required?: boolean; readonly default?: string; readonly deprecationMessage?: string } | null
    >
  >;
  readonly outputs?: Readonly<Record<string, { readonly description?: string } | null>>;
  readonly runs: { readonly using: string; readonly main?: string; readonly pre?: string; readonly post?: string };
}

/** Directories of actions, from the root. */
export function actionDirectories(root: string = ROOT): readonly string[] {
  return readdirSync(root)
    .filter((name) => name.startsWith('action-') && existsSync(join(root, name, 'action.yml')))
    .sort();
}

export function readAction(directory: string, root: string = ROOT): ActionFile {
  return load(readFileSync(join(root, directory, 'action.yml'), 'utf8')) as ActionFile;
}

/** The README with fresh tables. Throws when a description or a place for a table is missing. */
export function withTables(readme: string, action: ActionFile, where: string): string {
  const inputs = Object.entries(action.inputs ?? {}).map(([name, input]) => {
    const given = input?.default === undefined || input.default === '' ? '' : `\`${input.default}\``;
    return [`\`${name}\``, describe(input?.description, `${where}: input ${name}`), input?.required === true ? '**required**' : given];
  });
  const outputs = Object.entries(action.outputs ?? {}).map(([name, output]) => [
    `\`${name}\``,
    describe(output?.description, `${where}: output ${name}`),
  ]);
  return place(
    place(readme, 'inputs', table(['input', 'meaning', 'default'], inputs), where),
    'outputs',
    table(['output', 'meaning'], outputs),
    where,
  );
}

function describe(text: string | undefined, what: string): string {
  if (text === undefined || text.trim() === '') throw new Error(`${what} has no description`);
  return text
    .trim()
    .replace(/\s*\n\s*/g, ' ')
    .replaceAll('|', '\\|');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function place(readme: string, name: string, text: string, where: string): string {
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [from, to] = [readme.indexOf(open), readme.indexOf(close)];
  if (from === -1 || to < from) throw new Error(`${where}/README.md has no place for the table: ${open} … ${close}`);
  return `${readme.slice(0, from + open.length)}\n${text}\n${readme.slice(to)}`;
}

/** READMEs that are not fresh; they are written unless only checked. */
export function refresh(check: boolean, root: string = ROOT): readonly string[] {
  return actionDirectories(root).filter((directory) => {
    const file = join(root, directory, 'README.md');
    const old = readFileSync(file, 'utf8');
    const fresh = withTables(old, readAction(directory, root), directory);
    if (fresh !== old && !check) writeFileSync(file, fresh);
    return fresh !== old;
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const check = process.argv.includes('--check');
  const changed = refresh(check);
  const files = [...changed.map((directory) => `${directory}/README.md`), ...refreshSchemas(check), ...(await refreshTypes(check))];
  for (const file of files) process.stdout.write(`${file} ${check ? 'is not fresh: run npm run docs' : 'written'}\n`);
  process.exitCode = check && files.length > 0 ? 1 : 0;
}
