/** How soon a failure is named, fault by fault, and that what passes by itself is never called a failure. Pods are played, quota and admission are real. */
import type { FakeRule } from '../../test/testbed/index.ts';
import { audited, createTree, deploy, inputsFor, mark, OURS, quantile, seconds, sleep, withCluster, type Bench } from './scene.ts';

/** Instances for each fault: a single one would be luck. */
const TIMES = 3;

interface Case {
  readonly name: string;
  readonly rule?: Omit<FakeRule, 'pod'>;
  /** Keys of the instance; 2 replicas and a probe of its own port unless told. */
  readonly keys?: string;
}

const FAULTS: readonly Case[] = [
  { name: 'image', rule: { behaviour: 'image-pull-error' } },
  { name: 'badname', rule: { behaviour: 'invalid-image' } },
  { name: 'config', rule: { behaviour: 'config-error' } },
  { name: 'crash', rule: { behaviour: 'crash-loop', 'exit-code': 3 } },
  { name: 'memory', rule: { behaviour: 'oom' } },
  { name: 'unready', rule: { behaviour: 'never-ready' } },
  { name: 'nowhere', keys: 'instances: 2, pool: moon' },
];

const TRANSIENTS: readonly Case[] = [
  { name: 'slowpull', rule: { 'start-after-ms': 9_000 } },
  { name: 'slowstart', rule: { 'ready-after-ms': 9_000 } },
  { name: 'crashesonce', rule: { behaviour: 'crash-loop', 'crash-times': 1, 'backoff-ms': 2_000 } },
  { name: 'crashesthrice', rule: { behaviour: 'crash-loop', 'crash-times': 3, 'backoff-ms': 500 } },
  { name: 'healthy' },
];

/** What the API server itself refuses, or its controllers: namespaces with a rule of their own. */
const REFUSALS = ['quota', 'limits', 'policy'] as const;

const MANIFESTS = `
apiVersion: v1
kind: ResourceQuota
metadata: {name: small, namespace: paastasvc-quota000}
spec: {hard: {pods: "1"}}
---
apiVersion: v1
kind: LimitRange
metadata: {name: limits, namespace: paastasvc-limits000}
spec: {limits: [{type: Container, max: {memory: 16Mi}}]}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: no-deployments}
spec:
  failurePolicy: Fail
  matchConstraints: {resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}]}
  validations: [{expression: "false", message: "nothing is deployed here"}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: no-deployments}
spec: {policyName: no-deployments, validationActions: [Deny], matchResources: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: paastasvc-policy000}}}}
`;

export async function faultsFigure(bench: Bench): Promise<void> {
  await withCluster('bench-faults', async (cluster) => {
    for (const name of REFUSALS) await cluster.must(['create', 'namespace', `paastasvc-${name}000`]);
    await cluster.must(['apply', '-f', '-'], { input: MANIFESTS });
    // Quotas and policies hold once their controllers have seen them.
    for (
      let i = 0;
      i < 100 &&
      (await cluster.must(['get', 'resourcequota', 'small', '-n', 'paastasvc-quota000', '-o', 'jsonpath={.status.used.pods}'])) !== '0';
      i++
    )
      await sleep(200);
    await sleep(1_500);

    const refused = new Map<string, number[]>();
    for (const [at, name] of REFUSALS.entries()) {
      const tree = createTree(bench.scratch, {
        services: 1,
        perService: TIMES,
        prefix: name,
        keys: 'instances: 2',
        ports: 22_000 + 100 * at,
      });
      for (const [title, gap] of (await failures(bench, cluster, tree, 60_000)).gaps)
        refused.set(name, [...(refused.get(name) ?? []), ...(title.startsWith(name) ? [gap] : [])]);
      if ((refused.get(name) ?? []).length < TIMES)
        throw new Error(`${name}: only ${String(refused.get(name)?.length ?? 0)} of ${String(TIMES)} were named`);
    }
    const refusals = [...refused.values()].flat();
    bench.report(
      'quota, LimitRange or admission policy refuses → named failure',
      `${[...refused].map(([name, gaps]) => `${name} ${seconds(Math.max(...gaps))}`).join(', ')} (largest of ${String(TIMES)} each, from the write)`,
      '≤ 3 s',
      Math.max(...refusals) <= 3_000,
    );

    const cases = [...FAULTS, ...TRANSIENTS];
    cluster.setFakeRules(cases.flatMap((c) => (c.rule === undefined ? [] : [{ ...c.rule, pod: `^${c.name}000-` }])));
    const probe = 'instances: 2, healthcheck_mode: tcp, healthcheck_interval_seconds: 2, healthcheck_grace_period_seconds: 1';
    const first = createTree(bench.scratch, { services: 1, perService: 1, prefix: 'unused', keys: 'instances: 0' });
    const trees = cases.map((c, at) =>
      createTree(bench.scratch, {
        services: 1,
        perService: TIMES,
        prefix: c.name,
        keys: c.keys ?? probe,
        ports: 23_000 + 100 * at,
        soaDir: first.soaDir,
      }),
    );
    const { gaps, codes, run } = await failures(
      bench,
      cluster,
      { ...first, services: trees.flatMap((t) => t.services), instances: cases.length * TIMES },
      150_000,
    );
    const ofCase = (c: Case): number[] => [...gaps].filter(([title]) => title.startsWith(`${c.name}000.`)).map(([, gap]) => gap);
    const named = FAULTS.flatMap(ofCase);
    const missing = FAULTS.filter((c) => ofCase(c).length < TIMES).map((c) => c.name);
    const wrong = TRANSIENTS.filter((c) => ofCase(c).length > 0 || !new RegExp(`${c.name}000\\.i000 .*deployed`).test(run)).map(
      (c) => c.name,
    );
    const p95 = quantile(named, 0.95);
    const codeOf = (c: Case): string =>
      [...new Set([...codes].filter(([title]) => title.startsWith(`${c.name}000.`)).map(([, code]) => code))].join('/');
    bench.report(
      `other persistent faults → named failure (${String(named.length)} of ${String(FAULTS.length * TIMES)} instances)`,
      `p95 ${seconds(p95)}: ${FAULTS.map((c) => `${codeOf(c)} ${seconds(Math.max(...ofCase(c)))}`).join(', ')}${missing.length === 0 ? '' : `; never named: ${missing.join(', ')}`}`,
      'p95 ≤ 35 s',
      missing.length === 0 && p95 <= 35_000,
    );
    bench.report(
      `false failures on transients (${TRANSIENTS.map((c) => c.name).join(', ')}; ${String(TRANSIENTS.length * TIMES)} instances)`,
      wrong.length === 0 ? '0' : `${String(wrong.length)}: ${wrong.join(', ')}`,
      '0',
      wrong.length === 0,
    );
  });
}

interface Named {
  /** Milliseconds from the write of the workload to the line that names the failure, by `service.instance`. */
  readonly gaps: ReadonlyMap<string, number>;
  readonly codes: ReadonlyMap<string, string>;
  readonly run: string;
}

/** Deploys a tree and reads when each failure was said. */
async function failures(
  bench: Bench,
  cluster: Parameters<Parameters<typeof withCluster>[1]>[0],
  tree: Parameters<typeof inputsFor>[0],
  limit: number,
): Promise<Named> {
  const said = new Map<string, number>();
  const codes = new Map<string, string>();
  let rest = '';
  const at = mark(cluster);
  const run = await deploy(bench, inputsFor(tree, cluster.kubeconfigPath, { timeout: `${String(limit / 1_000)}s` }), {
    mayFail: true,
    deadline: limit + 60_000,
    onText: (chunk) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const found = /^([a-z0-9]+\.i\d+): (?:failed \((\w+)\)|an admission rule|quota refuses|.*is forbidden)/.exec(line);
        const title = found?.[1];
        if (title === undefined || said.has(title)) continue;
        said.set(title, Date.now());
        codes.set(title, found?.[2] ?? 'REFUSED');
      }
    },
  });
  const written = new Map<string, number>();
  for (const event of audited(cluster, at, OURS).events) {
    const found = /\/namespaces\/paastasvc-([^/]+)\/deployments\/[^/?]*?-(i\d+)\?/.exec(event.requestURI);
    if (found === null || event.verb !== 'patch' || event.requestURI.includes('dryRun')) continue;
    const title = `${found[1] as string}.${found[2] as string}`;
    if (!written.has(title)) written.set(title, Date.parse(event.requestReceivedTimestamp ?? ''));
  }
  const gaps = new Map([...said].map(([title, when]) => [title, when - (written.get(title) ?? run.began)]));
  if (gaps.size === 0) bench.say(run.text.slice(-1_500));
  return { gaps, codes, run: run.text };
}
