/** Periods and their documents: what is very late, where a period is, and what the daily sweep finds. */
import type { UsageEvent } from '../../src/domain/metering/event.js';
import type { LocalDate } from '../../src/domain/values.js';
import { createBillingPeriodStore } from '../../src/storage/periods.js';
import { createReferenceStore } from '../../src/storage/reference.js';
import type { BillingPeriod, BillingPeriodStore, CustomerFacts, ReferenceStore } from '../../src/storage/types.js';
import { createUsageStore } from '../../src/storage/usage.js';
import { acme, createFixture, type Fixture, instant, usageEvent } from './usage-fixture.js';

let fixture: Fixture;
let periods: BillingPeriodStore;
let reference: ReferenceStore;

beforeAll(async () => {
  fixture = await createFixture();
  periods = createBillingPeriodStore(fixture.db);
  reference = createReferenceStore(fixture.db);
  await fixture.addMeter({ code: 'calls' });
  await fixture.addMeter({ code: 'bytes', valueProperty: 'bytes', groupBy: ['region'] });
});
afterAll(() => fixture.close());

let customers = 0;
let customerId: string;
beforeEach(() => {
  customerId = `customer-${String((customers += 1)).padStart(3, '0')}`;
});

const leavesLevel = (): Promise<boolean> => Promise.resolve(false);
const day = (text: string): LocalDate => text as LocalDate;
const put = (changes: Partial<CustomerFacts> = {}): ReturnType<ReferenceStore['putCustomer']> =>
  reference.putCustomer(customerId, { ...acme, ...changes }, null);

const event = (eventId: string, time: string, metadata: object = { bytes: '10', region: 'eu' }): UsageEvent =>
  usageEvent({ customerId, eventId, eventTime: time, metadataJson: JSON.stringify(metadata) });

test('very late is what lies beyond the cutoff of the last rating, by position only', async () => {
  await put();
  const period = await periods.periodAt(customerId, instant('2024-01-15T00:00:00Z'));
  const [before, moved, gone, outside] = [
    event('before', '2024-01-10T00:00:00Z'),
    event('moved', '2024-01-11T00:00:00Z'),
    event('gone', '2024-01-12T00:00:00Z'),
    event('outside', '2024-03-01T00:00:00Z'),
  ];
  await fixture.append([before, moved, gone, outside]);
  const elsewhere = { eventType: 'api_call', eventTime: instant('2024-03-02T00:00:00Z'), metadataJson: '{}' };
  await fixture.adjust(gone, elsewhere);
  const backfill = await fixture.addBackfill(customerId);
  await fixture.appendToBackfill(backfill, [event('filled', '2024-01-13T00:00:00Z')]);
  const nothing = { count: 0, events: 0, from: null, to: null };
  expect(await periods.veryLateFacts(period)).toEqual(nothing);

  const invoiceId = await insertInvoice(period, await fixture.horizon());
  expect(await periods.veryLateFacts(period)).toEqual(nothing);

  await fixture.append([event('february', '2024-02-01T00:00:00Z')]);
  await fixture.adjust(outside, { ...elsewhere, eventTime: instant('2024-03-03T00:00:00Z') });
  await fixture.appendToBackfill(backfill, [event('filled too', '2024-01-13T00:00:00Z')]);
  expect((await periods.veryLateFacts(period)).count).toBe(0);

  await fixture.append([event('late', '2024-01-01T00:00:00Z')]);
  const first = (await fixture.horizon()) as string;
  await fixture.adjust(moved, elsewhere);
  await fixture.adjust(gone, null); // was in the period before it was moved away
  await fixture.adjust(outside, { ...elsewhere, eventTime: instant('2024-01-31T00:00:00Z') });
  const last = await fixture.decide(backfill, 'closed');
  expect(await periods.veryLateFacts(period)).toEqual({ count: 5, events: 1, from: first, to: last });

  // Settled without a document: the rating counts, not the invoice.
  await rate(period, { sequence: 2, cutoff: first, invoiceId: null });
  expect(await periods.veryLateFacts(period)).toMatchObject({ count: 4, events: 0, to: last });
  await addTransition(invoiceId, 2, 'void');
  expect(await periods.veryLateFacts(period)).toEqual(nothing);
});

async function insertInvoice(period: BillingPeriod, cutoff: string, place = 1): Promise<string> {
  const { rows } = await fixture.db.pool.query<{ invoice_id: string }>(
    `INSERT INTO invoices (invoice_id, number, type, customer_id, period, chain_place, period_start, period_end, time_zone, currency,
       subtotal, credits, tax, total, seller, buyer, payment_terms, cutoff_position, pinned_versions, document_hash, issued_at, due_at)
     VALUES (gen_random_uuid(), gen_random_uuid(), 'invoice', $1, $2, $6, $3, $4, 'UTC', 'USD', 0, 0, 0, 0, '{}', '{}', '', $5, '{}', '', now(), now())
     RETURNING invoice_id`,
    [period.customerId, period.period, period.from, period.to, cutoff, place],
  );
  const invoiceId = rows[0]?.invoice_id ?? '';
  await addTransition(invoiceId, 1, 'issued');
  await rate(period, { sequence: place, cutoff, invoiceId });
  return invoiceId;
}

async function addTransition(invoiceId: string, sequence: number, status: string): Promise<void> {
  await fixture.db.pool.query(`INSERT INTO invoice_transitions VALUES ($1, $2, $3, 'test', NULL)`, [
    invoiceId,
    sequence,
    status,
  ]);
}

async function rate(
  { customerId: of, period }: BillingPeriod,
  {
    sequence,
    cutoff,
    invoiceId,
  }: { readonly sequence: number; readonly cutoff: string; readonly invoiceId: string | null },
): Promise<void> {
  await fixture.db.pool.query(`INSERT INTO period_ratings VALUES ($1, $2, $3, $4, '{}', '{}', $5)`, [
    of,
    period,
    sequence,
    cutoff,
    invoiceId,
  ]);
}

describe('status', () => {
  test('from open to invoiced', async () => {
    await put();
    const past = await periods.periodAt(customerId, instant('2024-01-15T00:00:00Z'));
    const future = await periods.periodAt(customerId, instant('2998-01-15T00:00:00Z'));
    const stage = async (): Promise<string | undefined> => (await periods.status(customerId, past.period))?.stage;
    expect(await periods.status(customerId, day('2024-02-01'))).toBeNull();
    expect((await periods.status(customerId, future.period))?.stage).toBe('open');
    expect(await periods.status(customerId, past.period)).toEqual({
      ...past,
      stage: 'closing',
      windows: 0,
      closedWindows: 0,
      lastCutoff: null,
      invoiceId: null,
      invoicedCutoff: null,
      waitsFor: [],
    });

    await fixture.append([
      event('a', '2024-01-10T00:00:00Z'),
      event('b', '2024-01-10T01:00:00Z', { bytes: 'none', region: 'eu' }),
    ]);
    const { cutoff } = await createUsageStore(fixture.db).closeWindows(past, null, [], null);
    await fixture.adjust(event('b', ''), null);
    const last = await createUsageStore(fixture.db).closeWindows(past, null, [], null);
    expect(BigInt(last.cutoff)).toBeGreaterThan(BigInt(cutoff));
    // One window of each meter; the window that lost its only event counts no more.
    expect(await periods.status(customerId, past.period)).toMatchObject({
      windows: 2,
      closedWindows: 2,
      lastCutoff: last.cutoff,
    });

    const request = { customerId, period: past.period, billingDay: day('2024-02-01'), forced: false, reason: null };
    const ids = [
      '00000000-0000-4000-8000-000000000001',
      '00000000-0000-4000-8000-000000000002',
      '00000000-0000-4000-8000-000000000003',
    ];
    const [held = '', skipped = '', issued = ''] = ids;
    await periods.requestInvoicing({ ...request, requestId: held });
    await periods.requestInvoicing({ ...request, requestId: held });
    expect(await stage()).toBe('ready');
    await periods.recordOutcome(held, 'held', null);
    expect(await stage()).toBe('held');
    await periods.requestInvoicing({ ...request, requestId: skipped, forced: true, reason: 'again' });
    expect(await stage()).toBe('ready');
    expect(await periods.pendingInvoicing(day('2024-02-01'), 10)).toEqual([
      { ...request, requestId: skipped, forced: true, reason: 'again' },
    ]);
    expect(await periods.pendingInvoicing(day('2024-02-02'), 10)).toEqual([]);
    await periods.recordOutcome(skipped, 'skipped', null);
    expect(await stage()).toBe('skipped');
    await periods.requestInvoicing({ ...request, requestId: issued });
    const invoiceId = await insertInvoice(past, last.cutoff);
    await periods.recordOutcome(issued, 'issued', invoiceId);
    // The first outcome of a request stands.
    await periods.recordOutcome(issued, 'held', null);
    expect(await periods.status(customerId, past.period)).toMatchObject({
      stage: 'invoiced',
      invoiceId,
      invoicedCutoff: last.cutoff,
    });

    // Settled once more, without a document.
    await rate(past, { sequence: 2, cutoff: '1234567', invoiceId: null });
    expect(await periods.status(customerId, past.period)).toMatchObject({ invoiceId, invoicedCutoff: '1234567' });

    const first = await periods.listPeriods(customerId, { limit: 1 });
    const second = await periods.listPeriods(customerId, { limit: 1, cursor: first.nextCursor ?? '' });
    expect([...first.data, ...second.data].map(({ period, stage: at }) => [period, at])).toEqual([
      [future.period, 'open'],
      [past.period, 'invoiced'],
    ]);
    expect(second.nextCursor).toBeNull();
  });
});

describe('a voided invoice', () => {
  test('leaves the period void until closing it issues the replacement', async () => {
    await put();
    const period = await periods.periodAt(customerId, instant('2024-01-15T00:00:00Z'));
    const status = (): Promise<unknown> => periods.status(customerId, period.period);
    const request = async (requestId: string): Promise<void> => {
      const { customerId: of, period: name } = period;
      const billingDay = day('2024-02-01');
      await periods.requestInvoicing({
        requestId,
        customerId: of,
        period: name,
        billingDay,
        forced: false,
        reason: null,
      });
    };
    const [first, second] = ['00000000-0000-4000-8000-0000000000b1', '00000000-0000-4000-8000-0000000000b2'] as const;
    await request(first);
    const original = await insertInvoice(period, '10');
    await periods.recordOutcome(first, 'issued', original);
    await addTransition(original, 2, 'void');
    const isVoid = { stage: 'void', invoiceId: null, invoicedCutoff: null };
    expect(await status()).toMatchObject(isVoid);
    await fixture.append([event('late', '2024-01-10T00:00:00Z')]);
    expect(await status()).toMatchObject(isVoid);
    const { data } = await periods.unfinishedPeriods(period.from, { limit: 1_000, leavesLevel });
    expect(data).not.toContainEqual(period);

    await request(second);
    expect(await status()).toMatchObject({ ...isVoid, stage: 'ready' });
    const replacement = await insertInvoice(period, '20', 2);
    await periods.recordOutcome(second, 'issued', replacement);
    expect(await status()).toMatchObject({ stage: 'invoiced', invoiceId: replacement, invoicedCutoff: '20' });
  });
});

describe('unfinished periods', () => {
  test('those that should exist by now, created where they are missing, without the ones that are done', async () => {
    const now = instant('2024-04-10T00:00:00Z');
    const all = async (limit: number): Promise<readonly BillingPeriod[]> => {
      const found: BillingPeriod[] = [];
      let cursor: string | null = null;
      do {
        const page = await periods.unfinishedPeriods(now, {
          limit,
          leavesLevel,
          ...(cursor === null ? {} : { cursor }),
        });
        expect(page.data.length).toBeLessThanOrEqual(limit);
        found.push(...page.data);
        cursor = page.nextCursor;
      } while (cursor !== null);
      return found;
    };
    const others = await all(1_000);
    await put({ billingFrom: day('2024-02-10') });
    const usedBefore = await periods.periodAt(customerId, instant('2023-06-15T00:00:00Z'));
    await periods.periodAt(customerId, instant('2025-01-01T00:00:00Z'));
    const invoiced = await periods.periodAt(customerId, instant('2024-03-15T00:00:00Z'));
    await insertInvoice(invoiced, '1');

    const mine = (found: readonly BillingPeriod[]): readonly string[] =>
      found.filter((period) => period.customerId === customerId).map(({ period }) => period);
    const found = await all(1_000);
    expect(mine(found)).toEqual(['2023-06-01', '2024-02-01', '2024-04-01']);
    expect(found.filter((period) => period.customerId !== customerId)).toEqual(others);
    expect(await all(2)).toEqual(found);

    const requestId = '00000000-0000-4000-8000-00000000000a';
    await periods.requestInvoicing({
      requestId,
      customerId,
      period: usedBefore.period,
      billingDay: day('2024-04-10'),
      forced: false,
      reason: null,
    });
    expect(mine(await all(3))).toContain(usedBefore.period);
    await periods.recordOutcome(requestId, 'held', null);
    expect(mine(await all(3))).toEqual(['2024-02-01', '2024-04-01']);
  });
});
