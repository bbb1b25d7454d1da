/**
 * An instance to which nothing is written: what its Deployment says of itself is then as good as its ReplicaSets and pods, which are most of
 * what a cluster has to tell. Only what is complete in every count is taken so; everything else is judged from its pods.
 */
import type { Problem } from '../contract/errors.ts';
import type { KubeObject } from '../objects/types.ts';
import { judgeCompanion, type PodLabels } from './companions.ts';
import type { Evidence, Expectation, Verdict } from './types.ts';
import { isOurs, isTerminating } from './versions.ts';

export interface Standing {
  readonly verdict: Extract<Verdict, { state: 'proven' }>;
  readonly warnings: readonly Problem[];
}

interface Template {
  readonly metadata?: { readonly labels?: PodLabels };
  readonly spec?: { readonly containers?: readonly { readonly name?: string; readonly image?: string }[] };
}

/** Its pods, all of them: made from our template, ready, and none of any version on its way out. */
function countsAre(workload: KubeObject, wanted: number): boolean {
  const { generation } = workload.metadata;
  const count = (key: string): unknown => workload.status?.[key] ?? 0;
  const observed = count('observedGeneration');
  return (
    workload.spec?.['replicas'] === wanted &&
    generation !== undefined &&
    typeof observed === 'number' &&
    observed >= generation &&
    ['replicas', 'updatedReplicas', 'readyReplicas'].every((key) => count(key) === wanted) &&
    // Told since Kubernetes 1.35: without it, whether old pods still terminate is seen on the pods only.
    workload.status?.['terminatingReplicas'] === 0
  );
}

/**
 * The template names the digest, and a kubelet runs nothing else by such a name. That a node reports another one (a rewritten image) is told
 * by the pass that bounced, not by each one after it.
 */
function isPinned(template: Template | undefined, { imageDigest, mainContainer }: Expectation): boolean {
  const image = template?.spec?.containers?.find(({ name }) => name === mainContainer)?.image;
  return imageDigest === undefined || image?.endsWith(`@${imageDigest}`) === true;
}

/**
 * The proof of an instance that stands as it should, without a look at its pods; `undefined`: they must be looked at. `companions`: what
 * stands beside the workload, each as far as it exists. `now` in milliseconds.
 */
export function standing(
  expectation: Expectation,
  { workload, newer, oldWorkloads = [] }: Pick<Evidence, 'workload' | 'newer' | 'oldWorkloads'>,
  companions: readonly KubeObject[],
  now: number,
): Standing | undefined {
  if (workload?.kind !== 'Deployment' || isTerminating(workload) || newer !== undefined || oldWorkloads.length > 0) return undefined;
  const live = workload.spec?.['replicas'];
  const wanted = expectation.autoscaled === true && typeof live === 'number' && expectation.replicas > 0 ? live : expectation.replicas;
  const template = workload.spec?.['template'] as Template | undefined;
  if (wanted > 0 && !isPinned(template, expectation)) return undefined;
  const labels = template?.metadata?.labels;
  if (!isOurs(workload.metadata.labels, expectation) || !isOurs(labels, expectation) || !countsAre(workload, wanted)) return undefined;
  const serving = wanted === 0 || labels === undefined ? [] : [labels];
  const warnings: Problem[] = [];
  for (const companion of companions) {
    const found = judgeCompanion(companion, serving, now);
    // Nothing moves here: what is wrong does not pass.
    const wrong = found.state === 'warned' ? found.problem : found.state === 'waiting' ? found.otherwise : undefined;
    if (found.state === 'waiting' && wrong === undefined) return undefined;
    if (wrong !== undefined) warnings.push(wrong);
  }
  return { verdict: { state: 'proven', ready: wanted, wanted }, warnings };
}
