/** Deploy: makes a cluster run what soa-configs and the marks say, and proves it. PaaSTA: `setup_kubernetes_job` and `wait-for-deployment`. */
import { resolve } from 'node:path';
import { CancelledError, ExitWith, messageOf, problem, UserError, type Problem } from '../shared/contract/errors.ts';
import type { Runtime, TreeReader } from '../shared/contract/ports.ts';
import {
  clusterSettings,
  converge,
  makesCronJobs,
  observeEarly,
  select,
  type ClusterAccess,
  type ConvergeRequest,
  type DigestSource,
  type EarlySight,
  type Mode,
  type VersionSource,
} from '../shared/converge/index.ts';
import type { GitHubRepository } from '../shared/github/index.ts';
import { planHash, type Plan } from '../shared/plan/index.ts';
import { deploySummary } from '../shared/report/deploy-summary.ts';
import { failureText, outcomeText, resultText, titleOf } from '../shared/report/deploy-text.ts';
import { planText } from '../shared/report/plan-text.ts';
import { isGood, type ConvergeResult } from '../shared/report/deploy-results.ts';
import { loadSoaConfigs, loadSystemConfig, type SoaConfigs, type SystemConfig } from '../shared/soa-configs/index.ts';
import { inRepository } from '../shared/runtime/placing.ts';
import { readDeployInputs, type DeployInputs } from './inputs.ts';
import { readExpected, requireExpected, writePlanFiles } from './plan-files.ts';
import { kubeconfigSource, type KubeconfigSource } from './kubeconfig.ts';
import { isChanged, writeOutputs } from './outputs.ts';
import { DeploymentStatuses } from './statuses.ts';

type Connected = ClusterAccess & { close(): Promise<void> };

/** The world as deploy sees it; `wire.ts` has the real one, tests bring their own. */
export interface DeployWire {
  tree(path: string): TreeReader;
  isDirectory(path: string): boolean;
  /** Commit of the checkout that a directory is in; empty when there is none. */
  commitOf(directory: string): Promise<string>;
  versions(
    inputs: DeployInputs,
    cluster: string,
    soa: SoaConfigs,
    tree: TreeReader,
  ): VersionSource & { github(service: string, insist: boolean): Promise<GitHubRepository | undefined> };
  /** `address`: the registry for which the inputs' user and password are meant. */
  digests(inputs: DeployInputs, address: string): DigestSource;
  /** Loads the door to the API server: the heavy part, only now. */
  connect(source: KubeconfigSource, context: string | undefined): Promise<Connected>;
}

/** At most so many annotations of warnings: GitHub shows ten per step anyway. */
const WARNINGS = 20;
/** Exit code of `mode: plan` when there is something to do. */
const CHANGES = 2;

/** From so many services on the cluster answers while they are read. */
const EARLY = 10;
/** Milliseconds for which reading holds up the connections. */
const BREATH = 5;

export async function main(runtime: Runtime, wire: DeployWire): Promise<void> {
  const inputs = readDeployInputs(runtime);
  const { log } = runtime;
  const mode: Mode = inputs.dryRun ? 'plan' : inputs.mode;
  const expected = inputs.expectedPlan === undefined ? undefined : readExpected(inputs.expectedPlan, runtime.workingDirectory);
  const systemDir = resolve(runtime.workingDirectory, inputs.systemConfigDir);
  const soaPath = resolve(runtime.workingDirectory, inputs.soaDir);
  const system = withRegistry(loadSystemConfig(wire.tree(systemDir)), inputs.registry);
  const broken = system.problems.filter((p) => p.severity === 'error');
  if (broken.length > 0) throw new UserError(broken.map((p) => inRepository(p, systemDir, runtime)));
  // A mistyped path would look like "nothing to do", which is green.
  const missing = [
    ...nowhere(system, systemDir),
    ...(wire.isDirectory(soaPath)
      ? []
      : [
          problem('SOA_DIR_MISSING', `soa-dir: ${soaPath} is not a directory`, {
            input: 'soa-dir',
            hint: 'check out soa-configs, or correct soa-dir',
          }),
        ]),
  ];
  if (missing.length > 0) throw new UserError(missing);
  const tree = wire.tree(soaPath);
  const commit = await wire.commitOf(soaPath);
  const soa = serviceRegistry(loadSoaConfigs(tree, system, commit === '' ? {} : { commit }), inputs.registry);
  const cluster = inputs.cluster ?? system.cluster;
  if (cluster === undefined) {
    throw new UserError(
      problem('INPUT_REQUIRED', 'cluster: it is not given, and the system configuration names none', {
        input: 'cluster',
        hint: system.clusters.length > 0 ? `known: ${system.clusters.join(', ')}` : "give 'cluster'",
      }),
    );
  }
  const selection = { cluster, service: inputs.service, instances: inputs.instance, deployGroup: inputs.deployGroup };
  log.info(`soa-configs: ${soaPath}${soa.commit === '' ? '' : ` at ${soa.commit.slice(0, 12)}`}`);
  const services = soa.services().length;
  if (services === 0) {
    log.problem({
      severity: 'warning',
      code: 'EMPTY_SOA_CONFIGS',
      message: `there is no service in ${soaPath}: nothing is deployed, and nothing is deleted`,
      input: 'soa-dir',
      hint: 'check soa-dir, and that soa-configs was checked out',
    });
    if (inputs.service !== undefined) select(soa, system, selection);
  }
  const settings = clusterSettings(system, cluster);
  const sourceOf = (): KubeconfigSource => kubeconfigSource(inputs.kubeconfig, runtime, resolve);
  const connect = (source: KubeconfigSource): Promise<Connected> => wire.connect(source, inputs.kubeContext ?? settings.context);
  // Unknown names are said before anybody is asked; a run over a whole tree has none.
  const isWhole = inputs.service === undefined && inputs.instance.length === 0 && inputs.deployGroup === undefined;
  const early = isWhole && services >= EARLY && system.clusters.includes(cluster) ? begin(connect(sourceOf()), soa) : undefined;
  if (early !== undefined) await readAll(soa);
  const { instances, jobs } = select(soa, system, selection);
  const versions = wire.versions(inputs, cluster, soa, tree);
  const source = services === 0 ? undefined : sourceOf();
  if (source === undefined || (instances.length === 0 && !(jobs.length > 0 && makesCronJobs(system)))) {
    if (services > 0) log.info(`cluster: ${cluster}\nno instance matches: nothing to do`);
    void early?.access.then((access) => access.close()).catch(() => undefined);
    const empty = nothing(cluster);
    if (expected !== undefined && empty.plan !== undefined) requireExpected(expected, empty.plan, empty.planHash);
    await finish(runtime, empty, { inputs, mode, soaPath, soa, server: '' });
    return;
  }
  const statuses = new DeploymentStatuses({
    cluster,
    deploymentId: inputs.deploymentId,
    logUrl: runUrl(runtime.env),
    log,
    repository: (service, insist) => versions.github(service, insist && inputs.githubToken !== ''),
  });
  let access: Connected | undefined;
  let isTold = false;
  let planned: Plan | undefined;
  try {
    access = await (early?.access ?? connect(source));
    log.info(`cluster: ${cluster} at ${access.target.server} (context ${access.target.context})`);
    const request: ConvergeRequest = {
      selection,
      mode,
      adopt: inputs.adopt,
      timeout: inputs.timeout,
      stability: inputs.stabilityWindow,
      rateLimit: inputs.rateLimit ?? 0,
      soa,
      system,
      ...(early === undefined ? {} : { early: early.sight }),
      options: { pinDigest: inputs.pinDigest, preStop: system.values['pre_stop'] === 'native' ? 'native' : 'exec' },
      onPlan: async (plan, hash) => {
        planned = plan;
        for (const line of planText(plan, hash)) log.info(line);
        writePlanFiles(inputs.planFile, runtime.workingDirectory, plan, hash, plan.problems);
        if (expected !== undefined) requireExpected(expected, plan, hash);
        if (mode !== 'plan') await statuses.start(plan);
      },
    };
    const result = await converge(request, {
      cluster: access,
      versions,
      digests: inputs.pinDigest ? wire.digests(inputs, system.dockerRegistry ?? '') : undefined,
      log,
      clock: runtime.clock,
      signal: runtime.signal,
    });
    isTold = true;
    // A cancelled run has seconds left: what is written below comes first, GitHub gets what time remains.
    const told =
      mode === 'plan'
        ? Promise.resolve()
        : result.cancelled
          ? Promise.race([statuses.finish(result.instances).catch(() => undefined), delay(2_000)])
          : statuses.finish(result.instances);
    await Promise.all([told, finish(runtime, result, { inputs, mode, soaPath, soa, server: access.target.server })]);
  } catch (error) {
    // Nothing of the run's end was written yet: say what is known, then let it fall.
    if (!isTold) {
      writeOutputs(runtime, nothing(cluster, planned), mode);
      if (mode !== 'plan')
        await Promise.race([
          statuses.fail(inputs.service, `${cluster}: ${messageOf(error)}`).catch(() => undefined),
          delay(runtime.signal.aborted ? 2_000 : 15_000),
        ]);
    }
    throw error;
  } finally {
    await access?.close();
  }
}

/** Begins to look at the cluster; what goes wrong is told to who waits for it. */
function begin(access: Promise<Connected>, soa: SoaConfigs): { readonly access: Promise<Connected>; readonly sight: EarlySight } {
  const sight = access.then((cluster) => observeEarly(cluster, soa.services()));
  sight.catch(() => undefined);
  return { access, sight };
}

/** Reads every service, and lets the connections speak in between. */
async function readAll(soa: SoaConfigs): Promise<void> {
  let breath = performance.now();
  for (const service of soa.services()) {
    if (performance.now() - breath > BREATH) {
      await new Promise(setImmediate);
      breath = performance.now();
    }
    soa.load(service);
  }
}

/** Without a list of clusters no file of soa-configs belongs to any: PaaSTA's rule. */
function nowhere(system: SystemConfig, directory: string): readonly Problem[] {
  if (system.clusters.length > 0) return [];
  const message =
    Object.keys(system.values).length === 0
      ? `there is no system configuration in ${directory}`
      : `the system configuration in ${directory} names no clusters`;
  return [
    problem('NO_CLUSTERS', message, {
      input: 'system-config-dir',
      hint: `correct system-config-dir, or write a JSON file there with "clusters": ["…"]`,
    }),
  ];
}

interface Facts {
  readonly inputs: DeployInputs;
  readonly mode: Mode;
  readonly soaPath: string;
  readonly soa: SoaConfigs;
  readonly server: string;
}

/** Outputs, table and summary; then the failure is thrown. */
async function finish(runtime: Runtime, result: ConvergeResult, facts: Facts): Promise<void> {
  const { log } = runtime;
  writeOutputs(runtime, result, facts.mode);
  if (result.plan !== undefined && facts.mode === 'plan')
    writePlanFiles(facts.inputs.planFile, runtime.workingDirectory, result.plan, result.planHash, outsideOf(result));
  const bad = result.instances.filter((i) => !isGood(i) && i.state !== 'cancelled');
  for (const instance of bad) for (const line of failureText(instance)) log.info(line);
  for (const line of resultText(result)) log.info(line);
  await runtime.addSummary(
    deploySummary(result, {
      cluster: result.cluster,
      server: facts.server,
      soaDir: facts.inputs.soaDir,
      soaCommit: facts.soa.commit,
      mode: facts.mode,
    }),
  );
  const place = (p: Problem): Problem => inRepository(p, facts.soaPath, runtime);
  const quiet = [...result.problems, ...result.instances.flatMap((i) => i.problems)].filter((p) => p.severity !== 'error');
  for (const found of quiet.slice(0, WARNINGS)) log.problem(place(found));
  if (quiet.length > WARNINGS) log.info(`${quiet.length - WARNINGS} more warnings are in the output 'results'`);
  if (result.cancelled) throw new CancelledError();
  const errors = [...result.problems.filter((p) => p.severity === 'error'), ...bad.flatMap(instanceProblems)];
  if (errors.length > 0) throw new UserError(errors.map(place), { summarised: true });
  const waited = facts.mode !== 'plan' && result.instances.some((i) => i.state !== 'not-marked');
  log.info(waited ? `✔ ${result.cluster}: proven (${counted(result)})` : `✔ ${result.cluster}: ${counted(result)}`);
  if (facts.inputs.mode !== 'plan' || facts.inputs.dryRun || !isChanged(result, facts.mode)) return;
  log.info(`exit code ${CHANGES}: there are changes (0: nothing to do, 1: an error)`);
  throw new ExitWith(CHANGES);
}

/** Problems that the plan itself does not hold: of the run, and of instances that came to no plan. */
function outsideOf(result: ConvergeResult): readonly Problem[] {
  const planned = new Set((result.plan?.instances ?? []).map((i) => `${i.rendered.service}.${i.rendered.instance}`));
  return [
    ...result.problems,
    ...result.instances
      .filter((i) => !planned.has(titleOf(i)))
      .flatMap((i) =>
        i.problems.map((p) => ({ ...p, message: p.message.startsWith(titleOf(i)) ? p.message : `${titleOf(i)}: ${p.message}` })),
      ),
  ];
}

function counted(result: ConvergeResult): string {
  const states = new Map<string, number>();
  for (const { state } of result.instances) states.set(state, (states.get(state) ?? 0) + 1);
  return states.size === 0 ? 'nothing to do' : [...states].map(([state, n]) => `${n} ${state}`).join(', ');
}

/** Why one instance failed, on its line in soa-configs. */
function instanceProblems(result: ConvergeResult['instances'][number]): readonly Problem[] {
  const at = { ...(result.file === undefined ? {} : { file: result.file }), ...(result.line === undefined ? {} : { line: result.line }) };
  const own = result.problems.filter((p) => p.severity === 'error');
  if (result.diagnosis !== undefined)
    return [
      problem(result.diagnosis.code, `${titleOf(result)}: ${result.diagnosis.cause}`, { ...at, hint: result.diagnosis.next }),
      ...own,
    ];
  if (own.length > 0)
    return own.map((p) => ({
      ...(p.file === undefined ? { ...p, ...at } : p),
      message: p.message.startsWith(`${titleOf(result)}:`) ? p.message : `${titleOf(result)}: ${p.message}`,
    }));
  return [problem('DEPLOY_FAILED', `${titleOf(result)}: ${outcomeText(result)}`, { ...at, hint: 'look at the pods of the instance' })];
}

function runUrl(env: Runtime['env']): string | undefined {
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository, GITHUB_RUN_ID: run } = env;
  return server === undefined || repository === undefined || run === undefined ? undefined : `${server}/${repository}/actions/runs/${run}`;
}

function nothing(cluster: string, plan: Plan = { cluster, namespaces: [], shared: [], instances: [], problems: [] }): ConvergeResult {
  return {
    cluster,
    plan,
    planHash: planHash(plan),
    instances: [],
    problems: [],
    writes: 0,
    requests: { reads: 0, writes: 0 },
    cancelled: false,
    duration: 0,
  };
}

async function delay(milliseconds: number): Promise<void> {
  await new Promise<void>((done) => {
    setTimeout(done, milliseconds).unref();
  });
}

function withRegistry(system: SystemConfig, registry: string | undefined): SystemConfig {
  return registry === undefined ? system : { ...system, dockerRegistry: registry };
}

/** The input wins over service.yaml, too. */
function serviceRegistry(soa: SoaConfigs, registry: string | undefined): SoaConfigs {
  return registry === undefined ? soa : { ...soa, load: (service) => ({ ...soa.load(service), dockerRegistry: registry }) };
}
