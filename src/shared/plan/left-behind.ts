/** What an adoption takes away: fields that somebody wrote and that we do not render go with the ownership. */
import type { KubeObject } from '../objects/types.ts';
import { visitOwned } from './fields.ts';

/** Values that the server fills in when nobody says any: taking them away changes nothing. By the last name of the path. */
const DEFAULTS: Readonly<Record<string, readonly unknown[]>> = {
  protocol: ['TCP'],
  terminationMessagePath: ['/dev/termination-log'],
  terminationMessagePolicy: ['File'],
  dnsPolicy: ['ClusterFirst'],
  restartPolicy: ['Always'],
  schedulerName: ['default-scheduler'],
  imagePullPolicy: ['IfNotPresent'],
  successThreshold: [1],
  failureThreshold: [3],
  periodSeconds: [10],
  timeoutSeconds: [1],
  scheme: ['HTTP'],
  defaultMode: [420],
  terminationGracePeriodSeconds: [30],
  minReadySeconds: [0],
  apiVersion: ['v1'],
  type: ['', 'RollingUpdate'],
  progressDeadlineSeconds: [600],
  podManagementPolicy: ['OrderedReady'],
  paused: [false],
  optional: [false],
  readOnly: [false],
  divisor: ['0'],
};

function isNothing(value: unknown): boolean {
  return value === undefined || value === null || value === '' || (typeof value === 'object' && Object.values(value).every(isNothing));
}

function isDefault(path: string, value: unknown): boolean {
  const name = path.slice(path.lastIndexOf('.') + 1);
  // The old spelling of the same field.
  if (path.endsWith('.spec.serviceAccount')) return true;
  return isNothing(value) || (DEFAULTS[name]?.includes(value) ?? false);
}

/** Paths that others wrote to a live object, that we do not render, and whose value is no default. Status and counts are no one's to take. */
export function leftBehind(ours: KubeObject, live: KubeObject): readonly string[] {
  const found = new Set<string>();
  for (const entry of live.metadata.managedFields ?? []) {
    if (entry.operation !== 'Update' || (entry.subresource ?? '') !== '' || entry.manager === 'kube-controller-manager') continue;
    visitOwned(entry.fieldsV1 ?? {}, '', ours, live, (path, a, b) => {
      if (a === undefined && !isDefault(path, b) && /^(?:spec|metadata\.(?:labels|annotations))\./.test(path)) found.add(path);
    });
  }
  return [...found].filter((path) => path !== 'spec.replicas');
}
