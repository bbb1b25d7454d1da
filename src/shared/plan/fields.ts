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

/** Values that the server fills into list keys that we leave out. */
const KEY_DEFAULTS: Readonly<Record<string, Json>> = { protocol: 'TCP' };

export function isJsonMap(value: Json): value is JsonMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isEmpty(value: Json): boolean {
  return value === undefined || value === null || (Array.isArray(value) && value.length === 0) || (isJsonMap(value) && Object.values(value).every(isEmpty));
}

function listKeys(path: readonly string[]): readonly string[] | undefined {
  const name = path.at(-1) ?? '';
  if (name === 'ports' && path.some((p) => p.startsWith('containers[') || p.startsWith('initContainers['))) return LIST_KEYS['spec.containers[].ports'];
  return LIST_KEYS[name];
}

function keyOf(element: Json, keys: readonly string[]): string | undefined {
  if (!isJsonMap(element)) return undefined;
  const values = keys.map((k) => element[k] ?? KEY_DEFAULTS[k]);
  return values[0] === undefined ? undefined : JSON.stringify(values);
}

function sameScalar(path: readonly string[], ours: Json, live: Json): boolean {
  if (ours === live) return true;
  const under = path.at(-2) ?? '';
  const quantities = under === 'limits' || under === 'requests' || under === 'hard' || under === 'default' || under === 'defaultRequest' || path.at(-1) === 'sizeLimit' || under === 'target';
  return quantities && (typeof ours === 'string' || typeof ours === 'number') && (typeof live === 'string' || typeof live === 'number') && sameQuantity(ours, live);
}

function walk(path: readonly string[], ours: Json, live: Json, found: string[]): void {
  if (isEmpty(ours)) {
    // An empty value wants nothing, unless something of ours stands there; that is seen through ownership.
    return;
  }
  if (isJsonMap(ours)) {
    if (!isJsonMap(live)) {
      found.push(path.join('.'));
      return;
    }
    for (const [key, value] of Object.entries(ours)) walk([...path, key], value, live[key], found);
    return;
  }
  if (Array.isArray(ours)) {
    const elements = ours as readonly Json[];
    if (!Array.isArray(live)) {
      found.push(path.join('.'));
      return;
    }
    const others = live as readonly Json[];
    const keys = listKeys(path);
    const head = path.slice(0, -1);
    const name = path.at(-1) ?? '';
    if (keys !== undefined && elements.every((e) => keyOf(e, keys) !== undefined)) {
      const byKey = new Map(others.map((e) => [keyOf(e, keys), e]));
      for (const element of elements) {
        const label = isJsonMap(element) ? String(element[keys[0] ?? '']) : '';
        const at = [...head, `${name}[${label}]`];
        const match = byKey.get(keyOf(element, keys));
        if (match === undefined) found.push(at.join('.'));
        else walk(at, element, match, found);
      }
      return;
    }
    if (elements.length !== others.length) {
      found.push(path.join('.'));
      return;
    }
    elements.forEach((element, i) => walk([...head, `${name}[${i}]`], element, others[i], found));
    return;
  }
  // The server leaves zero values out of what it stores.
  if (live === undefined && (ours === 0 || ours === '' || ours === false)) return;
  if (!sameScalar(path, ours, live)) found.push(path.join('.'));
}

/** Paths at which the live object does not hold our value, such as `spec.template.spec.containers[main].image`. */
export function differences(ours: KubeObject, live: KubeObject): readonly string[] {
  const found: string[] = [];
  for (const [key, value] of Object.entries(ours)) {
    if (key === 'apiVersion' || key === 'kind' || key === 'status') continue;
    if (key === 'metadata') {
      walk(['metadata', 'labels'], ours.metadata.labels, live.metadata.labels, found);
      walk(['metadata', 'annotations'], ours.metadata.annotations, live.metadata.annotations, found);
      if (!isEmpty(ours.metadata.ownerReferences)) walk(['metadata', 'ownerReferences'], ours.metadata.ownerReferences, live.metadata.ownerReferences, found);
      continue;
    }
    walk([key], value, live[key], found);
  }
  return found;
}

/** Element of a list that an ownership entry `k:{…}` names. */
function elementByKey(list: Json, key: JsonMap): Json {
  if (!Array.isArray(list)) return undefined;
  return (list as readonly Json[]).find((element) => isJsonMap(element) && Object.entries(key).every(([k, v]) => (element[k] ?? KEY_DEFAULTS[k]) === v));
}

type Visit = (path: string, ours: Json, live: Json) => void;

function visitOwned(fields: JsonMap, path: string, ours: Json, live: Json, visit: Visit): void {
  for (const [entry, below] of Object.entries(fields)) {
    if (entry === '.') continue;
    let at = path;
    let a: Json;
    let b: Json;
    if (entry.startsWith('f:')) {
      const name = entry.slice(2);
      at = path === '' ? name : `${path}.${name}`;
      a = isJsonMap(ours) ? ours[name] : undefined;
      b = isJsonMap(live) ? live[name] : undefined;
    } else if (entry.startsWith('k:')) {
      const key = JSON.parse(entry.slice(2)) as JsonMap;
      at = `${path}[${Object.values(key).map(String).join(',')}]`;
      a = elementByKey(ours, key);
      b = elementByKey(live, key);
    } else if (entry.startsWith('v:')) {
      const value = JSON.parse(entry.slice(2)) as Json;
      at = `${path}[${String(value)}]`;
      a = Array.isArray(ours) && (ours as readonly Json[]).includes(value) ? value : undefined;
      b = Array.isArray(live) && (live as readonly Json[]).includes(value) ? value : undefined;
    } else continue;
    const deeper = isJsonMap(below) ? Object.keys(below).filter((k) => k !== '.') : [];
    if (deeper.length === 0 || a === undefined) visit(at, a, b);
    else visitOwned(below as JsonMap, at, a, b, visit);
  }
}

/** Paths that `manager` holds by apply and that we do not want any more: the next apply removes them. */
export function abandoned(ours: KubeObject, live: KubeObject, manager: string): readonly string[] {
  const found: string[] = [];
  for (const entry of live.metadata.managedFields ?? []) {
    if (entry.manager !== manager || entry.operation !== 'Apply' || (entry.subresource ?? '') !== '') continue;
    visitOwned(entry.fieldsV1 ?? {}, '', ours, live, (path, a, b) => {
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
  return [...closed.map((part) => {
    const open = part.indexOf('[');
    const comma = open < 0 ? -1 : part.indexOf(',', open);
    return comma < 0 ? part : part.slice(0, comma);
  }), rest].join(']');
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
        if (own === wanted || own.startsWith(`${wanted}.`) || own.startsWith(`${wanted}[`) || wanted.startsWith(`${own}.`) || wanted.startsWith(`${own}[`)) {
          owners.set(path, { manager: entry.manager, operation: entry.operation });
          break;
        }
      }
    }
  }
  return owners;
}
