/** `requires` of the actions of tron jobs: Tron refuses a job whose actions wait for an unknown one, or for each other. */
import { suggestName } from '../contract/near.ts';
import { isMap, type Value } from '../contract/values.ts';
import { placed, type PlacedProblem } from './schema-check.ts';
import { keysOf } from './yaml-values.ts';
import type { YamlDocument } from './yaml.ts';

export function checkRequires(document: YamlDocument): readonly PlacedProblem[] {
  const file = document.read;
  if (!isMap(file)) return [];
  const faults: PlacedProblem[] = [];
  for (const job of keysOf(file)) {
    const settings = file[job];
    const actions = isMap(settings) ? settings.actions : undefined;
    if (job.startsWith('_') || !isMap(actions)) continue;
    const names = keysOf(actions);
    const needs = new Map<string, readonly string[]>();
    for (const name of names) {
      const action = actions[name];
      const list = isMap(action) ? action.requires : undefined;
      const wanted = (Array.isArray(list) ? (list as readonly Value[]) : []).filter((one): one is string => typeof one === 'string');
      for (const [index, one] of wanted.entries())
        if (!names.includes(one))
          faults.push(
            placed(
              document,
              [job, 'actions', name, 'requires', index],
              'UNKNOWN_ACTION',
              `job '${job}': action '${name}' requires '${one}', which is no action of the job`,
              suggestName(one, names),
            ),
          );
      needs.set(
        name,
        wanted.filter((one) => names.includes(one)),
      );
    }
    const circle = findCircle(needs);
    if (circle !== undefined)
      faults.push(
        placed(
          document,
          [job, 'actions', circle[0] as string, 'requires'],
          'CYCLIC_ACTIONS',
          `job '${job}': actions wait for each other: ${circle.join(' → ')}`,
          'remove one of the requires',
        ),
      );
  }
  return faults;
}

/** The first circle, its beginning repeated at its end. */
function findCircle(needs: ReadonlyMap<string, readonly string[]>): readonly string[] | undefined {
  const done = new Set<string>();
  for (const start of needs.keys()) {
    // No recursion: a file can chain thousands of actions.
    const path: string[] = [];
    const stack: { readonly name: string; readonly depth: number }[] = [{ name: start, depth: 0 }];
    for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
      for (const left of path.splice(top.depth)) done.add(left);
      const from = path.indexOf(top.name);
      if (from >= 0) return [...path.slice(from), top.name];
      if (done.has(top.name)) continue;
      path.push(top.name);
      for (const next of needs.get(top.name) ?? []) stack.push({ name: next, depth: path.length });
    }
    for (const left of path) done.add(left);
  }
  return undefined;
}
