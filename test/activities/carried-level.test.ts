/** A level is carried over periods: what changes it late concerns the periods after it, in order (RULES 3). */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { reconcilePeriod } from '../../src/billing/reconcile-period.js';
import { voidInvoice } from '../../src/billing/void-invoice.js';
import { parsePriceBook } from '../../src/domain/rating/parse-price-book.js';
import type { LocalDate } from '../../src/domain/values.js';
import type { BillingPeriod } from '../../src/storage/types.js';
import { usageEvent } from '../storage/usage-fixture.js';
import { createActivityFixture, issuedAt, seatsMeter } from './fixture.js';
import type { ActivityFixture } from './fixture.js';

const months = ['2024-01-01' as LocalDate, '2024-02-01' as LocalDate, '2024-03-01' as LocalDate] as const;
const billingDay = '2024-04-01' as LocalDate;
let fixture: ActivityFixture;

beforeAll(async () => {
  fixture = await createActivityFixture();
  const { reference } = fixture.storage;
  await reference.createMeter(seatsMeter);
  const content = { code: 'seats', version: 'v1', currency: 'USD', effective_from: '2024-01-01T00:00:00Z' };
  await reference.createPriceBook(
    parsePriceBook({ ...content, prices: [{ meter: 'seats', model: 'flat', unit_price: '10.00' }] }),
  );
});
afterAll(() => fixture.close());

async function changeSeats(customerId: string, eventTime: string, seats: number): Promise<void> {
  const event = { customerId, eventId: randomUUID(), eventType: 'seat_change', eventTime };
  await fixture.storage.ledger.append([usageEvent({ ...event, metadataJson: JSON.stringify({ seats }) })], []);
}

async function periodOf(customerId: string, period: LocalDate): Promise<BillingPeriod> {
  const found = await fixture.storage.periods.periodNamed(customerId, period);
  if (found === null) throw new Error(`no period ${period}`);
  return found;
}

async function invoice(customerId: string, period: LocalDate): Promise<void> {
  const request = { requestId: randomUUID(), customerId, period, billingDay, forced: false, reason: null };
  await periodOf(customerId, period);
  await fixture.storage.periods.requestInvoicing(request);
  await fixture.run(fixture.activities.issueChunk, { billingDay, limit: 10 });
}

/** Corrects as the workflow does, and says which workflows were started by it. */
async function correct(customerId: string, period: LocalDate): Promise<readonly string[]> {
  const { activities, run, storage, temporal } = fixture;
  const { reRatingId } = await run(activities.startCorrection, { customerId, period });
  if (reRatingId === null) throw new Error('nothing to correct');
  const step = { reRatingId, attempt: 1, limit: 10 };
  await run(activities.compareReRating, step);
  await run(activities.correctReRating, step);
  temporal.length = 0;
  await run(activities.endReRating, { reRatingId, attempt: 1, rejected: false });
  expect((await storage.periods.veryLateFacts(await periodOf(customerId, period))).count).toBe(0);
  return temporal.map(({ workflowId }) => workflowId);
}

async function totals(customerId: string): Promise<readonly string[]> {
  const { data } = await fixture.storage.billing.listInvoices({ customerId }, { limit: 50 });
  return data.map(({ period, type, total }) => `${period} ${type} ${total}`).sort();
}

test('a late change is corrected in its period, then in the next one, then in the one after', async () => {
  await fixture.addCustomer('acme', { priceBook: 'seats' });
  await changeSeats('acme', '2024-01-01T00:00:00Z', 10);
  for (const month of months) await invoice('acme', month);
  expect(await totals('acme')).toEqual(months.map((month) => `${month} invoice 100`));

  await changeSeats('acme', '2024-01-16T12:00:00Z', -2);
  const late = async (): Promise<readonly number[]> =>
    Promise.all(
      months.map(async (month) => (await fixture.storage.periods.veryLateFacts(await periodOf('acme', month))).count),
    );
  expect(await late()).toEqual([1, 1, 1]);
  expect(await correct('acme', months[0])).toEqual(['billing-period/acme/2024-02-01']);
  expect(await late()).toEqual([0, 1, 1]);
  expect(await correct('acme', months[1])).toEqual(['billing-period/acme/2024-03-01']);
  expect(await correct('acme', months[2])).toEqual([]);
  expect(await totals('acme')).toEqual(
    [
      ...months.map((month) => `${month} invoice 100`),
      '2024-01-01 credit_note -10',
      ...months.slice(1).map((month) => `${month} credit_note -20`),
    ].sort(),
  );
});

test('a period that is invoiced after the next one sets that one going', async () => {
  await fixture.addCustomer('late', { priceBook: 'seats' });
  await changeSeats('late', '2024-02-01T00:00:00Z', 3);
  await invoice('late', months[1]);
  await changeSeats('late', '2024-01-10T00:00:00Z', 1);
  fixture.temporal.length = 0;
  await invoice('late', months[0]);
  expect(fixture.temporal.map(({ workflowId }) => workflowId)).toEqual(['billing-period/late/2024-02-01']);
});

describe('what nobody told of', () => {
  /** Months that were invoiced in the wrong order: February did not know of January's change. */
  async function februaryFirst(
    customerId: string,
    more: Parameters<ActivityFixture['addCustomer']>[1] = {},
  ): Promise<void> {
    await fixture.addCustomer(customerId, { priceBook: 'seats', ...more });
    await changeSeats(customerId, '2024-02-01T00:00:00Z', 3);
    await invoice(customerId, months[1]);
    await changeSeats(customerId, '2024-01-10T00:00:00Z', 1);
    await plan();
  }
  async function plan(): Promise<void> {
    const { relay } = fixture.storage;
    await relay.plan('all', (await relay.acquire('all')).epoch);
  }
  const leavesLevel = (): Promise<boolean> => Promise.resolve(false);
  /** Workflows of the customer's periods that the sweep starts beyond those of unfinished ones. */
  async function swept(customerId: string): Promise<readonly string[]> {
    const { data } = await fixture.storage.periods.unfinishedPeriods(issuedAt, { limit: 1_000, leavesLevel });
    const unfinished = new Set(data.map((each) => `billing-period/${each.customerId}/${each.period}`));
    fixture.temporal.length = 0;
    await fixture.run(fixture.activities.sweepPeriods);
    return fixture.temporal
      .map(({ workflowId }) => workflowId)
      .filter((id) => id.startsWith(`billing-period/${customerId}/`) && !unfinished.has(id));
  }

  test('the worker is lost after the commit: the daily sweep starts what the gate would have', async () => {
    await februaryFirst('killed');
    const lost = jest.spyOn(fixture.client.workflow, 'start').mockRejectedValue(new Error('killed'));
    await invoice('killed', months[0]).catch(() => undefined);
    lost.mockRestore();
    expect(await totals('killed')).toHaveLength(2);
    expect(await swept('killed')).toEqual(['billing-period/killed/2024-02-01']);
    await correct('killed', months[1]);
    expect(await swept('killed')).toEqual([]);
  });

  test('late usage whose workflow was terminated is looked at again, later periods after it, and decided facts are not', async () => {
    await fixture.addCustomer('terminated', { priceBook: 'seats' });
    await changeSeats('terminated', '2024-01-01T00:00:00Z', 10);
    for (const month of months.slice(0, 2)) await invoice('terminated', month);
    await plan();
    expect(await swept('terminated')).toEqual([]);
    await changeSeats('terminated', '2024-01-16T12:00:00Z', -2);
    await plan();
    expect(await swept('terminated')).toEqual(['billing-period/terminated/2024-01-01']);
    const key = { customerId: 'terminated', period: months[0] };
    const { reRatingId } = await fixture.run(fixture.activities.startCorrection, key);
    expect(reRatingId).not.toBeNull();
    // It is under way, and goes on by itself; February is not waited for.
    expect(await swept('terminated')).toEqual(['billing-period/terminated/2024-02-01']);
  });

  test('a change in a void period is told to the next one', async () => {
    await fixture.addCustomer('void', { priceBook: 'seats' });
    await changeSeats('void', '2024-01-01T00:00:00Z', 2);
    for (const month of months.slice(0, 2)) await invoice('void', month);
    const { data } = await fixture.storage.billing.listInvoices({ customerId: 'void' }, { limit: 10 });
    const january = data.find(({ period }) => period === months[0]);
    if (january === undefined) throw new Error('January is invoiced');
    await voidInvoice(fixture.storage, january, { actor: 'ann', reason: 'a test', now: issuedAt });
    const key = { customerId: 'void', period: months[0], nowMs: Date.parse(issuedAt) };
    fixture.temporal.length = 0;
    expect(await fixture.run(fixture.activities.readPeriod, key)).toMatchObject({ stage: 'void' });
    expect(fixture.temporal).toEqual([]);
    await changeSeats('void', '2024-01-16T12:00:00Z', -2);
    expect(await fixture.run(fixture.activities.readPeriod, key)).toMatchObject({ stage: 'void' });
    expect(fixture.temporal.map(({ workflowId }) => workflowId)).toEqual(['billing-period/void/2024-02-01']);
  });

  test('of a customer that corrects by hand every period that a change concerns has its finding, noted once', async () => {
    await fixture.addCustomer('manual', { priceBook: 'seats', lateUsageQuietTime: 'manual' });
    await changeSeats('manual', '2024-01-01T00:00:00Z', 10);
    for (const month of months) await invoice('manual', month);
    await changeSeats('manual', '2024-01-16T12:00:00Z', -2);
    await plan();
    for (const [at, month] of months.entries()) {
      fixture.temporal.length = 0;
      await fixture.run(fixture.activities.startCorrection, { customerId: 'manual', period: month });
      const next = months[at + 1];
      expect(fixture.temporal.map(({ workflowId }) => workflowId)).toEqual(
        next === undefined ? [] : [`billing-period/manual/${next}`],
      );
    }
    const { data } = await fixture.storage.findings.list({ customerId: 'manual', code: 'LATE_USAGE' }, { limit: 10 });
    expect(data.map(({ period }) => period).sort()).toEqual(months);
    expect(await swept('manual')).toEqual([]);
  });
});

test('a tampered row of a period, and a tampered window behind it, are found by reconciliation', async () => {
  await fixture.addCustomer('tampered', { priceBook: 'seats' });
  await changeSeats('tampered', '2024-01-01T00:00:00Z', 2);
  await invoice('tampered', months[0]);
  const period = await periodOf('tampered', months[0]);
  expect((await reconcilePeriod(fixture.storage, period)).report.differences).toEqual([]);
  const sql = new pg.Client({ connectionString: fixture.url });
  await sql.connect();
  for (const table of ['aggregated_period_usage', 'aggregated_usage']) {
    await sql.query(`ALTER TABLE ${table} DISABLE TRIGGER USER`);
    await sql.query(`UPDATE ${table} SET quantity = quantity + 1 WHERE customer_id = 'tampered'`);
  }
  await sql.end();
  expect((await reconcilePeriod(fixture.storage, period)).report.differences).toMatchObject([
    { stage: 'events→aggregates', meter: 'seats', expected: { quantity: '2' }, found: { quantity: '3' } },
    { stage: 'events→aggregates', meter: 'seats', expected: { quantity: '2' }, found: { quantity: '3' } },
    { stage: 'aggregates→charges', meter: 'seats', expected: { quantity: '3' }, found: { quantity: '2' } },
  ]);
});

test('other events of the past concern nobody but their own period', async () => {
  await fixture.addCustomer('calls', { priceBook: 'seats' });
  await changeSeats('calls', '2024-01-01T00:00:00Z', 1);
  await invoice('calls', months[1]);
  await fixture.storage.ledger.append(
    [usageEvent({ customerId: 'calls', eventId: 'other', eventType: 'login', eventTime: '2024-01-20T00:00:00Z' })],
    [],
  );
  const february = await periodOf('calls', months[1]);
  expect(await fixture.storage.periods.veryLateFacts(february)).toMatchObject({ count: 0 });
});

describe('a meter over past events', () => {
  const logins = {
    ...seatsMeter,
    code: 'logins',
    eventType: 'login',
    aggregation: 'unique_count',
    valueProperty: 'user',
  } as const;
  const users = ['ann', 'bob', 'ann'];

  test('counts what is not invoiced yet; what is keeps its pins', async () => {
    await fixture.addCustomer('past', { priceBook: 'logins' });
    const { storage } = fixture;
    const content = { code: 'logins', version: 'v1', currency: 'USD', effective_from: '2024-01-01T00:00:00Z' };
    await storage.reference.createPriceBook(
      parsePriceBook({ ...content, prices: [{ meter: 'logins', model: 'flat', unit_price: '5.00' }] }),
    );
    const events = ['2024-01-05', '2024-02-05'].flatMap((day) =>
      users.map((user, hour) => ({
        ...{ customerId: 'past', eventId: `${day}/${hour}`, eventType: 'login', eventTime: `${day}T0${hour}:00:00Z` },
        metadataJson: JSON.stringify({ user }),
      })),
    );
    await storage.ledger.append(events.map(usageEvent), []);
    await invoice('past', months[0]);
    await storage.reference.createMeter(logins);
    await invoice('past', months[1]);
    expect(await totals('past')).toEqual(['2024-01-01 invoice 0', '2024-02-01 invoice 10']);

    // Late usage keeps the pins of January, in which nobody counted logins.
    const late = { customerId: 'past', eventId: 'late', eventType: 'login', eventTime: '2024-01-06T00:00:00Z' };
    await storage.ledger.append([usageEvent({ ...late, metadataJson: '{"user":"cat"}' })], []);
    await correct('past', months[0]);
    expect(await totals('past')).toEqual(['2024-01-01 invoice 0', '2024-02-01 invoice 10']);
  });

  test('an event that it cannot read holds the invoice', async () => {
    await fixture.addCustomer('unread', { priceBook: 'logins' });
    const { storage } = fixture;
    const event = usageEvent({
      customerId: 'unread',
      eventId: 'e',
      eventType: 'login',
      eventTime: '2024-01-05T00:00:00Z',
    });
    await storage.ledger.append([event], []);
    await invoice('unread', months[0]);
    expect(await totals('unread')).toEqual([]);
    const { data } = await storage.findings.list({ customerId: 'unread' }, { limit: 10 });
    expect(data).toMatchObject([{ code: 'UNREADABLE_VALUE', subject: { meter: 'logins' } }]);
  });

  test('a level cannot be carried over a change of it that cannot be read', async () => {
    await fixture.addCustomer('gap', { priceBook: 'seats' });
    const { storage } = fixture;
    await changeSeats('gap', '2024-02-01T00:00:00Z', 3);
    const unread = usageEvent({
      customerId: 'gap',
      eventId: 'e',
      eventType: 'seat_change',
      eventTime: '2024-01-05T00:00:00Z',
    });
    await storage.ledger.append([unread], []);
    await invoice('gap', months[1]);
    expect(await totals('gap')).toEqual([]);
    const { data } = await storage.findings.list({ customerId: 'gap', period: months[1] }, { limit: 10 });
    expect(data).toMatchObject([{ code: 'UNREADABLE_VALUE', subject: { meter: 'seats' } }]);
  });
});
