/** `paasta start`, `stop` and `restart`. Upstream: paasta_tools/cli/cmds/start_stop_restart.py. */
import { UserError } from '../shared/contract/errors.ts';
import type { Runtime, TreeReader } from '../shared/contract/ports.ts';
import {
  controlEffect,
  controlInstances,
  findPlace,
  selectControlled,
  sharedControls,
  type FoundPlace,
  type MarkRepository,
  type PlaceDoors,
} from '../shared/marking/index.ts';
import type { Run } from '../shared/process/index.ts';
import { currentService, originUrl, requireService } from '../shared/runtime/checkout.ts';
import { gitUrlOf, loadSoaConfigs, loadSystemConfig, othersOfRepository } from '../shared/soa-configs/index.ts';
import { readControlInputs, type ControlInputs } from './inputs.ts';
import { controlSummary, resultLine, writeOutputs } from './outputs.ts';

/** The part of a repository that control uses. */
export type ControlRepository = Pick<MarkRepository, 'listRefs' | 'createTag'>;

/** What the stage needs of the world. */
export interface ControlWire {
  readonly run: Run;
  /** A directory, relative to that of the run. */
  tree(path: string): TreeReader;
  doors(options: { readonly apiUrl: string | undefined; readonly token: string }): PlaceDoors<ControlRepository, ControlRepository>;
}

export async function main(runtime: Runtime, wire: ControlWire): Promise<void> {
  const inputs = readControlInputs(runtime);
  const { log } = runtime;
  const verb = inputs.action;
  const soa = wire.tree(inputs.soaDir);
  const service = inputs.service ?? (await currentService(runtime, wire.run, soa));
  requireService(service, soa);
  const system = loadSystemConfig(wire.tree(inputs.systemConfigDir));
  const broken = system.problems.filter(({ severity }) => severity === 'error');
  if (broken.length > 0) throw new UserError(broken);
  const configs = loadSoaConfigs(soa, system);
  const config = configs.load(service);
  const { targets, problems } = selectControlled(config, system.clusters, {
    clusters: inputs.cluster,
    instances: inputs.instance,
    deployGroups: inputs.deployGroup,
  });

  const place = await placeOf(runtime, wire, inputs, config.gitUrl);
  log.info(`${verb} ${service} (tags of ${place.name}): ${targets.map(({ cluster, instance }) => `${cluster}.${instance}`).join(', ')}`);
  const made = await controlInstances(
    { service, verb, targets, stopBindsTo: inputs.stopBindsTo, dryRun: inputs.dryRun },
    { repository: place.repository, place: place.name, clock: runtime.clock, log },
  );
  const url = inputs.gitUrl ?? gitUrlOf(config);
  const others = url === null ? [] : othersOfRepository(soa, configs, service, url).map((other) => configs.load(other));
  const outcome = { ...made, problems: [...problems, ...sharedControls(verb, targets, others), ...made.problems] };

  writeOutputs(runtime, { outcome });
  for (const result of outcome.results) log.info(resultLine(verb, result));
  for (const effect of new Set(
    outcome.results.filter(({ version }) => version !== undefined).map((result) => controlEffect(verb, result, inputs.stopBindsTo)),
  ))
    log.info(effect);
  await runtime.addSummary(controlSummary({ service, verb, stopBindsTo: inputs.stopBindsTo, repository: place.name, outcome }));
  const errors = outcome.problems.filter(({ severity }) => severity === 'error');
  for (const found of outcome.problems) if (found.severity !== 'error') log.problem(found);
  if (errors.length > 0) throw new UserError(errors);
}

function placeOf(
  runtime: Runtime,
  wire: ControlWire,
  inputs: ControlInputs,
  configuredUrl: string | null | undefined,
): Promise<FoundPlace<ControlRepository, ControlRepository>> {
  const { repository, gitUrl, githubToken: token, githubApiUrl: apiUrl } = inputs;
  return findPlace(
    {
      repository,
      gitUrl,
      hasToken: token !== '',
      configuredUrl,
      jobRepository: runtime.env['GITHUB_REPOSITORY'],
      origin: () => originUrl(wire.run, runtime.workingDirectory),
      log: runtime.log,
    },
    wire.doors({ apiUrl, token }),
  );
}
