/** What is mounted into the containers of an instance. Rule: `get_volumes` and `_reorder_docker_volumes` in paasta_tools/utils.py. */
import { Float, isMap, type Value, type ValueMap } from '../contract/values.ts';
import type { InstanceReader } from './setting-reader.ts';
import type {
  AwsEbsVolume,
  DockerVolume,
  InstanceSettings,
  PersistentVolume,
  ProjectedSaVolume,
  SecretVolume,
  SettingsContext,
} from './settings-types.ts';
import type { InstanceConfig, SystemConfig } from './types.ts';
import { isTruthy, keysOf, listIn } from './yaml-values.ts';

/** Read-only data of another system, mounted on `uses_bulkdata: true`. */
const BULKDATA: DockerVolume = { hostPath: '/nail/bulkdata', containerPath: '/nail/bulkdata', mode: 'RO' };

/** `undefined`: not a volume. */
export function dockerVolume(value: Value): DockerVolume | undefined {
  if (!isMap(value) || typeof value.hostPath !== 'string' || typeof value.containerPath !== 'string') return undefined;
  if (value.mode !== undefined && typeof value.mode !== 'string') return undefined;
  return { hostPath: value.hostPath, containerPath: value.containerPath, ...(value.mode === undefined ? {} : { mode: value.mode }) };
}

/** Text order by code points, as Python compares. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  const [x, y] = [[...a], [...b]];
  for (let i = 0; i < Math.min(x.length, y.length); i++) {
    const difference = ((x[i] as string).codePointAt(0) as number) - ((y[i] as string).codePointAt(0) as number);
    if (difference !== 0) return difference;
  }
  return x.length - y.length;
}

const stripped = (path: string): string => path.replace(/(?<!\/)\/+$/, '');

/** Of two volumes with equal paths (trailing slashes aside) the later wins; the rest is sorted by container path, host path, mode. */
export function reorderVolumes(volumes: readonly DockerVolume[]): readonly DockerVolume[] {
  const unique = new Map<string, DockerVolume>();
  for (const volume of volumes) unique.set(stripped(volume.containerPath) + stripped(volume.hostPath), volume);
  return [...unique.values()].sort(
    (a, b) =>
      compareText(a.containerPath, b.containerPath) || compareText(a.hostPath, b.hostPath) || compareText(a.mode ?? '', b.mode ?? ''),
  );
}

export function volumesOf(
  type: InstanceConfig['type'],
  system: SystemConfig,
  read: InstanceReader,
  context: SettingsContext,
): Pick<
  InstanceSettings,
  | 'volumes'
  | 'extraVolumes'
  | 'secretVolumes'
  | 'persistentVolumes'
  | 'awsEbsVolumes'
  | 'projectedSaVolumes'
  | 'botoKeys'
  | 'cryptoKeys'
  | 'datastoreCredentials'
  | 'ssmSecrets'
> {
  const fromSystem = listIn(system.values, 'volumes')
    .map(dockerVolume)
    .filter((v): v is DockerVolume => v !== undefined);
  const extraVolumes: DockerVolume[] = [];
  read.list('extraVolumes', ['extra_volumes']).forEach((value, index) => {
    const volume = dockerVolume(value);
    if (volume === undefined)
      read.fault(
        'extraVolumes',
        'MISSING_KEY',
        `extra_volumes entry ${index + 1} needs hostPath and containerPath as text`,
        ['extra_volumes', index],
        'for example {hostPath: /data, containerPath: /data, mode: RO}',
      );
    else extraVolumes.push(volume);
  });
  const bulk = isTruthy(read.raw('uses_bulkdata')) ? [BULKDATA] : [];
  const projected = read.maps('projectedSaVolumes', ['projected_sa_volumes'], ['container_path', 'audience']);
  const token = system.values.service_auth_token_settings;
  const withToken =
    type !== 'adhoc' &&
    context.authenticating === true &&
    isMap(token) &&
    isTruthy(token) &&
    !projected.some((volume) => sameMap(volume, token))
      ? [token, ...projected]
      : projected;
  return {
    volumes: reorderVolumes([...fromSystem, ...extraVolumes, ...bulk]),
    extraVolumes,
    secretVolumes: read.maps('secretVolumes', ['secret_volumes'], ['container_path', 'secret_name']) as readonly SecretVolume[],
    persistentVolumes: read.maps('persistentVolumes', ['persistent_volumes'], ['container_path', 'mode']) as readonly PersistentVolume[],
    awsEbsVolumes: read.maps('awsEbsVolumes', ['aws_ebs_volumes'], ['volume_id', 'container_path']) as readonly AwsEbsVolume[],
    projectedSaVolumes: withToken as readonly ProjectedSaVolume[],
    botoKeys: read.texts('botoKeys', ['boto_keys']),
    cryptoKeys: read.map('cryptoKeys', ['crypto_keys']),
    datastoreCredentials: read.map('datastoreCredentials', ['datastore_credentials']),
    ssmSecrets: read.maps('ssmSecrets', ['ssm_secrets'], ['secret_name']),
  };
}

function sameMap(a: ValueMap, b: ValueMap): boolean {
  const plain = (value: Value | undefined): Value | undefined => (value instanceof Float ? value.value : value);
  return keysOf(a).length === keysOf(b).length && keysOf(a).every((key) => plain(a[key]) === plain(b[key]));
}
