import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import {
  calendarFromOf,
  calendarOf,
  type CalendarSegment,
  changeCalendar,
  periodContaining,
  periodNamed,
} from '../../src/calendar/calendar.js';
import { addMs, parseInstant } from '../../src/domain/time/instant.js';
import type { Instant, LocalDate } from '../../src/domain/values.js';
import { codeOf } from '../domain/support/failures.js';
import { oraclePeriods } from './support/luxon-oracle.js';
import { anchors, zones } from './support/zones.js';

const at = (text: string): Instant => parseInstant(text);
const day = (text: string): LocalDate => text as LocalDate;
const always = (timeZone: string, anchorDay: number): CalendarSegment[] => [{ timeZone, anchorDay, from: null }];

/** Name, from and to of the periods, one after the other. */
function walk(segments: readonly CalendarSegment[], from: Instant, count: number): string[][] {
  const periods: string[][] = [];
  let cursor = from;
  while (periods.length < count) {
    const period = periodContaining(segments, cursor);
    periods.push([period.name, period.from, period.to]);
    cursor = period.to;
  }
  return periods;
}

describe('periods', () => {
  test.each([
    ['UTC', 1, '2024-01-15T10:00:00Z', '2024-01-01', '2024-01-01T00:00:00Z', '2024-02-01T00:00:00Z'],
    ['UTC', 1, '2024-01-31T23:59:50Z', '2024-01-01', '2024-01-01T00:00:00Z', '2024-02-01T00:00:00Z'],
    ['UTC', 1, '2024-02-01T00:00:00Z', '2024-02-01', '2024-02-01T00:00:00Z', '2024-03-01T00:00:00Z'],
    ['UTC', 15, '2024-01-14T23:59:59Z', '2023-12-15', '2023-12-15T00:00:00Z', '2024-01-15T00:00:00Z'],
    ['Europe/Berlin', 1, '2024-03-31T22:00:00Z', '2024-04-01', '2024-03-31T22:00:00Z', '2024-04-30T22:00:00Z'],
    ['Europe/Berlin', 1, '2024-03-31T21:59:59Z', '2024-03-01', '2024-02-29T23:00:00Z', '2024-03-31T22:00:00Z'],
    ['America/New_York', 1, '2024-01-01T04:59:59Z', '2023-12-01', '2023-12-01T05:00:00Z', '2024-01-01T05:00:00Z'],
    ['Asia/Kolkata', 1, '2023-12-31T18:30:00Z', '2024-01-01', '2023-12-31T18:30:00Z', '2024-01-31T18:30:00Z'],
    ['America/Sao_Paulo', 4, '2018-11-10T00:00:00Z', '2018-11-04', '2018-11-04T03:00:00Z', '2018-12-04T02:00:00Z'],
    ['Pacific/Apia', 30, '2012-01-05T00:00:00Z', '2011-12-31', '2011-12-30T10:00:00Z', '2012-01-29T10:00:00Z'],
    ['UTC', 1, '1970-01-01T00:00:00Z', '1970-01-01', '1970-01-01T00:00:00Z', '1970-02-01T00:00:00Z'],
    ['UTC', 15, '1970-01-01T00:00:00Z', '1969-12-15', '1969-12-15T00:00:00Z', '1970-01-15T00:00:00Z'],
    ['Pacific/Honolulu', 31, '9998-12-31T23:59:59Z', '9998-12-31', '9998-12-31T10:00:00Z', '9999-01-31T10:00:00Z'],
  ])('%s anchored on %d at %s', (timeZone, anchorDay, instant, name, from, to) => {
    const [start, end] = [from, to].map((text) => `${text.slice(0, 19)}.000000Z`);
    expect(periodContaining(always(timeZone, anchorDay), at(instant))).toEqual({
      name,
      from: start,
      to: end,
      timeZone,
      segment: 0,
    });
  });

  test('the 31st falls on the last day of shorter months and does not drift', () => {
    expect(walk(always('UTC', 31), at('2024-01-31T00:00:00Z'), 6).map(([name]) => name)).toEqual([
      '2024-01-31',
      '2024-02-29',
      '2024-03-31',
      '2024-04-30',
      '2024-05-31',
      '2024-06-30',
    ]);
    expect(walk(always('UTC', 29), at('2023-01-29T00:00:00Z'), 3).map(([name]) => name)).toEqual([
      '2023-01-29',
      '2023-02-28',
      '2023-03-29',
    ]);
  });

  test('a period is found by its name, and only by that', () => {
    const berlin = always('Europe/Berlin', 15);
    expect(periodNamed(berlin, day('2024-03-15'))).toEqual(periodContaining(berlin, at('2024-04-01T00:00:00Z')));
    expect(periodNamed(berlin, day('2024-03-14'))).toBeNull();
    expect(periodNamed(berlin, day('2024-03-01'))).toBeNull();
    expect(periodNamed(always('Pacific/Apia', 30), day('2011-12-30'))).toBeNull();
    expect(periodNamed(always('Pacific/Apia', 30), day('2011-12-31'))?.from).toBe('2011-12-30T10:00:00.000000Z');
  });

  test('an unknown zone is refused', () => {
    expect(codeOf(() => periodContaining(always('Europe/Atlantis', 1), at('2024-01-01T00:00:00Z')))).toBe(
      'UNKNOWN_TIME_ZONE',
    );
  });
});

describe('against luxon', () => {
  test.each(zones)('%s, every anchor, in the years with the odd days', (timeZone) => {
    for (const anchorDay of anchors) {
      for (const year of [2011, 2018, 2024]) {
        const oracle = oraclePeriods(always(timeZone, anchorDay), Date.UTC(year, 0, 10));
        const expected = Array.from({ length: 14 }, () => oracle.next().value).map(({ name, from, to }) => [
          name,
          from,
          to,
        ]);
        expect(walk(always(timeZone, anchorDay), expected[0]?.[1] as Instant, 14)).toEqual(expected);
      }
    }
  });
});

describe('the time zone of the machine does not matter', () => {
  const script = path.join(__dirname, 'support', 'print-calendar.ts');
  const print = async (TZ: string): Promise<{ offsetMinutes: number; results: unknown }> => {
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', script], {
      env: { ...process.env, TZ },
      maxBuffer: 64 * 1024 * 1024,
    });
    return JSON.parse(stdout) as { offsetMinutes: number; results: unknown };
  };

  test('periods and cuts are the same under several', async () => {
    const utc = await print('UTC');
    expect(utc.offsetMinutes).toBe(0);
    expect(Object.keys(utc.results as object)).toHaveLength(zones.length * anchors.length * 4);
    for (const [TZ, offsetMinutes] of [
      ['America/St_Johns', 150],
      ['Pacific/Apia', -780],
      ['Asia/Kolkata', -330],
    ] as const) {
      const other = await print(TZ);
      expect([TZ, other.offsetMinutes]).toEqual([TZ, offsetMinutes]); // or the test would prove nothing
      expect(other.results).toEqual(utc.results);
    }
  });
});

describe('a change of zone or anchor', () => {
  test('takes effect at the next boundary; the period then runs to the first later boundary of the new facts', () => {
    const segments = changeCalendar(always('UTC', 1), { timeZone: 'UTC', anchorDay: 15 }, at('2024-01-20T12:00:00Z'));
    expect(walk(segments, at('2024-01-20T00:00:00Z'), 4)).toEqual([
      ['2024-01-01', at('2024-01-01T00:00:00Z'), at('2024-02-01T00:00:00Z')],
      ['2024-02-01', at('2024-02-01T00:00:00Z'), at('2024-02-15T00:00:00Z')],
      ['2024-02-15', at('2024-02-15T00:00:00Z'), at('2024-03-15T00:00:00Z')],
      ['2024-03-15', at('2024-03-15T00:00:00Z'), at('2024-04-15T00:00:00Z')],
    ]);
  });

  test('westward makes a period of some hours, eastward a shorter first one', () => {
    const west = changeCalendar(
      always('UTC', 1),
      { timeZone: 'America/New_York', anchorDay: 1 },
      at('2024-01-20T12:00:00Z'),
    );
    expect(walk(west, at('2024-01-20T00:00:00Z'), 3)).toEqual([
      ['2024-01-01', at('2024-01-01T00:00:00Z'), at('2024-02-01T00:00:00Z')],
      ['2024-01-31', at('2024-02-01T00:00:00Z'), at('2024-02-01T05:00:00Z')],
      ['2024-02-01', at('2024-02-01T05:00:00Z'), at('2024-03-01T05:00:00Z')],
    ]);
    const east = changeCalendar(always('UTC', 1), { timeZone: 'Asia/Tokyo', anchorDay: 1 }, at('2024-01-20T12:00:00Z'));
    expect(walk(east, at('2024-01-20T00:00:00Z'), 2)).toEqual([
      ['2024-01-01', at('2024-01-01T00:00:00Z'), at('2024-02-01T00:00:00Z')],
      ['2024-02-01', at('2024-02-01T00:00:00Z'), at('2024-02-29T15:00:00Z')],
    ]);
    expect(periodNamed(west, day('2024-01-31'))?.to).toBe(at('2024-02-01T05:00:00Z'));
    expect(periodNamed(west, day('2024-02-01'))?.from).toBe(at('2024-02-01T05:00:00Z'));
  });

  test('learned exactly at a boundary it waits for the next one', () => {
    const segments = changeCalendar(always('UTC', 1), { timeZone: 'UTC', anchorDay: 15 }, at('2024-02-01T00:00:00Z'));
    expect(segments.at(-1)?.from).toBe(at('2024-03-01T00:00:00Z'));
    expect(periodContaining(segments, at('2024-03-01T00:00:00Z')).to).toBe(at('2024-03-15T00:00:00Z'));
  });

  test('replaces one that has not taken effect yet', () => {
    const first = changeCalendar(
      always('UTC', 1),
      { timeZone: 'Asia/Tokyo', anchorDay: 10 },
      at('2024-01-20T00:00:00Z'),
    );
    const second = changeCalendar(first, { timeZone: 'UTC', anchorDay: 5 }, at('2024-01-21T00:00:00Z'));
    expect(second).toEqual([
      { timeZone: 'UTC', anchorDay: 1, from: null },
      { timeZone: 'UTC', anchorDay: 5, from: at('2024-02-01T00:00:00Z') },
    ]);
  });

  test('waits a boundary longer where two periods would begin on the same local day', () => {
    const west = changeCalendar(
      always('UTC', 1),
      { timeZone: 'America/New_York', anchorDay: 1 },
      at('2024-01-20T12:00:00Z'),
    );
    // In the five hours of the period 2024-01-31; Honolulu's 31 January lasts until 10:00 UTC.
    const further = changeCalendar(west, { timeZone: 'Pacific/Honolulu', anchorDay: 1 }, at('2024-02-01T02:00:00Z'));
    expect(walk(further, at('2024-02-01T02:00:00Z'), 4).map(([name]) => name)).toEqual([
      '2024-01-31',
      '2024-02-01',
      '2024-02-29',
      '2024-03-01',
    ]);
  });

  test('versions of facts become segments: one that never took effect is gone, further properties stay', () => {
    const version = (number: number, billingAnchorDay: number, from: string | null) => ({
      version: number,
      timeZone: 'UTC',
      billingAnchorDay,
      calendarFrom: from === null ? null : at(from),
    });
    const versions = [
      version(1, 1, null),
      version(2, 2, null),
      version(3, 3, '2024-02-01T00:00:00Z'),
      version(4, 4, '2024-04-01T00:00:00Z'),
      version(5, 5, '2024-03-01T00:00:00Z'),
      version(6, 6, '2024-03-01T00:00:00Z'),
    ];
    expect(calendarOf(versions).map((segment) => segment.version)).toEqual([2, 3, 6]);
    const from = at('2024-02-01T00:00:00Z');
    expect(calendarOf(versions)[1]).toMatchObject({ timeZone: 'UTC', anchorDay: 3, from });
    expect(calendarOf([])).toEqual([]);
  });

  test('new facts hold from the next boundary on, and as long as before where zone and anchor stay', () => {
    const learnedAt = at('2024-01-20T00:00:00Z');
    const first = { timeZone: 'UTC', billingAnchorDay: 1, calendarFrom: null };
    const second = { ...first, billingAnchorDay: 15, calendarFrom: at('2023-05-01T00:00:00Z') };
    expect(calendarFromOf([], first, learnedAt)).toBeNull();
    expect(calendarFromOf([first], first, learnedAt)).toBeNull();
    expect(calendarFromOf([first, second], second, learnedAt)).toBe(second.calendarFrom);
    expect(calendarFromOf([first], second, learnedAt)).toBe(at('2024-02-01T00:00:00Z'));
    expect(calendarFromOf([first, second], { ...second, timeZone: 'Asia/Tokyo' }, learnedAt)).toBe(
      at('2024-02-15T00:00:00Z'),
    );
  });

  test('only the last of the versions with one beginning counts, also when they are not reduced', () => {
    const from = at('2024-02-01T00:00:00Z');
    const segments: CalendarSegment[] = [
      ...always('UTC', 1),
      { timeZone: 'UTC', anchorDay: 20, from },
      { timeZone: 'UTC', anchorDay: 10, from },
    ];
    expect(periodContaining(segments, from)).toMatchObject({ to: at('2024-02-10T00:00:00Z'), segment: 2 });
    expect(periodContaining(segments, addMs(from, -1))).toMatchObject({ to: from, segment: 0 });
  });
});
