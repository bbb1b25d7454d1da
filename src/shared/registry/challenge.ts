/** One way in which a server is willing to be authenticated (RFC 9110 §11.6.1). */
export interface Challenge {
  /** Lower case: `basic`, `bearer`. */
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const PARAMETER = /[\s,]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/y;

/** Reads a `WWW-Authenticate` header, which may carry several challenges. Text that is none is left out. */
export function parseChallenges(header: string): readonly Challenge[] {
  const found: Challenge[] = [];
  let at = 0;
  while (at < header.length) {
    while (at < header.length && /[\s,]/.test(header[at] as string)) at++;
    TOKEN.lastIndex = at;
    const scheme = TOKEN.exec(header)?.[0];
    if (scheme === undefined) break;
    at += scheme.length;
    const parameters: Record<string, string> = {};
    for (;;) {
      PARAMETER.lastIndex = at;
      const match = PARAMETER.exec(header);
      if (match === null) break;
      parameters[(match[1] as string).toLowerCase()] = match[2] === undefined ? (match[3] as string) : match[2].replace(/\\(.)/g, '$1');
      at += match[0].length;
    }
    found.push({ scheme: scheme.toLowerCase(), parameters });
  }
  return found;
}
