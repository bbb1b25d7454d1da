/**
 * Identity of a plan: what it would write, why, and over what. Not in it: paths, times, the order in which things were read, effects
 * and quotas, and the commit of soa-configs, which only rides along (a merge gives the same files another commit).
 */
import { canonicalHash } from '../contract/canonical-json.ts';
import type { KubeObject } from '../objects/types.ts';
import { ANNOTATIONS } from '../workload/marks.ts';
import { isJsonMap } from './fields.ts';
import type { Plan, Reason, Step } from './types.ts';

/** Hexadecimal digits of a plan's hash. */
export const HASH_DIGITS = 16;
const SOA_COMMIT = 'PAASTA_SOA_CONFIGS_SHA';
/** Labels by which another deploy would show between plan and apply. */
const TELLING = /(?:^|[/_])(?:config_sha|git_sha|image_version)$/;

/** Every write of a plan. */
export function allSteps(plan: Plan): readonly Step[] {
  return [...plan.namespaces, ...plan.shared, ...plan.instances.flatMap((i) => i.steps)];
}

function withoutCommit(value: unknown): unknown {
  if (Array.isArray(value))
    return (value as readonly unknown[]).filter((entry) => !isJsonMap(entry) || entry['name'] !== SOA_COMMIT).map(withoutCommit);
  return isJsonMap(value)
    ? Object.fromEntries(
        Object.entries(value)
          .filter(([key]) => key !== ANNOTATIONS.soaConfigsCommit)
          .map(([key, inner]) => [key, withoutCommit(inner)]),
      )
    : value;
}

/** Lists of names have no order of their own. */
function normal(reason: Reason): unknown {
  return Object.fromEntries(
    Object.entries(reason).map(([key, value]) => [key, Array.isArray(value) ? [...(value as readonly string[])].sort() : value]),
  );
}

function foundation(live: KubeObject | undefined): unknown {
  if (live === undefined) return null;
  return {
    uid: live.metadata.uid,
    labels: Object.fromEntries(Object.entries(live.metadata.labels ?? {}).filter(([key]) => TELLING.test(key))),
  };
}

/** Digest of one write. */
export function stepDigest(step: Step): string {
  const { action, title, object, force, scaleTo, scaleOnly, adopts, recreates, reasons, live } = step;
  const sorted = reasons
    .map(normal)
    .map((r) => JSON.stringify(r))
    .sort();
  return canonicalHash(
    { action, title, object: withoutCommit(object), force, scaleTo, scaleOnly, adopts, recreates, reasons: sorted, over: foundation(live) },
    HASH_DIGITS,
  );
}

/** Sixteen hexadecimal digits; equal for equal writes to the same cluster. */
export function planHash(plan: Plan): string {
  const steps = allSteps(plan)
    .map((step) => `${step.title} ${stepDigest(step)}`)
    .sort();
  return canonicalHash({ cluster: plan.cluster, steps }, HASH_DIGITS);
}
