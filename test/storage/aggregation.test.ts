/** SQL aggregation equals the pure fold, over random events, adjustments, backfills and cutoffs. */
import fc from 'fast-check';
import { type AggregatedMeter, aggregate, type MeteredEvent } from '../../src/domain/metering/fold.js';
import { usageBetween } from '../../src/domain/metering/period-usage.js';
import type { MeteringPeriod } from '../../src/domain/metering/window.js';
import type { UsageEvent } from '../../src/domain/metering/event.js';
import type { DecimalString, Digest, GroupKey, Instant, Position } from '../../src/domain/values.js';
import { betweenSql, isUsageSql } from '../../src/storage/aggregation-periods.js';
import { usageSql, withSql } from '../../src/storage/aggregation-sql.js';
import { decimalSql, SqlParameters } from '../../src/storage/aggregation-sql-fragments.js';
import { contentHashOf } from '../../src/storage/content-hash.js';
import {
  createFixture,
  type Fixture,
  instant,
  metadataOf,
  meterOf,
  type Replacement,
  usageEvent,
} from './usage-fixture.js';
import { metadataJson } from './random-metadata.js';

/** `SEED=…` repeats a run; fast-check says the seed of one that fails, too. */
const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

let fixture: Fixture;
beforeAll(async () => {
  fixture = await createFixture();
});
afterAll(() => fixture.close());

/** Half-hour bounds and a cut, as in a zone with an offset of 30 minutes that changes its clocks. */
const period: MeteringPeriod = {
  from: instant('2024-01-31T18:30:00Z'),
  to: instant('2024-02-02T18:30:00Z'),
  cuts: [instant('2024-02-01T18:30:00Z')],
};

const meters: readonly AggregatedMeter[] = [
  meterOf({ code: 'calls' }),
  meterOf({ code: 'calls by region', groupBy: ['region'] }),
  meterOf({ code: 'bytes', valueProperty: 'bytes' }),
  meterOf({ code: 'bytes by region and tier', valueProperty: 'bytes', groupBy: ['tier', 'region'] }),
  meterOf({ code: 'premium', valueProperty: 'bytes', filters: { tier: ['premium', '1.5', 'true'] } }),
  meterOf({
    code: 'seconds and bytes',
    valueProperty: `it's "quoted"`,
    filters: { region: ['eu'] },
    groupBy: [`'; DROP TABLE meters --`],
  }),
  meterOf({ code: 'uploads', eventType: 'upload' }),
  meterOf({ code: 'by spelling', filters: { tier: ['1.50', '1', '0'] } }),
  meterOf({ code: 'by value', filters: { tier: ['1.5', '-0', '1e0'], region: ['1', '0', '1.0'] } }),
  meterOf({ code: 'calls by team', groupBy: ['tags.team', 'region'] }),
  meterOf({ code: 'in production', valueProperty: 'bytes', filters: { 'tags.env': ['prod', '1.5', 'true'] } }),
  meterOf({ code: 'tag without a key', groupBy: ['tags.', 'tags'] }),
  meterOf({
    code: 'greatest of a team',
    aggregation: 'max',
    valueProperty: 'bytes',
    groupBy: ['tags.team'],
    filters: { 'tags.env': ['prod'] },
  }),
  meterOf({ code: 'requests', valueProperty: 'bytes', aggregation: 'count' }),
  meterOf({
    code: 'from February on',
    inForce: { from: instant('2024-02-01T18:30:00Z'), to: instant('2024-02-02T18:30:00Z') },
  }),
  meterOf({ code: 'never', inForce: { from: instant('2024-01-31T18:30:00Z'), to: instant('2024-01-31T18:30:00Z') } }),
  ...(['min', 'max', 'latest', 'unique_count', 'weighted_sum'] as const).flatMap((aggregation) => [
    meterOf({ code: aggregation, aggregation, valueProperty: 'bytes' }),
    meterOf({
      code: `${aggregation} by region and tier`,
      aggregation,
      valueProperty: 'bytes',
      groupBy: ['region', 'tier'],
    }),
    meterOf({ code: `${aggregation} in the EU`, aggregation, valueProperty: 'bytes', filters: { region: ['eu'] } }),
  ]),
  meterOf({ code: 'tiers', aggregation: 'unique_count', valueProperty: 'tier' }),
];

/** Bounds of two long windows, of which the first one cuts an hour. */
const bounds = [period.from, instant('2024-02-01T18:30:00Z'), period.to] as const;
const allPools = meters
  .filter(({ aggregation }) => !['count', 'sum'].includes(aggregation))
  .flatMap((meter) =>
    [[], ['region'], meter.groupBy].map((by) => ({ meter, by: by.filter((name) => meter.groupBy.includes(name)) })),
  );

// Around every bound of the period: a microsecond decides.
const times = [
  '2024-01-31T18:29:59.999999Z',
  '2024-01-31T18:30:00Z',
  '2024-01-31T18:59:59.999999Z',
  '2024-01-31T19:00:00Z',
  '2024-02-01T18:00:00Z',
  '2024-02-01T18:29:59.999999Z',
  '2024-02-01T18:30:00Z',
  '2024-02-01T18:45:00.123456Z',
  '2024-02-02T18:29:59.999999Z',
  '2024-02-02T18:30:00Z',
].map(instant);

const content = fc.record({
  eventType: fc.constantFrom('api_call', 'api_call', 'upload'),
  eventTime: fc.constantFrom(...times),
  metadataJson,
});

type Step =
  | { readonly kind: 'events'; readonly contents: readonly Replacement[]; readonly backfill: number | null }
  | { readonly kind: 'adjust'; readonly event: number; readonly replacement: Replacement | null }
  | { readonly kind: 'decide'; readonly backfill: number; readonly decision: 'closed' | 'reverted' };

const backfillCount = 2;
const backfill = fc.nat({ max: backfillCount - 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('events' as const),
      contents: fc.array(content, { minLength: 1, maxLength: 8 }),
      backfill: fc.option(backfill, { freq: 3 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('adjust' as const), event: fc.nat(), replacement: fc.option(content) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('decide' as const),
      backfill,
      decision: fc.constantFrom('closed' as const, 'reverted' as const),
    }),
  },
);

/** What the ledger holds, in plain data. */
interface Model {
  readonly events: { readonly event: UsageEvent; readonly position: bigint; readonly backfill: number | null }[];
  readonly adjustments: {
    readonly event: number;
    readonly position: bigint;
    readonly replacement: Replacement | null;
  }[];
  readonly decisions: { readonly backfill: number; readonly decision: string; readonly position: bigint }[];
}

/** DESIGN 3, word for word. */
function stateAt({ events, adjustments, decisions }: Model, cutoff: bigint): MeteredEvent[] {
  const decided = (backfillIndex: number, decision: string): boolean =>
    decisions.some((row) => row.backfill === backfillIndex && row.decision === decision && row.position <= cutoff);
  return events.flatMap(({ event, position, backfill: of }, index) => {
    if (position > cutoff) return [];
    if (of !== null && (!decided(of, 'closed') || decided(of, 'reverted'))) return [];
    const last = adjustments.filter((row) => row.event === index && row.position <= cutoff).at(-1);
    if (last?.replacement === null) return [];
    const metered = { ...event, ...last?.replacement };
    const full = { ...metered, metadata: metadataOf(metered.metadataJson) };
    return [{ ...full, contentHash: contentHashOf(full) }];
  });
}

/** Applies the steps for a new customer; the cutoffs lie between any two of them. */
async function play(
  customerId: string,
  steps: readonly Step[],
): Promise<{ model: Model; cutoffs: readonly Position[] }> {
  const model: Model = { events: [], adjustments: [], decisions: [] };
  const backfills = [await fixture.addBackfill(customerId), await fixture.addBackfill(customerId)];
  const cutoffs: Position[] = [await fixture.horizon()];
  for (const next of steps) {
    if (next.kind === 'events') {
      const events = next.contents.map((item, i) =>
        usageEvent({ customerId, eventId: `e${model.events.length + i}`, ...item }),
      );
      if (next.backfill === null) await fixture.append(events);
      else await fixture.appendToBackfill(backfills[next.backfill] ?? '', events);
      const position = BigInt(await fixture.horizon());
      model.events.push(...events.map((event) => ({ event, position, backfill: next.backfill })));
    } else if (next.kind === 'adjust') {
      const index = next.event % Math.max(1, model.events.length);
      const target = model.events[index];
      if (target === undefined) continue;
      const position = BigInt(await fixture.adjust(target.event, next.replacement));
      model.adjustments.push({ event: index, position, replacement: next.replacement });
    } else {
      if (model.decisions.some((row) => row.backfill === next.backfill && row.decision === next.decision)) continue;
      const position = BigInt(await fixture.decide(backfills[next.backfill] ?? '', next.decision));
      model.decisions.push({ backfill: next.backfill, decision: next.decision, position });
    }
    cutoffs.push(await fixture.horizon());
  }
  return { model, cutoffs };
}

interface Row {
  readonly meter: string;
  readonly windowStart: Instant;
  readonly windowEnd: Instant;
  readonly group: GroupKey;
  readonly quantity: DecimalString;
  readonly eventCount: string;
  readonly digest: Digest;
  readonly unreadable: string;
}

async function inSql(customerId: string, cutoff: Position | null, adjusted: boolean): Promise<readonly Row[]> {
  const params = new SqlParameters();
  const { ctes, select } = usageSql(params, {
    meters,
    period,
    scope: { customerId, ranges: [period], cutoff, adjusted },
  });
  const { rows } = await fixture.db.pool.query<Row>(
    `${withSql(ctes)} SELECT code AS meter, window_start AS "windowStart", window_end AS "windowEnd", group_key AS "group",
       ${decimalSql('quantity')} AS quantity, event_count AS "eventCount", digest, unreadable FROM (${select}) AS u`,
    [...params.values],
  );
  return rows;
}

/** All at once would be a statement that takes longer to plan than to run. */
const somePools = fc.subarray(allPools, { minLength: 3, maxLength: 5 });

interface SpanRow extends Row {
  readonly closingLevel: DecimalString | null;
  readonly isUsage: boolean;
}

async function betweenInSql(
  pools: typeof allPools,
  { customerId, cutoff, adjusted }: { customerId: string; cutoff: Position | null; adjusted: boolean },
): Promise<readonly SpanRow[]> {
  const params = new SqlParameters();
  const { ctes, select } = betweenSql(params, { pools, bounds, scope: { customerId, cutoff, adjusted }, name: '' });
  const { rows } = await fixture.db.pool.query<SpanRow>(
    `${withSql(ctes)} SELECT code AS meter, window_start AS "windowStart", window_end AS "windowEnd", group_key AS "group",
       ${decimalSql('quantity')} AS quantity, event_count AS "eventCount", digest, unreadable,
       ${decimalSql('closing_level')} AS "closingLevel", ${isUsageSql} AS "isUsage" FROM (${select}) AS u`,
    [...params.values],
  );
  return rows;
}

const byText = (list: readonly unknown[]): string[] => list.map((item) => JSON.stringify(item)).sort();
const sortedGroup = (group: GroupKey): [string, string | null][] =>
  Object.entries(group).sort(([a], [b]) => (a < b ? -1 : 1));

test(`any facts, any cutoff: what does not add up, between any bounds and by any pool, is that of the fold, seed ${seed}`, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 7 }), somePools, async (steps, pools) => {
      const customerId = await fixture.addCustomer();
      const { model, cutoffs } = await play(customerId, steps);
      for (const cutoff of [cutoffs.at(-2) ?? null, null]) {
        const expected = usageBetween(stateAt(model, BigInt(cutoff ?? cutoffs.at(-1) ?? 0)), pools, bounds);
        for (const adjusted of model.adjustments.length === 0 ? [true, false] : [true]) {
          const rows = await betweenInSql(pools, { customerId, cutoff, adjusted });
          expect(
            byText(
              rows
                .filter(({ isUsage }) => isUsage)
                .map((w) => [
                  ...[w.meter, w.windowStart, w.windowEnd, sortedGroup(w.group)],
                  ...[w.quantity, Number(w.eventCount), w.digest, w.closingLevel],
                ]),
            ),
          ).toEqual(
            byText(
              expected.windows.map((w) => [
                ...[w.meter, w.windowStart, w.windowEnd, sortedGroup(w.group)],
                ...[w.quantity, w.eventCount, w.digest, w.closingLevel],
              ]),
            ),
          );
          const unreadable = rows.reduce((sum, row) => sum + Number(row.unreadable), 0);
          expect(unreadable).toBe(expected.unreadable.length);
        }
      }
    }),
    { numRuns: 100, seed },
  );
});

test(`any facts, any cutoff: windows, quantities, counts, digests and unreadable values are those of the fold, seed ${seed}`, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 7 }), async (steps) => {
      const customerId = await fixture.addCustomer();
      const { model, cutoffs } = await play(customerId, steps);
      for (const cutoff of [...cutoffs, null]) {
        const expected = aggregate(stateAt(model, BigInt(cutoff ?? cutoffs.at(-1) ?? 0)), meters, period);
        const variants = model.adjustments.length === 0 ? [true, false] : [true];
        for (const adjusted of variants) {
          const rows = await inSql(customerId, cutoff, adjusted);
          const windows = rows.filter((row) => row.eventCount !== '0');
          expect(
            byText(
              windows.map((w) => [
                w.meter,
                w.windowStart,
                w.windowEnd,
                sortedGroup(w.group),
                w.quantity,
                Number(w.eventCount),
                w.digest,
              ]),
            ),
          ).toEqual(
            byText(
              expected.windows.map((w) => [
                w.meter,
                w.windowStart,
                w.windowEnd,
                sortedGroup(w.group),
                w.quantity,
                w.eventCount,
                w.digest,
              ]),
            ),
          );
          const unreadable = rows.reduce((sum, row) => sum + Number(row.unreadable), 0);
          expect(unreadable).toBe(expected.unreadable.length);
        }
      }
    }),
    { numRuns: 60, seed },
  );
});
