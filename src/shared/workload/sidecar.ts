/** The hacheck sidecar of instances in the mesh. Upstream: `get_sidecar_containers`, `get_readiness_check_script`. */
import type { LabelPrefixes } from '../contract/names.ts';
import type { InstanceSettings } from '../soa-configs/instance-settings.ts';
import type { SystemConfig } from '../soa-configs/types.ts';
import { fieldEnvironment } from './environment.ts';
import { sidecarResources } from './resources.ts';
import { compact, flagOf, textOf, textsOf, type Fields } from './values-of.ts';
import type { MountedVolume } from './volumes.ts';

const PORT = 6666;
const PERIOD_SECONDS = 10;
const INITIAL_DELAY_SECONDS = 10;
const NERVE_SCRIPT = ['/check_smartstack_up.sh'];
const ENVOY_SCRIPT = ['/check_proxy_up.sh', '--enable-envoy', '--envoy-check-mode', 'eds-dir'];
const BOTH_SCRIPT = ['/check_proxy_up.sh', '--enable-smartstack', '--enable-envoy'];
const PREFIX = ['flock', '-n', '/readiness_check_lock', 'timeout', '120'];

/** The image of the sidecar, when the system configuration names one. */
export function sidecarImage(system: SystemConfig): string | undefined {
  const image = textOf(system.values['hacheck_sidecar_image_url']);
  return image === '' ? undefined : image;
}

/**
 * True when a hacheck sidecar runs beside the instance and answers for its readiness. Without a configured image there is none, also
 * in the mesh: PaaSTA renders a container without image then, which no cluster accepts (rule D-no-hacheck).
 */
export function hasSidecar(settings: InstanceSettings, system: SystemConfig): boolean {
  return settings.mesh.inMesh && sidecarImage(system) !== undefined;
}

function listOr(system: SystemConfig, key: string, otherwise: readonly string[]): readonly string[] {
  return system.values[key] === undefined ? otherwise : textsOf(system.values[key]);
}

function readiness(settings: InstanceSettings, system: SystemConfig): Fields | undefined {
  if (!settings.checkHaproxy && !settings.checkEnvoy) return undefined;
  const script =
    settings.checkHaproxy && settings.checkEnvoy
      ? listOr(system, 'envoy_nerve_readiness_check_script', BOTH_SCRIPT)
      : settings.checkHaproxy
        ? listOr(system, 'nerve_readiness_check_script', NERVE_SCRIPT)
        : listOr(system, 'envoy_readiness_check_script', ENVOY_SCRIPT);
  const initialDelaySeconds = flagOf(system.values['hacheck_match_initial_delay'], false)
    ? settings.healthcheckGracePeriodSeconds
    : INITIAL_DELAY_SECONDS;
  const prefix = listOr(system, 'readiness_check_prefix_template', PREFIX).map((word) =>
    word.replaceAll('{initial_delay}', String(initialDelaySeconds)).replaceAll('{period_seconds}', String(PERIOD_SECONDS)),
  );
  return {
    exec: { command: [...prefix, ...script, String(settings.containerPort), ...settings.registrations] },
    initialDelaySeconds,
    periodSeconds: PERIOD_SECONDS,
  };
}

/** Container `hacheck`: takes the registrations down before it stops, one second longer than the main container drains. */
export function sidecarContainer(
  settings: InstanceSettings,
  system: SystemConfig,
  prefixes: LabelPrefixes,
  volumes: readonly MountedVolume[],
): Fields {
  const { requests, limits } = sidecarResources(settings, system);
  return compact({
    name: 'hacheck',
    image: sidecarImage(system),
    ports: [{ containerPort: PORT }],
    env: [...fieldEnvironment(prefixes), { name: 'MESH_REGISTRATIONS', value: settings.registrations.join(' ') }],
    lifecycle: {
      preStop: {
        exec: {
          command: ['/bin/sh', '-c', `/usr/bin/hadown ${settings.registrations.join(' ')}; sleep ${settings.preStopDrainSeconds + 1}`],
        },
      },
    },
    readinessProbe: readiness(settings, system),
    resources: { requests: compact(requests), limits: compact(limits) },
    volumeMounts: volumes.map(({ mount }) => mount),
  });
}
