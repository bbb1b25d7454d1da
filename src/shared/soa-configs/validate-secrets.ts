/** `secrets/*.json` of a service, when the tree holds them: every fault on its line. PaaSTA's `validate` looks only at those that an instance names. */
import { problem, type Problem } from '../contract/errors.ts';
import type { TreeReader } from '../contract/ports.ts';
import { isMap } from '../contract/values.ts';
import { readJson } from './json.ts';
import { readText } from './system-config.ts';
import type { SecretState } from './validate-instances.ts';

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
    return isMap(environments)
      ? []
      : [
          problem('SECRET_INVALID', "the file of a secret needs 'environments': a mapping from ecosystem to ciphertext", {
            ...document.position(['environments']),
            hint: 'for example {"environments": {"prod": {"ciphertext": "…"}}}',
          }),
        ];
  });
}

/** Whether a secret has a ciphertext for an ecosystem. */
export function secretState(tree: TreeReader, owner: string, secret: string, ecosystem: string): SecretState {
  const file = `${owner}/secrets/${secret}.json`;
  const text = readText(tree, file, []);
  if (text === undefined) return 'missing';
  const { document } = readJson(text, file);
  const environments = isMap(document?.value) ? document.value.environments : undefined;
  if (!isMap(environments)) return 'broken';
  const entry = environments[ecosystem];
  return isMap(entry) && Object.hasOwn(entry, 'ciphertext') ? 'ok' : 'no-ciphertext';
}
