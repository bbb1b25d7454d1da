/**
 * A soa-configs tree: its services, and what it says of all of them. Rules: paasta_tools/utils.py (`load_service_instance_configs`,
 * `get_soa_cluster_deploy_files`) and service_configuration_lib. Unlike PaaSTA, a broken file or instance is a problem with its line, and
 * everything else is still read.
 */
import type { Problem } from '../contract/errors.ts';
import type { TreeReader } from '../contract/ports.ts';
import { isMap, type Value, type ValueMap } from '../contract/values.ts';
import { loadService } from './service-config.ts';
import { isName, listNames, readFile } from './soa-files.ts';
import type { ServiceConfig, SoaConfigs, SystemConfig } from './types.ts';
import { emptyMap } from './yaml-values.ts';

/** Opens a soa-configs tree. Services are read when they are asked for. A missing or empty tree has no services. */
export function loadSoaConfigs(tree: TreeReader, system: SystemConfig, options: { readonly commit?: string } = {}): SoaConfigs {
  const problems: Problem[] = [];
  const loaded = new Map<string, ServiceConfig>();
  let names: readonly string[] | undefined;
  const services = (): readonly string[] =>
    (names ??= listNames(
      tree,
      '',
      problems,
      (entry) => entry.kind === 'directory' && !entry.name.startsWith('.') && entry.name !== '_shared',
    ).sort());
  const others = new Map<string, ValueMap>();
  // Only the mesh namespaces of another service are asked for: its own problems are told when it is loaded itself.
  const smartstackOf = (service: string): ValueMap => {
    let found = others.get(service);
    if (found === undefined) {
      const read = isName(service) ? readFile(tree, `${service}/smartstack.yaml`, [])?.read : undefined;
      others.set(service, (found = isMap(read) ? read : emptyMap()));
    }
    return found;
  };
  const metadata = readFile(tree, '.metadata.json', problems);
  const sha = isMap(metadata?.read) ? metadata.read.git_sha : undefined;
  const authenticating = readFile(tree, 'authenticating.yaml', problems);
  const listed = isMap(authenticating?.read) ? authenticating.read.services : undefined;
  return {
    services,
    has: (service) => isName(service) && services().includes(service),
    load(service) {
      let config = loaded.get(service);
      if (config === undefined) loaded.set(service, (config = loadService(tree, system, service, smartstackOf)));
      return config;
    },
    commit: typeof sha === 'string' ? sha : (options.commit ?? ''),
    authenticating: Array.isArray(listed) ? (listed as readonly Value[]).filter((v): v is string => typeof v === 'string') : [],
    secrets: (service) =>
      isName(service)
        ? listNames(tree, `${service}/secrets`, problems, (entry) => entry.kind === 'file' && entry.name.endsWith('.json')).map((name) =>
            name.slice(0, -'.json'.length),
          )
        : [],
    problems,
  };
}
