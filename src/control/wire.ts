import { resolve } from 'node:path';
import type { Runtime } from '../shared/contract/ports.ts';
import { openTree } from '../shared/files/tree.ts';
import { connectGit } from '../shared/git/index.ts';
import { connectGitHub, repositoryAddress, serverUrlOf } from '../shared/github/index.ts';
import { tracedRun } from '../shared/process/index.ts';
import type { ControlWire } from './main.ts';

const PUBLIC_API = 'https://api.github.com';

/** The stage's real world: GitHub or git, files. */
export function wire({ env, log, mask, signal, name, workingDirectory }: Runtime): ControlWire {
  const run = tracedRun(log);
  return {
    run,
    tree: (path) => openTree(resolve(workingDirectory, path)),
    doors: ({ apiUrl = PUBLIC_API, token }) => ({
      serverHost: new URL(serverUrlOf(apiUrl)).host.toLowerCase(),
      address: repositoryAddress,
      api: (owner, repository) => connectGitHub({ apiUrl, token, userAgent: name, log, mask, env, signal }).repository(owner, repository),
      git: (url) => connectGit({ url, run, env, mask, checkout: workingDirectory, workingDirectory, signal }),
    }),
  };
}
