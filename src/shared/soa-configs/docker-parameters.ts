/** Parameters of `docker run` for the container of an instance. Rule: `format_docker_parameters` in paasta_tools/utils.py. */
import { pythonText } from '../contract/python-text.ts';
import { numberOf, type Value, type ValueMap } from '../contract/values.ts';
import type { InstanceReader } from './setting-reader.ts';
import type { InstanceSettings, NumberValue } from './settings-types.ts';
import type { InstanceConfig, SystemConfig } from './types.ts';
import { isTruthy, keysOf } from './yaml-values.ts';

/** Capabilities that every container drops unless the instance asks for them. Upstream: `CAPS_DROP` of paasta_tools/utils.py. */
export const CAPS_DROP: readonly string[] = [
  'SETPCAP',
  'MKNOD',
  'AUDIT_WRITE',
  'CHOWN',
  'NET_RAW',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'NET_BIND_SERVICE',
  'SYS_CHROOT',
  'SETFCAP',
];

/** A number without its fraction, all digits: past 2^53 `String` would round them and go over to exponents. */
function digits(value: number): string {
  return Number.isFinite(value) ? BigInt(Math.trunc(value)).toString() : String(value);
}

export function dockerParametersOf(
  instance: InstanceConfig,
  system: SystemConfig,
  read: InstanceReader,
  resources: Pick<InstanceSettings, 'cpus' | 'cpuBurstAdd' | 'mem' | 'disk'>,
  extra: ValueMap,
  capAdd: readonly string[],
): readonly string[] {
  const number = (value: NumberValue): number => numberOf(value) ?? 0;
  const period = read.plainNumber('dockerParameters', ['cfs_period_us'], 100_000, { min: 0, unit: 'microseconds' });
  const quota = (number(resources.cpus) + number(resources.cpuBurstAdd)) * period;
  read.follows('dockerParameters', 'cpus', 'cpuBurstAdd', 'mem', 'disk', 'extraDockerArgs', 'capAdd');
  return [
    `memory-swap=${digits(Math.ceil(number(resources.mem) + 64))}m`,
    `cpu-period=${digits(period)}`,
    `cpu-quota=${digits(quota)}`,
    ...(isTruthy(system.values.enforce_disk_quota) ? [`storage-opt=size=${digits(number(resources.disk) * 1_048_576)}`] : []),
    `label=paasta_service=${instance.service}`,
    `label=paasta_instance=${instance.instance}`,
    ...keysOf(extra).map((key) => `${key}=${pythonText(extra[key] as Value)}`),
    'init=true',
    ...capAdd.map((cap) => `cap-add=${cap}`),
    ...CAPS_DROP.filter((cap) => !capAdd.includes(cap)).map((cap) => `cap-drop=${cap}`),
  ];
}
