/** How many replicas an instance has, and between which bounds they are scaled. Rule: `get_instances` in long_running_service_tools.py. */
import { autoscalingParams } from './autoscaling-settings.ts';
import type { InstanceReader } from './setting-reader.ts';
import type { InstanceSettings, SettingsContext } from './settings-types.ts';
import { emptyMap } from './yaml-values.ts';

const MOST_INSTANCES = 2_147_483_647;

export function replicasOf(
  read: InstanceReader,
  context: SettingsContext,
): Pick<InstanceSettings, 'instances' | 'desiredInstances' | 'minInstances' | 'maxInstances' | 'autoscalingEnabled' | 'autoscalingParams'> {
  const rule = { integer: true, min: 0, max: MOST_INSTANCES };
  const minInstances = read.plainNumber('minInstances', ['min_instances'], 1, rule);
  const maxInstances = read.optionalNumber('maxInstances', ['max_instances'], rule);
  const autoscalingEnabled = maxInstances !== null;
  const fixed = read.plainNumber('instances', ['instances'], 1, rule);
  const live = context.liveReplicas ?? null;
  const instances = maxInstances === null ? fixed : live === null ? maxInstances : Math.max(minInstances, Math.min(maxInstances, live));
  let params = autoscalingParams(read.map('autoscalingParams', ['autoscaling']));
  if (params === undefined) {
    read.fault(
      'autoscalingParams',
      'WRONG_TYPE',
      'autoscaling.metrics_providers must be a list of mappings with a type',
      ['autoscaling', 'metrics_providers'],
      "write '- type: cpu'",
    );
    params = autoscalingParams(emptyMap());
  }
  if (autoscalingEnabled && maxInstances < minInstances)
    read.fault(
      'minInstances',
      'MIN_ABOVE_MAX',
      `min_instances (${minInstances}) is greater than max_instances (${maxInstances})`,
      [read.raw('min_instances') === undefined ? 'max_instances' : 'min_instances'],
      'min_instances defaults to 1',
    );
  // PaaSTA computes with such bounds, so the numbers themselves are known; the problem stays.
  if (read.faults.minInstances?.code === 'MIN_ABOVE_MAX') delete read.faults.minInstances;
  const desiredInstances = (context.control?.desiredState ?? 'start') === 'start' ? instances : 0;
  return {
    instances,
    desiredInstances,
    minInstances,
    maxInstances,
    autoscalingEnabled,
    autoscalingParams: params as InstanceSettings['autoscalingParams'],
  };
}
