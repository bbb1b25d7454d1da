/**
 * Schedules of Tron as schedules of a CronJob: the same minutes, or a refusal. Rules: schedule_parse.py, crontab.py and trontimespec.py of Tron. Fields
 * are expanded by Tron's rules (`5/10` is minute 5 alone, `22-2` goes round midnight) and written so that Kubernetes reads the same.
 */
import { isMap, numberOf, type Value } from '../contract/values.ts';
import { pythonText } from '../contract/python-text.ts';

export interface Refused {
  readonly refused: string;
  readonly hint: string;
}

export type CronSchedule = { readonly schedule: string } | Refused;

interface Field {
  readonly name: string;
  readonly min: number;
  /** Inclusive. */
  readonly max: number;
  readonly names?: readonly string[];
  /** Tron lets a range go round (22-2). For days of the month and months its arithmetic is wrong there. */
  readonly wraps: boolean;
}

const NICKNAMES: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const LONG_MONTHS = [
  'january',
  'february',
  'march',
  'april',
  'may',
  'june',
  'july',
  'august',
  'september',
  'october',
  'november',
  'december',
];
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const LONG_DAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];
const TWO_LETTERS = ['su', 'mo', 'tu', 'we', 'th', 'fr', 'sa'];
const ONE_LETTER = ['u', 'm', 't', 'w', 'r', 'f', 's'];

const MINUTE: Field = { name: 'minute', min: 0, max: 59, wraps: true };
const HOUR: Field = { name: 'hour', min: 0, max: 23, wraps: true };
const MONTH_DAY: Field = { name: 'day of the month', min: 1, max: 31, wraps: false };
const MONTH: Field = { name: 'month', min: 1, max: 12, names: MONTHS, wraps: false };
const WEEKDAY: Field = { name: 'day of the week', min: 0, max: 6, names: DAYS, wraps: true };

class Inexpressible extends Error {
  readonly hint: string;
  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

/** Values of one item of a field: `*`, a number or a range, with or without a step. */
function valuesOf(item: string, field: Field): readonly number[] {
  const text =
    field.names === undefined
      ? item
      : field.names.reduce((all, name, index) => all.replaceAll(name, String(index + field.min)), item.toLowerCase());
  const digits =
    field === WEEKDAY ? text.replaceAll('7', '0').replaceAll('?', '*') : field === MONTH_DAY ? text.replaceAll('?', '*') : text;
  const match = /^(\d{1,4}|\*)(?:-(\d{1,4}))?(?:\/(\d{1,4}))?$/.exec(digits);
  if (match === null)
    throw new Inexpressible(
      `'${item}' as ${field.name} has no counterpart in the schedule of a CronJob`,
      'Kubernetes knows numbers, names, lists, ranges and steps',
    );
  const [, first = '', last, stepText] = match;
  const bounded = (value: string): number => {
    const number = Number(value);
    if (number < field.min || number > field.max)
      throw new Inexpressible(`${value} is no ${field.name} (${field.min} to ${field.max})`, 'correct the schedule: Tron refuses it, too');
    return number;
  };
  const step = stepText === undefined ? 1 : bounded(stepText);
  if (step === 0) throw new Inexpressible(`a step of 0 in '${item}'`, 'correct the schedule: Tron refuses it, too');
  const from = first === '*' ? field.min : bounded(first);
  const to = first === '*' ? field.max : last === undefined ? from : bounded(last);
  if (from > to && !field.wraps)
    throw new Inexpressible(`the ${field.name} range '${item}' goes round the end, which Tron reckons wrongly`, 'write it as two ranges');
  const span = from <= to ? to - from : field.max - field.min + 1 - from + to;
  const found: number[] = [];
  for (let at = 0; at <= span; at += step) found.push(field.min + ((from - field.min + at) % (field.max - field.min + 1)));
  return found;
}

/** Values of a field, sorted; `null`: every one. */
function parseField(source: string, field: Field): readonly number[] | null {
  if (source === '*' || (source === '?' && (field === WEEKDAY || field === MONTH_DAY))) return null;
  const values = new Set<number>();
  for (const item of source.split(',')) {
    if (field === MONTH_DAY && item.toUpperCase() === 'L')
      throw new Inexpressible(
        'the last day of the month (L) has no counterpart in the schedule of a CronJob',
        'choose a day that every month has, or run on 28-31 and let the command look whether tomorrow is the first',
      );
    for (const value of valuesOf(item, field)) values.add(value);
  }
  return [...values].sort((a, b) => a - b);
}

/** The shortest of `*`, `*`/step, a range and a list that says the same. */
function written(values: readonly number[] | null, field: Field): string {
  if (values === null || values.length === field.max - field.min + 1) return '*';
  const [first = field.min, second = first] = values;
  const last = values.at(-1) ?? first;
  const step = second - first;
  if (values.length > 2 && values.every((value, index) => value === first + index * step)) {
    if (step === 1) return `${first}-${last}`;
    if (first === field.min && last + step > field.max) return `*/${step}`;
  }
  return values.join(',');
}

function cron(
  minutes: readonly number[] | null,
  hours: readonly number[] | null,
  days: readonly number[] | null,
  months: readonly number[] | null,
  weekdays: readonly number[] | null,
): string {
  if (days !== null && weekdays !== null)
    throw new Inexpressible(
      'days of the month and days of the week together: Tron refuses both, and Kubernetes would run on either',
      'keep one of the two',
    );
  return [
    written(minutes, MINUTE),
    written(hours, HOUR),
    written(days, MONTH_DAY),
    written(months, MONTH),
    written(weekdays, WEEKDAY),
  ].join(' ');
}

function fromCron(expression: string): string {
  const text = expression.trim();
  const fields = (NICKNAMES[text] ?? text).split(/\s+/).filter((part) => part !== '');
  if (text.startsWith('@') && NICKNAMES[text] === undefined)
    throw new Inexpressible(`'${text}' is no schedule`, `known: ${Object.keys(NICKNAMES).join(', ')}`);
  if (fields.length !== 5)
    throw new Inexpressible(
      `the cron expression has ${fields.length} fields; the schedule of a CronJob has 5 (minute, hour, day, month, weekday)`,
      fields.length === 6 ? 'leave the seconds out' : 'for example: cron 0 3 * * 1-5',
    );
  const [minute = '*', hour = '*', day = '*', month = '*', weekday = '*'] = fields;
  return cron(
    parseField(minute, MINUTE),
    parseField(hour, HOUR),
    parseField(day, MONTH_DAY),
    parseField(month, MONTH),
    parseField(weekday, WEEKDAY),
  );
}

/** `HH:MM` or `HH:MM:SS`. */
function clock(text: string): { readonly hour: number; readonly minute: number } {
  const match = /^(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?$/.exec(text);
  const [hour, minute, second] = [Number(match?.[1]), Number(match?.[2]), Number(match?.[3] ?? 0)];
  if (match === null || hour > 23 || minute > 59 || second > 59)
    throw new Inexpressible(`'${text}' is no time of day`, 'write it as 04:00');
  if (second !== 0) throw new Inexpressible(`${text}: a CronJob starts at full minutes`, 'leave the seconds out');
  return { hour, minute };
}

function fromDaily(value: string): string {
  const [time = '00:00', letters = ''] = value.split(/\s+/).filter((part) => part !== '');
  const { hour, minute } = clock(time);
  const weekdays = [...letters.toLowerCase()].map((letter) => {
    const day = ONE_LETTER.indexOf(letter);
    if (day < 0) throw new Inexpressible(`'${letter}' is no day of the week`, 'Tron writes them M T W R F S U');
    return day;
  });
  return cron([minute], [hour], null, null, weekdays.length === 0 ? null : [...new Set(weekdays)].sort((a, b) => a - b));
}

const UNITS: readonly (readonly [names: string, seconds: number])[] = [
  ['s sec secs second seconds', 1],
  ['m min mins minute minutes', 60],
  ['h hr hrs hour hours', 3_600],
  ['d day days', 86_400],
];

/** Seconds of a duration as Tron writes it: `10m`, `2 hours`. */
export function tronSeconds(text: string): number | undefined {
  const match = /^(\d{1,9})\s{0,9}([a-z]{1,9})$/.exec(text.trim());
  const unit = UNITS.find(([names]) => names.split(' ').includes(match?.[2] ?? ''));
  return match === null || unit === undefined ? undefined : Number(match[1]) * unit[1];
}

/** Only intervals that divide an hour or a day have a counterpart: then runs are as far apart as Tron's, counted from the full hour or midnight. */
function fromInterval(value: string): string {
  const seconds = value.trim() === 'hourly' ? 3_600 : tronSeconds(value);
  if (seconds === undefined || seconds === 0) throw new Inexpressible(`'${value}' is no interval`, 'write it as interval 15m');
  const minutes = seconds / 60;
  if (Number.isInteger(minutes) && minutes <= 60 && 60 % minutes === 0)
    return minutes === 60 ? '0 * * * *' : `${minutes === 1 ? '*' : `*/${minutes}`} * * * *`;
  const hours = minutes / 60;
  if (Number.isInteger(hours) && hours <= 24 && 24 % hours === 0) return hours === 24 ? '0 0 * * *' : `0 */${hours} * * *`;
  throw new Inexpressible(
    `an interval of ${value.trim()} has no counterpart in the schedule of a CronJob`,
    'intervals that divide an hour or a day have one: 1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30 minutes; 1, 2, 3, 4, 6, 8, 12, 24 hours',
  );
}

function named(list: string, tables: readonly (readonly string[])[], what: string): readonly number[] {
  const found = list
    .split(',')
    .filter((part) => part !== '')
    .map((part) => {
      const at = tables.map((table) => table.indexOf(part)).find((index) => index >= 0);
      if (at === undefined) throw new Inexpressible(`'${part}' is no ${what}`, 'write it like: every mon,wed of jan at 04:00');
      return at;
    });
  return [...new Set(found)].sort((a, b) => a - b);
}

/** `every mon,wed of jan at 04:00`, `1st,15th day of month at 02:30`. */
function fromWords(expression: string): string {
  const words = expression
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  const wrong = (): Inexpressible =>
    new Inexpressible(
      `'${expression}' is no schedule of Tron that is known here`,
      'known are cron …, daily HH:MM [days], interval …, every … at HH:MM',
    );
  const first = words.shift();
  const ordinals =
    first === 'every'
      ? undefined
      : first
          ?.split(',')
          .filter((part) => part !== '')
          .map((part) => (/^\d{1,2}(?:st|nd|rd|th)$/.test(part) ? Number.parseInt(part, 10) : NaN));
  if (first === undefined || ordinals?.some(Number.isNaN) === true || ordinals?.length === 0) throw wrong();
  const isTime = (word: string | undefined): boolean => word === 'at' || /^\d\d:\d\d$/.test(word ?? '');
  let weekdays: readonly number[] | null = null;
  if (words[0] !== undefined && words[0] !== 'in' && words[0] !== 'of' && !isTime(words[0])) {
    const days = words.shift() ?? '';
    if (days !== 'day') weekdays = named(days, [DAYS, LONG_DAYS, TWO_LETTERS, ONE_LETTER], 'day of the week');
  }
  let months: readonly number[] | null = null;
  if (words[0] === 'in' || words[0] === 'of') {
    words.shift();
    const list = words.shift() ?? '';
    if (list !== 'month') months = named(list, [MONTHS, LONG_MONTHS], 'month').map((month) => month + 1);
  }
  if (words[0] === 'at') words.shift();
  const time = words.shift() ?? '00:00';
  if (words.length > 0) throw wrong();
  const { hour, minute } = clock(time);
  if (ordinals !== undefined && weekdays !== null)
    throw new Inexpressible(
      `'${expression}': certain weekdays of a month have no counterpart in the schedule of a CronJob`,
      'run on all of these weekdays and let the command look at the date',
    );
  const days = ordinals === undefined ? null : [...new Set(ordinals)].sort((a, b) => a - b);
  for (const day of days ?? []) if (day < 1 || day > 31) throw new Inexpressible(`${day} is no day of the month`, 'from 1st to 31st');
  return cron([minute], [hour], days, months, weekdays);
}

function fromText(text: string): string {
  const [name = '', ...rest] = text.trim().split(/\s+/);
  const value = rest.join(' ');
  switch (name) {
    case 'cron':
      return fromCron(value);
    case 'daily':
      return fromDaily(value);
    case 'interval':
      return fromInterval(value);
    case 'constant':
      throw new Inexpressible('a job that runs constantly is no CronJob', 'make it a long-running instance in kubernetes-<cluster>.yaml');
    default:
      return fromWords(text.trim());
  }
}

function fromMap(schedule: Readonly<Record<string, Value>>): string {
  const text = (key: string): string => {
    const value = schedule[key];
    return value === undefined || value === null ? '' : pythonText(value);
  };
  const jitter = schedule['jitter'];
  if (jitter !== undefined && jitter !== null && numberOf(jitter) !== 0 && tronSeconds(pythonText(jitter)) !== 0)
    throw new Inexpressible('jitter has no counterpart in a CronJob', 'leave jitter out');
  const type = text('type');
  if (type === 'groc daily') return fromWords(text('value'));
  if (['cron', 'daily', 'interval', 'constant'].includes(type)) return fromText(`${type} ${text('value')}`);
  if (type !== '') throw new Inexpressible(`'${type}' is no type of schedule`, 'known are cron, daily, interval and groc daily');
  if (schedule['interval'] !== undefined) return fromInterval(text('interval'));
  if (schedule['start_time'] !== undefined || schedule['days'] !== undefined)
    return fromDaily(`${text('start_time') || '00:00'} ${text('days')}`);
  throw new Inexpressible('the schedule says neither type nor start_time', 'for example: cron 0 3 * * 1-5');
}

/** The schedule of a CronJob that runs when Tron would, or why there is none. */
export function cronSchedule(schedule: Value | undefined): CronSchedule {
  try {
    if (isMap(schedule)) return { schedule: fromMap(schedule) };
    if (typeof schedule === 'string' && schedule.trim() !== '') return { schedule: fromText(schedule) };
    throw new Inexpressible('the job has no schedule', 'for example: cron 0 3 * * 1-5');
  } catch (error) {
    if (!(error instanceof Inexpressible)) throw error;
    return { refused: error.message, hint: error.hint };
  }
}
