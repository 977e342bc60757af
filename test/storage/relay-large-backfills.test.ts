/** What a decision about a backfill costs the relay does not hang on how many events the backfill brought. */
import { planSql } from '../../src/storage/relay-plan-sql.js';
import { periodAt } from '../../src/storage/periods-create.js';
import { createRelayStore } from '../../src/storage/relay.js';
import type { Position } from '../../src/domain/values.js';
import { createFixture, type Fixture, instant, usageEvent } from './usage-fixture.js';

const days = 90;
const eventsPerDay = 2_500;
let fixture: Fixture;
let customerId: string;
let backfillId: string;
let before: Position;

/** Some 100,000 events in January, February and March, of a customer with as many ordinary ones; January has a period. */
beforeAll(async () => {
  fixture = await createFixture();
  await fixture.addMeter({ code: 'calls' });
  customerId = await fixture.addCustomer();
  await fixture.addPeriod(customerId);
  backfillId = await fixture.addBackfill(customerId);
  for (const backfill of [null, backfillId]) {
    await fixture.db.pool.query(
      `INSERT INTO telemetry_events (customer_id, source, event_id, partition, event_type, event_time, content_hash, metadata, backfill_id)
       SELECT $1, coalesce($2::text, ''), n::text, 0, 'api_call', timestamptz '2024-01-01' + n * interval '1 day' / $4, n, '{}', $2::uuid
       FROM generate_series(0, $3::int - 1) AS n`,
      [customerId, backfill, days * eventsPerDay, eventsPerDay],
    );
  }
  await fixture.db.pool.query('ANALYZE telemetry_events');
  before = await fixture.horizon();
  await fixture.decide(backfillId, 'closed');
});
afterAll(() => fixture.close());

interface PlanNode {
  readonly 'Shared Hit Blocks': number;
  readonly 'Shared Read Blocks': number;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly Plans?: readonly PlanNode[];
}

/** Blocks that the plan of ($1, $2] touches, and the most rows that a step of it gives; nothing is written. */
async function costOf(from: Position, to: Position): Promise<{ blocks: number; rows: number }> {
  const client = await fixture.db.pool.connect();
  try {
    await client.query('BEGIN');
    const { rows } = await client.query<{ 'QUERY PLAN': readonly { Plan: PlanNode }[] }>(
      `EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) ${planSql('all')}`,
      [from, to],
    );
    const plan = rows[0]?.['QUERY PLAN'][0]?.Plan;
    expect(plan).toBeDefined();
    const rowsOf = (node: PlanNode): number =>
      Math.max(node['Actual Rows'] * node['Actual Loops'], ...(node.Plans ?? []).map(rowsOf));
    return {
      blocks: (plan?.['Shared Hit Blocks'] ?? NaN) + (plan?.['Shared Read Blocks'] ?? NaN),
      rows: plan === undefined ? NaN : rowsOf(plan),
    };
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
}

test('closing and reverting: looks a period and a missing day, not rows', async () => {
  const relay = createRelayStore(fixture.db, { periodAt: (customer, at) => periodAt(fixture.db, customer, at) });
  const { epoch } = await relay.acquire('all');
  await fixture.db.pool.query('UPDATE relay_cursors SET position = $1', [before]);
  const missing = await costOf(before, await fixture.horizon());
  expect(missing.rows).toBeLessThan(200);
  expect(missing.blocks).toBeLessThan(5_000);

  await relay.plan('all', epoch);
  const told = (await relay.due(0, 100)).map(({ period, maxEventTime }) => [period, maxEventTime]);
  const lastOf = (day: string) => instant(`${day}T23:59:25.440Z`);
  expect(told).toEqual([
    ['2024-01-01', lastOf('2024-01-31')],
    ['2024-02-01', lastOf('2024-02-29')],
    ['2024-03-01', lastOf('2024-03-30')],
  ]);
  const reverted = await fixture.decide(backfillId, 'reverted');
  const cost = await costOf((BigInt(reverted) - 1n).toString() as Position, reverted);
  expect(cost.rows).toBeLessThan(200);
  expect(cost.blocks).toBeLessThan(1_000);

  // A reverted backfill is no progress: only what counts moves time on.
  await relay.markDelivered(await relay.due(0, 100));
  await relay.plan('all', epoch);
  expect((await relay.due(0, 100)).map(({ maxEventTime }) => maxEventTime)).toEqual([null, null, null]);
});

test('where amendments have moved events of the backfill is told, and not where they have moved others', async () => {
  const event = usageEvent({ customerId, eventId: '7', eventTime: '2024-01-01T00:00:00Z', source: backfillId });
  await fixture.adjust(event, {
    eventType: 'api_call',
    eventTime: instant('2024-05-05T00:00:00Z'),
    metadataJson: '{}',
  });
  const other = usageEvent({ customerId, eventId: '7', eventTime: '2024-01-01T00:00:00Z' });
  await fixture.adjust(other, {
    eventType: 'api_call',
    eventTime: instant('2024-06-05T00:00:00Z'),
    metadataJson: '{}',
  });
  const relay = createRelayStore(fixture.db, { periodAt: (customer, at) => periodAt(fixture.db, customer, at) });
  const { epoch } = await relay.acquire('other');
  await fixture.db.pool.query(`UPDATE relay_cursors SET position = $1 WHERE partition_group = 'other'`, [
    await fixture.horizon(),
  ]);
  await fixture.db.pool.query('DELETE FROM usage_ranges');
  const again = await fixture.addBackfill(customerId);
  await fixture.appendToBackfill(again, [
    usageEvent({ customerId, eventId: 'x', eventTime: '2024-01-05T00:00:00Z', source: 'again' }),
  ]);
  const moved = usageEvent({ customerId, eventId: 'x', eventTime: '2024-01-05T00:00:00Z', source: 'again' });
  await fixture.adjust(moved, {
    eventType: 'api_call',
    eventTime: instant('2024-07-05T00:00:00Z'),
    metadataJson: '{}',
  });
  await relay.plan('other', epoch);
  await relay.markDelivered(await relay.due(0, 100));
  await fixture.decide(again, 'closed');
  await relay.plan('other', epoch);
  expect((await relay.due(0, 100)).map(({ period }) => period)).toContain('2024-07-01');
  expect((await relay.due(0, 100)).map(({ period }) => period)).not.toContain('2024-06-01');
});
