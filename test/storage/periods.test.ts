import { startOfLocalDay } from '../../src/calendar/time-zones.js';
import type { UsageEvent } from '../../src/domain/metering/event.js';
import type { Instant, LocalDate } from '../../src/domain/values.js';
import { createBillingPeriodStore } from '../../src/storage/periods.js';
import { createReferenceStore } from '../../src/storage/reference.js';
import type { BillingPeriod, BillingPeriodStore, CustomerFacts, ReferenceStore } from '../../src/storage/types.js';
import { createUsageStore } from '../../src/storage/usage.js';
import { createFixture, type Fixture, instant, usageEvent } from './usage-fixture.js';

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

const day = (text: string): LocalDate => text as LocalDate;
const facts: CustomerFacts = {
  name: 'Acme',
  currency: 'USD',
  timeZone: 'UTC',
  billingAnchorDay: 1,
  billingFrom: day('2024-01-01'),
  priceBook: 'standard',
  invoiceDelay: 'PT1H',
  lateUsageQuietTime: 'PT1H',
  skipEmptyInvoices: false,
  approvalThreshold: null,
  tags: {},
  buyer: {},
};
const put = (
  changes: Partial<CustomerFacts> = {},
  calendarFrom: Instant | null = null,
): ReturnType<ReferenceStore['putCustomer']> =>
  reference.putCustomer(customerId, { ...facts, ...changes }, calendarFrom);

const event = (eventId: string, time: string, metadata: object = { bytes: '10', region: 'eu' }): UsageEvent =>
  usageEvent({ customerId, eventId, eventTime: time, metadataJson: JSON.stringify(metadata) });

describe('creation', () => {
  test('a period is the calendar interval of the customer that contains the instant, stored once', async () => {
    const { customer } = await put({ timeZone: 'Europe/Berlin', billingAnchorDay: 31 });
    const period = await periods.periodAt(customerId, instant('2024-02-15T00:00:00Z'));
    expect(period).toEqual({
      customerId,
      period: '2024-01-31',
      from: startOfLocalDay(day('2024-01-31'), 'Europe/Berlin'),
      to: startOfLocalDay(day('2024-02-29'), 'Europe/Berlin'),
      customerVersionId: customer.customerVersionId,
      timeZone: 'Europe/Berlin',
      cuts: [],
    });
    expect(await periods.periodAt(customerId, period.from)).toEqual(period);
    expect(await periods.periodNamed(customerId, period.period)).toEqual(period);
    expect((await periods.periodAt(customerId, period.to)).from).toBe(period.to);
    const { rows } = await fixture.db.pool.query('SELECT tzdata_version FROM billing_periods WHERE customer_id = $1', [
      customerId,
    ]);
    expect(rows).toEqual([{ tzdata_version: process.versions.tz }, { tzdata_version: process.versions.tz }]);
  });

  test('where the zone is off the full hour, local midnights cut hours in two', async () => {
    await put({ timeZone: 'Asia/Kolkata' });
    const { cuts, from } = await periods.periodAt(customerId, instant('2024-01-15T00:00:00Z'));
    expect(from).toBe('2023-12-31T18:30:00.000000Z');
    expect(cuts).toHaveLength(30);
    expect(cuts[0]).toBe('2024-01-01T18:30:00.000000Z');
  });

  test('by name: only what lies on the calendar', async () => {
    await put();
    expect(await periods.periodNamed(customerId, day('2024-03-02'))).toBeNull();
    expect(await periods.periodNamed(customerId, day('2024-03-01'))).toMatchObject({
      to: '2024-04-01T00:00:00.000000Z',
    });
    expect(await periods.periodNamed('nobody', day('2024-03-01'))).toBeNull();
    await expect(periods.periodAt('nobody', instant('2024-03-01T00:00:00Z'))).rejects.toMatchObject({
      code: 'UNKNOWN_CUSTOMER',
    });
  });

  test('a change of zone and anchor: no gap, no overlap, in whatever order periods are asked for', async () => {
    await put();
    const stored = await periods.periodAt(customerId, instant('2024-01-20T00:00:00Z'));
    // Learned on 20 January: takes effect at the boundary, 1 February UTC.
    await put({ timeZone: 'Pacific/Auckland', billingAnchorDay: 15 }, stored.to);
    const asked = [
      '2024-05-01T00:00:00Z',
      '2024-02-01T00:00:00Z',
      '2024-01-31T23:59:59Z',
      '2023-12-01T00:00:00Z',
      '2024-03-10T00:00:00Z',
    ];
    for (const at of asked) await periods.periodAt(customerId, instant(at));
    const { rows } = await fixture.db.pool.query<{
      period: string;
      period_start: string;
      period_end: string;
      version: number;
    }>(
      `SELECT period, period_start, period_end, version FROM billing_periods JOIN customer_versions v USING (customer_version_id)
        WHERE v.customer_id = $1 ORDER BY period_start`,
      [customerId],
    );
    expect(rows.map(({ period, version }) => [period, version])).toEqual([
      ['2023-12-01', 1],
      ['2024-01-01', 1],
      ['2024-02-01', 2],
      ['2024-02-15', 2],
      ['2024-04-15', 2],
    ]);
    expect(rows[1]?.period_end).toBe(rows[2]?.period_start);
    expect(rows[2]?.period_end).toBe(rows[3]?.period_start);
    expect(rows[3]?.period_start).toBe(startOfLocalDay(day('2024-02-15'), 'Pacific/Auckland'));
  });

  test('a period stored since the caller looked holds: the change waits for the boundary after it', async () => {
    await put();
    const january = await periods.periodAt(customerId, instant('2024-01-20T00:00:00Z'));
    const february = await periods.periodAt(customerId, january.to);
    const { customer } = await put({ timeZone: 'Pacific/Auckland', billingAnchorDay: 15 }, january.to);
    expect(customer.calendarFrom).toBe(february.to);
    expect((await periods.periodAt(customerId, february.to)).from).toBe(february.to);
  });

  test('many at once, while zone and anchor change: periods tile', async () => {
    await put();
    const months = Array.from(
      { length: 24 },
      (_, i) => `20${24 + Math.floor(i / 12)}-${String((i % 12) + 1).padStart(2, '0')}-20T12:00:00Z`,
    );
    const changes = ['Asia/Kolkata', 'America/New_York', 'Pacific/Apia'];
    await Promise.all([
      ...[...months, ...months, ...months].map((at) => periods.periodAt(customerId, instant(at))),
      ...changes.map(async (timeZone, i) => {
        const at = await periods.periodAt(customerId, instant(`2024-0${i + 2}-10T00:00:00Z`));
        await put({ timeZone, billingAnchorDay: i * 10 + 1 }, at.to);
      }),
    ]);
    for (const at of months) await periods.periodAt(customerId, instant(at));
    const { rows } = await fixture.db.pool.query(
      `SELECT a.period FROM billing_periods a JOIN billing_periods b
           ON a.customer_id = b.customer_id AND a.period_start < b.period_end AND b.period_start < a.period_end AND a.period <> b.period
        WHERE a.customer_id = $1`,
      [customerId],
    );
    expect(rows).toEqual([]);
  });
});

describe('what the ledger says of a period', () => {
  let period: BillingPeriod;
  const close = async (): Promise<void> => {
    await createUsageStore(fixture.db).closeWindows(period, null, [], null);
  };
  const open = async (): Promise<readonly string[]> =>
    (await periods.openWindows(period)).map(({ meter, windowStart }) => `${meter} ${windowStart.slice(5, 13)}`);

  beforeEach(async () => {
    await put();
    period = await periods.periodAt(customerId, instant('2024-01-15T00:00:00Z'));
  });

  test('windows are open until they are closed, and again after a later fact', async () => {
    expect(await periods.openWindows(period)).toEqual([]);
    const [a, b] = [event('a', '2024-01-10T10:30:00Z'), event('b', '2024-01-10T11:00:00Z', { bytes: 'none' })];
    await fixture.append([a, b, event('next', '2024-02-01T00:00:00Z')]);
    expect(await periods.openWindows(period)).toEqual([
      { meter: 'bytes', windowStart: instant('2024-01-10T10:00:00Z'), windowEnd: instant('2024-01-10T11:00:00Z') },
      { meter: 'calls', windowStart: instant('2024-01-10T10:00:00Z'), windowEnd: instant('2024-01-10T11:00:00Z') },
      { meter: 'calls', windowStart: instant('2024-01-10T11:00:00Z'), windowEnd: instant('2024-01-10T12:00:00Z') },
    ]);
    await close();
    expect(await open()).toEqual([]);

    await fixture.append([event('late', '2024-01-10T10:59:00Z', { bytes: 1, region: 'us' })]);
    expect(await open()).toEqual(['bytes 01-10T10', 'calls 01-10T10']);
    await close();
    await fixture.adjust(a, {
      eventType: 'api_call',
      eventTime: instant('2024-01-12T00:00:00Z'),
      metadataJson: a.metadataJson,
    });
    expect(await open()).toEqual(['bytes 01-10T10', 'calls 01-10T10', 'bytes 01-12T00', 'calls 01-12T00']);
    await close();
    await fixture.adjust(b, null);
    expect(await open()).toEqual(['calls 01-10T11']);
    await close();
    expect(await open()).toEqual([]);
  });

  test('a fact that changes nothing opens no window', async () => {
    const a = event('a', '2024-01-10T10:30:00Z');
    await fixture.append([a]);
    await close();
    await fixture.adjust(a, { eventType: a.eventType, eventTime: a.eventTime, metadataJson: a.metadataJson });
    await fixture.append([
      usageEvent({ customerId, eventId: 'unmetered', eventType: 'other', eventTime: '2024-01-10T10:30:00Z' }),
    ]);
    expect(await open()).toEqual([]);
  });

  test('the highest event time, of events in the period and of what was moved there', async () => {
    expect(await periods.highestEventTime(period)).toBeNull();
    const a = event('a', '2024-01-10T10:30:00.000001Z');
    await fixture.append([a, event('b', '2024-01-09T00:00:00Z'), event('c', '2024-02-01T00:00:00Z')]);
    expect(await periods.highestEventTime(period)).toBe('2024-01-10T10:30:00.000001Z');
    await fixture.adjust(a, null);
    expect(await periods.highestEventTime(period)).toBe('2024-01-10T10:30:00.000001Z');
    await fixture.adjust(event('c', ''), {
      eventType: 'api_call',
      eventTime: instant('2024-01-31T23:59:59Z'),
      metadataJson: '{}',
    });
    expect(await periods.highestEventTime(period)).toBe('2024-01-31T23:59:59.000000Z');
  });

  test('very late is what lies beyond the cutoff of the last document, by position only', async () => {
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
    expect(await periods.veryLateFacts(period)).toEqual({ count: 0, from: null, to: null });

    await insertInvoice(period, await fixture.horizon());
    expect(await periods.veryLateFacts(period)).toEqual({ count: 0, from: null, to: null });

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
    expect(await periods.veryLateFacts(period)).toEqual({ count: 5, from: first, to: last });
  });
});

async function insertInvoice(period: BillingPeriod, cutoff: string): Promise<string> {
  const { rows } = await fixture.db.pool.query<{ invoice_id: string }>(
    `INSERT INTO invoices (invoice_id, number, type, customer_id, period, chain_place, period_start, period_end, time_zone, currency,
       subtotal, credits, tax, total, seller, buyer, payment_terms, cutoff_position, pinned_versions, document_hash, issued_at, due_at)
     VALUES (gen_random_uuid(), gen_random_uuid(), 'invoice', $1, $2, 1, $3, $4, 'UTC', 'USD', 0, 0, 0, 0, '{}', '{}', '', $5, '{}', '', now(), now())
     RETURNING invoice_id`,
    [period.customerId, period.period, period.from, period.to, cutoff],
  );
  return rows[0]?.invoice_id ?? '';
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

    const first = await periods.listPeriods(customerId, { limit: 1 });
    const second = await periods.listPeriods(customerId, { limit: 1, cursor: first.nextCursor ?? '' });
    expect([...first.data, ...second.data].map(({ period, stage: at }) => [period, at])).toEqual([
      [future.period, 'open'],
      [past.period, 'invoiced'],
    ]);
    expect(second.nextCursor).toBeNull();
  });
});

describe('unfinished periods', () => {
  test('those that should exist by now, created where they are missing, without the ones that are done', async () => {
    const now = instant('2024-04-10T00:00:00Z');
    const all = async (limit: number): Promise<readonly BillingPeriod[]> => {
      const found: BillingPeriod[] = [];
      let cursor: string | null = null;
      do {
        const page = await periods.unfinishedPeriods(now, { limit, ...(cursor === null ? {} : { cursor }) });
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
