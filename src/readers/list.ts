/** `paasta list` and `paasta list-clusters`. Upstream: paasta_tools/cli/cmds/list.py, list_clusters.py. */
import type { Runtime } from '../shared/contract/ports.ts';
import { readInputs } from '../shared/runtime/inputs.ts';
import { LIST_CLUSTERS_INPUTS, LIST_INPUTS } from './inputs.ts';
import { openTrees, requireClusters, sayProblems, type ReaderWire } from './trees.ts';

/** One line for each service that has instances (`--all`: every service; `--print-instances`: every `service.instance`), sorted. */
export async function list(runtime: Runtime, wire: ReaderWire): Promise<void> {
  const inputs = readInputs(runtime, LIST_INPUTS);
  const { soa, system } = openTrees(wire, inputs);
  if (inputs.all && !inputs.printInstances) {
    for (const service of soa.services()) runtime.log.info(service);
    return;
  }
  requireClusters(system, inputs.systemConfigDir);
  for (const service of soa.services()) {
    const config = soa.load(service);
    sayProblems(runtime, config.problems);
    if (!inputs.printInstances) {
      if (config.declared.length > 0) runtime.log.info(service);
      continue;
    }
    // An instance of several clusters is one line.
    for (const instance of [...new Set(config.declared.map((one) => one.instance))].sort()) runtime.log.info(`${service}.${instance}`);
  }
}

/** One line for each cluster that some service has a file for, sorted. */
export async function listClusters(runtime: Runtime, wire: ReaderWire): Promise<void> {
  const inputs = readInputs(runtime, LIST_CLUSTERS_INPUTS);
  const { soa, system } = openTrees(wire, inputs);
  requireClusters(system, inputs.systemConfigDir);
  const found = new Set<string>();
  for (const service of soa.services()) {
    // All of them are found: the services that are left can add nothing.
    if (found.size === new Set(system.clusters).size) break;
    for (const cluster of soa.load(service).clusters) found.add(cluster);
  }
  for (const cluster of [...found].sort()) runtime.log.info(cluster);
}
