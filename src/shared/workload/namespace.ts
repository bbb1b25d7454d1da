/** Namespace of a service's instances. Upstream: `ensure_namespace` of paasta_tools/kubernetes_tools.py. */
import { paastaPrefixed, YELP_PREFIXES, type LabelPrefixes } from '../contract/names.ts';
import type { KubeObject } from '../objects/types.ts';
import { OWNER } from './labels.ts';
import { OWNERSHIP_LABEL, OWNERSHIP_VALUE } from './marks.ts';

/** A namespace that we make; one that exists is left as it is. */
export function renderNamespace(name: string, options: { readonly prefixes?: LabelPrefixes | undefined } = {}): KubeObject {
  const prefixes = options.prefixes ?? YELP_PREFIXES;
  const labels = { name, [paastaPrefixed('owner', prefixes)]: OWNER, [paastaPrefixed('managed', prefixes)]: 'true', [OWNERSHIP_LABEL]: OWNERSHIP_VALUE };
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
}
