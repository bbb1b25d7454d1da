/**
 * The server's back-pressure. A lone 429 concerns the request that got it; when many requests get one, the server has too much to do:
 * then fewer are in flight, and nothing new is sent until the time is over that it asked for.
 */
import type { Clock } from '../contract/ports.ts';

/** Requests in flight while all is well: more than any caller sends side by side. */
const WIDTH = 64;
/** Weight of the newest answer. */
const WEIGHT = 0.1;
/** Share of refused requests from which the server counts as overloaded: twice what chance does to one answer in twenty. */
const TOO_MANY = 0.3;

export class Pressure {
  readonly #clock: Clock;
  #inFlight = 0;
  #share = 0;
  #width = WIDTH;
  #notBefore = -Infinity;
  readonly #waiting: (() => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Requests that may be in flight at this moment. */
  get width(): number {
    return Math.floor(this.#width);
  }

  /** Waits until one more request may go out. Every `enter` needs a `leave`, unless it throws (on abort). */
  async enter(signal: AbortSignal): Promise<void> {
    for (;;) {
      const wait = this.#notBefore - this.#clock.now();
      if (wait > 0) await this.#clock.sleep(wait, signal);
      else if (this.#inFlight < Math.floor(this.#width)) break;
      else await this.#turn(signal);
    }
    this.#inFlight += 1;
  }

  leave(): void {
    this.#inFlight -= 1;
    this.#wake();
  }

  /** `refused`: 429. `retryAfter`: milliseconds that the server asked for. */
  answered(refused: boolean, retryAfter: number | undefined): void {
    this.#share += WEIGHT * ((refused ? 1 : 0) - this.#share);
    if (refused && this.#share > TOO_MANY) {
      // Those that are in flight already are not counted twice: what is allowed halves from what really was in flight.
      this.#width = Math.max(1, Math.floor(Math.min(this.#width, this.#inFlight) / 2));
      this.#notBefore = Math.max(this.#notBefore, this.#clock.now() + (retryAfter ?? 0));
      this.#share = 0;
    } else if (!refused && this.#width < WIDTH) {
      this.#width += 1 / this.#width;
      this.#wake();
    }
  }

  #wake(): void {
    for (let free = Math.floor(this.#width) - this.#inFlight; free > 0 && this.#waiting.length > 0; free--) this.#waiting.shift()?.();
  }

  async #turn(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const go = (): void => {
        signal.removeEventListener('abort', go);
        const at = this.#waiting.indexOf(go);
        if (at >= 0) this.#waiting.splice(at, 1);
        resolve();
      };
      this.#waiting.push(go);
      if (signal.aborted) go();
      else signal.addEventListener('abort', go, { once: true });
    });
    // An aborted wait ends with the error that every other wait ends with.
    if (signal.aborted) await this.#clock.sleep(0, signal);
  }
}
