/** Backfills on the way to invoices: what they hold, what they correct, and that the way makes no difference. */
import { randomUUID } from 'node:crypto';
import { verifyInvoice } from '../../src/billing/verify-invoice.js';
import type { CloseWindowsInput, RequestInvoicingInput } from '../../src/contracts/activities.js';
import { addDecimals } from '../../src/domain/decimal.js';
import type { UsageEvent } from '../../src/domain/metering/event.js';
import { instantToMs } from '../../src/domain/time/instant.js';
import type { Instant, Interval, LocalDate } from '../../src/domain/values.js';
import type { BackfillMode } from '../../src/storage/types.js';
import { usageEvent } from '../storage/usage-fixture.js';
import { acme, createChainFixture } from './chain-fixture.js';
import type { ChainFixture } from './chain-fixture.js';

let fixture: ChainFixture;
beforeEach(async () => {
  fixture = await createChainFixture();
});
afterEach(() => fixture.close());

const nowMs = instantToMs('2024-02-01T03:00:00.000000Z' as Instant);
const at = (text: string): Instant => `${text}:00.000000Z` as Instant;
const tenth: Interval = { from: at('2024-01-10T00:00'), to: at('2024-01-11T00:00') };

async function open(range = tenth, mode: BackfillMode = 'add', on: ChainFixture = fixture): Promise<string> {
  const backfillId = randomUUID();
  const { customerId } = acme;
  await on.storage.backfills.create({
    backfillId,
    customerIds: [customerId],
    range,
    mode,
    reason: null,
    createdBy: 'ann',
  });
  return backfillId;
}

const decide = (backfillId: string, decision: 'closed' | 'reverted', on: ChainFixture = fixture) =>
  on.storage.backfills.decide(backfillId, { decision, decidedBy: 'ann', reason: null });

/** Calls of the tenth, one a minute. */
function calls(count: number, more: { source?: string; backfillId?: string } = {}): readonly UsageEvent[] {
  const { source = '', backfillId } = more;
  return Array.from({ length: count }, (_, index) => {
    const eventTime = new Date(Date.parse(tenth.from) + index * 60_000).toISOString();
    const event = usageEvent({ customerId: acme.customerId, eventId: `c${index}`, source, eventTime });
    return backfillId === undefined ? event : { ...event, backfillId };
  });
}

const send = (events: readonly UsageEvent[], on: ChainFixture = fixture) => on.storage.ledger.append(events, []);
const read = () => fixture.run(fixture.activities.readPeriod, { ...acme, nowMs });
const request = (more: Partial<RequestInvoicingInput> = {}) =>
  fixture.run(fixture.activities.requestInvoicing, {
    ...acme,
    requestId: randomUUID(),
    billingDay: '2024-02-01' as LocalDate,
    forced: false,
    reason: null,
    nowMs,
    onDemand: false,
    ...more,
  });

describe('an open backfill', () => {
  const window = (hour: number) => {
    const from = (value: number): Instant => at(`2024-01-10T${String(value).padStart(2, '0')}:00`);
    return { m: 'api_calls', w: from(hour), e: from(hour + 1) };
  };
  const close = (input: Partial<CloseWindowsInput>) =>
    fixture.run(fixture.activities.closeWindows, {
      ...acme,
      nowMs,
      scope: 'listed',
      windows: [],
      accumulatedThrough: null,
      rate: false,
      ...input,
    });
  const toClose = (hour: number): CloseWindowsInput['windows'][number] => ({
    ...window(hour),
    since: null,
    n: 0,
    q: '0' as CloseWindowsInput['windows'][number]['q'],
    d: '0000000000000000' as CloseWindowsInput['windows'][number]['d'],
  });

  test('holds the windows of its range, whole and in part, whoever asks, and no others', async () => {
    await send(calls(240));
    const range = { from: at('2024-01-10T01:30'), to: at('2024-01-10T03:00') };
    const backfillId = await open(range);
    expect(await read()).toMatchObject({ held: true, windows: { windows: [window(0), window(3)] } });
    expect(await close({ windows: [toClose(0), toClose(1), toClose(2)] })).toMatchObject({ closed: 1, revisions: 1 });
    expect(await close({ scope: 'due' })).toMatchObject({ closed: 1, remaining: { kind: 'listed', windows: [] } });
    expect(await read()).toMatchObject({ held: true, windows: { windows: [] } });

    await decide(backfillId, 'closed');
    const reading = await read();
    expect(reading.windows).toEqual({ kind: 'listed', windows: [window(1), window(2)] });
    expect(reading.held).toBeUndefined();
  });

  test('on demand its windows close all the same', async () => {
    await send(calls(120));
    await open();
    expect(await close({ scope: 'all' })).toMatchObject({ revisions: 2 });
  });

  test('keeps the period from being handed over by itself, until it is closed or reverted; a person may', async () => {
    await send(calls(1));
    const [one, two] = [await open(), await open()];
    const pending = () => fixture.storage.periods.pendingInvoicing('2024-02-01' as LocalDate, 10);
    expect(await request()).toEqual({ alreadyInvoiced: false, held: true });
    await decide(one, 'closed');
    expect(await request()).toEqual({ alreadyInvoiced: false, held: true });
    expect(await pending()).toEqual([]);
    // The next period's workflow is not held.
    expect(new Set(fixture.temporal.map(({ workflowId }) => workflowId))).toEqual(
      new Set(['billing-period/acme/2024-02-01']),
    );
    expect(await request({ onDemand: true })).toEqual({ alreadyInvoiced: false });
    expect(await pending()).toHaveLength(1);
    await decide(two, 'reverted');
    expect(await request()).toEqual({ alreadyInvoiced: false });
  });

  test('does not hold a period that it only touches at its end, nor other customers', async () => {
    await open({ from: at('2023-12-01T00:00'), to: at('2024-01-01T00:00') });
    await open({ from: at('2024-02-01T00:00'), to: at('2024-03-01T00:00') });
    expect((await read()).held).toBeUndefined();
  });
});

const totals = async (on: ChainFixture = fixture) => (await on.documents()).map(({ type, total }) => [type, total]);

/** As `billingPeriod` and `reRating` do after the quiet time. Whether there was anything. */
async function correctAutomatically(): Promise<boolean> {
  const { reRatingId } = await fixture.run(fixture.activities.startCorrection, acme);
  if (reRatingId === null) return false;
  await fixture.correct(reRatingId);
  await fixture.run(fixture.activities.endReRating, { reRatingId, attempt: 1, rejected: false });
  return true;
}

async function expectProven(on: ChainFixture = fixture): Promise<void> {
  expect((await on.reconcile()).report).toMatchObject({ state: 'invoiced', differences: [] });
  for (const document of await on.documents()) {
    expect(await verifyInvoice(on.storage, document)).toMatchObject({ verified: true });
  }
}

describe('after the invoice', () => {
  test('closing it is corrected by itself, reverting it back; reconciled and verified at every step', async () => {
    await send(calls(10, { source: 'live' }));
    await fixture.issue();
    const backfillId = await open();
    await send(calls(5, { backfillId }));
    expect((await read()).veryLateFacts).toBe(0);
    expect(await correctAutomatically()).toBe(false);

    await decide(backfillId, 'closed');
    expect((await read()).veryLateFacts).toBe(1);
    expect(await correctAutomatically()).toBe(true);
    expect(await totals()).toEqual([
      ['invoice', '1'],
      ['correction', '0.5'],
    ]);
    await expectProven();

    await decide(backfillId, 'reverted');
    expect(await correctAutomatically()).toBe(true);
    expect(await totals()).toEqual([
      ['invoice', '1'],
      ['correction', '0.5'],
      ['credit_note', '-0.5'],
    ]);
    await expectProven();
    expect(await correctAutomatically()).toBe(false);
  });

  test('one that replaces takes out what was invoiced and puts its own in its place; late others stay out', async () => {
    await send(calls(10, { source: 'live' }));
    await fixture.issue();
    const backfillId = await open(tenth, 'replace');
    await send(calls(4, { source: 'mended', backfillId }));
    await decide(backfillId, 'closed');
    await correctAutomatically();
    expect(await totals()).toEqual([
      ['invoice', '1'],
      ['credit_note', '-0.6'],
    ]);
    await expectProven();
    await send(calls(3, { source: 'late' }));
    await correctAutomatically();
    expect(await totals()).toHaveLength(2);
    await expectProven();

    await decide(backfillId, 'reverted');
    await correctAutomatically();
    const [, , last] = await fixture.documents();
    // 10 live and 3 late ones again, in place of 4.
    expect([last?.type, last?.total]).toEqual(['correction', '0.9']);
    await expectProven();
  });

  test('one that replaces with nothing empties its range', async () => {
    await send(calls(10));
    await fixture.issue();
    await decide(await open(tenth, 'replace'), 'closed');
    await correctAutomatically();
    expect(await totals()).toEqual([
      ['invoice', '1'],
      ['credit_note', '-1'],
    ]);
    await expectProven();
  });
});

describe('order does not matter', () => {
  /** Another database: the same customer, whose documents have the same ids. */
  async function elsewhere<T>(work: (on: ChainFixture) => Promise<T>): Promise<T> {
    const on = await createChainFixture();
    try {
      return await work(on);
    } finally {
      await on.close();
    }
  }

  const split = (events: readonly UsageEvent[]) => [events.slice(0, 20), events.slice(20)] as const;

  test('a backfill closed before the invoice gives the invoice that the events would have given', async () => {
    const [some] = split(calls(50));
    await send(calls(50));
    await fixture.issue();
    const [ordinary] = await fixture.documents();
    const hash = await elsewhere(async (on) => {
      const backfillId = await open(tenth, 'add', on);
      await send(split(calls(50, { backfillId }))[1], on);
      await send(some, on);
      await decide(backfillId, 'closed', on);
      await on.issue();
      await expectProven(on);
      return (await on.documents())[0]?.documentHash;
    });
    expect(hash).toBe(ordinary?.documentHash);
  });

  test('one that replaces everything gives the invoice of its own events alone', async () => {
    const mended = { source: 'mended' };
    await send(calls(30, mended));
    await fixture.issue();
    const [ordinary] = await fixture.documents();
    const hash = await elsewhere(async (on) => {
      await send(calls(50), on);
      const backfillId = await open(tenth, 'replace', on);
      await send(calls(30, { ...mended, backfillId }), on);
      await decide(backfillId, 'closed', on);
      await on.issue();
      await expectProven(on);
      return (await on.documents())[0]?.documentHash;
    });
    expect(hash).toBe(ordinary?.documentHash);
  });

  test('closed after the invoice: invoice and corrections are together what it would have been', async () => {
    const [first, rest] = split(calls(1_100));
    await send(first);
    await fixture.issue();
    const backfillId = await open();
    await send(rest.map((event) => ({ ...event, backfillId })));
    await decide(backfillId, 'closed');
    await correctAutomatically();
    await expectProven();
    const sum = addDecimals((await fixture.documents()).map(({ total }) => total));
    const whole = await elsewhere(async (on) => {
      await send(calls(1_100), on);
      await on.issue();
      return (await on.documents())[0]?.total;
    });
    // 1,000 at 0.10, 100 at 0.08.
    expect([sum, whole]).toEqual(['108', '108']);
  });
});
