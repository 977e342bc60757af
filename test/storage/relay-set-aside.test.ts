/** One customer of whom no billing period can be created holds up nobody, and loses nothing. */
import type { UsageEvent } from '../../src/domain/metering/event.js';
import type { Instant } from '../../src/domain/values.js';
import { boundsByOtherTimeZoneData } from '../../src/storage/periods-time-zones.js';
import { unfinishedPeriods } from '../../src/storage/periods-unfinished.js';
import { noteMovedBoundaries } from '../../src/activities/moved-boundaries.js';
import { createFindingStore } from '../../src/storage/findings.js';
import { periodAt } from '../../src/storage/periods-create.js';
import { createRelayStore } from '../../src/storage/relay.js';
import { RelayFenced } from '../../src/storage/relay-cursor.js';
import type { BillingPeriod, RelayStore, Storage, UsageRange } from '../../src/storage/types.js';
import { createFixture, type Fixture, usageEvent } from './usage-fixture.js';

const group = 'all';
let fixture: Fixture;
let relay: RelayStore;
beforeEach(async () => {
  fixture = await createFixture();
  relay = createRelayStore(fixture.db, { periodAt: (customerId, at) => periodAt(fixture.db, customerId, at) });
  await fixture.addMeter({ code: 'calls' });
});
afterEach(() => fixture.close());

const event = (customerId: string, eventId: string, time = '2024-01-10T10:00:00Z'): UsageEvent =>
  usageEvent({ customerId, eventId, eventTime: time });
const due = (): Promise<readonly UsageRange[]> => relay.due(group, 0, 100);
const told = async (customerId: string) =>
  (await due())
    .filter((range) => range.customerId === customerId)
    .map(({ period, from, eventCount, sums }) => ({ period, from, eventCount, calls: sums?.map(({ n }) => n) }));
const findings = async (resolved: boolean) =>
  (await createFindingStore(fixture.db).list({ code: 'USAGE_SET_ASIDE', resolved }, { limit: 10 })).data;
/** As the clock would have it after a while. */
const waitForTheNextTry = () =>
  fixture.db.pool.query(`UPDATE relay_set_aside SET tried_at = tried_at - interval '1 day'`);
const waiting = async (): Promise<readonly string[]> =>
  (await fixture.db.pool.query<{ customer_id: string }>('SELECT customer_id FROM relay_set_aside ORDER BY 1')).rows.map(
    (row) => row.customer_id,
  );

test('an unknown customer: the others are planned, a finding says so, and everything comes in once it is known', async () => {
  const { epoch } = await relay.acquire(group);
  const other = await fixture.addCustomer('other');
  await fixture.append([event('lost', 'a'), event('lost', 'b', '2024-02-10T10:00:00Z'), event(other, 'a')]);
  expect((await relay.plan(group, epoch)).position).toBe(await fixture.horizon());
  expect(await told(other)).toMatchObject([{ period: '2024-01-01', eventCount: 1, calls: [1] }]);
  expect(await told('lost')).toEqual([]);
  expect(await findings(false)).toMatchObject([
    { customerId: 'lost', detail: expect.stringContaining('no customer "lost"') },
  ]);

  // Later facts wait behind the first ones, and everybody else goes on.
  await fixture.append([event('lost', 'c'), event(other, 'b')]);
  await waitForTheNextTry();
  await relay.plan(group, epoch);
  expect(await told(other)).toMatchObject([{ eventCount: 2, calls: [2] }]);
  expect([await told('lost'), await waiting()]).toEqual([[], ['lost']]);

  await fixture.addCustomer('lost'); // tried at once: a version was stored since
  expect((await relay.plan(group, epoch)).facts).toBe(3);
  expect(await told('lost')).toEqual([
    { period: '2024-01-01', from: '0', eventCount: 2, calls: [2] },
    { period: '2024-02-01', from: '0', eventCount: 1, calls: [1] },
  ]);
  expect(await waiting()).toEqual([]);
  expect([await findings(false), (await findings(true)).length]).toEqual([[], 1]);

  // From here on as if nothing had been: ranges continue where they ended.
  const last = (await due()).find(({ customerId, period }) => customerId === 'lost' && period === '2024-02-01');
  await relay.markDelivered(last === undefined ? [] : [last]);
  await fixture.append([event('lost', 'd', '2024-02-11T10:00:00Z')]);
  await relay.plan(group, epoch);
  expect(await told('lost')).toMatchObject([
    { period: '2024-01-01' },
    { period: '2024-02-01', from: last?.to, calls: [1] },
  ]);
});

test('a zone that this process does not know, and stored periods in the way: a customer with periods keeps his ranges exact', async () => {
  const { epoch } = await relay.acquire(group);
  const [zoned, other] = [await fixture.addCustomer('zoned'), await fixture.addCustomer('other')];
  await fixture.append([event(zoned, 'a')]);
  await relay.plan(group, epoch);
  let isBroken = true;
  const broken = createRelayStore(fixture.db, {
    periodAt: (customerId: string, at: Instant): Promise<BillingPeriod> =>
      isBroken && customerId === zoned
        ? Promise.reject(new Error('invariant broken: the period overlaps one that is stored'))
        : periodAt(fixture.db, customerId, at),
  });
  const backfillId = await fixture.addBackfill(zoned);
  const amended = event(zoned, 'amended');
  await fixture.append([amended]);
  await fixture.appendToBackfill(backfillId, [event(zoned, 'of a backfill', '2024-04-10T10:00:00Z')]);
  await broken.plan(group, epoch);
  const before = await told(zoned);
  await fixture.append([event(zoned, 'march', '2024-03-10T10:00:00Z'), event(other, 'march', '2024-03-10T10:00:00Z')]);
  await broken.plan(group, epoch);
  // Events of the month that has a period wait too: a range of it must not pass by what is before.
  await fixture.append([event(zoned, 'b')]);
  await fixture.adjust(amended, null);
  await fixture.decide(backfillId, 'closed');
  await broken.plan(group, epoch);
  expect(await told(zoned)).toEqual(before);
  expect(await told(other)).toMatchObject([{ period: '2024-03-01', calls: [1] }]);
  expect(await findings(false)).toMatchObject([{ customerId: zoned }]);

  isBroken = false;
  await broken.plan(group, epoch);
  expect(await waiting()).toEqual([zoned]); // not yet his turn
  const next = await broken.acquire(group); // a relay that begins, with other zones perhaps
  expect((await broken.plan(group, next.epoch)).facts).toBe(4);
  expect(await waiting()).toEqual([]);
  expect(await told(zoned)).toEqual([
    { period: '2024-01-01', from: '0', eventCount: 4, calls: undefined },
    { period: '2024-03-01', from: '0', eventCount: 1, calls: undefined }, // the backfill held it
    { period: '2024-04-01', from: '0', eventCount: 0, calls: undefined },
  ]);
});

test('a relay that lost its epoch sets nobody aside and plans for nobody who is', async () => {
  const old = await relay.acquire(group);
  await fixture.append([event('lost', 'a')]);
  let overtake = async (): Promise<void> => {
    await relay.acquire(group);
  };
  const overtaken = createRelayStore(fixture.db, {
    periodAt: async (customerId, at) => {
      await overtake();
      return periodAt(fixture.db, customerId, at);
    },
  });
  await expect(overtaken.plan(group, old.epoch)).rejects.toBeInstanceOf(RelayFenced);
  expect([await waiting(), await findings(false)]).toEqual([[], []]);

  const next = await relay.acquire(group);
  await relay.plan(group, next.epoch);
  expect(await waiting()).toEqual(['lost']);
  await fixture.addCustomer('lost');
  await expect(overtaken.plan(group, next.epoch)).rejects.toBeInstanceOf(RelayFenced);
  expect([await due(), await waiting()]).toEqual([[], ['lost']]);
  overtake = () => Promise.resolve();
  const last = await relay.acquire(group);
  await overtaken.plan(group, last.epoch);
  expect([(await due()).length, await waiting()]).toEqual([1, []]);
});

test('what concerns everybody sets nobody aside', async () => {
  const { epoch } = await relay.acquire(group);
  await fixture.append([event(await fixture.addCustomer(), 'a')]);
  const denied = Object.assign(new Error('permission denied for table billing_periods'), { code: '42501' });
  const failing = createRelayStore(fixture.db, { periodAt: () => Promise.reject(denied) });
  await expect(failing.plan(group, epoch)).rejects.toBe(denied);
  expect(await waiting()).toEqual([]);
});

test('the daily sweep goes on past a customer whose zone this process does not know', async () => {
  const [zoned, other] = [await fixture.addCustomer('a'), await fixture.addCustomer('b')];
  await fixture.addPeriod(zoned);
  await fixture.db.pool.query(
    `INSERT INTO billing_periods (customer_id, period, period_start, period_end, customer_version_id, time_zone, tzdata_version, cuts)
     SELECT customer_id, '2023-12-01', '2023-12-01', '2024-01-01', customer_version_id, 'Mars/Olympus', 'test', '{}'
     FROM customer_versions WHERE customer_id = $1`,
    [zoned],
  );
  await fixture.db.pool.query(
    `INSERT INTO customer_versions SELECT gen_random_uuid(), customer_id, 2, name, currency, 'Mars/Olympus', 1, '2024-02-01',
       billing_from, price_book, invoice_delay, late_usage_quiet_time, skip_empty_invoices, approval_threshold, tags, buyer
     FROM customer_versions WHERE customer_id = $1`,
    [zoned],
  );
  const { data } = await unfinishedPeriods(fixture.db, '2024-02-15T00:00:00.000000Z' as Instant, {
    limit: 100,
    leavesLevel: () => Promise.resolve(false),
  });
  expect(data.map(({ customerId, period }) => [customerId, period])).toEqual([
    [zoned, '2023-12-01'],
    [zoned, '2024-01-01'],
    [other, '2024-01-01'],
    [other, '2024-02-01'],
  ]);
  const findingStore = createFindingStore(fixture.db);
  const noted = await findingStore.list({ code: 'PERIODS_NOT_CREATED' }, { limit: 10 });
  expect(noted.data).toMatchObject([{ customerId: zoned, detail: expect.stringContaining('Mars/Olympus') }]);

  const periods = { boundsByOtherTimeZoneData: (running: string) => boundsByOtherTimeZoneData(fixture.db, running) };
  await noteMovedBoundaries({ storage: { periods, findings: findingStore } as unknown as Storage });
  const moved = await findingStore.list({ code: 'TIME_ZONE_RULES_CHANGED' }, { limit: 10 });
  expect(moved.data.map(({ subject }) => subject.time_zone).sort()).toEqual(['Mars/Olympus', 'UTC']);
});
