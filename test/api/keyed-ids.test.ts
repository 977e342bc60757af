/**
 * The ids of what requests under a key make, as recorded on 2026-11-22: of the same parts in the same order for ever, or a request
 * that is repeated across a release would make its row a second time.
 */
import { invoiced } from './support/credited.js';
import { book, candidate, january, reason, start } from './support/rollout-scene.js';
import { exampleOfEachTest } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

const api = exampleOfEachTest();

/** In ada's name, under a key that says what is asked for. */
const ask = (status: number, url: string, body: Json): Promise<Json> =>
  api.expect(status, 'POST', url, body, { 'x-reckoner-actor': 'ada', 'idempotency-key': url });
const post = async (status: number, url: string, body: Json, id: string): Promise<unknown> =>
  (await ask(status, url, body))[id];

test('what settles invoices', async () => {
  const invoice = await invoiced(api);
  const { invoice_id: invoiceId } = await invoiced(api, 50, '2024-02');
  const { customer_id: customerId, currency } = invoice as { customer_id: string; currency: string };
  const payment = {
    ...{ customer_id: customerId, currency, amount: '20.00' },
    ...{ received_at: '2024-02-05T09:00:00Z', method: 'bank_transfer', reference: 'SEPA 77' },
  };
  const refund = { customer_id: customerId, currency, amount: '2.00', method: 'bank_transfer', reason: 'asked for' };
  await ask(200, `/invoices/${String(invoiceId)}/write-off`, { reason: 'insolvent' });
  const [writeOff] = await api.all('/write-offs');
  const lines = (invoice['lines'] as Json[]).map((line) => ({
    line_item_id: line['line_item_id'],
    ...{ amount: '2.00', reason_code: 'goodwill' },
  }));
  expect({
    writeOff: writeOff?.['write_off_id'],
    creditNote: await post(201, `/invoices/${String(invoice['invoice_id'])}/credit-notes`, { lines }, 'credit_note_id'),
    payment: await post(201, '/payments', payment, 'payment_id'),
    refund: await post(201, '/refunds', refund, 'refund_id'),
  }).toEqual({
    writeOff: '02788045-977d-59f5-a6b9-c2689988dee9',
    creditNote: '6fecff83-e671-5933-89ce-d5f651e0de61',
    payment: 'dec4e8e8-79ad-5078-8709-7443c0f8fdc6',
    refund: '0b932797-3c9a-57bc-b624-605f8c836b75',
  });
});

test('what is asked for and what is decided', async () => {
  await invoiced(api);
  await api.expect(201, 'POST', '/price-books', candidate());
  const rolloutId = String((await api.expect(201, 'POST', '/price-rollouts', start()))['rollout_id']);
  const grant = { customer_id: 'cust_1', currency: 'USD', amount: '5.00', name: 'Spring', effective_from: january };
  const range = { from: '2024-01-01T00:00:00Z', to: '2024-02-01T00:00:00Z' };
  const account = { account: 'revenue', external_account: '8400' };
  const mappings = { mapping: 'datev', accounts: [account, { ...account, account: 'cash' }] };
  const mapped = await ask(201, '/ledger/account-mappings', mappings);
  const evaluated = { price_book: book('0.30', { version: 'v3' }), customers: ['cust_1'], ...range };
  const scope = { customer_ids: ['cust_1'] };
  const found = {
    grant: await post(201, '/credit-grants', grant, 'grant_id'),
    backfill: await post(201, '/backfills', { ...scope, ...range }, 'backfill_id'),
    reconciliation: await post(202, '/reconciliations', scope, 'run_id'),
    evaluation: await post(202, '/price-books/evaluate', evaluated, 'evaluation_id'),
    periodClose: await post(202, '/period-closes', { period: '2024-02' }, 'close_id'),
    reRating: await post(202, '/re-ratings', { reason: 'dispute', scope }, 're_rating_id'),
    comparison: await post(202, `/price-rollouts/${rolloutId}/comparison`, range, 'evaluation_id'),
    mappings: (mapped['data'] as Json[]).map(({ account_mapping_id: id }) => id),
  };
  await ask(200, `/price-rollouts/${rolloutId}/halt`, { reason });
  const stages = (await api.storage.rollouts.find(rolloutId))?.stages ?? [];
  expect({ ...found, stages: stages.map(({ stageId }) => stageId) }).toEqual({
    grant: 'd837ebe4-adac-5f9f-882a-14a2835246ce',
    backfill: 'f7ec4661-d236-53e5-83ed-745f2964149b',
    reconciliation: '0391644b-a7de-59da-8dc9-ad3671b0d89e',
    evaluation: '4f48964a-c579-541c-86ea-919e14575c1b',
    periodClose: 'f1a18915-0364-5407-9bf1-dd2a50daffd4',
    reRating: '35f80ea5-5ce0-5a50-8861-1b559e6c6b20',
    comparison: 'cd965c08-c9ec-57da-a744-fed5fdfde10d',
    mappings: ['05dc712a-3847-56ce-ae01-7ff478c04433', 'c0d2ad62-1cd5-52d1-b58b-9b34163df034'],
    stages: ['17d0762d-aeae-5199-9ba4-31f3b9006adb', '7fe7f33c-d087-5965-a237-10a33c60b8f2'],
  });
});
