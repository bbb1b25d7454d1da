/**
 * Which names are accepted from people and workflows. Stricter than PaaSTA on purpose (register P39: it checks only that a
 * directory of that name exists, so `..` and slashes pass): these names become paths, refs, image names and labels.
 */
import { problem, type Problem } from './errors.ts';
import { sanitiseName } from './names.ts';

/** Longest Kubernetes-sanitised service or instance name that `paasta validate` accepts. */
export const NAME_LIMIT = 63;

const SERVICE = /^[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*$/;
const CLUSTER = /^[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?$/;
const INSTANCE = /^[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?$/;
const DEPLOY_GROUP = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;
const IMAGE_VERSION = /^[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;

/** What is told about a value: shortened and without control characters, so that a hostile name cannot forge a log line. */
export function quoted(value: string): string {
  const visible = value.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return `'${visible.length > 80 ? `${visible.slice(0, 77)}…` : visible}'`;
}

function refuse(code: string, input: string, value: string, what: string, rule: string): Problem {
  const said =
    value === '' ? `${input}: ${what} is missing` : `${input}: ${quoted(value)} is not ${/^[aeiou]/.test(what) ? 'an' : 'a'} ${what}`;
  return problem(code, said, { input, hint: rule });
}

function tooLong(value: string): boolean {
  return sanitiseName(value).length > NAME_LIMIT;
}

/** The name as it is meant: trailing `/` (tab completion) and one leading `services-` (Jenkins job names) go away. */
export function normaliseServiceName(text: string): string {
  const trimmed = text.replace(/(?<!\/)\/+$/, '');
  return trimmed.startsWith('services-') ? trimmed.slice('services-'.length) : trimmed;
}

/** A service: also a directory and, after `services-`, a Docker repository. */
export function serviceNameProblem(value: string, input = 'service'): Problem | undefined {
  if (SERVICE.test(value) && !tooLong(value)) return undefined;
  return refuse(
    'BAD_SERVICE_NAME',
    input,
    value,
    'service name',
    'lower-case letters and digits with single . or _ or - between them, at most 63 characters (a _ counts as two)',
  );
}

export function clusterNameProblem(value: string, input = 'cluster'): Problem | undefined {
  if (CLUSTER.test(value) && value.length <= NAME_LIMIT) return undefined;
  return refuse('BAD_CLUSTER_NAME', input, value, 'cluster name', 'letters, digits, - and _, without a dot, at most 63 characters');
}

/** An instance; a name that starts with `_` is a template of the file, no instance. */
export function instanceNameProblem(value: string, input = 'instance'): Problem | undefined {
  if (INSTANCE.test(value) && !value.includes('..') && !tooLong(value)) return undefined;
  const rule = value.startsWith('_')
    ? 'names that start with _ are templates, not instances'
    : 'letters, digits, - _ and single dots, at most 63 characters (a _ counts as two)';
  return refuse('BAD_INSTANCE_NAME', input, value, 'instance name', rule);
}

/** A deploy group that can be marked: it becomes part of a tag, in which `+` separates the image version. */
export function deployGroupProblem(value: string, input = 'deploy-group'): Problem | undefined {
  if (DEPLOY_GROUP.test(value) && !value.includes('..') && value.length <= 200) return undefined;
  return refuse(
    'BAD_DEPLOY_GROUP',
    input,
    value,
    'deploy group',
    'letters, digits, . _ and -, starting with a letter, digit or _, without two dots in a row',
  );
}

/** An image version: part of a Docker tag, of a git tag and of a label value at once. */
export function imageVersionProblem(value: string, input = 'image-version'): Problem | undefined {
  if (IMAGE_VERSION.test(value) && !value.includes('..')) return undefined;
  return refuse(
    'BAD_IMAGE_VERSION',
    input,
    value,
    'image version',
    'letters, digits, . _ and -, at most 63 characters, first and last a letter or digit; such as 20240102T030405',
  );
}
