/**
 * `npm run fuzz -- --seconds N [--target T] [--seed S]`: mutated inputs for every reader. An input that makes one throw anything but a
 * `UserError`, break a rule of its own, or take more than a second of processor time is written to `.tmp/fuzz` and the run fails; keep
 * it in `test/fixtures/fuzz/<target>` once it is mended.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import type { Finding, Outcome } from './fuzz.ts';
import { TARGETS } from './targets.ts';
import type { Order } from './worker.ts';

/** An input that is not done after this (wall time, so that a busy machine is no finding) never ends. */
const HANGS_AFTER_MS = 30_000;
const USAGE = `usage: npm run fuzz -- [--seconds N] [--target ${TARGETS.map((target) => target.name).join('|')}] [--seed S]`;

function options(): { seconds: number; seed: number; names: readonly string[] } {
  const { values } = parseArgs({
    options: { seconds: { type: 'string', default: '30' }, seed: { type: 'string' }, target: { type: 'string' } },
  });
  const seconds = Number(values.seconds);
  const seed = values.seed === undefined ? Date.now() % 1_000_000_000 : Number(values.seed);
  const names = TARGETS.map((target) => target.name).filter((name) => values.target === undefined || name === values.target);
  if (!(seconds > 0) || !Number.isSafeInteger(seed) || seed < 0 || names.length === 0)
    throw new Error('seconds is more than 0, seed a whole number from 0, target one of those below');
  return { seconds, seed, names };
}

function fuzzTarget(target: string, seed: number, milliseconds: number): Promise<Outcome> {
  const shared = new SharedArrayBuffer(8 + Math.max(...TARGETS.map((each) => each.maxBytes), 1_048_576));
  const counts = new Int32Array(shared, 0, 2);
  const current = (): Buffer => Buffer.from(new Uint8Array(shared, 8, Atomics.load(counts, 1)));
  const order: Order = { target, seed, milliseconds, shared };
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: order });
  return new Promise((resolve) => {
    let last = { count: 0, at: performance.now() };
    const end = (message: string): void => {
      clearInterval(watch);
      void worker.terminate();
      const input = current();
      resolve({
        executions: Atomics.load(counts, 0),
        outcomes: 0,
        findings: [{ input, message }],
        slowest: { input, milliseconds: performance.now() - last.at },
      });
    };
    const watch = setInterval(() => {
      const count = Atomics.load(counts, 0);
      if (count !== last.count) last = { count, at: performance.now() };
      else if (performance.now() - last.at > HANGS_AFTER_MS) end(`not done after ${HANGS_AFTER_MS / 1_000} s`);
    }, 250);
    worker.on('message', (outcome: Outcome) => {
      clearInterval(watch);
      resolve(outcome);
    });
    // Out of memory, for instance.
    worker.on('error', (error) => end(`the thread ended: ${error instanceof Error ? error.message : String(error)}`));
  });
}

function write(target: string, kind: string, input: Uint8Array): string {
  const path = `.tmp/fuzz/${target}-${kind}-${createHash('sha256').update(input).digest('hex').slice(0, 12)}`;
  writeFileSync(path, input);
  return path;
}

async function main(): Promise<void> {
  let asked: ReturnType<typeof options>;
  try {
    asked = options();
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    process.exitCode = 2;
    return;
  }
  const { seconds, seed, names } = asked;
  mkdirSync('.tmp/fuzz', { recursive: true });
  console.log(`seed ${seed}, ${seconds} s for each target`);
  for (const name of names) {
    const { executions, outcomes, findings, slowest } = await fuzzTarget(name, seed, seconds * 1_000);
    const worst = slowest.milliseconds < 100 ? '' : ` (${write(name, 'slowest', slowest.input)})`;
    console.log(
      `${findings.length === 0 ? '✔' : '✘'} ${name}: ${executions} executions, ${outcomes} different outcomes, ${findings.length} crashes, slowest input ${slowest.milliseconds.toFixed(1)} ms${worst}`,
    );
    findings.forEach((finding: Finding) =>
      console.log(`  ${write(name, 'crash', finding.input)}: ${finding.message.split('\n').slice(0, 6).join('\n    ')}`),
    );
    if (findings.length > 0) process.exitCode = 1;
  }
}

await main();
