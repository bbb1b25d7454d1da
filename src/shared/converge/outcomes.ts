/** Collects what happened to every instance, and fetches what explains a failure. */
import { problem, type Problem } from '../contract/errors.ts';
import type { Diagnosis } from '../health/types.ts';
import { describeEffect, describeReason, type InstancePlan } from '../plan/index.ts';
import type { Wish } from './wishes.ts';
import type { Executed } from './execute.ts';
import type { ConvergePorts } from './ports.ts';
import type { InstanceResult, InstanceState } from '../report/deploy-results.ts';
import { drainProblem, drainProofText, type DrainProof } from '../report/drain-proof.ts';
import { diagnosisOf, type Verdicts } from './verdicts.ts';
import type { Target } from './wait.ts';

/** Last lines of a log that are fetched for the report. */
const LOG_LINES = 25;

type Draft = { -readonly [K in keyof InstanceResult]: InstanceResult[K] };

export class Outcomes {
  readonly #cluster: string;
  readonly #ports: ConvergePorts;
  readonly #results = new Map<string, Draft>();
  readonly #notes = new Map<string, readonly Problem[]>();
  readonly #begun = new Map<string, number>();
  readonly #open = new Set<string>();
  readonly #fetching: Promise<void>[] = [];
  writes = 0;

  constructor(cluster: string, ports: ConvergePorts) {
    this.#cluster = cluster;
    this.#ports = ports;
  }

  all(): readonly InstanceResult[] {
    return [...this.#results.values()].sort((a, b) =>
      a.service === b.service ? (a.instance < b.instance ? -1 : 1) : a.service < b.service ? -1 : 1,
    );
  }

  /** Problems that an instance keeps, whatever becomes of it. */
  note(title: string, problems: readonly Problem[]): void {
    if (problems.length > 0) this.#notes.set(title, problems);
  }

  #draft(wish: Wish, state: InstanceState, problems: readonly Problem[]): Draft {
    const { service, instance, deployGroup } = wish.instance;
    const position = wish.instance.position();
    const draft: Draft = {
      service,
      instance,
      cluster: this.#cluster,
      deployGroup: deployGroup ?? '',
      state,
      action: 'none',
      reasons: [],
      effect: '',
      version: wish.deployed,
      image: undefined,
      namespace: undefined,
      name: undefined,
      ready: 0,
      wanted: 0,
      duration: 0,
      diagnosis: undefined,
      log: [],
      problems: [...problems, ...(this.#notes.get(`${service}.${instance}`) ?? [])],
      file: position.file,
      line: position.line,
    };
    this.#results.set(`${service}.${instance}`, draft);
    return draft;
  }

  notMarked(wish: Wish, wasAskedFor: boolean): void {
    const { service, instance, deployGroup } = wish.instance;
    if (wish.problems.length > 0) this.#draft(wish, 'failed', wish.problems);
    else if (!wasAskedFor) this.#draft(wish, 'not-marked', []);
    else {
      this.#draft(wish, 'failed', [
        problem('NOT_MARKED', `${service}.${instance}: deploy group '${deployGroup ?? ''}' was never marked`, {
          ...wish.instance.position(),
          hint: `mark a commit first: mark-for-deployment --service ${service} --deploy-group ${deployGroup ?? ''}`,
        }),
      ]);
    }
  }

  notRendered(wish: Wish, problems: readonly Problem[]): void {
    this.#draft(wish, 'failed', problems);
  }

  planned(plan: InstancePlan, wish: Wish, mode: 'plan' | 'apply' | 'wait'): void {
    const { rendered } = plan;
    const draft = this.#draft(
      wish,
      plan.action === 'blocked' ? 'blocked' : plan.action === 'left' ? 'left' : 'planned',
      plan.problems.map((p) => ({ ...wish.instance.position(), ...p })),
    );
    // In a run that writes, the writes tell: what was foreseen is only said.
    const foreseen = (plan.foreseen ?? []).map((p): Problem => ({
      ...wish.instance.position(),
      ...p,
      ...(mode === 'plan' ? {} : { severity: p.severity === 'error' ? 'warning' : p.severity }),
    }));
    draft.problems = [...draft.problems, ...rendered.warnings, ...foreseen];
    draft.action = plan.action;
    draft.reasons = plan.reasons.map(describeReason);
    draft.effect = describeEffect(plan);
    draft.version = rendered.version;
    draft.image = rendered.image;
    draft.namespace = rendered.namespace;
    draft.name = rendered.name;
    draft.wanted = rendered.replicas;
    if (plan.action !== 'blocked' && plan.action !== 'left' && mode !== 'plan') this.#open.add(`${rendered.service}.${rendered.instance}`);
  }

  executed(plan: InstancePlan, executed: Executed): void {
    const title = `${plan.rendered.service}.${plan.rendered.instance}`;
    this.#begun.set(title, executed.at);
    const draft = this.#results.get(title);
    if (draft === undefined) return;
    draft.problems = [
      ...draft.problems,
      ...executed.problems.map((p) => ({
        ...(draft.file === undefined ? {} : { file: draft.file }),
        ...(draft.line === undefined ? {} : { line: draft.line }),
        ...p,
      })),
    ];
    for (const found of executed.problems) this.#ports.log.info(`${title}: ${found.message}`);
    if (!executed.workloadWritten) {
      draft.state = executed.problems.some((p) => p.code === 'FIELD_CONFLICT') ? 'blocked' : 'failed';
      this.#open.delete(title);
    }
  }

  /** It was written, but we may not look at what became of it. */
  unproven(title: string, problems: readonly Problem[]): void {
    const draft = this.#results.get(title);
    if (draft === undefined) return;
    draft.state = 'failed';
    draft.problems = [...draft.problems, ...problems];
    this.#open.delete(title);
  }

  final(target: Target, verdicts: Verdicts, timeout: number): void {
    const draft = this.#results.get(target.title);
    if (draft === undefined) return;
    this.#open.delete(target.title);
    const { verdict, end } = verdicts;
    if (verdict.state !== 'superseded') {
      draft.ready = verdict.ready;
      draft.wanted = verdict.wanted;
    }
    const begun = this.#begun.get(target.title);
    draft.duration = begun === undefined ? 0 : Math.max(0, verdicts.at - begun);
    if (end === 'cancelled') {
      draft.state = 'cancelled';
      return;
    }
    if (verdict.state === 'proven') {
      draft.problems = [...draft.problems, ...verdicts.warnings];
      draft.state = draft.action === 'unchanged' || begun === undefined ? 'unchanged' : draft.wanted === 0 ? 'stopped' : 'deployed';
      if (verdict.unprovenImage !== undefined) this.#fetching.push(this.#questionImage(target.title, draft, verdict.unprovenImage));
      return;
    }
    if (verdict.state === 'superseded') {
      draft.state = 'superseded';
      draft.supersededBy = verdict.by;
      this.#ports.log.info(`${target.title}: superseded by ${verdict.by}`);
      return;
    }
    const diagnosis = diagnosisOf(verdicts, timeout);
    draft.state = end === 'timeout' ? 'timeout' : 'failed';
    draft.diagnosis = diagnosis;
    if (verdicts.stillReady !== undefined) draft.stillReady = verdicts.stillReady;
    if (diagnosis === undefined) return;
    this.#ports.log.info(
      `${target.title}: ${end === 'timeout' ? 'timed out' : 'failed'} (${diagnosis.code})${verdict.state === 'failed' ? '' : `: ${diagnosis.cause}`}`,
    );
    this.#fetching.push(this.#fetchLog(draft, diagnosis));
  }

  /** The pods report another digest than the pinned one: fine when it is that of a member of the same index. */
  async #questionImage(title: string, draft: Draft, unproven: string): Promise<void> {
    const { digests, log } = this.#ports;
    try {
      const members = draft.image === undefined ? undefined : await digests?.members?.(draft.image);
      if (members?.some((digest) => unproven.includes(digest)) === true) return;
    } catch (error) {
      log.debug(`members of ${draft.image ?? ''} could not be read: ${String(error)}`);
    }
    draft.problems = [
      ...draft.problems,
      {
        severity: 'warning',
        code: 'IMAGE_UNPROVEN',
        message: `${title}: ${unproven}`,
        hint: 'something between registry and node rewrites images; the digest cannot be compared',
      },
    ];
  }

  async #fetchLog(draft: Draft, diagnosis: Diagnosis): Promise<void> {
    const wanted = diagnosis.log;
    if (wanted === undefined) return;
    const { cluster, log } = this.#ports;
    try {
      const read = (previous: boolean): Promise<string | undefined> =>
        cluster.logs(wanted.namespace, wanted.pod, wanted.container, { tailLines: LOG_LINES, previous });
      const text = (await read(wanted.previous)) ?? (await read(!wanted.previous));
      draft.log = (text ?? '')
        .split('\n')
        .filter((line) => line.trim() !== '')
        .slice(-LOG_LINES);
    } catch (error) {
      log.debug(`log of ${wanted.pod}/${wanted.container} could not be read: ${String(error)}`);
    }
  }

  /** A bounce of two workloads side by side cannot go on. */
  broken(title: string, problems: readonly Problem[]): void {
    const draft = this.#results.get(title);
    if (draft === undefined) return;
    draft.state = 'failed';
    draft.problems = [
      ...draft.problems,
      ...problems.map((p) => ({
        ...(draft.file === undefined ? {} : { file: draft.file }),
        ...(draft.line === undefined ? {} : { line: draft.line }),
        ...p,
      })),
    ];
    for (const found of problems) this.#ports.log.info(`${title}: ${found.message}`);
    this.#open.delete(title);
  }

  /** Something that people should know about an instance, whatever its end. */
  remark(title: string, problem: Problem): void {
    const draft = this.#results.get(title);
    if (draft !== undefined) draft.problems = [...draft.problems, problem];
  }

  /** What was seen of the pods that ended. */
  drained(proofs: ReadonlyMap<string, DrainProof>): void {
    for (const [title, proof] of [...proofs].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const draft = this.#results.get(title);
      const text = drainProofText(proof);
      if (draft === undefined || text === undefined) continue;
      draft.drain = proof;
      this.#ports.log.info(`${title}: ${text}`);
      const found = drainProblem(title, proof);
      if (found !== undefined)
        draft.problems = [
          ...draft.problems,
          {
            ...found,
            ...(draft.file === undefined ? {} : { file: draft.file }),
            ...(draft.line === undefined ? {} : { line: draft.line }),
          },
        ];
    }
  }

  /** The server went away for longer than we wait. */
  interrupted(problems: readonly Problem[]): void {
    for (const title of this.#open) {
      const draft = this.#results.get(title);
      if (draft === undefined) continue;
      draft.state = 'failed';
      draft.problems = [...draft.problems, ...problems];
    }
    this.#open.clear();
  }

  cancelled(): void {
    for (const title of this.#open) {
      const draft = this.#results.get(title);
      if (draft !== undefined) draft.state = 'cancelled';
    }
    this.#open.clear();
  }

  /** Waits for logs that are still on their way, a moment at most. */
  async finish(): Promise<void> {
    const enough = new AbortController();
    await Promise.race([Promise.all(this.#fetching), this.#ports.clock.sleep(10_000, enough.signal).catch(() => undefined)]);
    enough.abort();
  }
}
