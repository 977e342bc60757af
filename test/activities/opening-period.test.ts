/** What lies before `billing_from` is an opening period as long as nothing was used in it, and by what is known at each document's cutoff (RULES 18, 65). */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { documentHash } from '../../src/billing/document-hash.js';
import { reconcilePeriod } from '../../src/billing/reconcile-period.js';
import { verifyInvoice } from '../../src/billing/verify-invoice.js';
import { addDecimals } from '../../src/domain/decimal.js';
import type { Invoice } from '../../src/domain/invoicing/invoice.js';
import { parsePriceBook } from '../../src/domain/rating/parse-price-book.js';
import type { DecimalString, LocalDate } from '../../src/domain/values.js';
import type { BillingPeriod } from '../../src/storage/types.js';
import { usageEvent } from '../storage/usage-fixture.js';
import { createActivityFixture, seatsMeter } from './fixture.js';
import type { ActivityFixture } from './fixture.js';

const [october, november, december] = ['2023-10-01', '2023-11-01', '2023-12-01'] as LocalDate[] as [
  LocalDate,
  LocalDate,
  LocalDate,
];
const billingDay = '2024-02-01' as LocalDate;
let fixture: ActivityFixture;

beforeAll(async () => {
  fixture = await createActivityFixture();
  const { reference } = fixture.storage;
  await reference.createMeter(seatsMeter);
  const content = { code: 'seats', version: 'v1', currency: 'USD', effective_from: '2023-01-01T00:00:00Z' };
  const prices = [
    { meter: 'seats', model: 'flat', unit_price: '1.00', minimum: '15.00' },
    { model: 'fixed', name: 'Platform fee', amount: '30.00', billed: 'in_advance' },
    { model: 'fixed', name: 'Support', amount: '5.00', billed: 'in_arrears' },
  ];
  await reference.createPriceBook(parsePriceBook({ ...content, minimum_commitment: '60.00', prices }));
});
afterAll(() => fixture.close());

const addCustomer = (customerId: string): Promise<void> =>
  fixture.addCustomer(customerId, { priceBook: 'seats', billingFrom: '2024-01-01' as LocalDate });

async function plan(): Promise<void> {
  const { relay } = fixture.storage;
  await relay.plan('all', (await relay.acquire('all')).epoch);
}

async function changeSeats(customerId: string, eventTime: string, seats: number): Promise<string> {
  const event = { customerId, eventId: randomUUID(), eventType: 'seat_change', eventTime };
  await fixture.storage.ledger.append([usageEvent({ ...event, metadataJson: JSON.stringify({ seats }) })], []);
  await plan();
  return event.eventId;
}

async function periodOf(customerId: string, period: LocalDate): Promise<BillingPeriod> {
  const found = await fixture.storage.periods.periodNamed(customerId, period);
  if (found === null) throw new Error(`no period ${period}`);
  return found;
}

async function invoice(customerId: string, ...periods: readonly LocalDate[]): Promise<void> {
  for (const period of periods) {
    await periodOf(customerId, period);
    const request = { requestId: randomUUID(), customerId, period, billingDay, forced: false, reason: null };
    await fixture.storage.periods.requestInvoicing(request);
    await fixture.run(fixture.activities.issueChunk, { billingDay, limit: 10 });
  }
}

async function correct(customerId: string, period: LocalDate): Promise<void> {
  const { activities, run } = fixture;
  const { reRatingId } = await run(activities.startCorrection, { customerId, period });
  const step = { reRatingId: reRatingId ?? '', attempt: 1, limit: 10 };
  await run(activities.compareReRating, step);
  await run(activities.correctReRating, step);
  expect(await run(activities.reconcileReRating, { reRatingId: reRatingId ?? '', attempt: 1 })).toMatchObject({
    different: 0,
  });
  await run(activities.endReRating, { reRatingId: reRatingId ?? '', attempt: 1, rejected: false });
}

/** Of a period, in order of the chain; each of them proven. */
async function documentsOf(customerId: string, period: LocalDate): Promise<readonly Invoice[]> {
  const { data } = await fixture.storage.billing.listInvoices({ customerId }, { limit: 50 });
  const documents = data.filter((each) => each.period === period).sort((a, b) => a.chainPlace - b.chainPlace);
  for (const document of documents) {
    expect(await verifyInvoice(fixture.storage, document)).toMatchObject({ verified: true });
  }
  const { report } = await reconcilePeriod(fixture.storage, await periodOf(customerId, period));
  expect(report.differences).toEqual([]);
  return documents;
}

async function totalsOf(customerId: string, period: LocalDate): Promise<readonly DecimalString[]> {
  return (await documentsOf(customerId, period)).map(({ total }) => total);
}

const billed = async (customerId: string): Promise<readonly string[]> =>
  Promise.all([october, november, december].map(async (period) => addDecimals(await totalsOf(customerId, period))));

test('a level that reaches it later makes it a period like any other: all documents come to what was on time', async () => {
  await addCustomer('punctual');
  await changeSeats('punctual', '2023-10-16T00:00:00Z', 10);
  await invoice('punctual', october, november, december);
  await addCustomer('late');
  await invoice('late', december);
  expect(await totalsOf('late', december)).toEqual(['30']);
  await changeSeats('late', '2023-10-16T00:00:00Z', 10);
  await invoice('late', october, november);
  await correct('late', december);
  // The minimum of the seats, the fee in arrears, and what tops them up to the commitment.
  expect(await totalsOf('late', december)).toEqual(['30', '30']);
  expect(await billed('late')).toEqual(await billed('punctual'));
});

test('a late fact of its own does so too, and one that is taken back makes it an opening period again', async () => {
  await addCustomer('own');
  await invoice('own', december);
  const eventId = await changeSeats('own', '2023-12-16T12:00:00Z', 10);
  await correct('own', december);
  expect(await totalsOf('own', december)).toEqual(['30', '30']);
  const key = { customerId: 'own', source: '', eventId };
  await fixture.storage.adjustments.adjust({ ...key, type: 'void', replacement: null, reason: null });
  await plan();
  await correct('own', december);
  expect(await totalsOf('own', december)).toEqual(['30', '30', '-30']);
});

test('what is known at the gate counts, though nobody has invoiced the periods before it', async () => {
  await addCustomer('waiting');
  await changeSeats('waiting', '2023-10-16T00:00:00Z', 10);
  await invoice('waiting', december);
  expect(await totalsOf('waiting', december)).toEqual(['60']);
  await invoice('waiting', october, november);
  expect(await totalsOf('waiting', december)).toEqual(['60']);
});

test('an event that was there when it was invoiced makes it a period like any other, though nothing counts it', async () => {
  await addCustomer('unmetered');
  const event = { customerId: 'unmetered', eventId: 'e', eventType: 'login', eventTime: '2023-12-10T00:00:00Z' };
  await fixture.storage.ledger.append([usageEvent(event)], []);
  await invoice('unmetered', december);
  expect(await totalsOf('unmetered', december)).toEqual(['60']);
});

describe('what was issued before usage decided', () => {
  /** Makes the document of December what it was then: once an opening period, always one. */
  async function asThen(customerId: string): Promise<void> {
    const [document] = await documentsOf(customerId, december);
    if (document === undefined) throw new Error('December is invoiced');
    const pinnedVersions = { ...document.pinnedVersions, opening: true } as const;
    const sql = new pg.Client({ connectionString: fixture.url });
    await sql.connect();
    for (const table of ['invoices', 'period_ratings']) {
      await sql.query(`ALTER TABLE ${table} DISABLE TRIGGER USER`);
      await sql.query(`UPDATE ${table} SET pinned_versions = $1 WHERE invoice_id = $2`, [
        pinnedVersions,
        document.invoiceId,
      ]);
    }
    const hash = documentHash({ ...document, pinnedVersions });
    await sql.query('UPDATE invoices SET document_hash = $1 WHERE invoice_id = $2', [hash, document.invoiceId]);
    for (const table of ['invoices', 'period_ratings']) await sql.query(`ALTER TABLE ${table} ENABLE TRIGGER USER`);
    await sql.end();
    const [then] = await documentsOf(customerId, december);
    expect(then?.pinnedVersions.opening).toBe(true);
  }

  test('holds, and what comes late is decided by usage', async () => {
    await addCustomer('then');
    await invoice('then', december);
    await asThen('then');
    await changeSeats('then', '2023-12-16T12:00:00Z', 10);
    await correct('then', december);
    expect(await totalsOf('then', december)).toEqual(['30', '30']);
  });

  test('stays as it was where usage was billed by it: nothing but usage is due, whatever else is learned', async () => {
    const { storage, activities, run } = fixture;
    const content = { code: 'plain', currency: 'USD', effective_from: '2023-01-01T00:00:00Z' };
    const price = { meter: 'seats', model: 'flat', unit_price: '1.00' };
    await storage.reference.createPriceBook(parsePriceBook({ ...content, version: 'v1', prices: [price] }));
    await fixture.addCustomer('used', { priceBook: 'plain', billingFrom: '2024-01-01' as LocalDate });
    await changeSeats('used', '2023-12-01T00:00:00Z', 10);
    await invoice('used', december);
    await asThen('used');
    const prices = [{ ...price, minimum: '15.00' }];
    const { priceBook } = await storage.reference.createPriceBook(
      parsePriceBook({ ...content, version: 'v2', prices }),
    );
    const compared = async (priceBookId: string | null): Promise<unknown> => {
      const reRatingId = randomUUID();
      const scope = { customerIds: ['used'], meters: null, from: null, to: null };
      const asked = { workflowId: `re-rating/${reRatingId}`, reason: 'price_correction', scope, dryRun: true } as const;
      await storage.reRatings.create({ ...asked, reRatingId, priceBookId, requestedBy: 'ann' }, [
        { customerId: 'used', period: december },
      ]);
      await run(activities.compareReRating, { reRatingId, attempt: 1, limit: 10 });
      const { data } = await storage.reRatings.comparisons(reRatingId, { limit: 10 });
      return data.map(({ difference }) => difference);
    };
    expect(await compared(priceBook.priceBookId)).toEqual(['0']);
    // Whoever asks for what is known now gets it.
    expect(await compared(null)).toEqual(['5']);
  });
});
