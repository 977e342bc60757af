import {
  cutsOf,
  localDateAt,
  localDayStarts,
  longWindowBounds,
  parseTimeZone,
  startOfLocalDay,
  tzdataVersion,
} from '../../src/calendar/time-zones.js';
import { addMs, instantToMs, msPerHour, parseInstant } from '../../src/domain/time/instant.js';
import { addDays } from '../../src/domain/time/local-date.js';
import type { Instant, LocalDate } from '../../src/domain/values.js';
import { codeOf } from '../domain/support/failures.js';
import { oracleStartOfDay } from './support/luxon-oracle.js';
import { zones } from './support/zones.js';

const at = (text: string): Instant => parseInstant(text);
const day = (text: string): LocalDate => text as LocalDate;

describe('time zone names', () => {
  test.each([
    ['UTC', 'UTC'],
    ['Europe/Berlin', 'Europe/Berlin'],
    ['europe/berlin', 'Europe/Berlin'],
    ['America/Argentina/Buenos_Aires', 'America/Argentina/Buenos_Aires'],
    ['US/Eastern', 'US/Eastern'],
    ['Asia/Calcutta', 'Asia/Calcutta'],
    ['Etc/GMT+5', 'Etc/GMT+5'],
  ])('%s is known as %s', (name, expected) => {
    expect(parseTimeZone(name)).toBe(expected);
    expect(parseTimeZone(name)).toBe(expected);
  });

  test.each([
    '',
    'Mars/Olympus',
    'Europe',
    'Berlin',
    '+01:00',
    'UTC+1',
    'Z',
    'Europe/Berlin ',
    '../etc/passwd',
    'x'.repeat(1000),
    1,
    null,
    undefined,
  ])('refuses %s', (name) => {
    expect(codeOf(() => parseTimeZone(name, '/time_zone'))).toBe('UNKNOWN_TIME_ZONE');
  });

  test('the version of the rules is known', () => {
    expect(tzdataVersion()).toMatch(/^20\d\d[a-z]$/);
  });
});

describe('the start of a local day', () => {
  test.each([
    ['UTC', '2024-02-29', '2024-02-29T00:00:00Z'],
    ['Europe/Berlin', '2024-07-01', '2024-06-30T22:00:00Z'],
    ['Asia/Kolkata', '2024-01-01', '2023-12-31T18:30:00Z'],
    ['America/Sao_Paulo', '2018-11-04', '2018-11-04T03:00:00Z'], // 01:00 local
    ['Asia/Beirut', '2024-03-31', '2024-03-30T22:00:00Z'], // 01:00 local
    ['Africa/Cairo', '2024-04-26', '2024-04-25T22:00:00Z'], // 01:00 local
    ['Pacific/Apia', '2011-12-29', '2011-12-29T10:00:00Z'],
    ['Pacific/Apia', '2011-12-30', '2011-12-30T10:00:00Z'], // never was: the start of the 31st
    ['Pacific/Apia', '2011-12-31', '2011-12-30T10:00:00Z'],
  ])('%s %s', (zone, date, expected) => {
    expect(startOfLocalDay(day(date), zone)).toBe(at(expected));
  });

  test.each(zones)('%s: every day of odd years agrees with luxon, and starts on itself', (zone) => {
    for (const year of ['1970', '2011', '2018', '2024']) {
      for (let date = day(`${year}-01-01`); date.startsWith(year); date = addDays(date, 1)) {
        const start = startOfLocalDay(date, zone);
        expect([date, start]).toEqual([date, oracleStartOfDay(date, zone)]);
        const skipped = zone === 'Pacific/Apia' && date === '2011-12-30';
        expect(localDateAt(start, zone)).toBe(skipped ? '2011-12-31' : date);
        expect(localDateAt(addMs(start, -1), zone) < date).toBe(true);
      }
    }
  });
});

describe('cuts', () => {
  const january = (zone: string): { from: Instant; to: Instant } => ({
    from: startOfLocalDay(day('2024-01-01'), zone),
    to: startOfLocalDay(day('2024-02-01'), zone),
  });

  test.each(['UTC', 'Europe/Berlin', 'America/New_York', 'Pacific/Kiritimati'])('%s needs none', (zone) => {
    expect(cutsOf(january(zone), zone)).toEqual([]);
  });

  test.each(['Asia/Kolkata', 'Asia/Kathmandu', 'America/St_Johns', 'Pacific/Chatham'])('%s needs one a day', (zone) => {
    const cuts = cutsOf(january(zone), zone);
    expect(cuts).toHaveLength(30);
    expect(cuts[0]).toBe(startOfLocalDay(day('2024-01-02'), zone));
    expect(cuts.at(-1)).toBe(startOfLocalDay(day('2024-01-31'), zone));
  });

  test('Lord Howe needs them only while its clocks are half an hour off', () => {
    const [from, to] = [at('2024-03-31T13:00:00Z'), at('2024-04-30T13:30:00Z')];
    const cuts = cutsOf({ from, to }, 'Australia/Lord_Howe');
    expect(cuts[0]).toBe(at('2024-04-07T13:30:00Z'));
    expect(cuts).toHaveLength(23);
  });

  test('a skipped day starts once, together with the next', () => {
    const starts = localDayStarts({ from: at('2011-12-28T10:00:00Z'), to: at('2012-01-01T10:00:00Z') }, 'Pacific/Apia');
    expect(starts).toEqual(['2011-12-29T10:00:00Z', '2011-12-30T10:00:00Z', '2011-12-31T10:00:00Z'].map(at));
  });
});

describe('long windows', () => {
  test('days of 23 and 25 hours tile the period', () => {
    const zone = 'Europe/Berlin';
    const period = { from: startOfLocalDay(day('2024-03-15'), zone), to: startOfLocalDay(day('2024-11-15'), zone) };
    const bounds = longWindowBounds(period, zone, 'day').map(instantToMs);
    const hours = bounds.slice(1).map((bound, index) => (bound - (bounds[index] ?? 0)) / msPerHour);
    expect(hours).toHaveLength(245);
    expect([hours.filter((length) => length === 23).length, hours.filter((length) => length === 25).length]).toEqual([
      1, 1,
    ]);
  });

  test('months are cut at the bounds of a period that begins in mid-month', () => {
    const period = { from: at('2024-01-15T00:00:00Z'), to: at('2024-02-15T00:00:00Z') };
    expect(longWindowBounds(period, 'UTC', 'month')).toEqual([period.from, at('2024-02-01T00:00:00Z'), period.to]);
    const whole = { from: at('2024-01-01T00:00:00Z'), to: at('2024-02-01T00:00:00Z') };
    expect(longWindowBounds(whole, 'UTC', 'month')).toEqual([whole.from, whole.to]);
  });
});
