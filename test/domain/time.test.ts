import fc from 'fast-check';
import { compareText } from '../../src/domain/compare-text.js';
import { civilFromDays, daysInMonth, daysSinceEpoch } from '../../src/domain/time/civil.js';
import { parseDuration } from '../../src/domain/time/duration.js';
import {
  addMs,
  endOfInstants,
  firstInstant,
  instantToMicros,
  instantToMs,
  isHourAligned,
  isWithin,
  microsToInstant,
  msToInstant,
  parseInstant,
  startOfHour,
} from '../../src/domain/time/instant.js';
import { addDays, civilDate, parseLocalDate, parsePeriodName } from '../../src/domain/time/local-date.js';
import type { Instant, LocalDate } from '../../src/domain/values.js';
import { codeOf } from './support/failures.js';

describe('parseInstant', () => {
  test.each([
    ['Z', '2024-01-15T10:00:00Z', '2024-01-15T10:00:00.000000Z'],
    ['lower case', '2024-01-15t10:00:00z', '2024-01-15T10:00:00.000000Z'],
    ['zero offset', '2024-01-15T10:00:00+00:00', '2024-01-15T10:00:00.000000Z'],
    ['unknown local offset', '2024-01-15T10:00:00-00:00', '2024-01-15T10:00:00.000000Z'],
    ['east', '2024-01-15T10:00:00+05:30', '2024-01-15T04:30:00.000000Z'],
    ['west over the year', '2023-12-31T23:59:59-00:01', '2024-01-01T00:00:59.000000Z'],
    ['east over a leap day', '2024-03-01T00:00:00+00:01', '2024-02-29T23:59:00.000000Z'],
    ['far offset', '2024-01-01T00:00:00-23:59', '2024-01-01T23:59:00.000000Z'],
    ['one fraction digit', '2024-01-15T10:00:00.5Z', '2024-01-15T10:00:00.500000Z'],
    ['six', '2024-01-15T10:00:00.123456Z', '2024-01-15T10:00:00.123456Z'],
    ['truncated, never rounded up', '2024-01-15T10:00:00.999999999999Z', '2024-01-15T10:00:00.999999Z'],
    ['fraction and offset', '2024-01-15T10:00:00.25+01:00', '2024-01-15T09:00:00.250000Z'],
    ['leap day', '2000-02-29T00:00:00Z', '2000-02-29T00:00:00.000000Z'],
    ['the first instant', '1970-01-01T00:00:00Z', '1970-01-01T00:00:00.000000Z'],
    ['the first instant, written in 1969', '1969-12-31T23:00:00-01:00', '1970-01-01T00:00:00.000000Z'],
    ['the last one', '9998-12-31T23:59:59.999999Z', '9998-12-31T23:59:59.999999Z'],
  ])('%s', (_name, text, expected) => {
    expect(parseInstant(text)).toBe(expected);
  });

  test.each([
    ['empty', ''],
    ['a date', '2024-01-15'],
    ['a space instead of T', '2024-01-15 10:00:00Z'],
    ['30 February', '2024-02-30T00:00:00Z'],
    ['29 February of a common year', '2023-02-29T00:00:00Z'],
    ['29 February 2100', '2100-02-29T00:00:00Z'],
    ['31 April', '2024-04-31T00:00:00Z'],
    ['day 0', '2024-01-00T00:00:00Z'],
    ['month 0', '2024-00-10T00:00:00Z'],
    ['month 13', '2024-13-10T00:00:00Z'],
    ['hour 24', '2024-01-15T24:00:00Z'],
    ['minute 60', '2024-01-15T10:60:00Z'],
    ['a leap second', '2016-12-31T23:59:60Z'],
    ['no seconds', '2024-01-15T10:00Z'],
    ['basic format', '20240115T100000Z'],
    ['a point without digits', '2024-01-15T10:00:00.Z'],
    ['a comma', '2024-01-15T10:00:00,5Z'],
    ['a letter in a number', '2024-01-1xT10:00:00Z'],
    ['a sign in a number', '2024-01-+5T10:00:00Z'],
    ['something after Z', '2024-01-15T10:00:00Zx'],
    ['offset without colon', '2024-01-15T10:00:00+0100'],
    ['offset of hours', '2024-01-15T10:00:00+01'],
    ['offset hour 24', '2024-01-15T10:00:00+24:00'],
    ['offset minute 60', '2024-01-15T10:00:00+01:60'],
    ['a zone name', '2024-01-15T10:00:00[UTC]'],
    ['before 1970', '1969-12-31T23:59:59.999999Z'],
    ['1970 only in its own offset', '1970-01-01T00:59:59+01:00'],
    ['after 9998', '9999-01-01T00:00:00Z'],
    ['after 9998 in UTC', '9998-12-31T23:59:59-00:01'],
    ['beyond four digits', '9999-12-31T23:59:59-23:59'],
    ['five-digit year', '10000-01-01T00:00:00Z'],
    ['year 0', '0000-01-01T00:00:00+12:00'],
    ['negative year', '-001-01-01T00:00:00Z'],
    ['a U instead of T', '2024-01-15U10:00:00Z'],
    ['a very long fraction', `2024-01-15T10:00:00.${'0'.repeat(100)}Z`],
    ['full-width digits', '２０２４-01-15T10:00:00Z'],
    ['a number', 1705312800000],
    ['a Date', new Date(0)],
    ['null', null],
  ])('refuses %s', (_name, text) => {
    expect(codeOf(() => parseInstant(text, '/event_time'))).toBe('INVALID_INSTANT');
  });

  test.each(['2024-01-15T10:00:00', '2024-01-15T10:00:00.123'])('refuses %s for its missing offset', (text) => {
    expect(codeOf(() => parseInstant(text))).toBe('INSTANT_WITHOUT_OFFSET');
  });

  test('an impossible date is named before a missing offset', () => {
    expect(codeOf(() => parseInstant('2024-02-30T10:00:00'))).toBe('INVALID_INSTANT');
  });
});

describe('instants', () => {
  const at = '2024-01-15T10:59:59.123456Z' as Instant;

  test('as milliseconds are rounded down, as microseconds exact', () => {
    expect(instantToMs(at)).toBe(Date.UTC(2024, 0, 15, 10, 59, 59, 123));
    expect(instantToMicros(at)).toBe(BigInt(Date.UTC(2024, 0, 15, 10, 59, 59, 123)) * 1000n + 456n);
    expect(msToInstant(-1)).toBe('1969-12-31T23:59:59.999000Z');
    expect(microsToInstant(-1n)).toBe('1969-12-31T23:59:59.999999Z');
    expect(addMs(at, 1000)).toBe('2024-01-15T11:00:00.123456Z');
    expect(addMs(at, -60_000)).toBe('2024-01-15T10:58:59.123456Z');
  });

  test('know their hour', () => {
    expect(startOfHour(at)).toBe('2024-01-15T10:00:00.000000Z');
    expect(isHourAligned(at)).toBe(false);
    expect(isHourAligned(startOfHour(at))).toBe(true);
    expect(isHourAligned('2024-01-15T10:30:00.000000Z' as Instant)).toBe(false);
  });

  test('belong to half-open intervals', () => {
    const interval = { from: startOfHour(at), to: at };
    expect([isWithin(interval.from, interval), isWithin(interval.to, interval)]).toEqual([true, false]);
  });

  test('outside the years 1 to 9999 and fractions of milliseconds are defects', () => {
    expect(() => msToInstant(Date.UTC(9999, 11, 31) + 86_400_000)).toThrow(/invariant/);
    expect(() => msToInstant(0.5)).toThrow(/invariant/);
    expect(() => msToInstant(NaN)).toThrow(/invariant/);
  });
});

describe('laws of instants', () => {
  const micros = fc.bigInt({ min: 0n, max: BigInt(Date.UTC(9999, 0, 1)) * 1000n - 1n });
  const offsets = fc.integer({ min: -1439, max: 1439 });

  test('microseconds and text say the same, and text order is time order', () => {
    fc.assert(
      fc.property(micros, micros, (a, b) => {
        const [textA, textB] = [microsToInstant(a), microsToInstant(b)];
        expect(instantToMicros(textA)).toBe(a);
        expect(textA).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
        expect(textA.slice(0, 23)).toBe(new Date(Number(a / 1000n)).toISOString().slice(0, 23));
        expect(compareText(textA, textB)).toBe(a < b ? -1 : a > b ? 1 : 0);
        expect(firstInstant <= textA && textA < endOfInstants).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  test('an instant reads the same in every offset (against Date)', () => {
    fc.assert(
      fc.property(micros, offsets, fc.integer({ min: 0, max: 999 }), (value, offset, nanos) => {
        const instant = microsToInstant(value);
        const local = new Date(Number(value / 1000n) + offset * 60_000).toISOString();
        fc.pre(local.length === 24 && local > '1970' && local < '9999');
        const sign = offset < 0 ? '-' : '+';
        const [hours, minutes] = [Math.floor(Math.abs(offset) / 60), Math.abs(offset) % 60].map((part) =>
          String(part).padStart(2, '0'),
        );
        const text = `${local.slice(0, 19)}${instant.slice(19, 26)}${String(nanos).padStart(3, '0')}${sign}${hours}:${minutes}`;
        expect(parseInstant(text)).toBe(instant);
      }),
      { numRuns: 1000 },
    );
  });

  test('whatever the text, the answer is an instant of the fixed form or a refusal', () => {
    const pieces = fc.constantFrom(
      '2024-02-29',
      '2023-02-29',
      'T',
      't',
      '10:00:00',
      '.5',
      '.',
      'Z',
      'z',
      '+01:00',
      '-',
      '0',
      'é',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(pieces, { maxLength: 8 }).map((list) => list.join('')),
        ),
        (text) => {
          let result: Instant;
          try {
            result = parseInstant(text);
          } catch {
            expect(['INVALID_INSTANT', 'INSTANT_WITHOUT_OFFSET']).toContain(codeOf(() => parseInstant(text)));
            return;
          }
          expect(new Date(result).toISOString().slice(0, 23)).toBe(result.slice(0, 23));
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('days and dates say the same, through all leap rules', () => {
    for (let days = -719_162; days < 2_932_896; days += 97) {
      const { year, month, day } = civilFromDays(days);
      expect(daysSinceEpoch(year, month, day)).toBe(days);
      expect(day).toBeLessThanOrEqual(daysInMonth(year, month));
    }
    expect(civilFromDays(11_016)).toEqual({ year: 2000, month: 2, day: 29 });
  });
});

describe('parseDuration', () => {
  test.each([
    ['PT0S', 0],
    ['PT1S', 1_000],
    ['PT0.25S', 250],
    ['PT0.001S', 1],
    ['PT90M', 5_400_000],
    ['PT1H', 3_600_000],
    ['PT1H30M15S', 5_415_000],
    ['P1D', 86_400_000],
    ['P1DT12H', 129_600_000],
    ['P2W', 1_209_600_000],
    ['P1W1D', 691_200_000],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each([
    '',
    'P',
    'PT',
    'P1DT',
    '1H',
    'PT1',
    'P1H',
    'PT1D',
    'P1M',
    'P1Y',
    '-PT1H',
    'PT-1H',
    'PT1.5H',
    'PT.5S',
    'PT1S1M',
    'pt1h',
    'PT0.0001S',
    'P4000D',
    'PT999999999999S',
    3600,
    null,
  ])('refuses %s', (text) => {
    expect(codeOf(() => parseDuration(text, '/invoice_delay'))).toBe('INVALID_DURATION');
  });
});

describe('local dates', () => {
  test.each([
    ['2024-01-15', '2024-01-15'],
    ['2024-01', '2024-01-01'],
    ['2024-02-29', '2024-02-29'],
  ])('period %s is %s', (text, expected) => {
    expect(parsePeriodName(text)).toBe(expected);
  });

  test.each([
    '',
    '2024',
    '2024-13',
    '2024-00',
    '2024-1',
    '2023-02-29',
    '2024-01-32',
    '2024-01-15T00:00:00Z',
    '1969-12',
    '9999-01',
    ' 2024-01',
    202401,
    null,
  ])('refuses period %s', (text) => {
    expect(codeOf(() => parsePeriodName(text))).toBe('INVALID_PERIOD');
  });

  test('a date is a whole date', () => {
    expect(parseLocalDate('2024-12-31')).toBe('2024-12-31');
    expect(codeOf(() => parseLocalDate('2024-12'))).toBe('INVALID_DATE');
    expect(codeOf(() => parseLocalDate('2024-12-32'))).toBe('INVALID_DATE');
  });

  test('days are added over months and years', () => {
    expect(addDays('2024-02-28' as LocalDate, 1)).toBe('2024-02-29');
    expect(addDays('2024-12-31' as LocalDate, 1)).toBe('2025-01-01');
    expect(addDays('2024-03-01' as LocalDate, -1)).toBe('2024-02-29');
    expect(civilDate('2024-03-01' as LocalDate)).toEqual({ year: 2024, month: 3, day: 1 });
  });
});
