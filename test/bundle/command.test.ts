/** `bin/paasta.mjs` under an older Node: it goes on with the Node that comes along, or says what to install. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startTime } from '../testbed/parts/processes.ts';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const BIN = join(ROOT, 'bin', 'paasta.mjs');
/** Makes any Node believe that it is an old one; what it starts runs `dist/` without asking. */
const PRETENDED =
  "--import=data:text/javascript,Object.defineProperty(process.versions,'node',{value:'20.20.2'});Object.defineProperty(process,'version',{value:'v20.20.2'})";

/** A Node of this machine that is older than 24. */
function oldNode(): string | undefined {
  const places = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/bin', '/usr/bin'].map((directory) =>
    join(directory, 'node'),
  );
  return places.find(
    (file) => existsSync(file) && Number(execFileSync(file, ['--version'], { encoding: 'utf8' }).slice(1).split('.')[0]) < 24,
  );
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function start(
  argv: readonly string[],
  options: {
    readonly bin?: string;
    readonly node?: string;
    readonly cwd?: string;
    readonly onLine?: (text: string, child: ChildProcess) => void;
  } = {},
): Promise<Ended> {
  const old = options.node ?? oldNode();
  return await new Promise((resolve, reject) => {
    const child = spawn(old ?? process.execPath, [options.bin ?? BIN, ...argv], {
      cwd: options.cwd ?? tmpdir(),
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], HOME: tmpdir(), ...(old === undefined ? { NODE_OPTIONS: PRETENDED } : {}) },
    });
    const said = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].setEncoding('utf8').on('data', (text: string) => {
        said[stream] += text;
        options.onLine?.(text, child);
      });
    }
    child.on('error', reject).on('close', (code) => {
      resolve({ code, ...said });
    });
  });
}

describe('the paasta command under an older Node', () => {
  let scratch: string;
  beforeEach(() => {
    scratch = mkdtempSync(join(tmpdir(), 'paasta-bin-'));
  });
  afterEach(() => {
    rmSync(scratch, { recursive: true, force: true });
  });

  it('does what it does under Node 24: text, options and exit code', async () => {
    const [old, current] = [await start(['itest', '--help']), await start(['itest', '--help'], { node: process.execPath })];
    expect(old.stdout).toContain('usage: paasta itest [options]');
    expect(old).toEqual(current);
    expect(old.code).toBe(0);
    const wrong = await start(['itst']);
    expect(wrong.stderr).toContain("did you mean 'itest'");
    expect(wrong).toEqual(await start(['itst'], { node: process.execPath }));
    expect(wrong.code).not.toBe(0);
  });

  it('hands on the end of a supervisor: SIGTERM ends what it started, exit 130', async () => {
    writeFileSync(join(scratch, 'Makefile'), 'test:\n\t@echo started $$$$; sleep 600\n');
    let pid = '';
    const run = await start(['itest', '--target', 'test', '--service', 'hello', '--soa-dir', join(ROOT, 'examples/soa-configs')], {
      cwd: scratch,
      onLine: (text, child) => {
        const shell = /^started (\d+)\n/m.exec(text)?.[1];
        if (shell === undefined) return;
        pid = shell;
        child.kill('SIGTERM');
      },
    });
    expect(run.stderr).toContain('was cancelled');
    expect(run.code).toBe(130);
    expect(pid).toMatch(/^\d+$/);
    expect(startTime(Number(pid))).toBeUndefined();
  });

  it('without the Node that comes along: says what to install', async () => {
    mkdirSync(join(scratch, 'bin'));
    cpSync(BIN, join(scratch, 'bin', 'paasta.mjs'));
    cpSync(join(ROOT, 'dist', 'cli'), join(scratch, 'dist', 'cli'), { recursive: true });
    const run = await start(['itest', '--help'], { bin: join(scratch, 'bin', 'paasta.mjs') });
    expect(run.stderr).toMatch(
      /^paasta: needs Node 24, this is v\d+\.\d+\.\d+\n {2}next: install Node 24 or later, or run npm install without --omit=optional in the checkout of paasta-actions\n$/,
    );
    expect(run.stdout).toBe('');
    expect(run.code).toBe(1);
  });

  it('in a checkout that was never built: says how', async () => {
    mkdirSync(join(scratch, 'bin'));
    cpSync(BIN, join(scratch, 'bin', 'paasta.mjs'));
    const run = await start(['itest'], { bin: join(scratch, 'bin', 'paasta.mjs') });
    expect(run.stderr).toMatch(/^paasta: \S+\/dist\/cli\/index\.js is missing\n {2}next: run npm ci && npm run build/);
    expect(run.code).toBe(1);
  });
});
