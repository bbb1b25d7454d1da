import { resolve } from 'node:path';
import type { Runtime } from '../shared/contract/ports.ts';
import { isDirectory, openTree } from '../shared/files/tree.ts';
import { writeInTree } from '../shared/files/write.ts';
import { connectGit } from '../shared/git/index.ts';
import { tracedRun } from '../shared/process/index.ts';
import type { GenerateWire } from './main.ts';

/** The stage's real world: files, GitHub, git. */
export function wire({ env, log, mask, signal, name, workingDirectory }: Runtime): GenerateWire {
  const run = tracedRun(log);
  return {
    tree: (path) => openTree(resolve(workingDirectory, path)),
    isDirectory,
    write: writeInTree,
    refs: ({ apiUrl, token }) => ({
      github: async () => {
        if (token === '') return undefined;
        // Loaded late: a tree whose repositories are all on this machine needs no client.
        const [{ repositoryAddress, serverUrlOf }, { connectRefBatches }] = await Promise.all([
          import('../shared/github/index.ts'),
          import('../shared/github/ref-batches.ts'),
        ]);
        return {
          serverHost: new URL(serverUrlOf(apiUrl)).host.toLowerCase(),
          address: repositoryAddress,
          batches: connectRefBatches({ apiUrl, token, userAgent: name, log, mask, env, signal }),
        };
      },
      git: (url) => connectGit({ url, run, env, mask, workingDirectory, signal }),
    }),
  };
}
