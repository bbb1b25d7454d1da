/**
 * Actions of tron-<cluster>.yaml as instances `job.action`. Rule: `TronJobConfig` in paasta_tools/tron_tools.py: an action inherits
 * service, deploy group and cost owner of its job, and the job's monitoring over monitoring.yaml; of service.yaml only the cost owner.
 */
import { problem, type Problem } from '../contract/errors.ts';
import { deepMerge } from '../contract/merge.ts';
import { isMap, type Value, type ValueMap } from '../contract/values.ts';
import type { TronJobEntry } from './schema-types.ts';
import type { Position } from './types.ts';
import { emptyMap, entriesOf, isTruthy, keysOf } from './yaml-values.ts';
import type { YamlDocument } from './yaml.ts';

/** Keys of `monitoring` that Tron understands. */
const MONITORING_KEYS = [
  'alert_after',
  'check_oom_events',
  'check_that_every_day_has_a_successful_run',
  'component',
  'dependencies',
  'description',
  'irc_channels',
  'issuetype',
  'notification_email',
  'page',
  'page_for_expected_runtime',
  'priority',
  'project',
  'realert_every',
  'runbook',
  'slack_channels',
  'tags',
  'team',
  'ticket',
  'tip',
] as const satisfies readonly (keyof NonNullable<TronJobEntry['monitoring']>)[];

export interface TronAction {
  /** `undefined`: a problem of a job that names no actions. */
  readonly instance: string | undefined;
  readonly path: readonly string[];
  readonly position: Position;
  readonly config: ValueMap;
  readonly problem?: Problem;
}

/** Actions of all jobs of a file, in file order. */
export function tronActions(
  file: ValueMap,
  service: string,
  general: ValueMap,
  monitoringFile: Value,
  document: YamlDocument,
): readonly TronAction[] {
  const found: TronAction[] = [];
  const bad = (instance: string | undefined, path: readonly string[], message: string, hint: string): void => {
    const position = document.position(path);
    found.push({ instance, path, position, config: emptyMap(), problem: problem('TRON_JOB_INVALID', message, { ...position, hint }) });
  };
  for (const [job, key, jobValue] of entriesOf(file)) {
    if (job.startsWith('_')) continue;
    if (typeof key !== 'string' || !isMap(jobValue)) {
      bad(job, [job], `job '${job}' must be a mapping with a schedule and actions`, 'see the tron section of the configuration guide');
      continue;
    }
    const actions = jobValue.actions;
    if (actions === undefined) {
      // PaaSTA's listing passes over it, and its loading of any other job of the file fails.
      bad(undefined, [job], `job '${job}' has no actions`, "write 'actions:' and below it 'name:' with a command");
      continue;
    }
    if (!isMap(actions)) {
      bad(job, [job, 'actions'], `actions of job '${job}' must be a mapping from name to action`, "write 'name:' and its keys below");
      continue;
    }
    for (const [name, , action] of entriesOf(actions)) {
      const path = [job, 'actions', name];
      if (!isMap(action)) {
        bad(`${job}.${name}`, path, `action '${name}' of job '${job}' must be a mapping`, "give it at least 'command:'");
        continue;
      }
      found.push({
        instance: `${job}.${name}`,
        path,
        position: document.position(path),
        config: actionConfig(action, jobValue, service, general, monitoringFile),
      });
    }
  }
  return found;
}

function actionConfig(action: ValueMap, job: ValueMap, service: string, general: ValueMap, monitoringFile: Value): ValueMap {
  const added = emptyMap();
  if (action.service === undefined) added.service = service;
  if (action.deploy_group === undefined) added.deploy_group = job.deploy_group ?? null;
  const costOwner = isTruthy(job.cost_owner) ? job.cost_owner : general.cost_owner;
  if (action.cost_owner === undefined && costOwner !== undefined && isTruthy(costOwner)) added.cost_owner = costOwner;
  const monitoring = emptyMap();
  for (const source of [monitoringFile, job.monitoring]) {
    if (isMap(source))
      for (const key of keysOf(source)) if ((MONITORING_KEYS as readonly string[]).includes(key)) monitoring[key] = source[key] as Value;
  }
  const config = deepMerge(added, action) as Record<string, Value>;
  config.monitoring = monitoring;
  return config;
}
