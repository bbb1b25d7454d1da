/** Does a live object still hold every value that we want? Lists are compared as the API server merges them: by key where it has one. */
import type { KubeObject } from '../objects/types.ts';
import { sameQuantity } from '../contract/quantity.ts';

type Json = unknown;
type JsonMap = Readonly<Record<string, Json>>;

/** Keys by which the elements of a list are told apart, by the list's field name (and its parent where names repeat). */
const LIST_KEYS: Readonly<Record<string, readonly string[]>> = {
  containers: ['name'],
  initContainers: ['name'],
  ephemeralContainers: ['name'],
  env: ['name'],
  volumes: ['name'],
  volumeMounts: ['mountPath'],
  volumeDevices: ['devicePath'],
  imagePullSecrets: ['name'],
  hostAliases: ['ip'],
  topologySpreadConstraints: ['topologyKey', 'whenUnsatisfiable'],
  'spec.containers[].ports': ['containerPort', 'protocol'],
  ports: ['port', 'protocol'],
  secrets: ['name'],
};

/** Maps that mean something as a whole: one more label of a selector selects less. */
const WHOLE_MAPS: ReadonlySet<string> = new Set(['selector', 'matchLabels', 'nodeSelector']);

/** Values that the server fills into list keys that we leave out. */
const KEY_DEFAULTS: Readonly<Record<string, Json>> = { protocol: 'TCP' };

export function isJsonMap(value: Json): value is JsonMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isEmpty(value: Json): boolean {
  return (
    value === undefined ||
    value === null ||
    (Array.isArray(value) && value.length === 0) ||
    (isJsonMap(value) && Object.values(value).every(isEmpty))
  );
}

/** A place in an object, from its end to the top: it becomes text only where something differs. */
interface Place {
  readonly name: string;
  readonly above: Place | undefined;
}

const below = (above: Place | undefined, name: string): Place => ({ name, above });

function pathTo(place: Place): string {
  const names: string[] = [];
  for (let here: Place | undefined = place; here !== undefined; here = here.above) names.push(here.name);
  return names.reverse().join('.');
}

function isInContainer(place: Place): boolean {
  for (let here: Place | undefined = place; here !== undefined; here = here.above)
    if (here.name.startsWith('containers[') || here.name.startsWith('initContainers[')) return true;
  return false;
}

function listKeys(place: Place): readonly string[] | undefined {
  if (place.name === 'ports' && isInContainer(place)) return LIST_KEYS['spec.containers[].ports'];
  return LIST_KEYS[place.name];
}

function keyOf(element: Json, keys: readonly string[]): string | undefined {
  if (!isJsonMap(element)) return undefined;
  const values = keys.map((k) => element[k] ?? KEY_DEFAULTS[k]);
  return values[0] === undefined ? undefined : JSON.stringify(values);
}

const QUANTITIES: ReadonlySet<string> = new Set(['limits', 'requests', 'hard', 'default', 'defaultRequest', 'target']);

function sameScalar(place: Place, ours: Json, live: Json): boolean {
  if (ours === live) return true;
  return (
    (QUANTITIES.has(place.above?.name ?? '') || place.name === 'sizeLimit') &&
    (typeof ours === 'string' || typeof ours === 'number') &&
    (typeof live === 'string' || typeof live === 'number') &&
    sameQuantity(ours, live)
  );
}

/** Elements that the server tells apart by keys, those of ours with theirs; `undefined`: the list is compared as a whole. */
function paired(
  place: Place,
  ours: readonly Json[],
  live: readonly Json[],
): readonly (readonly [label: string, ours: Json, live: Json])[] | undefined {
  const keys = listKeys(place);
  if (keys === undefined) return undefined;
  const named = ours.map((element) => [keyOf(element, keys), element] as const);
  if (named.some(([key]) => key === undefined)) return undefined;
  const byKey = new Map(live.map((element) => [keyOf(element, keys), element]));
  return named.map(([key, element]) => [isJsonMap(element) ? String(element[keys[0] ?? '']) : '', element, byKey.get(key)]);
}

/** An empty value of ours wants nothing, unless something of ours stands there; that is seen through ownership. */
function walk(place: Place, ours: Json, live: Json, found: string[]): void {
  if (ours === undefined || ours === null) return;
  if (isJsonMap(ours)) {
    if (!isJsonMap(live)) {
      if (!isEmpty(ours)) found.push(pathTo(place));
      return;
    }
    for (const key of Object.keys(ours)) walk(below(place, key), ours[key], live[key], found);
    if (WHOLE_MAPS.has(place.name) && !isEmpty(ours))
      for (const [key, value] of Object.entries(live)) if (!(key in ours) && !isEmpty(value)) found.push(pathTo(below(place, key)));
    return;
  }
  if (Array.isArray(ours)) {
    const elements = ours as readonly Json[];
    if (elements.length === 0) return;
    if (!Array.isArray(live)) {
      found.push(pathTo(place));
      return;
    }
    const others = live as readonly Json[];
    const pairs = paired(place, elements, others);
    if (pairs !== undefined) {
      for (const [label, element, match] of pairs) {
        const at = below(place.above, `${place.name}[${label}]`);
        if (match === undefined) found.push(pathTo(at));
        else walk(at, element, match, found);
      }
      return;
    }
    if (elements.length !== others.length) {
      found.push(pathTo(place));
      return;
    }
    elements.forEach((element, i) => walk(below(place.above, `${place.name}[${i}]`), element, others[i], found));
    return;
  }
  // The server leaves zero values out of what it stores.
  if (live === undefined && (ours === 0 || ours === '' || ours === false)) return;
  if (!sameScalar(place, ours, live)) found.push(pathTo(place));
}

/** Paths at which the live object does not hold our value, such as `spec.template.spec.containers[main].image`. */
export function differences(ours: KubeObject, live: KubeObject): readonly string[] {
  const found: string[] = [];
  for (const [key, value] of Object.entries(ours)) {
    if (key === 'apiVersion' || key === 'kind' || key === 'status') continue;
    if (key === 'metadata') {
      const metadata = below(undefined, 'metadata');
      for (const part of ['labels', 'annotations', 'ownerReferences'] as const)
        walk(below(metadata, part), ours.metadata[part], live.metadata[part], found);
      continue;
    }
    walk(below(undefined, key), value, live[key], found);
  }
  return found;
}

/** What the name of an ownership entry says: a member, the element of a list with these keys, or a value in a list. */
type Owned =
  | { readonly of: 'member'; readonly name: string }
  | { readonly of: 'element'; readonly label: string; readonly keys: readonly (readonly [string, Json])[] }
  | { readonly of: 'value'; readonly value: Json }
  /** `.`: the thing itself; and indices, which nobody writes. */
  | { readonly of: 'itself' };

/** Names of ownership entries: the same few in every object. */
const ENTRIES = new Map<string, Owned>();

function readEntry(entry: string): Owned {
  if (entry.startsWith('f:')) return { of: 'member', name: entry.slice(2) };
  if (entry.startsWith('v:')) return { of: 'value', value: JSON.parse(entry.slice(2)) as Json };
  if (!entry.startsWith('k:')) return { of: 'itself' };
  const keys = Object.entries(JSON.parse(entry.slice(2)) as JsonMap);
  return { of: 'element', label: keys.map(([, value]) => String(value)).join(','), keys };
}

function ownedBy(entry: string): Owned {
  let owned = ENTRIES.get(entry);
  if (owned === undefined) {
    if (ENTRIES.size >= 10_000) ENTRIES.clear();
    ENTRIES.set(entry, (owned = readEntry(entry)));
  }
  return owned;
}

/** What an ownership entry names in a map or list. */
function partOf(whole: Json, owned: Exclude<Owned, { of: 'itself' }>): Json {
  if (owned.of === 'member') return isJsonMap(whole) ? whole[owned.name] : undefined;
  if (!Array.isArray(whole)) return undefined;
  const list = whole as readonly Json[];
  if (owned.of === 'value') return list.includes(owned.value) ? owned.value : undefined;
  // No closures here: an unchanged pass comes by a hundred times for each object.
  for (const element of list) {
    if (!isJsonMap(element)) continue;
    let isIt = true;
    for (const [key, value] of owned.keys) isIt &&= (element[key] ?? KEY_DEFAULTS[key]) === value;
    if (isIt) return element;
  }
  return undefined;
}

function isLeaf(fields: JsonMap): boolean {
  for (const entry in fields) if (entry !== '.') return false;
  return true;
}

type Visit = (path: string, ours: Json, live: Json) => void;

/** Every path of an ownership entry, with our value and the live one. */
export function visitOwned(fields: JsonMap, path: string, ours: Json, live: Json, visit: Visit): void {
  for (const entry of Object.keys(fields)) {
    const owned = ownedBy(entry);
    if (owned.of === 'itself') continue;
    const at =
      owned.of === 'member'
        ? path === ''
          ? owned.name
          : `${path}.${owned.name}`
        : `${path}[${owned.of === 'element' ? owned.label : String(owned.value)}]`;
    const [a, b] = [partOf(ours, owned), partOf(live, owned)];
    const inner = fields[entry];
    if (a === undefined || !isJsonMap(inner) || isLeaf(inner)) visit(at, a, b);
    else visitOwned(inner, at, a, b, visit);
  }
}

/** Is there a path of an ownership entry at which something lives and we want nothing? The question of nearly every pass, without the paths. */
function abandonsAny(fields: JsonMap, ours: Json, live: Json): boolean {
  for (const entry in fields) {
    const owned = ownedBy(entry);
    if (owned.of === 'itself') continue;
    const b = partOf(live, owned);
    if (b === undefined) continue;
    const a = partOf(ours, owned);
    if (a === undefined) return true;
    const inner = fields[entry];
    if (isJsonMap(inner) && abandonsAny(inner, a, b)) return true;
  }
  return false;
}

/** Paths that `manager` holds by apply and that we do not want any more: the next apply removes them. */
export function abandoned(ours: KubeObject, live: KubeObject, manager: string): readonly string[] {
  const found: string[] = [];
  for (const entry of live.metadata.managedFields ?? []) {
    if (entry.manager !== manager || entry.operation !== 'Apply' || (entry.subresource ?? '') !== '') continue;
    const fields = entry.fieldsV1 ?? {};
    if (!abandonsAny(fields, ours, live)) continue;
    visitOwned(fields, '', ours, live, (path, a, b) => {
      if (a === undefined && b !== undefined) found.push(path);
    });
  }
  return found;
}

/** Who owns a path of the live object, besides `manager`. */
export interface FieldOwner {
  readonly manager: string;
  readonly operation: string;
}

/** `a.b[x]` and `a.b[x,TCP].c` in one spelling, so that paths of both sorts can be compared. */
function plain(path: string): string {
  const closed = path.split(']');
  const rest = closed.pop() ?? '';
  return [
    ...closed.map((part) => {
      const open = part.indexOf('[');
      const comma = open < 0 ? -1 : part.indexOf(',', open);
      return comma < 0 ? part : part.slice(0, comma);
    }),
    rest,
  ].join(']');
}

/** Owners of each path, other than `manager`; paths without another owner are absent. */
export function ownersOf(paths: readonly string[], live: KubeObject, manager: string): ReadonlyMap<string, FieldOwner> {
  const owners = new Map<string, FieldOwner>();
  if (paths.length === 0) return owners;
  for (const entry of live.metadata.managedFields ?? []) {
    if (entry.manager === manager) continue;
    const owned = new Set<string>();
    visitOwned(entry.fieldsV1 ?? {}, '', live, live, (path) => owned.add(plain(path)));
    for (const path of paths) {
      const wanted = plain(path);
      if (owners.has(path)) continue;
      for (const own of owned) {
        if (
          own === wanted ||
          own.startsWith(`${wanted}.`) ||
          own.startsWith(`${wanted}[`) ||
          wanted.startsWith(`${own}.`) ||
          wanted.startsWith(`${own}[`)
        ) {
          owners.set(path, { manager: entry.manager, operation: entry.operation });
          break;
        }
      }
    }
  }
  return owners;
}
