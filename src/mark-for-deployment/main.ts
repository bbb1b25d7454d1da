/** `paasta mark-for-deployment`. Upstream: paasta_tools/cli/cmds/mark_for_deployment.py. */
import { isCommit } from '../shared/contract/commit.ts';
import type { DeploymentVersion } from '../shared/contract/deployment-version.ts';
import { UserError, warning, type Problem } from '../shared/contract/errors.ts';
import { dockerImage, imageReference } from '../shared/contract/image.ts';
import type { Runtime, TreeReader } from '../shared/contract/ports.ts';
import type { GitHubRepository } from '../shared/github/index.ts';
import { markDeployGroup, type ImageCheck, type MarkOutcome, type MarkRequest } from '../shared/marking/index.ts';
import type { Run } from '../shared/process/index.ts';
import type { Registry } from '../shared/registry/index.ts';
import { currentCommit, currentService, originUrl, requireService } from '../shared/runtime/checkout.ts';
import { inTrees, placing } from '../shared/runtime/placing.ts';
import { loadSoaConfigs, loadSystemConfig, registryAddress, type ServiceConfig, type SystemConfig } from '../shared/soa-configs/index.ts';
import { readMarkInputs, type MarkInputs } from './inputs.ts';
import { headline, markSummary, writeOutputs, type MarkReport } from './outputs.ts';
import { choosePlace, fullCommit, type PlaceWorld } from './place.ts';

/** What the stage needs of the world. */
export interface MarkWire extends PlaceWorld {
  readonly run: Run;
  /** A directory, relative to that of the run. */
  tree(path: string): TreeReader;
  registry(options: {
    readonly insecure: boolean;
    readonly address: string;
    readonly username: string;
    readonly password: string;
  }): Registry;
  /** No person started this run by hand: a push, a schedule, another workflow. */
  isAutomated(): boolean;
}

/** Milliseconds between two looks for an image. */
const POLL = 10_000;

export async function main(runtime: Runtime, wire: MarkWire): Promise<void> {
  const inputs = readMarkInputs(runtime);
  const soa = wire.tree(inputs.soaDir);
  const service = inputs.service ?? (await currentService(runtime, wire.run, soa));
  requireService(service, soa);
  const systemConfig = wire.tree(inputs.systemConfigDir);
  const system = loadSystemConfig(systemConfig);
  const soaConfigs = loadSoaConfigs(soa, system);
  const config = soaConfigs.load(service);

  const place = await choosePlace(runtime, inputs, config.gitUrl, () => originUrl(wire.run, runtime.workingDirectory), wire);
  const sha = await fullCommit(await commitText(runtime, wire, inputs), place);
  const version: DeploymentVersion = { sha, imageVersion: inputs.imageVersion };
  const image = await placing(runtime, [soa, systemConfig], () => imageOf(inputs, config, system, version));
  const broken = [...system.problems, ...config.problems]
    .filter(({ severity }) => severity === 'error')
    .map((found) => inTrees(found, [soa, systemConfig], runtime));
  const request = requestOf(
    runtime,
    inputs,
    soaConfigs.has(service) ? config : undefined,
    system.clusters,
    service,
    version,
    image,
    wire.isAutomated(),
    broken,
  );
  runtime.log.debug(`mark: ${request.automated ? 'automated run: never goes back by itself' : 'started by hand'}`);
  const registry = wire.registry({
    insecure: inputs.insecureRegistry,
    address: image?.reference ?? '',
    username: inputs.registryUsername,
    password: inputs.registryPassword,
  });
  const outcome = await markDeployGroup(request, { repository: place.repository, registry, clock: runtime.clock, log: runtime.log });

  const compareUrl =
    outcome.previous === undefined || outcome.previous.sha === sha ? undefined : place.compareUrl(outcome.previous.sha, sha);
  const report: MarkReport = {
    service,
    deployGroup: inputs.deployGroup as string,
    version,
    repository: place.name,
    outcome,
    compareUrl,
    dryRun: inputs.dryRun,
  };
  writeOutputs(runtime, report);
  // What was not written is said by the marking itself.
  if (outcome.marked) runtime.log.info(`${headline(report)} (${outcome.tag})`);
  if (compareUrl !== undefined) runtime.log.info(`changes: ${compareUrl}`);
  for (const found of outcome.problems) runtime.log.problem(found);

  const deploymentId =
    place.github !== undefined && inputs.createDeployment && !inputs.dryRun && outcome.supersededBy === undefined
      ? await deploymentOf(runtime, place.github, request, outcome)
      : undefined;
  runtime.setOutput('deployment-id', deploymentId === undefined ? '' : String(deploymentId));
  await runtime.addSummary(markSummary(report, deploymentId));
}

/** The commit as it was given, else what is checked out, else the commit of the run. */
async function commitText(runtime: Runtime, wire: MarkWire, inputs: MarkInputs): Promise<string> {
  if (inputs.commit !== undefined) return inputs.commit;
  try {
    return await currentCommit(wire.run, runtime.workingDirectory);
  } catch (error) {
    // A job that only marks has no checkout of the service.
    const own = runtime.env['GITHUB_SHA'] ?? '';
    if (isCommit(own) && error instanceof UserError) return own;
    throw error;
  }
}

function imageOf(inputs: MarkInputs, config: ServiceConfig, system: SystemConfig, version: DeploymentVersion): ImageCheck | undefined {
  if (!inputs.verifyImage) return undefined;
  return {
    reference: imageReference(registryAddress(inputs.registry, config, system), dockerImage(config.service, version)),
    wait: inputs.waitForImage ? inputs.timeout : 0,
    poll: POLL,
  };
}

/** `config`: `undefined` when there is no soa-configs tree, so that nobody can say which groups are in use. */
function requestOf(
  runtime: Runtime,
  inputs: MarkInputs,
  config: ServiceConfig | undefined,
  clusters: readonly string[],
  service: string,
  version: DeploymentVersion,
  image: ImageCheck | undefined,
  automated: boolean,
  broken: readonly Problem[],
): MarkRequest {
  const deployGroup = inputs.deployGroup as string;
  const instances = config?.instances ?? [];
  const inUse = new Set(instances.flatMap((instance) => instance.deployGroup ?? []));
  const inPipeline = config?.pipelineDeployGroups ?? [];
  // Instances count only for clusters that the system configuration lists: without any, no group would be in use.
  const known =
    config === undefined || (clusters.length === 0 && !inPipeline.includes(deployGroup))
      ? undefined
      : [...new Set([...inUse, ...inPipeline])];
  if (known !== undefined && inPipeline.includes(deployGroup) && !inUse.has(deployGroup)) {
    // An instance that cannot be read may well use the group.
    if (broken.length > 0) for (const found of broken) runtime.log.problem({ ...found, severity: 'warning' });
    else
      runtime.log.problem(
        warning(
          'DEPLOY_GROUP_WITHOUT_INSTANCE',
          `deploy.yaml of ${service} has the deploy group '${deployGroup}', but no instance uses it: nothing will be deployed`,
          { input: 'deploy-group', hint: 'give an instance this deploy_group' },
        ),
      );
  }
  return {
    service,
    deployGroup,
    version,
    knownGroups: known,
    uncheckedBecause:
      config === undefined
        ? `there is no soa-configs tree at ${inputs.soaDir}`
        : `the system configuration (${inputs.systemConfigDir}) lists no clusters`,
    configProblems: broken,
    controlBranches: instances
      .filter((instance) => instance.deployGroup === deployGroup && instance.type !== 'tron')
      .map(({ branch }) => branch),
    allowUnknownGroup: inputs.allowUnknownGroup,
    allowOlder: inputs.allowOlder,
    allowRolledBack: inputs.allowRolledBack,
    automated,
    image,
    dryRun: inputs.dryRun,
  };
}

/**
 * The GitHub Deployment of this mark: environment = deploy group; its statuses are written by deploy. A mark that was there
 * already keeps its own. The mark is what counts: without the permission for deployments the run says so and goes on.
 */
async function deploymentOf(
  { log }: Runtime,
  github: GitHubRepository,
  { deployGroup, service, version }: MarkRequest,
  { marked, tag }: MarkOutcome,
): Promise<number | undefined> {
  const payload = { service, deploy_group: deployGroup, image_version: version.imageVersion, tag };
  try {
    if (!marked) {
      const there = await github.newestDeployment(deployGroup, version.sha);
      const of = (there?.payload ?? {}) as { readonly service?: unknown; readonly image_version?: unknown };
      if (there !== undefined && of.service === service && (of.image_version ?? null) === version.imageVersion) return there.id;
    }
    const { id } = await github.createDeployment({
      sha: version.sha,
      environment: deployGroup,
      payload,
      description: `paasta ${service} ${tag}`,
    });
    log.debug(`mark: GitHub deployment ${String(id)} of ${deployGroup}`);
    return id;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    for (const found of error.problems)
      log.problem(
        warning(found.code, `the mark stands, but GitHub got no deployment: ${found.message}`, {
          ...(found.hint === undefined ? {} : { hint: `${found.hint}; or create-deployment: false` }),
          ...(found.input === undefined ? {} : { input: found.input }),
        }),
      );
    return undefined;
  }
}
