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
import { query } from './support/ledger-watch.js';
import { Sender } from './support/sender.js';
import { TemporalWatch } from './support/temporal.js';
import type { History } from './support/temporal.js';
import { costInCents, createCustomer, createFacts, usageOf } from './support/usage.js';
import type { Usage } from './support/usage.js';

const customerId = 'busy';
const events = Number(process.env['EVENTS'] ?? 1_000_000);
const batch = 5_000;
const lanes = 4;
const signalIntervalMs = 1_000;
/** The server ends a run at 51,200; we continue as new at its suggestion, from 4,096 on. */
const historyEventsMax = 5_000;

let stack: TestStack;
let temporal: TemporalWatch;
beforeAll(async () => {
  stack = await startTestStack({ env: { RECKONER_SIGNAL_INTERVAL: `PT${signalIntervalMs / 1_000}S` } });
  temporal = await TemporalWatch.connect(stack.temporalAddress);
}, 180_000);
afterAll(async () => {
  await temporal.close();
  await stack.stop();
}, 120_000);

/** One batch at a time: all of them would fill the memory. */
function* allUsage(): Generator<Usage> {
  for (let from = 0; from < events; from += batch) yield* usageOf(customerId, from, Math.min(batch, events - from));
}

async function sendAll(): Promise<number> {
  const sender = new Sender(stack.apiUrl);
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < events) {
      const from = next;
      next += batch;
      await sender.send(usageOf(customerId, from, Math.min(batch, events - from)), { batch, lanes: 1 });
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

/** Events that no signal has told of yet; the invoice did not wait for them. */
async function untold(): Promise<number> {
  const [row] = await query<{ count: string }>(
    stack.databaseUrl,
    `SELECT (SELECT max(position) FROM telemetry_events) - position
       + (SELECT count(*) FROM usage_ranges WHERE delivered_at IS NULL) AS count FROM relay_cursors`,
  );
  return Number(row?.count);
}

test(`${events} events of one customer`, async () => {
  const books = new Books(stack.apiUrl);
  await createFacts(stack.apiUrl);
  await createCustomer(stack.apiUrl, customerId);
  expect(await sendAll()).toBe(events);
  await books.close(customerId);

  const [document] = await books.documents(customerId);
  expect(document).toMatchObject({ type: 'invoice', status: 'issued' });
  expect(await books.billedInCents(customerId)).toBe(costInCents(allUsage()));
  expect(await books.unverified(customerId)).toEqual([]);
  expect(await books.reconciled([customerId])).toEqual({ periods: 1, different: 0 });
  expect(await books.findings()).toEqual([]);
  const [stored] = await query<{ count: string }>(stack.databaseUrl, 'SELECT count(*) FROM telemetry_events');
  expect(stored).toEqual({ count: String(events) });

  await until(untold, (count) => count === 0);
  const histories = await temporal.histories(billingPeriodWorkflowId(customerId, '2024-01-01' as LocalDate));
  const signals = signalsOf(histories);
  const ranges = new Map(signals.map(({ range }) => [range.to, range]));
  expect([...ranges.values()].reduce((sum, { eventCount }) => sum + eventCount, 0)).toBe(events);
  const times = signals.map(({ atMs }) => atMs).sort((a, b) => a - b);
  const elapsedMs = (times.at(-1) ?? 0) - (times[0] ?? 0);
  expect(signals.length).toBeLessThanOrEqual(1 + Math.floor(elapsedMs / signalIntervalMs));
  for (const { events: list } of histories) expect(list?.length).toBeLessThanOrEqual(historyEventsMax);
}, 900_000);
