/** Cron expressions as Tron understands them: five fields (a sixth for seconds), names of months and days, steps, `L`, `?`. */

const NICKNAMES = ['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly'];
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const FIELDS: readonly {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
  readonly special?: RegExp;
}[] = [
  { name: 'minute', min: 0, max: 59 },
  { name: 'hour', min: 0, max: 23 },
  { name: 'day of the month', min: 1, max: 31, special: /^(?:l|\?)$/ },
  { name: 'month', min: 1, max: 12, names: MONTHS },
  { name: 'day of the week', min: 0, max: 7, names: DAYS, special: /^(?:\?|l?[0-7]|[0-7]#[1-5]|l[a-z]{3}|[a-z]{3}#[1-5])$/ },
  { name: 'second', min: 0, max: 59 },
];

/** What is wrong with an expression; `undefined` when it is a schedule. */
export function cronFault(expression: string): string | undefined {
  const text = expression.trim().toLowerCase();
  if (NICKNAMES.includes(text)) return undefined;
  const parts = text.split(/\s+/).filter((part) => part !== '');
  if (parts.length < 5 || parts.length > 6)
    return `a cron expression has 5 fields (minute, hour, day, month, weekday), not ${parts.length}`;
  for (const [index, part] of parts.entries()) {
    const field = FIELDS[index];
    if (field === undefined) return undefined;
    for (const item of part.split(',')) {
      if (field.special?.test(item) === true || itemFits(item, field)) continue;
      return `'${item}' is no ${field.name} (${field.min} to ${field.max})`;
    }
  }
  return undefined;
}

function itemFits(item: string, field: (typeof FIELDS)[number]): boolean {
  const match = /^(\*|[a-z0-9]+)(?:-([a-z0-9]+))?(?:\/(\d+))?$/.exec(item);
  if (match === null) return false;
  const number = (text: string): number => {
    if (/^\d+$/.test(text)) return Number(text);
    const named = field.names?.indexOf(text) ?? -1;
    return named < 0 ? NaN : named + (field.names === MONTHS ? 1 : 0);
  };
  const [, from = '', to, step] = match;
  if (step !== undefined && Number(step) < 1) return false;
  if (from === '*') return to === undefined;
  const fits = (n: number): boolean => n >= field.min && n <= field.max;
  return fits(number(from)) && (to === undefined || fits(number(to)));
}
