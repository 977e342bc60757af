/** Correction on real Postgres: what the steps of `reRating` leave behind. Temporal's client only takes notes. */
import { createActivityFixture } from './fixture.js';
import type { ActivityFixture } from './fixture.js';
import { ReRatingFixture } from './re-rating-fixture.js';

let fixture: ActivityFixture;
let re: ReRatingFixture;
beforeAll(async () => {
  fixture = await createActivityFixture();
  re = new ReRatingFixture(fixture);
});
afterAll(() => fixture.close());

test('a late event becomes a correction linked to its invoice: 118.72 and 0.08', async () => {
  const customerId = await re.invoicedCustomer(1234);
  await fixture.addCalls(customerId, 1, '2024-01-25T00:00:00Z');
  expect(await re.reRate(customerId)).toBe('completed');
  const [original, correction] = await re.documents(customerId);
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
  const customerId = await re.invoicedCustomer(500);
  await fixture.addCalls(customerId, 20, '2024-01-25T00:00:00Z');
  await re.reRate(customerId);
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
  expect(await re.reRate(customerId, { reason: 'usage_correction' })).toBe('completed');
  expect(await re.inShort(customerId)).toEqual([
    ['invoice', '50', 'issued'],
    ['correction', '2', 'issued'],
    ['credit_note', '-4', 'issued'],
  ]);
  expect((await re.documents(customerId))[2]).toMatchObject({
    correctsInvoiceId: (await re.documents(customerId))[0]?.invoiceId,
  });
});

test('re-rating unchanged facts makes no document, however often', async () => {
  const customerId = await re.invoicedCustomer(10);
  expect(await re.reRate(customerId, { reason: 'manual' })).toBe('no_difference');
  expect(await re.reRate(customerId, { reason: 'rating_defect' })).toBe('no_difference');
  expect(await re.reRate(customerId)).toBe('no_difference');
  expect(await re.inShort(customerId)).toEqual([['invoice', '1', 'issued']]);
});

test('a dry run shows the difference and issues nothing', async () => {
  const customerId = await re.invoicedCustomer(10);
  await fixture.addCalls(customerId, 5, '2024-01-25T00:00:00Z');
  expect(await re.reRate(customerId, { dryRun: true })).toBe('completed');
  expect(await re.inShort(customerId)).toEqual([['invoice', '1', 'issued']]);
  expect(await re.reRate(customerId)).toBe('completed');
  expect(await re.inShort(customerId)).toHaveLength(2);
});

test('all usage gone: the line is credited, and its charge superseded by one of 0', async () => {
  const customerId = await re.invoicedCustomer(1);
  const eventId = '2024-01-10T00:00:00Z/0';
  const voided = { customerId, source: '', eventId, type: 'void', replacement: null, reason: null } as const;
  await fixture.storage.adjustments.adjust(voided);
  await re.reRate(customerId, { reason: 'usage_correction' });
  const [original, credit] = await re.documents(customerId);
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
    const v1 = await re.learn('v1', [[null, '0.10']], code);
    return { customerId: await re.invoicedCustomer(calls, { priceBook: code }), code, v1 };
  }

  test('a price learned later corrects only by a re-rating that asks for it, and is pinned from then on', async () => {
    const { customerId, code } = await pricedCustomer(100);
    await re.learn('v2-corrected', [[null, '0.20']], code);
    await fixture.addCalls(customerId, 10, '2024-01-25T00:00:00Z');
    await re.reRate(customerId); // late usage keeps the pins: 10 × 0.10
    await re.reRate(customerId, { reason: 'price_correction' }); // 110 × 0.20 - 11
    await fixture.addCalls(customerId, 1, '2024-01-26T00:00:00Z');
    await re.reRate(customerId); // and now 1 × 0.20
    expect(await re.inShort(customerId)).toEqual([
      ['invoice', '10', 'issued'],
      ['correction', '1', 'issued'],
      ['correction', '11', 'issued'],
      ['correction', '0.2', 'issued'],
    ]);
  });

  test('A, B, A nets to zero', async () => {
    const { customerId, code, v1 } = await pricedCustomer(100);
    const b = await re.learn('v2', [[null, '0.05']], code);
    for (const priceBookId of [b, v1, v1]) await re.reRate(customerId, { reason: 'price_correction', priceBookId });
    expect(await re.inShort(customerId)).toEqual([
      ['invoice', '10', 'issued'],
      ['credit_note', '-5', 'issued'],
      ['correction', '5', 'issued'],
    ]);
  });

  test('a moved price stays a fact of the period where it makes no difference yet', async () => {
    const { customerId, code } = await pricedCustomer(0);
    const priceBookId = await re.learn('v2', [[null, '7']], code);
    expect(await re.reRate(customerId, { reason: 'price_correction', priceBookId })).toBe('no_difference');
    await fixture.addCalls(customerId, 1, '2024-01-25T00:00:00Z');
    await re.reRate(customerId);
    expect(await re.inShort(customerId)).toContainEqual(['correction', '7', 'issued']);
  });
});
