/** deploy.yaml → steps that a workflow runs. PaaSTA's own engine for it was a closed Jenkins library. */
import { isAbsolute, join, relative, resolve } from 'node:path';
import { problem, UserError, type Problem } from '../shared/contract/errors.ts';
import type { Runtime, TreeReader } from '../shared/contract/ports.ts';
import type { Run } from '../shared/process/index.ts';
import { currentService, requireService } from '../shared/runtime/checkout.ts';
import { loadSoaConfigs, loadSystemConfig } from '../shared/soa-configs/index.ts';
import { readCommandInputs, readPipelineInputs, type PipelineInputs } from './inputs.ts';
import { pipelineLines, pipelineSummary, writeOutputs } from './outputs.ts';
import { flatSteps, stepProblems, type FlatStep } from './steps.ts';

/** What the stage needs of the world. */
export interface PipelineWire {
  readonly run: Run;
  /** A directory, relative to that of the run. */
  tree(path: string): TreeReader;
}

/** The action. */
export async function main(runtime: Runtime, wire: PipelineWire): Promise<void> {
  const { service, steps } = await read(runtime, wire, readPipelineInputs(runtime));
  for (const line of pipelineLines(steps)) runtime.log.info(line);
  writeOutputs(runtime, steps);
  await runtime.addSummary(pipelineSummary(service, steps));
}

/** The command: prints a table, or JSON. */
export async function show(runtime: Runtime, wire: PipelineWire): Promise<void> {
  const inputs = readCommandInputs(runtime);
  const { steps } = await read(runtime, wire, inputs);
  if (inputs.json) runtime.log.info(JSON.stringify(steps, null, 2));
  else for (const line of pipelineLines(steps)) runtime.log.info(line);
}

/** Throws `UserError` with everything that is wrong with deploy.yaml: half a pipeline is none. */
async function read(
  runtime: Runtime,
  wire: PipelineWire,
  inputs: PipelineInputs,
): Promise<{ readonly service: string; readonly steps: readonly FlatStep[] }> {
  const soa = wire.tree(inputs.soaDir);
  const service = inputs.service ?? (await currentService(runtime, wire.run, soa));
  requireService(service, soa);
  const system = loadSystemConfig(wire.tree(inputs.systemConfigDir));
  const broken = system.problems.filter(({ severity }) => severity === 'error');
  if (broken.length > 0) throw new UserError(broken);
  const config = loadSoaConfigs(soa, system).load(service);
  const file = `${service}/deploy.yaml`;
  // The files of instances are checked by validate: here they only say which deploy groups are in use.
  const own = config.problems.filter(
    (found) => found.file === file || (found.file === `${service}/service.yaml` && config.pipelineDeployGroups === undefined),
  );
  const missing =
    config.pipelineDeployGroups === undefined && own.every(({ severity }) => severity !== 'error')
      ? [
          problem('NO_DEPLOY_YAML', `${service} has no deploy.yaml, so it has no pipeline`, {
            file,
            hint: "add one that begins with 'pipeline:' and lists '- step: <deploy group>'",
          }),
        ]
      : [];
  const checkGroups = system.clusters.length > 0;
  if (!checkGroups)
    runtime.log.debug(`pipeline: deploy groups are not checked: the system configuration (${inputs.systemConfigDir}) lists no clusters`);
  const found = [...own, ...missing, ...stepProblems(config, { checkGroups, allowUnknownGroup: inputs.allowUnknownGroup })].map((one) =>
    inWorkspace(one, resolve(runtime.workingDirectory, inputs.soaDir), runtime.workingDirectory),
  );
  const errors = found.filter(({ severity }) => severity === 'error');
  for (const one of found) if (one.severity !== 'error') runtime.log.problem(one);
  if (errors.length > 0) throw new UserError(errors);
  return { service, steps: flatSteps(config.pipeline) };
}

/** Files of soa-configs as the checkout of the job knows them, so that annotations find their lines. */
function inWorkspace(found: Problem, soaPath: string, workspace: string): Problem {
  if (found.file === undefined) return found;
  const path = relative(workspace, join(soaPath, found.file));
  return path.startsWith('..') || isAbsolute(path) ? found : { ...found, file: path };
}
