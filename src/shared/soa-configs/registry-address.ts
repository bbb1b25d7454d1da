import { problem, UserError } from '../contract/errors.ts';
import type { ServiceConfig, SystemConfig } from './types.ts';

/**
 * Registry of a service, `host[:port][/path]`: what was asked for, else `docker_registry` of service.yaml, else of the system
 * configuration. Rule: `get_service_docker_registry` of paasta_tools/utils.py. Throws `UserError`: a service.yaml that cannot be
 * read (it might name another registry), or NO_REGISTRY.
 */
export function registryAddress(
  asked: string | undefined,
  config: Pick<ServiceConfig, 'service' | 'dockerRegistry' | 'problems'>,
  system: Pick<SystemConfig, 'dockerRegistry' | 'problems'>,
): string {
  if (asked !== undefined && asked !== '') return asked;
  const broken = config.problems.filter(({ severity, file }) => severity === 'error' && file === `${config.service}/service.yaml`);
  if (broken.length > 0) throw new UserError(broken);
  if (config.dockerRegistry !== undefined) return config.dockerRegistry;
  const systemBroken = system.problems.filter(({ severity }) => severity === 'error');
  if (systemBroken.length > 0) throw new UserError(systemBroken);
  if (system.dockerRegistry !== undefined) return system.dockerRegistry;
  throw new UserError(
    problem('NO_REGISTRY', `no docker registry is configured for ${config.service}`, {
      input: 'registry',
      hint: `set the input 'registry', or docker_registry in ${config.service}/service.yaml or in the system configuration`,
    }),
  );
}
