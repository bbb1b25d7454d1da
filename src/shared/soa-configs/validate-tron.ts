/** Jobs of tron-<cluster>.yaml beyond their schema. Rules: `validate_tron`, `TronJobConfig.validate`; Tron's own checker is not run. */
import { suggestName } from '../contract/near.ts';
import { pythonText } from '../contract/python-text.ts';
import { isMap, type Value } from '../contract/values.ts';
import { cronFault } from './cron.ts';
import { placed, type PlacedProblem } from './schema-check.ts';
import { entriesOf } from './yaml-values.ts';
import type { YamlDocument } from './yaml.ts';

/** Faults of schedules and of who is told. `teams`: the known ones; not checked when unknown. */
export function checkTronJobs(document: YamlDocument, monitoring: Value | undefined, teams: readonly string[] | undefined): readonly PlacedProblem[] {
  const file = document.read;
  if (!isMap(file)) return [placed(document, [], 'NOT_A_MAPPING', 'the file must be a mapping from job to its settings')];
  const faults: PlacedProblem[] = [];
  for (const [job, key, settings] of entriesOf(file)) {
    if (job.startsWith('_')) continue;
    if (typeof key !== 'string' || !isMap(settings)) {
      faults.push(placed(document, [job], 'NOT_A_MAPPING', `job '${job}' must be a mapping`));
      continue;
    }
    if (!isMap(settings.actions)) faults.push(placed(document, [job, 'actions'], 'TRON_JOB_INVALID', `job '${job}' needs actions: a mapping from name to action`));
    // A team of the job counts even when it is null.
    const own = isMap(settings.monitoring) && Object.hasOwn(settings.monitoring, 'team');
    const team = isMap(settings.monitoring) && own ? settings.monitoring.team : isMap(monitoring) ? monitoring.team : undefined;
    const at = own ? [job, 'monitoring', 'team'] : [job];
    if (team === undefined || team === null) faults.push(placed(document, at, 'TEAM_MISSING', `job '${job}': nobody is told when it fails`, 'add team to monitoring.yaml or to monitoring of the job'));
    else if (teams !== undefined && (typeof team !== 'string' || !teams.includes(team))) faults.push(placed(document, at, 'UNKNOWN_TEAM', `job '${job}': there is no team '${pythonText(team)}'`, suggestName(pythonText(team), teams)));
    faults.push(...checkSchedule(document, job, settings.schedule, settings.time_zone));
  }
  return faults;
}

function checkSchedule(document: YamlDocument, job: string, schedule: Value | undefined, zone: Value | undefined): readonly PlacedProblem[] {
  let expression: string | undefined;
  if (isMap(schedule) && schedule.type === 'cron') {
    if (typeof schedule.value !== 'string') return [placed(document, [job, 'schedule'], 'CRON_INVALID', `job '${job}': a cron schedule needs its expression as value`)];
    expression = schedule.value;
  } else if (typeof schedule === 'string' && schedule.startsWith('cron')) expression = schedule.replaceAll('cron', '');
  if (expression === undefined || expression === '') return [];
  const faults: PlacedProblem[] = [];
  const fault = cronFault(expression);
  if (fault !== undefined) faults.push(placed(document, [job, 'schedule'], 'CRON_INVALID', `job '${job}': ${fault}`, 'for example: cron 0 3 * * 1-5'));
  if (zone !== undefined && zone !== null && !isTimeZone(zone)) faults.push(placed(document, [job, 'time_zone'], 'UNKNOWN_TIME_ZONE', `job '${job}': there is no time zone '${pythonText(zone)}'`, 'for example America/Los_Angeles or UTC'));
  return faults;
}

function isTimeZone(zone: Value): boolean {
  if (typeof zone !== 'string') return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}
