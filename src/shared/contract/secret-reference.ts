/** References to secrets in `env`: `SECRET(name)` of the service, `SHARED_SECRET(name)` of all. Rule: paasta_tools/secret_tools.py. */

const REFERENCE = /^(?:SHARED_)?SECRET\(([A-Za-z0-9_-]*)\)\n?$/;

export interface SecretReference {
  readonly shared: boolean;
  readonly name: string;
}

/** `undefined`: ordinary text. A trailing line end (YAML block scalar) does not count. */
export function parseSecretReference(text: string): SecretReference | undefined {
  const name = REFERENCE.exec(text)?.[1];
  return name === undefined ? undefined : { shared: meansShared(text), name };
}

/** Does text mean a secret of all services? Its first letters decide, whether the rest is a reference or not. */
export function meansShared(text: string): boolean {
  return text.startsWith('SHARED_');
}

/**
 * The name that text means which is almost a reference (`SECRET(a b)`), for messages: what follows the first parenthesis, without its last
 * character; `undefined` without a parenthesis.
 */
export function nameInParentheses(text: string): string | undefined {
  return parseSecretReference(text)?.name ?? text.split('(')[1]?.slice(0, -1);
}
