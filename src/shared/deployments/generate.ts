/** What `deployments.json` of a service says, from its instances and refs. Rule: generate_deployments_for_service.py, byte for byte. */
import { canonicalJson } from '../contract/canonical-json.ts';
import { dockerImage } from '../contract/image.ts';
import { pythonJson, type Json } from '../contract/python-text.ts';
import { controlIndex } from './control.ts';
import { marksByGroup } from './marks.ts';
import { peeledRefs } from './refs.ts';
import type { Ref } from './types.ts';

/** An instance of the service, in the order of the files. */
export interface GroupedBranch {
  /** Control branch `<cluster>.<instance>`. */
  readonly branch: string;
  /** `undefined`: a tron action without a group; PaaSTA then looks for a group called `None` and writes it as `null`. */
  readonly deployGroup: string | undefined;
}

export interface GeneratedControl {
  readonly desired_state: 'start' | 'stop';
  readonly force_bounce: string | null;
}
export interface GeneratedImage extends GeneratedControl {
  readonly docker_image: string;
}
export interface GeneratedVersion {
  readonly docker_image: string;
  readonly git_sha: string;
  readonly image_version: string | null;
}

/** Maps keep the order in which PaaSTA writes the keys; plain objects would move keys that look like numbers. */
export interface Generated {
  readonly v1: ReadonlyMap<string, GeneratedImage>;
  readonly v2: {
    readonly deployments: ReadonlyMap<string, GeneratedVersion>;
    readonly controls: ReadonlyMap<string, GeneratedControl>;
  };
}

/**
 * The content of the file. Groups without a mark, and their instances, are left out. A stop counts for its commit, as in PaaSTA: the
 * file stays the same for readers of either kind. `refs` in byte order, as git servers list them (see `inByteOrder`).
 */
export function generateDeployments(service: string, instances: readonly GroupedBranch[], refs: readonly Ref[]): Generated {
  const ordered = peeledRefs(refs);
  const groups = marksByGroup(ordered);
  const states = controlIndex(ordered);
  const v1 = new Map<string, GeneratedImage>();
  const deployments = new Map<string, GeneratedVersion>();
  const controls = new Map<string, GeneratedControl>();
  // Two types that define the same branch are one entry: the place of the first, the group of the last.
  const branches = new Map<string, string | undefined>();
  for (const { branch, deployGroup } of instances) branches.set(branch, deployGroup);
  for (const [branch, deployGroup] of branches) {
    const newest = groups.get(deployGroup ?? 'None')?.[0];
    if (newest === undefined) continue;
    const image = dockerImage(service, newest);
    const state = states.state(branch, newest.sha);
    const control = { desired_state: state.desiredState, force_bounce: state.forceBounce };
    deployments.set(deployGroup ?? 'null', { docker_image: image, git_sha: newest.sha, image_version: newest.imageVersion });
    v1.set(`${service}:paasta-${branch}`, { docker_image: image, ...control });
    controls.set(`${service}:${branch}`, control);
  }
  return { v1, v2: { deployments, controls } };
}

type Members = { readonly [key: string]: Json };

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parsed(text: string | undefined): Members {
  try {
    const value: unknown = text === undefined ? undefined : JSON.parse(text);
    return isMembers(value) ? value : {};
  } catch {
    // As in PaaSTA: an old file that cannot be read counts as empty and is replaced.
    return {};
  }
}

/** `known` first and in its order, then the members that only a newer writer knows. */
function withUnknown(known: readonly (readonly [string, Json])[], old: unknown): ReadonlyMap<string, Json> {
  const result = new Map<string, Json>(known);
  if (isMembers(old)) for (const [key, value] of Object.entries(old)) if (!result.has(key)) result.set(key, value);
  return result;
}

function entries<T extends object>(generated: ReadonlyMap<string, T>, old: unknown): ReadonlyMap<string, Json> {
  const before = isMembers(old) ? old : {};
  return new Map([...generated].map(([key, entry]) => [key, withUnknown(Object.entries(entry) as [string, Json][], Object.hasOwn(before, key) ? before[key] : undefined)]));
}

/**
 * Text of the file in PaaSTA's spelling (Python's JSON, no line end). Members that we do not know (of newer writers) are kept from
 * `previous`, except under keys that no longer exist. `changed` is false when the content is equal, whatever its spelling;
 * `text` is then the previous text.
 */
export function deploymentsFile(generated: Generated, previous?: string): { readonly text: string; readonly changed: boolean } {
  const old = parsed(previous);
  const oldV2 = isMembers(old['v2']) ? old['v2'] : {};
  const v2 = withUnknown(
    [
      ['deployments', entries(generated.v2.deployments, oldV2['deployments'])],
      ['controls', entries(generated.v2.controls, oldV2['controls'])],
    ],
    oldV2,
  );
  const text = pythonJson(withUnknown([['v1', entries(generated.v1, old['v1'])], ['v2', v2]], old));
  const same = previous !== undefined && canonicalJson(JSON.parse(text)) === canonicalJson(old);
  return same ? { text: previous, changed: false } : { text, changed: true };
}
