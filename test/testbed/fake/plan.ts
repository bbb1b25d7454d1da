/**
 * What a fake pod does. Sources, later ones winning:
 *   1. the rules file: a JSON array of `{image?, namespace?, pod?, …keys}`; `image` and `pod` are regular expressions; all
 *      matching rules are merged in order. Read again for every new pod.
 *   2. the pod's annotations `fake.paasta-testbed/<key>: <value>`
 *   3. for one container `fake.paasta-testbed/<container>.<key>: <value>`
 */

export const BEHAVIOURS = [
  'ready',
  'never-ready',
  'image-pull-error',
  'invalid-image',
  'config-error',
  'crash-loop',
  'oom',
  'complete',
  'fail',
] as const;
export type Behaviour = (typeof BEHAVIOURS)[number];

/** Times in milliseconds. */
export interface Plan {
  /** A pod of a Job completes, every other one gets ready. */
  readonly behaviour: Behaviour;
  /** Time "pulling" before the container runs. Default 0. */
  readonly 'start-after-ms': number;
  /** From running to Ready. Default 0. */
  readonly 'ready-after-ms': number;
  /** After Ready: toggles readiness with this half period. 0: never. */
  readonly 'flap-ms': number;
  /** Exit code of crash-loop, fail, complete, oom. Default 1; complete 0; oom 137. */
  readonly 'exit-code'?: number;
  /** How long each run lasts before it crashes. Default 50. */
  readonly 'crash-after-ms': number;
  /** Crashes before it stays up and gets Ready. Default: for ever. */
  readonly 'crash-times': number;
  /** restartCount to begin with. Default 0. */
  readonly 'initial-restarts': number;
  /** First wait of CrashLoopBackOff; doubles up to `backoff-max-ms`. Defaults 200 and 5000. */
  readonly 'backoff-ms': number;
  readonly 'backoff-max-ms': number;
  /** complete, fail: duration of the run. Default 100. */
  readonly 'complete-after-ms': number;
  /** Time needed after SIGTERM; cut off (137) by the grace period. Default 0. */
  readonly 'terminate-after-ms': number;
  /** Text of waiting or terminated messages; by default like the kubelet's. */
  readonly message?: string;
  /** What `kubectl logs` answers; `previous-log` for the run before (default: the same). */
  readonly log?: string;
  readonly 'previous-log'?: string;
}

const TIMES = {
  'start-after-ms': 0,
  'ready-after-ms': 0,
  'flap-ms': 0,
  'crash-after-ms': 50,
  'crash-times': Infinity,
  'initial-restarts': 0,
  'backoff-ms': 200,
  'backoff-max-ms': 5000,
  'complete-after-ms': 100,
  'terminate-after-ms': 0,
} as const;
const TEXTS = ['message', 'log', 'previous-log'] as const;

export const ANNOTATION_PREFIX = 'fake.paasta-testbed/';

/** One entry of the rules file. */
export interface Rule extends Partial<Plan> {
  readonly image?: string;
  readonly namespace?: string;
  readonly pod?: string;
}

export interface PodIdentity {
  readonly name: string;
  readonly namespace: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownedByJob: boolean;
}

/** The plan of one container, or what is wrong with what was asked: a typo never becomes a default. */
export function planFor(
  pod: PodIdentity,
  container: { readonly name: string; readonly image: string },
  rules: readonly Rule[],
): Plan | { readonly mistake: string } {
  const asked: Record<string, unknown> = {};
  for (const { image, namespace, pod: podName, ...rest } of rules) {
    if (namespace !== undefined && namespace !== pod.namespace) continue;
    if (image !== undefined && !new RegExp(image).test(container.image)) continue;
    if (podName !== undefined && !new RegExp(podName).test(pod.name)) continue;
    Object.assign(asked, rest);
  }
  const notes = Object.entries(pod.annotations ?? {})
    .filter(([k]) => k.startsWith(ANNOTATION_PREFIX))
    .map(([k, v]) => [k.slice(ANNOTATION_PREFIX.length), v] as const);
  for (const [k, v] of notes) if (!k.includes('.')) asked[k] = v;
  for (const [k, v] of notes) if (k.startsWith(`${container.name}.`)) asked[k.slice(container.name.length + 1)] = v;

  const behaviour = (asked['behaviour'] ?? (pod.ownedByJob ? 'complete' : 'ready')) as Behaviour;
  if (!BEHAVIOURS.includes(behaviour)) return { mistake: `fake node: unknown behaviour '${behaviour}'; known: ${BEHAVIOURS.join(', ')}` };
  const plan: Record<string, unknown> = { ...TIMES, behaviour };
  for (const [key, value] of Object.entries(asked)) {
    if (key === 'behaviour') continue;
    if ((TEXTS as readonly string[]).includes(key)) {
      plan[key] = String(value);
      continue;
    }
    if (!(key in TIMES) && key !== 'exit-code') return { mistake: `fake node: unknown key '${key}'` };
    const number = Number(value);
    if (Number.isNaN(number) || number < 0) return { mistake: `fake node: ${key} must be a number, not '${String(value)}'` };
    plan[key] = number;
  }
  return plan as unknown as Plan;
}

/** `repository@sha256:…` for a reference that is pinned by digest, as the runtime reports it: without the tag. */
export function imageIdOf(image: string, digestOf: (reference: string) => string): string {
  const at = image.indexOf('@');
  const withoutTag = (reference: string): string => reference.replace(/:[^/:]*$/, '');
  return at === -1 ? `${withoutTag(image)}@sha256:${digestOf(image)}` : `${withoutTag(image.slice(0, at))}${image.slice(at)}`;
}

const SECOND = 1000;

/** Time in milliseconds that a preStop hook takes: native `sleep`, or an exec hook that sleeps (PaaSTA's default). */
export function preStopMs(
  hook: { readonly sleep?: { readonly seconds: number }; readonly exec?: { readonly command?: readonly string[] } } | undefined,
): number {
  if (hook?.sleep !== undefined) return hook.sleep.seconds * SECOND;
  const slept = /\bsleep (\d+(?:\.\d+)?)\b/.exec(hook?.exec?.command?.join(' ') ?? '');
  return slept === null ? 0 : Number(slept[1]) * SECOND;
}
