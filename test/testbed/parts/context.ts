/** A cluster of the user's own: named by PAASTA_TESTBED_CONTEXT, never an ambient one, refused unless it is a toy. */
import { TestbedError } from './say.ts';

/** Loopback in every spelling that a URL may have. */
export function isLoopback(server: string): boolean {
  let host: string;
  try {
    host = new URL(server).hostname;
  } catch {
    return false;
  }
  return host === 'localhost' || host === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** Throws unless the context may be used for tests: its server is on loopback, or kind made it. */
export function checkContext(name: string, server: string): void {
  if (isLoopback(server) || /^kind-./.test(name)) return;
  throw new TestbedError(
    `PAASTA_TESTBED_CONTEXT names '${name}', whose server ${server} is neither on loopback nor of kind: refused`,
    'tests create and delete namespaces; name a local cluster, or unset PAASTA_TESTBED_CONTEXT to let the testbed start its own',
  );
}

/** The context that the user named, undefined when none is. */
export function givenContext(env: Readonly<Record<string, string | undefined>> = process.env): string | undefined {
  const name = env['PAASTA_TESTBED_CONTEXT'];
  return name === undefined || name === '' ? undefined : name;
}
