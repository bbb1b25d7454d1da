/** Short-lived commands: argv arrays only, output collected. */
import fs from 'node:fs';
import path from 'node:path';
import { spawn } from 'node:child_process';

export interface Ran {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly input?: string;
  /** Called for every line of stderr as it comes. */
  readonly onErrorLine?: (line: string) => void;
}

/** Runs a command to its end; a failure is a result, not an exception (127: it could not be started). */
export function run(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const [file = '', ...args] = argv;
  return new Promise((resolve) => {
    const child = spawn(file, args, { cwd: options.cwd, env: { ...process.env, ...options.env }, stdio: ['pipe', 'pipe', 'pipe'] });
    let stdout = '',
      stderr = '',
      rest = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      stdout += chunk;
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      stderr += chunk;
      if (options.onErrorLine === undefined) return;
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      lines.forEach(options.onErrorLine);
    });
    child.stdin.on('error', () => undefined); // it may end without reading
    child.stdin.end(options.input ?? '');
    child.on('error', (error) => {
      resolve({ exitCode: 127, stdout, stderr: `${stderr}${error.message}` });
    });
    child.on('close', (code) => {
      resolve({ exitCode: code ?? 128, stdout, stderr });
    });
  });
}

/** Runs a command that must succeed; answers its trimmed stdout. */
export async function must(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const ran = await run(argv, options);
  if (ran.exitCode !== 0) throw new Error(`${argv.slice(0, 4).join(' ')} ended with ${ran.exitCode}: ${ran.stderr.trim().slice(-2000)}`);
  return ran.stdout.trim();
}

export function executable(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

/** Finds a program in the given directories, then on PATH and where daemons are kept. */
export function which(name: string, first: readonly string[] = []): string | undefined {
  const dirs = [...first, ...(process.env['PATH'] ?? '').split(path.delimiter), '/usr/sbin', '/sbin'];
  return dirs
    .filter((d) => d !== '')
    .map((d) => path.join(d, name))
    .find(executable);
}
