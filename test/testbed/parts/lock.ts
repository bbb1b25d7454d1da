/** A lock between processes that survives none of them: the holder is named by process id and start time. */
import fs from 'node:fs';
import path from 'node:path';
import { makeStateRoot } from './places.ts';
import { startTime } from './processes.ts';
import { silent, sleep, SIGN_OF_LIFE_MS } from './say.ts';
import type { Log } from './say.ts';

const me = (): string => `${process.pid} ${startTime(process.pid) ?? '0'}`;

function held(text: string): boolean {
  const [pid, started] = text.trim().split(' ');
  return started !== undefined && startTime(Number(pid)) === started;
}

/** Takes the lock or answers false; breaks a lock whose holder is dead. */
function take(file: string): boolean {
  const mine = `${file}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  fs.mkdirSync(path.dirname(file), { recursive: true }); // `down` of the last testbed removes an empty one
  try {
    fs.writeFileSync(mine, me());
  } catch {
    return false;
  }
  try {
    try {
      fs.linkSync(mine, file);
      return true;
    } catch {
      /* held, perhaps by nobody any more */
    }
    let text: string;
    try {
      text = fs.readFileSync(file, 'utf8');
    } catch {
      return false;
    }
    if (held(text)) return false;
    // only one of several waiters gets to move the dead lock away; one that moved a living lock puts it back
    const aside = `${mine}.dead`;
    try {
      fs.renameSync(file, aside);
    } catch {
      return false;
    }
    try {
      if (held(fs.readFileSync(aside, 'utf8'))) fs.linkSync(aside, file);
    } finally {
      fs.rmSync(aside, { force: true });
    }
    return false;
  } finally {
    fs.rmSync(mine, { force: true });
  }
}

/** Held while ports and bridges are chosen and taken. */
export const machineLock = (): string => path.join(makeStateRoot(), 'locks', 'machine.lock');

/** Runs `body` while no other process is inside the same lock; says so every 15 s while it waits. */
export async function withLock<T>(file: string, body: () => Promise<T>, log: Log = silent): Promise<T> {
  let said = Date.now() - SIGN_OF_LIFE_MS + 1000;
  while (!take(file)) {
    if (Date.now() - said > SIGN_OF_LIFE_MS) {
      log(`  waiting for another testbed command (lock ${file})`);
      said = Date.now();
    }
    await sleep(100);
  }
  try {
    return await body();
  } finally {
    fs.rmSync(file, { force: true });
  }
}
