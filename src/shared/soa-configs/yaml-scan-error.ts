/** A complaint at an offset of the original text. */
export class ScanError extends Error {
  readonly offset: number;
  readonly tooDeep: boolean;
  /** Next step; when it is given the reason is for people, otherwise it is js-yaml's. */
  readonly hint: string | undefined;
  constructor(offset: number, reason: string, { tooDeep = false, hint }: { readonly tooDeep?: boolean; readonly hint?: string } = {}) {
    super(reason);
    this.offset = offset;
    this.tooDeep = tooDeep;
    this.hint = hint;
  }
}
