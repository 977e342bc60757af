/** Which events no meter takes (RULES 10): judged by their own time, however they came to be, counted, and a finding a type. */
import { createFindingStore } from '../../src/storage/findings.js';
import { createPriceStore } from '../../src/storage/reference-prices.js';
import { createRelayStore } from '../../src/storage/relay.js';
import { createUnmeteredWatch } from '../../src/storage/relay-unmetered.js';
import type { Meter } from '../../src/domain/metering/meter.js';
import type { Instant, LocalDate } from '../../src/domain/values.js';
import { createFixture, type Fixture, instant, meterOf, monthAt, usageEvent } from './usage-fixture.js';

const group = 'all';
let fixture: Fixture;
let customerId: string;
let counted: number[];
let plan: () => Promise<unknown>;

beforeEach(async () => {
  fixture = await createFixture();
  customerId = await fixture.addCustomer();
  counted = [];
  const watch = createUnmeteredWatch(fixture.db);
  watch.onEvents((events) => counted.push(events));
  const relay = createRelayStore(fixture.db, { periodAt: (customer, at) => monthAt(fixture, customer, at) }, watch);
  const { epoch } = await relay.acquire(group);
  plan = () => relay.plan(group, epoch);
});
afterEach(() => fixture.close());

/** From `effectiveFrom` on; of one type, so that no other meter takes the events. */
async function addMeter(
  fields: Partial<Meter> & { readonly effectiveFrom: Instant | LocalDate | null },
): Promise<void> {
  const { meterId: _id, version: _version, ...content } = meterOf({ code: 'm', eventType: 'e', ...fields });
  await createPriceStore(fixture.db).createMeter(content);
}

let events = 0;
const event = (time: string, metadataJson = '{}', eventType = 'e') =>
  usageEvent({ customerId, eventId: `e${(events += 1)}`, eventTime: instant(time), eventType, metadataJson });
const send = async (...times: readonly string[]): Promise<void> => {
  await fixture.append(times.map((time) => event(time)));
  await plan();
};
const findings = async (): Promise<readonly unknown[]> => {
  const { rows } = await fixture.db.pool.query<{ type: string }>(
    `SELECT subject ->> 'event_type' AS type FROM findings WHERE code = 'UNMETERED_EVENTS' ORDER BY 1`,
  );
  return rows.map(({ type }) => type);
};

test('a meter that begins in mid-period takes what comes from then on, and nothing before', async () => {
  await addMeter({ effectiveFrom: instant('2024-01-15T00:00:00Z') });
  await send('2024-01-15T00:00:00Z', '2024-01-20T00:00:00Z', '2024-02-20T00:00:00Z');
  expect({ counted, findings: await findings() }).toEqual({ counted: [], findings: [] });
  await send('2024-01-14T23:59:59.999999Z', '2024-01-01T00:00:00Z');
  expect({ counted, findings: await findings() }).toEqual({ counted: [2], findings: ['e'] });
  await send('2024-01-02T00:00:00Z');
  expect({ counted, findings: await findings() }).toEqual({ counted: [2, 1], findings: ['e'] });
});

test('what does not add up takes all of the period in which it begins; a level what came before it, too', async () => {
  await addMeter({ aggregation: 'max', valueProperty: 'v', effectiveFrom: instant('2024-02-15T00:00:00Z') });
  await send('2024-02-01T00:00:00Z');
  expect(counted).toEqual([]);
  await send('2024-01-31T23:59:59Z');
  expect(counted).toEqual([1]);
  const level = { code: 'l', eventType: 'l', aggregation: 'weighted_sum', valueProperty: 'v' } as const;
  await addMeter({ ...level, effectiveFrom: instant('2024-02-15T00:00:00Z') });
  await fixture.append([event('2024-01-10T00:00:00Z', '{"v":1}', 'l')]);
  await plan();
  expect(counted).toEqual([1]);
});

test('a later version that filters them out does not take them, whichever holds where the period begins', async () => {
  await addMeter({ effectiveFrom: null });
  await addMeter({ effectiveFrom: instant('2024-01-15T00:00:00Z'), filters: { tier: ['a'], 'tags.env': ['x'] } });
  await send('2024-01-10T00:00:00Z');
  const taken = event('2024-01-20T00:00:00Z', '{"tier":"a","tags":{"env":"x"}}');
  await fixture.append([taken]);
  await plan();
  expect(counted).toEqual([]);
  await fixture.append([event('2024-01-20T00:00:00Z', '{"tier":"a","tags":{"env":"y"}}')]);
  await plan();
  await send('2024-01-20T00:00:00Z');
  expect({ counted, findings: await findings() }).toEqual({ counted: [1, 1], findings: ['e'] });
});

test('about a local midnight either version may hold; a day away only one does', async () => {
  await addMeter({ effectiveFrom: '2024-01-15' as LocalDate });
  await send('2024-01-14T10:00:00Z', '2024-01-15T00:00:00Z');
  expect(counted).toEqual([]);
  await send('2024-01-14T09:59:59Z');
  expect(counted).toEqual([1]);
  await addMeter({ eventType: 'f', effectiveFrom: '2024-01-25' as LocalDate });
  await send('2024-01-25T11:59:59Z');
  expect(counted).toEqual([1]);
  await send('2024-01-25T12:00:00Z');
  expect(counted).toEqual([1, 1]);
});

test('events of a backfill, and what an amendment makes of an event', async () => {
  await addMeter({ effectiveFrom: null });
  const backfill = await fixture.addBackfill(customerId);
  await fixture.appendToBackfill(backfill, [
    event('2024-01-10T00:00:00Z'),
    event('2024-01-10T00:00:00Z', '{}', 'imported'),
  ]);
  await plan();
  expect({ counted, findings: await findings() }).toEqual({ counted: [1], findings: ['imported'] });

  const amended = event('2024-01-10T00:00:00Z');
  await fixture.append([amended]);
  const as = (eventType: string) => ({ eventType, eventTime: instant('2024-01-11T00:00:00Z'), metadataJson: '{}' });
  await fixture.adjust(amended, as('e'));
  await plan();
  expect(counted).toEqual([1]);
  await fixture.adjust(amended, as('mistyped'));
  await fixture.adjust(amended, null);
  await plan();
  expect({ counted, findings: await findings() }).toEqual({ counted: [1, 1], findings: ['imported', 'mistyped'] });
});

describe('a finding that was resolved', () => {
  const resolve = async (resolution: 'fixed' | 'accepted' | 'not_a_problem'): Promise<void> => {
    const store = createFindingStore(fixture.db);
    const { data } = await store.list({ code: 'UNMETERED_EVENTS', resolved: false }, { limit: 10 });
    for (const { findingId } of data) await store.resolve(findingId, { resolution, reason: 'r', resolvedBy: 'ann' });
  };

  test('as fixed is another one when such events come again, each time', async () => {
    await send('2024-01-10T00:00:00Z', '2024-01-10T00:00:00Z');
    await send('2024-01-11T00:00:00Z');
    expect(await findings()).toEqual(['e']);
    for (const found of [2, 3]) {
      await resolve('fixed');
      await send('2024-01-12T00:00:00Z');
      await send('2024-01-13T00:00:00Z');
      expect(await findings()).toHaveLength(found);
    }
  });

  test.each(['accepted', 'not_a_problem'] as const)('as %s stays so', async (resolution) => {
    await send('2024-01-10T00:00:00Z');
    await resolve(resolution);
    await send('2024-01-12T00:00:00Z');
    expect({ counted, findings: await findings() }).toEqual({ counted: [1, 1], findings: ['e'] });
  });
});
