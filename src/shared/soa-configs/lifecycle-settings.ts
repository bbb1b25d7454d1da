/** How a pod ends: preStop, the drain before it, the grace period. Rule: `get_termination_grace_period` in kubernetes_tools.py. */
import type { InstanceReader } from './setting-reader.ts';
import type { InstanceSettings } from './settings-types.ts';
import { isTruthy } from './yaml-values.ts';

/** The longest request that a grace period waits for, and what the mesh may lag behind. Seconds. */
const LONGEST_WAIT = 1_800;
const MESH_LAG = 300;

export function lifecycleOf(
  read: InstanceReader,
  mesh: InstanceSettings['mesh'],
): Pick<
  InstanceSettings,
  'lifecycle' | 'preStopCommand' | 'preStopDrainSeconds' | 'preStopWaitForConnections' | 'terminationGracePeriodSeconds'
> {
  const lifecycle = read.map('lifecycle', ['lifecycle']);
  const given = lifecycle.pre_stop_command;
  const path = ['lifecycle', 'pre_stop_command'] as const;
  const command = !isTruthy(given)
    ? null
    : Array.isArray(given)
      ? read.texts('preStopCommand', path)
      : read.optionalText('preStopCommand', path);
  const seconds = { min: 0, unit: 'seconds' };
  const preStopDrainSeconds = read.plainNumber(
    'preStopDrainSeconds',
    ['lifecycle', 'pre_stop_drain_seconds'],
    mesh.inMesh ? 30 : 0,
    seconds,
  );
  const preStopWaitForConnections = read.flag(
    'preStopWaitForConnections',
    ['lifecycle', 'pre_stop_wait_for_connections_to_complete'],
    mesh.inMesh,
  );
  const waiting = preStopWaitForConnections ? Math.ceil(Math.min(LONGEST_WAIT, mesh.longestTimeoutMs / 1_000 + MESH_LAG)) : 0;
  const computed = mesh.inMesh ? preStopDrainSeconds + 2 + waiting : null;
  const grace =
    lifecycle.termination_grace_period_seconds === undefined
      ? computed
      : read.optionalNumber('terminationGracePeriodSeconds', ['lifecycle', 'termination_grace_period_seconds'], {
          integer: true,
          ...seconds,
        });
  return { lifecycle, preStopCommand: command, preStopDrainSeconds, preStopWaitForConnections, terminationGracePeriodSeconds: grace };
}
