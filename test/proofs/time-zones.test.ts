/**
 * Hours, local days and local months of odd zones, metered, closed and reconciled on Postgres: as luxon and plain loops have them, and
 * the same whatever zone the machine, and whatever zone and formats the database, would have by itself.
 */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { DateTime } from 'luxon';
import pg from 'pg';
import type { Instant } from '../../src/domain/values.js';
import { oraclePeriods } from '../calendar/support/luxon-oracle.js';
import { createTestDatabase } from '../support/postgres.js';
import { codeOf, zonedEvents, zonedMeters, zonedScenes } from './support/zoned-scenes.js';
import type { ZonedEvent, ZonedMeter, ZonedScene } from './support/zoned-scenes.js';

interface Window {
  readonly windowStart: Instant;
  readonly windowEnd: Instant;
  readonly quantity: string;
  readonly eventCount: number;
}

interface Result {
  readonly bounds: { readonly period: string; readonly from: Instant; readonly to: Instant };
  readonly meters: readonly {
    readonly total: Window & { readonly meter: string };
    readonly windows: readonly Window[];
  }[];
  readonly revisions: number;
  readonly result: string;
}

interface Printed {
  readonly offsetMinutes: number;
  readonly results: Readonly<Record<string, Result>>;
}

/** @param settings of the database, for every connection that says nothing else */
async function print(TZ: string, settings: Readonly<Record<string, string>>): Promise<Printed> {
  const database = await createTestDatabase();
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  for (const [name, value] of Object.entries(settings))
    await client.query(`ALTER DATABASE ${new URL(database.url).pathname.slice(1)} SET ${name} TO '${value}'`);
  await client.end();
  const script = path.join(__dirname, 'support', 'print-zoned-usage.ts');
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', script], {
    env: { ...process.env, TZ, DATABASE_URL: database.url },
    maxBuffer: 64 * 1024 * 1024,
  });
  await database.drop();
  return JSON.parse(stdout) as Printed;
}

let utc: Printed;
beforeAll(async () => {
  utc = await print('UTC', {});
}, 300_000);

test.each([
  ['America/St_Johns', 150, { timezone: 'Asia/Kolkata', datestyle: 'SQL, DMY', intervalstyle: 'sql_standard' }],
  ['Pacific/Apia', -780, { timezone: 'America/Sao_Paulo', datestyle: 'German', extra_float_digits: '0' }],
  ['Europe/Berlin', -120, { timezone: 'Pacific/Chatham', bytea_output: 'escape' }],
] as const)(
  'on a machine in %s, and a database with a zone of its own, everything is the same',
  async (TZ, offsetMinutes, settings) => {
    const other = await print(TZ, settings);
    expect([utc.offsetMinutes, other.offsetMinutes]).toEqual([0, offsetMinutes]); // or the test would prove nothing
    expect(other.results).toEqual(utc.results);
  },
  300_000,
);

// The oracle -----------------------------------------------------------------------------------------------------------

const msOf = (instant: string): number => Date.parse(`${instant.slice(0, 23)}Z`);
const microsOf = (ms: number): bigint => BigInt(ms) * 1_000n;

interface Stretch {
  readonly from: number;
  readonly to: number;
}

/** Where a window of that size that contains the moment begins: an hour of UTC, a local day, a local month. */
function startOf(ms: number, size: ZonedMeter[1], timeZone: string): number {
  const local = DateTime.fromMillis(ms, { zone: timeZone });
  const day = local.startOf('day').toMillis();
  if (size === 'hour') return Math.max(Math.floor(ms / 3_600_000) * 3_600_000, day);
  return size === 'day' ? day : local.startOf('month').startOf('day').toMillis();
}

/** The windows that tile the period, found by looking at every quarter of an hour. */
function windowsOf(period: Stretch, size: ZonedMeter[1], timeZone: string): readonly Stretch[] {
  const starts: number[] = [];
  for (let ms = period.from; ms < period.to; ms += 900_000) {
    const start = Math.max(startOf(ms, size, timeZone), period.from);
    if (start !== starts.at(-1)) starts.push(start);
  }
  return starts.map((from, index) => ({ from, to: starts[index + 1] ?? period.to }));
}

/** null: the window does not exist. */
function quantityOf(aggregation: ZonedMeter[0], events: readonly ZonedEvent[], window: Stretch): string | null {
  const [from, to] = [microsOf(window.from), microsOf(window.to)];
  const inside = events.filter(({ micros }) => micros >= from && micros < to);
  const values = inside.map(({ value }) => value);
  if (aggregation === 'weighted_sum') {
    const opening = events.filter(({ micros }) => micros < from).reduce((sum, { value }) => sum + value, 0);
    if (inside.length === 0 && opening === 0) return null;
    const integral = inside.reduce((sum, { micros, value }) => sum + BigInt(value) * (to - micros), 0n);
    return quotient(integral + BigInt(opening) * (to - from), to - from);
  }
  if (inside.length === 0) return null;
  switch (aggregation) {
    case 'count':
      return String(values.length);
    case 'sum':
      return String(values.reduce((sum, value) => sum + value, 0));
    case 'min':
      return String(Math.min(...values));
    case 'max':
      return String(Math.max(...values));
    case 'unique_count':
      return String(new Set(values).size);
    case 'latest':
      return String(inside.reduce((a, b) => (isLater(b, a) ? b : a)).value);
  }
}

const isLater = (a: ZonedEvent, b: ZonedEvent): boolean =>
  a.micros === b.micros ? a.eventId > b.eventId : a.micros > b.micros;

/** Half-even at the twelfth place, in plain notation. */
function quotient(dividend: bigint, divisor: bigint): string {
  const unit = 10n ** 12n;
  const size = (dividend < 0n ? -dividend : dividend) * unit;
  const [whole, twice] = [size / divisor, 2n * (size % divisor)];
  const rounded = twice > divisor || (twice === divisor && whole % 2n === 1n) ? whole + 1n : whole;
  const fraction = (rounded % unit).toString().padStart(12, '0').replace(/0+$/, '');
  const sign = dividend < 0n && rounded > 0n ? '-' : '';
  return `${sign}${rounded / unit}${fraction === '' ? '' : `.${fraction}`}`;
}

function periodOf({ timeZone, anchorDay, at }: ZonedScene): Stretch & { readonly name: string } {
  for (const { name, from, to } of oraclePeriods([{ timeZone, anchorDay, from: null }], Date.parse(at)))
    if (msOf(to) > Date.parse(at)) return { name, from: msOf(from), to: msOf(to) };
  throw new Error('periods have no end');
}

describe.each(zonedScenes.map((scene) => [scene.timeZone, scene.anchorDay, scene] as const))(
  '%s, anchored on %i',
  (timeZone, _anchor, scene) => {
    const period = periodOf(scene);
    const events = zonedEvents(scene);
    const result = (): Result => utc.results[scene.customerId] as Result;

    test('its period is that of luxon, closes and reconciles', () => {
      const { bounds, revisions, result: reconciled } = result();
      expect([bounds.period, msOf(bounds.from), msOf(bounds.to)]).toEqual([period.name, period.from, period.to]);
      expect(revisions).toBeGreaterThan(0);
      expect(reconciled).toBe('equal');
    });

    test.each(zonedMeters.map((meter) => [codeOf(meter), meter] as const))('%s', (code, [aggregation, size]) => {
      const usage = result().meters.find(({ total }) => total.meter === code);
      const windows = windowsOf(period, size, timeZone).flatMap((window) => {
        const quantity = quantityOf(aggregation, events, window);
        return quantity === null ? [] : [[window.from, window.to, quantity]];
      });
      expect(
        usage?.windows.map(({ windowStart, windowEnd, quantity }) => [msOf(windowStart), msOf(windowEnd), quantity]),
      ).toEqual(windows);
      expect(usage?.total.quantity).toBe(quantityOf(aggregation, events, period));
    });
  },
);

test('the scenes have days of every odd length', () => {
  const lengths = zonedScenes.flatMap((scene) =>
    windowsOf(periodOf(scene), 'day', scene.timeZone).map(({ from, to }) => (to - from) / 3_600_000),
  );
  expect([...new Set(lengths)].sort((a, b) => a - b)).toEqual([23, 23.5, 24, 24.5, 25]);
});
