/** Values of an instance that PaaSTA's `validate` accepts and that are most likely mistakes. Each is a warning on its line. */
import { warning, type Problem } from '../contract/errors.ts';
import { isMap, numberOf } from '../contract/values.ts';
import { isLongRunning } from './validate-instances.ts';
import type { InstanceConfig } from './types.ts';
import { keysOf } from './yaml-values.ts';

/** Above these no machine, or no cluster, can help. mem and disk in MiB. */
const MOST: Readonly<Record<string, number>> = { cpus: 512, cpu_burst_add: 512, mem: 24 * 1024 * 1024, disk: 64 * 1024 * 1024, gpus: 64 };
const MOST_INSTANCES = 10_000;

export function checkLimits(instance: InstanceConfig): readonly Problem[] {
  const { config } = instance;
  const faults: Problem[] = [];
  const say = (path: readonly (string | number)[], code: string, message: string, hint: string): void =>
    void faults.push(
      warning(code, `${instance.service}.${instance.instance} in ${instance.cluster}: ${message}`, { ...instance.position(path), hint }),
    );
  for (const [key, most] of Object.entries(MOST)) {
    const value = numberOf(config[key] ?? null);
    if (value !== undefined && value > most)
      say(
        [key],
        'UNUSUALLY_LARGE',
        `${key} ${value === Infinity ? '.inf' : value} is more than any machine has (${most})`,
        key === 'mem' || key === 'disk' ? 'it is in MiB' : 'is a digit too many in it?',
      );
  }
  for (const key of ['instances', 'min_instances', 'max_instances']) {
    const value = numberOf(config[key] ?? null);
    // The schema says of an infinite one that it is no whole number.
    if (value !== undefined && value > MOST_INSTANCES && value !== Infinity)
      say([key], 'UNUSUALLY_LARGE', `${key} ${value} is more than ${MOST_INSTANCES}`, 'is a digit too many in it?');
  }
  const { env } = config;
  for (const name of isMap(env) ? keysOf(env) : []) {
    const value = isMap(env) ? env[name] : undefined;
    if (typeof value !== 'string') continue;
    if (/[\r\n]/.test(value.replace(/\n$/, '')))
      say(['env', name], 'ENV_NEWLINE', `the value of ${name} has more than one line`, 'write it on one line, or mount it as a file');
    if (/\$\([A-Za-z_]/.test(value))
      say(
        ['env', name],
        'ENV_EXPANSION',
        `Kubernetes replaces $(NAME) in the value of ${name}; nothing runs as a shell command there`,
        'write $$( for a literal $(',
      );
  }
  return isLongRunning(instance) ? [...faults, ...checkScaling(instance)] : faults;
}

/** Keys about numbers of copies that do not act together. */
function checkScaling(instance: InstanceConfig): readonly Problem[] {
  const { instances, min_instances: min, max_instances: max, autoscaling } = instance.config;
  const scaled = max !== undefined && max !== null;
  const faults: Problem[] = [];
  const say = (key: string, message: string, hint: string): void =>
    void faults.push(
      warning('AUTOSCALING_INCONSISTENT', `${instance.service}.${instance.instance} in ${instance.cluster}: ${message}`, {
        ...instance.position([key]),
        hint,
      }),
    );
  if (scaled && instances !== undefined && instances !== null)
    say('instances', 'instances has no effect beside max_instances: the autoscaler decides', 'remove instances, or max_instances');
  if (!scaled && min !== undefined && min !== null)
    say('min_instances', 'min_instances has no effect without max_instances', 'add max_instances, or write instances');
  if (!scaled && autoscaling !== undefined && autoscaling !== null)
    say('autoscaling', 'autoscaling has no effect without max_instances', 'add max_instances');
  return faults;
}
