/**
 * Runs a committed bundle as GitHub's runner does: Node 24, `INPUT_*`, the `GITHUB_*` files, an event file, and nothing
 * of the surrounding environment but PATH and what the caller passes.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export interface BundleRun {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** stdout and stderr in the order in which they came. */
  readonly text: string;
  readonly outputs: Readonly<Record<string, string>>;
  readonly summary: string;
  /** For benches: what a test may expect does not depend on what else the machine does. */
  readonly milliseconds: number;
}

export interface BundleOptions {
  readonly inputs?: Readonly<Record<string, string>>;
  /** Working directory; the checkout. */
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** `github.event` as JSON. */
  readonly event?: unknown;
  /** Whole lines as they come. */
  readonly onText?: (lines: string) => void;
  /** Gets the process once it runs: to send it a signal. */
  readonly onStart?: (child: ReturnType<typeof spawn>) => void;
  /** Milliseconds after which the run is killed and fails: a bundle must end by itself, on a busy machine too. Default: ten minutes. */
  readonly deadline?: number;
  /** File to run instead of the bundle, for comparisons. */
  readonly entry?: string;
}

/** Reads the format of `GITHUB_OUTPUT`: `name=value` lines and `name<<DELIMITER` blocks. */
export function parseOutputs(text: string): Record<string, string> {
  const outputs: Record<string, string> = {};
  const lines = text.split('\n');
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] as string;
    const block = /^([^=<]+)<<(.+)$/.exec(line);
    if (block !== null) {
      const value: string[] = [];
      for (i++; i < lines.length && lines[i] !== block[2]; i++) value.push(lines[i] as string);
      outputs[block[1] as string] = value.join('\n');
    } else if (line.includes('=')) outputs[line.slice(0, line.indexOf('='))] = line.slice(line.indexOf('=') + 1);
  }
  return outputs;
}

export async function runBundle(action: string, options: BundleOptions = {}): Promise<BundleRun> {
  const scratch = mkdtempSync(join(tmpdir(), 'paasta-run-'));
  const files = Object.fromEntries(
    ['output', 'env', 'path', 'state', 'step_summary', 'event'].map((name) => [name, join(scratch, name)]),
  ) as Record<string, string>;
  for (const [name, file] of Object.entries(files)) writeFileSync(file, name === 'event' ? JSON.stringify(options.event ?? {}) : '');
  const inputs = Object.fromEntries(
    Object.entries(options.inputs ?? {}).map(([name, value]) => [`INPUT_${name.replace(/ /g, '_').toUpperCase()}`, value]),
  );
  const env: Record<string, string | undefined> = {
    PATH: process.env['PATH'],
    HOME: scratch,
    RUNNER_TEMP: scratch,
    RUNNER_OS: 'Linux',
    CI: 'true',
    GITHUB_ACTIONS: 'true',
    GITHUB_OUTPUT: files['output'],
    GITHUB_ENV: files['env'],
    GITHUB_PATH: files['path'],
    GITHUB_STATE: files['state'],
    GITHUB_STEP_SUMMARY: files['step_summary'],
    GITHUB_EVENT_PATH: files['event'],
    ...(options.cwd === undefined ? {} : { GITHUB_WORKSPACE: options.cwd }),
    ...inputs,
    ...options.env,
  };
  const deadline = options.deadline ?? 600_000;
  const began = performance.now();
  const run = await new Promise<Pick<BundleRun, 'code' | 'signal' | 'text'>>((resolve, reject) => {
    const child = spawn(process.execPath, [options.entry ?? join(ROOT, 'dist', action, 'index.js')], {
      cwd: options.cwd ?? scratch,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      let rest = '';
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        rest += chunk;
        const end = rest.lastIndexOf('\n') + 1;
        if (end > 0) options.onText?.(rest.slice(0, end));
        rest = rest.slice(end);
      });
    }
    const timer = setTimeout(() => {
      text += `\n[killed: did not end within ${String(deadline / 1_000)} s]\n`;
      child.kill('SIGKILL');
    }, deadline);
    child.on('error', reject).on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, text });
    });
    options.onStart?.(child);
  });
  const milliseconds = performance.now() - began;
  const outputs = parseOutputs(readFileSync(files['output'] as string, 'utf8'));
  const summary = readFileSync(files['step_summary'] as string, 'utf8');
  rmSync(scratch, { recursive: true, force: true });
  return { ...run, outputs, summary, milliseconds };
}
