/** Instances of one file: templates, defaults and the keys of the service under each, its deploy group, the place of everything in it. */
import { problem, type Problem } from '../contract/errors.ts';
import { deepMerge } from '../contract/merge.ts';
import { pythonText } from '../contract/python-text.ts';
import { isMap, type Value, type ValueMap } from '../contract/values.ts';
import { BadPlaceholder, interpolate } from './interpolate.ts';
import { tronActions } from './tron.ts';
import { mappingHint, typeName } from './type-name.ts';
import type { DeclaredInstance, InstanceConfig, InstanceType, Position } from './types.ts';
import { emptyMap, entriesOf } from './yaml-values.ts';
import type { YamlDocument } from './yaml.ts';

/** One file of instances, and what its service adds to them. */
export interface InstanceFile {
  readonly service: string;
  readonly cluster: string;
  readonly type: InstanceType;
  readonly document: YamlDocument;
  readonly map: ValueMap;
  readonly general: ValueMap;
  readonly monitoringFile: Value;
  readonly problems: Problem[];
  readonly declared: DeclaredInstance[];
  readonly unusable: InstanceConfig[];
}

/** True for a value from which some alias leads back to a value around it: nothing that walks it would end. */
function containsItself(value: Value): boolean {
  const done = new Set<Value>();
  const above = new Set<Value>();
  const leadsBack = (here: Value): boolean => {
    if (above.has(here)) return true;
    if (done.has(here) || (!Array.isArray(here) && !isMap(here))) return false;
    above.add(here);
    const found = (Array.isArray(here) ? (here as readonly Value[]) : Object.values(here)).some(leadsBack);
    above.delete(here);
    done.add(here);
    return found;
  };
  return leadsBack(value);
}

/** Instances of a file whose keys are their names. `tuned`: machine-written defaults by instance. */
export function plainInstances(context: InstanceFile, tuned: ValueMap): readonly InstanceConfig[] {
  const made: InstanceConfig[] = [];
  for (const [name, key, value] of entriesOf(context.map)) {
    const position = context.document.position([name]);
    if (typeof key !== 'string') {
      context.problems.push(
        problem(
          'INSTANCE_NAME',
          `the name '${name}' is read as ${key === null ? 'null' : typeof key === 'boolean' ? 'a boolean' : 'a number'}, not as text`,
          { ...position, hint: `put it in quotes: "${name}":` },
        ),
      );
      continue;
    }
    if (name.startsWith('_')) continue;
    context.declared.push({ type: context.type, cluster: context.cluster, instance: name, position });
    if (!isMap(value)) {
      context.problems.push(
        problem(
          'INSTANCE_NOT_A_MAPPING',
          `instance '${name}' ${value === null ? 'has no configuration' : `must be a mapping, not ${typeName(value)}`}`,
          { ...position, hint: mappingHint(value) ?? 'give it at least one key, for example cpus, or remove it' },
        ),
      );
      continue;
    }
    if (context.document.recursive !== undefined && containsItself(value)) continue;
    const defaults = tuned[name];
    const user = isMap(defaults) ? deepMerge(value, defaults) : value;
    const instance = instanceOf(context, name, deepMerge(user, context.general), [name], true);
    if (instance !== undefined) made.push(instance);
  }
  return made;
}

/** Actions of a file of tron jobs. */
export function tronInstances(context: InstanceFile): readonly InstanceConfig[] {
  const made: InstanceConfig[] = [];
  for (const action of tronActions(context.map, context.service, context.general, context.monitoringFile, context.document)) {
    if (action.problem !== undefined) context.problems.push(action.problem);
    if (action.instance === undefined) continue;
    context.declared.push({ type: 'tron', cluster: context.cluster, instance: action.instance, position: action.position });
    if (action.problem === undefined) {
      const instance = instanceOf(context, action.instance, action.config, action.path, false);
      if (instance !== undefined) made.push(instance);
    }
  }
  return made;
}

/** Interpolates the deploy group and attaches positions; `undefined` when the instance cannot be used (a problem was added). */
function instanceOf(
  context: InstanceFile,
  name: string,
  merged: ValueMap,
  path: readonly string[],
  defaultsToBranch: boolean,
): InstanceConfig | undefined {
  const { service, cluster, type, document, problems } = context;
  const position = (inner: readonly (string | number)[] = []): Position => {
    for (let length = inner.length; length > 0; length--) {
      const full = [...path, ...inner.slice(0, length)];
      if (document.has(full)) return document.position(full);
    }
    return document.position(path);
  };
  const branch = `${cluster}.${name}`;
  const refused = (code: string, message: string, hint: string): undefined => {
    problems.push(problem(code, message, { ...position(['deploy_group']), hint }));
    context.unusable.push({ service, cluster, instance: name, type, config: merged, branch, deployGroup: undefined, position });
    return undefined;
  };
  const given = merged.deploy_group;
  let deployGroup: string | undefined = defaultsToBranch ? branch : undefined;
  let config = merged;
  if (given === null && !defaultsToBranch) deployGroup = undefined;
  else if (given !== undefined) {
    if (typeof given !== 'string' || given === '') {
      const shown =
        given === null
          ? 'null'
          : given === ''
            ? 'empty'
            : Array.isArray(given) || isMap(given)
              ? typeName(given)
              : `${pythonText(given)}, which YAML does not read as text`;
      return refused(
        given === '' ? 'DEPLOY_GROUP_EMPTY' : 'DEPLOY_GROUP_INVALID',
        `deploy_group of '${name}' is ${shown}`,
        given === null || given === '' ? `name a group, or remove the line for the default '${branch}'` : 'put it in quotes',
      );
    }
    try {
      deployGroup = interpolate(given, { cluster, instance: name, service });
    } catch (error) {
      if (!(error instanceof BadPlaceholder)) throw error;
      return refused('DEPLOY_GROUP_INVALID', error.message, error.hint);
    }
    const own = emptyMap();
    own.deploy_group = deployGroup;
    config = deepMerge(own, merged);
  }
  return { service, cluster, instance: name, type, config, branch, deployGroup, position };
}
