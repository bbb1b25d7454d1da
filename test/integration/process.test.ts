/** The runner of programs, with real processes: that is all it does. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../../src/shared/contract/errors.ts';
import { run } from '../../src/shared/process/index.ts';

const scratch = mkdtempSync(join(tmpdir(), 'paasta-process-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Whether a process runs (a zombie that nobody collects does not). */
function runs(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${String(pid)}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** A script that writes the ids of what it starts into files. */
function pids(...names: readonly string[]): readonly number[] {
  return names.map((name) => Number(readFileSync(join(scratch, name), 'utf8').trim()));
}

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
    const result = await run(['sh', '-c', `sleep 20 & echo $! > ${scratch}/background; echo done`]);
    expect(result).toMatchObject({ code: 0, stdout: 'done\n' });
    expect(result.duration).toBeLessThan(5_000);
    process.kill(pids('background')[0] as number);
  });

  it.each([
    ['a child', 'sleep 60 & echo $! > $D/one; wait', 5_000],
    // Without SIGKILL these two would live on.
    ['a grandchild that ignores SIGTERM', `sh -c 'trap "" TERM; echo $$ > $D/one; while :; do sleep 1; done' & sleep 60`, 300],
    ['everything, if the program itself ignores SIGTERM', `trap "" TERM; echo $$ > $D/one; while :; do sleep 1; done`, 300],
    // coreutils' timeout makes a process group of its own: a signal to the group of the program does not reach it.
    ['a process in a group of its own', `timeout 60 sh -c 'echo $$ > $D/one; sleep 60' & sleep 60`, 300],
  ])('ends %s when the time is over', async (_what, script, grace) => {
    rmSync(join(scratch, 'one'), { force: true });
    const result = await run(['bash', '-c', script], { env: { ...process.env, D: scratch }, timeout: 700, grace });
    expect(result).toMatchObject({ timedOut: true, cancelled: false });
    expect(result.duration).toBeLessThan(4_000);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(pids('one').filter(runs)).toEqual([]);
  });

  it('ends everything when it is cancelled, and says so', async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 300);
    const result = await run(['sh', '-c', `sleep 60 & echo $! > ${scratch}/two; wait`], { signal: controller.signal });
    expect(result).toMatchObject({ cancelled: true, timedOut: false });
    expect(pids('two').filter(runs)).toEqual([]);
    expect(await run(['sh', '-c', `touch ${scratch}/never`], { signal: controller.signal })).toMatchObject({
      cancelled: true,
      duration: 0,
    });
  });

  it('leaves nothing behind when our own process has to exit', async () => {
    const script = join(scratch, 'exits.ts');
    writeFileSync(
      script,
      `import { run } from ${JSON.stringify(join(import.meta.dirname, '../../src/shared/process/index.ts'))};\nvoid run(['sh', '-c', 'echo $$ > ${scratch}/three; sleep 60']);\nsetTimeout(() => process.exit(3), 400);\n`,
    );
    expect((await run([process.execPath, script])).code).toBe(3);
    expect(pids('three').filter(runs)).toEqual([]);
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
