/** Faults that a test plants: per operation and token, a number of times. */

interface Common {
  /** Operation id of the description (`git/create-ref`) or of the git server (`git-upload-pack`, `git-receive-pack`, `git-info-refs`); any when absent. */
  readonly operation?: string;
  /** Only requests with this token. */
  readonly token?: string;
  /** How often it strikes. Default 1; `Infinity` for always. */
  readonly times?: number;
}

export type Fault = Common &
  /** 403 with `x-ratelimit-remaining: 0`, reset in so many seconds. */
  (
    | { readonly kind: 'primary-rate-limit'; readonly resetInSeconds: number }
    /** 403 (or 429) with `retry-after`. */
    | { readonly kind: 'secondary-rate-limit'; readonly retryAfter: number; readonly status?: 403 | 429 }
    /** An error of the server. `applied`: the work is done before the error is answered. */
    | { readonly kind: 'status'; readonly status: number; readonly applied?: boolean }
    /** The connection ends without an answer. `applied` as above. */
    | { readonly kind: 'drop'; readonly applied?: boolean }
    | { readonly kind: 'slow'; readonly milliseconds: number }
    /** A ref made through the API is seen by readers only after so many reads of refs. */
    | { readonly kind: 'hidden-ref'; readonly reads: number }
    /** Just before the ref of the request is created, somebody else creates it (at `sha`, default: the commit of the request). */
    | { readonly kind: 'tag-race'; readonly sha?: string; /** Lets this many creations pass first. */ readonly after?: number }
  );

export class Faults {
  private readonly planted: { fault: Fault; left: number; skip: number }[] = [];

  add(fault: Fault): void {
    this.planted.push({ fault, left: fault.times ?? 1, skip: fault.kind === 'tag-race' ? (fault.after ?? 0) : 0 });
  }

  clear(): void {
    this.planted.length = 0;
  }

  /** Strikes that are still to come. */
  get pending(): number {
    return this.planted.reduce((sum, { left }) => sum + left, 0);
  }

  /** The planted fault of one of these kinds that strikes now; each call uses one strike up. */
  strike<K extends Fault['kind']>(
    kinds: readonly K[],
    operation: string,
    token: string | undefined,
  ): Extract<Fault, { kind: K }> | undefined {
    for (const entry of this.planted) {
      const { fault } = entry;
      if (entry.left <= 0 || !(kinds as readonly string[]).includes(fault.kind)) continue;
      if (fault.operation !== undefined && fault.operation !== operation) continue;
      if (fault.token !== undefined && fault.token !== token) continue;
      if (entry.skip > 0) {
        entry.skip -= 1;
        continue;
      }
      entry.left -= 1;
      return fault as Extract<Fault, { kind: K }>;
    }
    return undefined;
  }
}
