/** `names`: small functions of the contract. */
import {
  controlTag,
  dockerImage,
  isMap,
  pythonText,
  deepMerge,
  deployTag,
  deploymentVersionForms,
  fileMode,
  formatTimestamp,
  isDeployStep,
  labelValue,
  limitWithHash,
  meansShared,
  nameInParentheses,
  nodeLabel,
  paastaPrefixed,
  parseJobId,
  parseSecretReference,
  parseTimestamp,
  registrationLabel,
  rollbackTag,
  sanitiseName,
  secretName,
  secretSignatureName,
  serviceAccountName,
  shaOfImage,
  splitTag,
  ssmSecretName,
  appName,
  tagRef,
  versionOfImage,
  volumeName,
  type ValueMap,
} from '../../../src/shared/contract/index.ts';
import { UserError } from '../../../src/shared/contract/errors.ts';
import { controlStates } from '../../../src/shared/deployments/control.ts';
import { readYaml } from '../../../src/shared/soa-configs/yaml.ts';
import { REFUSED, type Case, type Plug } from '../types.ts';

const UNCOVERED = Symbol('uncovered');

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function ours(fn: string, a: readonly unknown[]): unknown {
  const at = (moment: unknown): string => formatTimestamp(Date.parse(text(moment)));
  const [first, second, third] = [text(a[0]), text(a[1]), text(a[2])];
  switch (fn) {
    case 'sanitise_kubernetes_name':
      return sanitiseName(first);
    case 'sanitise_label_value':
      return labelValue(first);
    case 'limit_size_with_hash':
      return limitWithHash(first, Number(a[1]), Number(a[2]));
    case 'volume_name':
      return volumeName(first, Number(a[1]));
    case 'app_name':
      return appName(first, second);
    case 'paasta_secret_name':
      return secretName(first, second, third);
    case 'paasta_secret_signature_name':
      return secretSignatureName(first, second, third);
    case 'ssm_secret_name':
      return ssmSecretName(first, second, third);
    case 'service_account_name':
      return serviceAccountName(first);
    case 'registration_label':
      return registrationLabel(first);
    case 'paasta_prefixed':
      return paastaPrefixed(first);
    case 'node_label':
      return nodeLabel(first);
    case 'mode_to_int':
      return a[0] === null ? null : fileMode(a[0] as string | number);
    case 'is_deploy_step':
      return isDeployStep(first);
    case 'deep_merge':
      return deepMerge(a[0] as ValueMap, a[1] as ValueMap);
    case 'docker_image_name':
      return dockerImage(first, { sha: second, imageVersion: a[2] as string | null });
    case 'deployment_version':
      return deploymentVersionForms({ sha: first, imageVersion: text(a[1]) || null });
    case 'git_sha_from_image':
      return a[1] === true ? shaOfImage(first) : shaOfImage(first).slice(0, 8);
    case 'image_version_from_image':
      return versionOfImage(first)?.imageVersion ?? null;
    case 'deploy_tag':
      return tagRef(second === 'rollback' ? rollbackTag(first, at(a[3]), third) : deployTag(first, at(a[3]), third));
    case 'control_tag':
      return tagRef(controlTag(first, second, at(a[3]), third === 'stop' ? 'stop' : 'start'));
    case 'parse_timestamp':
      return { $datetime: new Date(parseTimestamp(first)).toISOString().slice(0, 19) };
    case 'secret_ref': {
      const name = nameInParentheses(first);
      return name === undefined ? REFUSED : { is_ref: parseSecretReference(first) !== undefined, shared: meansShared(first), name };
    }
    case 'decompose_job_id': {
      const id = parseJobId(first);
      return [id.service, id.instance, id.gitHash, id.configHash];
    }
    case 'extract_tags': {
      const parts = splitTag(first);
      return parts === undefined
        ? {}
        : { deploy_group: parts.deployGroup, image_version: parts.imageVersion, tstamp: parts.timestamp, tag: parts.action };
    }
    case 'desired_states': {
      const refs = Object.entries(a[0] as Readonly<Record<string, string>>).map(([name, sha]) => ({ name, sha }));
      return controlStates(refs)
        .map((state) => [state.branch, state.sha, [state.desiredState, state.forceBounce]])
        .sort((x, y) => (`${String(x[0])} ${String(x[1])}` < `${String(y[0])} ${String(y[1])}` ? -1 : 1));
    }
    case 'env_text': {
      const { document } = readYaml(`value: ${first}\n`, 'env.yaml');
      const value = isMap(document?.value) ? document.value['value'] : undefined;
      return value === undefined ? REFUSED : pythonText(value);
    }
    default:
      return UNCOVERED;
  }
}

export const plug: Plug = {
  answer(test: Case) {
    const wanted = test.expected['result'];
    try {
      const value = ours(text(test.input['fn']), test.input['args'] as readonly unknown[]);
      return value === UNCOVERED ? undefined : { ours: value, wanted };
    } catch (error) {
      if (error instanceof UserError) return { ours: REFUSED, wanted };
      throw error;
    }
  },
};
