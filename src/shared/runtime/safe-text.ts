/** Text that may reach a job log: without secrets, and without anything that the runner would obey. */
import type { Mask } from '../contract/ports.ts';

/** Invisible; not white space to the runner, which trims before it looks for `::`. */
const GUARD = '\u200b';

/**
 * Text whose lines the runner prints instead of obeying: names of pods, lines of containers and answers of servers are
 * written by others. The runner takes `::command::` at the start of a line and `##[command]` anywhere in it.
 */
export function inert(text: string): string {
  return text
    .replace(/\r(?!\n)/g, '\n')
    .replace(/^([^\S\n\r\u2028\u2029]*)::/gm, `$1${GUARD}::`)
    .replaceAll('##[', `##${GUARD}[`);
}

/** Remembers secrets and takes them out of texts. */
export interface Redaction {
  readonly mask: Mask;
  readonly redact: (text: string) => string;
}

export function createRedaction(onSecret: (secret: string) => void = () => undefined): Redaction {
  const secrets = new Set<string>();
  let ordered: readonly string[] = [];
  return {
    mask: (secret) => {
      // What is shorter than this would blacken ordinary words (and the runner refuses the empty text).
      for (const part of [secret, ...secret.split(/\r?\n/)]) {
        if (part.trim().length < 3 || secrets.has(part)) continue;
        secrets.add(part);
        onSecret(part);
      }
      // The longest first: a secret may be a part of another one.
      ordered = [...secrets].sort((a, b) => b.length - a.length);
    },
    redact: (text) => ordered.reduce((rest, secret) => rest.replaceAll(secret, '***'), text),
  };
}
