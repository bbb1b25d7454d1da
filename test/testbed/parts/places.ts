/** Where the testbed keeps things: state of what runs (short paths: unix sockets), and the cache of what was brought. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { TestbedError } from './say.ts';

/** The directory of the testbed's own sources. */
export const SOURCES = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** Unix sockets end at 108 characters; what containerd and the kubelet append needs the rest. */
export const LONGEST_STATE_PATH = 68;

const NAME = /^[a-z0-9][a-z0-9-]{0,20}$/;
const RESERVED = new Set(['docker', 'keepers', 'locks']);

export function userId(): number {
  return process.getuid?.() ?? 0;
}

export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** Refuses names that would not fit in a path, a bridge or a cgroup. */
export function checkName(name: string): string {
  if (!NAME.test(name))
    throw new TestbedError(`testbed name '${name}': lower case letters, digits and dashes, at most 21, beginning with a letter or digit`);
  if (RESERVED.has(name)) throw new TestbedError(`testbed name '${name}' is reserved`, `reserved: ${[...RESERVED].join(', ')}`);
  return name;
}

/** `$PAASTA_TESTBED_STATE`, else `<tmp>/paasta-testbed-<uid>`: one sub-directory per testbed name. */
export function stateRoot(): string {
  const given = process.env['PAASTA_TESTBED_STATE'];
  return given !== undefined && given !== '' ? path.resolve(given) : path.join(os.tmpdir(), `paasta-testbed-${userId()}`);
}

/** The state directory of one part (`kubernetes`, `registry`) of one testbed. */
export function partState(name: string, part: string): string {
  const dir = path.join(stateRoot(), checkName(name), part);
  if (dir.length > LONGEST_STATE_PATH) {
    throw new TestbedError(
      `the state directory is too long for unix sockets (${dir.length} > ${LONGEST_STATE_PATH} characters): ${dir}`,
      'set PAASTA_TESTBED_STATE to a shorter directory',
    );
  }
  return dir;
}

/** Names that have state now. */
export function knownNames(): string[] {
  if (!fs.existsSync(stateRoot())) return [];
  return fs
    .readdirSync(stateRoot(), { withFileTypes: true })
    .filter((e) => e.isDirectory() && NAME.test(e.name) && !RESERVED.has(e.name))
    .map((e) => e.name);
}

/** The cgroup of one part: two state directories of one machine never share it, because `down` kills what is in it. */
export function cgroupName(part: string): string {
  const given = process.env['PAASTA_TESTBED_STATE'];
  const mark = given === undefined || given === '' ? '' : `${createHash('sha256').update(stateRoot()).digest('hex').slice(0, 6)}-`;
  return `paasta-testbed-${mark}${part}`;
}

/** Creates the root of all state so that only this user may write there. */
export function makeStateRoot(): string {
  const root = stateRoot();
  fs.mkdirSync(root, { recursive: true, mode: 0o711 });
  return root;
}

/** Removes a testbed's directory when its last part is gone, and the root with the last testbed; never a held lock or what a keeper reads. */
export function tidyState(name: string): void {
  const root = stateRoot();
  for (const dir of [path.join(root, name), path.join(root, 'locks'), path.join(root, 'keepers'), root]) {
    try {
      fs.rmdirSync(dir);
    } catch {
      /* still in use */
    }
  }
}

/** What was brought or built, by version: `${XDG_CACHE_HOME:-~/.cache}/paasta-actions`. */
export function cacheRoot(): string {
  const given = process.env['XDG_CACHE_HOME'];
  return path.join(given !== undefined && given !== '' ? given : path.join(os.homedir(), '.cache'), 'paasta-actions');
}
