/** The relay among failures: every fact is told exactly once, or told again, never passed by. */
import type { UsageEvent } from '../../src/domain/metering/event.js';
import { openDatabase } from '../../src/storage/database.js';
import { StorageUnavailable } from '../../src/storage/errors.js';
import { createRelayStore } from '../../src/storage/relay.js';
import { RelayFenced } from '../../src/storage/relay-cursor.js';
import { openLedgerTransaction } from '../../src/storage/safe-horizon.js';
import type { RelayStore, UsageRange } from '../../src/storage/types.js';
import { createUsageStore } from '../../src/storage/usage.js';
import { createFixture, type Fixture, instant, monthAt, usageEvent } from './usage-fixture.js';

const group = 'all';
let fixture: Fixture;
let relay: RelayStore;
beforeEach(async () => {
  fixture = await createFixture();
  relay = createRelayStore(fixture.db, { periodAt: (customerId, at) => monthAt(fixture, customerId, at) });
  await fixture.addMeter({ code: 'calls' });
});
afterEach(() => fixture.close());

const event = (customerId: string, eventId: string, time: string): UsageEvent =>
  usageEvent({ customerId, eventId, eventTime: time });
const due = (): Promise<readonly UsageRange[]> => relay.due(group, 0, 100);
const storedRanges = async (): Promise<number> => {
  const { rows } = await fixture.db.pool.query<{ n: string }>('SELECT count(*) AS n FROM usage_ranges');
  return Number(rows[0]?.n);
};

/** What a workflow would do with ranges: apply what follows on, notice what does not. */
class Receiver {
  readonly applied = new Map<string, { to: string; events: number; calls: number; digest: bigint }>();
  /** Ranges that begin beyond what was applied: something is lost. */
  gaps = 0;
  /** Ranges that begin before it: told twice, so the workflow looks in the ledger. */
  overlaps = 0;

  receive(range: UsageRange): void {
    const key = `${range.customerId}/${range.period}`;
    const state = this.applied.get(key) ?? { to: '0', events: 0, calls: 0, digest: 0n };
    if (BigInt(range.from) > BigInt(state.to)) this.gaps += 1;
    if (BigInt(range.from) < BigInt(state.to)) this.overlaps += 1;
    const calls = range.sums?.filter((sum) => sum.m === 'calls') ?? [];
    this.applied.set(key, {
      to: range.to,
      events: state.events + range.eventCount,
      calls: state.calls + calls.reduce((sum, { n }) => sum + n, 0),
      digest: calls.reduce((sum, { d }) => BigInt.asUintN(64, sum + BigInt(`0x${d}`)), state.digest),
    });
  }
}

describe('failures', () => {
  test('of two relays only the one with the newer epoch plans', async () => {
    const old = await relay.acquire(group);
    const customerId = await fixture.addCustomer();
    await fixture.append([event(customerId, 'a', '2024-01-10T10:00:00Z')]);
    const now = await relay.acquire(group);
    expect(now.epoch).toBe(old.epoch + 1);
    await expect(relay.plan(group, old.epoch)).rejects.toBeInstanceOf(RelayFenced);
    expect(await due()).toEqual([]);
    expect((await relay.plan(group, now.epoch)).facts).toBe(1);
    // Also with nothing to plan: a fenced relay ends, it does not idle on.
    await expect(relay.plan(group, old.epoch)).rejects.toBeInstanceOf(RelayFenced);
    await expect(relay.plan('never acquired', 1)).rejects.toBeInstanceOf(RelayFenced);
  });

  test('a plan whose transaction fails leaves cursor and ranges as they were', async () => {
    const { epoch, position } = await relay.acquire(group);
    await fixture.append([event(await fixture.addCustomer(), 'a', '2024-01-10T10:00:00Z')]);
    const failing = createRelayStore(fixture.db, { periodAt: () => Promise.reject(new StorageUnavailable('crash')) });
    await expect(failing.plan(group, epoch)).rejects.toThrow('crash');
    expect((await relay.acquire(group)).position).toBe(position);
    expect(await storedRanges()).toBe(0);
  });

  test('crashes between plan, delivery and its mark: repeats, never a gap or a loss', async () => {
    const receiver = new Receiver();
    const customerId = await fixture.addCustomer();
    for (let i = 0; i < 12; i += 1) {
      await fixture.append([event(customerId, `e${i}`, '2024-01-10T10:00:00Z')]);
      const { epoch } = await relay.acquire(group); // a restarted relay
      await relay.plan(group, epoch);
      if (i % 3 === 0) continue; // before the delivery
      const ranges = await due();
      for (const range of ranges) receiver.receive(range);
      if (i % 3 === 1) continue; // before the mark
      await relay.markDelivered(ranges);
    }
    expect(receiver.applied.get(`${customerId}/2024-01-01`)?.to).toBe((await relay.acquire(group)).position);
    expect(receiver.gaps).toBe(0);
    expect(receiver.overlaps).toBe(4); // one for each crash before the mark
    expect(await due()).toEqual([]);
  });

  test('a position drawn early and committed late is never passed by', async () => {
    const { epoch } = await relay.acquire(group);
    const [slow, fast] = [await fixture.addCustomer(), await fixture.addCustomer()];
    const other = openDatabase(fixture.url, { connections: 1 });
    let commit = (): void => undefined;
    const held = new Promise<void>((resolve) => (commit = resolve));
    let drawn = (): void => undefined;
    const inserted = new Promise<void>((resolve) => (drawn = resolve));
    const late = other.transaction(async (client) => {
      await client.query(
        `INSERT INTO telemetry_events (customer_id, source, event_id, partition, event_type, event_time, content_hash, metadata)
         VALUES ($1, '', 'slow', 0, 'api_call', '2024-01-10', 1, '{}')`,
        [slow],
      );
      drawn();
      await held;
    }, openLedgerTransaction);
    await inserted;
    await fixture.append([event(fast, 'fast', '2024-01-10T10:00:00Z')]);
    const planning = relay.plan(group, epoch);
    const first = await Promise.race([
      planning.then(() => 'planned'),
      new Promise((resolve) => setTimeout(() => resolve('waits'), 200)),
    ]);
    expect(first).toBe('waits');
    commit();
    await late;
    expect((await planning).facts).toBe(2);
    expect((await due()).map((range) => range.customerId).sort()).toEqual([slow, fast].sort());
    await other.close();
  });

  test('under concurrent ingest, planning, closing and take-overs every event is told exactly once', async () => {
    const receiver = new Receiver();
    const customers = await Promise.all(Array.from({ length: 5 }, () => fixture.addCustomer()));
    const perWriter = 60;
    const writer = async (name: string): Promise<void> => {
      for (let i = 0; i < perWriter; i += 1) {
        const batch = customers.map((customerId, c) =>
          event(customerId, `${name}-${i}`, `2024-0${1 + ((i + c) % 3)}-10T1${i % 10}:00:00Z`),
        );
        // Every batch is sent twice, by two writers at once: the second is a duplicate.
        await Promise.all([fixture.append(batch), fixture.append(batch)]);
      }
    };
    let writing = true;
    const planner = async (): Promise<void> => {
      let { epoch } = await relay.acquire(group);
      while (writing) {
        try {
          await relay.plan(group, epoch);
        } catch (error) {
          expect(error).toBeInstanceOf(RelayFenced);
          ({ epoch } = await relay.acquire(group));
        }
      }
    };
    const deliverer = async (): Promise<void> => {
      while (writing) {
        const ranges = await due();
        for (const range of ranges) receiver.receive(range);
        await relay.markDelivered(ranges);
      }
    };
    const usage = createUsageStore(fixture.db);
    const closer = async (): Promise<void> => {
      while (writing) {
        for (const customerId of customers)
          await usage.closeWindows(await monthAt(fixture, customerId, instant('2024-01-01T00:00:00Z')), null, [], null);
      }
    };
    const writers = Promise.all(['x', 'y', 'z'].map(writer)).finally(() => (writing = false));
    for (const customerId of customers) await monthAt(fixture, customerId, instant('2024-01-01T00:00:00Z'));
    await Promise.all([writers, planner(), planner(), deliverer(), closer()]);
    const { epoch } = await relay.acquire(group);
    await relay.plan(group, epoch);
    const last = await due();
    for (const range of last) receiver.receive(range);
    await relay.markDelivered(last);

    expect({ gaps: receiver.gaps, overlaps: receiver.overlaps }).toEqual({ gaps: 0, overlaps: 0 });
    const { rows } = await fixture.db.pool.query<{ customer_id: string; period: string; n: string; h: string }>(
      `SELECT customer_id, date_trunc('month', event_time, 'UTC')::date AS period, count(*) AS n, mod(sum(content_hash), 18446744073709551616) AS h
       FROM telemetry_events GROUP BY 1, 2`,
    );
    expect(rows.reduce((sum, row) => sum + Number(row.n), 0)).toBe(customers.length * 3 * perWriter);
    for (const row of rows) {
      const state = receiver.applied.get(`${row.customer_id}/${row.period}`);
      expect(state).toMatchObject({ events: Number(row.n), calls: Number(row.n), digest: BigInt(row.h) });
    }
  });
});
