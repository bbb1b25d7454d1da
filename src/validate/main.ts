/** `paasta validate`. Upstream: paasta_tools/cli/cmds/validate.py. */
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { UserError, problem, warning, type Problem } from '../shared/contract/errors.ts';
import type { Runtime, TreeReader } from '../shared/contract/ports.ts';
import { normaliseServiceName } from '../shared/contract/validity.ts';
import type { EventContext, GitHub } from '../shared/github/index.ts';
import type { Run } from '../shared/process/index.ts';
import { loadSystemConfig, type SystemConfig } from '../shared/soa-configs/index.ts';
import { readValidationWorld } from '../shared/soa-configs/validation-world.ts';
import { changedServices } from './changed.ts';
import { checkServices, systemOfFiles } from './check.ts';
import { readCommandInputs, readValidateInputs, type ValidateInputs } from './inputs.ts';
import { annotate, checkRunOf, hasFailed, headline, json, serviceLine, summary, writeOutputs, type ValidateReport } from './outputs.ts';
import { sarif } from './sarif.ts';

/** What the stage needs of the world. */
export interface ValidateWire {
  readonly run: Run;
  /** A directory, relative to that of the run. */
  tree(path: string): TreeReader;
  /** The path without symbolic links, as git has it; the path itself when it does not exist. */
  realPath(path: string): string;
  /** Writes a file, and the directories above it. Throws `UserError` OUTPUT_FILE. */
  write(path: string, text: string, input: string): void;
  connect(options: { readonly apiUrl: string; readonly token: string }): GitHub;
  event(): EventContext | undefined;
}

const PUBLIC_API = 'https://api.github.com';
/** Files whose presence makes a directory that of a service. */
const SERVICE_FILE = /^(?:service|deploy|smartstack|monitoring|(?:kubernetes|eks|adhoc|tron)-.+)\.yaml$/;

/** The action: annotations, a check run, a summary, files. */
export async function main(runtime: Runtime, wire: ValidateWire): Promise<void> {
  const inputs = readValidateInputs(runtime);
  const report = await validate(runtime, wire, inputs, await rootOf(runtime, wire, inputs.soaDir));
  for (const service of report.services) runtime.log.info(serviceLine(service));
  await annotate(runtime.log, report.problems);
  await conclude(runtime, wire, inputs, report);
}

/** The command: every problem as a line, or JSON. */
export async function command(runtime: Runtime, wire: ValidateWire): Promise<void> {
  const given = readCommandInputs(runtime);
  const inputs = { ...given, ...target(runtime, wire, given) };
  const report = await validate(runtime, wire, inputs, resolve(runtime.workingDirectory));
  if (inputs.json) runtime.log.info(json(report).trimEnd());
  else {
    for (const service of report.services) runtime.log.info(serviceLine(service));
    await annotate(runtime.log, report.problems, Infinity);
  }
  await conclude({ ...runtime, addSummary: () => Promise.resolve() }, wire, inputs, report);
}

/** A directory of a service may be named, or be the current one, as in PaaSTA. */
function target(
  runtime: Runtime,
  wire: ValidateWire,
  { path, service, soaDir, changedOnly }: ReturnType<typeof readCommandInputs>,
): Partial<Pick<ValidateInputs, 'service' | 'soaDir'>> {
  const isService = (directory: string): boolean =>
    wire
      .tree(directory)
      .list('')
      .some(({ name, kind }) => kind === 'file' && SERVICE_FILE.test(name));
  const asService = (directory: string): Pick<ValidateInputs, 'service' | 'soaDir'> => ({
    soaDir: dirname(directory),
    service: [basename(directory)],
  });
  if (path !== undefined) {
    const full = resolve(runtime.workingDirectory, path);
    return isService(full) ? asService(full) : { soaDir: full };
  }
  const here = resolve(runtime.workingDirectory);
  if (service.length === 0 && !changedOnly && runtime.input('soa-dir') === '' && isService(here)) return asService(here);
  return { soaDir };
}

async function validate(runtime: Runtime, wire: ValidateWire, inputs: ValidateInputs, root: string): Promise<ValidateReport> {
  const tree = wire.tree(inputs.soaDir);
  if (tree.list('').every(({ kind }) => kind !== 'directory'))
    throw new UserError(
      problem('NO_SERVICES', `soa-dir: there are no services in ${inputs.soaDir}`, {
        input: 'soa-dir',
        hint: 'check out soa-configs, and give the directory that holds the directories of services',
      }),
    );
  const { system, derived, problems } = systemOf(runtime, wire, inputs, tree);
  const chosen = inputs.changedOnly
    ? await changed(runtime, wire, inputs)
    : { services: inputs.service.length === 0 ? undefined : inputs.service.map(normaliseServiceName) };
  if (chosen.problem !== undefined) runtime.log.problem(chosen.problem);
  const names = tree.list('').flatMap(({ name, kind }) => (kind === 'directory' ? [name] : []));
  // A service whose directory the change removes has nothing left to validate.
  const services = inputs.changedOnly ? chosen.services?.filter((name) => names.includes(name)) : chosen.services;
  const { world, problems: ofWorld } = readValidationWorld(tree, (path) => wire.tree(path));
  const checked = checkServices(tree, system, services, derived, world);
  const inSoa = placer(root, wire.realPath(resolve(runtime.workingDirectory, inputs.soaDir)));
  const inSystem = placer(root, wire.realPath(resolve(runtime.workingDirectory, inputs.systemConfigDir)));
  return {
    services: checked.services,
    problems: [...problems.map(inSystem), ...[...ofWorld, ...checked.problems].map(inSoa)],
    failOn: inputs.failOn,
  };
}

function systemOf(
  runtime: Runtime,
  wire: ValidateWire,
  inputs: ValidateInputs,
  tree: TreeReader,
): { readonly system: SystemConfig; readonly derived: boolean; readonly problems: readonly Problem[] } {
  const found = wire.tree(inputs.systemConfigDir);
  const system = loadSystemConfig(found);
  if (system.clusters.length > 0 || system.problems.some(({ severity }) => severity === 'error'))
    return { system, derived: false, problems: system.problems };
  const derived = systemOfFiles(tree);
  runtime.log.problem({
    severity: 'notice',
    code: 'NO_SYSTEM_CONFIG',
    message: `the system configuration (${inputs.systemConfigDir}) lists no clusters: those that files name are taken (${derived.clusters.join(', ') || 'none'}); pools and ecosystems of secrets are not checked`,
    input: 'system-config-dir',
    hint: 'give system-config-dir',
  });
  return { system: { ...derived, values: { ...system.values, ...derived.values } }, derived: true, problems: system.problems };
}

async function changed(runtime: Runtime, wire: ValidateWire, inputs: ValidateInputs): ReturnType<typeof changedServices> {
  const branch = runtime.env['GITHUB_BASE_REF'] ?? '';
  const sha = wire.event()?.pullRequest?.baseSha ?? '';
  const bases =
    inputs.base !== undefined
      ? [inputs.base, `origin/${inputs.base}`]
      : [...(branch === '' ? [] : [`origin/${branch}`]), ...(sha === '' ? [] : [sha])];
  const found = await changedServices(
    wire.run,
    resolve(runtime.workingDirectory, inputs.soaDir),
    resolve(runtime.workingDirectory, inputs.systemConfigDir),
    bases,
  );
  runtime.log.debug(`validate: changed: ${found.services?.join(', ') ?? 'unknown'}`);
  return found;
}

/** Root of the repository that holds the tree: annotations name files from there. */
async function rootOf(runtime: Runtime, wire: ValidateWire, soaDir: string): Promise<string> {
  const directory = resolve(runtime.workingDirectory, soaDir);
  const found = await wire.run(['git', '-C', directory, 'rev-parse', '--show-toplevel'], { timeout: 30_000 });
  const top = found.stdout.trim();
  return found.code === 0 && top !== ''
    ? wire.realPath(top)
    : wire.realPath(resolve(runtime.env['GITHUB_WORKSPACE'] ?? runtime.workingDirectory));
}

/** Moves the files of problems from a directory to the root; what is outside the root keeps its whole path. */
function placer(root: string, directory: string): (found: Problem) => Problem {
  return (found) => {
    if (found.file === undefined) return found;
    const full = join(directory, found.file);
    const path = relative(root, full);
    const inside = path !== '' && !isAbsolute(path) && path !== '..' && !path.startsWith(`..${sep}`);
    return { ...found, file: (inside ? path : full).split(sep).join('/') };
  };
}

/** Files, outputs, summary and check run; then the verdict. */
async function conclude(runtime: Runtime, wire: ValidateWire, inputs: ValidateInputs, report: ValidateReport): Promise<void> {
  writeOutputs(runtime, report);
  for (const [input, path, text] of [
    ['sarif-file', inputs.sarifFile, sarif],
    ['json-file', inputs.jsonFile, undefined],
  ] as const) {
    runtime.setOutput(input, path ?? '');
    if (path !== undefined)
      wire.write(resolve(runtime.workingDirectory, path), text === undefined ? json(report) : text(report.problems), input);
  }
  await runtime.addSummary(summary(report));
  const id = inputs.checkRun ? await checkRun(runtime, wire, inputs, report) : undefined;
  runtime.setOutput('check-run-id', id === undefined ? '' : String(id));
  if (hasFailed(report))
    throw new UserError(problem('INVALID_CONFIGS', `invalid configs found: ${headline(report)}`), { summarised: true });
}

/** The check run holds all annotations, also those that the log may not show. Without the right to make one, the run says so and goes on. */
async function checkRun(runtime: Runtime, wire: ValidateWire, inputs: ValidateInputs, report: ValidateReport): Promise<number | undefined> {
  const event = wire.event();
  const skip = (why: string, hint: string): undefined => {
    runtime.log.problem({ severity: 'notice', code: 'NO_CHECK_RUN', message: `no check run: ${why}`, hint });
    return undefined;
  };
  if (event === undefined) return skip('this is not a job of GitHub Actions', 'the problems are in the log');
  if (inputs.githubToken === '')
    return skip('there is no github-token', 'give one with checks: write, or set check-run: false; the problems are in the log');
  try {
    const { owner, repo } = event.repository;
    const repository = wire.connect({ apiUrl: inputs.githubApiUrl ?? PUBLIC_API, token: inputs.githubToken }).repository(owner, repo);
    const head = event.pullRequest?.headSha ?? '';
    return await repository.createCheckRun(checkRunOf(report, head === '' ? event.sha : head, event.runUrl));
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    for (const found of error.problems) {
      const fork =
        event.isFork || event.isDependabot
          ? 'runs of forks and of Dependabot cannot make one; the problems are in the log and in the summary'
          : undefined;
      const said = { severity: 'notice', code: 'NO_CHECK_RUN', message: `no check run: ${found.message}` } as const;
      const hint = fork ?? found.hint;
      runtime.log.problem(
        fork === undefined && found.code !== 'GITHUB_PERMISSION_MISSING'
          ? warning(said.code, said.message, hint === undefined ? {} : { hint })
          : { ...said, ...(hint === undefined ? {} : { hint }) },
      );
    }
    return undefined;
  }
}
