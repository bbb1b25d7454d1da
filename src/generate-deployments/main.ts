/**
 * Writes `deployments.json` of one service or of all. PaaSTA: paasta_tools/generate_deployments_for_service.py and generate_all_deployments.
 * Unlike there, all services are one run, and what is wrong with one of them never stops the others.
 */
import { resolve } from 'node:path';
import { CancelledError, problem, UserError, warning, type Problem } from '../shared/contract/errors.ts';
import type { Runtime, TreeReader } from '../shared/contract/ports.ts';
import { ALL_TAGS_PREFIX } from '../shared/contract/tags.ts';
import {
  deploymentsFile,
  deploymentsFromFile,
  generateDeployments,
  inByteOrder,
  malformedTags,
  type GroupedBranch,
  type Ref,
} from '../shared/deployments/index.ts';
import { requireService } from '../shared/runtime/checkout.ts';
import { inRepository } from '../shared/runtime/placing.ts';
import { loadSoaConfigs, loadSystemConfig, type ServiceConfig, type SystemConfig } from '../shared/soa-configs/index.ts';
import { readGenerateInputs, type GenerateInputs } from './inputs.ts';
import { LEGACY_PREFIX, legacyBranches } from './legacy.ts';
import {
  changesBetween,
  failedOnes,
  generateSummary,
  groupsIn,
  headline,
  writeOutputs,
  type GenerateReport,
  type Outcome,
} from './outputs.ts';
import { askAll, placeKey, placeOf, type GitHubRefs, type Place, type RefWorld } from './sources.ts';

/** What the stage needs of the world. */
export interface GenerateWire {
  tree(path: string): TreeReader;
  isDirectory(path: string): boolean;
  /** Replaces a file of the tree at `root` at once. */
  readonly write: (root: string, path: string, text: string) => void;
  refs(options: { readonly apiUrl: string; readonly token: string }): RefWorld;
}

const PUBLIC_API = 'https://api.github.com';
/** At most so many warnings are annotations: GitHub shows ten per step anyway. */
const WARNINGS = 20;
/** Lines of the log about single services. */
const LINES = 100;

/** A service on its way: what its files say, and where its marks are. */
interface Prepared {
  readonly service: string;
  readonly instances: readonly GroupedBranch[];
  readonly place: Place;
  readonly problems: readonly Problem[];
}

export async function main(runtime: Runtime, wire: GenerateWire): Promise<void> {
  const began = runtime.clock.now();
  const inputs = readGenerateInputs(runtime);
  const soaPath = resolve(runtime.workingDirectory, inputs.soaDir);
  const system = requireConfigs(wire, resolve(runtime.workingDirectory, inputs.systemConfigDir), soaPath);
  const tree = wire.tree(soaPath);
  if (inputs.service !== undefined) requireService(inputs.service, tree);
  const soa = loadSoaConfigs(tree, system);
  const services = inputs.service === undefined ? soa.services() : [inputs.service];
  if (services.length === 0) {
    const broken = soa.problems.filter(({ severity }) => severity === 'error');
    if (broken.length > 0) throw new UserError(broken);
    runtime.log.problem(
      warning('EMPTY_SOA_CONFIGS', `there is no service in ${soaPath}`, {
        input: 'soa-dir',
        hint: 'check soa-dir, and that soa-configs was checked out',
      }),
    );
  }

  const refs = wire.refs({ apiUrl: inputs.githubApiUrl ?? PUBLIC_API, token: inputs.githubToken });
  const github = await refs.github();
  const prepared = services.flatMap((service) => prepare(service, soa.load(service), tree, runtime, inputs, github));
  const answers = askAll(
    prepared.map(({ place }) => place),
    [ALL_TAGS_PREFIX, LEGACY_PREFIX],
    refs.git,
    github,
  );
  const outcomes: Outcome[] = [];
  for (const one of prepared) {
    if (runtime.signal.aborted) throw new CancelledError();
    outcomes.push(await generate(one, answers, { tree, soaPath, inputs, github, write: wire.write }));
  }
  const repositories = new Set(prepared.flatMap(({ place }) => (place.kind === 'github' ? [placeKey(place)] : []))).size;
  await finish(
    runtime,
    { outcomes, requests: github?.batches.requests() ?? 0, repositories, dryRun: inputs.dryRun, duration: runtime.clock.now() - began },
    soaPath,
  );
}

/** A mistyped path would look like "nothing to do", and without clusters every service would lose its instances. */
function requireConfigs(wire: GenerateWire, systemDir: string, soaPath: string): SystemConfig {
  const system = loadSystemConfig(wire.tree(systemDir));
  const found = system.problems.filter(({ severity }) => severity === 'error');
  if (found.length === 0 && system.clusters.length === 0)
    found.push(
      problem(
        'NO_CLUSTERS',
        Object.keys(system.values).length === 0
          ? `there is no system configuration in ${systemDir}`
          : `the system configuration in ${systemDir} names no clusters`,
        { input: 'system-config-dir', hint: `correct system-config-dir, or write a JSON file there with "clusters": ["…"]` },
      ),
    );
  if (!wire.isDirectory(soaPath))
    found.push(
      problem('SOA_DIR_MISSING', `soa-dir: ${soaPath} is not a directory`, {
        input: 'soa-dir',
        hint: 'check out soa-configs, or correct soa-dir',
      }),
    );
  if (found.length > 0) throw new UserError(found);
  return system;
}

/** Nothing for a directory that holds no service. */
function prepare(
  service: string,
  config: ServiceConfig,
  tree: TreeReader,
  { env, log }: Runtime,
  inputs: GenerateInputs,
  github: GitHubRefs | undefined,
): readonly Prepared[] {
  const problems = problemsOf(config);
  const instances = config.instances.map(({ branch, deployGroup }) => ({ branch, deployGroup }));
  if (problems.length === 0 && instances.length === 0 && !holdsFiles(tree, service)) {
    log.debug(`generate-deployments: ${service} holds neither YAML files nor deployments.json: left out`);
    return [];
  }
  const none: Place = { kind: 'none' };
  // Instances that could not be read would lose their versions: the old file stays.
  if (config.incomplete || problems.some(({ code }) => code === 'WRONG_TYPE'))
    return [
      {
        service,
        instances: [],
        place: none,
        problems: problems.length > 0 ? problems : [problem('INCOMPLETE', `${service}: a file cannot be read`, { file: service })],
      },
    ];
  // Whoever has no instance has nothing to be marked, and the repository is not asked.
  if (instances.length === 0) return [{ service, instances, place: none, problems }];
  const place = placeOf({ service, gitUrl: inputs.gitUrl ?? config.gitUrl, jobRepository: env['GITHUB_REPOSITORY'] }, github);
  return 'kind' in place
    ? [{ service, instances, place, problems }]
    : [{ service, instances: [], place: none, problems: [...problems, place] }];
}

function holdsFiles(tree: TreeReader, service: string): boolean {
  try {
    return tree.list(service).some(({ name }) => name.endsWith('.yaml') || name === 'deployments.json');
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return true;
  }
}

/** What concerns this file: instances, the repository, files that cannot be read. The rest is told by `paasta validate`. */
function problemsOf({ problems, incomplete }: ServiceConfig): readonly Problem[] {
  return problems.filter(({ severity, file = '', message }) => {
    const [, name = '', inside] = file.split('/');
    if (severity !== 'error') return false;
    return (
      incomplete ||
      (inside === undefined && /^(?:adhoc|kubernetes|eks|tron)-.*\.yaml$/.test(name)) ||
      (name === 'service.yaml' && message.startsWith('git_url'))
    );
  });
}

interface Target {
  readonly tree: TreeReader;
  readonly soaPath: string;
  readonly inputs: GenerateInputs;
  readonly github: GitHubRefs | undefined;
  readonly write: GenerateWire['write'];
}

/** One service. Throws only what is ours, and `CancelledError`. */
async function generate(
  { service, instances, place, problems }: Prepared,
  answers: ReadonlyMap<string, Promise<{ readonly refs: readonly Ref[] } | { readonly problem: Problem }>>,
  target: Target,
): Promise<Outcome> {
  const failed = (found: readonly Problem[]): Outcome => ({ service, state: 'failed', changes: [], problems: found });
  if (problems.length > 0 && instances.length === 0) return failed(problems);
  const file = `${service}/deployments.json`;
  const { text: previous, problems: unreadable } = readPrevious(target.tree, service, file);
  let answer = await (answers.get(placeKey(place)) ?? Promise.resolve({ refs: [] as readonly Ref[] }));
  // A whole service that loses its marks: before that is believed, GitHub is asked by its other way of finding refs.
  if (
    'refs' in answer &&
    place.kind === 'github' &&
    target.github !== undefined &&
    previous !== undefined &&
    !answer.refs.some(({ name }) => name.startsWith(ALL_TAGS_PREFIX)) &&
    groupsIn(previous).length > 0
  ) {
    answer = await target.github.batches.listRefsByRest(place.repository, [ALL_TAGS_PREFIX, LEGACY_PREFIX]);
  }
  if ('problem' in answer) return failed([...problems, { ...answer.problem, message: `${service}: ${answer.problem.message}` }]);
  const tags = answer.refs.filter(({ name }) => name.startsWith(ALL_TAGS_PREFIX));
  const legacy = legacyBranches(service, instances, answer.refs, target.inputs.legacyControlBranches);
  const known = new Set(tags.map(({ name }) => name));
  const generated = generateDeployments(service, instances, inByteOrder([...tags, ...legacy.marks.filter(({ name }) => !known.has(name))]));
  const { text, changed } = deploymentsFile(generated, previous);
  const told = [...problems, ...unreadable, ...[malformedTags(tags, service), legacy.problem].flatMap((found) => found ?? [])];
  if (!changed) return { service, state: 'unchanged', changes: [], problems: told };
  if (!target.inputs.dryRun) {
    try {
      target.write(target.soaPath, file, text);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      return failed([...told, ...error.problems]);
    }
  }
  return { service, state: 'written', changes: changesBetween(service, previous, generated), problems: told };
}

/** The file as it is. One that cannot be read counts as empty, as in PaaSTA, with a warning. */
function readPrevious(
  tree: TreeReader,
  service: string,
  file: string,
): { readonly text: string | undefined; readonly problems: readonly Problem[] } {
  const replaced = ({ code, message, line, column }: Problem): Problem =>
    warning(code, `${message}; it counts as empty and is written anew`, {
      file,
      ...(line === undefined ? {} : { line }),
      ...(column === undefined ? {} : { column }),
    });
  try {
    const text = tree.read(file);
    const unreadable =
      text === undefined
        ? undefined
        : deploymentsFromFile(service, text, file).problems.find(({ code }) => code === 'DEPLOYMENTS_UNREADABLE');
    return unreadable === undefined ? { text, problems: [] } : { text: undefined, problems: [replaced(unreadable)] };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { text: undefined, problems: error.problems.map(replaced) };
  }
}

/** Outputs, lines and summary; then the failure is thrown. */
async function finish(runtime: Runtime, report: GenerateReport, soaPath: string): Promise<void> {
  const { log } = runtime;
  writeOutputs(runtime, report);
  const changed = report.outcomes.filter(({ state }) => state === 'written');
  for (const { service, changes } of changed.slice(0, LINES))
    log.info(`${service}: ${report.dryRun ? 'would write ' : ''}${changes.join(', ')}`);
  if (changed.length > LINES) log.info(`… and ${String(changed.length - LINES)} more services`);
  const place = (found: Problem): Problem => inRepository(found, soaPath, runtime);
  const warnings = report.outcomes.flatMap(({ problems }) => problems.filter(({ severity }) => severity !== 'error'));
  for (const found of warnings.slice(0, WARNINGS)) log.problem(place(found));
  if (warnings.length > WARNINGS) log.info(`… and ${String(warnings.length - WARNINGS)} more warnings`);
  log.info(headline(report));
  await runtime.addSummary(generateSummary(report));
  const failed = failedOnes(report);
  if (failed.length === 0) return;
  const names = failed.map(({ service }) => service);
  const last = problem(
    'NOT_GENERATED',
    `${String(failed.length)} of ${String(report.outcomes.length)} services could not be generated as a whole: ${names.slice(0, 20).join(', ')}${names.length > 20 ? ', …' : ''}`,
    { hint: 'mend what is said above and run this again; the other services are done' },
  );
  throw new UserError([...together(failed).map(place), last], { summarised: true });
}

/** What many services say with the same words (GitHub is away, the limit is used up) is said once. */
function together(failed: readonly Outcome[]): readonly Problem[] {
  const groups = new Map<string, { readonly problem: Problem; readonly services: string[] }>();
  for (const { service, problems } of failed) {
    for (const found of problems.filter(({ severity }) => severity === 'error')) {
      const message = found.message.startsWith(`${service}: `) ? found.message.slice(service.length + 2) : found.message;
      const key = JSON.stringify([found.code, message, found.file, found.line, found.column]);
      const known = groups.get(key);
      if (known === undefined) groups.set(key, { problem: { ...found, message }, services: [service] });
      else known.services.push(service);
    }
  }
  return [...groups.values()].map(({ problem: found, services: [first = '', ...others] }) => ({
    ...found,
    message: `${first}${others.length === 0 ? '' : ` and ${String(others.length)} more`}: ${found.message}`,
  }));
}
