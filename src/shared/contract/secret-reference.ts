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

/** The name that text means which is almost a reference (`SECRET(a b)`), for messages: what follows the first parenthesis, without its last character. */
export function nameInParentheses(text: string): string {
  return parseSecretReference(text)?.name ?? (text.split('(')[1] ?? '').slice(0, -1);
}
