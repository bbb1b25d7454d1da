/**
 * Ends what a process started when that process can no longer do it: a test that was killed, a bench that was interrupted. One shell that
 * sleeps, as long as the process holds something.
 */
import fs from 'node:fs';
import path from 'node:path';
import { randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import { makeStateRoot, SOURCES, tidyState } from './places.ts';

/** `name part` of what was started here and is not stopped yet. */
const held = new Set<string>();
/** The list that the keeper reads; without it the keeper ends. */
let list: string | undefined;

/** Arguments: our process id, the list of names, node, the testbed's command. */
const SCRIPT = [
  'while kill -0 "$1" 2>/dev/null; do [ -e "$2" ] || exit 0; sleep 1; done',
  'while read -r name; do "$3" "$4" down --name "$name" < /dev/null; done < "$2"',
  'rm -f "$2"; rmdir "${2%/*}" "${2%/*/*}"',
].join('\n');

function write(): void {
  const names = [...new Set([...held].map((one) => one.split(' ')[0] ?? ''))];
  if (list !== undefined) fs.writeFileSync(list, names.map((name) => `${name}\n`).join(''));
}

/** From now on the testbed of this name ends with this process, unless `letGo` is said before. */
export function hold(name: string, part: string): void {
  held.add(`${name} ${part}`);
  if (list !== undefined) {
    write();
    return;
  }
  const directory = path.join(makeStateRoot(), 'keepers');
  // a test runner loads this module once for each file, in one process
  list = path.join(directory, `${process.pid}-${randomBytes(3).toString('hex')}`);
  for (let left = 20; ; left--) {
    fs.mkdirSync(directory, { recursive: true });
    try {
      write();
      break;
    } catch (error) {
      // Another process found the directory empty and removed it meanwhile.
      if (left === 0 || (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  spawn('/bin/sh', ['-c', SCRIPT, 'testbed-keeper', String(process.pid), list, process.execPath, path.join(SOURCES, 'cli.ts')], {
    detached: true,
    stdio: 'ignore',
  }).unref();
}

/** It is stopped. */
export function letGo(name: string, part: string): void {
  held.delete(`${name} ${part}`);
  if (list === undefined) return;
  if (held.size > 0) {
    write();
    return;
  }
  fs.rmSync(list, { force: true });
  list = undefined;
  tidyState(name);
}
