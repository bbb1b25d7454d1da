/** One round of fuzzing: mutates kept inputs, keeps the mutants whose outcome is new, and notes what must not happen. */
import { UserError, type Problem } from '../../src/shared/contract/errors.ts';
import { mutate, randomFrom } from './mutate.ts';
import { corpusOf, type Target } from './targets.ts';

/** Processor time that one input may take. */
export const LIMIT_MS = 1_000;
const MAX_FINDINGS = 5;
const MAX_POOL = 2_000;

export interface Finding {
  readonly input: Buffer;
  readonly message: string;
}

export interface Outcome {
  readonly executions: number;
  /** Different outcomes that were seen: how far the inputs reached. */
  readonly outcomes: number;
  readonly findings: readonly Finding[];
  readonly slowest: { readonly input: Buffer; readonly milliseconds: number };
}

export interface Round {
  readonly seed: number;
  /** No more executions than this. */
  readonly executions?: number;
  /** No more wall time than this. */
  readonly milliseconds?: number;
  /** Told before every execution, so that somebody else can say which input never ends. */
  readonly before?: (input: Buffer) => void;
}

export function fuzz(target: Target, { seed, executions = Infinity, milliseconds = Infinity, before }: Round): Outcome {
  const random = randomFrom(seed);
  const pool = corpusOf(target.name).map((kept) => kept.bytes);
  const kept = pool.length;
  const seen = new Set<string>();
  const findings = new Map<string, Finding>();
  let slowest: Outcome['slowest'] = { input: Buffer.alloc(0), milliseconds: 0 };
  let done = 0;
  const until = performance.now() + milliseconds;
  for (; done < executions && findings.size < MAX_FINDINGS && (done % 16 !== 0 || performance.now() < until); done++) {
    const from = pool[random(pool.length)] ?? Buffer.alloc(0);
    const input = done < kept ? (pool[done] as Buffer) : mutate(from, pool[random(pool.length)] ?? from, random, target);
    before?.(input);
    const tried = attempt(target, input);
    if (tried.milliseconds > slowest.milliseconds) slowest = { input, milliseconds: tried.milliseconds };
    if (tried.wrong !== undefined) findings.set(tried.outcome, findings.get(tried.outcome) ?? { input, message: tried.wrong });
    if (!seen.has(tried.outcome)) {
      seen.add(tried.outcome);
      if (done >= kept && pool.length < MAX_POOL) pool.push(input);
    }
  }
  return { executions: done, outcomes: seen.size, findings: [...findings.values()], slowest };
}

export interface Attempt {
  /** What kind of thing came of it; the same for inputs that differ in names and numbers only. */
  readonly outcome: string;
  /** Processor time. */
  readonly milliseconds: number;
  /** What must not happen and did. */
  readonly wrong: string | undefined;
}

/** Reads one input once. */
export function attempt(target: Target, input: Buffer): Attempt {
  const text = input.toString('utf8');
  let outcome: string;
  let wrong: string | undefined;
  const before = process.cpuUsage();
  try {
    const { problems, shape = '' } = target.run(text);
    outcome = `${shape}|${said(problems)}`;
  } catch (error) {
    if (error instanceof UserError) outcome = said(error.problems);
    else {
      wrong = error instanceof Error ? (error.stack ?? error.message) : String(error);
      outcome = `thrown|${wrong
        .split('\n')
        .filter((line) => line.startsWith('    at '))
        .slice(0, 2)
        .join()}`;
    }
  }
  const { user, system } = process.cpuUsage(before);
  const milliseconds = (user + system) / 1_000;
  if (wrong === undefined && milliseconds > LIMIT_MS) {
    wrong = `took ${Math.round(milliseconds)} ms of processor time; at most ${LIMIT_MS} are allowed`;
    outcome = `slow|${outcome}`;
  }
  return { outcome, milliseconds, wrong };
}

/** Messages without what is quoted from the input. */
function said(problems: readonly Problem[]): string {
  return problems
    .slice(0, 3)
    .map(
      (p) =>
        `${p.code} ${p.message
          .slice(0, 200)
          .replace(/'[^]*'|"[^]*"/g, '')
          .replace(/\d+/g, '')
          .slice(0, 60)}`,
    )
    .join('|');
}
