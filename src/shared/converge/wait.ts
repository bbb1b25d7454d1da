/** Watches until every instance has its verdict. One watch per kind for all of them; nothing is polled. */
import { CancelledError, messageOf, UserError, warning, type Problem } from '../contract/errors.ts';
import { formatDuration } from '../contract/durations.ts';
import {
  judge,
  judgeCompanion,
  NO_HISTORY,
  NO_PROOF,
  readyByVersion,
  servingLabels,
  settle,
  watchProof,
  type CompanionVerdict,
  type Evidence,
  type Expectation,
  type History,
  type Proof,
  type Verdict,
} from '../health/index.ts';
import { KINDS, type Kind, type KindName } from '../objects/types.ts';
import { namespacesOfPlace, type Board, type Place } from './board.ts';
import type { Change, ClusterAccess, ConvergePorts, Listing } from './ports.ts';
import { describeVerdict, type Verdicts } from './verdicts.ts';

export interface Target {
  /** `service.instance`. */
  readonly title: string;
  readonly place: Place;
  readonly expectation: Expectation;
  /** Nothing of ours was seen yet (`mode: wait`): another version on the object means that the bounce has not begun. */
  readonly mayNotHaveBegun: boolean;
  /** This run wrote nothing of it. */
  readonly untouched: boolean;
  /** What stands beside the workload and is judged with it, by `objectKey`. */
  readonly companions: readonly string[];
}

export interface WaitOptions {
  readonly timeout: number;
  /** Milliseconds for which the proof of a bounce must hold; 0: the first one counts. */
  readonly stability: number;
  /** Kinds with the place from which their watch goes on and what they are narrowed to. */
  readonly streams: readonly { readonly kind: KindName; readonly resourceVersion: string | undefined; readonly listing: Listing }[];
  /** Called when a verdict is final; what it does must not delay the others. */
  readonly onFinal: (target: Target, verdicts: Verdicts) => void;
  /** Hears everything that is told of pods. */
  readonly onPods?: (change: Change) => void;
}

/** Silence longer than this gets a line that says what is still waited for. */
const QUIET = 30_000;
/** Judging again without news: doom settles with time. */
const TICK = 1_000;
/** So long a budget or another thing beside a proven workload may stay unseen by its controller. */
const LATE = 10_000;
/** Kinds that only explain or stand beside: not being allowed to watch them is no reason to stop. */
const BESIDE: ReadonlySet<string> = new Set(['Event', 'PodDisruptionBudget', 'HorizontalPodAutoscaler']);

interface Waiting {
  readonly target: Target;
  history: History;
  verdict: Verdict | undefined;
  said: string;
  begun: boolean;
  /** It was seen unproven: something happens to it, and its proof must hold. */
  unproven: boolean;
  proof: Proof;
  /** Milliseconds since the epoch at which its stability window ends. */
  stableAt: number | undefined;
  /** Milliseconds since the epoch from which only something beside the workload was waited for. */
  lateSince: number | undefined;
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
    const waiting: Waiting = {
      target,
      history: NO_HISTORY,
      verdict: undefined,
      said: '',
      begun: !target.mayNotHaveBegun,
      unproven: false,
      proof: NO_PROOF,
      stableAt: undefined,
      lateSince: undefined,
    };
    const { service, instance } = target.place;
    this.#waiting.set(target.title, waiting);
    for (const namespace of namespacesOfPlace(target.place)) this.#byInstance.set(`${namespace}/${service}.${instance}`, waiting);
    this.#touch(waiting);
  }

  /** It is not waited for any more, and gets no verdict. */
  drop(title: string): void {
    this.#waiting.delete(title);
    this.#wake?.();
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
        for (const waiting of this.#dirty) if (this.#waiting.has(waiting.target.title)) this.#judge(waiting, now);
        this.#dirty.clear();
        // What is proven in time has its window, too; what is lost in it after that time is not waited for again.
        if (now >= deadline && !executing) this.#giveUp('timeout', (waiting) => waiting.stableAt === undefined);
        if (!executing && this.#waiting.size === 0) break;
        if (!executing && this.#blind !== undefined) throw this.#blind;
        if (now - this.#lastLine >= QUIET) this.#remind(now);
        await this.#rest(all);
      }
      if (failure !== undefined) throw failure;
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
    const now = this.#ports.clock.now();
    const soonest = [...this.#waiting.values()].reduce(
      (least, { stableAt }) => Math.min(least, stableAt === undefined ? TICK : Math.max(1, stableAt - now)),
      TICK,
    );
    const tick = this.#ports.clock.sleep(soonest, AbortSignal.any([signal, timer.signal])).then(
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
      verdict = {
        state: 'progressing',
        ready: 0,
        wanted: target.expectation.replicas,
        waitingFor: `the bounce to begin (${verdict.by} is there)`,
      };
    } else if (verdict.state !== 'superseded' && evidence.workload !== undefined) waiting.begun = true;
    waiting.unproven ||= verdict.state === 'progressing' || verdict.state === 'doomed';
    const beside = verdict.state === 'proven' ? this.#companions(waiting, evidence, now) : { warnings: [] };
    if (verdict.state === 'proven' && beside.waitingFor !== undefined)
      verdict = { state: 'progressing', ready: verdict.ready, wanted: verdict.wanted, waitingFor: beside.waitingFor };
    const settled = this.#steady(waiting, verdict, evidence, now);
    waiting.verdict = settled.verdict;
    this.#progress(waiting, settled.verdict);
    const { state } = settled.verdict;
    if (state === 'failed' || state === 'superseded' || (state === 'proven' && settled.stable))
      this.#finish(waiting, {
        verdict: settled.verdict,
        end: 'settled',
        at: state === 'proven' ? (waiting.proof.since ?? now) : now,
        warnings: beside.warnings,
      });
  }

  /** What stands beside a workload that is proven: waited for a moment, then only warned of. */
  #companions(waiting: Waiting, { pods }: Evidence, now: number): { readonly warnings: readonly Problem[]; readonly waitingFor?: string } {
    const warnings: Problem[] = [];
    const late: Extract<CompanionVerdict, { readonly state: 'waiting' }>[] = [];
    const serving = servingLabels(pods);
    for (const key of waiting.target.companions) {
      const object = this.#board.object(key);
      const found = object === undefined ? undefined : judgeCompanion(object, serving, now);
      if (found?.state === 'warned') warnings.push(found.problem);
      else if (found?.state === 'waiting') late.push(found);
    }
    if (late.length === 0) return { warnings };
    waiting.lateSince ??= now;
    if (now - waiting.lateSince < LATE) return { warnings, waitingFor: late.map(({ what }) => what).join(' and ') };
    return {
      warnings: [
        ...warnings,
        ...late.map(
          ({ what, otherwise }) =>
            otherwise ??
            warning('NOT_VERIFIED', `${waiting.target.title}: not verified: waited ${formatDuration(LATE)} in vain for ${what}`, {
              hint: 'its controller does not run, or is far behind; the pods are ready',
            }),
        ),
      ],
    };
  }

  /** Doom must persist, and the proof of what was not proven before must hold for the stability window. */
  #steady(waiting: Waiting, verdict: Verdict, evidence: Evidence, now: number): { readonly verdict: Verdict; readonly stable: boolean } {
    const window = waiting.unproven && !(verdict.state === 'proven' && verdict.wanted === 0) ? this.#options.stability : 0;
    const watched = watchProof(waiting.proof, verdict, evidence.pods, window, now);
    waiting.proof = watched.proof;
    waiting.stableAt = watched.left === undefined || watched.stable ? undefined : now + watched.left;
    if (watched.lapse !== undefined && window > 0) this.#say(`${waiting.target.title}: not stable: ${watched.lapse}`);
    if (watched.verdict.state === 'proven') {
      // What was seen before the proof still counts when it is lost.
      if (watched.stable && window > 0) this.#say(`${waiting.target.title}: stayed ready for ${formatDuration(window)}`);
      return { verdict: watched.verdict, stable: watched.stable };
    }
    const settled = settle(waiting.history, window > 0 ? watched.verdict : verdict, now);
    waiting.history = settled.history;
    const { lost } = watched.proof;
    if (settled.verdict.state !== 'progressing' || lost === 0 || window === 0) return { verdict: settled.verdict, stable: false };
    return {
      verdict: {
        ...settled.verdict,
        waitingFor: `${settled.verdict.waitingFor} (proven ${lost === 1 ? 'once' : `${lost} times`} already, but not for ${formatDuration(window)})`,
      },
      stable: false,
    };
  }

  #progress(waiting: Waiting, verdict: Verdict): void {
    const text = `${describeVerdict(verdict)}${waiting.stableAt === undefined ? '' : `; must stay so for ${formatDuration(this.#options.stability)}`}`;
    if (text === waiting.said || verdict.state === 'failed') return;
    // What was not touched and is well needs no line of its own.
    if (waiting.target.untouched && verdict.state === 'proven' && waiting.said === '') return;
    waiting.said = text;
    this.#say(`${waiting.target.title}: ${text}`);
  }

  #finish(waiting: Waiting, ended: Verdicts): void {
    const { target } = waiting;
    const isProven = ended.verdict.state === 'proven';
    const verdicts = isProven ? ended : { ...ended, stillReady: readyByVersion(target.expectation, this.#board.evidence(target.place)) };
    this.#waiting.delete(target.title);
    this.#final.set(target.title, verdicts);
    this.#options.onFinal(target, verdicts);
  }

  #giveUp(end: 'timeout' | 'cancelled', which: (waiting: Waiting) => boolean = () => true): void {
    const now = this.#ports.clock.now();
    for (const waiting of [...this.#waiting.values()].filter(which)) {
      const wanted = waiting.target.expectation.replicas;
      this.#finish(waiting, {
        verdict: waiting.verdict ?? { state: 'progressing', ready: 0, wanted, waitingFor: 'a first answer' },
        end,
        at: now,
        warnings: [],
      });
    }
  }

  #remind(now: number): void {
    const left = [...this.#waiting.values()];
    const more = (w: Waiting): string =>
      w.stableAt === undefined ? '' : `, another ${formatDuration(Math.max(0, w.stableAt - now))} to stay so`;
    const some = left
      .slice(0, 5)
      .map((w) => `${w.target.title} (${w.verdict === undefined ? 'not seen yet' : describeVerdict(w.verdict)}${more(w)})`);
    this.#say(
      left.length === 0
        ? 'still writing'
        : `still waiting for ${left.length} instance${left.length === 1 ? '' : 's'}: ${some.join('; ')}${left.length > 5 ? '; …' : ''}`,
    );
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
      if (BESIDE.has(stream.kind)) this.problems.push(...error.problems.map((p): Problem => ({ ...p, severity: 'warning' })));
      else this.#blind ??= error;
      this.#wake?.();
    }
  }

  #watch(kind: Kind, stream: WaitOptions['streams'][number], signal: AbortSignal): AsyncGenerator<Change> {
    const cluster: ClusterAccess = this.#ports.cluster;
    return cluster.watch(kind, {
      ...stream.listing,
      signal,
      ...(stream.resourceVersion === undefined ? {} : { resourceVersion: stream.resourceVersion }),
    });
  }

  #take(kind: Kind, change: Change): void {
    if (kind.kind === 'Pod') this.#options.onPods?.(change);
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
