/** `bounce`: decisions of the bounce library, and what becomes of the bounce settings of an instance. */
import {
  bounceDecision,
  deployStatus,
  isSuccessCode,
  maxUnavailable,
  parseBounceMethod,
  replication,
} from '../../../src/shared/bounce/index.ts';
import { UserError } from '../../../src/shared/contract/errors.ts';
import type { ValueMap } from '../../../src/shared/contract/values.ts';
import { loadSoaConfigs, settingsOf, systemConfigOf } from '../../../src/shared/soa-configs/index.ts';
import { maxUnavailable as pdbMaxUnavailable } from '../../../src/shared/workload/disruption-budget.ts';
import { deploymentStrategy } from '../../../src/shared/workload/strategy.ts';
import { memoryTree } from '../../support/memory-tree.ts';
import { REFUSED, type Case, type JsonMap, type Plug } from '../types.ts';

/** The value, or `REFUSED` where the product refuses. */
function attempt(body: () => unknown): unknown {
  try {
    return body();
  } catch (error) {
    if (error instanceof UserError) return REFUSED;
    throw error;
  }
}

function decision(input: JsonMap): unknown {
  const { createApp, drain } = bounceDecision(parseBounceMethod(String(input['bounce_method'])), {
    wanted: Number(input['instances']),
    newAppRunning: input['new_app_running'] === true,
    happyNew: Number(input['happy_new']),
    oldNonDraining: input['old_non_draining'] as readonly string[],
    marginFactor: (input['margin_factor'] ?? undefined) as number | undefined,
  });
  return { create_app: createApp, tasks_to_drain: drain };
}

/** The settings of a service with one instance that says what the case says. */
function strategy(input: JsonMap): unknown {
  const system = systemConfigOf({ cluster: 'dev', clusters: ['dev'], ...(input['system'] as ValueMap) });
  const files = { 'web/kubernetes-dev.yaml': JSON.stringify({ main: input['settings'] }), 'web/service.yaml': '{}' };
  const service = loadSoaConfigs(memoryTree(files), system).load('web');
  const [instance] = service.instances;
  if (instance === undefined) return REFUSED;
  const settings = settingsOf(instance, service, system);
  return {
    strategy: settings.faults.bounceMethod === undefined ? deploymentStrategy(settings) : REFUSED,
    min_ready_seconds: settings.minTaskUptime,
    bounce_margin_factor: settings.bounceMarginFactor,
    pdb_max_unavailable: pdbMaxUnavailable(settings, system),
  };
}

function ours(input: JsonMap): unknown {
  switch (input['fn']) {
    case 'method':
      return decision(input);
    case 'strategy':
      return strategy(input);
    case 'max_unavailable':
      return { max_unavailable: maxUnavailable(Number(input['instances']), Number(input['margin_factor'])) };
    case 'is_under_replicated': {
      const found = replication(Number(input['available']), Number(input['expected']), Number(input['crit_threshold_percent']));
      return { result: [found.underReplicated, found.ratio] };
    }
    case 'deploy_status': {
      const status = input['status'] as JsonMap;
      const count = (key: string): number | undefined => (status[key] ?? undefined) as number | undefined;
      return {
        status: deployStatus(
          { replicas: count('replicas'), readyReplicas: count('ready_replicas'), updatedReplicas: count('updated_replicas') },
          Number(input['desired_instances']),
        ),
        message: '',
      };
    }
    case 'http_drain_success':
      return { result: attempt(() => isSuccessCode(input['success_codes'] as string, Number(input['status_code']))) };
    default:
      return undefined;
  }
}

export const plug: Plug = {
  answer(test: Case) {
    const value = attempt(() => ours(test.input));
    return value === undefined ? undefined : { ours: value, wanted: test.expected };
  },
};
