/** Docker volumes of an instance. Rule: `get_volumes` and `_reorder_docker_volumes` in paasta_tools/utils.py. */
import { isMap, type Value } from '../contract/values.ts';
import type { DockerVolume } from './settings-types.ts';

/** Read-only data of another system, mounted on `uses_bulkdata: true`. */
export const BULKDATA: DockerVolume = { hostPath: '/nail/bulkdata', containerPath: '/nail/bulkdata', mode: 'RO' };

/** `undefined`: not a volume. */
export function dockerVolume(value: Value): DockerVolume | undefined {
  if (!isMap(value) || typeof value.hostPath !== 'string' || typeof value.containerPath !== 'string') return undefined;
  if (value.mode !== undefined && typeof value.mode !== 'string') return undefined;
  return { hostPath: value.hostPath, containerPath: value.containerPath, ...(value.mode === undefined ? {} : { mode: value.mode }) };
}

/** Text order by code points, as Python compares. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  const [x, y] = [[...a], [...b]];
  for (let i = 0; i < Math.min(x.length, y.length); i++) {
    const difference = ((x[i] as string).codePointAt(0) as number) - ((y[i] as string).codePointAt(0) as number);
    if (difference !== 0) return difference;
  }
  return x.length - y.length;
}

const stripped = (path: string): string => path.replace(/(?<!\/)\/+$/, '');

/** Of two volumes with equal paths (trailing slashes aside) the later wins; the rest is sorted by container path, host path, mode. */
export function reorderVolumes(volumes: readonly DockerVolume[]): readonly DockerVolume[] {
  const unique = new Map<string, DockerVolume>();
  for (const volume of volumes) unique.set(stripped(volume.containerPath) + stripped(volume.hostPath), volume);
  return [...unique.values()].sort((a, b) => compareText(a.containerPath, b.containerPath) || compareText(a.hostPath, b.hostPath) || compareText(a.mode ?? '', b.mode ?? ''));
}
