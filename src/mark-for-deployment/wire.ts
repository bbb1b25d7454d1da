import { resolve } from 'node:path';
import type { Runtime } from '../shared/contract/ports.ts';
import { openTree } from '../shared/files/tree.ts';
import { connectGit } from '../shared/git/index.ts';
import { connectGitHub, readEventContext } from '../shared/github/index.ts';
import { networkFetch } from '../shared/network/index.ts';
import { tracedRun } from '../shared/process/index.ts';
import { createRegistry, dockerCredentials, givenCredentials } from '../shared/registry/index.ts';
import type { MarkWire } from './main.ts';

/** The stage's real world: GitHub or git, the registry, files. */
export function wire({ env, log, mask, clock, signal, name, workingDirectory }: Runtime): MarkWire {
  const run = tracedRun(log);
  return {
    run,
    tree: (path) => openTree(resolve(workingDirectory, path)),
    connect: ({ apiUrl, token }) => connectGitHub({ apiUrl, token, userAgent: name, log, mask, env, signal }),
    git: (url) => connectGit({ url, run, env, mask, checkout: workingDirectory, signal }),
    registry: ({ insecure, address, username, password }) =>
      createRegistry({
        credentials: givenCredentials({ registry: address, username, password, mask }, dockerCredentials({ env, run, mask, log })),
        fetch: networkFetch(env),
        log,
        mask,
        clock,
        signal,
        insecure,
        userAgent: name,
      }),
    isAutomated: () => readEventContext(env)?.isAutomated ?? false,
  };
}
