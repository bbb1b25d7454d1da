/** HorizontalPodAutoscaler of an instance. Upstream: `get_autoscaling_metric_spec`, `get_autoscaling_scaling_policy`. */
import { percentOf } from '../bounce/arithmetic.ts';
import { warning } from '../contract/errors.ts';
import { paastaPrefixed, type LabelPrefixes } from '../contract/names.ts';
import { pythonText } from '../contract/python-text.ts';
import { numberOf, type ValueMap } from '../contract/values.ts';
import type { KubeObject } from '../objects/types.ts';
import type { InstanceSettings, MetricsProvider } from '../soa-configs/instance-settings.ts';
import { selectorLabels } from './labels.ts';
import type { Refuse } from './placement.ts';
import type { LiveState } from './types.ts';
import { mapOf, plainOf, type Fields } from './values-of.ts';

const DEFAULT_SETPOINT = 0.8;
const DEFAULT_WINDOW_SECONDS = 1800;
const SCALE_DOWN: Readonly<Fields> = {
  stabilizationWindowSeconds: 300,
  selectPolicy: 'Max',
  policies: [{ type: 'Percent', value: 30, periodSeconds: 60 }],
};

function numberAt(provider: ValueMap, key: string, otherwise: number): number {
  return numberOf(provider[key]) ?? otherwise;
}

/** A metric that the metrics adapter serves for the workload as a whole. */
function objectMetric(settings: InstanceSettings, metric: Fields, target: Fields): Fields {
  return {
    type: 'Object',
    object: { describedObject: { apiVersion: 'apps/v1', kind: 'Deployment', name: settings.appName }, metric, target },
  };
}

function prometheusMetric(settings: InstanceSettings, provider: MetricsProvider): Fields {
  const window = provider['moving_average_window_seconds'];
  return {
    name: `${provider.type}-prom-${window === undefined ? DEFAULT_WINDOW_SECONDS : pythonText(window)}`,
    selector: { matchLabels: { paasta_cluster: settings.cluster, paasta_service: settings.service, paasta_instance: settings.instance } },
  };
}

function metricOf(settings: InstanceSettings, provider: MetricsProvider, index: number, refuse: Refuse): Fields | undefined {
  const setpoint = numberAt(provider, 'setpoint', DEFAULT_SETPOINT);
  switch (provider.type) {
    case 'cpu':
    case 'memory':
      return {
        type: 'Resource',
        resource: { name: provider.type, target: { type: 'Utilization', averageUtilization: percentOf(setpoint) } },
      };
    case 'uwsgi':
    case 'piscina':
    case 'gunicorn':
      return objectMetric(settings, prometheusMetric(settings, provider), { type: 'Value', value: setpoint });
    case 'uwsgi-v2':
    case 'worker-load':
      return objectMetric(settings, prometheusMetric(settings, provider), { type: 'AverageValue', averageValue: setpoint });
    case 'active-requests':
      return objectMetric(settings, { name: `${settings.appName}-active-requests-prom` }, { type: 'Value', value: 1 });
    case 'arbitrary-promql': {
      const type = provider['target_type'] === undefined ? 'AverageValue' : pythonText(provider['target_type']);
      const value = numberAt(provider, 'setpoint', 1);
      return objectMetric(
        settings,
        { name: `${settings.appName}-arbitrary-promql-prom` },
        type === 'Value' ? { type, value } : { type: 'AverageValue', averageValue: value },
      );
    }
    default:
      refuse(
        ['autoscaling', 'metrics_providers', index, 'type'],
        warning('UNKNOWN_METRICS_PROVIDER', `metrics provider '${provider.type}' is unknown and left out`),
      );
      return undefined;
  }
}

/**
 * `undefined`: no autoscaler. Rendered when started, `max_instances` is set, neither bound is 0, and replicas are not set by something
 * external (`bespoke`). Bounds that an operator set for a time win over the file.
 */
export function autoscaler(
  settings: InstanceSettings,
  prefixes: LabelPrefixes,
  live: LiveState | undefined,
  refuse: Refuse,
): KubeObject | undefined {
  const providers = settings.autoscalingParams.metrics_providers;
  if (settings.desiredState === 'stop' || settings.maxInstances === null || providers[0]?.decision_policy === 'bespoke') return undefined;
  if (settings.persistentVolumes.length > 0) {
    refuse(
      ['max_instances'],
      warning('STATEFUL_SET_NOT_SCALED', 'an instance with persistent_volumes gets no HorizontalPodAutoscaler', {
        hint: 'write instances instead of max_instances',
      }),
    );
    return undefined;
  }
  const minReplicas = live?.autoscalingOverride?.minInstances || settings.minInstances;
  const maxReplicas = live?.autoscalingOverride?.maxInstances || settings.maxInstances;
  if (minReplicas === 0 || maxReplicas === 0) {
    refuse(
      [minReplicas === 0 ? 'min_instances' : 'max_instances'],
      warning(
        'AUTOSCALER_WITHOUT_BOUND',
        'no HorizontalPodAutoscaler is made while min_instances or max_instances is 0: Kubernetes does not scale to zero',
        { hint: 'set min_instances to 1 or more, or stop the instance' },
      ),
    );
    return undefined;
  }
  const metrics = providers.flatMap((provider, index) => metricOf(settings, provider, index, refuse) ?? []);
  const scaleDown = { ...SCALE_DOWN, ...(plainOf(mapOf(settings.autoscalingParams['scaledown_policies'])) as Fields) };
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: {
      name: settings.appName,
      namespace: settings.namespace,
      labels: {
        ...selectorLabels(settings, prefixes),
        [paastaPrefixed('pool', prefixes)]: settings.pool,
        [paastaPrefixed('managed', prefixes)]: 'true',
      },
    },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: settings.appName },
      minReplicas,
      maxReplicas,
      metrics,
      behavior: { scaleDown },
    },
  };
}
