/** Before `billing_from` only usage makes periods, and a level that is carried is usage (RULES 65): no month is left out between two. */
import { randomUUID } from 'node:crypto';
import { createActivities } from '../../src/activities/index.js';
import { leavesLevel } from '../../src/billing/closing-level.js';
import { parsePriceBook } from '../../src/domain/rating/parse-price-book.js';
import type { Instant, LocalDate } from '../../src/domain/values.js';
import type { BillingPeriod } from '../../src/storage/types.js';
import { usageEvent } from '../storage/usage-fixture.js';
import { createActivityFixture, settings, seatsMeter } from './fixture.js';
import type { ActivityFixture } from './fixture.js';

const customerId = 'acme';
const billingDay = '2024-02-01' as LocalDate;
let fixture: ActivityFixture;

beforeEach(async () => {
  fixture = await createActivityFixture();
  const { reference } = fixture.storage;
  await reference.createMeter(seatsMeter);
  const content = { code: 'seats', version: 'v1', currency: 'USD', effective_from: '2023-01-01T00:00:00Z' };
  const prices = [{ meter: 'seats', model: 'flat', unit_price: '1.00', minimum: '15.00' }];
  await reference.createPriceBook(parsePriceBook({ ...content, prices }));
  await fixture.addCustomer(customerId, { priceBook: 'seats', billingFrom: '2024-01-01' as LocalDate });
});
afterEach(() => fixture.close());

async function changeSeats(eventTime: string, seats: number): Promise<void> {
  const event = { customerId, eventId: randomUUID(), eventType: 'seat_change', eventTime };
  await fixture.storage.ledger.append([usageEvent({ ...event, metadataJson: JSON.stringify({ seats }) })], []);
  const { relay } = fixture.storage;
  await relay.plan('all', (await relay.acquire('all')).epoch);
}

/** As its workflow does; answers with the workflows of periods that were started by it. */
async function invoice(period: string): Promise<readonly string[]> {
  const request = { requestId: randomUUID(), customerId, period: period as LocalDate, billingDay };
  await fixture.storage.periods.requestInvoicing({ ...request, forced: false, reason: null });
  fixture.temporal.length = 0;
  await fixture.run(fixture.activities.issueChunk, { billingDay, limit: 10 });
  return fixture.temporal.map(({ workflowId }) => workflowId);
}

async function totals(): Promise<readonly string[]> {
  const { data } = await fixture.storage.billing.listInvoices({ customerId }, { limit: 50 });
  return data.map(({ period, total }) => `${period} ${total}`).sort();
}

async function stored(): Promise<readonly string[]> {
  const { data } = await fixture.storage.periods.listPeriods(customerId, { limit: 50 });
  return data.map(({ period }) => period).sort();
}

const leaves = (period: BillingPeriod): Promise<boolean> => leavesLevel(fixture.storage, period);

async function swept(): Promise<readonly string[]> {
  fixture.temporal.length = 0;
  await fixture.run(fixture.activities.sweepPeriods);
  return fixture.temporal.map(({ workflowId }) => workflowId).sort();
}

test('each month into which a level is carried is made by the gate of the one before, with its minimum', async () => {
  await changeSeats('2023-10-16T12:00:00Z', 20);
  expect(await stored()).toEqual(['2023-10-01']);
  expect(await invoice('2023-10-01')).toEqual(['billing-period/acme/2023-11-01']);
  expect(await invoice('2023-11-01')).toEqual(['billing-period/acme/2023-12-01']);
  // From here on there are periods without usage too.
  expect(await invoice('2023-12-01')).toEqual(['billing-period/acme/2024-01-01']);
  expect(await totals()).toEqual(['2023-10-01 15', '2023-11-01 20', '2023-12-01 20']);
});

test('usage that a minimum is due for is usage, though no event is in the month', async () => {
  await changeSeats('2023-11-01T00:00:00Z', 10);
  await invoice('2023-11-01');
  await invoice('2023-12-01');
  expect(await totals()).toEqual(['2023-11-01 15', '2023-12-01 15']);
});

test('a level that has ended makes no period, and neither does one that was only provisional', async () => {
  await changeSeats('2023-10-10T00:00:00Z', 20);
  const october = await fixture.storage.periods.periodNamed(customerId, '2023-10-01' as LocalDate);
  if (october === null) throw new Error('no October');
  await fixture.run(fixture.activities.closeWindows, {
    ...{
      customerId,
      period: october.period,
      nowMs: 0,
      scope: 'all',
      windows: [],
      accumulatedThrough: null,
      rate: true,
    },
  });
  await swept();
  expect(await stored()).not.toContain('2023-11-01');
  await changeSeats('2023-10-20T00:00:00Z', -20);
  expect(await invoice('2023-10-01')).toEqual([]);
  await swept();
  expect(await stored()).toEqual(['2023-10-01', '2024-01-01', '2024-02-01']);
});

describe('what an earlier rating pooled otherwise is no level', () => {
  const october = '2023-10-01' as LocalDate;
  const regions = {
    ...{ ...seatsMeter, code: 'regions', eventType: 'region_change' },
    ...{ groupBy: ['region'], allowNegative: true },
  };
  const learn = (version: string, priceBy: readonly string[]): Promise<unknown> =>
    fixture.storage.reference.createPriceBook(
      parsePriceBook({
        ...{ code: 'regions', version, currency: 'USD', effective_from: '2023-01-01T00:00:00Z' },
        prices: [{ meter: 'regions', model: 'flat', unit_price: '1.00', price_by: priceBy }],
      }),
    );
  async function changeRegion(region: string, eventTime: string, seats: number): Promise<void> {
    const event = { customerId, eventId: randomUUID(), eventType: 'region_change', eventTime };
    await fixture.storage.ledger.append(
      [usageEvent({ ...event, metadataJson: JSON.stringify({ region, seats }) })],
      [],
    );
    const { relay } = fixture.storage;
    await relay.plan('all', (await relay.acquire('all')).epoch);
  }
  async function rateProvisionally(): Promise<void> {
    const closing = { nowMs: 0, scope: 'all', windows: [], accumulatedThrough: null, rate: true } as const;
    await fixture.run(fixture.activities.closeWindows, { customerId, period: october, ...closing });
  }

  beforeEach(async () => {
    await fixture.storage.reference.createMeter(regions);
    await learn('v1', ['region']);
    await fixture.storage.reference.assignPriceBook(customerId, 'regions', null);
    await changeRegion('eu', '2023-10-10T00:00:00Z', 10);
  });

  test('by a price book version that was corrected since', async () => {
    await rateProvisionally();
    await learn('v2', []);
    await changeRegion('eu', '2023-10-20T00:00:00Z', -10);
    expect(await invoice(october)).toEqual([]);
    await swept();
    expect(await stored()).not.toContain('2023-11-01');
  });

  test('by a version of the meter that holds no more', async () => {
    await rateProvisionally();
    await fixture.storage.reference.createMeter({ ...regions, groupBy: [], effectiveFrom: '2023-01-01' as LocalDate });
    await learn('v2', []);
    await changeRegion('eu', '2023-10-20T00:00:00Z', -10);
    expect(await invoice(october)).toEqual([]);
    await swept();
    expect(await stored()).not.toContain('2023-11-01');
  });

  test('by a re-rating that only asked', async () => {
    await learn('v2', []);
    await changeRegion('us', '2023-10-20T00:00:00Z', -10);
    expect(await invoice(october)).toEqual([]);
    await learn('v3', ['region']);
    const reRatingId = randomUUID();
    const scope = { customerIds: [customerId], meters: null, from: null, to: null };
    await fixture.storage.reRatings.create(
      {
        ...{ reRatingId, workflowId: `re-rating/${reRatingId}`, reason: 'price_correction', scope },
        ...{ priceBookId: null, dryRun: true, requestedBy: 'ann' },
      },
      [{ customerId, period: october }],
    );
    const compared = await fixture.run(fixture.activities.compareReRating, { reRatingId, attempt: 1, limit: 10 });
    expect(compared.next).toBe('ended');
    await swept();
    expect(await stored()).not.toContain('2023-11-01');
  });
});

test('the worker is lost after the commit: the sweep starts the month', async () => {
  await changeSeats('2023-10-10T00:00:00Z', 20);
  const lost = jest.spyOn(fixture.client.workflow, 'start').mockRejectedValue(new Error('killed'));
  await invoice('2023-10-01').catch(() => undefined);
  lost.mockRestore();
  // Whoever tries again is told of the month again, though it was made; after its invoice was asked for, no more.
  const october = await fixture.storage.periods.periodNamed(customerId, '2023-10-01' as LocalDate);
  if (october === null) throw new Error('no October');
  expect(await fixture.storage.periods.carryOn(october, leaves)).toMatchObject({ period: '2023-11-01' });
  expect(await swept()).toContain('billing-period/acme/2023-11-01');
  await invoice('2023-11-01');
  expect(await fixture.storage.periods.carryOn(october, leaves)).toBeNull();
});

test('a close before the end of the month makes none that has not begun: the sweep does, once it has', async () => {
  await changeSeats('2023-10-10T00:00:00Z', 20);
  const { storage, client, run } = fixture;
  const request = { requestId: randomUUID(), customerId, period: '2023-10-01' as LocalDate, billingDay };
  await storage.periods.requestInvoicing({ ...request, forced: true, reason: 'a test' });
  const early = createActivities({ storage, client, settings, now: () => '2023-10-30T00:00:00.000000Z' as Instant });
  await run(early.issueChunk, { billingDay, limit: 10 });
  expect(await stored()).toEqual(['2023-10-01']);
  expect(await swept()).toContain('billing-period/acme/2023-11-01');
  expect(await stored()).toContain('2023-11-01');
});

test('a late change of what is invoiced makes the months after it', async () => {
  await changeSeats('2023-10-10T00:00:00Z', 20);
  await changeSeats('2023-10-20T00:00:00Z', -20);
  await invoice('2023-10-01');
  expect(await stored()).toEqual(['2023-10-01']);
  await changeSeats('2023-10-25T00:00:00Z', 5);
  const { activities, run, temporal } = fixture;
  const { reRatingId } = await run(activities.startCorrection, { customerId, period: '2023-10-01' as LocalDate });
  const step = { reRatingId: reRatingId ?? '', attempt: 1, limit: 10 };
  await run(activities.compareReRating, step);
  await run(activities.correctReRating, step);
  temporal.length = 0;
  await run(activities.endReRating, { reRatingId: reRatingId ?? '', attempt: 1, rejected: false });
  expect(temporal.map(({ workflowId }) => workflowId)).toEqual(['billing-period/acme/2023-11-01']);
  await invoice('2023-11-01');
  expect(await totals()).toContain('2023-11-01 15');
});

test('a close of many periods takes such a month', async () => {
  await changeSeats('2023-10-10T00:00:00Z', 20);
  await invoice('2023-10-01');
  const closeId = randomUUID();
  const scope = { period: '2023-11-01' as LocalDate, endedOn: null, customerIds: null, legalEntity: null };
  const asked = { closeId, workflowId: `period-close/${closeId}`, scope, billingDay, requestedBy: 'ann' };
  await fixture.storage.periodCloses.request(asked);
  expect(await fixture.run(fixture.activities.planPeriodClose, { closeId })).toMatchObject({ planned: 1 });
});
