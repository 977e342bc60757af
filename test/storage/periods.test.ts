import { startOfLocalDay } from '../../src/calendar/time-zones.js';
import type { UsageEvent } from '../../src/domain/metering/event.js';
import type { Instant, LocalDate } from '../../src/domain/values.js';
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

const day = (text: string): LocalDate => text as LocalDate;
const put = (
  changes: Partial<CustomerFacts> = {},
  calendarFrom: Instant | null = null,
): ReturnType<ReferenceStore['putCustomer']> =>
  reference.putCustomer(customerId, { ...acme, ...changes }, calendarFrom);

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

  test("the highest event time is nobody's who comes with a backfill that is open or reverted", async () => {
    await fixture.append([event('a', '2024-01-10T10:00:00Z')]);
    const backfill = await fixture.addBackfill(customerId);
    const imported = event('imported', '2024-01-20T00:00:00Z');
    await fixture.appendToBackfill(backfill, [imported]);
    const highest = () => periods.highestEventTime(period);
    expect(await highest()).toBe('2024-01-10T10:00:00.000000Z');
    await fixture.decide(backfill, 'closed');
    expect(await highest()).toBe('2024-01-20T00:00:00.000000Z');
    const moved = { eventType: 'api_call', eventTime: instant('2024-01-25T00:00:00Z'), metadataJson: '{}' };
    await fixture.adjust(imported, moved);
    expect(await highest()).toBe('2024-01-25T00:00:00.000000Z');
    await fixture.decide(backfill, 'reverted');
    expect(await highest()).toBe('2024-01-10T10:00:00.000000Z');
  });
});
