/**
 * `npm run build`: one bundle for each action and one for the command, in `dist/`, and one file of what most of them share. `npm run build -- --check` builds into a
 * temporary directory and compares. esbuild shakes the tree, ncc emits; licences come from esbuild's metafile, the source
 * positions of our own code from both maps.
 */
import { createRequire } from 'node:module';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import remapping from '@jridgewell/remapping';
import { build, transform, type Metafile, type Plugin } from 'esbuild';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
/** Bundles, by directory of `dist/` and of `src/`. */
export const BUNDLES = [
  'itest',
  'push-to-registry',
  'mark-for-deployment',
  'deploy',
  'generate-deployments',
  'control',
  'pipeline',
  'validate',
  'cli',
] as const;
/** Packages that most bundles need late: one file for all of them, instead of 0.7 MB in each. By directory of `dist/`, with what it is made of. */
export const PARTS = { undici: 'src/shared/network/undici.ts' } as const;
type Output = (typeof BUNDLES)[number] | keyof typeof PARTS;
export const OUTPUTS: readonly Output[] = ['undici', ...BUNDLES];
/** Bytes of code that `dist/` may hold. */
const CODE_LIMIT = 10 * 1024 * 1024;
/** Fixed, so that nothing in the output depends on where it was built. */
const SCRATCH = join(ROOT, '.tmp', 'build');

interface Emitted {
  readonly code: string;
  readonly map?: string;
  readonly assets: Readonly<Record<string, { readonly source: string | Buffer }>>;
}
type Emit = (entry: string, options: Readonly<Record<string, unknown>>) => Promise<Emitted>;

interface BuiltFile {
  readonly name: string;
  readonly text: string;
}

/**
 * `@actions/core` offers much that we do not use (OIDC tokens over its own HTTP client, platform facts); its modules have no
 * effects, but do not say so. Without this, undici is loaded at every start: 80 ms.
 */
const withoutEffects: Plugin = {
  name: 'without-effects',
  setup: (setup) => {
    setup.onResolve({ filter: /./, namespace: 'file' }, async (args) => {
      if (args.pluginData === 'resolved' || args.kind === 'entry-point') return undefined;
      const found = await setup.resolve(args.path, {
        kind: args.kind,
        importer: args.importer,
        namespace: args.namespace,
        resolveDir: args.resolveDir,
        pluginData: 'resolved',
      });
      if (found.errors.length > 0 || !/node_modules\/@actions\/(?:core|http-client|exec|io|github)\//.test(found.path)) return undefined;
      return { path: found.path, sideEffects: false };
    });
  },
};

/** What stands in a file of its own is taken from there, by a path that holds between the directories of `dist/`. */
const withoutParts: Plugin = {
  name: 'without-parts',
  setup: (setup) => {
    for (const [name, source] of Object.entries(PARTS)) {
      // A package may need the same package: the Kubernetes client does. It must not load it earlier than itself.
      setup.onResolve({ filter: new RegExp(`^${name}$`) }, () => ({ path: name, namespace: 'part' }));
      setup.onResolve({ filter: new RegExp(`/${basename(source).replace('.', '\\.')}$`) }, (args) =>
        join(args.resolveDir, args.path) === join(ROOT, source) ? { path: partPath(name), external: true } : undefined,
      );
    }
    setup.onLoad({ filter: /./, namespace: 'part' }, ({ path }) => ({
      contents: `export const { ${exportsOf(path as keyof typeof PARTS).join(', ')} } = await import(/* webpackIgnore: true */ ${JSON.stringify(partPath(path))});`,
    }));
    setup.onResolve({ filter: /./, namespace: 'part' }, ({ path }) => ({ path, external: true }));
  },
};

/** What the file of a part exports: `export { a, type B } from 'package';`. */
function exportsOf(name: keyof typeof PARTS): readonly string[] {
  const list = /export \{([^}]*)\}/.exec(readFileSync(join(ROOT, PARTS[name]), 'utf8'))?.[1] ?? '';
  return list
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '' && !one.startsWith('type '));
}

function partPath(name: string): string {
  return `../${name}/index.js`;
}

async function bundle(name: Output): Promise<readonly BuiltFile[]> {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  const scratch = join(SCRATCH, name);
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(scratch, { recursive: true });
  const shaken = await build({
    absWorkingDir: ROOT,
    entryPoints: [{ in: name in PARTS ? PARTS[name as keyof typeof PARTS] : join('src', name, 'index.ts'), out: 'index' }],
    outdir: scratch,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    // What is imported late becomes a file of its own, which a start does not have to parse: 100 ms for the Kubernetes client,
    // 40 ms for undici. The command stays one file.
    splitting: name !== 'cli',
    platform: 'node',
    target: 'node24',
    format: 'esm',
    treeShaking: true,
    legalComments: 'none',
    sourcemap: 'external',
    sourcesContent: false,
    metafile: true,
    write: true,
    logLevel: 'error',
    plugins: name === 'cli' || name in PARTS ? [withoutEffects] : [withoutParts, withoutEffects],
    define: { PAASTA_VERSION: JSON.stringify(manifest.version) },
    banner: { js: "import { createRequire as __createRequire } from 'node:module';\nconst require = __createRequire(import.meta.url);" },
  });
  writeFileSync(join(scratch, 'package.json'), '{"type":"module"}\n');
  const emit = createRequire(import.meta.url)('@vercel/ncc') as Emit;
  const emitted = await emit(join(scratch, 'index.mjs'), {
    minify: true,
    cache: false,
    quiet: true,
    sourceMap: true,
    sourceMapRegister: false,
    target: 'es2024',
    externals: Object.keys(PARTS).map(partPath),
  });
  const late = await Promise.all(
    Object.entries(emitted.assets)
      .filter(([asset]) => asset.endsWith('.index.mjs'))
      .map(async ([asset, { source }]) => lateFile(asset, String(source), String(emitted.assets[`${asset}.map`]?.source ?? ''), scratch)),
  );
  const known = new Set(['index.mjs.map', 'package.json', ...late.flat().flatMap(({ name: file }) => [file, `${file}.map`])]);
  const strange = Object.keys(emitted.assets).filter((asset) => !known.has(asset));
  if (strange.length > 0) throw new Error(`${name}: ncc made files that this script does not know: ${strange.join(', ')}`);
  return [
    { name: 'index.js', text: withoutMapComment(emitted.code) },
    { name: 'index.js.map', text: ownPositions([emitted.map ?? ''], scratch) },
    ...late.flat(),
    { name: 'licenses.txt', text: licences(shaken.metafile) },
    { name: 'package.json', text: '{"type":"module"}\n' },
  ];
}

/** ncc minifies only the main file. */
async function lateFile(name: string, code: string, map: string, scratch: string): Promise<readonly BuiltFile[]> {
  const small = await transform(code, {
    minify: true,
    keepNames: false,
    format: 'esm',
    target: 'node24',
    legalComments: 'none',
    sourcemap: 'external',
    sourcefile: name,
    sourcesContent: false,
  });
  return [
    { name, text: withoutMapComment(small.code) },
    { name: `${name}.map`, text: ownPositions([small.map, map], scratch) },
  ];
}

function withoutMapComment(code: string): string {
  return code.replace(/\n?\/\/# sourceMappingURL=[^\n]*\s*$/, '').replace(/\n*$/, '\n');
}

/** From positions of the emitted file to those of our sources; positions in packages are dropped. */
function ownPositions(chain: readonly string[], scratch: string): string {
  const place = relative(ROOT, scratch);
  const merged = remapping(
    [...chain],
    (file) => {
      const from = file.lastIndexOf(`${place}/`);
      const map = join(scratch, `${file.slice(from + place.length + 1)}.map`);
      return from !== -1 && existsSync(map) ? readFileSync(map, 'utf8') : null;
    },
    { decodedMappings: true, excludeContent: true },
  );
  const ours = merged.sources.map((source) =>
    source?.includes('node_modules') === true ? undefined : /(?:^|\.\.\/)(src\/.*\.ts)$/.exec(source ?? '')?.[1],
  );
  const kept: string[] = [];
  const numbers = ours.map((one) => (one === undefined ? -1 : kept.push(one) - 1));
  const lines = (merged.mappings as unknown as readonly (readonly number[])[][]).map((segments) => {
    const out: number[][] = [];
    for (const [column = 0, source = -1, line = 0, from = 0] of segments) {
      const number = source === -1 ? -1 : (numbers[source] ?? -1);
      if (number !== -1) out.push([column, number, line, from]);
      // One empty segment ends a stretch of ours.
      else if (out.at(-1)?.length === 4) out.push([column]);
    }
    return out;
  });
  return `${JSON.stringify({ version: 3, sources: kept, names: [], mappings: encode(lines) })}\n`;
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

function encode(lines: readonly (readonly number[])[][]): string {
  const last = [0, 0, 0, 0];
  return lines
    .map((segments) => {
      last[0] = 0;
      return segments
        .map((segment) =>
          segment
            .map((value, field) => {
              const difference = value - (last[field] ?? 0);
              last[field] = value;
              return vlq(difference);
            })
            .join(''),
        )
        .join(',');
    })
    .join(';');
}

function vlq(value: number): string {
  let rest = value < 0 ? (-value << 1) | 1 : value << 1;
  let text = '';
  do {
    const digit = rest & 31;
    rest >>>= 5;
    text += DIGITS[rest > 0 ? digit | 32 : digit] ?? '';
  } while (rest > 0);
  return text;
}

/** Names, versions and licence texts of every package whose code is in the bundle. */
function licences(metafile: Metafile): string {
  const used = Object.values(metafile.outputs).flatMap(({ inputs }) =>
    Object.entries(inputs)
      .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
      .map(([path]) => path),
  );
  const directories = [...new Set(used.flatMap((path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []))];
  const parts = directories.map((directory) => {
    const full = join(ROOT, directory);
    const { name, version, license } = JSON.parse(readFileSync(join(full, 'package.json'), 'utf8')) as {
      name: string;
      version: string;
      license?: string;
    };
    const file = readdirSync(full)
      .sort()
      .find((entry) => /^(?:licen[cs]e|copying)(?:[.-]|$)/i.test(entry));
    const text =
      file === undefined
        ? '(the package comes without a licence text)'
        : readFileSync(join(full, file), 'utf8').replaceAll('\r\n', '\n').trim();
    return { id: `${name} ${version}`, text: `${name} ${version}\n${license ?? 'unknown licence'}\n\n${text}\n` };
  });
  const byId = new Map(parts.map(({ id, text }) => [id, text]));
  return [...byId.keys()]
    .sort()
    .map((id) => byId.get(id) ?? '')
    .join('\n----------------------------------------------------------------------\n\n');
}

/** The process id in it; empty when it is gone by now, or not written yet. */
function readLock(lock: string): string {
  try {
    return readFileSync(lock, 'utf8').trim();
  } catch {
    return '';
  }
}

/** One build at a time in a checkout: the place of the intermediate files is fixed. A lock of a process that is gone does not count. */
async function alone<T>(body: () => Promise<T>): Promise<T> {
  const lock = `${SCRATCH}.lock`;
  mkdirSync(dirname(lock), { recursive: true });
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      break;
    } catch {
      const holder = readLock(lock);
      if (holder !== '' && process.platform === 'linux' && !existsSync(`/proc/${holder}`)) rmSync(lock, { force: true });
      else await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
  try {
    return await body();
  } finally {
    rmSync(SCRATCH, { recursive: true, force: true });
    rmSync(lock, { force: true });
  }
}

async function buildAll(target: string, names: readonly Output[]): Promise<void> {
  let code = 0;
  for (const name of names) {
    const began = performance.now();
    const files = await bundle(name);
    rmSync(join(target, name), { recursive: true, force: true });
    mkdirSync(join(target, name), { recursive: true });
    for (const file of files) writeFileSync(join(target, name, file.name), file.text);
    const bytes = files.filter((file) => /\.m?js$/.test(file.name)).reduce((sum, file) => sum + Buffer.byteLength(file.text), 0);
    code += bytes;
    process.stdout.write(
      `${name.padEnd(22)}${(bytes / 1024).toFixed(0).padStart(6)} KB  ${((performance.now() - began) / 1_000).toFixed(1)} s\n`,
    );
  }
  process.stdout.write(`${'together'.padEnd(22)}${(code / 1024).toFixed(0).padStart(6)} KB of ${(CODE_LIMIT / 1024).toFixed(0)} KB\n`);
  if (code > CODE_LIMIT) throw new Error('the bundles are larger than dist/ may be');
}

/** Differences between two directories, as sentences. */
export function differences(fresh: string, committed: string, names: readonly string[]): readonly string[] {
  const list = (directory: string): readonly string[] => (existsSync(directory) ? readdirSync(directory) : []);
  return names.flatMap((name) => {
    const files = [...new Set([...list(join(fresh, name)), ...list(join(committed, name))])].sort();
    return files.flatMap((file) => {
      const [a, b] = [join(fresh, name, file), join(committed, name, file)];
      if (!existsSync(b)) return [`dist/${name}/${file} is missing`];
      if (!existsSync(a)) return [`dist/${name}/${file} does not belong there`];
      return readFileSync(a).equals(readFileSync(b)) ? [] : [`dist/${name}/${file} is not what the sources make`];
    });
  });
}

async function main(words: readonly string[]): Promise<number> {
  const unknown = words.filter((word) => word !== '--check' && !(OUTPUTS as readonly string[]).includes(word));
  if (unknown.length > 0) {
    process.stderr.write(`build: unknown: ${unknown.join(' ')}\nusage: npm run build [-- [--check] [${OUTPUTS.join('|')}]…]\n`);
    return 2;
  }
  process.chdir(ROOT);
  const chosen = OUTPUTS.filter((name) => words.includes(name));
  const names = chosen.length > 0 ? chosen : OUTPUTS;
  if (!words.includes('--check')) {
    await alone(() => buildAll(join(ROOT, 'dist'), names));
    return 0;
  }
  const fresh = mkdtempSync(join(tmpdir(), 'paasta-build-'));
  try {
    await alone(() => buildAll(fresh, names));
    const found = differences(fresh, join(ROOT, 'dist'), names);
    for (const line of found) process.stderr.write(`${line}\n`);
    if (found.length > 0) process.stderr.write('\ndist/ is not fresh. Run: npm run build, and commit dist/.\n');
    return found.length > 0 ? 1 : 0;
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main(process.argv.slice(2));
