/** Text that came from the cluster (event messages, container errors), made fit to be shown. */

const LIMIT = 600;

/** One line, without control or escape characters, shortened: text of a cluster can neither forge a log line nor flood it. */
export function plainText(text: string, limit: number = LIMIT): string {
  const line = text
    .replace(/\p{Cc}\[[0-9;?]*[A-Za-z]/gu, '')
    .replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]+/gu, ' ')
    .replace(/ {2,}/g, ' ')
    .trim();
  const characters = [...line];
  return characters.length <= limit ? line : `${characters.slice(0, limit - 1).join('')}…`;
}

/** A name as an argument of a command that people copy: quoted unless it is one plain word. */
export function argument(name: string): string {
  return /^[A-Za-z0-9][A-Za-z0-9._/-]*$/.test(name) ? name : `'${plainText(name, 100).replaceAll("'", '')}'`;
}
