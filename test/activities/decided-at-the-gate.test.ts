/** What is decided or learned while an invoice is being issued: it is seen by it, or waits for it and sees it (RULES 35, 52). */
import { randomUUID } from 'node:crypto';
import { verifyInvoice } from '../../src/billing/verify-invoice.js';
import { parsePriceBook } from '../../src/domain/rating/parse-price-book.js';
import type { Invoice } from '../../src/domain/invoicing/invoice.js';
import type { Instant, LocalDate } from '../../src/domain/values.js';
import type { GateTransaction, Storage } from '../../src/storage/types.js';
import { createActivityFixture } from './fixture.js';
import type { ActivityFixture } from './fixture.js';
import { ReRatingFixture } from './re-rating-fixture.js';

let fixture: ActivityFixture;
beforeEach(async () => {
  fixture = await createActivityFixture();
});
afterEach(() => fixture.close());

const issueChunk = () =>
  fixture.run(fixture.activities.issueChunk, { billingDay: '2024-02-01' as LocalDate, limit: 200 });
const invoicesOf = async (customerId: string): Promise<readonly Invoice[]> =>
  (await fixture.storage.billing.listInvoices({ customerId }, { limit: 10 })).data;

async function request(customerId: string, more: Parameters<ActivityFixture['addCustomer']>[1] = {}): Promise<void> {
  await fixture.addCustomer(customerId, more);
  await fixture.addCalls(customerId, 10);
  await fixture.request(customerId, randomUUID());
}

/** The price of every call, from January on; the version learned last holds. */
const learn = (version: string, price: string) =>
  fixture.storage.reference.createPriceBook(
    parsePriceBook({
      ...{ code: 'standard', version, currency: 'USD', effective_from: '2024-01-01T00:00:00Z' },
      prices: [{ meter: 'api_calls', model: 'flat', unit_price: price }],
    }),
  );

/** A version of the calls' meter that takes none of them, because none says where it came from. */
async function learnRegional(effectiveFrom: Instant): Promise<void> {
  const { reference } = fixture.storage;
  const [calls] = await reference.meterVersions();
  if (calls === undefined) throw new Error('the calls are metered');
  const { meterId: _id, version: _version, ...definition } = calls;
  await reference.createMeter({ ...definition, effectiveFrom, filters: { region: ['eu'] } });
}

/** Puts something before the gates, or into each of them at one of its steps; once. */
function once(at: 'before' | 'insertRating' | 'draft', work: () => Promise<unknown>): void {
  const billing = fixture.storage.billing as { atGates: Storage['billing']['atGates'] };
  const { atGates } = billing;
  let isDone = false;
  const hit = async (): Promise<void> => {
    if (isDone) return;
    isDone = true;
    await work();
  };
  const around = (gate: GateTransaction): GateTransaction =>
    new Proxy(gate, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== 'function') return member;
        return async (...parameters: unknown[]): Promise<unknown> => {
          const answer: unknown = await (Reflect.apply(member, target, parameters) as Promise<unknown>);
          if (name === at) await hit();
          return answer;
        };
      },
    });
  billing.atGates = async (periods, issue, mayGoOn) => {
    if (at === 'before') await hit();
    return atGates(periods, (gate, period) => issue(around(gate), period), mayGoOn);
  };
}

const isPending = async (promise: Promise<unknown>): Promise<boolean> =>
  (await Promise.race([promise.then(() => 'ended'), new Promise((go) => setTimeout(go, 300, 'pending'))])) ===
  'pending';

test('a version that is learned after the prices were read is read too, for one customer and for several together', async () => {
  const ids = ['alone', 'a', 'b', 'c', 'd', 'e', 'f'];
  await request('alone');
  once('before', () => learn('v2', '0.50'));
  expect(await issueChunk()).toMatchObject({ issued: 1, held: 0 });
  for (const id of ids.slice(1)) await request(id);
  once('before', () => learn('v3', '0.70'));
  expect(await issueChunk()).toMatchObject({ issued: 6, held: 0 });
  expect((await Promise.all(ids.map(invoicesOf))).flat().map(({ total }) => total)).toEqual([
    '5',
    ...ids.slice(1).map(() => '7'),
  ]);
});

test('a version of a meter that is learned after the versions were read counts its part, and is pinned', async () => {
  await request('acme');
  const { storage } = fixture;
  // Of ten calls, one a minute from there on, it takes none.
  once('before', () => learnRegional('2024-01-10T00:00:00.000000Z' as Instant));
  await fixture.addCalls('acme', 5, '2024-01-02T00:00:00Z');
  expect(await issueChunk()).toMatchObject({ issued: 1, held: 0 });
  const [invoice] = await invoicesOf('acme');
  if (invoice === undefined) throw new Error('January is invoiced');
  expect(invoice.total).toBe('0.5');
  expect(invoice.pinnedVersions.meter_ids).toHaveLength(2);
  expect(await verifyInvoice(storage, invoice)).toMatchObject({ verified: true });
});

test('what was issued is aggregated anew by the versions that it pins, whatever was learned since', async () => {
  const { reference } = fixture.storage;
  const reRatings = new ReRatingFixture(fixture);
  const customerId = await reRatings.invoicedCustomer(10);
  await learnRegional('2024-01-10T00:05:00.000000Z' as Instant);
  expect(await reRatings.reRate(customerId, { reason: 'usage_correction', requestedBy: 'reconciliation' })).toBe(
    'no_difference',
  );
  expect(await reRatings.inShort(customerId)).toEqual([['invoice', '1', 'issued']]);
  expect(await reference.meterVersions()).toHaveLength(2);
});

test('what a version counted that another has replaced for the whole period is taken back by a re-rating', async () => {
  const reRatings = new ReRatingFixture(fixture);
  const customerId = await reRatings.invoicedCustomer(10);
  const windows = async () => (await fixture.storage.periods.status(customerId, '2024-01-01' as LocalDate))?.windows;
  expect(await windows()).toBe(1);
  await learnRegional('2024-01-01T00:00:00.000000Z' as Instant);
  expect(await reRatings.reRate(customerId, { reason: 'rating_defect' })).toBe('completed');
  expect(await reRatings.inShort(customerId)).toEqual([
    ['invoice', '1', 'issued'],
    ['credit_note', '-1', 'issued'],
  ]);
  expect(await windows()).toBe(0);
});

test('a version that is learned while an invoice is issued waits for it, and so can be told of it', async () => {
  await request('acme');
  let learning: Promise<unknown> = Promise.resolve();
  let seen: Promise<readonly Invoice[]> = Promise.resolve([]);
  let waited = false;
  once('insertRating', async () => {
    learning = learn('v2', '0.50');
    seen = learning.then(() => invoicesOf('acme'));
    waited = await isPending(learning);
  });
  expect(await issueChunk()).toMatchObject({ issued: 1 });
  await learning;
  expect(waited).toBe(true);
  expect(await seen).toMatchObject([{ total: '1' }]);
});

test('a rejection that comes while its invoice is issued waits for it, and is refused: it is never told to hold and then does not', async () => {
  await request('acme', { invoiceApproval: 'required' });
  expect(await issueChunk()).toMatchObject({ issued: 0, held: 1 });
  const { data } = await fixture.storage.drafts.list({ status: 'draft' }, { limit: 10 });
  const [draft] = data;
  const contentHash = draft?.transitions.at(-1)?.contentHash;
  if (draft === undefined || contentHash === undefined) throw new Error('a draft with content');
  const decide = (decision: 'approved' | 'rejected') =>
    fixture.storage.drafts.decide(draft.invoiceId, { decision, contentHash, actor: 'ann', reason: 'a test' });
  await decide('approved');
  await fixture.request('acme', randomUUID());
  let rejecting: Promise<unknown> = Promise.resolve();
  let waited = false;
  once('draft', async () => {
    rejecting = decide('rejected');
    rejecting.catch(() => undefined);
    waited = await isPending(rejecting);
  });
  expect(await issueChunk()).toMatchObject({ issued: 1 });
  await expect(rejecting).rejects.toMatchObject({ code: 'INVOICE_TRANSITION_REFUSED' });
  expect(waited).toBe(true);
  expect(await invoicesOf('acme')).toHaveLength(1);
});
