import type { Runtime } from '../shared/contract/ports.ts';

/** What action-itest/action.yml promises. */
export const OUTPUTS = ['docker-tag', 'image-id', 'duration'] as const;

/** Writes the outputs that are known; called before a failure is thrown, too. Duration in milliseconds, written in seconds. */
export function writeOutputs(
  runtime: Pick<Runtime, 'setOutput'>,
  known: { readonly dockerTag?: string | undefined; readonly imageId?: string | undefined; readonly duration?: number | undefined },
): void {
  if (known.dockerTag !== undefined) runtime.setOutput('docker-tag', known.dockerTag);
  if (known.imageId !== undefined) runtime.setOutput('image-id', known.imageId);
  if (known.duration !== undefined) runtime.setOutput('duration', (known.duration / 1_000).toFixed(1));
}
