import type { Log } from '../contract/ports.ts';

/** A wrapper such as npx forwards the signal that the terminal already sent: within this time both are one. */
const SAME_SIGNAL = 300;

export interface Signals {
  readonly signal: AbortSignal;
  /** The signal that aborted, for the exit. */
  received(): NodeJS.Signals | undefined;
  readonly close: () => void;
}

/**
 * SIGINT and SIGTERM abort; a second one ends the process at once with 130. (GitHub sends SIGINT on cancellation, SIGTERM
 * after 7.5 seconds and kills after 10.)
 */
export function listenToSignals(log: Pick<Log, 'info'>, exit: (code: number) => void = (code) => process.exit(code)): Signals {
  const controller = new AbortController();
  let first: { name: NodeJS.Signals; at: number } | undefined;
  const onSignal = (name: NodeJS.Signals): void => {
    const now = performance.now();
    if (first === undefined) {
      first = { name, at: now };
      log.info(`${name} received: ending (a second signal ends at once)`);
      controller.abort();
    } else if (now - first.at > SAME_SIGNAL) {
      exit(130);
    }
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    signal: controller.signal,
    received: () => first?.name,
    close: () => {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    },
  };
}
