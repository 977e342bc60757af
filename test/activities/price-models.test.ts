/** What the cases of price models do not show: opening invoices, the paper, explanations as stored, and the order of events in SQL. */
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { reconcilePeriod } from '../../src/billing/reconcile-period.js';
import { verifyInvoice } from '../../src/billing/verify-invoice.js';
import { renderInvoicePdf } from '../../src/documents/invoice-pdf.js';
import type { Invoice } from '../../src/domain/invoicing/invoice.js';
import { parsePriceBook } from '../../src/domain/rating/parse-price-book.js';
import type { LocalDate } from '../../src/domain/values.js';
import type { BillingPeriod } from '../../src/storage/types.js';
import { pageText, readPdf } from '../documents/pdf-text.js';
import { usageEvent } from '../storage/usage-fixture.js';
import { oracleLine } from '../support/rational-models.js';
import { compare, rational, roundHalfEven } from '../support/rational-rating.js';
import { recompute } from '../../src/explanation/recompute.js';
import { createActivityFixture, january } from './fixture.js';
import type { ActivityFixture } from './fixture.js';

const december = '2023-12-01' as LocalDate;
const billingDay = '2024-02-01' as LocalDate;
let fixture: ActivityFixture;

beforeAll(async () => {
  fixture = await createActivityFixture();
  const { reference } = fixture.storage;
  const meter = {
    aggregation: 'sum' as const,
    groupBy: [],
    filters: {},
    windowSize: 'hour' as const,
    allowedLateness: 'PT1H',
    allowNegative: true,
    maxGroups: 1000,
    effectiveFrom: null,
  };
  await reference.createMeter({ ...meter, code: 'payments', eventType: 'payment', valueProperty: 'amount' });
  const base = { version: 'v1', currency: 'USD', effective_from: '2024-01-01T00:00:00Z' };
  const payments = {
    meter: 'payments',
    model: 'percentage',
    rate: '0.02',
    fixed_fee: '1.00',
    free_events: 2,
    free_amount: '150',
  };
  await reference.createPriceBook(
    parsePriceBook({
      ...base,
      code: 'percent',
      prices: [{ ...payments, per_event_minimum: '1.50', per_event_maximum: '4.00' }],
    }),
  );
  await reference.createPriceBook(
    parsePriceBook({
      ...base,
      code: 'everything',
      minimum_commitment: '500',
      prices: [
        payments,
        { meter: 'api_calls', model: 'package', package_size: '100', package_price: '5.00', included: '10' },
        { model: 'fixed', name: 'Platform fee', amount: '30.00', billed: 'in_advance' },
        { model: 'fixed', name: 'Support', amount: '12.00', billed: 'in_arrears', prorate: true },
      ],
    }),
  );
});
afterAll(() => fixture.close());

async function pay(customerId: string, payments: readonly (readonly [time: string, amount: string])[]): Promise<void> {
  const events = payments.map(([eventTime, amount]) => {
    const event = { customerId, eventId: randomUUID(), eventType: 'payment', eventTime };
    return usageEvent({ ...event, metadataJson: JSON.stringify({ amount }) });
  });
  await fixture.storage.ledger.append(events, []);
}

async function invoiceOf(customerId: string, name: LocalDate): Promise<{ period: BillingPeriod; invoice: Invoice }> {
  const { storage, activities, run } = fixture;
  const period = await storage.periods.periodNamed(customerId, name);
  if (period === null) throw new Error(`no period ${name}`);
  const request = { requestId: randomUUID(), customerId, period: name, billingDay, forced: false, reason: null };
  await storage.periods.requestInvoicing(request);
  await run(activities.issueChunk, { billingDay, limit: 10 });
  const { data } = await storage.billing.listInvoices({ customerId, period: name }, { limit: 10 });
  const [invoice] = data;
  if (invoice === undefined) throw new Error('nothing was issued');
  return { period, invoice };
}

async function prove(period: BillingPeriod, invoice: Invoice): Promise<void> {
  expect(await verifyInvoice(fixture.storage, invoice)).toMatchObject({ verified: true });
  expect((await reconcilePeriod(fixture.storage, period)).report.differences).toEqual([]);
}

const openIn = async (month: LocalDate): Promise<unknown> =>
  (await fixture.storage.journal.checklist(month)).items.map(({ customerId, period, detail }) => [
    customerId,
    period,
    detail,
  ]);

test('the first fee in advance stands on an opening invoice, which the first period’s workflow has made', async () => {
  await fixture.addCustomer('opening', { priceBook: 'everything' });
  await fixture.storage.periods.periodNamed('opening', january);
  fixture.temporal.length = 0;
  const read = { customerId: 'opening', period: january, nowMs: Date.parse('2024-01-01T01:00:00Z') };
  await fixture.run(fixture.activities.readPeriod, read);
  expect(fixture.temporal.map(({ workflowId }) => workflowId)).toEqual(['billing-period/opening/2023-12-01']);

  // A close of many and the checklist of a month know it, though it lies before `billing_from`.
  expect(await openIn(december)).toEqual([['opening', december, 'closing']]);
  const closeId = randomUUID();
  await fixture.storage.periodCloses.request({
    ...{ closeId, workflowId: `period-close/${closeId}`, billingDay, requestedBy: 'ann' },
    scope: { period: december, endedOn: null, customerIds: null, legalEntity: null },
  });
  expect(await fixture.run(fixture.activities.planPeriodClose, { closeId })).toMatchObject({ planned: 1, notReady: 0 });
  const { period, invoice } = await invoiceOf('opening', december);
  expect(await openIn(december)).toEqual([]);
  expect(invoice).toMatchObject({
    total: '30',
    lines: [
      {
        description: 'Platform fee',
        meter: null,
        serviceFrom: '2024-01-01T00:00:00.000000Z',
        serviceTo: '2024-02-01T00:00:00.000000Z',
      },
    ],
  });
  expect(invoice.pinnedVersions.next_period).toMatchObject({ from: '2024-01-01T00:00:00.000000Z' });
  await prove(period, invoice);

  fixture.temporal.length = 0;
  await fixture.run(fixture.activities.readPeriod, read);
  expect(fixture.temporal).toEqual([]);
});

test('nothing but fees in advance stands on an opening invoice, however long the price book is in force', async () => {
  await fixture.storage.reference.createPriceBook(
    parsePriceBook({
      code: 'long-standing',
      version: 'v1',
      currency: 'USD',
      effective_from: '2023-01-01T00:00:00Z',
      minimum_commitment: '100',
      prices: [
        { meter: 'payments', model: 'flat', unit_price: '1.00', minimum: '50.00' },
        { meter: 'api_calls', model: 'flat', unit_price: '1.00', minimum: '20.00' },
        { model: 'fixed', name: 'Platform fee', amount: '30.00', billed: 'in_advance' },
        { model: 'fixed', name: 'Support', amount: '5.00', billed: 'in_arrears' },
      ],
    }),
  );
  await fixture.addCustomer('long-standing', { priceBook: 'long-standing' });
  const opening = await invoiceOf('long-standing', december);
  expect(opening.invoice.lines.map(({ description, amount }) => [description, amount])).toEqual([
    ['Platform fee', '30'],
  ]);
  expect(opening.invoice.pinnedVersions.opening).toBe('unless_used');
  await prove(opening.period, opening.invoice);
  // From `billing_from` on everything is due.
  const first = await invoiceOf('long-standing', january);
  expect(first.invoice.lines.map(({ amount }) => amount)).toEqual(['20', '50', '30', '5']);
  await prove(first.period, first.invoice);
  // A period with usage is a period like any other, whenever it was.
  await fixture.addCustomer('long-used', { priceBook: 'long-standing' });
  await pay('long-used', [['2023-12-03T00:00:00Z', '7']]);
  const used = await invoiceOf('long-used', december);
  expect(used.invoice.lines.map(({ amount }) => amount)).toEqual(['20', '50', '30', '5']);
  await prove(used.period, used.invoice);
});

test('a customer whose price book bills nothing in advance has no opening period', async () => {
  await fixture.addCustomer('plain');
  await fixture.storage.periods.periodNamed('plain', january);
  fixture.temporal.length = 0;
  await fixture.run(fixture.activities.readPeriod, {
    customerId: 'plain',
    period: january,
    nowMs: Date.parse('2024-01-01T01:00:00Z'),
  });
  expect(fixture.temporal).toEqual([]);
  // A row that something else has made bills nothing.
  await fixture.storage.periods.periodNamed('plain', december);
  expect(await openIn(december)).toEqual([]);
});

test('every kind of line is on the paper, and what is stored recomputes to its amount', async () => {
  await fixture.addCustomer('paper', { priceBook: 'everything' });
  await fixture.addCalls('paper', 250);
  await pay('paper', [
    ['2024-01-03T00:00:00Z', '100'],
    ['2024-01-04T00:00:00Z', '200'],
    ['2024-01-05T00:00:00Z', '300'],
  ]);
  const { period, invoice } = await invoiceOf('paper', january);
  // 250 − 10 = 240 calls: 3 packages. 100 and 50 of 200 are free: 450 × 0.02 + 2 × 1.00.
  expect(invoice.lines.map(({ description, amount }) => [description, amount])).toEqual([
    ['api_calls', '15'],
    ['payments', '11'],
    ['Platform fee', '30'],
    ['Support', '12'],
    ['Minimum commitment', '432'],
  ]);
  await prove(period, invoice);

  const text = readPdf(await renderInvoicePdf(invoice))
    .pages.map(pageText)
    .join('\n')
    .replace(/\s+/g, ' ');
  for (const shown of [
    'Platform fee',
    '1 February 2024',
    'Support',
    'Minimum commitment',
    '500.00',
    '432.00',
    '450',
    '3 × 5.00 (10 included)',
  ]) {
    expect(text).toContain(shown.replace(/\s+/g, ' '));
  }
  for (const chargeId of invoice.lines.flatMap(({ chargeIds }) => chargeIds)) {
    const charge = await fixture.storage.billing.findCharge(chargeId);
    if (charge === null) throw new Error('an invoice names stored charges');
    expect(compare(recompute(charge.calculation), rational(charge.amount))).toBe(0);
    const { data } = await fixture.storage.billing.chargeEvents(chargeId, { limit: 1_000 });
    expect(data).toHaveLength(charge.eventCount);
  }
});

test('percentages: the events that Postgres puts in order cost what the oracle says', async () => {
  let customers = 0;
  const value = fc.oneof(
    fc.constantFrom('0', '50', '150', '-20'),
    fc.nat(30_000).map((n) => `${Math.floor(n / 100)}.${String(n % 100).padStart(2, '0')}`),
  );
  const payment = fc.tuple(fc.integer({ min: 1, max: 28 }), fc.nat(3), value);
  const price = {
    model: 'percentage' as const,
    terms: {},
    rate: '0.02',
    fixedFee: '1.00',
    freeEvents: 2,
    freeAmount: '150',
    perEventMinimum: '1.50',
    perEventMaximum: '4.00',
  };
  await fc.assert(
    fc.asyncProperty(fc.array(payment, { maxLength: 12 }), async (drawn) => {
      const customerId = `percent-${(customers += 1)}`;
      await fixture.addCustomer(customerId, { priceBook: 'percent' });
      // Ids in the order of arrival; at the same instant they decide.
      const events = drawn.map(([day, hour, amount], index) => ({
        id: `e${String(index).padStart(2, '0')}`,
        time: `2024-01-${String(day).padStart(2, '0')}T0${hour}:00:00Z`,
        amount,
      }));
      await fixture.storage.ledger.append(
        events.map(({ id, time, amount }) =>
          usageEvent({
            customerId,
            eventId: id,
            eventType: 'payment',
            eventTime: time,
            metadataJson: JSON.stringify({ amount }),
          }),
        ),
        [],
      );
      const ordered = events.toSorted((a, b) => (a.time + a.id < b.time + b.id ? -1 : 1)).map(({ amount }) => amount);
      const expected = oracleLine([{ version: 'v1', values: ordered }], { v1: price });
      const { period, invoice } = await invoiceOf(customerId, january);
      const total = rational(invoice.total);
      expect(total.n * 100n).toBe(roundHalfEven(expected, 2) * total.d);
      await prove(period, invoice);
    }),
    { numRuns: 25 },
  );
});
