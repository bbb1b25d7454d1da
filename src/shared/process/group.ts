/** Process groups: everything that a program started, direct child or not. */
import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const living = new Set<number>();
let hooked = false;

/** Remembers a group, so that nothing of it survives when our own process is made to exit. */
export function trackGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  living.add(child.pid);
  if (hooked) return;
  hooked = true;
  process.once('exit', () => {
    for (const leader of living) signalAll(leader, 'SIGKILL');
  });
}

export function forgetGroup(child: ChildProcess): void {
  if (child.pid !== undefined) living.delete(child.pid);
}

export function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid !== undefined) signalAll(child.pid, signal);
}

export function groupAlive(child: ChildProcess): boolean {
  if (child.pid === undefined) return false;
  return process.platform === 'linux' ? sessionMembers(child.pid).length > 0 : send(-child.pid, 0);
}

function signalAll(leader: number, signal: NodeJS.Signals): void {
  // Before the group itself is signalled: a member of the session could be gone, and its children adopted, afterwards.
  const others = process.platform === 'linux' ? sessionMembers(leader) : [];
  send(-leader, signal);
  for (const { pid, group } of others) if (group !== leader) send(pid, signal);
}

/**
 * The living members of a session (Linux): the group of its leader and those that made a group of their own, as `timeout`
 * of coreutils and shells with job control do. Zombies do not count: in a container nobody may collect them.
 */
function sessionMembers(leader: number): readonly { readonly pid: number; readonly group: number }[] {
  const found: { pid: number; group: number }[] = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    let stat: string;
    try {
      stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
    } catch {
      continue;
    }
    // `pid (name) state ppid pgrp session …`; the name may hold blanks and parentheses.
    const [state, , group, session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (Number(session) === leader && state !== 'Z') found.push({ pid: Number(entry), group: Number(group) });
  }
  return found;
}

function send(target: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(target, signal);
    return true;
  } catch {
    return false;
  }
}
