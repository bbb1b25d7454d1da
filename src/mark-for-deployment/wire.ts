import { resolve } from 'node:path';
import type { Runtime } from '../shared/contract/ports.ts';
import { openTree } from '../shared/files/tree.ts';
import { connectGit, type GitRemote } from '../shared/git/index.ts';
import { connectGitHub, readEventContext } from '../shared/github/index.ts';
import { networkFetch } from '../shared/network/index.ts';
import { run, type Run } from '../shared/process/index.ts';
import { createRegistry, dockerCredentials, givenCredentials } from '../shared/registry/index.ts';
import type { MarkWire } from './main.ts';

/** The stage's real world: GitHub or git, the registry, files. */
export function wire({ env, log, mask, clock, signal, name, workingDirectory }: Runtime): MarkWire {
  return {
    run,
    tree: (path) => openTree(resolve(workingDirectory, path)),
    connect: ({ apiUrl, token }) => connectGitHub({ apiUrl, token, userAgent: name, log, mask, env, signal }),
    git: (url) => {
      const remote = connectGit({ url, run, env, log, mask, checkout: workingDirectory, signal });
      return { ...remote, expandCommit: (text) => expandCommit(remote, run, workingDirectory, text) };
    },
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

/** As PaaSTA: the one commit that some ref of the server points at; what the checkout knows counts, too. */
async function expandCommit(remote: GitRemote, start: Run, directory: string, text: string): Promise<string | undefined> {
  const refs = await remote.listRefs('');
  const found = new Set(refs.map(({ sha }) => sha).filter((sha) => sha.startsWith(text)));
  const local = await start(['git', '-C', directory, 'rev-parse', '--verify', '--quiet', '--end-of-options', `${text}^{commit}`]);
  const own = local.stdout.trim();
  if (local.code === 0 && own.startsWith(text)) found.add(own);
  return found.size === 1 ? [...found][0] : undefined;
}
