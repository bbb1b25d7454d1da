/** Validates services of a tree: everything that is wrong in all of their files, from one run. */
import { UserError, messageOf, problem, type Problem } from '../shared/contract/errors.ts';
import { suggestName } from '../shared/contract/near.ts';
import type { TreeReader } from '../shared/contract/ports.ts';
import { deploymentsFromFile } from '../shared/deployments/index.ts';
import { loadSoaConfigs, systemConfigOf, type SoaConfigs, type SystemConfig } from '../shared/soa-configs/index.ts';
import { acrossChecks } from '../shared/soa-configs/validate-across.ts';
import { validateService } from '../shared/soa-configs/validate.ts';
import type { ValidationWorld } from '../shared/soa-configs/validation-world.ts';
import { countOf, type ServiceReport } from './outputs.ts';

export interface Checked {
  readonly services: readonly ServiceReport[];
  /** Files are relative to the tree. */
  readonly problems: readonly Problem[];
}

interface ServiceFindings {
  readonly failed: readonly string[];
  readonly found: readonly Problem[];
}

const CLUSTER_FILE = /^(?:kubernetes|eks|adhoc|tron)-(.+)\.yaml$/;

/** The clusters that files name, for trees that come without a system configuration. */
export function systemOfFiles(tree: TreeReader): SystemConfig {
  const clusters = new Set<string>();
  for (const { name, kind } of tree.list('')) {
    if (kind !== 'directory' || name.startsWith('.')) continue;
    for (const entry of entriesOf(tree, name)) {
      const cluster = CLUSTER_FILE.exec(entry)?.[1];
      if (cluster !== undefined) clusters.add(cluster);
    }
  }
  return systemConfigOf({ clusters: [...clusters].sort() });
}

/** Why a directory of the tree cannot be looked into: a symbolic link that leads out of it, no permission. */
function refusalOf(tree: TreeReader, path: string): readonly Problem[] {
  try {
    tree.list(path);
    return [];
  } catch (error) {
    if (error instanceof UserError) return error.problems;
    throw error;
  }
}

function entriesOf(tree: TreeReader, path: string): readonly string[] {
  try {
    return tree.list(path).map(({ name }) => name);
  } catch (error) {
    if (error instanceof UserError) return [];
    throw error;
  }
}

/** `services`: `undefined` for all of the tree. `derived`: the system configuration is made of file names, so what only a real one knows is not checked. `world`: what the machine knows. */
export function checkServices(
  tree: TreeReader,
  system: SystemConfig,
  services: readonly string[] | undefined,
  derived: boolean,
  world: ValidationWorld = {},
): Checked {
  const soa = loadSoaConfigs(tree, system);
  const across = acrossChecks(tree, system, soa);
  const problems: Problem[] = [];
  const reports: ServiceReport[] = [];
  for (const service of services ?? soa.services()) {
    const { failed, found } = guarded(service, () => checkService({ tree, system, soa, across, derived, world }, service));
    problems.push(...found);
    reports.push({ service, failed, errors: countOf(found, 'error'), warnings: countOf(found, 'warning') });
  }
  return { services: reports, problems: inOrder([...soa.problems, ...problems].map(located)) };
}

/** A fault of ours in one service must not hide what is wrong with the others. */
function guarded(service: string, check: () => ServiceFindings): ServiceFindings {
  try {
    return check();
  } catch (error) {
    return {
      failed: [],
      found: [
        problem('INTERNAL_ERROR', `validation of ${service} failed in a way that is not your fault: ${messageOf(error)}`, {
          file: `${service}/service.yaml`,
          hint: 'please report it with the files of the service',
        }),
      ],
    };
  }
}

interface Ground {
  readonly tree: TreeReader;
  readonly system: SystemConfig;
  readonly soa: SoaConfigs;
  readonly across: (service: string) => readonly Problem[];
  readonly derived: boolean;
  readonly world: ValidationWorld;
}

function checkService({ tree, system, soa, across, derived, world }: Ground, service: string): ServiceFindings {
  if (!soa.has(service))
    return {
      failed: [],
      found: [
        problem('UNKNOWN_SERVICE', `'${service}' is not a directory of soa-configs`, {
          input: 'service',
          hint: suggestName(service, soa.services()),
        }),
      ],
    };
  const refused = refusalOf(tree, service);
  if (refused.length > 0) return { failed: [], found: refused };
  const verdict = validateService(tree, system, soa, service, world);
  const own = derived ? verdict.problems.filter(({ code }) => code !== 'UNKNOWN_ECOSYSTEM') : verdict.problems;
  const others = verdict.precondition ? [...across(service), ...checkDeployments(tree, service)] : [];
  const failed = Object.entries(verdict.checks)
    .filter(([name, ok]) => !ok && !(derived && name === 'secrets' && !own.some(({ code }) => code === 'SECRET_MISSING')))
    .map(([name]) => name);
  return { failed, found: merged(own, others) };
}

/** `deployments.json`, when the tree holds it. PaaSTA's `validate` does not read it. */
function checkDeployments(tree: TreeReader, service: string): readonly Problem[] {
  const file = `${service}/deployments.json`;
  try {
    const text = tree.read(file);
    return text === undefined ? [] : deploymentsFromFile(service, text, file).problems;
  } catch (error) {
    if (error instanceof UserError) return error.problems;
    throw error;
  }
}

/** What concerns a whole file stands on its first line. */
function located(found: Problem): Problem {
  return found.file === undefined || found.line !== undefined ? found : { ...found, line: 1, column: 1 };
}

/** Codes that say the same about one place: the first of a pair is told. */
const SAME_FAULT: readonly (readonly [string, string])[] = [
  ['SCHEMA_TYPE', 'WRONG_TYPE'],
  ['INSTANCE_NOT_A_MAPPING', 'SCHEMA_TYPE'],
  ['NOT_A_MAPPING', 'SCHEMA_TYPE'],
  ['UNKNOWN_VALUE', 'HEALTHCHECK_INVALID'],
  ['INSTANCE_NAME', 'KEY_NOT_TEXT'],
  // The deploy group that a name stands for is wrong with the name.
  ['INSTANCE_NAME', 'LABEL_INVALID'],
  ['INSTANCE_NAME', 'UNKNOWN_DEPLOY_GROUP'],
  ['INSTANCE_NAME_TOO_LONG', 'LABEL_INVALID'],
  ['INSTANCE_NAME_TOO_LONG', 'UNKNOWN_DEPLOY_GROUP'],
];

/** Codes that the schema and a check behind it, or the reader and a check, find in one place: the first is told. */
const TOLD_ONCE = ['UNKNOWN_VALUE', 'TRON_JOB_INVALID'];

function place(found: Problem): string {
  return `${found.file ?? ''}:${String(found.line ?? 0)}:${String(found.column ?? 0)}`;
}

/** What several checks say about one place is told once. */
function merged(ofService: readonly Problem[], others: readonly Problem[]): readonly Problem[] {
  const coded = new Set([...ofService, ...others].map((found) => `${place(found)} ${found.code}`));
  const repeats = (found: Problem): boolean =>
    SAME_FAULT.some(([better, code]) => found.code === code && coded.has(`${place(found)} ${better}`));
  const once = new Set<string>();
  const own = ofService.filter((found) => {
    const key = `${place(found)} ${found.code}`;
    const again = TOLD_ONCE.includes(found.code) && once.has(key);
    once.add(key);
    return !again && !repeats(found);
  });
  const told = new Set(own.map(place));
  const same = new Set(own.map((found) => `${place(found)} ${found.message}`));
  return inOrder([
    ...own,
    ...others.filter(
      (found) =>
        !repeats(found) &&
        !same.has(`${place(found)} ${found.message}`) &&
        !((found.code === 'UNKNOWN_KEY' || found.code.startsWith('SCHEMA_')) && found.severity !== 'error' && told.has(place(found))),
    ),
  ]);
}

/** By file, line and column; each once. */
function inOrder(problems: readonly Problem[]): readonly Problem[] {
  const unique = new Map(
    problems.map((found) => [JSON.stringify([found.file, found.line, found.column, found.code, found.message]), found]),
  );
  const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  return [...unique.values()].sort(
    (a, b) => compare(a.file ?? '', b.file ?? '') || (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0),
  );
}
