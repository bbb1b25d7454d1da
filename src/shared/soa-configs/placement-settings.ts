/** Where an instance may run: constraints, locations refused and allowed, spread. Rule: `InstanceConfig` in paasta_tools/utils.py. */
import { pythonText } from '../contract/python-text.ts';
import type { Value } from '../contract/values.ts';
import type { InstanceReader } from './setting-reader.ts';
import type { InstanceSettings } from './settings-types.ts';
import type { SystemConfig } from './types.ts';
import { listIn } from './yaml-values.ts';

export function placementOf(
  read: InstanceReader,
  system: SystemConfig,
): Pick<InstanceSettings, 'constraints' | 'extraConstraints' | 'deployBlacklist' | 'deployWhitelist' | 'topologySpreadConstraints'> {
  return {
    constraints: read.raw('constraints') === undefined || read.raw('constraints') === null ? null : constraintsOf(read, 'constraints'),
    extraConstraints: constraintsOf(read, 'extra_constraints'),
    deployBlacklist: blacklistOf(read),
    deployWhitelist: whitelistOf(read),
    topologySpreadConstraints: Array.isArray(read.raw('topology_spread_constraints'))
      ? read.list('topologySpreadConstraints', ['topology_spread_constraints'])
      : listIn(system.values, 'topology_spread_constraints'),
  };
}

function constraintsOf(read: InstanceReader, key: 'constraints' | 'extra_constraints'): readonly (readonly string[])[] {
  const setting = key === 'constraints' ? 'constraints' : 'extraConstraints';
  const out: (readonly string[])[] = [];
  read.list(setting, [key]).forEach((value, index) => {
    if (Array.isArray(value)) out.push((value as readonly Value[]).map(pythonText));
    else read.fault(setting, 'WRONG_TYPE', `${key} entry ${index + 1} must be a list`, [key, index]);
  });
  return out;
}

function blacklistOf(read: InstanceReader): readonly (readonly [string, string])[] {
  const out: (readonly [string, string])[] = [];
  read.list('deployBlacklist', ['deploy_blacklist']).forEach((value, index) => {
    const pair = Array.isArray(value) ? (value as readonly Value[]) : [];
    if (pair.length === 2 && typeof pair[0] === 'string') out.push([pair[0], pythonText(pair[1] as Value)]);
    else
      read.fault(
        'deployBlacklist',
        'WRONG_TYPE',
        `deploy_blacklist entry ${index + 1} must be [location type, location]`,
        ['deploy_blacklist', index],
        'for example [region, uswest1-prod]',
      );
  });
  return out;
}

function whitelistOf(read: InstanceReader): readonly [string, readonly string[]] | null {
  const value = read.raw('deploy_whitelist');
  if (value === undefined || value === null) return null;
  const [type, places] = Array.isArray(value) && value.length === 2 ? (value as readonly Value[]) : [];
  if (typeof type === 'string' && Array.isArray(places)) return [type, (places as readonly Value[]).map(pythonText)];
  read.fault(
    'deployWhitelist',
    'WRONG_TYPE',
    'deploy_whitelist must be [location type, [locations]]',
    ['deploy_whitelist'],
    'for example [region, [uswest1-prod]]',
  );
  return null;
}
