/** Correction on real Postgres: what the steps of `reRating` leave behind. Temporal's client only takes notes. */
import { randomUUID } from 'node:crypto';
import { parsePriceBook } from '../../src/domain/rating/parse-price-book.js';
import type { DecimalString, Instant, Position } from '../../src/domain/values.js';
import type { ReRatingReason } from '../../src/domain/correction/reasons.js';
import { voidInvoice } from '../../src/billing/void-invoice.js';
import type { Invoice } from '../../src/domain/invoicing/invoice.js';
import type { NewReRating, ReRatingScope } from '../../src/storage/types.js';
import { createActivityFixture, january } from './fixture.js';
import type { ActivityFixture } from './fixture.js';

let fixture: ActivityFixture;
beforeAll(async () => {
  fixture = await createActivityFixture();
});
afterAll(() => fixture.close());

let customers = 0;
/** A customer whose January is invoiced with so many calls. */
async function invoicedCustomer(
  calls: number,
  more: Parameters<ActivityFixture['addCustomer']>[1] = {},
): Promise<string> {
  const customerId = `c${(customers += 1)}`;
  await fixture.addCustomer(customerId, more);
  if (calls > 0) await fixture.addCalls(customerId, calls);
  await invoice(customerId);
  return customerId;
}

async function invoice(customerId: string): Promise<void> {
  await fixture.request(customerId, randomUUID());
  await fixture.run(fixture.activities.issueChunk, { billingDay: '2024-02-01' as typeof january, limit: 10 });
}

interface Asked {
  readonly reason?: ReRatingReason;
  readonly dryRun?: boolean;
  readonly priceBookId?: string;
  readonly scope?: Partial<ReRatingScope>;
  readonly requestedBy?: string;
}

async function ask(customerId: string, asked: Asked = {}): Promise<string> {
  const reRatingId = randomUUID();
  const reRating: NewReRating = {
    reRatingId,
    workflowId: `re-rating/${reRatingId}`,
    reason: asked.reason ?? 'late_usage',
    scope: { customerIds: [customerId], meters: null, from: null, to: null, ...asked.scope },
    priceBookId: asked.priceBookId ?? null,
    dryRun: asked.dryRun ?? false,
    requestedBy: asked.requestedBy ?? 'alice',
  };
  await fixture.storage.reRatings.create(reRating, [{ customerId, period: january }]);
  return reRatingId;
}

const step = (reRatingId: string, attempt = 1) => ({ reRatingId, attempt, limit: 100 });

/** Compare, correct, reconcile, end, as the workflow does where nobody is asked. */
async function reRate(customerId: string, asked: Asked = {}): Promise<string> {
  const { activities, run } = fixture;
  const id = await ask(customerId, asked);
  const compared = await run(activities.compareReRating, step(id));
  if (compared.next === 'ended') return compared.status;
  expect(compared.next).toBe('correcting');
  await run(activities.correctReRating, step(id));
  expect(await run(activities.reconcileReRating, { reRatingId: id, attempt: 1 })).toMatchObject({ different: 0 });
  return (await run(activities.endReRating, { reRatingId: id, attempt: 1, rejected: false })).status;
}

async function documents(customerId: string): Promise<readonly Invoice[]> {
  const { data } = await fixture.storage.billing.listInvoices({ customerId }, { limit: 100 });
  return [...data].sort((a, b) => a.chainPlace - b.chainPlace);
}
const inShort = async (customerId: string): Promise<unknown> =>
  (await documents(customerId)).map(({ type, total, status }) => [type, total, status]);

/** Each test of prices has a book of its own: a version that is learned holds for everybody. */
async function learn(
  version: string,
  tiers: readonly (readonly [string | null, string])[],
  code: string,
): Promise<string> {
  const { priceBook } = await fixture.storage.reference.createPriceBook(
    parsePriceBook({
      code,
      version,
      currency: 'USD',
      effective_from: '2024-01-01T00:00:00Z',
      prices: [
        { meter: 'api_calls', model: 'tiered', tiers: tiers.map(([up_to, unit_price]) => ({ up_to, unit_price })) },
      ],
    }),
  );
  return priceBook.priceBookId;
}

test('a late event becomes a correction linked to its invoice: 118.72 and 0.08', async () => {
  const customerId = await invoicedCustomer(1234);
  await fixture.addCalls(customerId, 1, '2024-01-25T00:00:00Z');
  expect(await reRate(customerId)).toBe('completed');
  const [original, correction] = await documents(customerId);
  expect(original).toMatchObject({ type: 'invoice', total: '118.72' });
  expect(correction).toMatchObject({
    type: 'correction',
    total: '0.08',
    correctsInvoiceId: original?.invoiceId,
    chainPlace: 2,
    lines: [
      {
        originalAmount: '118.72',
        correctedAmount: '118.8',
        amount: '0.08',
        quantity: '1235',
        reason: 'late_usage',
        correctsLineItemId: original?.lines[0]?.lineItemId,
        calculation: { formula: '1000 × 0.10 + 235 × 0.08' },
      },
    ],
  });
  const entries = await fixture.storage.journal.entries({ customerId }, { limit: 10 });
  expect(entries.data.map(({ description, postings }) => [description, postings[0]?.amount])).toEqual([
    [`Invoice ${original?.number ?? ''}`, '118.72'],
    [`Correction invoice ${correction?.number ?? ''}`, '0.08'],
  ]);
  const charge = await fixture.storage.billing.findCharge(correction?.lines[0]?.chargeIds[0] ?? '');
  expect(charge).toMatchObject({ revision: 2, eventCount: 1235, cutoff: correction?.cutoffPosition });
});

test('500, then 520, then 480 units: +20 units and -40 units, each once', async () => {
  const customerId = await invoicedCustomer(500);
  await fixture.addCalls(customerId, 20, '2024-01-25T00:00:00Z');
  await reRate(customerId);
  for (let index = 0; index < 40; index += 1) {
    await fixture.storage.adjustments.adjust({
      customerId,
      source: '',
      eventId: `2024-01-10T00:00:00Z/${index}`,
      type: 'void',
      replacement: null,
      reason: null,
    });
  }
  expect(await reRate(customerId, { reason: 'usage_correction' })).toBe('completed');
  expect(await inShort(customerId)).toEqual([
    ['invoice', '50', 'issued'],
    ['correction', '2', 'issued'],
    ['credit_note', '-4', 'issued'],
  ]);
  expect((await documents(customerId))[2]).toMatchObject({
    correctsInvoiceId: (await documents(customerId))[0]?.invoiceId,
  });
});

test('re-rating unchanged facts makes no document, however often', async () => {
  const customerId = await invoicedCustomer(10);
  expect(await reRate(customerId, { reason: 'manual' })).toBe('no_difference');
  expect(await reRate(customerId, { reason: 'rating_defect' })).toBe('no_difference');
  expect(await reRate(customerId)).toBe('no_difference');
  expect(await inShort(customerId)).toEqual([['invoice', '1', 'issued']]);
});

test('a dry run shows the difference and issues nothing', async () => {
  const customerId = await invoicedCustomer(10);
  await fixture.addCalls(customerId, 5, '2024-01-25T00:00:00Z');
  expect(await reRate(customerId, { dryRun: true })).toBe('completed');
  expect(await inShort(customerId)).toEqual([['invoice', '1', 'issued']]);
  expect(await reRate(customerId)).toBe('completed');
  expect(await inShort(customerId)).toHaveLength(2);
});

test('all usage gone: the line is credited, and its charge superseded by one of 0', async () => {
  const customerId = await invoicedCustomer(1);
  const eventId = '2024-01-10T00:00:00Z/0';
  const voided = { customerId, source: '', eventId, type: 'void', replacement: null, reason: null } as const;
  await fixture.storage.adjustments.adjust(voided);
  await reRate(customerId, { reason: 'usage_correction' });
  const [original, credit] = await documents(customerId);
  expect(credit).toMatchObject({ type: 'credit_note', total: '-0.1' });
  const charge = await fixture.storage.billing.findCharge(credit?.lines[0]?.chargeIds[0] ?? '');
  expect(charge).toMatchObject({
    amount: '0',
    eventCount: 0,
    revision: 2,
    supersedesChargeId: original?.lines[0]?.chargeIds[0],
  });
});

describe('prices', () => {
  let books = 0;
  /** A customer on a book of its own, 0.10 a call; the book's code and first version. */
  async function pricedCustomer(calls: number): Promise<{ customerId: string; code: string; v1: string }> {
    const code = `book-${(books += 1)}`;
    const v1 = await learn('v1', [[null, '0.10']], code);
    return { customerId: await invoicedCustomer(calls, { priceBook: code }), code, v1 };
  }

  test('a price learned later corrects only by a re-rating that asks for it, and is pinned from then on', async () => {
    const { customerId, code } = await pricedCustomer(100);
    await learn('v2-corrected', [[null, '0.20']], code);
    await fixture.addCalls(customerId, 10, '2024-01-25T00:00:00Z');
    await reRate(customerId); // late usage keeps the pins: 10 × 0.10
    await reRate(customerId, { reason: 'price_correction' }); // 110 × 0.20 - 11
    await fixture.addCalls(customerId, 1, '2024-01-26T00:00:00Z');
    await reRate(customerId); // and now 1 × 0.20
    expect(await inShort(customerId)).toEqual([
      ['invoice', '10', 'issued'],
      ['correction', '1', 'issued'],
      ['correction', '11', 'issued'],
      ['correction', '0.2', 'issued'],
    ]);
  });

  test('A, B, A nets to zero', async () => {
    const { customerId, code, v1 } = await pricedCustomer(100);
    const b = await learn('v2', [[null, '0.05']], code);
    for (const priceBookId of [b, v1, v1]) await reRate(customerId, { reason: 'price_correction', priceBookId });
    expect(await inShort(customerId)).toEqual([
      ['invoice', '10', 'issued'],
      ['credit_note', '-5', 'issued'],
      ['correction', '5', 'issued'],
    ]);
  });

  test('a moved price stays a fact of the period where it makes no difference yet', async () => {
    const { customerId, code } = await pricedCustomer(0);
    const priceBookId = await learn('v2', [[null, '7']], code);
    expect(await reRate(customerId, { reason: 'price_correction', priceBookId })).toBe('no_difference');
    await fixture.addCalls(customerId, 1, '2024-01-25T00:00:00Z');
    await reRate(customerId);
    expect((await inShort(customerId)) as unknown[]).toContainEqual(['correction', '7', 'issued']);
  });
});

describe('approval', () => {
  test('beyond the threshold a person is asked, downward too, and ups and downs do not cancel out', async () => {
    const customerId = await invoicedCustomer(10, { approvalThreshold: '0.50' as DecimalString });
    await fixture.addCalls(customerId, 5, '2024-01-25T00:00:00Z');
    const within = await ask(customerId);
    expect(await fixture.run(fixture.activities.compareReRating, step(within))).toMatchObject({ next: 'correcting' });
    await fixture.addCalls(customerId, 1, '2024-01-26T00:00:00Z');
    const beyond = await ask(customerId);
    expect(await fixture.run(fixture.activities.compareReRating, step(beyond))).toMatchObject({
      next: 'awaiting_approval',
    });
  });

  test('one that waits while an automatic one issues is compared again; a changed difference needs a new approval', async () => {
    const { activities, run, storage } = fixture;
    const v1 = await learn('v1', [[null, '0.10']], 'book-approval');
    const customerId = await invoicedCustomer(10, {
      priceBook: 'book-approval',
      approvalThreshold: '1' as DecimalString,
    });
    const priceBookId = await learn('v2', [[null, '0.40']], 'book-approval');
    expect(priceBookId).not.toBe(v1);
    const waiting = await ask(customerId, { reason: 'price_correction', priceBookId });
    expect(await run(activities.compareReRating, step(waiting))).toMatchObject({ next: 'awaiting_approval' });

    await fixture.addCalls(customerId, 2, '2024-01-25T00:00:00Z');
    expect(await reRate(customerId, { requestedBy: 'reckoner' })).toBe('completed');

    await storage.reRatings.decide(waiting, { attempt: 1, decision: 'approved', decidedBy: 'bob', reason: null });
    expect(await run(activities.correctReRating, step(waiting))).toMatchObject({ corrected: 0, moved: 1 });
    expect(await run(activities.compareReRating, step(waiting, 2))).toMatchObject({
      attempt: 2,
      next: 'awaiting_approval',
    });
    await storage.reRatings.decide(waiting, { attempt: 2, decision: 'approved', decidedBy: 'bob', reason: null });
    expect(await run(activities.correctReRating, step(waiting, 2))).toMatchObject({ corrected: 1, moved: 0 });
    expect(await inShort(customerId)).toEqual([
      ['invoice', '1', 'issued'],
      ['correction', '0.2', 'issued'],
      ['correction', '3.6', 'issued'],
    ]);
  });

  test('what was approved is what is issued: facts that come meanwhile wait for the next correction', async () => {
    const { activities, run, storage } = fixture;
    const customerId = await invoicedCustomer(10, { approvalThreshold: '0' as DecimalString });
    await fixture.addCalls(customerId, 3, '2024-01-25T00:00:00Z');
    const id = await ask(customerId);
    await run(activities.compareReRating, step(id));
    await fixture.addCalls(customerId, 4, '2024-01-26T00:00:00Z');
    await storage.reRatings.decide(id, { attempt: 1, decision: 'approved', decidedBy: 'bob', reason: null });
    await run(activities.correctReRating, step(id));
    expect(await inShort(customerId)).toEqual([
      ['invoice', '1', 'issued'],
      ['correction', '0.3', 'issued'],
    ]);
    const before = fixture.temporal.length;
    expect(await run(activities.endReRating, { reRatingId: id, attempt: 1, rejected: false })).toMatchObject({
      restarted: 1,
    });
    expect(fixture.temporal.slice(before)).toMatchObject([{ type: 'billingPeriod' }]);
  });

  test('nobody approves a re-rating of their own', async () => {
    const customerId = await invoicedCustomer(10);
    const id = await ask(customerId, { requestedBy: 'alice' });
    const decide = (decidedBy: string) =>
      fixture.storage.reRatings.decide(id, { attempt: 1, decision: 'approved', decidedBy, reason: null });
    await expect(decide('alice')).rejects.toMatchObject({ code: 'OWN_RE_RATING' });
    expect(await decide('bob')).toMatchObject({ stored: true });
    expect(await decide('carol')).toMatchObject({ stored: false, decision: { decidedBy: 'bob' } });
  });
});

describe('void', () => {
  const now = '2024-03-01T00:00:00.000000Z' as Instant;

  test('already invoiced becomes 0; closing again issues the replacement with its own number', async () => {
    const customerId = await invoicedCustomer(10);
    await fixture.addCalls(customerId, 5, '2024-01-25T00:00:00Z');
    await reRate(customerId);
    const [original, correction] = await documents(customerId);
    if (original === undefined || correction === undefined) throw new Error('two documents');
    await expect(voidInvoice(fixture.storage, correction, { actor: 'bob', reason: 'x', now })).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
    });
    await voidInvoice(fixture.storage, original, { actor: 'bob', reason: 'wrong buyer', now });
    expect(await inShort(customerId)).toEqual([
      ['invoice', '1', 'void'],
      ['correction', '0.5', 'void'],
    ]);
    const refreshed = (await documents(customerId))[0] ?? original;
    await expect(voidInvoice(fixture.storage, refreshed, { actor: 'bob', reason: 'x', now })).rejects.toMatchObject({
      code: 'INVOICE_VOID',
    });
    const entries = await fixture.storage.journal.entries({ customerId }, { limit: 10 });
    const receivable = entries.data.flatMap(({ postings }) =>
      postings.filter(({ account }) => account === 'accounts_receivable'),
    );
    expect(receivable.map(({ amount }) => Number(amount)).reduce((sum, amount) => sum + amount, 0)).toBe(0);

    await invoice(customerId);
    const replacement = (await documents(customerId))[2];
    expect(replacement).toMatchObject({
      type: 'invoice',
      total: '1.5',
      status: 'issued',
      replacesInvoiceId: original.invoiceId,
      chainPlace: 3,
    });
    await fixture.addCalls(customerId, 1, '2024-01-27T00:00:00Z');
    expect(await reRate(customerId)).toBe('completed');
    expect((await documents(customerId))[3]).toMatchObject({ total: '0.1', correctsInvoiceId: replacement?.invoiceId });
  });

  test('a re-rating that meets a void chain is held, and says what to do', async () => {
    const customerId = await invoicedCustomer(10);
    const [original] = await documents(customerId);
    if (original === undefined) throw new Error('a document');
    const id = await ask(customerId);
    await voidInvoice(fixture.storage, original, { actor: 'bob', reason: 'x', now });
    expect(await fixture.run(fixture.activities.compareReRating, step(id))).toMatchObject({ held: 1 });
    expect((await fixture.storage.reRatings.comparisons(id, { limit: 10 })).data).toMatchObject([
      { result: 'held', detail: expect.stringContaining('void') as string },
    ]);
  });
});

describe('automatic corrections', () => {
  const key = (customerId: string) => ({ customerId, period: january });

  test('start once, however often they are asked for, and not while one is open', async () => {
    const { activities, run } = fixture;
    const customerId = await invoicedCustomer(10);
    expect(await run(activities.startCorrection, key(customerId))).toEqual({ reRatingId: null, noted: false });
    await fixture.addCalls(customerId, 1, '2024-01-25T00:00:00Z');
    const first = await run(activities.startCorrection, key(customerId));
    await fixture.addCalls(customerId, 1, '2024-01-26T00:00:00Z');
    expect(await run(activities.startCorrection, key(customerId))).toEqual(first);
    expect(
      fixture.temporal
        .filter(({ workflowId }) => workflowId.startsWith(`re-rating/late/${customerId}/2024-01-01/`))
        .map(({ workflowId }) => workflowId),
    ).toHaveLength(2);
  });

  test('what was rejected does not start again by itself; new facts do', async () => {
    const { activities, run, storage } = fixture;
    const customerId = await invoicedCustomer(10, { approvalThreshold: '0' as DecimalString });
    await fixture.addCalls(customerId, 1, '2024-01-25T00:00:00Z');
    const { reRatingId } = await run(activities.startCorrection, key(customerId));
    await run(activities.compareReRating, step(reRatingId ?? ''));
    await storage.reRatings.decide(reRatingId ?? '', {
      attempt: 1,
      decision: 'rejected',
      decidedBy: 'bob',
      reason: 'no',
    });
    expect(await run(activities.endReRating, { reRatingId: reRatingId ?? '', attempt: 1, rejected: true })).toEqual({
      status: 'rejected',
      restarted: 0,
    });
    expect(await run(activities.startCorrection, key(customerId))).toEqual({ reRatingId: null, noted: false });
    await fixture.addCalls(customerId, 1, '2024-01-26T00:00:00Z');
    expect((await run(activities.startCorrection, key(customerId))).reRatingId).not.toBeNull();
  });

  test('customers that correct by hand have a finding', async () => {
    const customerId = await invoicedCustomer(10, { lateUsageQuietTime: 'manual' });
    await fixture.addCalls(customerId, 1, '2024-01-25T00:00:00Z');
    expect(await fixture.run(fixture.activities.startCorrection, key(customerId))).toEqual({
      reRatingId: null,
      noted: true,
    });
    const { data } = await fixture.storage.findings.list({ customerId }, { limit: 10 });
    expect(data).toMatchObject([{ code: 'LATE_USAGE' }]);
  });
});

test('every step repeated as after a lost acknowledgement leaves what one run leaves', async () => {
  const { activities, run } = fixture;
  const customerId = await invoicedCustomer(10);
  await fixture.addCalls(customerId, 5, '2024-01-25T00:00:00Z');
  const id = await ask(customerId);
  for (let time = 0; time < 2; time += 1) await run(activities.compareReRating, step(id));
  for (let time = 0; time < 2; time += 1) await run(activities.correctReRating, step(id));
  for (let time = 0; time < 2; time += 1) await run(activities.reconcileReRating, { reRatingId: id, attempt: 1 });
  for (let time = 0; time < 2; time += 1)
    expect(await run(activities.endReRating, { reRatingId: id, attempt: 1, rejected: false })).toMatchObject({
      status: 'completed',
    });
  expect(await inShort(customerId)).toEqual([
    ['invoice', '1', 'issued'],
    ['correction', '0.5', 'issued'],
  ]);
  expect(await fixture.storage.reRatings.find(id)).toMatchObject({ status: 'completed' });
  expect(Number(((await documents(customerId))[1]?.cutoffPosition ?? '0') as Position)).toBeGreaterThan(0);
});
