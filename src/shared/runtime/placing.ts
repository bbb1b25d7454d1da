/** Files in problems as the checkout of the job knows them, so that annotations find their lines. */
import { isAbsolute, relative, resolve } from 'node:path';
import { UserError, type Problem } from '../contract/errors.ts';
import type { Runtime, TreeReader } from '../contract/ports.ts';

type Place = Pick<Runtime, 'env' | 'workingDirectory'>;

/** The problem with its file, which is meant from `directory`, as a path from the root of the job's workspace. One outside of it stays as it is. */
export function inRepository(found: Problem, directory: string, { env, workingDirectory }: Place): Problem {
  if (found.file === undefined) return found;
  const path = relative(env['GITHUB_WORKSPACE'] ?? workingDirectory, resolve(directory, found.file));
  return path === '' || path.startsWith('..') || isAbsolute(path) ? found : { ...found, file: path };
}

/** The same for a file of one of these trees: the first that has it. */
export function inTrees(found: Problem, trees: readonly TreeReader[], place: Place): Problem {
  const { file } = found;
  const tree = file === undefined ? undefined : trees.find((each) => has(each, file));
  return tree === undefined ? found : inRepository(found, tree.root, place);
}

/** A file outside of the tree, such as one that a Makefile includes, is none of its own: the tree refuses to read it. */
function has(tree: TreeReader, file: string): boolean {
  try {
    return tree.read(file) !== undefined;
  } catch {
    return false;
  }
}

/** Does what reads these trees; the problems that it throws are in place. */
export async function placing<T>(place: Place, trees: readonly TreeReader[], body: () => T | Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(
      error.problems.map((found) => inTrees(found, trees, place)),
      { exitCode: error.exitCode, summarised: error.summarised, cause: error.cause },
    );
  }
}
