/** How the pods of an instance are replaced, drained and evicted. Rule: `LongRunningServiceConfig` and `KubernetesDeploymentConfig`. */
import { suggestName } from '../contract/near.ts';
import { numberOf } from '../contract/values.ts';
import type { KubernetesInstance } from './schema-types.ts';
import type { InstanceReader } from './setting-reader.ts';
import type { AwsEbsVolume, BounceMethodName, InstanceSettings } from './settings-types.ts';
import { typeName } from './type-name.ts';
import type { SystemConfig } from './types.ts';
import { emptyMap } from './yaml-values.ts';

const BOUNCE_METHODS: readonly BounceMethodName[] = ['crossover', 'brutal', 'downthenup', 'upthendown'];
const DRAIN_METHODS = ['noop', 'hacheck', 'http', 'test'] as const satisfies readonly KubernetesInstance['drain_method'][];

export function bounceOf(
  read: InstanceReader,
  system: SystemConfig,
  mesh: InstanceSettings['mesh'],
  ebs: readonly AwsEbsVolume[],
): Pick<
  InstanceSettings,
  | 'bounceMethod'
  | 'bounceMarginFactor'
  | 'bounceOverprovisionFactor'
  | 'bounceStartDeadline'
  | 'minTaskUptime'
  | 'checkHaproxy'
  | 'checkEnvoy'
  | 'drainMethod'
  | 'drainMethodParams'
  | 'unhealthyPodEvictionPolicy'
  | 'podManagementPolicy'
> {
  const bounceMethod = read.oneOf('bounceMethod', ['bounce_method'], BOUNCE_METHODS, 'crossover');
  if (ebs.length > 0 && bounceMethod !== 'downthenup')
    read.fault(
      'bounceMethod',
      'EBS_NEEDS_DOWNTHENUP',
      `an instance with aws_ebs_volumes must use bounce_method downthenup, not ${bounceMethod}`,
      [read.raw('bounce_method') === undefined ? 'aws_ebs_volumes' : 'bounce_method'],
      'add bounce_method: downthenup',
    );
  const systemFactor = numberOf(system.values.default_bounce_overprovision_factor) ?? 1;
  const drainDefault = mesh.inMesh ? 'hacheck' : 'noop';
  const drainMethod = read.text('drainMethod', ['drain_method'], drainDefault);
  if (!(DRAIN_METHODS as readonly string[]).includes(drainMethod))
    read.fault(
      'drainMethod',
      'UNKNOWN_VALUE',
      `drain_method must be one of ${DRAIN_METHODS.join(', ')}, not ${typeName(drainMethod)}`,
      ['drain_method'],
      suggestName(drainMethod, DRAIN_METHODS),
    );
  let drainMethodParams = read.map('drainMethodParams', ['drain_method_params']);
  if (read.raw('drain_method_params') === undefined && mesh.inMesh) {
    const delay = emptyMap();
    delay.delay = 60;
    drainMethodParams = delay;
  }
  return {
    bounceMethod,
    bounceMarginFactor: read.plainNumber('bounceMarginFactor', ['bounce_margin_factor'], 0.95, { min: 0, max: 1 }),
    bounceOverprovisionFactor: read.plainNumber('bounceOverprovisionFactor', ['bounce_overprovision_factor'], systemFactor, { min: 0 }),
    bounceStartDeadline: read.plainNumber('bounceStartDeadline', ['bounce_start_deadline'], 0),
    minTaskUptime: read.plainNumber('minTaskUptime', ['bounce_health_params', 'min_task_uptime'], 0, { min: 0, unit: 'seconds' }),
    checkHaproxy: read.flag(
      'checkHaproxy',
      ['bounce_health_params', 'check_haproxy'],
      system.values.enable_nerve_readiness_check !== false,
    ),
    checkEnvoy: read.flag('checkEnvoy', ['bounce_health_params', 'check_envoy'], system.values.enable_envoy_readiness_check === true),
    drainMethod,
    drainMethodParams,
    unhealthyPodEvictionPolicy: read.oneOf(
      'unhealthyPodEvictionPolicy',
      ['unhealthy_pod_eviction_policy'],
      ['IfHealthyBudget', 'AlwaysAllow'],
      'IfHealthyBudget',
    ),
    podManagementPolicy: read.oneOf('podManagementPolicy', ['pod_management_policy'], ['OrderedReady', 'Parallel'], 'OrderedReady'),
  };
}
