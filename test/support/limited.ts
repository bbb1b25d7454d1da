/** A kubeconfig whose identity has only the rights that some roles give. */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { load, dump } from 'js-yaml';
import type { Cluster } from '../testbed/index.ts';
import { until } from './until.ts';

export const RBAC = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'examples', 'rbac');

interface Config {
  contexts: { name: string; context: { cluster: string; user: string } }[];
  'current-context': string;
  users: { name: string; user: Record<string, unknown> }[];
}

/** Until the API server, which learns of roles and bindings a moment later, grants what these roles of an account (`namespace:name`) grant. */
export async function untilBound(
  cluster: Pick<Cluster, 'must'>,
  account: string,
  roles: readonly string[],
  namespace?: string,
): Promise<void> {
  for (const role of roles) {
    const { rules } = JSON.parse(await cluster.must(['get', 'clusterrole', role, '-o', 'json'])) as {
      rules: { apiGroups?: string[]; resources?: string[]; resourceNames?: string[]; verbs: string[] }[] | null;
    };
    const rule = rules?.find(({ resources, resourceNames }) => resources?.[0]?.includes('/') === false && resourceNames === undefined);
    if (rule === undefined) continue;
    const [group = '', resource = '', verb = ''] = [rule.apiGroups?.[0], rule.resources?.[0], rule.verbs[0]];
    const what = group === '' || group === '*' ? resource : `${resource}.${group}`;
    const where = namespace === undefined ? ['--all-namespaces'] : ['-n', namespace];
    await until(`${account} may ${verb} ${what}`, async () =>
      (await cluster.must(['auth', 'can-i', verb, what, ...where, `--as=system:serviceaccount:${account}`]).catch(() => 'no')).startsWith(
        'yes',
      ),
    );
  }
}

/** Makes a service account, binds the roles to it in every namespace, and writes a kubeconfig for it. */
export async function limitedKubeconfig(
  cluster: Pick<Cluster, 'must' | 'kubeconfigPath'>,
  directory: string,
  account: { readonly namespace: string; readonly name: string; readonly roles: readonly string[] },
): Promise<string> {
  const { namespace, name, roles } = account;
  const objects = [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } },
    ...roles.map((role) => ({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: `${namespace}-${name}-${role}` },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
      subjects: [{ kind: 'ServiceAccount', name, namespace }],
    })),
  ];
  await cluster.must(['apply', '-f', '-'], { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }) });
  await untilBound(cluster, `${namespace}:${name}`, roles);
  const token = (await cluster.must(['-n', namespace, 'create', 'token', name, '--duration=2h'])).trim();
  const config = load(readFileSync(cluster.kubeconfigPath, 'utf8')) as Config;
  const context = config.contexts.find((c) => c.name === config['current-context']);
  const user = config.users.find((u) => u.name === context?.context.user);
  if (user !== undefined) user.user = { token };
  const path = join(directory, `${name}.kubeconfig`);
  writeFileSync(path, dump(config), { mode: 0o600 });
  return path;
}

/** Rights of deploy by the names of their files in examples/rbac. */
export type Right = 'plan' | 'plan-rehearsal' | 'apply' | 'side-by-side' | 'namespaces' | 'secrets' | 'cronjobs';

/** A kubeconfig with exactly these documented rights. */
export async function leastRights(
  cluster: Pick<Cluster, 'must' | 'kubeconfigPath'>,
  directory: string,
  rights: readonly Right[],
): Promise<string> {
  for (const right of rights) await cluster.must(['apply', '-f', join(RBAC, `${right}.yaml`)]);
  return limitedKubeconfig(cluster, directory, {
    namespace: 'paasta-least',
    name: rights.join('-'),
    roles: rights.map((right) => `paasta-${right}`),
  });
}
