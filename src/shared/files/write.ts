/** Writing a generated file into a directory tree: whole or not at all, and never outside the tree. */
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { UserError, messageOf, problem } from '../contract/errors.ts';
import { resolveInside } from './tree.ts';

/**
 * Replaces a file of a tree at once (a temporary file in the same directory, renamed), so that readers see the old text or the new one.
 * Mode 0666 without what the umask takes, as PaaSTA. The directory must exist. Throws `UserError` FILE_NOT_WRITABLE, and PATH_LEAVES_TREE and
 * LINK_LEAVES_TREE as reading does.
 */
export function writeInTree(root: string, path: string, text: string): void {
  let temporary: string | undefined;
  try {
    const directory = resolveInside(realpathSync.native(root), dirname(path));
    if (directory === undefined) throw new Error('its directory does not exist');
    const name = basename(path);
    temporary = join(directory, `.${name}-${randomBytes(6).toString('hex')}`);
    const handle = openSync(temporary, 'wx', 0o666);
    try {
      writeFileSync(handle, text);
    } finally {
      closeSync(handle);
    }
    renameSync(temporary, join(directory, name));
  } catch (error) {
    if (temporary !== undefined) rmSync(temporary, { force: true });
    if (error instanceof UserError) throw error;
    throw new UserError(
      problem('FILE_NOT_WRITABLE', `cannot be written: ${messageOf(error)}`, {
        file: path,
        hint: 'give the user of this run write permission to the directory, and look for free space',
      }),
      { cause: error },
    );
  }
}
