/** Whatever is stored, the relay goes on: no value is refused that ingest lets in, and one that is holds up its customer only. */
import type { UsageEvent } from '../../src/domain/metering/event.js';
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
