/**
 * SQL aggregation equals the pure fold for any meters: random aggregations, filters, groups and counts, in versions that begin at
 * random instants and local dates, in a zone with half hours, over events whose ids and sources order differently in UTF-8 and UTF-16.
 * (aggregation.test.ts has fixed meters, and odd values, adjustments and backfills.)
 */
import fc from 'fast-check';
import { periodContaining } from '../../src/calendar/calendar.js';
import { cutsOf, startOfLocalDay, windowBoundsOf } from '../../src/calendar/time-zones.js';
import { aggregate, type MeteredEvent } from '../../src/domain/metering/fold.js';
import { addsUp, aggregations, type Meter, type MeterPool } from '../../src/domain/metering/meter.js';
import { holdsAtAll, type MeterInForce, metersInForce } from '../../src/domain/metering/meter-versions.js';
import { usageBetween } from '../../src/domain/metering/period-usage.js';
import {
  instantToMicros,
  instantToMs,
  microsToInstant,
  msPerHour,
  msToInstant,
} from '../../src/domain/time/instant.js';
import type { Instant, LocalDate } from '../../src/domain/values.js';
import { betweenSql, isUsageSql } from '../../src/storage/aggregation-periods.js';
import { decimalSql, SqlParameters } from '../../src/storage/aggregation-sql-fragments.js';
import { usageSql, withSql } from '../../src/storage/aggregation-sql.js';
import { createFixture, type Fixture, instant, metadataOf, meterOf, usageEvent } from './usage-fixture.js';

let fixture: Fixture;
beforeAll(async () => {
  fixture = await createFixture();
});
afterAll(() => fixture.close());

/** Ten days of half hours, with a day of 23.5 and one of 24.5 hours among the zones. */
const periods = (
  [
    ['Australia/Lord_Howe', '2024-04-05T00:00:00Z'],
    ['Australia/Lord_Howe', '2024-10-05T00:00:00Z'],
    ['Asia/Kolkata', '2024-02-20T00:00:00Z'],
    ['Europe/Berlin', '2024-03-31T00:00:00Z'],
  ] as const
).map(([timeZone, at]) => {
  const { from, to } = periodContaining([{ timeZone, anchorDay: 31, from: null }], instant(at));
  return { timeZone, from, to, cuts: cutsOf({ from, to }, timeZone) };
});
type Zoned = (typeof periods)[number];

const property = fc.constantFrom('n', 'text', `"quoted"`);
const meter = fc.record({
  aggregation: fc.constantFrom(...aggregations),
  property,
  isPlain: fc.boolean(),
  groupBy: fc.subarray(['g', 'h']),
  filters: fc.constantFrom<Meter['filters']>({}, {}, {}, { g: ['a', '1.5'] }, { g: ['a'], h: ['true', 'x'] }),
  /** Hours after the period's start; null: since always. Dates are rounded to the day. */
  begins: fc.option(fc.integer({ min: -48, max: 31 * 24 })),
  isDate: fc.boolean(),
});
/** By code its versions, in the order in which they were learned. */
const meterVersions = fc.array(fc.array(meter, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 4 });

function metersOf(drawn: readonly (readonly DrawnMeter[])[], { from, timeZone }: Zoned): readonly Meter[] {
  return drawn.flatMap((versions, code) =>
    versions.map(({ aggregation, property: read, isPlain, begins, isDate, ...rest }, index) => {
      // The first version holds since always, as the registry requires.
      const start = index === 0 || begins === null ? null : msToInstant(hourOf(from) + begins * msPerHour);
      const date = start === null ? null : localDateOf(start, timeZone);
      return meterOf({
        ...rest,
        code: `meter ${code}`,
        version: index + 1,
        aggregation,
        valueProperty: aggregation === 'count' && isPlain ? null : read,
        effectiveFrom: isDate ? date : start,
      });
    }),
  );
}
type DrawnMeter = typeof meter extends fc.Arbitrary<infer T> ? T : never;

const hourOf = (at: Instant): number => Math.floor(instantToMs(at) / msPerHour) * msPerHour;
const localDateOf = (at: Instant, timeZone: string): LocalDate =>
  new Intl.DateTimeFormat('en-CA', { timeZone }).format(new Date(instantToMs(at))) as LocalDate;

/** Around the bounds of periods, hours, days and versions; before the period, too. */
const offsetMicros = fc
  .record({
    hours: fc.integer({ min: -30, max: 31 * 24 }),
    more: fc.constantFrom(0n, 0n, -1n, 1n, 1_800_000_000n, 1_799_999_999n),
  })
  .map(({ hours, more }) => BigInt(hours) * 3_600_000_000n + more);
const id = fc.constantFrom('a', 'A', 'aa', 'é', 'z', '\uFFEE', '\u{1F600}', '\u{1F600}a', '10', '9');
const text = fc.constantFrom('"a"', '"x"', '1.5', '"1.5"', 'true', 'null', '""');
const number = fc.constantFrom('0', '1', '2', '250', '-1', '1.5', '"3"', '"no"', 'null', '12345678901234567890.5');
const event = fc.record({
  id,
  source: fc.constantFrom('', 's', '\uFFEE', '\u{1F600}'),
  offset: offsetMicros,
  metadata: fc.record(
    { n: number, text: fc.oneof(number, text), '"quoted"': number, g: text, h: text },
    { requiredKeys: [] },
  ),
});
const events = fc.uniqueArray(event, {
  selector: (each) => `${each.id} ${each.source}`,
  minLength: 10,
  maxLength: 40,
  size: 'max',
});

async function rowsOf(text_: string, values: readonly unknown[]): Promise<readonly string[]> {
  const { rows } = await fixture.db.pool.query<Record<string, unknown>>(
    `SELECT meter_id, window_start, window_end, group_key, ${decimalSql('quantity')} AS quantity, event_count::int AS n, digest,
       ${decimalSql('closing_level')} AS level, unreadable::int AS unreadable, ${isUsageSql} AS is_usage FROM (${text_}) AS u`,
    [...values],
  );
  const usage = rows.flatMap((row) => (row['is_usage'] === true ? [{ ...row, unreadable: undefined }] : []));
  const unreadable = rows.reduce((total, row) => total + Number(row['unreadable']), 0);
  return [...usage.map(lineOf).sort(), `${unreadable} unreadable`];
}

const lineOf = (row: Readonly<Record<string, unknown>>): string =>
  JSON.stringify([
    ...[row['meter_id'], row['window_start'], row['window_end'], sorted(row['group_key'] as object)],
    ...[row['quantity'], row['n'], row['digest'], row['level'] ?? null],
  ]);
const sorted = (group: object): unknown => Object.entries(group).sort(([a], [b]) => (a < b ? -1 : 1));

type Windows = ReturnType<typeof aggregate>['windows'] | ReturnType<typeof usageBetween>['windows'];
interface Folded {
  readonly windows: Windows;
  readonly unreadable: readonly unknown[];
}

/** One meter at a time, because a window of the fold says a code, which versions share. */
function expected(
  pools: readonly MeterPool<MeterInForce>[],
  usage: (pool: MeterPool<MeterInForce>) => Folded,
): readonly string[] {
  const folded = pools.map((pool) => ({ pool, ...usage(pool) }));
  const lines = folded.flatMap(({ pool, windows }) =>
    windows.map((window) =>
      lineOf({
        ...{ meter_id: pool.meter.meterId, window_start: window.windowStart, window_end: window.windowEnd },
        ...{ group_key: window.group, quantity: window.quantity, n: window.eventCount, digest: window.digest },
        level: 'closingLevel' in window ? window.closingLevel : null,
      }),
    ),
  );
  const unreadable = folded.reduce((total, part) => total + part.unreadable.length, 0);
  return [...lines.sort(), `${unreadable} unreadable`];
}

test('any meters in any versions: the windows of a period, and whatever lies between days, months and bounds, are those of the fold', async () => {
  const seen = { versions: 0, usage: 0 };
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...periods), meterVersions, events, async (period, drawn, list) => {
      const customerId = await fixture.addCustomer();
      const sent = list.map(({ id: eventId, source, offset, metadata }) => {
        const eventTime = microsToInstant(instantToMicros(period.from) + offset);
        const json = Object.entries(metadata).map(([key, value]) => `${JSON.stringify(key)}:${value}`);
        return usageEvent({ customerId, eventId, source, eventTime, metadataJson: `{${json.join(',')}}` });
      });
      await fixture.append(sent);
      const all = sent.map((each): MeteredEvent => ({ ...each, metadata: metadataOf(each.metadataJson) }));
      const meters = metersInForce(metersOf(drawn, period), period, (date) => startOfLocalDay(date, period.timeZone));

      const hours = new SqlParameters();
      const scope = { customerId, cutoff: null, adjusted: false };
      const { ctes, select } = usageSql(hours, { meters, period, scope: { ...scope, ranges: [period] } });
      const pools = meters.map((each) => ({ meter: each, by: each.groupBy }));
      const windows = await rowsOf(
        `${withSql(ctes)} SELECT u.*, NULL::numeric AS closing_level FROM (${select}) AS u`,
        hours.values,
      );
      expect(windows).toEqual(expected(pools, ({ meter: each }) => aggregate(all, [each], period)));

      const whole = meters.filter((each) => !addsUp(each) && holdsAtAll(each));
      for (const size of ['day', 'month'] as const) {
        const bounds = windowBoundsOf(period, period.timeZone, size);
        const asked = whole.flatMap((each) => [[], each.groupBy].map((by) => ({ meter: each, by })));
        if (asked.length === 0) continue;
        const params = new SqlParameters();
        const between = betweenSql(params, { pools: asked, bounds, scope, name: '' });
        const rows = await rowsOf(`${withSql(between.ctes)} SELECT * FROM (${between.select}) AS b`, params.values);
        expect(rows).toEqual(expected(asked, (pool) => usageBetween(all, [pool], bounds)));
      }
      seen.versions += meters.filter(({ inForce }) => inForce !== null && inForce.from < inForce.to).length;
      seen.usage += windows.length - 1;
    }),
    { numRuns: 80, seed: 20240405 },
  );
  // Or the test would prove little.
  expect(seen.versions).toBeGreaterThan(50);
  expect(seen.usage).toBeGreaterThan(1_000);
}, 180_000);
