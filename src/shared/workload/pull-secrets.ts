/**
 * Secrets with which nodes pull images. PaaSTA has none but those of `pod_defaults` (its nodes are logged in); here the system
 * configuration names them for everybody, and service.yaml more of them for its service.
 */
import { problem } from '../contract/errors.ts';
import { isMap, type Value } from '../contract/values.ts';
import type { InstanceSettings } from '../soa-configs/instance-settings.ts';
import type { SystemConfig } from '../soa-configs/types.ts';
import type { Refuse } from './placement.ts';
import { flagOf, isFields, listOf, textOf } from './values-of.ts';

/** A Secret that is kept in one namespace and copied into those that we make. */
export interface PullSecret {
  readonly name: string;
  /** Where the original is. */
  readonly namespace: string;
  /** Every pod has it; else only those whose service names it. */
  readonly always: boolean;
}

const HOME = 'paasta';
const NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;

/** `image_pull_secrets` of the system configuration: names, or `{name, namespace, default}`. Other entries are no Secrets: rendering refuses them. */
export function systemPullSecrets(system: SystemConfig): readonly PullSecret[] {
  return listOf(system.values['image_pull_secrets']).flatMap((entry): PullSecret[] => {
    const name = isMap(entry) ? textOf(entry['name']) : typeof entry === 'string' ? entry : undefined;
    if (name === undefined || !NAME.test(name)) return [];
    return [
      {
        name,
        namespace: (isMap(entry) ? textOf(entry['namespace']) : undefined) ?? HOME,
        always: !isMap(entry) || flagOf(entry['default'], true),
      },
    ];
  });
}

function ownNames(settings: InstanceSettings, refuse: Refuse): readonly string[] {
  const given: Value | undefined = settings.config['image_pull_secrets'];
  if (given === undefined || given === null) return [];
  if (!Array.isArray(given)) {
    refuse(['image_pull_secrets'], problem('WRONG_TYPE', 'image_pull_secrets must be a list of names of Secrets'));
    return [];
  }
  return (given as readonly Value[]).flatMap((entry, index) => {
    if (typeof entry === 'string' && NAME.test(entry)) return [entry];
    refuse(
      ['image_pull_secrets', index],
      problem('BAD_SECRET_NAME', `image_pull_secrets: ${JSON.stringify(entry)} is not the name of a Secret`, {
        hint: 'a name only; the platform says in the system configuration where its original is',
      }),
    );
    return [];
  });
}

/** `imagePullSecrets` of a pod: those of `pod_defaults`, of the system, of the service; each once. `undefined`: none. */
export function imagePullSecrets(
  settings: InstanceSettings,
  system: SystemConfig,
  refuse: Refuse,
  inherited: unknown,
): { readonly name: string }[] | undefined {
  const before = (Array.isArray(inherited) ? (inherited as readonly unknown[]) : []).flatMap((entry) =>
    isFields(entry) && typeof entry['name'] === 'string' ? [entry['name']] : [],
  );
  const written = system.values['image_pull_secrets'];
  if (written !== undefined && written !== null && (!Array.isArray(written) || systemPullSecrets(system).length !== written.length)) {
    refuse(
      [],
      problem(
        'SYSTEM_CONFIG_TYPE',
        'image_pull_secrets of the system configuration must be a list of names of Secrets, or of mappings with name, namespace and default',
      ),
    );
  }
  const names = new Set([
    ...before,
    ...systemPullSecrets(system)
      .filter(({ always }) => always)
      .map(({ name }) => name),
    ...ownNames(settings, refuse),
  ]);
  return names.size === 0 ? undefined : [...names].map((name) => ({ name }));
}
