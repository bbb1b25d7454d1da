/** Namespace of a service's instances, and what it holds from the beginning. Upstream: `ensure_namespace` of paasta_tools/kubernetes_tools.py. */
import { problem, type Problem } from '../contract/errors.ts';
import { paastaPrefixed, YELP_PREFIXES, type LabelPrefixes } from '../contract/names.ts';
import { isMap, type ValueMap } from '../contract/values.ts';
import type { KubeObject } from '../objects/types.ts';
import type { SystemConfig } from '../soa-configs/types.ts';
import { OWNER } from './labels.ts';
import { ANNOTATIONS, OWNERSHIP_LABEL, OWNERSHIP_VALUE } from './marks.ts';
import { systemPullSecrets } from './pull-secrets.ts';
import { flagOf, listOf, textOf, textsOf, type Fields } from './values-of.ts';

/** A namespace that we make; one that exists is left as it is. */
export function renderNamespace(name: string, options: { readonly prefixes?: LabelPrefixes | undefined } = {}): KubeObject {
  const prefixes = options.prefixes ?? YELP_PREFIXES;
  const labels = {
    name,
    [paastaPrefixed('owner', prefixes)]: OWNER,
    [paastaPrefixed('managed', prefixes)]: 'true',
    [OWNERSHIP_LABEL]: OWNERSHIP_VALUE,
  };
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
}

/** What containers without resources of their own get. */
const LIMITS: Readonly<Fields> = { cpu: '1', memory: '1024Mi', 'ephemeral-storage': '1Gi' };

/** PaaSTA's LimitRange, in namespaces with its prefix; `namespace_limits: false` of the system configuration leaves it out. */
export function limitRange(namespace: string, system: SystemConfig): KubeObject | undefined {
  if (!namespace.startsWith('paastasvc-') || !flagOf(system.values['namespace_limits'], true)) return undefined;
  return {
    apiVersion: 'v1',
    kind: 'LimitRange',
    metadata: { name: 'limit-mem-cpu-disk-per-container', namespace, labels: { [OWNERSHIP_LABEL]: OWNERSHIP_VALUE } },
    spec: { limits: [{ type: 'Container', default: { ...LIMITS }, defaultRequest: { ...LIMITS } }] },
  };
}

function subjectsOf(entry: ValueMap): Fields[] {
  const apiGroup = 'rbac.authorization.k8s.io';
  return [
    ...textsOf(entry['users']).map((name) => ({ apiGroup, kind: 'User', name })),
    ...textsOf(entry['groups']).map((name) => ({ apiGroup, kind: 'Group', name })),
    ...textsOf(entry['service_accounts']).map((account) => ({
      kind: 'ServiceAccount',
      namespace: account.split('/')[0] ?? '',
      name: account.split('/')[1] ?? '',
    })),
  ];
}

/**
 * `namespace_role_bindings` of the system configuration: `{cluster_role, users, groups, service_accounts: [namespace/name], name}` each. PaaSTA
 * binds one role for the user of its API server; without that server there is nobody to bind, so none is the default.
 */
export function roleBindings(
  namespace: string,
  system: SystemConfig,
): { readonly bindings: readonly KubeObject[]; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const bindings = listOf(system.values['namespace_role_bindings']).flatMap((entry): KubeObject[] => {
    const role = isMap(entry) ? textOf(entry['cluster_role']) : undefined;
    const subjects = isMap(entry) ? subjectsOf(entry) : [];
    if (!isMap(entry) || role === undefined || subjects.length === 0 || subjects.some(({ name }) => name === '')) {
      problems.push(
        problem(
          'SYSTEM_CONFIG_TYPE',
          'namespace_role_bindings of the system configuration: every entry needs cluster_role, and users, groups or service_accounts (namespace/name)',
        ),
      );
      return [];
    }
    return [
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'RoleBinding',
        metadata: { name: textOf(entry['name']) ?? role, namespace, labels: { [OWNERSHIP_LABEL]: OWNERSHIP_VALUE } },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
        subjects,
      },
    ];
  });
  return { bindings, problems };
}

/** Copies of the pull secrets: without their content, which is written when the copy is made and is in no plan. */
export function pullSecretCopies(namespace: string, system: SystemConfig, types: ReadonlyMap<string, string>): readonly KubeObject[] {
  return systemPullSecrets(system).flatMap(({ name, namespace: home }): KubeObject[] => {
    const type = types.get(`${home}/${name}`);
    if (type === undefined || home === namespace) return [];
    return [
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: {
          name,
          namespace,
          labels: { [OWNERSHIP_LABEL]: OWNERSHIP_VALUE },
          annotations: { [ANNOTATIONS.copyOf]: `${home}/${name}` },
        },
        type,
      },
    ];
  });
}
