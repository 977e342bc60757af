/** Whatever is stored, the relay goes on: no value is refused that ingest lets in, and one that is holds up its customer only. */
import type { UsageEvent } from '../../src/domain/metering/event.js';
import { StorageUnavailable } from '../../src/storage/errors.js';
import { createFindingStore } from '../../src/storage/findings.js';
import { createRelayStore } from '../../src/storage/relay.js';
import type { RelayStore, UsageRange } from '../../src/storage/types.js';
import { createFixture, type Fixture, monthAt, usageEvent } from './usage-fixture.js';

const group = 'all';
let fixture: Fixture;
let relay: RelayStore;
let epoch: number;
beforeEach(async () => {
  fixture = await createFixture();
  relay = createRelayStore(fixture.db, { periodAt: (customer, at) => monthAt(fixture, customer, at) });
  epoch = (await relay.acquire(group)).epoch;
});
afterEach(() => fixture.close());

const event = (
  customerId: string,
  eventId: string,
  more: Partial<Omit<UsageEvent, 'eventTime'>> & { eventTime?: string } = {},
) => usageEvent({ customerId, eventId, eventTime: '2024-01-10T10:00:00Z', ...more });
const told = async (): Promise<readonly UsageRange[]> => relay.due(0, 1_000);
const eventsOf = async (customerId: string): Promise<number> =>
  (await told())
    .filter((range) => range.customerId === customerId)
    .reduce((sum, { eventCount }) => sum + eventCount, 0);

test('extremes of every kind, in every place that a meter reads, are planned', async () => {
  const properties = { valueProperty: 'n', filters: { f: ['a', '1'], 'tags.t': ['x'] }, groupBy: ['g', 'tags.t'] };
  const aggregations = ['count', 'sum', 'min', 'max', 'latest', 'unique_count', 'weighted_sum'] as const;
  for (const aggregation of aggregations) {
    await fixture.addMeter({ code: aggregation, aggregation, ...properties });
    await fixture.addMeter({ code: `${aggregation} of all`, aggregation, valueProperty: 'n' });
  }
  const customerId = await fixture.addCustomer();
  const values = [
    ...['9'.repeat(20), `-${'9'.repeat(38)}`, `0.${'0'.repeat(17)}1`, '1e400', '1e130000', '1e-16000', '-0', '-0.0'],
    ...['9223372036854775807', '9223372036854775808', '-9223372036854775809', 'null', 'true', '[]', '{}', '[[1]]'],
    ...[
      '""',
      '" 7"',
      '"+7"',
      '"007"',
      '"0x7"',
      '"7_000"',
      '"1e400"',
      '"NaN"',
      '"Infinity"',
      '"-Infinity"',
      '"١"',
      '"7\\n"',
    ],
    ...[JSON.stringify('9'.repeat(16_000)), JSON.stringify(`0.${'9'.repeat(16_000)}`), '"\\ud83d\\ude00"', '"%s\\\\"'],
  ];
  const shapes = values.flatMap((value) => [
    `{"n": ${value}, "f": "a", "tags": {"t": "x"}, "g": ${value}}`,
    `{"n": ${value}, "f": ${value}, "tags": {"t": ${value}}}`,
    `{"n": 1, "f": 1, "tags": ${value}}`,
  ]);
  const times = ['1970-01-01T00:00:00.000000Z', '2024-02-29T23:59:59.999999Z', '9998-12-31T23:59:59.999999Z'];
  const hashes = [9_223_372_036_854_775_807n, 1n];
  const rows = [...shapes, '{}'].flatMap((json, index) =>
    times.map((time, place) => [customerId, `e${index}/${place}`, time, hashes[(index + place) % 2]?.toString(), json]),
  );
  for (const row of rows) {
    // Past everything that ingest refuses.
    await fixture.db.pool.query(
      `INSERT INTO telemetry_events (customer_id, source, event_id, partition, event_type, event_time, content_hash, metadata)
       VALUES ($1, '', $2, 1, 'api_call', $3, $4, $5)`,
      row,
    );
  }
  await relay.plan(group, epoch);
  expect(await eventsOf(customerId)).toBe(rows.length);
  expect((await createFindingStore(fixture.db).list({ code: 'USAGE_SET_ASIDE' }, { limit: 10 })).data).toEqual([]);
});

describe('a value that the database refuses', () => {
  /** As if a statement of a later version could not sum what this customer sends. */
  const refuse = (customerId: string) =>
    fixture.db.pool.query(`
      CREATE FUNCTION refuse_sums() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'value overflows numeric format' USING ERRCODE = 'numeric_value_out_of_range'; END $$;
      CREATE TRIGGER refuse_sums BEFORE INSERT ON usage_ranges FOR EACH ROW WHEN (NEW.customer_id = '${customerId}')
        EXECUTE FUNCTION refuse_sums()`);
  const findings = async (resolved: boolean) =>
    (await createFindingStore(fixture.db).list({ code: 'USAGE_SET_ASIDE', resolved }, { limit: 10 })).data;

  test('holds up its customer only; once it is mended everything of his comes in', async () => {
    await fixture.addMeter({ code: 'calls' });
    const customers = ['a', 'b', 'poison', 'z'];
    for (const customer of customers) await fixture.addCustomer(customer);
    await refuse('poison');
    const send = async (round: string, count: number): Promise<void> => {
      for (const customer of customers)
        await fixture.append(Array.from({ length: count }, (_, i) => event(customer, `${round}${i}`)));
    };
    await send('first', 20);
    const { position } = await relay.plan(group, epoch);
    expect(position).toBe(await fixture.horizon());
    expect(await Promise.all(customers.map(eventsOf))).toEqual([20, 20, 0, 20]);
    expect(await findings(false)).toMatchObject([
      { customerId: 'poison', detail: expect.stringContaining('value overflows numeric format') },
    ]);

    await send('second', 3);
    await fixture.db.pool.query(`UPDATE relay_set_aside SET tried_at = tried_at - interval '1 day'`);
    await relay.plan(group, epoch);
    expect(await Promise.all(customers.map(eventsOf))).toEqual([23, 23, 0, 23]);

    await fixture.db.pool.query('DROP TRIGGER refuse_sums ON usage_ranges');
    await fixture.db.pool.query(`UPDATE relay_set_aside SET tried_at = tried_at - interval '1 day'`);
    await relay.plan(group, epoch);
    expect(await Promise.all(customers.map(eventsOf))).toEqual([23, 23, 23, 23]);
    expect([await findings(false), (await findings(true)).length]).toEqual([[], 1]);
  });
});

describe("what is nobody's doing", () => {
  const failAt = (table: string, when: string, code: string) =>
    fixture.db.pool.query(`
      CREATE FUNCTION fail_so() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'as if' USING ERRCODE = '${code}'; END $$;
      CREATE TRIGGER fail_so BEFORE INSERT OR UPDATE ON ${table} FOR EACH ROW WHEN (${when}) EXECUTE FUNCTION fail_so()`);
  const waiting = async (): Promise<number> =>
    (await fixture.db.pool.query('SELECT FROM relay_set_aside')).rowCount ?? 0;
  const send = (customerId: string, count: number) =>
    fixture.append(Array.from({ length: count }, (_, index) => event(customerId, `e${index}`)));
  /** Until there is nothing left to plan. */
  const planAll = async (): Promise<number> => {
    const { facts } = await relay.plan(group, epoch);
    return facts === 0 ? 0 : facts + (await planAll());
  };

  test('a look for unmetered events that fails after the commit: nobody is set aside, and the relay goes on', async () => {
    const refused = Object.assign(new Error('refused'), { code: '22003' });
    const note = jest.fn(() => Promise.resolve()).mockRejectedValueOnce(refused);
    const watched = createRelayStore(fixture.db, { periodAt: (id, at) => monthAt(fixture, id, at) }, { note });
    const customerId = await fixture.addCustomer();
    await send(customerId, 3);
    await expect(watched.plan(group, epoch)).rejects.toBe(refused);
    expect([await waiting(), await eventsOf(customerId)]).toEqual([0, 3]);
    await fixture.append([event(customerId, 'later')]);
    expect(await watched.plan(group, epoch)).toMatchObject({ facts: 1 });
    expect(note).toHaveBeenCalledTimes(2);
  });

  test('what fails without the facts of whoever is set aside, too, ends in that failure', async () => {
    for (const customer of ['a', 'b']) await send(await fixture.addCustomer(customer), 1);
    await failAt('relay_cursors', 'NEW.position > 0', '22003');
    await expect(relay.plan(group, epoch)).rejects.toThrow('as if');
    await expect(relay.plan(group, epoch)).rejects.toThrow('as if');
    await fixture.db.pool.query('DROP TRIGGER fail_so ON relay_cursors');
    await fixture.db.pool.query(`UPDATE relay_set_aside SET tried_at = tried_at - interval '1 day'`);
    await planAll();
    expect([await waiting(), await eventsOf('a'), await eventsOf('b')]).toEqual([0, 1, 1]);
  });

  test('a plan that takes longer than a statement may is made of fewer facts, for whoever was set aside, too', async () => {
    const customerId = await fixture.addCustomer();
    await send('unknown', 40);
    await relay.plan(group, epoch);
    await send(customerId, 40);
    await failAt('usage_ranges', 'NEW.event_count > 5', '57014');
    expect(await planAll()).toBe(40);
    await fixture.addCustomer('unknown');
    expect(await planAll()).toBe(40);
    expect([await waiting(), await eventsOf(customerId), await eventsOf('unknown')]).toEqual([0, 40, 40]);
  });

  test('where one fact takes too long the database is not available, and nobody is set aside', async () => {
    await send(await fixture.addCustomer(), 4);
    await failAt('usage_ranges', 'true', '57014');
    await expect(relay.plan(group, epoch)).rejects.toBeInstanceOf(StorageUnavailable);
    await fixture.db.pool.query('DROP TRIGGER fail_so ON usage_ranges');
    expect([await waiting(), await planAll()]).toEqual([0, 4]);
  });
});
