/**
 * The rules of a time zone change after a period was stored: a finding says so, and nothing moves. The period is invoiced and corrected
 * with the bounds that it has, the ones beside it begin and end there, and every event is counted once (RULES 22).
 */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { documentsOfPeriod } from '../../src/billing/documents-of-period.js';
import { reconcilePeriod } from '../../src/billing/reconcile-period.js';
import { addDecimals } from '../../src/domain/decimal.js';
import { addMs, instantToMs, msPerHour, parseInstant } from '../../src/domain/time/instant.js';
import type { Instant, LocalDate } from '../../src/domain/values.js';
import type { BillingPeriod } from '../../src/storage/types.js';
import { createActivityFixture } from '../activities/fixture.js';
import type { ActivityFixture } from '../activities/fixture.js';
import { usageEvent } from '../storage/usage-fixture.js';

const timeZone = 'Asia/Kolkata';
/** Midnight there, by the rules of today. */
const february = parseInstant('2024-02-01T00:00:00+05:30');
const months = ['2024-01-01', '2024-02-01'] as const;
const billingDay = '2024-03-05' as LocalDate;
const group = 'all';

let fixture: ActivityFixture;
let sql: pg.Client;
beforeAll(async () => {
  fixture = await createActivityFixture();
  sql = new pg.Client({ connectionString: fixture.url });
  await sql.connect();
});
afterAll(async () => {
  await sql.end();
  await fixture.close();
});

/** January, as rules that put its end so many hours later had cut it. */
async function storeJanuary(customerId: string, hours: number): Promise<Instant> {
  const end = addMs(february, hours * msPerHour);
  await sql.query(
    `INSERT INTO billing_periods (customer_id, period, period_start, period_end, customer_version_id, time_zone, tzdata_version, cuts)
     SELECT customer_id, '2024-01-01', $2, $3, customer_version_id, $4, '1999a', '{}' FROM customer_versions WHERE customer_id = $1`,
    [customerId, parseInstant('2024-01-01T00:00:00+05:30'), end, timeZone],
  );
  return end;
}

const send = (customerId: string, ...times: readonly Instant[]): Promise<unknown> =>
  fixture.storage.ledger.append(
    times.map((eventTime) => usageEvent({ customerId, eventId: randomUUID(), eventTime })),
    [],
  );

async function told(customerId: string): Promise<readonly (readonly [string, number])[]> {
  const { relay } = fixture.storage;
  await relay.plan(group, (await relay.acquire(group)).epoch);
  const ranges = (await relay.due(0, 1_000)).filter((range) => range.customerId === customerId);
  await relay.markDelivered(ranges);
  return ranges.map(({ period, eventCount }) => [period, eventCount] as const).sort();
}

async function invoice(customerId: string, period: LocalDate): Promise<void> {
  const { storage, activities, run } = fixture;
  const request = { requestId: randomUUID(), customerId, period, billingDay, forced: false, reason: null };
  await storage.periods.requestInvoicing(request);
  expect(await run(activities.issueChunk, { billingDay, limit: 10 })).toMatchObject({ held: 0 });
}

async function correct(customerId: string, period: LocalDate): Promise<void> {
  const { activities, run } = fixture;
  const { reRatingId } = await run(activities.startCorrection, { customerId, period });
  const step = { reRatingId: reRatingId ?? '', attempt: 1, limit: 10 };
  await run(activities.compareReRating, step);
  await run(activities.correctReRating, step);
  await run(activities.endReRating, { ...step, rejected: false });
}

async function periodsOf(customerId: string): Promise<readonly BillingPeriod[]> {
  const found = months.map((name) => fixture.storage.periods.periodNamed(customerId, name as LocalDate));
  return (await Promise.all(found)).flatMap((period) => period ?? []);
}

/** Calls at 0.10 by period, and that the chain of each holds. */
async function callsBilled(customerId: string): Promise<readonly string[]> {
  const billed: string[] = [];
  for (const period of await periodsOf(customerId)) {
    const { report } = await reconcilePeriod(fixture.storage, period);
    expect(report).toMatchObject({ state: 'invoiced', differences: [] });
    billed.push(addDecimals((await documentsOfPeriod(fixture.storage, period)).map(({ total }) => total)));
  }
  return billed;
}

test.each([2, -2])('the stored end lies %i hours beyond that of today', async (hours) => {
  const customerId = `moved-by-${hours}`;
  await fixture.addCustomer(customerId, { timeZone });
  const end = await storeJanuary(customerId, hours);
  const before = await fixture.storage.periods.periodNamed(customerId, months[0] as LocalDate);
  const around = [-3, -2, -1.5, -1, 0, 1, 1.5, 2, 3].map((each) => addMs(february, each * msPerHour));
  const [early, late] = [around.filter((at) => at < end).length, around.filter((at) => at >= end).length];
  await send(customerId, ...around, ...around.map((at) => addMs(at, -1)));

  // The relay makes February where January ends.
  const stored = [...around, ...around.map((at) => addMs(at, -1))];
  const inJanuary = stored.filter((at) => at < end).length;
  expect(await told(customerId)).toEqual([
    [months[0], inJanuary],
    [months[1], stored.length - inJanuary],
  ]);
  await fixture.run(fixture.activities.sweepPeriods);
  const { data } = await fixture.storage.findings.list({ code: 'TIME_ZONE_RULES_CHANGED' }, { limit: 10 });
  expect(data.filter(({ subject }) => subject['to'] === end)).toHaveLength(1);

  for (const month of months) await invoice(customerId, month as LocalDate);
  await send(customerId, ...around.map((at) => addMs(at, 1)));
  for (const month of months) await correct(customerId, month as LocalDate);
  const calls = [inJanuary + early, stored.length - inJanuary + late];
  expect(await callsBilled(customerId)).toEqual(calls.map((count) => String(count / 10)));

  const [january, next] = await periodsOf(customerId);
  expect(january).toEqual(before);
  expect([next?.from, instantToMs(next?.to ?? end)]).toEqual([end, Date.parse('2024-03-01T00:00:00+05:30')]);
});
