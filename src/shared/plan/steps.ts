/** One object against its live self: nothing, a write with its reasons, or a reason not to write. */
import { problem, type Problem } from '../contract/errors.ts';
import type { KubeObject } from '../objects/types.ts';
import { abandoned, differences, ownersOf, type FieldOwner } from './fields.ts';
import { leftBehind } from './left-behind.ts';
import { ANNOTATIONS } from '../workload/marks.ts';
import { isOurs, makerOf, MANAGER, SCALE_MANAGER, titleOf } from './marks.ts';
import type { Reason, Step } from './types.ts';

export interface Compared {
  readonly step?: Step;
  /** Fields that differ, ours that stay included. */
  readonly fields: readonly string[];
  readonly problems: readonly Problem[];
}

/**
 * A person's edit is put back; another controller's field is left alone and reported. Controllers apply, or carry it in
 * their name; people use kubectl and consoles, which update.
 */
export function isHandEdit(owner: FieldOwner): boolean {
  if (owner.manager.startsWith('kubectl')) return true;
  return owner.operation === 'Update' && !/controller|operator|autoscaler|manager|argo|flux|helm|kustomize/i.test(owner.manager);
}

/** We ourselves: the manager of counts, or an update of ours. */
function isOwnManager(owner: FieldOwner): boolean {
  return owner.manager === MANAGER || owner.manager === SCALE_MANAGER;
}

export function blockedProblem(live: KubeObject): Problem {
  return problem('NOT_OURS', `${titleOf(live)} exists and was made by ${makerOf(live)}, not by us: it is left as it is`, {
    hint: 'set adopt: true to take it over (the plan then says what bounces), or remove it',
  });
}

/** Notes that ride along with a write but are no reason for one: a commit to soa-configs writes nothing by itself. */
const NOTES: ReadonlySet<string> = new Set([
  `metadata.annotations.${ANNOTATIONS.soaConfigsCommit}`,
  `metadata.annotations.${ANNOTATIONS.desiredReplicas}`,
  `metadata.annotations.${ANNOTATIONS.forceBounce}`,
  `metadata.annotations.${ANNOTATIONS.secretSignatures}`,
]);

export function compare(ours: KubeObject, live: KubeObject | undefined, adopt: boolean): Compared {
  const title = titleOf(ours);
  if (live === undefined)
    return { step: { action: 'create', title, object: ours, reasons: [{ kind: 'new' }], force: false }, fields: [], problems: [] };
  if (!isOurs(live)) {
    if (!adopt) return { fields: [], problems: [blockedProblem(live)] };
    const fields = [...differences(ours, live), ...leftBehind(ours, live)];
    return {
      step: { action: 'update', title, object: ours, reasons: [{ kind: 'adopt', owner: makerOf(live) }], force: true, live, adopts: true },
      fields,
      problems: [],
    };
  }
  const changed = differences(ours, live).filter((f) => !NOTES.has(f));
  const removed = abandoned(ours, live, MANAGER).filter((f) => !NOTES.has(f));
  const fields = [...changed, ...removed];
  if (fields.length === 0) return { fields, problems: [] };
  const owners = ownersOf(changed, live, MANAGER);
  const conflicts = [...owners].filter(([, owner]) => !isHandEdit(owner) && !isOwnManager(owner));
  if (conflicts.length > 0 && !adopt) {
    return {
      fields,
      problems: conflicts.map(([field, owner]) =>
        problem('FIELD_CONFLICT', `${title}: ${field} belongs to ${owner.manager}, which gave it another value`, {
          hint: `stop ${owner.manager} from setting it, or set adopt: true to take the field over`,
        }),
      ),
    };
  }
  const reasons: Reason[] = [];
  const byManager = new Map<string, string[]>();
  for (const [field, owner] of owners)
    if (!isOwnManager(owner)) byManager.set(owner.manager, [...(byManager.get(owner.manager) ?? []), field]);
  for (const [manager, edited] of byManager) reasons.push({ kind: 'drift', manager, fields: edited });
  const rest = fields.filter((f) => owners.get(f) === undefined || isOwnManager(owners.get(f) as FieldOwner));
  if (rest.length > 0) reasons.push({ kind: 'configuration', fields: rest });
  return { step: { action: 'update', title, object: ours, reasons, force: owners.size > 0, live }, fields, problems: [] };
}
