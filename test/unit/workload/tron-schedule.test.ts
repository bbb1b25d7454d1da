import type { Value } from '../../../src/shared/contract/values.ts';
import { cronSchedule, tronSeconds } from '../../../src/shared/workload/tron-schedule.ts';

const map = (entries: Record<string, Value>): Value => Object.assign(Object.create(null) as Record<string, Value>, entries);

describe('schedules of Tron', () => {
  it.each<[Value, string]>([
    ['cron 0 3 * * 1-5', '0 3 * * 1-5'],
    ['cron */15 * * * *', '*/15 * * * *'],
    ['cron * * * * *', '* * * * *'],
    // In Tron `5/10` is minute 5; Kubernetes would run at 5, 15, 25 …
    ['cron 5/10 * * * *', '5 * * * *'],
    ['cron 10-40/10 2,4 * * *', '10,20,30,40 2,4 * * *'],
    // Round midnight and round the week: Kubernetes refuses such ranges.
    ['cron 0 22-2 * * *', '0 0,1,2,22,23 * * *'],
    ['cron 0 1 * * 5-7', '0 1 * * 0,5,6'],
    ['cron 0 1 * * fri-sun', '0 1 * * 0,5,6'],
    // Kubernetes has no day 7.
    ['cron 0 1 * * 7', '0 1 * * 0'],
    ['cron 0 1 * * ?', '0 1 * * *'],
    ['cron 30 2 1,15 jan-mar *', '30 2 1,15 1-3 *'],
    ['cron @hourly', '0 * * * *'],
    ['cron @weekly', '0 0 * * 0'],
    ['cron 0-59 0-23 1-31 1-12 *', '* * * * *'],
    ['daily 04:00', '0 4 * * *'],
    ['daily 04:05:00', '5 4 * * *'],
    ['daily', '0 0 * * *'],
    ['daily 23:30 MWF', '30 23 * * 1,3,5'],
    ['daily 01:00 SU', '0 1 * * 0,6'],
    ['daily 01:00 MTWRF', '0 1 * * 1-5'],
    ['interval 15m', '*/15 * * * *'],
    ['interval 1 minute', '* * * * *'],
    ['interval hourly', '0 * * * *'],
    ['interval 6 hours', '0 */6 * * *'],
    ['interval 1 day', '0 0 * * *'],
    ['every day at 04:30', '30 4 * * *'],
    ['every mon,wed of jan,july at 04:00', '0 4 * 1,7 1,3'],
    ['every weekday'.replace('weekday', 'friday'), '0 0 * * 5'],
    ['1st,15th day of month at 02:30', '30 2 1,15 * *'],
    ['1st day in march 07:00', '0 7 1 3 *'],
    [map({ type: 'cron', value: '30 1 * * 3' }), '30 1 * * 3'],
    [map({ type: 'daily', value: '07:00:00 MWF' }), '0 7 * * 1,3,5'],
    [map({ type: 'groc daily', value: 'every tue at 05:00' }), '0 5 * * 2'],
    [map({ type: 'interval', value: '20 min', jitter: 0 }), '*/20 * * * *'],
    [map({ start_time: '07:00:00', days: 'MWF' }), '0 7 * * 1,3,5'],
    [map({ days: 'S' }), '0 0 * * 6'],
    [map({ interval: '2h' }), '0 */2 * * *'],
  ])('%j runs at %s', (schedule, expected) => {
    expect(cronSchedule(schedule)).toEqual({ schedule: expected });
  });

  it.each<[Value | undefined, string]>([
    ['cron 0 0 L * *', 'last day of the month'],
    ['cron 0 0 1 * 1', 'days of the month and days of the week together'],
    ['cron 0 0 * * 1#2', "'1#2' as day of the week"],
    ['cron 0 0 30-2 * *', 'goes round the end'],
    ['cron 0 0 * 11-2 *', 'goes round the end'],
    ['cron 0 0 * * * 30', '6 fields'],
    ['cron 61 * * * *', '61 is no minute'],
    ['cron */0 * * * *', 'a step of 0'],
    ['cron @reboot', "'@reboot' is no schedule"],
    ['daily 04:00:30', 'starts at full minutes'],
    ['daily 25:00', 'no time of day'],
    ['daily 04:00 X', "'x' is no day of the week"],
    ['interval 7m', 'an interval of 7m has no counterpart'],
    ['interval 90m', 'has no counterpart'],
    ['interval 30s', 'has no counterpart'],
    ['interval 2 days', 'has no counterpart'],
    ['interval soon', 'is no interval'],
    ['constant', 'runs constantly'],
    ['1st monday of month at 04:00', 'certain weekdays of a month'],
    ['whenever', 'is no schedule of Tron'],
    ['every day at 04:00 sharp', 'is no schedule of Tron'],
    [map({ type: 'daily', value: '01:00', jitter: '10m' }), 'jitter'],
    [map({ type: 'lunar', value: 'x' }), "'lunar' is no type"],
    [map({}), 'neither type nor start_time'],
    [undefined, 'no schedule'],
  ])('%j is refused: %s', (schedule, expected) => {
    const result = cronSchedule(schedule);
    expect('refused' in result ? result.refused : result.schedule).toContain(expected);
    expect('hint' in result && result.hint.length > 0).toBe(true);
  });

  it.each([
    ['10m', 600],
    ['2 hours', 7_200],
    ['1day', 86_400],
    ['90 s', 90],
    ['5 weeks', undefined],
    ['', undefined],
  ])('duration %j is %s seconds', (text, seconds) => {
    expect(tronSeconds(text)).toBe(seconds);
  });
});
