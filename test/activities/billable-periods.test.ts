/** Which periods there are to bill (RULES 18, 60, 65): whoever asks is told the same. */
import { randomUUID } from 'node:crypto';
import { parsePriceBook } from '../../src/domain/rating/parse-price-book.js';
import { priceBookToWire } from '../../src/domain/rating/price-book-to-wire.js';
import type { Instant, LocalDate } from '../../src/domain/values.js';
import { contentHashOf } from '../../src/storage/content-hash.js';
import type { BillingPeriod } from '../../src/storage/types.js';
import { usageEvent } from '../storage/usage-fixture.js';
import { createActivityFixture, january, seatsMeter } from './fixture.js';
import type { ActivityFixture } from './fixture.js';

const months = ['2023-10-01', '2023-11-01', '2023-12-01', '2024-01-01'].map((month) => month as LocalDate);
const billingDay = '2024-02-01' as LocalDate;
const advance = parsePriceBook({
  code: 'advance',
  version: 'v1',
  currency: 'USD',
  effective_from: '2023-01-01T00:00:00Z',
  prices: [{ model: 'fixed', name: 'Platform fee', amount: '30.00', billed: 'in_advance' }],
});

let fixture: ActivityFixture;
beforeEach(async () => {
  fixture = await createActivityFixture();
});
afterEach(() => fixture.close());

const seats = parsePriceBook({
  code: 'seats',
  version: 'v1',
  currency: 'USD',
  effective_from: '2023-01-01T00:00:00Z',
  prices: [{ meter: 'seats', model: 'flat', unit_price: '1.00' }],
});

const store = (customerId: string, at: string): Promise<BillingPeriod> =>
  fixture.storage.periods.periodAt(customerId, `${at}T00:00:00.000000Z` as Instant);

/** `customer period` of every period that a close of all these months plans. */
async function closed(): Promise<readonly string[]> {
  const found: string[] = [];
  for (const period of months) {
    const closeId = randomUUID();
    const { periodCloses } = fixture.storage;
    await periodCloses.request({
      ...{ closeId, workflowId: `period-close/${closeId}`, billingDay, requestedBy: 'ann' },
      scope: { period, endedOn: null, customerIds: null, legalEntity: null },
    });
    await periodCloses.plan(closeId);
    const { data } = await periodCloses.targets(closeId, { state: 'planned' }, { limit: 100 });
    found.push(...data.map((target) => `${target.customerId} ${target.period}`));
  }
  return found.sort();
}

async function evaluated(): Promise<readonly string[]> {
  const evaluationId = randomUUID();
  await fixture.storage.evaluations.request({
    ...{ evaluationId, workflowId: `evaluation/${evaluationId}`, requestedBy: 'ann' },
    priceBook: priceBookToWire(advance),
    scope: { customerIds: null, from: null, to: null },
    cutoff: await fixture.storage.ledger.safeHorizon(),
  });
  const periods = await fixture.storage.evaluations.pending(evaluationId, 100);
  return periods.map(({ customerId, period }) => `${customerId} ${period}`).sort();
}

async function onChecklists(): Promise<readonly string[]> {
  const lists = await Promise.all(months.map((month) => fixture.storage.journal.checklist(month)));
  const unbilled = lists.flatMap(({ items }) => items.filter(({ kind }) => kind === 'unbilled'));
  return unbilled.map(({ customerId, period }) => `${customerId} ${period}`).sort();
}

async function refusedByReRatings(customerIds: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(
    customerIds.map((customerId) =>
      fixture.storage.reRatings.resolveScope({ customerIds: [customerId], meters: null, from: null, to: null }, null),
    ),
  );
  return found.flatMap(({ notInvoiced }) => notInvoiced.map((key) => `${key.customerId} ${key.period}`)).sort();
}

/** Of all stored periods, those that are known by their names. */
async function known(customerIds: readonly string[]): Promise<readonly string[]> {
  const { periods } = fixture.storage;
  const found: string[] = [];
  for (const customerId of customerIds) {
    const { data } = await periods.listPeriods(customerId, { limit: 100 });
    for (const { period } of data)
      if (await periods.isBillable(customerId, period)) found.push(`${customerId} ${period}`);
  }
  return found.sort();
}

/** Usage is in November, or was carried or moved there; nothing is in December. */
test('usage, an amendment, an opening period, a carried level and billing_from make a period to bill; being stored does not', async () => {
  const { storage, addCustomer } = fixture;
  await storage.reference.createMeter(seatsMeter);
  for (const priceBook of [advance, seats]) await storage.reference.createPriceBook(priceBook);
  await addCustomer('carried', { priceBook: 'seats' });
  await addCustomer('opening', { priceBook: 'advance' });
  for (const customer of ['from', 'moved', 'used']) await addCustomer(customer);
  const customers = ['carried', 'from', 'moved', 'opening', 'used'];
  for (const customer of customers) for (const day of ['2023-11-15', '2023-12-15']) await store(customer, day);
  for (const customer of ['from', 'opening']) await store(customer, january);
  await fixture.addCalls('used', 1, '2023-11-10T00:00:00Z');
  const moved = { customerId: 'moved', source: '', eventId: 'moved' };
  const replacement = {
    eventType: 'api_call',
    eventTime: '2023-11-10T00:00:00.000000Z' as Instant,
    metadataJson: '{}',
  };
  const contentHash = contentHashOf({ ...moved, ...replacement, metadata: {} });
  await storage.ledger.append([usageEvent({ ...moved, eventTime: '2024-01-10T00:00:00Z' })], []);
  await storage.adjustments.adjust({
    ...{ ...moved, type: 'amend', reason: null },
    replacement: { ...replacement, contentHash },
  });
  const added = { customerId: 'carried', eventId: 'seats', eventType: 'seat_change', metadataJson: '{"seats":20}' };
  await storage.ledger.append([usageEvent({ ...added, eventTime: '2023-10-16T12:00:00Z' })], []);
  await fixture.request('carried', randomUUID(), '2023-10-01');
  await fixture.run(fixture.activities.issueChunk, { billingDay, limit: 10 });

  const toBill = [
    'carried 2023-11-01',
    'from 2024-01-01',
    'moved 2023-11-01',
    'opening 2023-12-01',
    'opening 2024-01-01',
    'used 2023-11-01',
  ];
  expect(await closed()).toEqual(toBill);
  expect(await evaluated()).toEqual(['carried 2023-10-01', ...toBill]);
  expect(await onChecklists()).toEqual(toBill);
  expect(await refusedByReRatings(customers)).toEqual(toBill);
  expect(await known(customers)).toEqual(['carried 2023-10-01', ...toBill]);
});
