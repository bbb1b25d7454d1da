import type { Runtime } from '../shared/contract/ports.ts';
import type { PushedImage } from './push.ts';

/** What action-push-to-registry/action.yml promises. */
export const OUTPUTS = ['image', 'digest', 'pushed', 'already-present'] as const;

/** Writes the outputs of the version's own image. */
export function writeOutputs(runtime: Runtime, image: PushedImage): void {
  const values: Readonly<Record<(typeof OUTPUTS)[number], string>> = {
    image: image.reference,
    digest: image.digest ?? '',
    pushed: String(image.state === 'pushed' || image.state === 'replaced'),
    'already-present': String(image.state === 'already-present'),
  };
  for (const [name, value] of Object.entries(values)) runtime.setOutput(name, value);
}

const WORDS: Readonly<Record<PushedImage['state'], string>> = {
  pushed: 'pushed',
  'already-present': 'already there, not overwritten',
  replaced: 'replaced (force)',
  'would-push': 'would be pushed (dry run)',
  'would-replace': 'would be replaced (dry run, force)',
};

/** Job summary: one row for each tag. */
export function pushSummary(service: string, images: readonly PushedImage[]): string {
  const rows = images.map(
    ({ reference, state, digest, replaced }) =>
      `| \`${reference}\` | ${WORDS[state]} | ${replaced === undefined ? '' : `\`${replaced}\` → `}${digest === undefined ? '' : `\`${digest}\``} |`,
  );
  return [`### push-to-registry: ${service}`, '', '| image | | digest |', '| --- | --- | --- |', ...rows, ''].join('\n');
}
