/** `dist/` is what the sources make, and stays small. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BUNDLES, differences, OUTPUTS, PARTS } from '../../scripts/build.ts';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

describe('dist/', () => {
  it('is a fresh build, byte for byte (npm run build)', () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(ROOT, 'scripts/build.ts'), '--check'], {
      encoding: 'utf8',
      timeout: 800_000,
    });
    expect(`${stderr.replace(/^.*(?:Warning|--trace).*\n/gm, '')}`).toBe('');
    expect(stdout).toContain('together');
    expect(status).toBe(0);
  });

  it('holds one folder for each action, one for the command and one for what they share, and at most 10 MB of code', () => {
    const dist = join(ROOT, 'dist');
    expect(readdirSync(dist).sort()).toEqual([...OUTPUTS].sort());
    const code = readdirSync(dist, { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.m?js$/.test(file))
      .map((file) => statSync(join(dist, file)).size);
    expect(code.reduce((sum, size) => sum + size, 0)).toBeLessThan(10 * 1024 * 1024);
    for (const name of BUNDLES) {
      expect(readFileSync(join(dist, name, 'package.json'), 'utf8')).toBe('{"type":"module"}\n');
      expect(readFileSync(join(dist, name, 'licenses.txt'), 'utf8')).toMatch(/^js-yaml 5\.[\d.]+\nMIT$/m);
    }
    // A shared file that came to be loaded at the start would cost every action 40 ms; one that stood in a bundle, too, would cost megabytes.
    for (const name of BUNDLES.filter((one) => one !== 'cli')) {
      const code = readdirSync(join(dist, name))
        .filter((file) => /\.m?js$/.test(file))
        .map((file) => readFileSync(join(dist, name, file), 'utf8'))
        .join('');
      for (const part of Object.keys(PARTS)) {
        expect({
          name,
          part,
          early: new RegExp(`from\\s*"\\.\\./${part}/`).test(code),
          inside: code.includes(`node_modules/${part}/index.js`),
        }).toEqual({ name, part, early: false, inside: false });
      }
    }
    expect(readFileSync(join(dist, 'undici', 'licenses.txt'), 'utf8')).toMatch(/^undici 8\.[\d.]+\nMIT$/m);
    expect(readdirSync(join(dist, 'cli')).filter((file) => /\.m?js$/.test(file))).toEqual(['index.js']);
  });

  it('would be seen to be stale, to lack a file, and to have one too many', () => {
    const scratch = mkdtempSync(join(tmpdir(), 'paasta-dist-'));
    try {
      const write = (tree: string, file: string, text: string): void => {
        mkdirSync(join(scratch, tree, dirname(file)), { recursive: true });
        writeFileSync(join(scratch, tree, file), text);
      };
      write('fresh', 'itest/index.js', 'new');
      write('old', 'itest/index.js', 'old');
      write('fresh', 'cli/index.js', 'x');
      write('old', 'itest/1.index.mjs', 'x');
      expect(differences(join(scratch, 'fresh'), join(scratch, 'old'), ['itest', 'cli'])).toEqual([
        'dist/itest/1.index.mjs does not belong there',
        'dist/itest/index.js is not what the sources make',
        'dist/cli/index.js is missing',
      ]);
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  });
});
