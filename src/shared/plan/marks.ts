/** How objects say whose they are. */
import { paastaPrefixed, YELP_PREFIXES, type LabelPrefixes } from '../contract/names.ts';
import type { DeploymentVersion } from '../contract/deployment-version.ts';
import type { KubeObject } from '../objects/types.ts';
import { OWNERSHIP_LABEL, OWNERSHIP_VALUE } from '../workload/marks.ts';

/** Label of everything that we make; on the object, never in a pod template. */
export const MARKER = { label: OWNERSHIP_LABEL, value: OWNERSHIP_VALUE } as const;
/** Our field manager of server-side apply. */
export const MANAGER = 'paasta';
/** Our manager of replica counts, which an autoscaler or a rollout changes afterwards. */
export const SCALE_MANAGER = 'paasta-scale';

export function objectKey(object: {
  readonly kind: string;
  readonly metadata: { readonly namespace?: string; readonly name: string };
}): string {
  return keyFor(object.kind, object.metadata.namespace, object.metadata.name);
}

export function keyFor(kind: string, namespace: string | undefined, name: string): string {
  return `${kind}/${kind === 'Namespace' ? '' : (namespace ?? '')}/${name}`;
}

/** `Deployment paasta/web-main`, `Namespace paasta`. */
export function titleOf(object: KubeObject): string {
  return `${object.kind} ${object.metadata.namespace === undefined || object.kind === 'Namespace' ? '' : `${object.metadata.namespace}/`}${object.metadata.name}`;
}

export function isOurs(object: KubeObject): boolean {
  return object.metadata.labels?.[MARKER.label] === MARKER.value;
}

/** Who made an object without our marker, as people know it. */
export function makerOf(object: KubeObject, prefixes: LabelPrefixes = YELP_PREFIXES): string {
  const labels = object.metadata.labels ?? {};
  if (labels[paastaPrefixed('service', prefixes)] !== undefined || labels['yelp.com/paasta_service'] !== undefined) return 'PaaSTA';
  const helm = labels['app.kubernetes.io/managed-by'];
  if (helm !== undefined) return helm;
  const managers = (object.metadata.managedFields ?? [])
    .filter((m) => (m.subresource ?? '') === '' && m.manager !== 'kube-controller-manager')
    .map((m) => m.manager);
  return managers[0] ?? 'somebody else';
}

export function versionLabels(object: KubeObject, prefixes: LabelPrefixes = YELP_PREFIXES): DeploymentVersion | undefined {
  const sha = object.metadata.labels?.[paastaPrefixed('git_sha', prefixes)];
  if (sha === undefined) return undefined;
  const imageVersion = object.metadata.labels?.[paastaPrefixed('image_version', prefixes)];
  return { sha, imageVersion: imageVersion === undefined || imageVersion === '' ? null : imageVersion };
}

export function configHashOf(object: KubeObject, prefixes: LabelPrefixes = YELP_PREFIXES): string | undefined {
  return object.metadata.labels?.[paastaPrefixed('config_sha', prefixes)];
}

/** `spec.replicas` of a workload; the API's default is 1. */
export function replicasOf(object: KubeObject): number {
  const replicas = object.spec?.['replicas'];
  return typeof replicas === 'number' ? replicas : 1;
}

/** Who wrote to the object last, besides us and the controllers that report its status. */
export function lastEditor(object: KubeObject): string {
  const writers = (object.metadata.managedFields ?? []).filter(
    (m) => m.manager !== MANAGER && (m.subresource ?? '') === '' && m.manager !== 'kube-controller-manager',
  );
  const time = (m: object): string => ('time' in m && typeof m.time === 'string' ? m.time : '');
  return writers.sort((a, b) => time(a).localeCompare(time(b))).at(-1)?.manager ?? 'somebody';
}
