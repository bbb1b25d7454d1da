/**
 * What the machine knows beyond soa-configs, from the files where PaaSTA's `validate` looks. What a machine does not have is not checked.
 * Upstream: paasta_tools/cli/cmds/validate.py (`/etc/services`), `list_teams` in monitoring_tools.py, and the package environment_tools, which
 * reads the files of locations from soa-configs itself, else from the machine.
 */
import { UserError, warning, type Problem } from '../contract/errors.ts';
import type { TreeReader } from '../contract/ports.ts';
import { isMap, type Value, type ValueMap } from '../contract/values.ts';
import { readJson } from './json.ts';
import type { MeshWorld } from './validate-mesh.ts';
import { keysOf } from './yaml-values.ts';

/** What the machine knows beyond the tree; what is absent is not checked. */
export interface ValidationWorld extends MeshWorld {
  /** Known monitoring teams. */
  readonly teams?: readonly string[] | undefined;
}

const MACHINE_LOCATIONS = '/usr/share/yelp_location';

/** `directory` opens a directory of the machine; it need not exist. `problems`: files of the tree that cannot be used. */
export function readValidationWorld(
  tree: TreeReader,
  directory: (path: string) => TreeReader,
): { readonly world: ValidationWorld; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const ofMachine = (path: string, name: string): string | undefined => {
    try {
      return directory(path).read(name);
    } catch (error) {
      if (error instanceof UserError) return undefined;
      throw error;
    }
  };
  const locations = (name: string, wanted: (value: Value) => boolean): Value | undefined => {
    let text: string | undefined;
    try {
      text = tree.read(name);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      problems.push(...error.problems);
    }
    const value = json(text ?? ofMachine(MACHINE_LOCATIONS, name));
    if (value !== undefined && wanted(value)) return value;
    if (text !== undefined)
      problems.push(
        warning('LOCATIONS_INVALID', `${name} does not hold what it should: locations are not checked`, {
          file: name,
          line: 1,
          column: 1,
          hint: 'location_types.json is a list of types, most general first; location_mapping.json nests <name>_<type> in one another',
        }),
      );
    return undefined;
  };
  const types = locations(
    'location_types.json',
    (value) => Array.isArray(value) && (value as readonly Value[]).every((type) => typeof type === 'string'),
  ) as readonly string[] | undefined;
  const mapping = types === undefined ? undefined : (locations('location_mapping.json', isMap) as ValueMap | undefined);
  const teams = json(ofMachine('/etc/sensu', 'team_data.json'));
  return {
    problems,
    world: {
      etcServices: ofMachine('/etc', 'services')?.split('\n'),
      teams: isMap(teams) && isMap(teams.team_data) ? keysOf(teams.team_data) : undefined,
      locationTypes: types,
      locations: types === undefined || mapping === undefined ? undefined : locationsOf(types, mapping),
    },
  };
}

function json(text: string | undefined): Value | undefined {
  return text === undefined ? undefined : readJson(text, '').document?.value;
}

/** Names by type: the keys of a nested mapping are `<name>_<type>`. */
function locationsOf(types: readonly string[], mapping: ValueMap): Readonly<Record<string, readonly string[]>> {
  const names: string[] = [];
  const open: Value[] = [mapping];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (!isMap(next)) continue;
    names.push(...keysOf(next));
    open.push(...Object.values(next));
  }
  return Object.fromEntries(
    types.map((type) => [
      type,
      [...new Set(names.filter((name) => name.endsWith(`_${type}`)).map((name) => name.slice(0, -type.length - 1)))],
    ]),
  );
}
