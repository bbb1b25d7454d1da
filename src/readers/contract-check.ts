/** One rule of the contract between a service and the platform, and whether it is kept. */
export interface Check {
  /** Stable name. */
  readonly name: string;
  /** As in PaaSTA's contract: a broken `must` fails the check, a broken `should` is said. */
  readonly level: 'must' | 'should';
  readonly ok: boolean;
  readonly message: string;
  /** What to do; only when it is not kept. */
  readonly hint?: string;
  readonly file?: string;
  readonly line?: number;
}

export function passed(name: string, level: Check['level'], message: string): Check {
  return { name, level, ok: true, message };
}

export function failed(
  name: string,
  level: Check['level'],
  message: string,
  hint: string,
  place: { readonly file?: string; readonly line?: number } = {},
): Check {
  return { name, level, ok: false, message, hint, ...place };
}

/** `✓`, `✗` (must) or `!` (should), with the next step below. */
export function checkLines({ ok, level, message, hint, file, line }: Check): readonly string[] {
  const place = file === undefined || ok ? '' : `${file}${line === undefined ? '' : `:${line}`}: `;
  return [`${ok ? '✓' : level === 'must' ? '✗' : '!'} ${place}${message}`, ...(ok || hint === undefined ? [] : [`  next: ${hint}`])];
}
