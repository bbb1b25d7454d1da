/** Jobs of tron-<cluster>.yaml beyond their schema. Rules: `validate_tron`, `TronJobConfig.validate`; Tron's own checker is not run. */
import { problem, type Problem } from '../contract/errors.ts';
import { suggestName } from '../contract/near.ts';
import { pythonText } from '../contract/python-text.ts';
import { isMap, type Value } from '../contract/values.ts';
import { cronFault } from './cron.ts';
import { BadPlaceholder, interpolate } from './interpolate.ts';
import { placed, type Path, type PlacedProblem } from './schema-check.ts';
import type { Position } from './types.ts';
import { checkObject } from './validate-instances.ts';
import { entriesOf, isTruthy } from './yaml-values.ts';
import type { YamlDocument } from './yaml.ts';

/** Faults of schedules and of who is told. `teams`: the known ones; not checked when unknown. */
export function checkTronJobs(
  document: YamlDocument,
  monitoring: Value | undefined,
  teams: readonly string[] | undefined,
): readonly PlacedProblem[] {
  const file = document.read;
  if (!isMap(file)) return [placed(document, [], 'NOT_A_MAPPING', 'the file must be a mapping from job to its settings')];
  const faults: PlacedProblem[] = [];
  for (const [job, key, settings] of entriesOf(file)) {
    if (job.startsWith('_')) continue;
    if (typeof key !== 'string' || !isMap(settings)) {
      faults.push(placed(document, [job], 'NOT_A_MAPPING', `job '${job}' must be a mapping`));
      continue;
    }
    if (!isMap(settings.actions))
      faults.push(placed(document, [job, 'actions'], 'TRON_JOB_INVALID', `job '${job}' needs actions: a mapping from name to action`));
    // A team of the job counts even when it is null.
    const own = isMap(settings.monitoring) && Object.hasOwn(settings.monitoring, 'team');
    const team = isMap(settings.monitoring) && own ? settings.monitoring.team : isMap(monitoring) ? monitoring.team : undefined;
    const at = own ? [job, 'monitoring', 'team'] : [job];
    if (team === undefined || team === null)
      faults.push(
        placed(
          document,
          at,
          'TEAM_MISSING',
          `job '${job}': nobody is told when it fails`,
          'add team to monitoring.yaml or to monitoring of the job',
        ),
      );
    else if (teams !== undefined && (typeof team !== 'string' || !teams.includes(team)))
      faults.push(
        placed(document, at, 'UNKNOWN_TEAM', `job '${job}': there is no team '${pythonText(team)}'`, suggestName(pythonText(team), teams)),
      );
    faults.push(...checkSchedule(document, job, settings.schedule, settings.time_zone));
  }
  return faults;
}

/** Faults of `cleanup_action`: PaaSTA checks it like any action of its job, and lists it nowhere else. */
export function checkCleanups(
  document: YamlDocument,
  service: string,
  cluster: string,
  groupsOf: (service: string) => readonly string[],
): readonly Problem[] {
  const file = document.read;
  return (isMap(file) ? entriesOf(file) : []).flatMap(([job, key, settings]) => {
    if (job.startsWith('_') || typeof key !== 'string' || !isMap(settings)) return [];
    const action = settings.cleanup_action;
    if (!isMap(action) || !isTruthy(action)) return [];
    const given = action.deploy_group === undefined ? settings.deploy_group : action.deploy_group;
    const position = (inner: Path = []): Position =>
      document.position([
        job,
        ...(inner.length > 0 && inner[0] === 'deploy_group' && action.deploy_group === undefined ? inner : ['cleanup_action', ...inner]),
      ]);
    let deployGroup: string | undefined;
    if (given !== undefined && given !== null) {
      // What is no text is told by the schema, and for the job itself by the reader.
      if (typeof given !== 'string' || given === '') return [];
      try {
        deployGroup = interpolate(given, { cluster, instance: `${job}.cleanup`, service });
      } catch (error) {
        if (!(error instanceof BadPlaceholder)) throw error;
        return [problem('DEPLOY_GROUP_INVALID', error.message, { ...position(['deploy_group']), hint: error.hint })];
      }
    }
    return checkObject(
      {
        service,
        cluster,
        instance: `${job}.cleanup`,
        type: 'tron',
        config: action,
        branch: `${cluster}.${job}.cleanup`,
        deployGroup,
        position,
      },
      groupsOf,
    );
  });
}

function checkSchedule(
  document: YamlDocument,
  job: string,
  schedule: Value | undefined,
  zone: Value | undefined,
): readonly PlacedProblem[] {
  let expression: string | undefined;
  if (isMap(schedule) && schedule.type === 'cron') {
    if (typeof schedule.value !== 'string')
      return [placed(document, [job, 'schedule'], 'CRON_INVALID', `job '${job}': a cron schedule needs its expression as value`)];
    expression = schedule.value;
  } else if (typeof schedule === 'string' && schedule.startsWith('cron')) expression = schedule.replaceAll('cron', '');
  if (typeof schedule === 'string' && isBareCron(schedule))
    return [
      {
        ...placed(
          document,
          [job, 'schedule'],
          'CRON_WITHOUT_WORD',
          `job '${job}': Tron takes '${schedule}' for no cron expression without the word cron`,
          `write 'cron ${schedule}'`,
        ),
        severity: 'warning',
      },
    ];
  if (expression === undefined || expression === '') return [];
  const faults: PlacedProblem[] = [];
  const fault = cronFault(expression);
  if (fault !== undefined)
    faults.push(placed(document, [job, 'schedule'], 'CRON_INVALID', `job '${job}': ${fault}`, 'for example: cron 0 3 * * 1-5'));
  if (zone !== undefined && zone !== null && !isTimeZone(zone))
    faults.push(
      placed(
        document,
        [job, 'time_zone'],
        'UNKNOWN_TIME_ZONE',
        `job '${job}': there is no time zone '${pythonText(zone)}'`,
        'for example America/Los_Angeles or UTC',
      ),
    );
  return faults;
}

/** Numbers and stars where the fields of a crontab stand, or one of its nicknames. `1st monday of month 10:00` is none. */
function isBareCron(schedule: string): boolean {
  const fields = schedule.trim().split(/\s+/);
  return (
    (fields.length === 1 && /^@[a-z]+$/.test(fields[0] ?? '')) ||
    (fields.length >= 4 && fields.slice(0, 2).every((field) => /^[\d*/,-]+$/.test(field)))
  );
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
