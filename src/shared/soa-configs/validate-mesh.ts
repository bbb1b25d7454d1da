/** smartstack.yaml against the rest of the world. Rules: `validate_smartstack` of paasta_tools/cli/cmds/validate.py. */
import { suggestName } from '../contract/near.ts';
import { pythonText } from '../contract/python-text.ts';
import { isMap, numberOf, type Value, type ValueMap } from '../contract/values.ts';
import { placed, type PlacedProblem } from './schema-check.ts';
import { mappingHint, typeName } from './type-name.ts';
import { entriesOf, isTruthy, keysOf } from './yaml-values.ts';
import type { YamlDocument } from './yaml.ts';

/** Longest service plus namespace: the proxy's listener, the proxy's socket. */
const LISTENER_LIMIT = 118;
const SOCKET_LIMIT = 55;

/** What the machine or the platform knows about locations and ports; what is not given is not checked. */
export interface MeshWorld {
  /** Lines of the machine's list of ports (`/etc/services`). */
  readonly etcServices?: readonly string[] | undefined;
  /** Types of locations, most general first. */
  readonly locationTypes?: readonly string[] | undefined;
  /** Names of the locations of each type. */
  readonly locations?: Readonly<Record<string, readonly string[]>> | undefined;
}

/** Faults of smartstack.yaml. `namespacesOf`: namespaces of another service, `undefined` when it has no smartstack.yaml. */
export function checkMesh(
  service: string,
  document: YamlDocument,
  world: MeshWorld,
  namespacesOf: (service: string) => readonly string[] | undefined,
): readonly PlacedProblem[] {
  const faults: PlacedProblem[] = [];
  const say = (path: readonly (string | number)[], code: string, message: string, hint?: string): void =>
    void faults.push(placed(document, path, code, message, hint));
  const file = document.read;
  if (!isTruthy(document.value)) {
    say([], 'EMPTY', 'smartstack.yaml is empty', 'remove the file when the service is not in the mesh');
    return faults;
  }
  if (!isMap(file)) {
    say(
      [],
      'NOT_A_MAPPING',
      `smartstack.yaml must be a mapping from namespace to settings, not ${typeName(file)}`,
      mappingHint(file) ?? "write a namespace as 'main:', and under it 'proxy_port: …'",
    );
    return faults;
  }
  for (const [name, key] of entriesOf(file)) {
    if (typeof key !== 'string') say([name], 'KEY_NOT_TEXT', `the namespace '${name}' is not text`, 'put it in quotes');
  }
  for (const namespace of keysOf(file)) {
    const settings = file[namespace];
    if (!isMap(settings)) {
      say(
        [namespace],
        'NOT_A_MAPPING',
        `namespace '${namespace}' must be a mapping, not ${typeName(settings)}`,
        mappingHint(settings) ?? 'give it at least proxy_port',
      );
      continue;
    }
    const length = [...service, ...namespace].length;
    if (length > LISTENER_LIMIT)
      say(
        [namespace],
        'MESH_NAME_TOO_LONG',
        `service and namespace together have ${length} characters; at most ${LISTENER_LIMIT} fit into the name of a listener`,
      );
    if (!Object.hasOwn(settings, 'proxy_port'))
      say([namespace], 'MISSING_KEY', `namespace '${namespace}' needs the key 'proxy_port'`, 'null means: in the mesh without a port');
    else if (isTruthy(settings.proxy_port)) {
      if (length > SOCKET_LIMIT)
        say(
          [namespace],
          'MESH_NAME_TOO_LONG',
          `service and namespace together have ${length} characters; with a proxy_port at most ${SOCKET_LIMIT} fit into the name of a socket`,
        );
      const owner = portOwner(numberOf(settings.proxy_port), world.etcServices ?? []);
      if (owner !== undefined && owner !== `${service}.${namespace}`)
        say(
          [namespace, 'proxy_port'],
          'PORT_TAKEN',
          `port ${String(numberOf(settings.proxy_port))} already belongs to ${owner}`,
          'choose another port',
        );
    }
    checkLocations(namespace, settings, world, say);
    for (const key of ['proxied_through', 'clb_proxy']) {
      const target = settings[key];
      if (target === undefined) continue;
      const parts = typeof target === 'string' ? target.split('.') : [];
      if (parts.length !== 2) {
        say([namespace, key], 'REGISTRATION_INVALID', `${key} must be of the form service.namespace`);
        continue;
      }
      const known = namespacesOf(parts[0] as string);
      if (known === undefined || !known.includes(parts[1] as string))
        say(
          [namespace, key],
          'UNKNOWN_NAMESPACE',
          `${key}: ${known === undefined ? `service '${parts[0] ?? ''}' has no smartstack.yaml` : `'${parts[1] ?? ''}' is no namespace of ${parts[0] ?? ''}`}`,
          known === undefined ? undefined : suggestName(parts[1] as string, known),
        );
    }
  }
  return faults;
}

function portOwner(port: number | undefined, lines: readonly string[]): string | undefined {
  if (port === undefined) return undefined;
  for (const line of lines) {
    const [name, entry] = line.trim().split(/\s+/);
    if (name !== undefined && name !== '' && entry?.startsWith(`${port}/`) === true) return name;
  }
  return undefined;
}

type Say = (path: readonly (string | number)[], code: string, message: string, hint?: string) => void;

function checkLocations(namespace: string, settings: ValueMap, world: MeshWorld, say: Say): void {
  const advertise = settings.advertise === undefined ? ['region'] : settings.advertise;
  const discover = settings.discover === undefined ? 'region' : settings.discover;
  if (!Array.isArray(advertise) || typeof discover !== 'string') {
    say([namespace], 'WRONG_TYPE', `namespace '${namespace}': advertise must be a list, discover one location type`);
    return;
  }
  if (!(advertise as readonly Value[]).includes(discover))
    say(
      [namespace, settings.discover === undefined ? 'advertise' : 'discover'],
      'DISCOVER_NOT_ADVERTISED',
      `discover '${discover}' is not among advertise [${(advertise as readonly Value[]).map(pythonText).join(', ')}]`,
      'advertise at least what is discovered',
    );
  const types = world.locationTypes;
  if (types === undefined) return;
  for (const type of [discover, ...(advertise as readonly Value[])]) {
    if (typeof type !== 'string' || !types.includes(type))
      say(
        [namespace, type === discover ? 'discover' : 'advertise'],
        'UNKNOWN_LOCATION_TYPE',
        `'${pythonText(type)}' is no location type`,
        suggestName(pythonText(type), types),
      );
  }
  const extra = settings.extra_advertise;
  if (extra === undefined) return;
  if (!isMap(extra)) return say([namespace, 'extra_advertise'], 'WRONG_TYPE', 'extra_advertise must be a mapping');
  const known = (place: Value): boolean => {
    const [type, name, more] = pythonText(place).split(':');
    return (
      more === undefined &&
      type !== undefined &&
      name !== undefined &&
      types.includes(type) &&
      world.locations?.[type]?.includes(name) !== false
    );
  };
  for (const source of keysOf(extra)) {
    if (!known(source))
      say([namespace, 'extra_advertise', source], 'UNKNOWN_LOCATION', `'${source}' is no known location`, 'write type:name');
    const targets = extra[source];
    for (const target of Array.isArray(targets) ? (targets as readonly Value[]) : []) {
      const path = [namespace, 'extra_advertise', source];
      if (!known(target)) say(path, 'UNKNOWN_LOCATION', `'${pythonText(target)}' is no known location`, 'write type:name');
      else if (types.indexOf(pythonText(target).split(':')[0] as string) > types.indexOf(discover))
        say(
          path,
          'LOCATION_TOO_NARROW',
          `'${pythonText(target)}' is narrower than discover '${discover}': more hosts would see the service than meant`,
          `use a location of type ${discover} or wider`,
        );
    }
  }
  return undefined;
}
