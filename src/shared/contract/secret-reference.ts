/** References to secrets in `env`: `SECRET(name)` of the service, `SHARED_SECRET(name)` of all. Rule: paasta_tools/secret_tools.py. */

const REFERENCE = /^(SHARED_)?SECRET\(([A-Za-z0-9_-]*)\)\n?$/;

export interface SecretReference {
  readonly shared: boolean;
  readonly name: string;
}

/** `undefined`: ordinary text. A trailing line end (YAML block scalar) does not count. */
export function parseSecretReference(text: string): SecretReference | undefined {
  const [matched, shared, name] = REFERENCE.exec(text) ?? [];
  return matched === undefined ? undefined : { shared: shared !== undefined, name: name ?? '' };
}

/** What stands between the first parenthesis and the last character, for messages about text that is almost a reference. */
export function nameInParentheses(text: string): string {
  return parseSecretReference(text)?.name ?? text.slice(text.indexOf('(') + 1, -1).split('(')[0] ?? '';
}
