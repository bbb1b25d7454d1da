/** Fuzzes one target in a thread of its own, and writes every input to shared memory before it is read: a thread that hangs cannot tell. */
import { parentPort, workerData } from 'node:worker_threads';
import { fuzz } from './fuzz.ts';
import { TARGETS } from './targets.ts';

export interface Order {
  readonly target: string;
  readonly seed: number;
  readonly milliseconds: number;
  /** Two 32-bit numbers, how many inputs there were and the length of the last one, and then its bytes. */
  readonly shared: SharedArrayBuffer;
}

const { target, seed, milliseconds, shared } = workerData as Order;
const [counts, current] = [new Int32Array(shared, 0, 2), new Uint8Array(shared, 8)];
const outcome = fuzz(
  TARGETS.find((each) => each.name === target)!,
  {
    seed,
    milliseconds,
    before: (input) => {
      current.set(input);
      Atomics.store(counts, 1, input.length);
      Atomics.add(counts, 0, 1);
    },
  },
);
parentPort?.postMessage(outcome);
