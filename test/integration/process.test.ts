/** The runner of programs, with real processes: that is all it does. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../../src/shared/contract/errors.ts';
import { run } from '../../src/shared/process/index.ts';
import { until } from '../support/until.ts';
import { startTime } from '../testbed/parts/processes.ts';

const scratch = mkdtempSync(join(tmpdir(), 'paasta-process-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Whether a process runs (a zombie that nobody collects does not). */
const runs = (pid: number): boolean => startTime(pid) !== undefined;

/** A script that writes the ids of what it starts into files. */
function pidIn(name: string): number {
  return Number(readFileSync(join(scratch, name), 'utf8').trim());
}

/** Whether the script has come to the line that writes its id. */
const hasBegun = (name: string): boolean => existsSync(join(scratch, name)) && pidIn(name) > 0;
/** A process that was sent SIGKILL is gone in its own time. */
const isGone = (name: string): Promise<void> => until(`the end of ${name}`, () => !runs(pidIn(name)));

describe('run', () => {
  it('hands out lines while the program runs, by stream, whatever pieces they come in', async () => {
    const lines: string[] = [];
    const result = await run(['sh', '-c', 'printf "a\\nb"; sleep 0.1; printf "c\\r\\n"; echo d >&2; printf "ü\\nlast"'], {
      onLine: (line, stream) => lines.push(`${stream}: ${line}`),
    });
    expect(lines.filter((line) => line.startsWith('stdout'))).toEqual(['stdout: a', 'stdout: bc', 'stdout: ü', 'stdout: last']);
    expect(lines).toContain('stderr: d');
    expect(result).toMatchObject({ code: 0, signal: null, timedOut: false, cancelled: false, stdout: 'a\nbc\r\nü\nlast', stderr: 'd\n' });
  });

  it('passes words as they are: no shell sees them', async () => {
    const words = ['$(touch x)', 'a b', '; echo', '*', "'", '\n', '--', '`id`'];
    const { stdout } = await run(['node', '-e', 'process.stdout.write(JSON.stringify(process.argv.slice(1)))', '--', ...words], {
      cwd: scratch,
    });
    expect(JSON.parse(stdout)).toEqual(words);
  });

  it('gives the environment and the input that it is told, and nothing of ours', async () => {
    const { stdout } = await run(['/bin/sh', '-c', 'cat; echo "$A-$HOME-$B"'], { env: { A: 'x', B: undefined }, input: 'secret\n' });
    expect(stdout).toBe('secret\nx--\n');
  });

  it('does not mind a program that never reads its input', async () => {
    expect((await run(['true'], { input: 'x'.repeat(1_000_000) })).code).toBe(0);
  });

  it('returns the exit code, or the signal that ended the program', async () => {
    expect(await run(['sh', '-c', 'exit 7'])).toMatchObject({ code: 7, signal: null });
    expect(await run(['sh', '-c', 'kill -KILL $$'])).toMatchObject({ code: -1, signal: 'SIGKILL' });
  });

  it('keeps the end of a long output', async () => {
    const { stdout } = await run(['sh', '-c', 'i=0; while [ $i -lt 2000 ]; do echo line$i; i=$((i+1)); done'], { maxOutput: 100 });
    expect(stdout.length).toBe(100);
    expect(stdout.endsWith('line1999\n')).toBe(true);
  });

  it('does not wait for a process in the background that holds the output open', async () => {
    const result = await run(['sh', '-c', `sleep 600 & echo $! > ${scratch}/background; echo done`]);
    expect(result).toMatchObject({ code: 0, stdout: 'done\n' });
    expect(runs(pidIn('background'))).toBe(true);
    process.kill(pidIn('background'));
  });

  it.each([
    ['a child', 'sleep 600 & echo $! > $D/one; wait', 5_000],
    // Without SIGKILL these two would live on.
    ['a grandchild that ignores SIGTERM', `sh -c 'trap "" TERM; echo $$ > $D/one; while :; do sleep 1; done' & sleep 600`, 300],
    ['everything, if the program itself ignores SIGTERM', `trap "" TERM; echo $$ > $D/one; while :; do sleep 1; done`, 300],
    // coreutils' timeout makes a process group of its own: a signal to the group of the program does not reach it.
    ['a process in a group of its own', `timeout 600 sh -c 'echo $$ > $D/one; sleep 600' & sleep 600`, 300],
  ])('ends %s when the time is over', async (_what, script, grace) => {
    rmSync(join(scratch, 'one'), { force: true });
    // On a busy machine the script may not have come far after the first of these times.
    for (let timeout = 700; !hasBegun('one'); timeout *= 2) {
      const result = await run(['bash', '-c', script], { env: { ...process.env, D: scratch }, timeout, grace });
      expect(result).toMatchObject({ timedOut: true, cancelled: false });
    }
    await isGone('one');
  });

  it('ends everything when it is cancelled, and says so', async () => {
    const controller = new AbortController();
    const [result] = await Promise.all([
      run(['sh', '-c', `sleep 600 & echo $! > ${scratch}/two; wait`], { signal: controller.signal }),
      until('the start of the script', () => hasBegun('two')).then(() => {
        controller.abort();
      }),
    ]);
    expect(result).toMatchObject({ cancelled: true, timedOut: false });
    await isGone('two');
    expect(await run(['sh', '-c', `touch ${scratch}/never`], { signal: controller.signal })).toMatchObject({
      cancelled: true,
      duration: 0,
    });
  });

  it('does not miss a cancellation that comes while the program begins', async () => {
    const controller = new AbortController();
    const running = run(['sleep', '600'], { signal: controller.signal });
    controller.abort();
    expect(await running).toMatchObject({ cancelled: true, signal: 'SIGTERM' });
  });

  it('leaves nothing behind when our own process has to exit', async () => {
    const script = join(scratch, 'exits.ts');
    writeFileSync(
      script,
      `import { run } from ${JSON.stringify(join(import.meta.dirname, '../../src/shared/process/index.ts'))};\nvoid run(['sh', '-c', 'echo $$ > ${scratch}/three; echo begun; sleep 600'], { onLine: () => process.exit(3) });\n`,
    );
    expect((await run([process.execPath, script])).code).toBe(3);
    await isGone('three');
  });

  it.each([
    [['no-such-program'], {}, "the program 'no-such-program' is not installed"],
    [['ls'], { cwd: '/no/such/directory' }, "cannot run 'ls': the directory '/no/such/directory' does not exist"],
    [['/etc/passwd'], {}, "the program '/etc/passwd' may not be executed"],
  ])('explains why %j cannot be started', async (argv, options, message) => {
    const error = await run(argv, options).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).message).toContain(message);
    expect((error as UserError).problems[0]?.hint).toBeTruthy();
  });
});
