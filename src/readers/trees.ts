import { problem, UserError, type Problem } from '../shared/contract/errors.ts';
import type { Runtime, TreeReader } from '../shared/contract/ports.ts';
import { suggestName } from '../shared/contract/near.ts';
import type { PlaceDoors } from '../shared/marking/index.ts';
import type { Ref } from '../shared/deployments/index.ts';
import type { Run } from '../shared/process/index.ts';
import { loadSoaConfigs, loadSystemConfig, type SoaConfigs, type SystemConfig } from '../shared/soa-configs/index.ts';

/** The part of a repository that is read. */
export interface RefSource {
  listRefs(prefix: string): Promise<readonly Ref[]>;
}

/** A repository reached by plain git, which can look for one mark without listing them all. */
export interface GitSource extends RefSource {
  newestMark(deployGroup: string): Promise<Ref | undefined>;
}

/** What the words need of the world. */
export interface ReaderWire {
  readonly run: Run;
  /** A directory, relative to that of the run; it need not exist. */
  tree(path: string): TreeReader;
  isDirectory(path: string): boolean;
  /** `timeout`: milliseconds that one question may take. */
  doors(options: {
    readonly apiUrl: string | undefined;
    readonly token: string;
    readonly timeout?: number;
  }): PlaceDoors<RefSource, GitSource>;
}

/** Both trees, opened. */
export interface Trees {
  readonly tree: TreeReader;
  readonly soa: SoaConfigs;
  readonly system: SystemConfig;
}

/** Throws `UserError`: SOA_DIR_MISSING (a mistyped path would look like "there is nothing"), and what is wrong with the system configuration. */
export function openTrees(
  wire: ReaderWire,
  { soaDir, systemConfigDir }: { readonly soaDir: string; readonly systemConfigDir: string },
): Trees {
  const system = loadSystemConfig(wire.tree(systemConfigDir));
  const tree = wire.tree(soaDir);
  const wrong: Problem[] = system.problems.filter(({ severity }) => severity === 'error');
  if (!wire.isDirectory(tree.root))
    wrong.push(
      problem('SOA_DIR_MISSING', `soa-dir: ${tree.root} is not a directory`, {
        input: 'soa-dir',
        hint: 'check out soa-configs, or correct --soa-dir',
      }),
    );
  if (wrong.length > 0) throw new UserError(wrong);
  return { tree, soa: loadSoaConfigs(tree, system), system };
}

/** Throws `UserError` NO_CLUSTERS: without a list of clusters no file of soa-configs belongs to any. */
export function requireClusters({ clusters }: SystemConfig, systemConfigDir: string): void {
  if (clusters.length > 0) return;
  throw new UserError(
    problem('NO_CLUSTERS', `the system configuration in ${systemConfigDir} names no clusters, so no instance belongs to any`, {
      input: 'system-config-dir',
      hint: 'correct --system-config-dir, or write a JSON file there with "clusters": ["…"]',
    }),
  );
}

/** Throws `UserError` UNKNOWN_SERVICE. */
export function requireDirectory({ soa }: Trees, service: string): void {
  if (soa.has(service)) return;
  throw new UserError(
    problem('UNKNOWN_SERVICE', `service '${service}' is not in soa-configs`, {
      input: 'service',
      hint: suggestName(service, soa.services()),
    }),
  );
}

/** Says what is wrong beside the answer: a file that could not be read may be why something is missing. */
export function sayProblems({ log }: Runtime, problems: readonly Problem[]): void {
  for (const found of problems) if (found.severity === 'error') log.problem({ ...found, severity: 'warning' });
}
