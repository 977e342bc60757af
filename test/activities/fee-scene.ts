/** January's invoice with February's fee in advance on it, the daily sweep on another day, and what the journal has then. */
import type { Client } from '@temporalio/client';
import { createActivities } from '../../src/activities/index.js';
import { reconcilePeriod } from '../../src/billing/reconcile-period.js';
import type { ReconciledPeriod } from '../../src/billing/reconcile-period.js';
import type { Invoice } from '../../src/domain/invoicing/invoice.js';
import { parsePriceBook } from '../../src/domain/rating/parse-price-book.js';
import type { Instant, LocalDate } from '../../src/domain/values.js';
import type { StoredEntry } from '../../src/storage/types.js';
import { createActivityFixture, january, settings } from './fixture.js';
import type { ActivityFixture } from './fixture.js';

const billingDay = '2024-02-01' as LocalDate;

const bookOf = (version: string, amount: string): object => ({
  ...{ code: 'fees', version, currency: 'USD', effective_from: '2023-01-01T00:00:00Z' },
  prices: [
    { name: 'Platform fee', model: 'fixed', amount, billed: 'in_advance' },
    { meter: 'api_calls', model: 'flat', unit_price: '0.10' },
  ],
});

export class FeeScene {
  constructor(readonly fixture: ActivityFixture) {}

  /** With a fee of 30.00. */
  static async create(): Promise<FeeScene> {
    const fixture = await createActivityFixture();
    await fixture.storage.reference.createPriceBook(parsePriceBook(bookOf('v1', '30.00')));
    return new FeeScene(fixture);
  }

  /** January with 10 calls; February's fee stands on it. */
  async invoiced(customerId = 'acme'): Promise<Invoice> {
    const { fixture } = this;
    await fixture.addCustomer(customerId, { priceBook: 'fees' });
    await fixture.addCalls(customerId, 10);
    await fixture.request(customerId, crypto.randomUUID());
    await fixture.run(fixture.activities.issueChunk, { billingDay, limit: 10 });
    const { data } = await fixture.storage.billing.listInvoices({ customerId, period: january }, { limit: 1 });
    if (data[0] === undefined) throw new Error('not invoiced');
    return data[0];
  }

  /** Another version of the price book with another fee, and a re-rating that takes it. */
  async correctFee(version: string, amount: string): Promise<void> {
    const { storage, activities, run } = this.fixture;
    await storage.reference.createPriceBook(parsePriceBook(bookOf(version, amount)));
    const [reRatingId, key] = [crypto.randomUUID(), { customerId: 'acme', period: january }];
    const scope = { customerIds: ['acme'], meters: null, from: null, to: null };
    const asked = { reRatingId, workflowId: `test/${reRatingId}`, reason: 'price_correction', scope } as const;
    await storage.reRatings.create({ ...asked, priceBookId: null, dryRun: false, requestedBy: 'ann' }, [key]);
    await run(activities.compareReRating, { reRatingId, attempt: 1, limit: 10 });
    await run(activities.correctReRating, { reRatingId, attempt: 1, limit: 10 });
  }

  /** The daily sweep on another day. */
  sweepOn(day: Instant): Promise<unknown> {
    const call = (): Promise<unknown> => Promise.resolve({});
    const client = { workflow: { start: call, signalWithStart: call } } as unknown as Client;
    const { storage, run } = this.fixture;
    return run(createActivities({ storage, client, settings, now: () => day }).sweepPeriods);
  }

  async entriesOf(customerId = 'acme'): Promise<readonly StoredEntry[]> {
    return (await this.fixture.storage.journal.entries({ customerId }, { limit: 100 })).data;
  }

  async balances(): Promise<Readonly<Record<string, number>>> {
    const { data } = await this.fixture.storage.journal.balances({ customerId: 'acme' }, { limit: 20 });
    return Object.fromEntries(data.map(({ account, balance }) => [account, Number(balance)]));
  }

  async reconcile(): Promise<ReconciledPeriod> {
    const period = await this.fixture.storage.periods.periodNamed('acme', january);
    if (period === null) throw new Error('no period');
    return reconcilePeriod(this.fixture.storage, period);
  }
}

export const at = (text: string): Instant => `${text}.000000Z` as Instant;

export const inShort = (entries: readonly StoredEntry[]): unknown =>
  entries.map((entry) => [
    entry.sourceDocument.split('/')[0],
    entry.postingDate,
    entry.postings.map(({ account, amount, product }) => `${account} ${Number(amount)} ${product ?? ''}`.trim()),
  ]);
