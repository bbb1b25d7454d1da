import type { InstanceConfig } from './types.ts';

/** Service whose image and version an instance runs: a tron action may name another one than the service whose file it stands in. */
export function ownerOf(instance: InstanceConfig): string {
  const named = instance.type === 'tron' ? instance.config.service : undefined;
  return typeof named === 'string' && named !== '' ? named : instance.service;
}
