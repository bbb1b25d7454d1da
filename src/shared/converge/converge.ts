/**
 * load → resolve → observe → render → plan → write → watch → results, for one cluster. All state is in git and in the cluster: a
 * run that dies anywhere leaves nothing that the next run cannot finish.
 */
import type { Problem } from '../contract/errors.ts';
import { allSteps, planHash, type Plan } from '../plan/index.ts';
import type { ConvergeResult } from '../report/deploy-results.ts';
import { carryOut } from './carry-out.ts';
import { foresee } from './foresee.ts';
import { makesCronJobs } from './jobs.ts';
import { Outcomes } from './outcomes.ts';
import type { ConvergePorts } from './ports.ts';
import type { ConvergeRequest } from './request.ts';
import { select } from './select.ts';

/** Head of the lines that tell how it goes, which the table makes superfluous in the end; `undefined`: nothing is changed or waited for. */
function progressTitle(plan: Plan, { mode }: ConvergeRequest): string | undefined {
  const count = (n: number): string => `${n} instance${n === 1 ? '' : 's'}`;
  if (mode === 'wait') return `waiting for ${count(plan.instances.filter((i) => i.action !== 'blocked').length)}`;
  if (allSteps(plan).length === 0) return undefined;
  return `progress: ${count(plan.instances.filter((i) => i.steps.length > 0).length)} of ${plan.instances.length} to change`;
}

/** Unknown names, the wrong cluster and an unreachable server are thrown; everything about one instance is in the result. */
export async function converge(request: ConvergeRequest, ports: ConvergePorts): Promise<ConvergeResult> {
  const { cluster, clock } = ports;
  const begun = clock.now();
  const selected = select(request.soa, request.system, request.selection);
  const outcomes = new Outcomes(request.selection.cluster, ports);
  const done = (plan: Plan | undefined, problems: readonly Problem[], cancelled = false): ConvergeResult => ({
    cluster: request.selection.cluster,
    plan,
    planHash: plan === undefined ? '' : planHash(plan),
    instances: outcomes.all(),
    problems,
    writes: outcomes.writes,
    requests: cluster.requests,
    cancelled,
    duration: clock.now() - begun,
  });
  if (selected.instances.length === 0 && !(selected.jobs.length > 0 && makesCronJobs(request.system)))
    return done(undefined, [...selected.problems]);

  const foreseen = await foresee(selected, request, ports, outcomes);
  const { plan } = foreseen;
  await request.onPlan?.(plan, planHash(plan));
  const problems = [...selected.problems, ...foreseen.problems];
  if (request.mode === 'plan') return done(plan, problems);
  const title = progressTitle(plan, request);
  const carry = (): ReturnType<typeof carryOut> => carryOut(foreseen, request, ports, outcomes);
  const carried = await (title === undefined ? carry() : ports.log.group(title, carry));
  return done(plan, [...problems, ...carried.problems], carried.cancelled);
}
