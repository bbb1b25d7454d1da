/**
 * Names of objects, volumes and labels. Rules: `sanitise_kubernetes_name`, `limit_size_with_hash`, `get_sanitised_volume_name`,
 * `paasta_prefixed`, … of paasta_tools/kubernetes_tools.py and secret_tools.py. Pinned by the `names` vectors.
 */
import { md5Base32, md5Hex } from './digests.ts';
import { problem, UserError } from './errors.ts';

/** Longest value of a label, and longest name part of a label key. */
export const LABEL_LIMIT = 63;
/** Longest name of a Secret or ConfigMap. */
export const OBJECT_NAME_LIMIT = 253;

/** `_` becomes `--`, a leading `--` becomes `underscore-`, all lower-case. Other characters, `.` included, pass through. */
export function sanitiseName(name: string): string {
  const dashed = name.replaceAll('_', '--');
  return (dashed.startsWith('--') ? `underscore-${dashed.slice(2)}` : dashed).toLowerCase();
}

/** A name over the limit keeps its first `limit - suffix - 1` characters, then `-` and a piece of its base32 MD5. */
export function limitWithHash(name: string, limit: number = LABEL_LIMIT, suffix = 4): string {
  const characters = [...name];
  if (characters.length <= limit) return name;
  return `${characters.slice(0, limit - suffix - 1).join('')}-${md5Base32(name).slice(0, suffix)}`;
}

/** Sanitised and limited to the 63 characters of a label value. */
export function labelValue(text: string): string {
  return limitWithHash(sanitiseName(text));
}

/** Name of a pod volume made of a path or a name. A limit of 0 means none. */
export function volumeName(text: string, limit = 0): string {
  const sanitised = sanitiseName(
    text
      .replace(/(?<!\/)\/+$/, '')
      .replaceAll('/', 'slash-')
      .replaceAll('.', 'dot-'),
  );
  const characters = [...sanitised];
  if (limit === 0 || characters.length <= limit) return sanitised;
  return `${characters.slice(0, limit - 6).join('')}--${md5Hex(sanitised).slice(0, 4)}`;
}

/** Name of the workload, its autoscaler and its disruption budget: `<service>-<instance>`, sanitised; never shortened. */
export function appName(service: string, instance: string): string {
  return `${sanitiseName(service)}-${sanitiseName(instance)}`;
}

/** Name of the second workload of an `upthendown` bounce. */
export function appNameForHash(service: string, instance: string, hash: string): string {
  return `${appName(service, instance)}-${hash.slice(0, 8)}`;
}

/** Name of the main container. */
export function containerName(instance: string): string {
  return sanitiseName(instance);
}

/** Namespace of a service's long-running instances when none is configured. */
export function defaultNamespace(service: string): string {
  return `paastasvc-${sanitiseName(service)}`;
}

/** Secret that holds one secret of a service (or of `_shared`). */
export function secretName(namespace: string, service: string, key: string): string {
  return limitWithHash(`${namespace}-secret-${sanitiseName(service)}-${sanitiseName(key)}`, OBJECT_NAME_LIMIT);
}

/** ConfigMap that holds the signature of a secret. */
export function secretSignatureName(namespace: string, service: string, key: string): string {
  return limitWithHash(`${namespace}-secret-${sanitiseName(service)}-${sanitiseName(key)}-signature`, OBJECT_NAME_LIMIT);
}

/** Secret that mirrors an entry of the parameter store; `app` is the service as PaaSTA calls it. */
export function ssmSecretName(namespace: string, app: string, key: string): string {
  return limitWithHash(`${namespace}-ssm-secret-${sanitiseName(app)}-${sanitiseName(key)}`, OBJECT_NAME_LIMIT);
}

/** Secret with the boto keys of an instance; `app` is its sanitised object name. */
export function botoSecretName(app: string): string {
  return limitWithHash(`paasta-boto-key-${app}`);
}

/** Secret with the crypto keys of an instance. */
export function cryptoSecretName(namespace: string, service: string, instance: string): string {
  return limitWithHash(`${namespace}-crypto-key-${sanitiseName(service)}-${sanitiseName(instance)}`, OBJECT_NAME_LIMIT);
}

/** Secret with the datastore credentials of an instance. */
export function datastoreSecretName(namespace: string, service: string, instance: string): string {
  return limitWithHash(`${namespace}-datastore-credentials-${sanitiseName(service)}-${sanitiseName(instance)}`, OBJECT_NAME_LIMIT);
}

/** Service account of a role: `paasta--<role>[--<Kubernetes role>]`. Throws `UserError` when neither is given. */
export function serviceAccountName(iamRole: string | undefined, kubernetesRole?: string): string {
  const iam = iamRole === undefined || iamRole === '' ? undefined : iamRole.toLowerCase().replace(/[^0-9a-z]+/g, '-');
  const parts = [iam, kubernetesRole === '' ? undefined : kubernetesRole].filter((part) => part !== undefined);
  if (parts.length === 0)
    throw new UserError(problem('SERVICE_ACCOUNT_WITHOUT_ROLE', 'a service account needs iam_role or a Kubernetes role; both are empty'));
  return ['paasta', ...parts].join('--');
}

/** `<cluster>.<instance>`: what start and stop are said about, and the deploy group when none is configured. */
export function controlBranch(cluster: string, instance: string): string {
  return `${cluster}.${instance}`;
}

/** Prefixes of label keys. PaaSTA's are the default; another installation may have its own domain. */
export interface LabelPrefixes {
  /** Ends in `/`. */
  readonly paasta: string;
  /** For keys that belong to the company rather than to PaaSTA (region, pool, owner, …). Ends in `/`. */
  readonly company: string;
}

export const YELP_PREFIXES: LabelPrefixes = { paasta: 'paasta.yelp.com/', company: 'yelp.com/' };

const COMPANY_KEYS: ReadonlySet<string> = new Set(['region', 'superregion', 'ecosystem', 'habitat', 'pool', 'hostname', 'owner']);
const NODE_KEYS: ReadonlySet<string> = new Set(['region', 'superregion', 'ecosystem', 'habitat', 'hostname', 'datacenter']);

/** Full label key of an attribute; one that already has a prefix stays as it is. Rule: `paasta_prefixed`. */
export function paastaPrefixed(attribute: string, prefixes: LabelPrefixes = YELP_PREFIXES): string {
  if (attribute.includes('/')) return attribute;
  return `${COMPANY_KEYS.has(attribute) ? prefixes.company : prefixes.paasta}${attribute}`;
}

/** Key of a node label that users may write short. Rule: `to_node_label`. */
export function nodeLabel(key: string, prefixes: LabelPrefixes = YELP_PREFIXES): string {
  if (key === 'instance_type' || key === 'instance-type') return 'node.kubernetes.io/instance-type';
  return NODE_KEYS.has(key) ? `${prefixes.company}${key}` : key;
}

/** Label key that says that a pod serves a registration (`service.namespace`). The registration is not sanitised. */
export function registrationLabel(registration: string, prefixes: LabelPrefixes = YELP_PREFIXES): string {
  return `registrations.${prefixes.paasta}${limitWithHash(registration)}`;
}

/** Parts of a job id `service.instance[.git<hash>.config<hash>]`. */
export interface JobId {
  readonly service: string;
  readonly instance: string;
  readonly gitHash: string | null;
  readonly configHash: string | null;
}

/** Rule: `decompose_job_id`: two or four parts. Throws `UserError` for anything else. */
export function parseJobId(text: string): JobId {
  const [service, instance, gitHash, configHash, ...more] = text.split('.');
  const complete =
    service !== undefined && instance !== undefined && (gitHash === undefined) === (configHash === undefined) && more.length === 0;
  if (!complete) {
    throw new UserError(
      problem('BAD_JOB_ID', `'${text}' is not a job id`, {
        hint: 'write <service>.<instance> or <service>.<instance>.git<hash>.config<hash>',
      }),
    );
  }
  return { service, instance, gitHash: gitHash ?? null, configHash: configHash ?? null };
}

/** Permission bits of a mounted file: a number, or octal text that starts with 0. Throws `UserError` for other text. */
export function fileMode(mode: number | string): number {
  if (typeof mode === 'number') return mode;
  if (!/^0[0-7]+$/.test(mode)) {
    throw new UserError(
      problem('BAD_FILE_MODE', `'${mode}' is not a file mode`, {
        hint: "write octal digits with a leading zero in quotes, such as '0644'",
      }),
    );
  }
  return Number.parseInt(mode, 8);
}
