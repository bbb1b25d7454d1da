/** `objects`: workload, autoscaler, disruption budget, service account and Job of one instance. */
import { composeJob, isNotRendered, type RenderedInstance } from '../../../src/shared/workload/index.ts';
import { at } from '../differences.ts';
import { REFUSED, type Case, type JsonMap, type Plug } from '../types.ts';
import { comparable, crashOf, inputOf, render, rendered } from './rendering.ts';

/** PaaSTA leaves kind or apiVersion to the call for some objects: then there is nothing to compare. */
function withoutType(ours: unknown, wanted: unknown): unknown {
  if (typeof ours !== 'object' || ours === null || typeof wanted !== 'object' || wanted === null) return ours;
  return Object.fromEntries(Object.entries(ours).filter(([key]) => (key !== 'kind' && key !== 'apiVersion') || key in wanted));
}

/** Where PaaSTA fails and ours renders: the part that it fails on. */
function proofOf(test: Case, result: RenderedInstance): unknown {
  const spec = result.workload.spec as {
    readonly strategy?: unknown;
    readonly template: { readonly spec: { readonly affinity?: JsonMap; readonly containers: readonly JsonMap[] } };
  };
  switch (at(test.expected, 'app', 'error') === undefined ? undefined : crashOf(test)) {
    case 'anti-affinity':
      return { preferred: at(spec.template.spec.affinity, 'podAntiAffinity', 'preferredDuringSchedulingIgnoredDuringExecution') };
    case 'http2':
      return { check: at(spec.template.spec.containers[0], 'livenessProbe', 'httpGet') };
    case 'upthendown':
      return { strategy: spec.strategy };
    case undefined:
      return undefined;
  }
}

export const plug: Plug = {
  answer: (test) => {
    const wanted = Object.fromEntries(
      Object.entries(test.expected)
        .filter(([key]) => key !== 'config_sha')
        .map(([key, value]) => [key, value === null ? null : comparable(value)]),
    );
    const result = render(test.input, test.input);
    if (!rendered(result)) return { ours: Object.fromEntries(Object.keys(wanted).map((key) => [key, REFUSED])), wanted };
    const proof = proofOf(test, result);
    if (proof !== undefined) return { ours: { app: proof }, wanted };
    const companion = (kind: string): unknown => comparable(result.companions.find((object) => object.kind === kind)) ?? null;
    const wantedJob = test.input['job'] as
      { job_label: string; deadline_seconds?: number; keep_routable_ip?: boolean; include_sidecars?: boolean } | null | undefined;
    const input = inputOf(test.input, test.input);
    const job =
      wantedJob == null || input === undefined
        ? undefined
        : composeJob(input, {
            label: wantedJob.job_label,
            deadlineSeconds: wantedJob.deadline_seconds,
            keepRoutableIp: wantedJob.keep_routable_ip,
            includeSidecars: wantedJob.include_sidecars,
          });
    const all: Record<string, unknown> = {
      app: comparable(result.workload),
      hpa: companion('HorizontalPodAutoscaler'),
      pdb: companion('PodDisruptionBudget'),
      service_account: companion('ServiceAccount'),
      job: job === undefined ? null : isNotRendered(job) ? REFUSED : comparable(job.job),
    };
    const ours: Record<string, unknown> = {};
    for (const [key, value] of Object.entries(all))
      if (key in wanted || value !== null) ours[key] = withoutType(value, (wanted as JsonMap)[key]);
    return { ours, wanted };
  },
};
