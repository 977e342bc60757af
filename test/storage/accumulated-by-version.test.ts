/**
 * What the signals told, summed by the version of a meter that was known then, against a ledger that is read by a version learned
 * since: no difference. Sums are the relay's own.
 */
import { randomUUID } from 'node:crypto';
import { addDecimals } from '../../src/domain/decimal.js';
import { addDigests } from '../../src/domain/metering/digest.js';
import type { UsageEvent } from '../../src/domain/metering/event.js';
import type { DecimalString, Position } from '../../src/domain/values.js';
import { createRelayStore } from '../../src/storage/relay.js';
import type { AccumulatedWindow, BillingPeriod, RelayStore, UsageStore } from '../../src/storage/types.js';
import { createUsageStore } from '../../src/storage/usage.js';
import { createFixture, type Fixture, instant, monthAt, usageEvent } from './usage-fixture.js';

const group = 'all';
const window = instant('2024-01-10T10:00:00Z');
let fixture: Fixture;
let usage: UsageStore;
let relay: RelayStore;
let period: BillingPeriod;
let customerId: string;
let epoch: number;
/** As the workflow accumulates, by meter. */
let told: Map<string, AccumulatedWindow>;
let through: Position;

beforeEach(async () => {
  fixture = await createFixture();
  usage = createUsageStore(fixture.db);
  relay = createRelayStore(fixture.db, { periodAt: (customer, at) => monthAt(fixture, customer, at) });
  customerId = await fixture.addCustomer();
  period = await fixture.addPeriod(customerId);
  epoch = (await relay.acquire(group)).epoch;
  told = new Map();
});
afterEach(() => fixture.close());

const event = (eventId: string, properties: Record<string, unknown>, second = 0): UsageEvent =>
  usageEvent({
    ...{ customerId, eventId, eventTime: `2024-01-10T10:00:${String(second).padStart(2, '0')}Z` },
    metadataJson: JSON.stringify(properties),
  });

/** Stored, and planned by the rules known now; what the range says is added up. */
async function come(...events: readonly UsageEvent[]): Promise<void> {
  await fixture.append(events);
  await relay.plan(group, epoch);
  const ranges = await relay.due(0, 10);
  await relay.markDelivered(ranges);
  for (const range of ranges) {
    through = range.to;
    for (const { m, w, n, q, d } of range.sums ?? []) {
      const before = told.get(m);
      const first = { m, w, since: range.from, n: 0, q: '0' as DecimalString, d: '0000000000000000' as typeof d };
      const known = before ?? first;
      told.set(m, { ...known, n: known.n + n, q: addDecimals([known.q, q]), d: addDigests(known.d, d) });
    }
  }
}

const differences = async (windows = [...told.values()]): Promise<readonly unknown[]> =>
  (await usage.closeWindows(period, null, windows, through)).differences;

interface Version {
  readonly valueProperty?: string;
  readonly filters?: Record<string, readonly string[]>;
  readonly effectiveFrom?: string;
  readonly learnedAt?: string;
}

async function addVersion(version: number, more: Version = {}): Promise<void> {
  const { valueProperty = 'bytes', filters = {}, effectiveFrom = null, learnedAt = null } = more;
  await fixture.db.pool.query(
    `INSERT INTO meters (meter_id, code, version, event_type, aggregation, value_property, group_by, filters, window_size,
       allowed_lateness, allow_negative, effective_from, learned_at)
     VALUES ($1, 'bytes', $2, 'api_call', 'sum', $3, '{}', $4, 'hour', 'PT1H', false, $5, coalesce($6, now()))`,
    [randomUUID(), version, valueProperty, JSON.stringify(filters), effectiveFrom, learnedAt],
  );
}

test('a version that reads another property, learned while the windows were open', async () => {
  await addVersion(1);
  await come(event('a', { bytes: '10', billed: '1' }), event('b', { bytes: '20', billed: '2' }, 1));
  await addVersion(2, { valueProperty: 'billed' });
  await come(event('c', { bytes: '30', billed: '3' }, 2));
  expect(told.get('bytes')).toMatchObject({ w: window, n: 3, q: '33' });
  expect(await differences()).toEqual([]);
  // The ledger won all the same: everything is counted by the version that holds.
  const { windows } = await usage.liveUsage(period);
  expect(windows).toMatchObject([{ meter: 'bytes', quantity: '6', eventCount: 3 }]);
});

test('a version with other filters, after which nothing came', async () => {
  await addVersion(1);
  await come(event('a', { bytes: '10', tier: 'free' }), event('b', { bytes: '20', tier: 'premium' }, 1));
  await addVersion(2, { filters: { tier: ['premium'] } });
  expect(told.get('bytes')).toMatchObject({ n: 2, q: '30' });
  expect(await differences()).toEqual([]);
});

test('a version that takes what the old one did not', async () => {
  await addVersion(1, { filters: { tier: ['premium'] } });
  await come(event('a', { bytes: '10', tier: 'free' }), event('b', { bytes: '20', tier: 'premium' }, 1));
  await addVersion(2);
  await come(event('c', { bytes: '30', tier: 'free' }, 2));
  expect(told.get('bytes')).toMatchObject({ n: 2, q: '50' });
  expect(await differences()).toEqual([]);
});

test('several versions learned meanwhile: which range was summed by which cannot be told, and is not compared', async () => {
  await addVersion(1);
  await come(event('a', { bytes: '10', billed: '1', paid: '5' }));
  await addVersion(2, { valueProperty: 'billed' });
  await come(event('b', { bytes: '20', billed: '2', paid: '5' }, 1));
  await addVersion(3, { valueProperty: 'paid' });
  await come(event('c', { bytes: '30', billed: '3', paid: '5' }, 2));
  expect(told.get('bytes')).toMatchObject({ n: 3, q: '17' });
  expect(await differences()).toEqual([]);
});

describe('a true difference is one whatever was learned', () => {
  const wrong = (more: Partial<AccumulatedWindow>): AccumulatedWindow[] => {
    const bytes = told.get('bytes');
    if (bytes === undefined) throw new Error('nothing was told of bytes');
    return [{ ...bytes, ...more }];
  };

  test('beside a version learned meanwhile: another quantity, a lost event, one in the wrong order', async () => {
    await addVersion(1);
    await come(event('a', { bytes: '10', billed: '1' }), event('b', { bytes: '20', billed: '2' }, 1));
    await addVersion(2, { valueProperty: 'billed' });
    await come(event('c', { bytes: '30', billed: '3' }, 2));
    expect(await differences(wrong({ q: '34' as DecimalString }))).toMatchObject([
      { meter: 'bytes', windowStart: window, accumulated: { n: 3, q: '34' }, ledger: { n: 3, q: '6' } },
    ]);
    expect(await differences(wrong({ n: 2 }))).toHaveLength(1);
    // 1 + 2 + 30 would be 33 as well: as if the old version had come after the new one. 10 + 2 + 30 is no order at all.
    expect(await differences(wrong({ q: '42' as DecimalString }))).toHaveLength(1);
  });

  test('of a version that was known before the events came', async () => {
    await addVersion(1, { learnedAt: '2024-01-01T00:00:00Z' });
    await addVersion(2, { valueProperty: 'billed', learnedAt: '2024-01-02T00:00:00Z' });
    await come(event('a', { bytes: '10', billed: '1' }));
    expect(await differences()).toEqual([]);
    expect(await differences(wrong({ q: '10' as DecimalString }))).toHaveLength(1);
  });

  test('of a version that begins after the period', async () => {
    await addVersion(1);
    await come(event('a', { bytes: '10', billed: '1' }));
    await addVersion(2, { valueProperty: 'billed', effectiveFrom: '2024-03-01T00:00:00Z' });
    await addVersion(3, { valueProperty: 'billed', effectiveFrom: '2024-04-01T00:00:00Z' });
    expect(await differences()).toEqual([]);
    expect(await differences(wrong({ q: '1' as DecimalString }))).toHaveLength(1);
  });
});
