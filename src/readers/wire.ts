import { resolve } from 'node:path';
import type { Runtime } from '../shared/contract/ports.ts';
import { isDirectory, openTree } from '../shared/files/tree.ts';
import { connectGit } from '../shared/git/index.ts';
import { connectGitHub, repositoryAddress, serverUrlOf } from '../shared/github/index.ts';
import { tracedRun } from '../shared/process/index.ts';
import type { ReaderWire } from './trees.ts';

const PUBLIC_API = 'https://api.github.com';

/** The real world: files, git, GitHub, make. */
export function wire({ env, log, mask, signal, name, workingDirectory }: Runtime): ReaderWire {
  const run = tracedRun(log);
  return {
    run,
    tree: (path) => openTree(resolve(workingDirectory, path)),
    isDirectory,
    doors: ({ apiUrl = PUBLIC_API, token, timeout }) => ({
      serverHost: new URL(serverUrlOf(apiUrl)).host.toLowerCase(),
      address: repositoryAddress,
      api: (owner, repository) => connectGitHub({ apiUrl, token, userAgent: name, log, mask, env, signal }).repository(owner, repository),
      git: (url) => connectGit({ url, run, env, mask, workingDirectory, signal, ...(timeout === undefined ? {} : { timeout }) }),
    }),
  };
}
