/** A customer with events of few types where meters are of many: only those are read, and what they lose is still seen. */
import type { Meter } from '../../src/domain/metering/meter.js';
import { metersWithEvents } from '../../src/storage/aggregation-event-types.js';
import { openWindows } from '../../src/storage/periods-facts.js';
import type { BillingPeriod, UsageStore } from '../../src/storage/types.js';
import { createUsageStore } from '../../src/storage/usage.js';
import type { UsageEvent } from '../../src/domain/metering/event.js';
import { createFixture, type Fixture, instant, usageEvent } from './usage-fixture.js';

const types = Array.from({ length: 12 }, (_, i) => `type-${String(i).padStart(2, '0')}`);

let fixture: Fixture;
let usage: UsageStore;
let meters: readonly Meter[];
let customerId: string;
let period: BillingPeriod;

beforeAll(async () => {
  fixture = await createFixture();
  usage = createUsageStore(fixture.db);
  meters = await Promise.all(types.map((eventType) => fixture.addMeter({ code: `of-${eventType}`, eventType })));
});
afterAll(() => fixture.close());
beforeEach(async () => {
  customerId = await fixture.addCustomer();
  period = await fixture.addPeriod(customerId);
});

const event = (eventId: string, type: number, time = '2024-01-10T10:00:00Z'): UsageEvent =>
  usageEvent({ customerId, eventId, eventType: types[type] ?? '', eventTime: time, metadataJson: '{}' });

const scope = (adjusted: boolean): Parameters<typeof metersWithEvents>[2] => ({
  customerId,
  ranges: [period],
  cutoff: null,
  adjusted,
});
const codes = (some: readonly Pick<Meter, 'code'>[]): readonly string[] => some.map(({ code }) => code).sort();
const close = (): ReturnType<UsageStore['closeWindows']> => usage.closeWindows(period, null, [], null);

async function latestRevisions(): Promise<readonly unknown[]> {
  const { rows } = await fixture.db.pool.query<{ code: string; quantity: string; revision: number }>(
    `SELECT DISTINCT ON (m.code) m.code, u.quantity, u.revision FROM aggregated_usage u JOIN meters m USING (meter_id)
     WHERE u.customer_id = $1 ORDER BY m.code, u.revision DESC`,
    [customerId],
  );
  return rows.map(({ code, quantity, revision }) => [code, quantity, revision]);
}

test('only meters of event types that are there are read', async () => {
  const outside = event('outside', 7, '2024-02-01T00:00:00Z');
  await fixture.append([event('a', 0), event('b', 3), outside]);
  expect(codes(await metersWithEvents(fixture.db.pool, meters, scope(false)))).toEqual(['of-type-00', 'of-type-03']);
  const few = meters.slice(0, 8);
  expect(await metersWithEvents(fixture.db.pool, few, scope(false))).toEqual(few);
});

test('an event that an amendment gives another type, or a void takes away, opens and closes the windows of both', async () => {
  const [a, b] = [event('a', 0), event('b', 3)];
  await fixture.append([a, b]);
  expect((await openWindows(fixture.db, period)).map(({ meter }) => meter)).toEqual(['of-type-00', 'of-type-03']);
  expect((await close()).revisions).toBe(2);
  expect(await openWindows(fixture.db, period)).toEqual([]);

  await fixture.adjust(a, { eventType: 'type-09', eventTime: instant('2024-01-10T10:00:00Z'), metadataJson: '{}' });
  await fixture.adjust(b, null);
  expect(codes(await metersWithEvents(fixture.db.pool, meters, scope(true)))).toEqual(['of-type-09']);
  expect((await openWindows(fixture.db, period)).map(({ meter }) => meter)).toEqual([
    'of-type-00',
    'of-type-03',
    'of-type-09',
  ]);
  expect((await close()).revisions).toBe(3);
  expect(await latestRevisions()).toEqual([
    ['of-type-00', '0', 2],
    ['of-type-03', '0', 2],
    ['of-type-09', '1', 1],
  ]);
  expect((await close()).revisions).toBe(0);
  expect(await openWindows(fixture.db, period)).toEqual([]);
  const { windows } = await usage.liveUsage(period);
  expect(windows.map(({ meter, quantity }) => [meter, quantity])).toEqual([['of-type-09', '1']]);
});

test('a period without events: nothing is open, nothing is closed; one that loses its last event closes it at zero', async () => {
  expect(await metersWithEvents(fixture.db.pool, meters, scope(false))).toEqual([]);
  expect(await openWindows(fixture.db, period)).toEqual([]);
  expect((await close()).revisions).toBe(0);
  expect((await usage.liveUsage(period)).windows).toEqual([]);
  const only = event('only', 5);
  await fixture.append([only]);
  await close();
  await fixture.adjust(only, null);
  expect((await openWindows(fixture.db, period)).map(({ meter }) => meter)).toEqual(['of-type-05']);
  expect((await close()).revisions).toBe(1);
  expect(await latestRevisions()).toEqual([['of-type-05', '0', 2]]);
});
