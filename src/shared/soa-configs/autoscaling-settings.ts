/** `autoscaling` with its defaults. Rule: `get_autoscaling_params` in long_running_service_tools.py. */
import { deepMerge } from '../contract/merge.ts';
import { Float, isMap, type Value, type ValueMap } from '../contract/values.ts';
import type { AutoscalingParams, MetricsProvider } from './settings-types.ts';
import { emptyMap, keysOf } from './yaml-values.ts';

const DEFAULT_SETPOINT = 0.8;
/** promql queries are usually written so that 1 means full. */
const DEFAULT_PROMQL_SETPOINT = new Float(1);

function defaultProvider(setpoint: Value): ValueMap {
  const provider = emptyMap();
  provider.type = 'cpu';
  provider.decision_policy = 'proportional';
  provider.setpoint = setpoint;
  return provider;
}

/** Parameters with at least one provider; `undefined` when `metrics_providers` is not a list of mappings. */
export function autoscalingParams(given: ValueMap): AutoscalingParams | undefined {
  const params = emptyMap();
  for (const key of keysOf(given)) params[key] = given[key] as Value;
  const listed = given.metrics_providers;
  const providers: ValueMap[] = [];
  if (listed === undefined || (Array.isArray(listed) && listed.length === 0)) providers.push(defaultProvider(DEFAULT_SETPOINT));
  else {
    if (!Array.isArray(listed)) return undefined;
    for (const provider of listed as readonly Value[]) {
      if (!isMap(provider)) return undefined;
      const merged = deepMerge(
        provider,
        defaultProvider(provider.type === 'arbitrary-promql' ? DEFAULT_PROMQL_SETPOINT : DEFAULT_SETPOINT),
      );
      if (typeof merged.type !== 'string' || typeof merged.decision_policy !== 'string') return undefined;
      providers.push(merged);
    }
  }
  params.metrics_providers = providers;
  return params as ValueMap as AutoscalingParams;
}

/** True when an autoscaled instance has a provider of the type. */
export function hasProvider(params: AutoscalingParams, type: string): boolean {
  return params.metrics_providers.some((provider: MetricsProvider) => provider.type === type);
}
