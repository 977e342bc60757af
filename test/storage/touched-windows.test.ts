/** Bringing only touched windows to a cutoff comes to the same as bringing all of them. */
import fc from 'fast-check';
import type { UsageEvent } from '../../src/domain/metering/event.js';
import type { Position } from '../../src/domain/values.js';
import { planForValues } from '../../src/storage/gate-lock.js';
import { partitionOf } from '../../src/storage/partition.js';
import { touchedWindows, touchedWindowsSql } from '../../src/storage/touched-windows.js';
import type { BillingPeriod } from '../../src/storage/types.js';
import { createGateFixture, eventsOf, type GateFixture, segmentsOf } from './gate-fixture.js';
import { instant, type Replacement } from './usage-fixture.js';

let fixture: GateFixture;
let meterIds: readonly string[];
beforeAll(async () => {
  fixture = await createGateFixture();
  meterIds = fixture.meters.map(({ meterId }) => meterId);
});
afterAll(() => fixture.close());

let customerId: string;
let period: BillingPeriod;
let event: ReturnType<typeof eventsOf>['event'];
beforeEach(async () => {
  customerId = await fixture.addCustomer();
  period = await fixture.addPeriod(customerId);
  ({ event } = eventsOf(customerId));
});

/** The windows that what happens in `facts` touches, by their starts. */
async function touchedBy(facts: () => Promise<unknown>): Promise<readonly string[]> {
  const since = await fixture.horizon();
  await facts();
  const through = await fixture.horizon();
  const windows = await fixture.db.transaction((client) => touchedWindows(client, { period, since, through }));
  return windows.map(({ windowStart }) => windowStart.slice(5, 16));
}

const movedTo = (time: string): Replacement => ({
  eventType: 'api_call',
  eventTime: instant(time),
  metadataJson: '{}',
});

describe('windows that facts touch', () => {
  test('an event touches the one it is in; outside the period it touches none', async () => {
    await fixture.append([event('before', '2024-01-09T09:00:00Z')]);
    const touched = await touchedBy(() =>
      fixture.append([
        event('a', '2024-01-10T10:59:59Z'),
        event('b', '2024-01-10T10:00:00Z'),
        event('c', '2024-01-31T23:30:00Z'),
        event('d', '2024-02-01T00:00:00Z'),
      ]),
    );
    expect(touched).toEqual(['01-10T10:00', '01-31T23:00']);
  });

  test('an adjustment touches where its event was at first and after every amendment, and where it comes to be', async () => {
    const moved = event('moved', '2024-01-05T05:00:00Z');
    await fixture.append([moved]);
    await fixture.adjust(moved, movedTo('2024-01-06T06:00:00Z'));
    await fixture.adjust(moved, movedTo('2024-03-01T00:00:00Z'));
    const back = () => fixture.adjust(moved, movedTo('2024-01-07T07:00:00Z'));
    expect(await touchedBy(back)).toEqual(['01-05T05:00', '01-06T06:00', '01-07T07:00']);
    const removed = () => fixture.adjust(moved, null);
    expect(await touchedBy(removed)).toEqual(['01-05T05:00', '01-06T06:00', '01-07T07:00']);
  });

  test('an event of another period comes in', async () => {
    const outside = event('outside', '2024-03-05T05:00:00Z');
    await fixture.append([outside]);
    expect(await touchedBy(() => fixture.adjust(outside, movedTo('2024-01-07T07:00:00Z')))).toEqual(['01-07T07:00']);
  });

  test('a decision touches what its backfill has of the customer, also where amendments moved it', async () => {
    const id = await fixture.addBackfill(customerId);
    const other = await fixture.addBackfill(customerId);
    const [filled, amended] = [event('filled', '2024-01-08T08:00:00Z'), event('amended', '2024-03-08T08:00:00Z')];
    const rows = () => fixture.appendToBackfill(id, [filled, amended]);
    expect(await touchedBy(rows)).toEqual([]); // they count from the closing on
    await fixture.appendToBackfill(other, [event('of another', '2024-01-11T08:00:00Z')]);
    await fixture.adjust(amended, movedTo('2024-01-09T09:00:00Z'));
    for (const decision of ['closed', 'reverted'] as const) {
      expect(await touchedBy(() => fixture.decide(id, decision))).toEqual(['01-08T08:00', '01-09T09:00']);
    }
  });

  test('a row that comes after its backfill was closed counts at once', async () => {
    const id = await fixture.addBackfill(customerId);
    await fixture.decide(id, 'closed');
    const row = () => fixture.appendToBackfill(id, [event('filled', '2024-01-08T08:00:00Z')]);
    expect(await touchedBy(row)).toEqual(['01-08T08:00']);
  });

  test('local midnights cut windows', async () => {
    period = { ...period, cuts: [instant('2024-01-10T18:30:00Z')] };
    const touched = await touchedBy(() =>
      fixture.append([event('a', '2024-01-10T18:29:00Z'), event('b', '2024-01-10T18:31:00Z')]),
    );
    expect(touched).toEqual(['01-10T18:00', '01-10T18:30']);
  });
});

type Step =
  | { readonly kind: 'event'; readonly type: string; readonly time: string; readonly bytes: unknown }
  | { readonly kind: 'filled'; readonly time: string }
  | { readonly kind: 'void'; readonly of: number }
  | { readonly kind: 'amend'; readonly of: number; readonly time: string; readonly bytes: unknown }
  | { readonly kind: 'decide' };

const time = fc.constantFrom(
  '2024-01-01T00:00:00Z',
  '2024-01-14T23:59:59Z',
  '2024-01-15T00:00:00Z',
  '2024-01-31T23:59:59Z',
  '2024-02-01T00:00:00Z',
);
const bytes = fc.constantFrom<unknown>('0.1', '-2', 3, 'many');
const index = fc.nat(11);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('event'), type: fc.constantFrom('api_call', 'transfer'), time, bytes }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('filled'), time }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('void'), of: index }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('amend'), of: index, time, bytes }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('decide') }) },
);

test('after any facts, touched windows are all that differ; what was read at the earlier cutoff stays readable', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 8 }),
      fc.array(step, { minLength: 1, maxLength: 8 }),
      async (first, then) => {
        const customer = await fixture.addCustomer();
        const of = await fixture.addPeriod(customer);
        const play = await player(customer);
        const segments = segmentsOf(of);
        for (const each of first) await play(each);
        const [since, before] = await fixture.billing.atGate(of, async (gate) => {
          await gate.bringWindowsToCutoff();
          return [gate.cutoff, await gate.segmentUsage(segments)] as const;
        });
        for (const each of then) await play(each);
        const read = await fixture.billing.atGate(of, async (gate) => {
          await gate.bringTouchedWindows(meterIds, since);
          return {
            now: await gate.segmentUsage(segments, { meterIds, cutoff: gate.cutoff }),
            earlier: await gate.segmentUsage(segments, { meterIds, cutoff: since }),
          };
        });
        expect(read.earlier).toEqual(before);
        await fixture.billing.atGate(of, async (gate) => {
          expect(await gate.bringWindowsToCutoff()).toBe(0);
          expect(await gate.segmentUsage(segments)).toEqual(read.now);
        });
      },
    ),
    { numRuns: 60, seed: 41 },
  );
});

/** Plays steps for a customer; what a step refers to and does not exist is passed over. */
async function player(customer: string): Promise<(step: Step) => Promise<void>> {
  const make = eventsOf(customer).event;
  const backfill = await fixture.addBackfill(customer);
  const decisions = ['closed', 'reverted'] as const;
  const events: UsageEvent[] = [];
  let decided = 0;
  const named = (eventTime: string, more: Partial<UsageEvent> = {}): UsageEvent => {
    const made = make(`e${events.length}`, eventTime, more);
    events.push(made);
    return made;
  };
  return async (each) => {
    const target = 'of' in each ? events[each.of] : undefined;
    if (each.kind === 'event') {
      await fixture.append([
        named(each.time, { eventType: each.type, metadataJson: JSON.stringify({ bytes: each.bytes }) }),
      ]);
    } else if (each.kind === 'filled') await fixture.appendToBackfill(backfill, [named(each.time)]);
    else if (each.kind === 'decide') {
      const decision = decisions[decided];
      if (decision !== undefined) await fixture.decide(backfill, decision);
      decided += 1;
    } else if (target !== undefined && each.kind === 'void') await fixture.adjust(target, null);
    else if (target !== undefined && each.kind === 'amend') {
      const eventTime = instant(each.time);
      await fixture.adjust(target, {
        eventType: 'transfer',
        eventTime,
        metadataJson: JSON.stringify({ bytes: each.bytes }),
      });
    }
  };
}

describe('at the gate', () => {
  test('windows that are not touched are not aggregated, and only the meters that were named', async () => {
    const { event: make, transfer } = eventsOf(customerId);
    await fixture.append([make('a', '2024-01-10T10:00:00Z'), transfer('t', '2024-01-10T10:00:00Z', '1')]);
    const since = await fixture.billing.atGate(period, async (gate) => {
      await gate.bringWindowsToCutoff();
      return gate.cutoff;
    });
    // A window that does not stand where it should: nothing touched it, so nobody looks.
    const calls = fixture.meters[0]?.meterId ?? '';
    await fixture.db.pool.query(
      `INSERT INTO aggregated_usage (aggregation_id, customer_id, period, meter_id, window_start, window_end, group_key, revision,
         quantity, event_count, digest, cutoff_position, is_final)
       VALUES (gen_random_uuid(), $1, $2, $3, '2024-01-20T00:00:00Z', '2024-01-20T01:00:00Z', '{}', 1, 7, 7, '0000000000000007', $4, true)`,
      [customerId, period.period, calls, since],
    );
    await fixture.append([make('b', '2024-01-10T10:30:00Z'), transfer('u', '2024-01-10T10:30:00Z', '2')]);
    const quantities = await fixture.billing.atGate(period, async (gate) => {
      expect(await gate.bringTouchedWindows([calls], since)).toBe(1);
      const usage = await gate.segmentUsage(segmentsOf(period), { meterIds, cutoff: gate.cutoff });
      return usage.map(({ meter, quantity }) => [meter, quantity]);
    });
    expect(quantities).toEqual([
      ['bytes', '1'],
      ['calls', '2'],
      ['calls', '7'],
    ]);
    await fixture.billing.atGate(period, async (gate) => {
      expect(await gate.bringWindowsToCutoff()).toBe(2); // the one of the other meter, and the one out of nothing
    });
  });

  test('unreadable values are those of the windows that were brought', async () => {
    const { transfer } = eventsOf(customerId);
    await fixture.append([transfer('old', '2024-01-05T10:00:00Z', 'many')]);
    const since = await fixture.billing.atGate(period, async (gate) => {
      await gate.bringWindowsToCutoff();
      return gate.cutoff;
    });
    await fixture.append([transfer('new', '2024-01-10T10:00:00Z', null)]);
    await fixture.billing.atGate(period, async (gate) => {
      await gate.bringTouchedWindows(meterIds, since);
      expect(await gate.unreadableValues()).toEqual([{ meter: 'bytes', count: 1, example: 'new' }]);
      await gate.bringWindowsToCutoff();
      expect(await gate.unreadableValues()).toEqual([{ meter: 'bytes', count: 2, example: 'new' }]);
    });
    await fixture.billing.atGate(period, async (gate) => {
      await gate.bringTouchedWindows(meterIds, gate.cutoff);
      expect(await gate.unreadableValues()).toEqual([]);
    });
  });
});

interface PlanNode {
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly Plans?: readonly PlanNode[];
}

test('one late event among many is found by its position, without reading the others', async () => {
  await fixture.db.pool.query(
    `INSERT INTO telemetry_events (customer_id, source, event_id, partition, event_type, event_time, content_hash, metadata)
     SELECT $1, '', 'e' || n, $2, 'api_call', $3::timestamptz + n * interval '1 minute', n, '{}' FROM generate_series(1, 40000) AS n`,
    [customerId, partitionOf(customerId), period.from],
  );
  await fixture.db.pool.query('ANALYZE telemetry_events');
  const since = await fixture.horizon();
  await fixture.append([event('late', '2024-01-10T10:00:00Z')]);
  const range = { period, since, through: await fixture.horizon() };
  const plan = await explained(range);
  const read = (node: PlanNode): number =>
    (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'] +
    (node.Plans ?? []).reduce((sum, inner) => sum + read(inner), 0);
  expect(read(plan)).toBeLessThan(100);
});

async function explained(range: { period: BillingPeriod; since: Position; through: Position }): Promise<PlanNode> {
  const { text, values } = touchedWindowsSql(range);
  return fixture.db.transaction(async (client) => {
    await planForValues(client);
    const { rows } = await client.query<{ 'QUERY PLAN': readonly { Plan: PlanNode }[] }>(
      `EXPLAIN (ANALYZE, FORMAT JSON) ${text}`,
      [...values],
    );
    const plan = rows[0]?.['QUERY PLAN'][0]?.Plan;
    if (plan === undefined) throw new Error('EXPLAIN answered nothing');
    return plan;
  });
}
