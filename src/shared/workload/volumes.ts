/** Volumes of a pod and where its containers mount them. Upstream: `get_pod_volumes`, `get_volume_mounts`, `get_volume_claim_templates`. */
import { messageOf, problem, warning } from '../contract/errors.ts';
import {
  botoSecretName,
  cryptoSecretName,
  datastoreSecretName,
  fileMode,
  limitWithHash,
  LABEL_LIMIT,
  OBJECT_NAME_LIMIT,
  sanitiseName,
  secretName,
  secretSignatureName,
  volumeName,
} from '../contract/names.ts';
import { pythonText } from '../contract/python-text.ts';
import { numberOf, type Value } from '../contract/values.ts';
import type { DockerVolume, InstanceSettings, NumberValue } from '../soa-configs/instance-settings.ts';
import type { SystemConfig } from '../soa-configs/types.ts';
import type { Refuse } from './placement.ts';
import { compact, mapOf, textOf, textsOf, type Fields } from './values-of.ts';

/** A volume of the pod with its mount in the main container; a claim has no volume of its own in the pod. */
export interface MountedVolume {
  readonly volume: Fields | undefined;
  readonly mount: Fields;
}

/** Claims get this class when they ask for one that the system does not know. */
const FALLBACK_STORAGE_CLASS = 'ebs';
/** Mode of credential files: 0444. */
const CREDENTIAL_MODE = 0o444;

function hostVolume(volume: DockerVolume): MountedVolume {
  const name = volumeName(`host--${volume.hostPath}`, LABEL_LIMIT);
  return {
    volume: { name, hostPath: { path: volume.hostPath } },
    mount: { name, mountPath: volume.containerPath, readOnly: volume.mode !== 'RW' },
  };
}

/** System, extra and bulkdata volumes, as settings have merged and sorted them. */
export function hostVolumes(volumes: readonly DockerVolume[]): MountedVolume[] {
  return volumes.map(hostVolume);
}

/** `hacheck_sidecar_volumes` of the system configuration: in the pod always, mounted by the sidecar. */
export function sidecarVolumes(system: SystemConfig): MountedVolume[] {
  const entries = system.values['hacheck_sidecar_volumes'];
  if (!Array.isArray(entries)) return [];
  return (entries as readonly Value[]).flatMap((entry) => {
    const { hostPath, containerPath, mode } = mapOf(entry);
    return hostPath === undefined || containerPath === undefined
      ? []
      : [hostVolume({ hostPath: pythonText(hostPath), containerPath: pythonText(containerPath), mode: textOf(mode) ?? 'RO' })];
  });
}

function ebsVolumes(settings: InstanceSettings): MountedVolume[] {
  return settings.awsEbsVolumes.map((entry) => {
    const partition = entry.partition === undefined ? undefined : numberOf(entry.partition);
    const name = volumeName(`aws-ebs--${entry.volume_id}${partition ?? ''}`);
    const awsElasticBlockStore = compact({ volumeID: entry.volume_id, fsType: entry.fs_type, partition, readOnly: false });
    return {
      volume: { name, awsElasticBlockStore },
      mount: { name, mountPath: entry.container_path, readOnly: (entry.mode ?? 'RO') === 'RO' },
    };
  });
}

function claimName(containerPath: string): string {
  return volumeName(`pv--${containerPath}`, OBJECT_NAME_LIMIT);
}

function claimMounts(settings: InstanceSettings): MountedVolume[] {
  return settings.persistentVolumes.map((entry) => ({
    volume: undefined,
    mount: { name: claimName(entry.container_path), mountPath: entry.container_path, readOnly: entry.mode !== 'RW' },
  }));
}

/** Claim templates of a StatefulSet. An unsupported storage class becomes `ebs`, as in PaaSTA, but not silently. */
export function claimTemplates(settings: InstanceSettings, system: SystemConfig, refuse: Refuse): Fields[] {
  const supported = textsOf(system.values['supported_storage_classes']);
  return settings.persistentVolumes.map((entry, index) => {
    const wanted = entry.storage_class_name;
    const known = wanted !== undefined && supported.includes(wanted);
    if (wanted !== undefined && !known) {
      refuse(
        ['persistent_volumes', index, 'storage_class_name'],
        warning(
          'UNSUPPORTED_STORAGE_CLASS',
          `storage class '${wanted}' is not in supported_storage_classes (${supported.join(', ') || 'none'}): '${FALLBACK_STORAGE_CLASS}' is used instead`,
        ),
      );
    }
    return {
      metadata: { name: claimName(entry.container_path) },
      spec: {
        accessModes: ['ReadWriteOnce'],
        storageClassName: known ? wanted : FALLBACK_STORAGE_CLASS,
        resources: { requests: { storage: `${pythonText(entry.size)}Gi` } },
      },
    };
  });
}

function modeOf(mode: NumberValue | string | undefined, path: readonly (string | number)[], refuse: Refuse): number | undefined {
  if (mode === undefined) return undefined;
  try {
    return fileMode(typeof mode === 'string' ? mode : (numberOf(mode) ?? 0));
  } catch (error) {
    refuse(path, problem('BAD_FILE_MODE', messageOf(error)));
    return undefined;
  }
}

/** A pod has a volume once, and the API server refuses two of one name: entries may share it when they want the same of it. */
function shared(key: string, mounted: MountedVolume[], refuse: Refuse): MountedVolume[] {
  const first = new Map<unknown, number>();
  for (const [index, { volume }] of mounted.entries()) {
    const before = first.get(volume?.['name']);
    if (before === undefined) first.set(volume?.['name'], index);
    else if (JSON.stringify(volume) !== JSON.stringify(mounted[before]?.volume))
      refuse(
        [key, index],
        problem('VOLUME_TWICE', `${key} entries ${before + 1} and ${index + 1} are one volume of the pod, but do not want the same in it`, {
          hint: 'give both the same settings; only container_path may differ',
        }),
      );
  }
  return mounted;
}

/** Files from secrets. `objectOf`: the Secret that holds a secret, by default that of the service. */
export function secretVolumes(
  settings: InstanceSettings,
  refuse: Refuse,
  objectOf: (secret: string) => string = (secret) => secretName(settings.namespace, settings.service, secret),
): MountedVolume[] {
  const mounted = settings.secretVolumes.map((entry, index) => {
    const name = volumeName(`secret--${entry.secret_name}`, LABEL_LIMIT);
    const items = entry.items?.map((item, at) =>
      compact({ key: item.key, path: item.path, mode: modeOf(item.mode, ['secret_volumes', index, 'items', at, 'mode'], refuse) }),
    );
    const secret = compact({
      secretName: objectOf(entry.secret_name),
      defaultMode: modeOf(entry.default_mode, ['secret_volumes', index, 'default_mode'], refuse),
      items,
      optional: false,
    });
    return { volume: { name, secret }, mount: { name, mountPath: entry.container_path, readOnly: true } };
  });
  return shared('secret_volumes', mounted, refuse);
}

/** Service account tokens as files. */
export function tokenVolumes(settings: InstanceSettings, refuse: Refuse): MountedVolume[] {
  const mounted = settings.projectedSaVolumes.map((entry) => {
    const name = volumeName(`projected-sa--${entry.audience}`, LABEL_LIMIT);
    const expirationSeconds = entry.expiration_seconds === undefined ? 3600 : (numberOf(entry.expiration_seconds) ?? 3600);
    const serviceAccountToken = { audience: entry.audience, expirationSeconds, path: 'token' };
    return {
      volume: { name, projected: { sources: [{ serviceAccountToken }] } },
      mount: { name, mountPath: entry.container_path, readOnly: true },
    };
  });
  return shared('projected_sa_volumes', mounted, refuse);
}

interface Credentials {
  readonly key: string;
  readonly volume: string;
  readonly secret: string;
  readonly signature: string;
  readonly mountPath: string;
  readonly optional: boolean | undefined;
  readonly items: readonly { readonly key: string; readonly path: string }[];
}

/** ConfigMap with the signature of an instance's crypto keys or datastore credentials. */
function signatureName(namespace: string, what: string, settings: InstanceSettings): string {
  return limitWithHash(
    `${namespace}-${what}-${sanitiseName(settings.service)}-${sanitiseName(settings.instance)}-signature`,
    OBJECT_NAME_LIMIT,
  );
}

function credentialsOf(settings: InstanceSettings): Credentials[] {
  const { namespace, service, instance, appName } = settings;
  const found: Credentials[] = [];
  const boto = settings.botoKeys.flatMap((key) =>
    ['sh', 'yaml', 'cfg', 'json'].map((type) => ({
      key: `${key}-${type}`.replaceAll('.', '-').replaceAll('_', '--'),
      path: `${key}.${type}`,
    })),
  );
  if (boto.length > 0) {
    const secret = botoSecretName(appName);
    found.push({
      key: 'boto_keys',
      volume: `secret-boto-key-${appName}`,
      secret,
      signature: secretSignatureName(namespace, service, secret),
      mountPath: '/etc/boto_cfg',
      optional: undefined,
      items: boto,
    });
  }
  const crypto = [
    ...textsOf(settings.cryptoKeys['encrypt']).map((key) => `public/${key}`),
    ...textsOf(settings.cryptoKeys['decrypt']).map((key) => `private/${key}`),
  ];
  if (crypto.length > 0) {
    const secret = cryptoSecretName(namespace, service, instance);
    const signature = signatureName(namespace, 'crypto-key', settings);
    found.push({
      key: 'crypto_keys',
      volume: `secret-crypto-key-${appName}`,
      secret,
      signature,
      mountPath: '/etc/crypto_keys',
      optional: true,
      items: crypto.map((key) => ({ key: key.replaceAll('/', '-'), path: `${key}.json` })),
    });
  }
  const datastore = Object.entries(settings.datastoreCredentials).flatMap(([store, names]) =>
    textsOf(names).map((name) => ({
      key: `secrets-datastore-${store}-${name}`.replaceAll('/', '-'),
      path: `${store}/${name}/credentials`,
    })),
  );
  if (datastore.length > 0) {
    const secret = datastoreSecretName(namespace, service, instance);
    const signature = signatureName(namespace, 'datastore-credentials', settings);
    found.push({
      key: 'datastore_credentials',
      volume: `secret-datastore-creds-${appName}`,
      secret,
      signature,
      mountPath: '/datastore',
      optional: false,
      items: datastore,
    });
  }
  return found;
}

/** Names of the ConfigMaps that say whether the credentials of an instance were synced. */
export function credentialSignatures(settings: InstanceSettings): readonly string[] {
  return credentialsOf(settings).map((entry) => entry.signature);
}

/** Volumes of boto, crypto and datastore credentials: only once their secret has been synced, which its signature shows. */
export function credentialVolumes(settings: InstanceSettings, signatures: ReadonlyMap<string, string>, refuse: Refuse): MountedVolume[] {
  return credentialsOf(settings).flatMap((entry) => {
    if (signatures.get(entry.signature) === undefined) {
      refuse(
        [entry.key],
        warning(
          'CREDENTIALS_NOT_SYNCED',
          `${entry.key}: ConfigMap ${settings.namespace}/${entry.signature} does not exist, so the volume at ${entry.mountPath} is left out`,
          { hint: 'sync the secret to the cluster; the next deploy mounts it' },
        ),
      );
      return [];
    }
    const name = volumeName(entry.volume, LABEL_LIMIT);
    const items = entry.items.map((item) => ({ ...item, mode: CREDENTIAL_MODE }));
    return [
      {
        volume: { name, secret: compact({ secretName: entry.secret, defaultMode: CREDENTIAL_MODE, items, optional: entry.optional }) },
        mount: { name, mountPath: entry.mountPath, readOnly: true },
      },
    ];
  });
}

/** Everything but the sidecar's volumes, in PaaSTA's order. */
export function mountedVolumes(settings: InstanceSettings, credentials: readonly MountedVolume[], refuse: Refuse): MountedVolume[] {
  return [
    ...hostVolumes(settings.volumes),
    ...ebsVolumes(settings),
    ...claimMounts(settings),
    ...secretVolumes(settings, refuse),
    ...tokenVolumes(settings, refuse),
    ...credentials,
  ];
}

/** Volumes of the pod: those of one name once, of host paths the last. Claims are none. */
export function podVolumes(mounted: readonly MountedVolume[], ofSidecars: readonly MountedVolume[]): Fields[] {
  const isHost = (entry: MountedVolume): boolean => entry.volume !== undefined && 'hostPath' in entry.volume;
  const ordered = [...mounted.filter(isHost), ...ofSidecars, ...mounted.filter((entry) => !isHost(entry))];
  const byName = new Map<unknown, Fields>();
  for (const { volume } of ordered) if (volume !== undefined) byName.set(volume['name'], volume);
  return [...byName.values()];
}
