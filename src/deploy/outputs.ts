import type { Runtime } from '../shared/contract/ports.ts';
import { allSteps } from '../shared/plan/index.ts';
import type { ConvergeResult, InstanceResult, InstanceState } from '../shared/report/deploy-results.ts';
import { drainProofJson } from '../shared/report/drain-proof.ts';

/** What action-deploy/action.yml promises. */
export const OUTPUTS = ['changed', 'plan-hash', 'summary', 'results'] as const;

/** Whether the run wrote something (in mode plan: would write). */
export function isChanged(result: ConvergeResult, mode: string): boolean {
  return result.writes > 0 || (mode === 'plan' && result.plan !== undefined && allSteps(result.plan).length > 0);
}

/** One instance as JSON says it. Times in seconds. */
export function instanceJson(result: InstanceResult): Record<string, unknown> {
  return {
    service: result.service,
    instance: result.instance,
    cluster: result.cluster,
    deploy_group: result.deployGroup,
    state: result.state,
    action: result.action,
    reasons: result.reasons,
    effect: result.effect,
    sha: result.version?.sha ?? null,
    image_version: result.version?.imageVersion ?? null,
    image: result.image ?? null,
    namespace: result.namespace ?? null,
    name: result.name ?? null,
    ready: result.ready,
    wanted: result.wanted,
    seconds: result.duration / 1_000,
    ...(result.drain === undefined ? {} : { drain: drainProofJson(result.drain) }),
    ...(result.supersededBy === undefined ? {} : { superseded_by: result.supersededBy }),
    failure:
      result.diagnosis === undefined
        ? null
        : {
            code: result.diagnosis.code,
            object: result.diagnosis.object,
            container: result.diagnosis.container ?? null,
            cause: result.diagnosis.cause,
            next: result.diagnosis.next,
            in_commit: result.diagnosis.inCommit,
            ...(result.stillReady === undefined ? {} : { still_ready: result.stillReady }),
          },
    problems: result.problems.map((p) => ({
      severity: p.severity,
      code: p.code,
      message: p.message,
      next: p.hint ?? null,
      file: p.file ?? null,
      line: p.line ?? null,
    })),
  };
}

export function summaryJson(result: ConvergeResult, mode: string): Record<string, unknown> {
  const states: Partial<Record<InstanceState, number>> = {};
  for (const { state } of result.instances) states[state] = (states[state] ?? 0) + 1;
  return {
    cluster: result.cluster,
    mode,
    changed: isChanged(result, mode),
    plan_hash: result.planHash,
    instances: result.instances.length,
    states,
    failed: result.instances
      .filter((i) => i.state === 'failed' || i.state === 'timeout' || i.state === 'blocked')
      .map((i) => `${i.service}.${i.instance}`),
    writes: result.writes,
    requests: result.requests.reads + result.requests.writes,
    seconds: result.duration / 1_000,
    cancelled: result.cancelled,
  };
}

export function writeOutputs(runtime: Pick<Runtime, 'setOutput'>, result: ConvergeResult, mode: string): void {
  runtime.setOutput('changed', String(isChanged(result, mode)));
  runtime.setOutput('plan-hash', result.planHash);
  runtime.setOutput('summary', JSON.stringify(summaryJson(result, mode)));
  runtime.setOutput('results', JSON.stringify(result.instances.map(instanceJson)));
}
