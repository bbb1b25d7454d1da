/** Read access to a real directory, for soa-configs and the system configuration. Nothing outside the directory is ever read. */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readFileSync,
  readdirSync,
  realpathSync,
  statSync,
  type Dirent,
} from 'node:fs';
import { join, sep } from 'node:path';
import { UserError, messageOf, problem } from '../contract/errors.ts';
import type { Entry, TreeReader } from '../contract/ports.ts';

/** Largest file that is read. */
export const MAX_FILE_BYTES = 1_048_576;
/** deployments.json is written by a program and grows with the deploy groups. */
const MAX_GENERATED_BYTES = 16_777_216;

/**
 * Opens a directory as a tree. The directory need not exist: then it has no entries. Reading throws `UserError` for a path or symbolic
 * link that leaves the tree, a link that points at nothing or at itself, a file without read permission, one that is not a regular
 * file, is too large or not UTF-8.
 */
export function openTree(root: string): TreeReader {
  let real: string | undefined;
  const base = (): string | undefined => {
    if (real === undefined) {
      try {
        real = realpathSync.native(root);
      } catch (error) {
        if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
        throw refuse(error, '', root);
      }
    }
    return real;
  };
  return {
    root,
    read(path) {
      const top = base();
      if (top === undefined) return undefined;
      const full = resolveInside(top, path);
      return full === undefined ? undefined : readRegular(full, path);
    },
    list(path) {
      const top = base();
      if (top === undefined) return [];
      const full = resolveInside(top, path);
      if (full === undefined) return [];
      let entries: Dirent[];
      try {
        entries = readdirSync(full, { withFileTypes: true });
      } catch (error) {
        if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return [];
        throw refuse(error, path, full);
      }
      return entries
        .map((entry): Entry => ({ name: entry.name, kind: kindOf(entry, full) }))
        .sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
    },
  };
}

/** Also true through a symbolic link. */
export function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function codeOf(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : undefined;
}

/** Real path of a path of the tree; `undefined` when it does not exist. */
export function resolveInside(top: string, path: string): string | undefined {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (path.startsWith('/') || path.includes('\0') || path.includes('\\') || parts.includes('..'))
    throw new UserError(
      problem('PATH_LEAVES_TREE', `'${path.replaceAll('\0', '\\0')}' is not a path inside the tree`, {
        hint: 'names of services and files hold no slash, backslash or ..',
      }),
    );
  const full = join(top, ...parts);
  let real: string;
  try {
    real = realpathSync.native(full);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      if (isLink(full))
        throw new UserError(
          problem('LINK_BROKEN', 'the symbolic link points at nothing', { file: path, hint: 'remove it or mend its target' }),
        );
      return undefined;
    }
    if (code === 'ENAMETOOLONG') return undefined;
    throw refuse(error, path, full);
  }
  if (real !== top && !real.startsWith(top === sep ? sep : top + sep))
    throw new UserError(
      problem('LINK_LEAVES_TREE', `the symbolic link leads out of the tree, to ${real}`, {
        file: path,
        hint: 'put a copy of the file inside the tree',
      }),
    );
  return real;
}

function isLink(path: string): boolean {
  try {
    return lstatSync(path).isSymbolicLink();
  } catch {
    return false;
  }
}

/** A link counts as what it points at. One that cannot be followed counts as a file, so that reading it says what is wrong. */
function kindOf(entry: Dirent, directory: string): Entry['kind'] {
  if (entry.isFile()) return 'file';
  if (entry.isDirectory()) return 'directory';
  if (!entry.isSymbolicLink()) return 'other';
  try {
    const full = join(directory, entry.name);
    const target = statSync(full);
    if (!target.isDirectory()) return target.isFile() ? 'file' : 'other';
    const real = realpathSync.native(full);
    return directory === real || directory.startsWith(real + sep) ? 'other' : 'directory';
  } catch {
    return 'file';
  }
}

function readRegular(full: string, path: string): string | undefined {
  let handle: number;
  try {
    handle = openSync(full, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw refuse(error, path, full);
  }
  try {
    const status = fstatSync(handle);
    if (!status.isFile())
      throw new UserError(
        problem('NOT_A_FILE', status.isDirectory() ? 'a directory stands where a file is expected' : 'this is not a regular file', {
          file: path,
          hint: 'remove or rename it',
        }),
      );
    const limit = path.endsWith('deployments.json') ? MAX_GENERATED_BYTES : MAX_FILE_BYTES;
    if (status.size > limit)
      throw new UserError(
        problem('FILE_TOO_LARGE', `the file has ${status.size} bytes; at most ${limit} are read`, {
          file: path,
          hint: 'configuration files are small: is this the right file?',
        }),
      );
    return decode(readFileSync(handle), path);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw refuse(error, path, full);
  } finally {
    closeSync(handle);
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decode(bytes: Buffer, path: string): string {
  if (bytes.length >= 2 && ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)))
    throw new UserError(
      problem('FILE_ENCODING', 'the file is encoded in UTF-16', { file: path, line: 1, column: 1, hint: 'save it as UTF-8' }),
    );
  try {
    return UTF8.decode(bytes);
  } catch {
    const at = firstInvalid(bytes);
    const before = bytes.subarray(0, at);
    const line = before.filter((byte) => byte === 10).length + 1;
    throw new UserError(
      problem('FILE_ENCODING', 'the file is not UTF-8', {
        file: path,
        line,
        column: at - (before.lastIndexOf(10) + 1) + 1,
        hint: 'save it as UTF-8',
      }),
    );
  }
}

/** Offset of the first byte that is not UTF-8: decoding puts U+FFFD there (a genuine U+FFFD before it decodes to itself). */
function firstInvalid(bytes: Buffer): number {
  const text = bytes.toString('utf8');
  for (let index = text.indexOf('\uFFFD'); index >= 0; index = text.indexOf('\uFFFD', index + 1)) {
    const at = Buffer.byteLength(text.slice(0, index));
    if (bytes.subarray(at, at + 3).toString('hex') !== 'efbfbd') return at;
  }
  return 0;
}

function refuse(error: unknown, path: string, full: string): UserError {
  const file = path === '' ? full : path;
  const code = codeOf(error);
  if (code === 'EACCES' || code === 'EPERM')
    return new UserError(
      problem('FILE_UNREADABLE', 'no permission to read it', { file, hint: 'give the user of this run read permission' }),
      { cause: error },
    );
  if (code === 'ELOOP')
    return new UserError(problem('LINK_LOOP', 'the symbolic link leads back to itself', { file, hint: 'remove the link' }), {
      cause: error,
    });
  return new UserError(problem('FILE_UNREADABLE', `cannot be read: ${messageOf(error)}`, { file }), { cause: error });
}
