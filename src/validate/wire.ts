import { mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { messageOf, problem, UserError } from '../shared/contract/errors.ts';
import type { Runtime } from '../shared/contract/ports.ts';
import { openTree } from '../shared/files/tree.ts';
import { connectGitHub, readEventContext } from '../shared/github/index.ts';
import { tracedRun } from '../shared/process/index.ts';
import type { ValidateWire } from './main.ts';

/** The stage's real world: files, git, GitHub. */
export function wire({ env, log, mask, signal, name, workingDirectory }: Runtime): ValidateWire {
  const run = tracedRun(log);
  return {
    run,
    tree: (path) => openTree(resolve(workingDirectory, path)),
    realPath: (path) => {
      try {
        return realpathSync.native(path);
      } catch {
        return path;
      }
    },
    write: (path, text, input) => {
      try {
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, text);
      } catch (error) {
        throw new UserError(
          problem('OUTPUT_FILE', `${input}: cannot write ${path}: ${messageOf(error)}`, {
            input,
            hint: 'give a path in a directory that can be written',
          }),
          { cause: error },
        );
      }
    },
    connect: ({ apiUrl, token }) => connectGitHub({ apiUrl, token, userAgent: name, log, mask, env, signal }),
    event: () => readEventContext(env),
  };
}
