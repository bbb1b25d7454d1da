import { resolve } from 'node:path';
import type { Runtime } from '../shared/contract/ports.ts';
import { openTree } from '../shared/files/tree.ts';
import { tracedRun } from '../shared/process/index.ts';
import type { PipelineWire } from './main.ts';

/** The stage's real world: files, and the checkout that tells its service. */
export function wire({ log, workingDirectory }: Runtime): PipelineWire {
  return { run: tracedRun(log), tree: (path) => openTree(resolve(workingDirectory, path)) };
}
