/** Fees in advance: deferred when they are billed, revenue as their time passes, put right by voids and corrections. */
import { verifyInvoice } from '../../src/billing/verify-invoice.js';
import { voidInvoice } from '../../src/billing/void-invoice.js';
import { addDecimals } from '../../src/domain/decimal.js';
import type { Invoice } from '../../src/domain/invoicing/invoice.js';
import type { LocalDate } from '../../src/domain/values.js';
import { openDatabase } from '../../src/storage/database.js';
import { at, FeeScene, inShort } from './fee-scene.js';
import { january } from './fixture.js';
import type { ActivityFixture } from './fixture.js';

let scene: FeeScene;
let fixture: ActivityFixture;
beforeEach(async () => {
  scene = await FeeScene.create();
  fixture = scene.fixture;
});
afterEach(() => fixture.close());

const invoiced = (customerId?: string): Promise<Invoice> => scene.invoiced(customerId);
const sweepOn = (...of: Parameters<FeeScene['sweepOn']>): Promise<unknown> => scene.sweepOn(...of);
const entriesOf = (customerId?: string): ReturnType<FeeScene['entriesOf']> => scene.entriesOf(customerId);
const balances = (): ReturnType<FeeScene['balances']> => scene.balances();

const issuedEntry = [
  'invoice',
  '2024-01-31',
  ['accounts_receivable 31', 'revenue -1 api_calls', 'deferred_revenue -30 Platform fee'],
];
const recognised = ['recognition', '2024-02-29', ['deferred_revenue 30 Platform fee', 'revenue -30 Platform fee']];

test('the fee is deferred, and becomes revenue by the sweep after its month, once, by product, and reconciles all along', async () => {
  const invoice = await invoiced();
  expect(inShort(await entriesOf())).toEqual([issuedEntry]);
  const [entry] = await entriesOf();
  for (const { invoiceId } of entry?.postings ?? []) expect(invoiceId).toBe(invoice.invoiceId);
  await sweepOn(at('2024-02-29T23:00:00'));
  expect(await entriesOf()).toHaveLength(1);
  await Promise.all([sweepOn(at('2024-03-01T03:20:00')), sweepOn(at('2024-03-01T03:20:00'))]);
  await sweepOn(at('2024-03-02T03:20:00'));
  expect(inShort(await entriesOf())).toEqual([issuedEntry, recognised]);
  expect(await balances()).toEqual({ accounts_receivable: 31, deferred_revenue: 0, revenue: -31 });
  const verification = await verifyInvoice(fixture.storage, invoice);
  expect([verification.verified, verification.journal.differences]).toEqual([true, []]);
  expect(await fixture.storage.journal.deferringPeriods({ after: null, limit: 10 }, at('2024-03-02T03:20:00'))).toEqual(
    [],
  );
});

test('two recognitions of many periods at once post each once', async () => {
  const customers = ['a', 'b', 'c', 'd'];
  for (const customerId of customers) await invoiced(customerId);
  const now = at('2024-03-01T03:20:00');
  const recogniseAll = (): Promise<readonly number[]> =>
    Promise.all(customers.map((customerId) => fixture.storage.journal.recognise({ customerId, period: january }, now)));
  const counts = (await Promise.all([recogniseAll(), recogniseAll(), recogniseAll()])).flat();
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(customers.length);
  for (const customerId of customers) expect(await entriesOf(customerId)).toHaveLength(2);
});

test('a void takes back what was deferred and what was recognised, account by account, in one transaction', async () => {
  const invoice = await invoiced();
  await sweepOn(at('2024-03-01T03:20:00'));
  await voidInvoice(fixture.storage, invoice, { actor: 'ann', reason: 'wrong', now: at('2024-03-05T10:00:00') });
  expect(inShort(await entriesOf())).toEqual([
    issuedEntry,
    recognised,
    ['void', '2024-01-31', ['accounts_receivable -31', 'revenue 1 api_calls', 'deferred_revenue 30 Platform fee']],
    ['recognition', '2024-02-29', ['deferred_revenue -30 Platform fee', 'revenue 30 Platform fee']],
  ]);
  expect(await balances()).toEqual({ accounts_receivable: 0, deferred_revenue: 0, revenue: 0 });
  await sweepOn(at('2024-04-01T03:20:00'));
  expect(await entriesOf()).toHaveLength(4);
  const voided = await fixture.storage.billing.findInvoice(invoice.invoiceId);
  expect(voided?.status).toBe('void');
  if (voided !== null) expect((await verifyInvoice(fixture.storage, voided)).journal.differences).toEqual([]);
});

test('a correction of the fee is deferred like it, caught up with in the months that are over, and reconciles', async () => {
  await invoiced();
  await sweepOn(at('2024-03-01T03:20:00'));
  await scene.correctFee('v2', '25.00');
  await sweepOn(at('2024-03-20T03:20:00'));
  await sweepOn(at('2024-03-21T03:20:00'));
  expect(inShort(await entriesOf())).toEqual([
    issuedEntry,
    recognised,
    ['invoice', '2024-01-31', ['accounts_receivable -5', 'deferred_revenue 5 Platform fee']],
    ['recognition', '2024-02-29', ['deferred_revenue -5 Platform fee', 'revenue 5 Platform fee']],
  ]);
  expect(await balances()).toEqual({ accounts_receivable: 26, deferred_revenue: 0, revenue: -26 });
  expect((await scene.reconcile()).result).toBe('equal');
});

test('in closed months all of it goes to the first open one, with the service period it is for', async () => {
  const invoice = await invoiced();
  const { journal } = fixture.storage;
  for (const month of ['2024-01-01', '2024-02-01'])
    await journal.closeMonth({ month: month as LocalDate, reason: 'month end', closedBy: 'ann' });
  await sweepOn(at('2024-03-10T03:20:00'));
  await voidInvoice(fixture.storage, invoice, { actor: 'ann', reason: 'wrong', now: at('2024-03-11T10:00:00') });
  const entries = await entriesOf();
  expect(entries.map(({ postingDate, serviceFrom }) => [postingDate, serviceFrom.slice(0, 10)])).toEqual([
    ['2024-01-31', '2024-01-01'],
    ['2024-03-01', '2024-02-01'],
    ['2024-03-01', '2024-01-01'],
    ['2024-03-01', '2024-02-01'],
  ]);
});

test('an entry of before fees were deferred is reversed as it was posted', async () => {
  const invoice = await invoiced();
  const database = openDatabase(fixture.url);
  try {
    // As an earlier version posted it: everything is revenue, without product.
    await database.pool.query(
      `ALTER TABLE postings DISABLE TRIGGER USER;
       UPDATE postings SET account = 'revenue', product = NULL, invoice_id = NULL WHERE account IN ('revenue', 'deferred_revenue');
       ALTER TABLE postings ENABLE TRIGGER USER;`,
    );
  } finally {
    await database.close();
  }
  expect((await verifyInvoice(fixture.storage, invoice)).journal.differences).toEqual([]);
  await sweepOn(at('2024-03-01T03:20:00'));
  await voidInvoice(fixture.storage, invoice, { actor: 'ann', reason: 'wrong', now: at('2024-03-05T10:00:00') });
  const postings = (await entriesOf()).flatMap((entry) => entry.postings);
  for (const account of ['accounts_receivable', 'revenue', 'deferred_revenue']) {
    const own = postings.filter((posting) => posting.account === account).map(({ amount }) => amount);
    expect([account, addDecimals(own)]).toEqual([account, '0']);
  }
  expect(postings.filter(({ account }) => account === 'deferred_revenue')).toEqual([]);
});
