/** Approval, void, automatic corrections and repeated steps of `reRating`, on real Postgres. */
import pg from 'pg';
import { voidInvoice } from '../../src/billing/void-invoice.js';
import type { DecimalString, Instant, Position } from '../../src/domain/values.js';
import { usageEvent } from '../storage/usage-fixture.js';
import { createActivityFixture, january } from './fixture.js';
import type { ActivityFixture } from './fixture.js';
import { ReRatingFixture, step } from './re-rating-fixture.js';

let fixture: ActivityFixture;
let re: ReRatingFixture;
beforeAll(async () => {
  fixture = await createActivityFixture();
  re = new ReRatingFixture(fixture);
});
afterAll(() => fixture.close());

describe('approval', () => {
  test('beyond the threshold a person is asked, downward too, and ups and downs do not cancel out', async () => {
    const customerId = await re.invoicedCustomer(10, { approvalThreshold: '0.50' as DecimalString });
    await fixture.addCalls(customerId, 5, '2024-01-25T00:00:00Z');
    const within = await re.ask(customerId);
    expect(await fixture.run(fixture.activities.compareReRating, step(within))).toMatchObject({ next: 'correcting' });
    await fixture.addCalls(customerId, 1, '2024-01-26T00:00:00Z');
    const beyond = await re.ask(customerId);
    expect(await fixture.run(fixture.activities.compareReRating, step(beyond))).toMatchObject({
      next: 'awaiting_approval',
    });
  });

  test('one that waits while an automatic one issues is compared again; a changed difference needs a new approval', async () => {
    const { activities, run, storage } = fixture;
    const v1 = await re.learn('v1', [[null, '0.10']], 'book-approval');
    const customerId = await re.invoicedCustomer(10, {
      priceBook: 'book-approval',
      approvalThreshold: '1' as DecimalString,
    });
    const priceBookId = await re.learn('v2', [[null, '0.40']], 'book-approval');
    expect(priceBookId).not.toBe(v1);
    const waiting = await re.ask(customerId, { reason: 'price_correction', priceBookId });
    expect(await run(activities.compareReRating, step(waiting))).toMatchObject({ next: 'awaiting_approval' });

    await fixture.addCalls(customerId, 2, '2024-01-25T00:00:00Z');
    expect(await re.reRate(customerId, { requestedBy: 'reckoner' })).toBe('completed');

    await storage.reRatings.decide(waiting, { attempt: 1, decision: 'approved', decidedBy: 'bob', reason: null });
    expect(await run(activities.correctReRating, step(waiting))).toMatchObject({ corrected: 0, moved: 1 });
    expect(await run(activities.compareReRating, step(waiting, 2))).toMatchObject({
      attempt: 2,
      next: 'awaiting_approval',
    });
    await storage.reRatings.decide(waiting, { attempt: 2, decision: 'approved', decidedBy: 'bob', reason: null });
    expect(await run(activities.correctReRating, step(waiting, 2))).toMatchObject({ corrected: 1, moved: 0 });
    expect(await re.inShort(customerId)).toEqual([
      ['invoice', '1', 'issued'],
      ['correction', '0.2', 'issued'],
      ['correction', '3.6', 'issued'],
    ]);
  });

  test('what was approved is what is issued: facts that come meanwhile wait for the next correction', async () => {
    const { activities, run, storage } = fixture;
    const customerId = await re.invoicedCustomer(10, { approvalThreshold: '0' as DecimalString });
    await fixture.addCalls(customerId, 3, '2024-01-25T00:00:00Z');
    const id = await re.ask(customerId);
    await run(activities.compareReRating, step(id));
    await fixture.addCalls(customerId, 4, '2024-01-26T00:00:00Z');
    await storage.reRatings.decide(id, { attempt: 1, decision: 'approved', decidedBy: 'bob', reason: null });
    await run(activities.correctReRating, step(id));
    expect(await re.inShort(customerId)).toEqual([
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
    const customerId = await re.invoicedCustomer(10);
    const id = await re.ask(customerId, { requestedBy: 'alice' });
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
    const customerId = await re.invoicedCustomer(10);
    await fixture.addCalls(customerId, 5, '2024-01-25T00:00:00Z');
    await re.reRate(customerId);
    const [original, correction] = await re.documents(customerId);
    if (original === undefined || correction === undefined) throw new Error('two documents');
    await expect(voidInvoice(fixture.storage, correction, { actor: 'bob', reason: 'x', now })).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
    });
    await voidInvoice(fixture.storage, original, { actor: 'bob', reason: 'wrong buyer', now });
    expect(await re.inShort(customerId)).toEqual([
      ['invoice', '1', 'void'],
      ['correction', '0.5', 'void'],
    ]);
    const refreshed = (await re.documents(customerId))[0] ?? original;
    await expect(voidInvoice(fixture.storage, refreshed, { actor: 'bob', reason: 'x', now })).rejects.toMatchObject({
      code: 'INVOICE_VOID',
    });
    const entries = await fixture.storage.journal.entries({ customerId }, { limit: 10 });
    const receivable = entries.data.flatMap(({ postings }) =>
      postings.filter(({ account }) => account === 'accounts_receivable'),
    );
    expect(receivable.map(({ amount }) => Number(amount)).reduce((sum, amount) => sum + amount, 0)).toBe(0);

    await re.invoice(customerId);
    const replacement = (await re.documents(customerId))[2];
    expect(replacement).toMatchObject({
      type: 'invoice',
      total: '1.5',
      status: 'issued',
      replacesInvoiceId: original.invoiceId,
      chainPlace: 3,
    });
    await fixture.addCalls(customerId, 1, '2024-01-27T00:00:00Z');
    expect(await re.reRate(customerId)).toBe('completed');
    expect((await re.documents(customerId))[3]).toMatchObject({
      total: '0.1',
      correctsInvoiceId: replacement?.invoiceId,
    });
  });

  test('a re-rating that meets a void chain is held, and says what to do', async () => {
    const customerId = await re.invoicedCustomer(10);
    const [original] = await re.documents(customerId);
    if (original === undefined) throw new Error('a document');
    const id = await re.ask(customerId);
    await voidInvoice(fixture.storage, original, { actor: 'bob', reason: 'x', now });
    expect(await fixture.run(fixture.activities.compareReRating, step(id))).toMatchObject({ held: 1 });
    expect((await fixture.storage.reRatings.comparisons(id, { limit: 10 })).data).toMatchObject([
      { result: 'held', detail: expect.stringContaining('void') as string },
    ]);
  });
});

describe('a chain that does not hold', () => {
  /** As a superuser could: with the refusal switched off. */
  async function tamper(table: string, sql: string, values: readonly unknown[]): Promise<void> {
    const client = new pg.Client({ connectionString: fixture.url });
    await client.connect();
    try {
      await client.query(
        `ALTER TABLE ${table} DISABLE TRIGGER refuse_change, DROP CONSTRAINT IF EXISTS invoices_total`,
      );
      expect((await client.query(sql, [...values])).rowCount).toBe(1);
      await client.query(`ALTER TABLE ${table} ENABLE ALWAYS TRIGGER refuse_change`);
    } finally {
      await client.end();
    }
  }

  test.each<[string, string, string]>([
    ['a line', 'invoice_line_items', 'UPDATE invoice_line_items SET amount = amount + 0.5 WHERE invoice_id = $1'],
    ['a description', 'invoice_line_items', `UPDATE invoice_line_items SET description = 'x' WHERE invoice_id = $1`],
    ['a total', 'invoices', 'UPDATE invoices SET total = total + 1 WHERE invoice_id = $1'],
    [
      'a charge',
      'rated_charges',
      `UPDATE rated_charges SET amount = amount + 1
       WHERE charge_id = (SELECT charge_ids[1] FROM invoice_line_items WHERE invoice_id = $1)`,
    ],
    [
      'an aggregate',
      'aggregated_usage',
      `UPDATE aggregated_usage SET quantity = quantity + 5
       WHERE customer_id = (SELECT customer_id FROM invoices WHERE invoice_id = $1)`,
    ],
  ])('is not corrected on top: %s was altered', async (_what, table, sql) => {
    const customerId = await re.invoicedCustomer(10);
    const [original] = await re.documents(customerId);
    await tamper(table, sql, [original?.invoiceId]);
    await fixture.addCalls(customerId, 1, '2024-01-25T00:00:00Z');
    const id = await re.ask(customerId);
    expect(await fixture.run(fixture.activities.compareReRating, step(id))).toMatchObject({ held: 1 });
    expect(await re.documents(customerId)).toHaveLength(1);
    const { data } = await fixture.storage.findings.list({ customerId, code: 'CHAIN_BROKEN' }, { limit: 10 });
    expect(data.length).toBeGreaterThan(0);
  });
});

test('a re-rating that changes nothing leaves the end of the chain where it is', async () => {
  const customerId = await re.invoicedCustomer(10);
  const key = { customerId, period: january };
  await re.reRate(customerId, { reason: 'manual' });
  expect((await fixture.storage.proof.chain(key)).rating?.sequence).toBe(1);
  // Of no meter: nothing to bill, but settled, or it would be looked at for ever.
  await fixture.storage.ledger.append(
    [usageEvent({ customerId, eventId: 'unmetered', eventType: 'something_else', eventTime: '2024-01-20T00:00:00Z' })],
    [],
  );
  await re.reRate(customerId);
  expect((await fixture.storage.proof.chain(key)).rating?.sequence).toBe(2);
});

describe('automatic corrections', () => {
  const key = (customerId: string) => ({ customerId, period: january });

  test('start once, however often they are asked for, and not while one is open', async () => {
    const { activities, run } = fixture;
    const customerId = await re.invoicedCustomer(10);
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
    const customerId = await re.invoicedCustomer(10, { approvalThreshold: '0' as DecimalString });
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
    const customerId = await re.invoicedCustomer(10, { lateUsageQuietTime: 'manual' });
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
  const customerId = await re.invoicedCustomer(10);
  await fixture.addCalls(customerId, 5, '2024-01-25T00:00:00Z');
  const id = await re.ask(customerId);
  for (let time = 0; time < 2; time += 1) await run(activities.compareReRating, step(id));
  for (let time = 0; time < 2; time += 1) await run(activities.correctReRating, step(id));
  for (let time = 0; time < 2; time += 1) await run(activities.reconcileReRating, { reRatingId: id, attempt: 1 });
  for (let time = 0; time < 2; time += 1)
    expect(await run(activities.endReRating, { reRatingId: id, attempt: 1, rejected: false })).toMatchObject({
      status: 'completed',
    });
  expect(await re.inShort(customerId)).toEqual([
    ['invoice', '1', 'issued'],
    ['correction', '0.5', 'issued'],
  ]);
  expect(await fixture.storage.reRatings.find(id)).toMatchObject({ status: 'completed' });
  expect(Number(((await re.documents(customerId))[1]?.cutoffPosition ?? '0') as Position)).toBeGreaterThan(0);
});
