/** How the pods of an instance are drained by whoever ends them from outside, and where Kubernetes leaves no room for it. */
import { readDrainMethod } from '../bounce/drain-params.ts';
import { warning } from '../contract/errors.ts';
import { isMap } from '../contract/values.ts';
import type { InstanceSettings } from '../soa-configs/instance-settings.ts';
import type { InstanceConfig, SystemConfig } from '../soa-configs/types.ts';
import type { Refuse } from './placement.ts';
import { hasSidecar } from './sidecar.ts';
import type { DrainSettings, PreStop } from './types.ts';

/** One warning for what the instance writes itself and the Deployment controller does not do. */
function warnOfNative(settings: InstanceSettings, instance: InstanceConfig, system: SystemConfig, kind: string, refuse: Refuse): void {
  const { drain_method: own, drain_method_params: params } = instance.config;
  const name = settings.drainMethod;
  const how = kind === 'StatefulSet' ? 'in a StatefulSet' : `under bounce_method ${settings.bounceMethod}`;
  const say = (key: string, what: string, hint: string): void =>
    refuse(
      [key],
      warning('DRAIN_WITHOUT_EFFECT', `${settings.instance}: ${what} has no effect ${how}: Kubernetes ends the old pods by itself`, {
        hint,
      }),
    );
  if (name === 'hacheck' && hasSidecar(settings, system)) {
    if (params !== undefined)
      say(
        'drain_method_params',
        'drain_method_params',
        'the hacheck sidecar marks the pod down and waits lifecycle.pre_stop_drain_seconds: set that',
      );
  } else if (own !== undefined && (name === 'http' || name === 'hacheck')) {
    const instead = 'the preStop hook does it there (lifecycle.pre_stop_drain_seconds, lifecycle.pre_stop_command)';
    say(
      'drain_method',
      `drain_method ${name}`,
      kind === 'StatefulSet' ? instead : `${instead}; bounce_method upthendown applies the drain method`,
    );
  }
}

/** Seconds that Kubernetes gives a pod when nothing else is said. */
const DEFAULT_GRACE = 30;

function warnOfHook(settings: InstanceSettings, instance: InstanceConfig, form: PreStop, refuse: Refuse): void {
  if (settings.preStopCommand !== null) return;
  const { preStopDrainSeconds: sleep, terminationGracePeriodSeconds: grace } = settings;
  const { lifecycle } = instance.config;
  const waits = isMap(lifecycle) ? lifecycle['pre_stop_wait_for_connections_to_complete'] : undefined;
  if (form === 'native' && waits === true) {
    refuse(
      ['lifecycle', 'pre_stop_wait_for_connections_to_complete'],
      warning(
        'PRE_STOP_WITHOUT_EFFECT',
        `${settings.instance}: pre_stop_wait_for_connections_to_complete has no effect with pre_stop: native, which sleeps and does not look at connections`,
        { hint: 'finish open requests after SIGTERM, or set pre_stop: exec in the system configuration (a shell in the image)' },
      ),
    );
  }
  // A native sleep that is longer is refused where everything is that the API server would not take.
  const late = form === 'native' ? sleep === (grace ?? DEFAULT_GRACE) : sleep >= (grace ?? DEFAULT_GRACE);
  if (late && sleep > 0) {
    refuse(
      ['lifecycle', 'pre_stop_drain_seconds'],
      warning(
        'DRAIN_FILLS_GRACE',
        `${settings.instance}: pre_stop_drain_seconds is ${sleep}, and pods are killed ${grace ?? DEFAULT_GRACE} s after they were told to stop: no time is left to finish requests`,
        { hint: 'set lifecycle.termination_grace_period_seconds above it' },
      ),
    );
  }
}

/** Says through `refuse` what is wrong: errors where the method is needed (upthendown), else one warning. */
export function drainSettings(
  settings: InstanceSettings,
  instance: InstanceConfig,
  system: SystemConfig,
  kind: string,
  form: PreStop,
  refuse: Refuse,
): DrainSettings {
  warnOfHook(settings, instance, form, refuse);
  const { method, faults } = readDrainMethod(
    settings.drainMethod,
    settings.drainMethodParams,
    instance.config.drain_method_params !== undefined,
  );
  if (kind === 'Deployment' && settings.bounceMethod === 'upthendown')
    for (const { path, problem } of faults) refuse(path, { ...problem, message: `${settings.instance}: ${problem.message}` });
  else warnOfNative(settings, instance, system, kind, refuse);
  return { method: faults.length === 0 ? method : { kind: 'noop' }, port: settings.containerPort, registrations: settings.registrations };
}
