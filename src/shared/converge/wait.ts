/** Watches until every instance has its verdict. One watch per kind for all of them; nothing is polled. */
import { CancelledError, messageOf, UserError, type Problem } from '../contract/errors.ts';
import { formatDuration } from '../contract/durations.ts';
import { judge, NO_HISTORY, settle, type Diagnosis, type Expectation, type History, type Verdict } from '../health/index.ts';
import { KINDS, type Kind, type KindName } from '../objects/types.ts';
import type { Board, Place } from './board.ts';
import type { Change, ClusterAccess, ConvergePorts, Listing } from './ports.ts';

export interface Target {
  /** `service.instance`. */
  readonly title: string;
  readonly place: Place;
  readonly expectation: Expectation;
  /** Nothing of ours was seen yet (`mode: wait`): another version on the object means that the bounce has not begun. */
  readonly mayNotHaveBegun: boolean;
  /** This run wrote nothing of it. */
  readonly untouched: boolean;
}

export interface Verdicts {
  readonly verdict: Verdict;
  /** How the wait for it ended. */
  readonly end: 'settled' | 'timeout' | 'cancelled';
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export interface WaitOptions {
  readonly timeout: number;
  /** Kinds with the place from which their watch goes on and what they are narrowed to. */
  readonly streams: readonly { readonly kind: KindName; readonly resourceVersion: string | undefined; readonly listing: Listing }[];
  /** Called when a verdict is final; what it does must not delay the others. */
  readonly onFinal: (target: Target, verdicts: Verdicts) => void;
}

/** Silence longer than this gets a line that says what is still waited for. */
const QUIET = 30_000;
/** Judging again without news: doom settles with time. */
const TICK = 1_000;

interface Waiting {
  readonly target: Target;
  history: History;
  verdict: Verdict | undefined;
  said: string;
  begun: boolean;
}

/** `2/3 ready, waiting for …` */
export function describeVerdict(verdict: Verdict): string {
  switch (verdict.state) {
    case 'proven':
      return verdict.wanted === 0 ? 'stopped' : `${verdict.ready}/${verdict.wanted} ready`;
    case 'progressing':
      return `${verdict.ready}/${verdict.wanted} ready, waiting for ${verdict.waitingFor}`;
    case 'doomed':
      return `${verdict.ready}/${verdict.wanted} ready, in trouble: ${verdict.diagnosis.cause}`;
    case 'failed':
      return `failed (${verdict.diagnosis.code}): ${verdict.diagnosis.cause}`;
    default:
      return `superseded by ${verdict.by}`;
  }
}

export class Wait {
  readonly #ports: Pick<ConvergePorts, 'cluster' | 'log' | 'clock' | 'signal'>;
  readonly #board: Board;
  readonly #options: WaitOptions;
  readonly #waiting = new Map<string, Waiting>();
  readonly #byInstance = new Map<string, Waiting>();
  readonly #final = new Map<string, Verdicts>();
  readonly problems: Problem[] = [];
  #wake: (() => void) | undefined;
  #dirty = new Set<Waiting>();
  #lastLine = 0;
  #lost = false;
  /** A kind that the proof needs may not be watched. */
  #blind: UserError | undefined;

  constructor(ports: Pick<ConvergePorts, 'cluster' | 'log' | 'clock' | 'signal'>, board: Board, options: WaitOptions) {
    this.#ports = ports;
    this.#board = board;
    this.#options = options;
  }

  add(target: Target): void {
    const waiting: Waiting = { target, history: NO_HISTORY, verdict: undefined, said: '', begun: !target.mayNotHaveBegun };
    const { namespace, service, instance } = target.place;
    this.#waiting.set(target.title, waiting);
    this.#byInstance.set(`${namespace}/${service}.${instance}`, waiting);
    this.#touch(waiting);
  }

  /** Final verdict without watching, when everything is as it should be; the no-op pass needs no watch at all. */
  judgeNow(): void {
    const now = this.#ports.clock.now();
    for (const waiting of [...this.#waiting.values()]) this.#judge(waiting, now);
  }

  get pending(): number {
    return this.#waiting.size;
  }

  get verdicts(): ReadonlyMap<string, Verdicts> {
    return this.#final;
  }

  #touch(waiting: Waiting): void {
    this.#dirty.add(waiting);
    this.#wake?.();
  }

  #say(text: string): void {
    this.#lastLine = this.#ports.clock.now();
    this.#ports.log.info(text);
  }

  /** Watches until nothing is pending, the time is over, or the run is cancelled (then it throws `CancelledError`). */
  async run(until: Promise<void>): Promise<void> {
    const { clock, signal } = this.#ports;
    const deadline = clock.now() + this.#options.timeout;
    const end = new AbortController();
    const all = AbortSignal.any([signal, end.signal]);
    let executing = true;
    let failure: Error | undefined;
    this.#lastLine = clock.now();
    const watches = this.#options.streams.map((stream) => this.#follow(stream, all));
    void until
      .catch((error: unknown) => {
        failure = error instanceof Error ? error : new Error(String(error));
      })
      .finally(() => {
        executing = false;
        this.#wake?.();
      });
    try {
      while (executing || this.#waiting.size > 0) {
        if (signal.aborted) throw new CancelledError();
        if (failure !== undefined) throw failure;
        const now = clock.now();
        if (now >= deadline && !executing) break;
        for (const waiting of this.#dirty) if (this.#waiting.has(waiting.target.title)) this.#judge(waiting, now);
        this.#dirty.clear();
        if (!executing && this.#waiting.size === 0) break;
        if (!executing && this.#blind !== undefined) throw this.#blind;
        if (now - this.#lastLine >= QUIET) this.#remind(now);
        await this.#rest(all);
      }
      if (failure !== undefined) throw failure;
      this.#giveUp('timeout');
    } catch (error) {
      if (error instanceof CancelledError || signal.aborted) {
        this.#giveUp('cancelled');
        throw new CancelledError();
      }
      throw error;
    } finally {
      end.abort();
      await Promise.all(watches);
    }
  }

  /** Until news come, at most one tick; after a tick everything is judged again. */
  async #rest(signal: AbortSignal): Promise<void> {
    if (this.#dirty.size > 0) return;
    const timer = new AbortController();
    const news = new Promise<boolean>((resolve) => {
      this.#wake = () => resolve(true);
    });
    const tick = this.#ports.clock.sleep(TICK, AbortSignal.any([signal, timer.signal])).then(
      () => false,
      () => true,
    );
    const woken = await Promise.race([news, tick]);
    this.#wake = undefined;
    timer.abort();
    if (!woken) for (const waiting of this.#waiting.values()) this.#dirty.add(waiting);
  }

  #judge(waiting: Waiting, now: number): void {
    const { target } = waiting;
    const evidence = this.#board.evidence(target.place);
    let verdict = judge(target.expectation, evidence, now);
    if (verdict.state === 'superseded' && !waiting.begun) {
      verdict = { state: 'progressing', ready: 0, wanted: target.expectation.replicas, waitingFor: `the bounce to begin (${verdict.by} is there)` };
    } else if (verdict.state !== 'superseded' && evidence.workload !== undefined) waiting.begun = true;
    const settled = settle(waiting.history, verdict, now);
    waiting.history = settled.history;
    waiting.verdict = settled.verdict;
    this.#progress(waiting, settled.verdict);
    const { state } = settled.verdict;
    if (state === 'proven' || state === 'failed' || state === 'superseded') this.#finish(waiting, { verdict: settled.verdict, end: 'settled', at: now });
  }

  #progress(waiting: Waiting, verdict: Verdict): void {
    const text = describeVerdict(verdict);
    if (text === waiting.said || verdict.state === 'failed') return;
    // What was not touched and is well needs no line of its own.
    if (waiting.target.untouched && verdict.state === 'proven' && waiting.said === '') return;
    waiting.said = text;
    this.#say(`${waiting.target.title}: ${text}`);
  }

  #finish(waiting: Waiting, verdicts: Verdicts): void {
    this.#waiting.delete(waiting.target.title);
    this.#final.set(waiting.target.title, verdicts);
    this.#options.onFinal(waiting.target, verdicts);
  }

  #giveUp(end: 'timeout' | 'cancelled'): void {
    const now = this.#ports.clock.now();
    for (const waiting of [...this.#waiting.values()]) {
      const wanted = waiting.target.expectation.replicas;
      this.#finish(waiting, { verdict: waiting.verdict ?? { state: 'progressing', ready: 0, wanted, waitingFor: 'a first answer' }, end, at: now });
    }
  }

  #remind(now: number): void {
    const left = [...this.#waiting.values()];
    const some = left.slice(0, 5).map((w) => `${w.target.title} (${w.verdict === undefined ? 'not seen yet' : describeVerdict(w.verdict)})`);
    this.#say(left.length === 0 ? 'still writing' : `still waiting for ${left.length} instance${left.length === 1 ? '' : 's'}: ${some.join('; ')}${left.length > 5 ? '; …' : ''}`);
    this.#lastLine = now;
  }

  async #follow(stream: WaitOptions['streams'][number], signal: AbortSignal): Promise<void> {
    const kind: Kind = KINDS[stream.kind];
    try {
      for await (const change of this.#watch(kind, stream, signal)) this.#take(kind, change);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof UserError)) throw error;
      this.#say(`cannot watch ${kind.plural}: ${messageOf(error)}`);
      // Events only explain; without the others nothing can be proven, however long one waits.
      if (stream.kind === 'Event') this.problems.push(...error.problems.map((p): Problem => ({ ...p, severity: 'warning' })));
      else this.#blind ??= error;
      this.#wake?.();
    }
  }

  #watch(kind: Kind, stream: WaitOptions['streams'][number], signal: AbortSignal): AsyncGenerator<Change> {
    const cluster: ClusterAccess = this.#ports.cluster;
    return cluster.watch(kind, { ...stream.listing, signal, ...(stream.resourceVersion === undefined ? {} : { resourceVersion: stream.resourceVersion }) });
  }

  #take(kind: Kind, change: Change): void {
    switch (change.type) {
      case 'reset':
        this.#board.reset(kind.kind, change.items);
        for (const waiting of this.#waiting.values()) this.#touch(waiting);
        return;
      case 'put':
      case 'gone': {
        const about = change.type === 'put' ? this.#board.put(change.object) : this.#board.gone(change.object);
        const waiting = about === undefined ? undefined : this.#byInstance.get(about);
        if (waiting !== undefined) this.#touch(waiting);
        return;
      }
      case 'lost':
        if (!this.#lost) this.#say(`connection to the API server lost, trying again (${change.message})`);
        this.#lost = true;
        return;
      default:
        if (this.#lost) this.#say('connection to the API server is back');
        this.#lost = false;
    }
  }
}

/** Of a verdict that ended in failure or in time-out. */
export function diagnosisOf({ verdict, end }: Verdicts, timeout: number): Diagnosis | undefined {
  if (verdict.state === 'failed') return verdict.diagnosis;
  if (end !== 'timeout') return undefined;
  if (verdict.state === 'doomed') return verdict.diagnosis;
  // What stood in the way without being doom yet explains more than what was waited for.
  if (verdict.state === 'progressing' && verdict.suspect !== undefined) return { ...verdict.suspect, cause: `not done after ${formatDuration(timeout)}: ${verdict.suspect.cause}` };
  const waitingFor = verdict.state === 'progressing' ? verdict.waitingFor : '';
  return {
    code: 'TIMEOUT',
    object: '',
    cause: `not done after ${formatDuration(timeout)}: still waiting for ${waitingFor}`,
    next: /^the (?:workload to be created|bounce to begin)/.test(waitingFor)
      ? 'no run has written it so far: run deploy with mode: apply, or wait longer'
      : 'look at the pods of the instance; run again with a longer timeout if they only need more time',
    events: [],
    inCommit: false,
  };
}
