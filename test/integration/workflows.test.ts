/** Our workflows and the examples' through actionlint: types of inputs, names of outputs, expressions, shell. */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { forAct } from '../../scripts/pinned-workflows.ts';
import { ensureTool } from '../testbed/index.ts';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

describe('workflows', () => {
  let directory: string;
  let actionlint: string;
  const lint = async (): Promise<string> => {
    try {
      return (await promisify(execFile)(actionlint, ['-color=false', '-oneline'], { cwd: directory })).stdout;
    } catch (error) {
      return (error as { stdout: string }).stdout;
    }
  };

  beforeAll(async () => {
    actionlint = await ensureTool('actionlint', (line) => {
      process.stderr.write(`${line}\n`);
    });
    directory = mkdtempSync(join(tmpdir(), 'paasta-lint-'));
    mkdirSync(join(directory, '.git'));
    mkdirSync(join(directory, '.github', 'workflows'), { recursive: true });
    // actionlint 1.7.12 knows neither `$/` nor `concurrency.queue`: the same files with `./` and without the key
    for (const [from, names] of [
      ['.github/workflows', readdirSync(join(ROOT, '.github/workflows'))],
      ['examples/workflows', readdirSync(join(ROOT, 'examples/workflows'))],
    ] as const) {
      for (const name of names) {
        const text = readFileSync(join(ROOT, from, name), 'utf8')
          .replace(/(uses: )\$\//g, '$1./')
          .replace(/OWNER\/paasta-actions\/(\.github\/workflows\/[\w.-]+)@v1/g, './$1');
        writeFileSync(join(directory, '.github', 'workflows', from.startsWith('examples') ? `example-${name}` : name), forAct(text));
      }
    }
    for (const name of readdirSync(ROOT).filter((n) => n.startsWith('action-')))
      cpSync(join(ROOT, name), join(directory, name), { recursive: true });
    // actionlint looks whether `main` exists
    for (const name of readdirSync(join(ROOT, 'dist'))) {
      mkdirSync(join(directory, 'dist', name), { recursive: true });
      writeFileSync(join(directory, 'dist', name, 'index.js'), '');
    }
  });
  afterAll(() => {
    rmSync(directory, { recursive: true, force: true });
  });

  it('are what GitHub understands, and pass our actions only inputs that they have', async () => {
    expect(await lint()).toBe('');
  });

  it('would not pass with a misspelt input', async () => {
    const file = join(directory, '.github', 'workflows', 'paasta-pipeline.yml');
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace('          deploy-group: ${{', '          deploy-gruop: ${{'));
    expect(await lint()).toContain('deploy-gruop');
    writeFileSync(file, text);
  });
});
