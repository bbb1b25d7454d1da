/** Pods that the API server refuses to make: quota, admission webhooks, limit ranges, pod security. */
import type { Condition, Event } from '../objects/types.ts';
import type { Doom } from './containers.ts';
import { argument, plainText } from './text.ts';

const QUOTA = /exceeded quota: ([^,]+), requested: (.+?), used: (.+?), limited: (.+?)(?:$|\s*;|\.\s)/;

/** `memory: requested 512Mi, used 900Mi of 1Gi` for every resource that is short. */
function quotaNumbers(requested: string, used: string, limited: string): string {
  const amounts = (text: string): ReadonlyMap<string, string> =>
    new Map(text.split(',').map((pair) => [pair.slice(0, pair.indexOf('=')).trim(), pair.slice(pair.indexOf('=') + 1).trim()]));
  const [usedOf, limitOf] = [amounts(used), amounts(limited)];
  return [...amounts(requested)]
    .map(([name, amount]) => `${name}: requested ${amount}, used ${usedOf.get(name) ?? '?'} of ${limitOf.get(name) ?? '?'}`)
    .join('; ');
}

/** The text of a refusal as it stands in a `ReplicaFailure` condition or a `FailedCreate` event. */
export function refusalDoom(message: string, namespace: string): Doom {
  const text = plainText(message, 2_000);
  const [, quota, requested, used, limited] = QUOTA.exec(text) ?? [];
  if (quota !== undefined && requested !== undefined && used !== undefined && limited !== undefined) {
    return {
      code: 'QUOTA_EXCEEDED',
      cause: plainText(`The quota ${quota} of namespace ${namespace} is exhausted: ${quotaNumbers(requested, used, limited)}.`),
      next: `Raise the quota, or ask for less (instances, cpus, mem in soa-configs): kubectl -n ${argument(namespace)} describe resourcequota ${argument(quota)}`,
      inCommit: false,
    };
  }
  if (/exceeded quota|failed quota/i.test(text)) {
    return {
      code: 'QUOTA_EXCEEDED',
      cause: plainText(`A quota of namespace ${namespace} forbids the pod: ${text}`),
      next: `See kubectl -n ${argument(namespace)} describe resourcequota`,
      inCommit: false,
    };
  }
  const [, webhook] = /admission webhook "?([^" ]+)"? denied/i.exec(text) ?? [];
  const by =
    webhook !== undefined
      ? `The admission webhook ${webhook}`
      : /violates PodSecurity/i.test(text)
        ? `Pod security of namespace ${namespace}`
        : /(?:minimum|maximum) .*usage per|LimitRange/i.test(text)
          ? `A LimitRange of namespace ${namespace}`
          : 'The API server';
  const next =
    webhook !== undefined
      ? 'Change what the message names, or ask the owner of the webhook.'
      : by.startsWith('A LimitRange')
        ? `Bring cpus, mem and disk in soa-configs within the limits: kubectl -n ${argument(namespace)} describe limitrange`
        : by.startsWith('Pod security')
          ? 'Drop what the message names (capabilities, host volumes, privileged) from soa-configs.'
          : `See kubectl -n ${argument(namespace)} get events --field-selector reason=FailedCreate`;
  return { code: 'ADMISSION_DENIED', cause: plainText(`${by} refuses the pod: ${text}`), next, inCommit: false };
}

/**
 * Errors that pass by themselves: the controller retries them. An API server that has just started refuses even the
 * controllers, until it has read their roles; a new namespace has no service account for a moment, a new quota no count.
 */
const PASSING =
  /status unknown for quota|serviceaccount "default" not found|User "system:[^"]*" cannot \w+ resource|timeout|timed out|deadline exceeded|connection refused|connection reset|failed calling webhook|no endpoints available|too many requests|server is currently unable|etcdserver|please apply your changes to the latest version|internal error occurred/i;
/** Said by those who mean it, whatever else the text has. */
const FINAL = /denied the request|exceeded quota/i;
const passes = (message: string): boolean => PASSING.test(message) && !FINAL.test(message);

/** The refusal that a ReplicaSet or Deployment reports now; `undefined` when there is none, or when it may pass and `passing` is not asked for. */
export function reportedRefusal(conditions: readonly Condition[] | undefined, namespace: string, passing = false): Doom | undefined {
  const failure = (conditions ?? []).find(
    (c) => c.type === 'ReplicaFailure' && c.status === 'True' && (c.reason ?? 'FailedCreate') === 'FailedCreate',
  );
  const message = failure?.message ?? '';
  if (failure === undefined || (!passing && passes(message))) return undefined;
  return refusalDoom(message, namespace);
}

/** StatefulSets have no such condition: their events say it. Only the newest event counts. */
export function eventRefusal(events: readonly Event[], namespace: string): Doom | undefined {
  const last = events.findLast((event) => event.reason === 'FailedCreate' || event.reason === 'SuccessfulCreate');
  const message = last?.message ?? '';
  if (last?.reason !== 'FailedCreate' || passes(message) || !(FINAL.test(message) || /forbidden/i.test(message))) return undefined;
  return refusalDoom(message, namespace);
}
