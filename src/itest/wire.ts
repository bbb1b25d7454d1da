import { resolve } from 'node:path';
import type { Runtime } from '../shared/contract/ports.ts';
import { createDocker } from '../shared/docker/index.ts';
import { openTree } from '../shared/files/tree.ts';
import { tracedRun } from '../shared/process/index.ts';
import type { ItestDependencies } from './main.ts';

/** The stage's real world: make, docker, files. */
export function wire({ env, log, signal, workingDirectory }: Runtime): ItestDependencies {
  const run = tracedRun(log);
  return { run, docker: createDocker({ run, env, signal }), tree: (path) => openTree(resolve(workingDirectory, path)) };
}
