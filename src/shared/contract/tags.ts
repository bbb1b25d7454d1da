/**
 * The grammar of git tags, PaaSTA's only control plane: one grammar and one parser, read from the right.
 *
 *     paasta-<deploy group>[+<image version>]-<timestamp>-deploy | -rollback
 *     paasta-<cluster>.<instance>-<token without dash>-start | -stop       (a doubled `paasta-` of 2016 counts too)
 *
 * Rules: `get_latest_deployment_tag`, `get_rollback_tags_for_sha`, `extract_tags` of paasta_tools/utils.py and the
 * desired-state pattern of generate_deployments_for_service.py, with registers P2 (group escaped), P3 (no tags without
 * prefix) and P40 (empty image version is none) mended and ASCII digits only.
 */

export const TAG_REF = 'refs/tags/';
const PREFIX = 'paasta-';
const MARK = /^(.+)-([0-9]{8}T[0-9]{6})-(deploy|rollback)$/s;
const BRANCH = /^[A-Za-z0-9_.-]+$/;

export type MarkAction = 'deploy' | 'rollback';
export type ControlAction = 'start' | 'stop';

/** A deploy or rollback tag. Which group it belongs to depends on the group asked for: see `imageVersionFor`. */
export interface MarkTag {
  readonly kind: MarkAction;
  /** Name without `refs/tags/`. */
  readonly name: string;
  /** `<deploy group>[+<image version>]` */
  readonly subject: string;
  readonly timestamp: string;
}

/** A start or stop tag. */
export interface ControlTag {
  readonly kind: ControlAction;
  readonly name: string;
  /** `<cluster>.<instance>`, with one or two prefixes taken off, as PaaSTA reads it. */
  readonly branch: string;
  /** With one prefix taken off: the branch of a cluster that is itself called `paasta-…`. Equal to `branch` otherwise. */
  readonly outerBranch: string;
  /** Usually a timestamp; any text without a dash. */
  readonly token: string;
}

export type Tag = MarkTag | ControlTag;

function withImageVersion(group: string, imageVersion: string | null | undefined): string {
  return imageVersion ? `${group}+${imageVersion}` : group;
}

/** Tag name of a mark, without `refs/tags/`. */
export function deployTag(group: string, timestamp: string, imageVersion?: string | null): string {
  return `${PREFIX}${withImageVersion(group, imageVersion)}-${timestamp}-deploy`;
}

/** Tag name of a rollback record; it goes on the bad commit and names the bad image version. */
export function rollbackTag(group: string, timestamp: string, imageVersion?: string | null): string {
  return `${PREFIX}${withImageVersion(group, imageVersion)}-${timestamp}-rollback`;
}

/** Tag name of a start or stop. A restart is a start with a new token. */
export function controlTag(cluster: string, instance: string, token: string, action: ControlAction): string {
  return `${PREFIX}${cluster}.${instance}-${token}-${action}`;
}

/** Full ref of a tag name. */
export function tagRef(name: string): string {
  return `${TAG_REF}${name}`;
}

/** Prefix of the refs that can concern a deploy group's marks, for servers that list by prefix. */
export function markRefPrefix(group: string): string {
  return `${TAG_REF}${PREFIX}${group}`;
}

/** Prefix of all refs that matter. */
export const ALL_TAGS_PREFIX = `${TAG_REF}${PREFIX}`;

/** True for refs that are meant for us (they start with `paasta-`), well-formed or not. */
export function isOurs(ref: string): boolean {
  return ref.startsWith(ALL_TAGS_PREFIX);
}

/** Parses a full ref; `undefined` for refs that are not one of our tags (peeled `^{}` entries included). */
export function parseTag(ref: string): Tag | undefined {
  if (!ref.startsWith(ALL_TAGS_PREFIX)) return undefined;
  const name = ref.slice(TAG_REF.length);
  const body = name.slice(PREFIX.length);
  const action = body.slice(body.lastIndexOf('-') + 1);
  if (action === 'deploy' || action === 'rollback') {
    const [, subject, timestamp] = MARK.exec(body) ?? [];
    return subject === undefined || timestamp === undefined ? undefined : { kind: action, name, subject, timestamp };
  }
  if (action === 'start' || action === 'stop') {
    const outer = splitControl(body.slice(0, -action.length - 1));
    if (outer === undefined) return undefined;
    const inner = outer.branch.startsWith(PREFIX) ? outer.branch.slice(PREFIX.length) : '';
    return { kind: action, name, branch: inner === '' ? outer.branch : inner, outerBranch: outer.branch, token: outer.token };
  }
  return undefined;
}

function splitControl(text: string): { readonly branch: string; readonly token: string } | undefined {
  const dash = text.lastIndexOf('-');
  const branch = text.slice(0, Math.max(dash, 0));
  const token = text.slice(dash + 1);
  return dash > 0 && token !== '' && BRANCH.test(branch) ? { branch, token } : undefined;
}

/**
 * What a mark means for a deploy group: its image version (`null`: none), or `undefined` when it is not a mark of that group.
 * The group is compared letter by letter, so `a+1` is both group `a+1` and image version `1` of group `a`.
 */
export function imageVersionFor(tag: MarkTag, group: string): string | null | undefined {
  if (tag.subject === group) return null;
  if (!tag.subject.startsWith(`${group}+`)) return undefined;
  return tag.subject.slice(group.length + 1) || null;
}

/** Letters. A ref's name is a file's name in git, of 255 bytes at most; a longer group before a `+` would only cost time. */
const LONGEST_GROUP = 1_000;

/** Every deploy group that a mark can belong to, longest first: `a+b+c`, `a+b`, `a`. */
export function groupsOf(tag: MarkTag): readonly string[] {
  const groups = [tag.subject];
  const end = Math.min(tag.subject.length, LONGEST_GROUP);
  for (let at = tag.subject.lastIndexOf('+', end); at > 0; at = tag.subject.lastIndexOf('+', at - 1)) groups.push(tag.subject.slice(0, at));
  return groups;
}

/** Parts of any tag of the family, unknown actions included: PaaSTA's `extract_tags`, for listings and messages. */
export interface TagParts {
  readonly deployGroup: string;
  readonly imageVersion: string | null;
  readonly timestamp: string;
  /** What follows the timestamp: `deploy`, `rollback`, … or anything else. */
  readonly action: string;
}

const ANY = /^refs\/tags\/(?:paasta-){1,2}([A-Za-z0-9._-]+)(?:\+(.*))?-([0-9]{8}T[0-9]{6})-(.*)$/s;

/** Splits a ref with one or two prefixes; `undefined` when it has no group or timestamp. */
export function splitTag(ref: string): TagParts | undefined {
  const [, deployGroup, imageVersion, timestamp, action] = ANY.exec(ref) ?? [];
  if (deployGroup === undefined || timestamp === undefined || action === undefined) return undefined;
  return { deployGroup, imageVersion: imageVersion ?? null, timestamp, action };
}
