/** Fields that the API server lets nobody change once a workload exists. */
import { canonicalJson } from '../contract/canonical-json.ts';
import type { KubeObject } from '../objects/types.ts';
import { differences } from './fields.ts';

function selectorOf(object: KubeObject): string {
  const { matchLabels = {}, matchExpressions = [] } = (object.spec?.['selector'] ?? {}) as {
    matchLabels?: unknown;
    matchExpressions?: unknown;
  };
  return canonicalJson({ matchLabels, matchExpressions });
}

/** Values that the API server fills in. */
const DEFAULTS: Readonly<Record<string, string>> = { podManagementPolicy: 'OrderedReady', serviceName: '' };

/** Paths at which `ours` cannot be applied over `live` of the same kind, such as `spec.selector`. */
export function fixedFieldsThatDiffer(ours: KubeObject, live: KubeObject): readonly string[] {
  const found = selectorOf(ours) === selectorOf(live) ? [] : ['spec.selector'];
  if (ours.kind !== 'StatefulSet') return found;
  for (const [name, otherwise] of Object.entries(DEFAULTS))
    if ((ours.spec?.[name] ?? otherwise) !== (live.spec?.[name] ?? otherwise)) found.push(`spec.${name}`);
  const claims = (object: KubeObject): readonly unknown[] =>
    Array.isArray(object.spec?.['volumeClaimTemplates']) ? (object.spec['volumeClaimTemplates'] as readonly unknown[]) : [];
  const only = (object: KubeObject): KubeObject => ({ apiVersion: '', kind: '', metadata: { name: '' }, spec: { claims: claims(object) } });
  if (claims(ours).length !== claims(live).length || differences(only(ours), only(live)).length > 0)
    found.push('spec.volumeClaimTemplates');
  return found;
}
