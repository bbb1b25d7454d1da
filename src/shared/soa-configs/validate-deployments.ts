/** `deployments.json` and `secrets/*.json` of a service, when the tree holds them: every fault on its line. PaaSTA's `validate` reads neither. */
import { isCommit } from '../contract/commit.ts';
import { problem, type Problem } from '../contract/errors.ts';
import type { TreeReader } from '../contract/ports.ts';
import { quoted } from '../contract/validity.ts';
import { isMap } from '../contract/values.ts';
import { readJson } from './json.ts';
import { readText } from './system-config.ts';
import { keysOf } from './yaml-values.ts';

const GENERATE = 'write it anew with generate-deployments';

export function checkDeploymentsFile(tree: TreeReader, service: string): readonly Problem[] {
  const file = `${service}/deployments.json`;
  const problems: Problem[] = [];
  const text = readText(tree, file, problems);
  if (text === undefined) return problems;
  const { document, problem: broken } = readJson(text, file);
  if (document === undefined) return [{ ...broken, code: 'DEPLOYMENTS_UNREADABLE', message: `deployments.json: ${broken.message}`, hint: GENERATE }];
  const say = (path: readonly string[], code: string, message: string): void => void problems.push(problem(code, message, { ...document.position(path), hint: GENERATE }));
  const { value } = document;
  const v2 = isMap(value) ? value.v2 : undefined;
  if (!isMap(v2)) {
    say(isMap(value) && 'v2' in value ? ['v2'] : [], 'DEPLOYMENTS_WITHOUT_V2', isMap(value) && 'v1' in value ? "deployments.json has only 'v1', which says neither commit nor deploy group" : "deployments.json has no 'v2' mapping");
    return problems;
  }
  const { deployments, controls } = v2;
  for (const [name, part] of [['deployments', deployments], ['controls', controls]] as const) if (part !== undefined && !isMap(part)) say(['v2', name], 'BAD_DEPLOYMENTS', `'v2.${name}' is not a mapping`);
  for (const group of isMap(deployments) ? keysOf(deployments) : []) {
    const entry = isMap(deployments) ? deployments[group] : undefined;
    const at = ['v2', 'deployments', group];
    if (!isMap(entry)) {
      say(at, 'BAD_DEPLOYMENTS', `deploy group ${quoted(group)}: the entry is not a mapping`);
      continue;
    }
    for (const key of ['docker_image', 'git_sha']) if (typeof entry[key] !== 'string' || entry[key] === '') say([...at, key], 'BAD_DEPLOYMENTS', `deploy group ${quoted(group)}: ${key} is missing or not text`);
    const sha = entry.git_sha;
    if (typeof sha === 'string' && sha !== '' && !isCommit(sha)) say([...at, 'git_sha'], 'BAD_DEPLOYMENTS', `deploy group ${quoted(group)}: git_sha ${quoted(sha)} is not a full commit id (40 lower-case hexadecimal digits)`);
  }
  for (const key of isMap(controls) ? keysOf(controls) : []) {
    const entry = isMap(controls) ? controls[key] : undefined;
    const state = isMap(entry) ? (entry.desired_state ?? 'start') : undefined;
    if (state !== 'start' && state !== 'stop') say(['v2', 'controls', key], 'BAD_DEPLOYMENTS', `control ${quoted(key)}: desired_state is neither 'start' nor 'stop'`);
  }
  return problems;
}

/** Files of secrets that cannot be read. Whether an instance finds the secret it names is another check. */
export function checkSecretFiles(tree: TreeReader, service: string, secrets: readonly string[]): readonly Problem[] {
  return secrets.flatMap((secret) => {
    const file = `${service}/secrets/${secret}.json`;
    const problems: Problem[] = [];
    const text = readText(tree, file, problems);
    if (text === undefined) return problems;
    const { document, problem: broken } = readJson(text, file);
    if (document === undefined) return [broken];
    const environments = isMap(document.value) ? document.value.environments : undefined;
    return isMap(environments) ? [] : [problem('SECRET_INVALID', "the file of a secret needs 'environments': a mapping from ecosystem to ciphertext", { ...document.position(['environments']), hint: "for example {\"environments\": {\"prod\": {\"ciphertext\": \"…\"}}}" })];
  });
}
