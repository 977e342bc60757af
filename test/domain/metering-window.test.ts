import fc from 'fast-check';
import { type MeteringPeriod, windowOf } from '../../src/domain/metering/window.js';
import {
  instantToMs,
  isWithin,
  microsToInstant,
  msPerHour,
  msToInstant,
  parseInstant,
} from '../../src/domain/time/instant.js';
import type { Instant } from '../../src/domain/values.js';

const at = (text: string): Instant => parseInstant(text);
const january: MeteringPeriod = { from: at('2024-01-01T00:00:00Z'), to: at('2024-02-01T00:00:00Z'), cuts: [] };
/** Two local days in Kolkata (+05:30): midnight is half past the hour of UTC. */
const kolkata: MeteringPeriod = {
  from: at('2024-01-01T00:00:00+05:30'),
  to: at('2024-01-03T00:00:00+05:30'),
  cuts: [at('2024-01-02T00:00:00+05:30')],
};

test.each([
  ['inside', january, '2024-01-15T10:20:30.5Z', '2024-01-15T10:00:00Z', '2024-01-15T11:00:00Z'],
  ['at its start', january, '2024-01-15T10:00:00Z', '2024-01-15T10:00:00Z', '2024-01-15T11:00:00Z'],
  ['just before its end', january, '2024-01-15T10:59:59.999999Z', '2024-01-15T10:00:00Z', '2024-01-15T11:00:00Z'],
  ['the first', january, '2024-01-01T00:00:00Z', '2024-01-01T00:00:00Z', '2024-01-01T01:00:00Z'],
  ['the last', january, '2024-01-31T23:59:50Z', '2024-01-31T23:00:00Z', '2024-02-01T00:00:00Z'],
  ['half an hour at the period start', kolkata, '2023-12-31T18:45:00Z', '2023-12-31T18:30:00Z', '2023-12-31T19:00:00Z'],
  [
    'half an hour before local midnight',
    kolkata,
    '2024-01-01T18:29:59Z',
    '2024-01-01T18:00:00Z',
    '2024-01-01T18:30:00Z',
  ],
  [
    'half an hour after local midnight',
    kolkata,
    '2024-01-01T18:30:00Z',
    '2024-01-01T18:30:00Z',
    '2024-01-01T19:00:00Z',
  ],
  ['half an hour at the period end', kolkata, '2024-01-02T18:29:59Z', '2024-01-02T18:00:00Z', '2024-01-02T18:30:00Z'],
])('%s', (_name, period, instant, from, to) => {
  expect(windowOf(at(instant), period)).toEqual({ from: at(from), to: at(to) });
});

test.each(['2023-12-31T23:59:59.999999Z', '2024-02-01T00:00:00Z'])('%s is outside January', (instant) => {
  expect(() => windowOf(at(instant), january)).toThrow(/outside the period/);
});

describe('laws', () => {
  const start = Date.UTC(2024, 0, 1);
  const quarterHour = msPerHour / 4;
  const periods = fc
    .tuple(
      fc.integer({ min: 0, max: 100 }),
      fc.uniqueArray(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 12 }),
    )
    .map(([first, steps]) => {
      const bounds = [0, ...steps.sort((a, b) => a - b)].map((step) =>
        msToInstant(start + (first + step) * quarterHour),
      );
      return { from: bounds[0] as Instant, to: bounds.at(-1) as Instant, cuts: bounds.slice(1, -1) };
    });

  test('windows tile the period: no gap, no overlap, none longer than an hour or across a cut', () => {
    fc.assert(
      fc.property(periods, (period) => {
        let cursor = period.from;
        while (cursor < period.to) {
          const window = windowOf(cursor, period);
          expect(window.from).toBe(cursor);
          expect(window.to > cursor).toBe(true);
          expect(instantToMs(window.to) - instantToMs(window.from)).toBeLessThanOrEqual(msPerHour);
          expect(period.cuts.filter((cut) => window.from < cut && cut < window.to)).toEqual([]);
          cursor = window.to;
        }
        expect(cursor).toBe(period.to);
      }),
    );
  });

  test('every instant is in its window, and all instants of a window agree on it', () => {
    fc.assert(
      fc.property(periods, fc.nat(), fc.nat(), (period, a, b) => {
        const length = (instantToMs(period.to) - instantToMs(period.from)) * 1000;
        const instant = microsToInstant(BigInt(instantToMs(period.from) * 1000 + (a % length)));
        const window = windowOf(instant, period);
        expect(isWithin(instant, window)).toBe(true);
        const width = (instantToMs(window.to) - instantToMs(window.from)) * 1000;
        const other = microsToInstant(BigInt(instantToMs(window.from) * 1000 + (b % width)));
        expect(windowOf(other, period)).toEqual(window);
      }),
      { numRuns: 1000 },
    );
  });
});
