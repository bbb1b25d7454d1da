/** How the health of an instance is asked for, and with how much patience. Rule: `get_healthcheck_mode` in long_running_service_tools.py. */
import type { InstanceReader } from './setting-reader.ts';
import type { HealthcheckMode, InstanceSettings } from './settings-types.ts';

const HEALTHCHECK_MODES: readonly HealthcheckMode[] = ['http', 'https', 'tcp', 'cmd'];

export function healthcheckOf(
  read: InstanceReader,
  mesh: InstanceSettings['mesh'],
): Pick<
  InstanceSettings,
  | 'healthcheckMode'
  | 'healthcheckUri'
  | 'healthcheckCmd'
  | 'healthcheckGracePeriodSeconds'
  | 'healthcheckIntervalSeconds'
  | 'healthcheckTimeoutSeconds'
  | 'healthcheckMaxConsecutiveFailures'
> {
  const own = read.oneOf('healthcheckMode', ['healthcheck_mode'], HEALTHCHECK_MODES, null);
  let healthcheckMode = own;
  if (own === null && mesh.healthcheckMode !== null) {
    const found = HEALTHCHECK_MODES.find((mode) => mode === mesh.healthcheckMode);
    if (found !== undefined) healthcheckMode = found;
  }
  const healthcheckCmd = read.optionalText('healthcheckCmd', ['healthcheck_cmd']);
  if (healthcheckMode === 'cmd' && healthcheckCmd === null && read.faults.healthcheckCmd === undefined)
    read.fault(
      'healthcheckCmd',
      'MISSING_KEY',
      'healthcheck_mode cmd needs a healthcheck_cmd',
      ['healthcheck_mode'],
      'add healthcheck_cmd: it runs in the container, exit 0 is healthy',
    );
  return {
    healthcheckMode,
    healthcheckUri: read.text('healthcheckUri', ['healthcheck_uri'], mesh.healthcheckUri),
    healthcheckCmd,
    healthcheckGracePeriodSeconds: read.plainNumber('healthcheckGracePeriodSeconds', ['healthcheck_grace_period_seconds'], 60, {
      min: 0,
      unit: 'seconds',
    }),
    healthcheckIntervalSeconds: read.plainNumber('healthcheckIntervalSeconds', ['healthcheck_interval_seconds'], 10, {
      min: 0,
      unit: 'seconds',
    }),
    healthcheckTimeoutSeconds: read.plainNumber('healthcheckTimeoutSeconds', ['healthcheck_timeout_seconds'], 10, {
      min: 0,
      unit: 'seconds',
    }),
    healthcheckMaxConsecutiveFailures: read.plainNumber('healthcheckMaxConsecutiveFailures', ['healthcheck_max_consecutive_failures'], 30, {
      integer: true,
      min: 0,
    }),
  };
}
