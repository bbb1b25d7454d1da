/** `paasta info`: what soa-configs says about a service. Asks nobody. Upstream: paasta_tools/cli/cmds/info.py. */
import type { Runtime } from '../shared/contract/ports.ts';
import { pythonText } from '../shared/contract/python-text.ts';
import { isMap, type Value } from '../shared/contract/values.ts';
import { deploymentsFromFile, type Deployments } from '../shared/deployments/index.ts';
import { currentService } from '../shared/runtime/checkout.ts';
import { readInputs } from '../shared/runtime/inputs.ts';
import { entriesOf, type ServiceConfig, type SystemConfig } from '../shared/soa-configs/index.ts';
import { INFO_INPUTS } from './inputs.ts';
import { openTrees, requireDirectory, sayProblems, type ReaderWire } from './trees.ts';

export async function info(runtime: Runtime, wire: ReaderWire): Promise<void> {
  const inputs = readInputs(runtime, INFO_INPUTS);
  const trees = openTrees(wire, inputs);
  const service = inputs.service ?? (await currentService(runtime, wire.run, trees.tree));
  requireDirectory(trees, service);
  const config = trees.soa.load(service);
  sayProblems(runtime, config.problems);
  const file = `${service}/deployments.json`;
  const text = trees.tree.read(file);
  const deployments = text === undefined ? undefined : deploymentsFromFile(service, text, file);
  sayProblems(runtime, deployments?.problems ?? []);
  for (const line of infoLines(config, trees.system, deployments)) runtime.log.info(line);
}

/** The lines; `deployments`: what deployments.json says, `undefined` without one. */
export function infoLines(
  config: ServiceConfig,
  system: SystemConfig,
  deployments: Pick<Deployments, 'version'> | undefined,
): readonly string[] {
  const { service, general } = config;
  const text = (value: Value | undefined): string | undefined =>
    value === undefined || value === null || value === '' ? undefined : pythonText(value);
  const monitoring = isMap(general.monitoring) ? general.monitoring : undefined;
  const endpoints = meshLines(general.smartstack);
  const team = text(monitoring?.team);
  return [
    `Service Name: ${service}`,
    `Description: ${text(general.description) ?? "no 'description' in service.yaml: one sentence that says what the service is for"}`,
    `External Link: ${text(general.external_link) ?? "no 'external_link' in service.yaml: the address of a page about the service"}`,
    `Monitored By: ${team === undefined ? "nobody: no 'team' in monitoring.yaml" : `team ${team}`}`,
    `Runbook: ${text(monitoring?.runbook) ?? "no 'runbook' in monitoring.yaml"}`,
    `Git Repo: ${config.gitUrl === null ? 'none (git_url: null)' : (config.gitUrl ?? "no 'git_url' in service.yaml")}`,
    'Deployed to the following clusters:',
    ...clusterLines(config, system, deployments),
    ...(endpoints.length === 0 ? [] : ['Smartstack endpoint(s):', ...endpoints]),
    ...dashboardLines(config, system),
  ];
}

/** Clusters in which the group of some instance is deployed. */
function clusterLines(config: ServiceConfig, system: SystemConfig, known: Pick<Deployments, 'version'> | undefined): readonly string[] {
  const clusters = [
    ...new Set(
      config.instances
        .filter(({ deployGroup }) => deployGroup !== undefined && known?.version(deployGroup) !== undefined)
        .map(({ cluster }) => cluster),
    ),
  ].sort();
  if (clusters.length === 0) return [' - N/A: Not deployed to any PaaSTA Clusters'];
  const main = config.mesh(`${config.service}.main`).values;
  const mode = main === undefined ? undefined : pythonText(main.mode ?? 'http');
  const format = system.values.cluster_fqdn_format;
  return clusters.map((cluster) => {
    if (typeof format !== 'string' || mode === undefined) return ` - ${cluster} (N/A)`;
    const host = format.replaceAll(/\{cluster(?::s)?\}/g, cluster);
    return mode === 'tcp'
      ? ` - ${cluster} (tcp://${host}:${pythonText(main?.proxy_port ?? null)}/)`
      : ` - ${cluster} (${mode}://${config.service}.${host}/)`;
  });
}

function meshLines(smartstack: Value | undefined): readonly string[] {
  if (!isMap(smartstack)) return [];
  return entriesOf(smartstack).flatMap(([namespace, , entry]) =>
    isMap(entry) ? [` - ${pythonText(entry.mode ?? 'http')}://169.254.255.254:${pythonText(entry.proxy_port ?? null)} (${namespace})`] : [],
  );
}

/** `dashboard_links` of the system configuration, of the clusters in which the service has instances. */
function dashboardLines(config: ServiceConfig, system: SystemConfig): readonly string[] {
  const all = system.values.dashboard_links;
  const lines = config.clusters.flatMap((cluster) => {
    const links = isMap(all) ? all[cluster] : undefined;
    return isMap(links)
      ? entriesOf(links).flatMap(([title, , link]) =>
          (Array.isArray(link) ? (link as readonly Value[]) : [link]).flatMap((one) =>
            typeof one === 'string'
              ? [` - ${one.replaceAll('{service}', config.service).replaceAll('{cluster}', cluster)} (${title}, ${cluster})`]
              : [],
          ),
        )
      : [];
  });
  return lines.length === 0 ? [] : ['Dashboard(s):', ...lines];
}
