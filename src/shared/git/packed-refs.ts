/**
 * Refs of a repository on this machine, straight from its `packed-refs`: the file is sorted, so that a prefix is found by bisection and a
 * repository of 100,000 tags is answered by some kilobytes. What the file cannot tell (loose refs, reftables) is git's to say.
 */
import { closeSync, fstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Ref } from '../contract/ref.ts';
import { imageVersionFor, markRefPrefix, parseTag } from '../contract/tags.ts';

/** The newest mark of a deploy group. */
export interface NewestMark extends Ref {
  readonly timestamp: string;
  /** `null`: none. */
  readonly imageVersion: string | null;
}

export interface Read<T> {
  readonly found: T;
  /** Bytes of `packed-refs` that were read. */
  readonly bytesRead: number;
}

const NEWLINE = 10;
const CARET = 94;
/** Bytes of one look while bisecting: some ref lines. */
const LOOK = 1_024;
/** Bytes below which bisecting ends. */
const NEAR = 4_096;
const LARGEST_READ = 65_536;

/** The `.git` of a repository (bare or not); `undefined` for what is none and for linked work trees. Looks where git looks. */
export function gitDirectory(path: string): string | undefined {
  for (const candidate of [join(path, '.git'), path, join(`${path}.git`, '.git'), `${path}.git`]) {
    const kind = statSync(candidate, { throwIfNoEntry: false });
    if (kind?.isFile() === true) return undefined;
    if (kind?.isDirectory() !== true || statSync(join(candidate, 'HEAD'), { throwIfNoEntry: false })?.isFile() !== true) continue;
    if (statSync(join(candidate, 'commondir'), { throwIfNoEntry: false }) !== undefined) return undefined;
    if (
      statSync(join(candidate, 'objects'), { throwIfNoEntry: false })?.isDirectory() === true &&
      statSync(join(candidate, 'refs'), { throwIfNoEntry: false })?.isDirectory() === true
    )
      return candidate;
  }
  return undefined;
}

/** Refs whose full name begins with the prefix, dereferenced, in byte order. `undefined`: only git can say. */
export function packedRefs(gitDir: string, prefix: string): Read<readonly Ref[]> | undefined {
  return inPacked(gitDir, prefix, (file) => {
    const refs: Ref[] = [];
    file.forward(prefix, (ref) => refs.push(ref) > 0);
    return refs;
  });
}

/**
 * The newest deploy tag of a group; rules of `get_latest_deployment_tag`. Marks without image version sort by their time: only the last is
 * read. Marks with one sort by the version first: all of the group are read. `undefined` in `found`: there is no mark.
 */
export function newestPackedMark(gitDir: string, group: string): Read<NewestMark | undefined> | undefined {
  const prefix = markRefPrefix(group);
  return inPacked(gitDir, prefix, (file) => {
    const marks: Ref[] = [];
    file.forward(`${prefix}+`, (ref) => marks.push(ref) > 0);
    file.backward(`${prefix}-`, (ref) => {
      const tag = parseTag(ref.name);
      if (tag?.kind !== 'deploy' || tag.subject !== group) return true;
      marks.push(ref);
      return false;
    });
    return newestMarkOf(marks, group);
  });
}

/** The newest of a list of refs in byte order; of equal times the first. */
export function newestMarkOf(refs: readonly Ref[], group: string): NewestMark | undefined {
  let newest: NewestMark | undefined;
  for (const ref of refs) {
    const tag = parseTag(ref.name);
    if (tag?.kind !== 'deploy') continue;
    const imageVersion = imageVersionFor(tag, group);
    if (imageVersion !== undefined && (newest === undefined || tag.timestamp > newest.timestamp))
      newest = { ...ref, timestamp: tag.timestamp, imageVersion };
  }
  return newest;
}

function inPacked<T>(gitDir: string, prefix: string, body: (file: PackedFile) => T): Read<T> | undefined {
  if (statSync(join(gitDir, 'reftable'), { throwIfNoEntry: false }) !== undefined) return undefined;
  // First the loose ones: packing writes the file before it removes them.
  if (hasLoose(gitDir, prefix)) return undefined;
  let handle: number;
  try {
    handle = openSync(join(gitDir, 'packed-refs'), 'r');
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') return undefined;
    // Neither loose nor packed: there is no such ref.
    return { found: body(new PackedFile(-1, 0, 0)), bytesRead: 0 };
  }
  try {
    const head = Buffer.alloc(256);
    const read = readSync(handle, head, 0, head.length, 0);
    const line = head.subarray(0, Math.max(head.subarray(0, read).indexOf(NEWLINE), 0)).toString('latin1');
    if (!line.startsWith('# pack-refs with:') || !/ sorted\b/.test(line) || !/ fully-peeled\b/.test(line)) return undefined;
    const file = new PackedFile(handle, line.length + 1, fstatSync(handle).size);
    return { found: body(file), bytesRead: read + file.bytesRead };
  } finally {
    closeSync(handle);
  }
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}

function hasLoose(gitDir: string, prefix: string): boolean {
  const [directory, start] = [dirname(`${prefix}x`), basename(`${prefix}x`).slice(0, -1)];
  try {
    return readdirSync(join(gitDir, directory)).some((name) => name.startsWith(start));
  } catch (error) {
    return codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ENOTDIR';
  }
}

/** A line of a ref (with what it is dereferenced to) and where it stands. */
interface Entry {
  readonly ref: Ref;
  readonly start: number;
  /** Start of the next ref's line. */
  readonly end: number;
}

class PackedFile {
  bytesRead = 0;
  private readonly handle: number;
  private readonly first: number;
  private readonly size: number;

  constructor(handle: number, first: number, size: number) {
    this.handle = handle;
    this.first = first;
    this.size = size;
  }

  /** Refs with the prefix in byte order, until `take` says false. */
  forward(prefix: string, take: (ref: Ref) => boolean): void {
    let at = this.lowerBound(Buffer.from(prefix));
    for (let length = LOOK; at < this.size; length = Math.min(2 * length, LARGEST_READ)) {
      const entries = this.entries(at, length);
      for (const { ref } of entries) if (!ref.name.startsWith(prefix) || !take(ref)) return;
      const last = entries.at(-1);
      if (last === undefined) return;
      at = last.end;
    }
  }

  /** Refs whose name continues the prefix with a digit, from the last to the first, until `take` says false. */
  backward(prefix: string, take: (ref: Ref) => boolean): void {
    // ':' comes after '9'.
    const [from, to] = [this.lowerBound(Buffer.from(`${prefix}0`)), this.lowerBound(Buffer.from(`${prefix}:`))];
    for (let end = to, length = LOOK; end > from; length *= 2) {
      const start = this.lineStart(Math.max(from, end - length), from, end);
      // One byte more: it tells that the last line is complete.
      const entries = this.entries(start, end - start + 1).filter((entry) => entry.start < end);
      for (const { ref } of entries.reverse()) if (!take(ref)) return;
      end = start;
    }
  }

  /** Offset of the first ref whose name is not before the key; the end of the file when there is none. */
  private lowerBound(key: Buffer): number {
    let [low, high] = [this.first, this.size];
    while (high - low > NEAR) {
      const middle = low + Math.floor((high - low) / 2);
      const start = this.lineStart(middle, low, high);
      const [entry] = start >= high ? [] : this.entries(start, LOOK, 1);
      // No ref begins between the middle and the high end.
      if (entry === undefined) high = middle;
      else if (Buffer.compare(Buffer.from(entry.ref.name), key) < 0) low = entry.end;
      else high = start;
    }
    for (let length = NEAR + LOOK; low < this.size;) {
      const entries = this.entries(low, length);
      for (const entry of entries) if (Buffer.compare(Buffer.from(entry.ref.name), key) >= 0) return entry.start;
      const last = entries.at(-1);
      if (last !== undefined) low = last.end;
      else if (low + length >= this.size) return this.size;
      else length *= 2;
    }
    return this.size;
  }

  /** Where the first line of a ref begins that begins at `at` or later; `high` when none does before it. */
  private lineStart(at: number, low: number, high: number): number {
    if (at <= low) return low;
    for (let length = LOOK, from = at - 1; from < high; length = Math.min(2 * length, LARGEST_READ)) {
      const bytes = this.read(from, Math.min(length, this.size - from));
      for (let newline = bytes.indexOf(NEWLINE); newline !== -1; newline = bytes.indexOf(NEWLINE, newline + 1)) {
        const start = from + newline + 1;
        if (start >= high) return high;
        if (newline + 1 < bytes.length && bytes[newline + 1] !== CARET) return start;
        if (newline + 1 === bytes.length) break;
      }
      // One byte again: a newline at the very end belongs to the next look.
      from += Math.max(bytes.length - 1, 1);
    }
    return high;
  }

  /** Refs of a piece of the file that begins with a ref's line; the last one only when it is complete with what follows it. */
  private entries(at: number, length: number, limit = Infinity): Entry[] {
    let bytes = this.read(at, Math.min(length, this.size - at));
    // At least one whole line, however long its name.
    while (at + bytes.length < this.size && bytes.indexOf(NEWLINE, bytes.indexOf(NEWLINE) + 1) === -1)
      bytes = this.read(at, Math.min(2 * bytes.length, this.size - at));
    const isEnd = at + bytes.length >= this.size;
    const found: Entry[] = [];
    for (let start = 0; start < bytes.length && found.length < limit;) {
      const newline = bytes.indexOf(NEWLINE, start);
      if (newline === -1) break;
      const space = bytes.indexOf(32, start);
      let [end, sha] = [newline + 1, bytes.toString('latin1', start, space)];
      if (end >= bytes.length && !isEnd) break;
      if (bytes[end] === CARET) {
        const peeled = bytes.indexOf(NEWLINE, end);
        if (peeled === -1) break;
        [sha, end] = [bytes.toString('latin1', end + 1, peeled), peeled + 1];
      }
      if (space > start && space < newline)
        found.push({ ref: { name: bytes.toString('utf8', space + 1, newline), sha }, start: at + start, end: at + end });
      start = end;
    }
    return found;
  }

  private read(at: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafe(Math.max(length, 0));
    const read = length <= 0 ? 0 : readSync(this.handle, bytes, 0, length, at);
    this.bytesRead += read;
    return bytes.subarray(0, read);
  }
}
