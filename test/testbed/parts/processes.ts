/**
 * Background processes by id *and* start time: an id alone may belong to somebody else tomorrow. Everything that the
 * testbed starts is recorded like this and ended like this, never by name.
 */
import fs from 'node:fs';
import path from 'node:path';
import { spawn } from 'node:child_process';
import { sleep, TestbedError } from './say.ts';

/** How a background process is started; kept so that it can be started again the same way. */
export interface Launch {
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Directory of a cgroup that the process (and so all its children) joins first. */
  readonly cgroup?: string;
}

/** Start time in clock ticks, undefined when the process does not live (a zombie does not). Linux only. */
export function startTime(pid: number): string | undefined {
  let stat: string;
  try {
    stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // the command name may hold blanks and parentheses: fields count from the last one
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}

const pidFile = (dir: string, name: string): string => path.join(dir, 'pid', name);
export const logFile = (dir: string, name: string): string => path.join(dir, 'log', `${name}.log`);

/** The recorded process if that very process still lives. */
export function recorded(dir: string, name: string): number | undefined {
  let text: string;
  try {
    text = fs.readFileSync(pidFile(dir, name), 'utf8');
  } catch {
    return undefined;
  }
  const [pid, started] = text.trim().split(' ');
  return started !== undefined && startTime(Number(pid)) === started ? Number(pid) : undefined;
}

/** Names of the processes that were started in this state directory. */
export function recordedNames(dir: string): string[] {
  try {
    return fs.readdirSync(path.join(dir, 'pid'));
  } catch {
    return [];
  }
}

/** Starts a process in its own session with its output in `log/<name>.log`, and records it. It outlives us. */
export async function launch(dir: string, name: string, how: Launch): Promise<number> {
  fs.mkdirSync(path.join(dir, 'pid'), { recursive: true });
  fs.mkdirSync(path.join(dir, 'log'), { recursive: true });
  const out = fs.openSync(logFile(dir, name), 'a');
  // `exec` keeps the process id, so the cgroup is joined before the program runs
  const argv = how.cgroup === undefined ? how.argv : ['/bin/sh', '-c', 'echo $$ > "$0/cgroup.procs" && exec "$@"', how.cgroup, ...how.argv];
  const [file, ...args] = argv;
  if (file === undefined) throw new Error(`${name}: empty command`);
  try {
    const child = spawn(file, args, {
      detached: true,
      stdio: ['ignore', out, out],
      env: { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`, HOME: process.env['HOME'] ?? '/', LANG: 'C.UTF-8', ...how.env },
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    const { pid } = child;
    if (pid === undefined) throw new Error(`${name} did not start`);
    child.unref();
    fs.writeFileSync(pidFile(dir, name), `${pid} ${startTime(pid) ?? '0'}\n`);
    return pid;
  } finally {
    fs.closeSync(out);
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    /* ended meanwhile */
  }
}

/** Signals the recorded process, waits, and kills it when it takes longer than `patienceMs`. */
export async function stop(dir: string, name: string, how: NodeJS.Signals = 'SIGTERM', patienceMs = 5000): Promise<void> {
  const end = Date.now() + patienceMs;
  const first = recorded(dir, name);
  if (first !== undefined) signal(first, how);
  for (let pid = first; pid !== undefined; pid = recorded(dir, name)) {
    if (Date.now() > end) signal(pid, 'SIGKILL');
    await sleep(20);
  }
  fs.rmSync(pidFile(dir, name), { force: true });
}

/** The end of a process's log, for error messages. */
export function lastLines(dir: string, name: string, count = 15): string {
  try {
    return fs.readFileSync(logFile(dir, name), 'utf8').trimEnd().split('\n').slice(-count).join('\n');
  } catch {
    return '';
  }
}

/** Asks until `ready` says so; gives up with the end of the log when the process ends or the time is over. */
export async function waitFor(dir: string, name: string, what: string, limitMs: number, ready: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + limitMs;
  while (!(await ready())) {
    const alive = recorded(dir, name) !== undefined;
    if (alive && Date.now() < end) {
      await sleep(50);
      continue;
    }
    throw new TestbedError(
      `${alive ? `timed out after ${limitMs / 1000} s` : `${name} ended`} while waiting for ${what}\n${lastLines(dir, name)}`,
      `its log: ${logFile(dir, name)}`,
    );
  }
}

/** Resident memory in MiB. */
export function residentMiB(pid: number): number {
  try {
    return Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024);
  } catch {
    return 0;
  }
}
