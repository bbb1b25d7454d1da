/** What the renderer must know of the cluster beside workloads: signatures of secrets, bounds of autoscalers that hold for a time. */
import { messageOf, problem, UserError, warning, type Problem } from '../contract/errors.ts';
import { secretSignatureName } from '../contract/names.ts';
import { numberOf } from '../contract/values.ts';
import { KINDS, type KubeObject } from '../objects/types.ts';
import { keyFor, notedSignatures } from '../plan/index.ts';
import type { SystemConfig } from '../soa-configs/types.ts';
import { mayHaveSignatures, neededSecrets, signatureNames, type LiveState, type RenderedInstance } from '../workload/index.ts';
import { pooled } from './pool.ts';
import { statusOf, type ClusterAccess } from './ports.ts';
import type { Wish } from './wishes.ts';

/** Written by `paasta autoscale`: data key `service.instance`, value JSON with bounds and `expire_after` (unix seconds). */
export const OVERRIDES = { namespace: 'paasta', name: 'paasta-autoscaling-overrides' } as const;
/** Service whose secrets everybody may use. */
const SHARED = '_shared';
/** So many ConfigMaps are asked for one by one; more of them with one list for each namespace, or for all. */
const SINGLE = 3;

export type Override = NonNullable<LiveState['autoscalingOverride']> & { readonly until: number };

export interface LiveFacts {
  /** Signature by `namespace/name` of its ConfigMap. */
  readonly signatures: ReadonlyMap<string, string>;
  /** ConfigMaps may not be read in these namespaces: what the workload was rendered with is taken for true. */
  readonly unread: ReadonlyMap<string, readonly Problem[]>;
  /** By `service.instance`. */
  readonly overrides: ReadonlyMap<string, Override>;
  /** Of one instance, by `service.instance`. */
  readonly notes: ReadonlyMap<string, readonly Problem[]>;
}

export const NO_FACTS: LiveFacts = { signatures: new Map(), unread: new Map(), overrides: new Map(), notes: new Map() };

function titleOf(wish: Wish): string {
  return `${wish.instance.service}.${wish.instance.instance}`;
}

function refused(error: unknown): readonly Problem[] {
  if (error instanceof UserError && statusOf(error) === 403) return error.problems;
  throw error;
}

/** Reads the signature ConfigMaps that the wishes need; nobody is asked when there are none. */
async function readSignatures(
  cluster: ClusterAccess,
  wishes: readonly Wish[],
  system: SystemConfig,
): Promise<Pick<LiveFacts, 'signatures' | 'unread'>> {
  const wanted = new Map<string, Set<string>>();
  for (const { instance, service, deployed, control } of wishes) {
    if (deployed === undefined || !mayHaveSignatures(instance)) continue;
    const { namespace, names } = signatureNames(instance, service, system, deployed, control);
    if (names.length > 0) wanted.set(namespace, new Set([...(wanted.get(namespace) ?? []), ...names]));
  }
  const signatures = new Map<string, string>();
  const unread = new Map<string, readonly Problem[]>();
  const take = (object: KubeObject | undefined): void => {
    const signature = (object?.['data'] as { signature?: unknown } | undefined)?.signature;
    if (object !== undefined && typeof signature === 'string')
      signatures.set(`${object.metadata.namespace ?? ''}/${object.metadata.name}`, signature);
  };
  const inNamespace = async (namespace: string, names: ReadonlySet<string>): Promise<void> => {
    try {
      if (names.size <= SINGLE) for (const name of names) take(await cluster.get(KINDS.ConfigMap, namespace, name));
      else
        for (const object of (await cluster.list(KINDS.ConfigMap, { namespace })).items) if (names.has(object.metadata.name)) take(object);
    } catch (error) {
      unread.set(namespace, refused(error));
    }
  };
  if (wanted.size > SINGLE) {
    try {
      for (const object of (await cluster.list(KINDS.ConfigMap)).items)
        if (wanted.get(object.metadata.namespace ?? '')?.has(object.metadata.name) === true) take(object);
      return { signatures, unread };
    } catch (error) {
      refused(error);
    }
  }
  await pooled([...wanted], 4, ([namespace, names]) => inNamespace(namespace, names));
  return { signatures, unread };
}

interface Bounds {
  readonly min_instances?: unknown;
  readonly max_instances?: unknown;
  readonly expire_after?: unknown;
}

/** One entry of the ConfigMap; `undefined`: expired. Throws an `Error` that says what is wrong. */
export function readOverride(text: string, now: number): Override | undefined {
  const read = JSON.parse(text) as Bounds | null;
  if (typeof read !== 'object' || read === null) throw new Error('it is not a mapping');
  const bound = (name: 'min_instances' | 'max_instances'): number | undefined => {
    const value = read[name];
    if (value === undefined || value === null) return undefined;
    const number = numberOf(value as number);
    if (number === undefined || !Number.isInteger(number) || number < 1)
      throw new Error(`${name} is ${JSON.stringify(value)}, not a whole number from 1`);
    return number;
  };
  const [minInstances, maxInstances] = [bound('min_instances'), bound('max_instances')];
  const until = typeof read.expire_after === 'number' ? read.expire_after * 1_000 : NaN;
  if (Number.isNaN(until)) throw new Error('expire_after is not a number of seconds');
  if (until <= now || (minInstances === undefined && maxInstances === undefined)) return undefined;
  return { until, minInstances, maxInstances };
}

/** The ConfigMap of overrides, or why it may not be read. */
export type AskedOverrides = { readonly data: unknown } | { readonly refused: readonly Problem[] };

/** One request; what refuses it stops nobody (PaaSTA's rule). */
export async function askOverrides(cluster: ClusterAccess): Promise<AskedOverrides> {
  try {
    return { data: (await cluster.get(KINDS.ConfigMap, OVERRIDES.namespace, OVERRIDES.name))?.['data'] };
  } catch (error) {
    return { refused: refused(error) };
  }
}

/** Bounds that hold now, of instances that are autoscaled. Nothing that fails here stops a run: PaaSTA's rule. */
function readOverrides(asked: AskedOverrides | undefined, wishes: readonly Wish[], now: number): Pick<LiveFacts, 'overrides' | 'notes'> {
  const scaled = wishes.filter(({ instance, deployed }) => deployed !== undefined && instance.config['max_instances'] !== undefined);
  const overrides = new Map<string, Override>();
  const notes = new Map<string, readonly Problem[]>();
  if (scaled.length === 0 || asked === undefined) return { overrides, notes };
  if ('refused' in asked) {
    const [first] = asked.refused;
    const said = warning(
      'OVERRIDES_UNREAD',
      `temporary autoscaling bounds are not taken into account: ${first?.message ?? 'they cannot be read'}`,
      { hint: first?.hint ?? `grant 'get' on ConfigMap ${OVERRIDES.namespace}/${OVERRIDES.name}` },
    );
    notes.set(titleOf(scaled[0] as Wish), [said]);
    return { overrides, notes };
  }
  for (const wish of scaled) {
    const text = (asked.data as Record<string, unknown> | undefined)?.[titleOf(wish)];
    if (typeof text !== 'string') continue;
    try {
      const override = readOverride(text, now);
      if (override !== undefined) overrides.set(titleOf(wish), override);
    } catch (error) {
      notes.set(titleOf(wish), [
        warning(
          'OVERRIDE_MALFORMED',
          `the temporary autoscaling bounds of ${titleOf(wish)} in ConfigMap ${OVERRIDES.namespace}/${OVERRIDES.name} are ignored: ${messageOf(error)}`,
          { hint: 'set them anew with paasta autoscale, or remove the entry' },
        ),
      ]);
    }
  }
  return { overrides, notes };
}

/** A few requests for signatures, whatever the number of instances. `now` in milliseconds. */
export async function readLiveFacts(
  cluster: ClusterAccess,
  wishes: readonly Wish[],
  system: SystemConfig,
  asked: AskedOverrides | undefined,
  now: number,
): Promise<LiveFacts> {
  return { ...(await readSignatures(cluster, wishes, system)), ...readOverrides(asked, wishes, now) };
}

/** One line for each instance whose bounds are not those of its file. */
export function overridesText(facts: LiveFacts): readonly string[] {
  return [...facts.overrides].map(
    ([title, { minInstances, maxInstances, until }]) =>
      `${title}: autoscaling bounds ${minInstances === undefined ? '' : `min ${minInstances} `}${maxInstances === undefined ? '' : `max ${maxInstances} `}hold until ${new Date(until).toISOString().replace(/\.\d+Z$/, 'Z')} (paasta autoscale)`,
  );
}

/** The namespace of one instance out of all signatures. */
export function signaturesIn(facts: LiveFacts, namespace: string): ReadonlyMap<string, string> {
  return new Map(
    [...facts.signatures]
      .filter(([key]) => key.startsWith(`${namespace}/`))
      .map(([key, signature]) => [key.slice(namespace.length + 1), signature]),
  );
}

/** Signatures that a workload was rendered with, by the name of their ConfigMap. */
export function signaturesNoted(workload: KubeObject, namespace: string, service: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [reference, signature] of Object.entries(notedSignatures(workload))) {
    const [, shared, name] = /^(SHARED_)?SECRET\((.*)\)$/.exec(reference) ?? [];
    if (name !== undefined && signature !== null)
      found.set(secretSignatureName(namespace, shared === undefined ? service : SHARED, name), signature);
  }
  return found;
}

/**
 * Secrets that new pods of an instance would wait for in vain, asked before they are made: the values are never read. Problems: an
 * error for a Secret that is not there, a warning when the namespace is still to be made.
 */
export async function missingSecrets(
  cluster: ClusterAccess,
  rendered: RenderedInstance,
  objects: ReadonlyMap<string, KubeObject>,
): Promise<readonly Problem[]> {
  const needs = rendered.replicas === 0 ? [] : neededSecrets(rendered.workload);
  const { namespace } = rendered;
  if (needs.length === 0) return [];
  const gone: string[] = [];
  const isNew = !objects.has(keyFor('Namespace', undefined, namespace)) && [...objects.keys()].some((key) => key.startsWith('Namespace/'));
  if (isNew) gone.push(...needs.map(({ secret, use }) => `${secret} (${use})`));
  else {
    try {
      for (const { secret, use } of needs) if (!(await cluster.exists(KINDS.Secret, namespace, secret))) gone.push(`${secret} (${use})`);
    } catch (error) {
      // Without the right to look, only a signature that is not there tells something.
      refused(error);
      const unsigned = Object.entries(notedSignatures(rendered.workload)).flatMap(([reference, signature]) =>
        signature === null ? [reference] : [],
      );
      if (unsigned.length === 0) return [];
      return [
        warning(
          'SECRET_UNSIGNED',
          `${rendered.service}.${rendered.instance}: there is no signature of ${unsigned.join(', ')} in namespace ${namespace}: unless the secret was made by other means, new pods will not start`,
          { hint: 'sync the secrets to the cluster (paasta_secrets_sync)' },
        ),
      ];
    }
  }
  if (gone.length === 0) return [];
  const title = `${rendered.service}.${rendered.instance}`;
  const what = `${title} needs ${gone.length === 1 ? 'Secret' : 'Secrets'} ${gone.join(', ')} in namespace ${namespace}`;
  if (isNew)
    return [
      warning(
        'SECRET_MISSING',
        `${what}, which is still to be made: its pods wait until the ${gone.length === 1 ? 'secret is' : 'secrets are'} there`,
        { hint: 'sync the secrets to the new namespace (paasta_secrets_sync); the pods start by themselves then' },
      ),
    ];
  return [
    problem('SECRET_MISSING', `${what}, but ${gone.length === 1 ? 'it is' : 'they are'} not there: nothing is bounced`, {
      hint: 'sync the secrets to the cluster (paasta_secrets_sync), or correct the reference in soa-configs; then deploy again',
    }),
  ];
}
