/**
 * From which repository a service is built, and which services share one. Marks, starts and stops are tags without the name of a service:
 * such services share them.
 */
import type { TreeReader } from '../contract/ports.ts';
import { readText } from './system-config.ts';
import type { ServiceConfig, SoaConfigs } from './types.ts';

/** Git URL of a service's repository: `git_url` of service.yaml, else PaaSTA's default location. `null`: it has none. */
export function gitUrlOf(service: ServiceConfig): string | null {
  return service.gitUrl === undefined ? defaultUrl(service.service) : service.gitUrl;
}

function defaultUrl(service: string): string {
  return `git@github.yelpcorp.com:services/${service}`;
}

/** Repository, without what does not matter in its address. */
export function repositoryKey(url: string): string {
  return url
    .trim()
    .replace(/(?<!\/)\/+$/, '')
    .replace(/\.git$/, '')
    .toLowerCase();
}

/** Services by the repository that they are built from; without `git_url` PaaSTA's default counts. */
export function servicesByRepository(tree: TreeReader, soa: SoaConfigs): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const service of soa.services()) {
    const text = readText(tree, `${service}/service.yaml`, []);
    // Most files do not name it, and parsing a thousand of them takes time.
    const url = text?.includes('git_url') === true ? gitUrlOf(soa.load(service)) : defaultUrl(service);
    if (url === null) continue;
    const key = repositoryKey(url);
    found.set(key, [...(found.get(key) ?? []), service]);
  }
  return found;
}

/** Services other than `service` that are built from the repository `url`. Only files that hold its name are parsed. */
export function othersOfRepository(tree: TreeReader, soa: SoaConfigs, service: string, url: string): readonly string[] {
  const key = repositoryKey(url);
  const name = key.slice(key.lastIndexOf('/') + 1);
  return soa.services().filter((other) => {
    if (other === service || readText(tree, `${other}/service.yaml`, [])?.toLowerCase().includes(name) !== true) return false;
    const { gitUrl } = soa.load(other);
    return typeof gitUrl === 'string' && repositoryKey(gitUrl) === key;
  });
}
