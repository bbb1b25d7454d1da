import { resolve } from 'node:path';
import type { Runtime } from '../shared/contract/ports.ts';
import { createDocker } from '../shared/docker/index.ts';
import { openTree } from '../shared/files/tree.ts';
import { networkFetch } from '../shared/network/index.ts';
import { tracedRun } from '../shared/process/index.ts';
import { createRegistry, dockerCredentials } from '../shared/registry/index.ts';
import type { PushWire } from './main.ts';

/** The stage's real world: docker, the registry, files. */
export function wire({ env, log, mask, clock, signal, name, workingDirectory }: Runtime): PushWire {
  const run = tracedRun(log);
  return {
    run,
    docker: createDocker({ run, env, signal }),
    tree: (path) => openTree(resolve(workingDirectory, path)),
    registry: ({ insecure }) =>
      createRegistry({
        credentials: dockerCredentials({ env, run, mask, log }),
        log,
        mask,
        clock,
        signal,
        insecure,
        userAgent: name,
        fetch: networkFetch(env),
      }),
  };
}
