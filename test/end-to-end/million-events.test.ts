/**
 * 1,000,000 events of one customer through the API: however many there are, its period is signalled at most once a signal interval,
 * the histories stay short, every event is told of exactly once, and the invoice is right to the cent and proves itself.
 */
import { defaultPayloadConverter } from '@temporalio/common';
import type { Payload } from '@temporalio/common';
import { usageRecordedSignal } from '../../src/contracts/billing-period.js';
import type { UsageRecorded } from '../../src/contracts/billing-period.js';
import { billingPeriodWorkflowId } from '../../src/contracts/names.js';
import type { LocalDate } from '../../src/domain/values.js';
import { startTestStack, until } from '../support/stack.js';
import type { TestStack } from '../support/stack.js';
import { Books } from './support/books.js';
import { query, storedEvents } from './support/ledger-watch.js';
import { Sender } from './support/sender.js';
import { TemporalWatch } from './support/temporal.js';
import type { History } from './support/temporal.js';
import { costInCents, createCustomer, createFacts, january, usageOf } from './support/usage.js';
import type { During, Usage } from './support/usage.js';

const batch = 5_000;
const lanes = 4;
const signalIntervalMs = 1_000;
/** The server ends a run at 51,200 events; we continue as new at its suggestion, from 4,096 on. */
const historyEventsMax = 5_000;

let stack: TestStack;
let temporal: TemporalWatch;
beforeAll(async () => {
  stack = await startTestStack({ env: { RECKONER_SIGNAL_INTERVAL: `PT${signalIntervalMs / 1_000}S` } });
  temporal = await TemporalWatch.connect(stack.temporalAddress);
  await createFacts(stack.apiUrl);
}, 180_000);
afterAll(() => temporal.close());
afterAll(() => stack.stop(), 120_000);

interface Load {
  readonly customerId: string;
  readonly events: number;
  readonly during: During;
  readonly anchorDay: number;
}

/** One batch at a time: all of them would fill the memory. */
function* batches({ customerId, events, during }: Load): Generator<readonly Usage[]> {
  for (let from = 0; from < events; from += batch)
    yield usageOf(customerId, from, Math.min(batch, events - from), during);
}

function* allUsage(load: Load): Generator<Usage> {
  for (const usage of batches(load)) yield* usage;
}

async function sendAll(load: Load): Promise<number> {
  const sender = new Sender(stack.apiUrl);
  const left = batches(load);
  const lane = async (): Promise<void> => {
    for (const usage of left) {
      await sender.send(usage, { batch, lanes: 1 });
      sender.acknowledged.clear();
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return sender.accepted;
}

interface Signal {
  readonly atMs: number;
  readonly range: UsageRecorded;
}

function signalsOf(histories: readonly History[]): readonly Signal[] {
  return histories
    .flatMap(({ events: list }) => list ?? [])
    .flatMap(({ eventTime, workflowExecutionSignaledEventAttributes: signaled }) => {
      if (signaled?.signalName !== usageRecordedSignal.name) return [];
      const [payload] = signaled.input?.payloads ?? [];
      const range = defaultPayloadConverter.fromPayload<UsageRecorded>(payload as Payload);
      return [{ atMs: Number(eventTime?.seconds) * 1_000 + Number(eventTime?.nanos) / 1e6, range }];
    });
}

/** Without those that another one includes: what is told again has grown, where more came meanwhile. */
function toldOnce(ranges: readonly UsageRecorded[]): readonly UsageRecorded[] {
  return ranges.filter(
    (range, at) =>
      !ranges.some((other, place) => place !== at && includes(other, range) && (place < at || !includes(range, other))),
  );
}

const includes = (outer: UsageRecorded, inner: UsageRecorded): boolean =>
  BigInt(outer.from) <= BigInt(inner.from) && BigInt(outer.to) >= BigInt(inner.to);

/** Events that no signal has told of yet. */
async function untold(): Promise<number> {
  const [row] = await query<{ count: string }>(
    stack.databaseUrl,
    `SELECT greatest((SELECT max(position) FROM telemetry_events) - position, 0)
       + (SELECT count(*) FROM usage_ranges WHERE delivered_at IS NULL) AS count FROM relay_cursors`,
  );
  return Number(row?.count);
}

const hourMs = 3_600_000;
const now = new Date();

test.each<Load & { readonly what: string }>([
  {
    what: 'of the last hour: signals carry their sums',
    customerId: 'busy-now',
    events: 1_000_000,
    during: { startMs: now.getTime() - hourMs, lengthMs: hourMs },
    // Periods begin far from today, so that the hour lies in one of them.
    anchorDay: ((now.getUTCDate() + 14) % 28) + 1,
  },
  // More windows than a workflow keeps or a signal carries: it looks in the ledger.
  { what: 'of a past month, in any order', customerId: 'busy-then', events: 200_000, during: january, anchorDay: 1 },
])(
  '$events events of one customer, $what',
  async (load) => {
    const { customerId, events } = load;
    const books = new Books(stack.apiUrl);
    await createCustomer(stack.apiUrl, customerId, { billing_anchor_day: load.anchorDay });
    expect(await sendAll(load)).toBe(events);
    await until(untold, (count) => count === 0, 240_000);
    const periods = await query<{ period: LocalDate }>(
      stack.databaseUrl,
      'SELECT DISTINCT period::text FROM usage_ranges WHERE customer_id = $1',
      [customerId],
    );
    expect(periods).toHaveLength(1);
    const period = periods[0]?.period ?? ('' as LocalDate);
    await books.close(customerId, period, { force: true, reason: 'the load is over' });

    const [document] = await books.documents(customerId);
    expect(document).toMatchObject({ type: 'invoice', status: 'issued' });
    expect(await books.billedInCents(customerId)).toBe(costInCents(allUsage(load)));
    expect(await books.unverified(customerId)).toEqual([]);
    expect(await books.reconciled([customerId])).toMatchObject({ different: 0 });
    expect(await books.findings()).toEqual([]);
    expect(await storedEvents(stack.databaseUrl, customerId)).toHaveLength(events);

    const histories = await temporal.histories(billingPeriodWorkflowId(customerId, period));
    const signals = signalsOf(histories);
    expect(toldOnce(signals.map(({ range }) => range)).reduce((sum, { eventCount }) => sum + eventCount, 0)).toBe(
      events,
    );
    const times = signals.map(({ atMs }) => atMs).sort((a, b) => a - b);
    const elapsedMs = (times.at(-1) ?? 0) - (times[0] ?? 0);
    expect(signals.length).toBeLessThanOrEqual(1 + Math.floor(elapsedMs / signalIntervalMs));
    for (const { events: list } of histories) expect(list?.length).toBeLessThanOrEqual(historyEventsMax);
  },
  900_000,
);
