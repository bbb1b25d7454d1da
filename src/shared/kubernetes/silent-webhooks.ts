/** Admission webhooks that do not answer: the cluster's fault, waited for once by all requests together, not anew by each of them. */

/** Milliseconds for which one is waited for: longer than a webhook takes that is replaced by its next version. */
const LIMIT = 25_000;
/** Milliseconds without a word of it after which it counts as mended. */
const FORGOTTEN = 15_000;
/** A request tries so often in any case: a webhook that has too much to do answers others meanwhile. */
const TRIES = 4;

export class SilentWebhooks {
  readonly #seen = new Map<string, { since: number; last: number }>();

  /** A request met this webhook silent for the `tries`th time, at `now` (milliseconds), and would be tried again in `wait`: is it waited for long enough? */
  isOver(webhook: string, tries: number, now: number, wait: number): boolean {
    const known = this.#seen.get(webhook);
    const since = known === undefined || now - known.last > FORGOTTEN ? now : known.since;
    this.#seen.set(webhook, { since, last: now });
    return tries >= TRIES && now - since + wait > LIMIT;
  }
}
