/** Who may import whom: walks every import of src/, static and dynamic, and asks the table of the house. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { forbidden, packageOf, ROOMS } from '../../scripts/import-rules.ts';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

interface Import {
  readonly file: string;
  readonly line: number;
  readonly specifier: string;
  readonly dynamic: boolean;
  readonly typeOnly: boolean;
}

function sources(root: string, under = 'src'): readonly string[] {
  return readdirSync(join(root, under), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.[cm]?[jt]s$/.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort();
}

const parsed = new Map<string, readonly Import[]>();

/** Imports of a file; those of src/ itself are parsed once. */
function importsOf(root: string, file: string): readonly Import[] {
  if (root !== ROOT) return parse(root, file);
  const known = parsed.get(file) ?? parse(root, file);
  parsed.set(file, known);
  return known;
}

function parse(root: string, file: string): readonly Import[] {
  const source = ts.createSourceFile(file, readFileSync(join(root, file), 'utf8'), ts.ScriptTarget.Latest, true);
  const found: Import[] = [];
  const add = (node: ts.Expression, dynamic: boolean, typeOnly: boolean): void => {
    const line = source.getLineAndCharacterOfPosition(node.getStart()).line + 1;
    found.push({ file, line, specifier: ts.isStringLiteralLike(node) ? node.text : `(computed: ${node.getText()})`, dynamic, typeOnly });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, false, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword);
    else if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined) add(node.moduleSpecifier, false, node.isTypeOnly);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal as ts.Expression, false, true);
    else if (
      ts.isCallExpression(node) &&
      node.arguments[0] !== undefined &&
      (node.expression.kind === ts.SyntaxKind.ImportKeyword || node.expression.getText() === 'require')
    )
      add(node.arguments[0], true, false);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** Every violation, as `file:line: why`. */
function violations(root: string): readonly string[] {
  return sources(root).flatMap((file) =>
    importsOf(root, file).flatMap(({ specifier, line, dynamic }) => {
      const at = `${file}:${String(line)}: `;
      if (specifier.startsWith('(computed')) return [`${at}what is imported must be written out: ${specifier}`];
      if (specifier.startsWith('.') && !specifier.endsWith('.ts') && !specifier.endsWith('.json'))
        return [`${at}'${specifier}' must end in .ts`];
      // In a split bundle a CommonJS package that is imported late has no named exports.
      if (dynamic && !specifier.startsWith('.') && !specifier.startsWith('node:'))
        return [`${at}import ${specifier} late through a module of ours that re-exports from it`];
      const bare = builtinModules.includes(specifier) ? `node:${specifier}` : specifier;
      const target = specifier.startsWith('.') ? relative(root, resolve(root, dirname(file), specifier)) : bare;
      const why = forbidden(file, target);
      return why === undefined ? [] : [`${at}${why}`];
    }),
  );
}

/** Files that load each other, directly or through others; each circle once, from its first file. */
function circles(imports: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const found = new Map<string, string>();
  const done = new Set<string>();
  const walk = (file: string, above: readonly string[]): void => {
    const start = above.indexOf(file);
    if (start !== -1) {
      const circle = above.slice(start);
      found.set([...circle].sort().join(' '), [...circle, file].join(' -> '));
    }
    if (start !== -1 || done.has(file)) return;
    for (const next of imports.get(file) ?? []) walk(next, [...above, file]);
    done.add(file);
  };
  for (const file of imports.keys()) walk(file, []);
  return [...found.values()];
}

describe('import rules', () => {
  it('hold in src/', () => {
    expect(violations(ROOT)).toEqual([]);
  });

  it('no file loads itself, on whatever way: neither early nor late', () => {
    const loaded = (file: string): readonly string[] =>
      importsOf(ROOT, file)
        .filter(({ specifier, typeOnly }) => specifier.startsWith('.') && !typeOnly)
        .map(({ specifier }) => relative(ROOT, resolve(ROOT, dirname(file), specifier)));
    expect(circles(new Map(sources(ROOT).map((file) => [file, loaded(file)])))).toEqual([]);
    expect(
      circles(
        new Map([
          ['a', ['b', 'd']],
          ['b', ['c']],
          ['c', ['b']],
          ['d', []],
        ]),
      ),
    ).toEqual(['b -> c -> b']);
  });

  it('see the whole of src/', () => {
    const rooms = new Set(sources(ROOT).map((file) => ROOMS.find(({ room }) => file.startsWith(`src/${room}/`))?.room));
    expect(sources(ROOT).length).toBeGreaterThan(100);
    expect(rooms.has(undefined)).toBe(false);
    expect(rooms.size).toBeGreaterThan(15);
  });

  it('let each package in through one door only', () => {
    const doors = new Map<string, Set<string>>();
    for (const file of sources(ROOT)) {
      for (const { specifier } of importsOf(ROOT, file)) {
        if (specifier.startsWith('.') || specifier.startsWith('node:')) continue;
        const room = /^src\/(shared\/[^/]+|[^/]+)/.exec(file)?.[1] ?? file;
        const name = packageOf(specifier);
        doors.set(name, (doors.get(name) ?? new Set()).add(room));
      }
    }
    const several = [...doors].filter(([, rooms]) => rooms.size > 1).map(([name, rooms]) => `${name}: ${[...rooms].join(', ')}`);
    expect(several).toEqual([]);
    expect(doors.get('@actions/core')).toEqual(new Set(['shared/runtime']));
    expect(doors.get('js-yaml')).toEqual(new Set(['shared/soa-configs']));
  });

  it('let the heavy Kubernetes client in late', () => {
    const early = sources(ROOT)
      .filter((file) => file.startsWith('src/'))
      .flatMap((file) => importsOf(ROOT, file))
      .filter(({ specifier, dynamic, typeOnly }) => specifier.includes('/kubernetes/') && !dynamic && !typeOnly);
    expect(early.map(({ file, line }) => `${file}:${String(line)}`)).toEqual([]);
  });

  it('only name packages that package.json installs for users', () => {
    const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
      devDependencies: Record<string, string>;
    };
    const installed = new Set([...Object.keys(manifest.dependencies), ...Object.keys(manifest.devDependencies)]);
    const used = new Set(
      sources(ROOT)
        .flatMap((file) => importsOf(ROOT, file))
        .filter(({ specifier, typeOnly }) => !typeOnly && !/^(?:\.|node:)/.test(specifier))
        .map(({ specifier }) => packageOf(specifier)),
    );
    expect([...used].filter((name) => !installed.has(name))).toEqual([]);
    const unused = Object.keys(manifest.dependencies).filter((name) => !used.has(name));
    expect(unused).toEqual([]);
  });
});

describe('a planted violation is reported', () => {
  // One line for each rule. Were a rule to be lost, its line would pass unseen.
  const PLANTED: readonly (readonly [file: string, text: string, why: string])[] = [
    ['src/shared/contract/a.ts', "import { readFileSync } from 'node:fs';", 'leaf room shared/contract may not use node:fs'],
    [
      'src/shared/contract/b.ts',
      "import type { Value } from '../plan/types.ts';",
      'leaf room shared/contract may not import pure room shared/plan',
    ],
    [
      'src/shared/plan/a.ts',
      "import { run } from '../process/index.ts';",
      'pure room shared/plan may not import adapter room shared/process',
    ],
    ['src/shared/plan/b.ts', "import { x } from '../report/a.ts';", 'pure room shared/plan may not import pure room shared/report'],
    ['src/shared/plan/c.ts', "import { readFileSync } from 'fs';", 'pure room shared/plan may not use node:fs'],
    ['src/shared/plan/d.ts', "import { load } from 'js-yaml';", 'js-yaml enters only through src/shared/soa-configs'],
    [
      'src/shared/converge/a.ts',
      "import { connect } from '../kubernetes/index.ts';",
      'over interfaces room shared/converge may not import adapter room shared/kubernetes',
    ],
    [
      'src/shared/git/a.ts',
      "import { openTree } from '../files/tree.ts';",
      'adapter room shared/git may not import adapter room shared/files',
    ],
    ['src/shared/registry/a.ts', "import * as core from '@actions/core';", '@actions/core enters only through src/shared/runtime'],
    ['src/shared/docker/a.ts', "import x from 'left-pad';", 'left-pad has no door in the house'],
    ['src/shared/network/a.ts', "const x = await import('undici');", 'import undici late through a module of ours that re-exports from it'],
    ['src/itest/a.ts', "export * from '../deploy/main.ts';", 'stage room itest may not import stage room deploy'],
    [
      'src/itest/b.ts',
      "const k = await import('../shared/kubernetes/index.ts');",
      'stage room itest may not import adapter room shared/kubernetes',
    ],
    [
      'src/itest/index.ts',
      "import { plan } from '../shared/plan/plan.ts';",
      'src/itest/index.ts wires and calls: it may not import pure room shared/plan',
    ],
    ['src/itest/c.ts', "import './index.ts';", 'src/itest/index.ts starts the action when it is imported'],
    ['src/cli/a.ts', "import { INPUTS } from '../deploy/inputs.ts';", 'the command may import only main.ts and wire.ts of a stage'],
    ['src/cli/b.ts', 'const name = "x"; const x = await import(name);', 'what is imported must be written out: (computed: name)'],
    [
      'src/shared/stray/a.ts',
      "import { x } from './b.ts';",
      'src/shared/stray/a.ts is in no room of the house: add it to scripts/import-rules.ts',
    ],
    ['src/shared/health/a.ts', "import { x } from './b';", "'./b' must end in .ts"],
    ['src/deploy/a.ts', "import x from '../../test/support/load.ts';", 'src may not import test/support/load.ts'],
  ];

  it.each(PLANTED)('%s: %s', (file, text, why) => {
    const root = mkdtempSync(join(tmpdir(), 'paasta-imports-'));
    try {
      mkdirSync(dirname(join(root, file)), { recursive: true });
      writeFileSync(join(root, file), `\n${text}\n`);
      expect(violations(root)).toEqual([`${file}:2: ${why}`]);
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  });
});
