/** Which charges still hold: provisional ones, those of an invoice, and those that a re-rating has replaced. */
import { randomUUID } from 'node:crypto';
import { explainCharge } from '../../src/api/services/charge-explanation.js';
import { parsePriceBook } from '../../src/domain/rating/parse-price-book.js';
import type { LocalDate } from '../../src/domain/values.js';
import { createActivityFixture, january } from './fixture.js';
import type { ActivityFixture } from './fixture.js';

const billingDay = '2024-02-01' as LocalDate;
let fixture: ActivityFixture;
beforeAll(async () => {
  fixture = await createActivityFixture();
  await fixture.addCustomer('acme');
  await fixture.addCalls('acme', 10);
});
afterAll(() => fixture.close());

const invoices = async () => (await fixture.storage.billing.listInvoices({ customerId: 'acme' }, { limit: 10 })).data;
const chargeOf = async (number: string): Promise<string> =>
  (await invoices()).find((invoice) => invoice.number === number)?.lines[0]?.chargeIds[0] ?? '';
const explain = (id: string) => explainCharge(fixture.storage, id);

test('a charge is provisional, settled, and then replaced by one of another price version', async () => {
  const { storage, activities, run } = fixture;
  const nowMs = Date.parse('2024-01-20T00:00:00Z');
  await run(activities.closeWindows, {
    ...{
      customerId: 'acme',
      period: january,
      nowMs,
      scope: 'listed',
      windows: [],
      accumulatedThrough: null,
      rate: true,
    },
  });
  await fixture.request('acme', randomUUID());
  await run(activities.issueChunk, { billingDay, limit: 10 });
  const issued = await chargeOf('INV-000001');
  const settled = await explain(issued);
  expect(settled).toMatchObject({ provisional: false, current_charge_ids: [issued], price_lookup: 'current' });
  const provisional = await explain(settled.supersedes_charge_id ?? '');
  expect(provisional).toMatchObject({ provisional: true, current_charge_ids: [issued], amount: '1.00' });

  await storage.reference.createPriceBook(
    parsePriceBook({
      ...{ code: 'standard', version: 'v2', currency: 'USD', effective_from: '2024-01-01T00:00:00Z' },
      prices: [{ meter: 'api_calls', model: 'flat', unit_price: '0.30' }],
    }),
  );
  const reRatingId = randomUUID();
  const scope = { customerIds: ['acme'], meters: null, from: null, to: null };
  const asked = { reRatingId, workflowId: `test/${reRatingId}`, scope, priceBookId: null, dryRun: false };
  await storage.reRatings.create({ ...asked, reason: 'price_correction', requestedBy: 'ann' }, [
    { customerId: 'acme', period: january },
  ]);
  const step = { reRatingId, attempt: 1, limit: 10 };
  await run(activities.compareReRating, step);
  await run(activities.correctReRating, step);
  const corrected = await chargeOf('COR-000001');
  expect(await explain(issued)).toMatchObject({ provisional: false, current_charge_ids: [corrected] });
  expect(await explain(settled.supersedes_charge_id ?? '')).toMatchObject({ current_charge_ids: [corrected] });
  expect(await explain(corrected)).toMatchObject({
    provisional: false,
    current_charge_ids: [corrected],
    amount: '3.00',
  });
  // What the correction took back of the old version stands on its line, too: no estimate (COR-000001).
  const lines = (await invoices()).find((invoice) => invoice.number === 'COR-000001')?.lines ?? [];
  const [retired = '', ...others] = (lines[0]?.chargeIds ?? []).filter((id) => id !== corrected);
  expect(others).toEqual([]);
  expect(await explain(retired)).toMatchObject({ provisional: false, current_charge_ids: [corrected], amount: '0' });
});
