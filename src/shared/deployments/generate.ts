/** What `deployments.json` of a service says, from its instances and refs. Rule: generate_deployments_for_service.py, byte for byte. */
import { dockerImage } from '../contract/image.ts';
import { pythonJson, type Json } from '../contract/python-text.ts';
import { isMap, type Value } from '../contract/values.ts';
import { readJson } from '../soa-configs/json.ts';
import { keysOf } from '../soa-configs/yaml-values.ts';
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
  readonly v2: { readonly deployments: ReadonlyMap<string, GeneratedVersion>; readonly controls: ReadonlyMap<string, GeneratedControl> };
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

type Members = ReadonlyMap<string, Json>;

function isMembers(value: Json | undefined): value is Members {
  return value instanceof Map;
}

/** A value of an old file, so that it is written again as it stands there: keys in their order, `1.0` no `1`, every digit of an integer. */
function asWritten(value: Value): Json {
  if (Array.isArray(value)) return (value as readonly Value[]).map(asWritten);
  if (isMap(value)) return new Map(keysOf(value).map((key) => [key, asWritten(value[key] as Value)]));
  return value as Json;
}

function parsed(text: string | undefined): Members {
  const { document } = readJson(text ?? '', '');
  // As in PaaSTA: an old file that cannot be read counts as empty and is replaced.
  const members = asWritten(document?.value ?? null);
  return isMembers(members) ? members : new Map();
}

/** `known` first and in its order, then the members that only a newer writer knows. */
function withUnknown(known: readonly (readonly [string, Json])[], old: Json | undefined): ReadonlyMap<string, Json> {
  const result = new Map<string, Json>(known);
  if (isMembers(old)) for (const [key, value] of old) if (!result.has(key)) result.set(key, value);
  return result;
}

function entries<T extends object>(generated: ReadonlyMap<string, T>, old: Json | undefined): ReadonlyMap<string, Json> {
  const before: Members = isMembers(old) ? old : new Map();
  return new Map([...generated].map(([key, entry]) => [key, withUnknown(Object.entries(entry) as [string, Json][], before.get(key))]));
}

/**
 * Text of the file in PaaSTA's spelling (Python's JSON, no line end). Members that we do not know (of newer writers) are kept from
 * `previous`, except under keys that no longer exist. `changed` is false when the content is equal, whatever its spelling;
 * `text` is then the previous text.
 */
export function deploymentsFile(generated: Generated, previous?: string): { readonly text: string; readonly changed: boolean } {
  const old = parsed(previous);
  const v2Before = old.get('v2');
  const oldV2: Members = isMembers(v2Before) ? v2Before : new Map();
  const v2 = withUnknown(
    [
      ['deployments', entries(generated.v2.deployments, oldV2.get('deployments'))],
      ['controls', entries(generated.v2.controls, oldV2.get('controls'))],
    ],
    oldV2,
  );
  const text = pythonJson(
    withUnknown(
      [
        ['v1', entries(generated.v1, old.get('v1'))],
        ['v2', v2],
      ],
      old,
    ),
  );
  return previous !== undefined && inOneOrder(parsed(text)) === inOneOrder(old)
    ? { text: previous, changed: false }
    : { text, changed: true };
}

/** One text for equal contents, whatever the order of the keys. */
function inOneOrder(value: Json): string {
  const sorted = (one: Json): Json =>
    isMembers(one)
      ? new Map([...one].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, inner]) => [key, sorted(inner)]))
      : Array.isArray(one)
        ? (one as readonly Json[]).map(sorted)
        : one;
  return pythonJson(sorted(value));
}
