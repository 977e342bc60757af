/** Re-rating without Temporal: the steps of `reRating` one by one, on an activity fixture. */
import { randomUUID } from 'node:crypto';
import type { ReRatingReason } from '../../src/domain/correction/reasons.js';
import type { Invoice } from '../../src/domain/invoicing/invoice.js';
import { parsePriceBook } from '../../src/domain/rating/parse-price-book.js';
import type { NewReRating, ReRatingScope } from '../../src/storage/types.js';
import { january } from './fixture.js';
import type { ActivityFixture } from './fixture.js';

export interface Asked {
  readonly reason?: ReRatingReason;
  readonly dryRun?: boolean;
  readonly priceBookId?: string;
  readonly scope?: Partial<ReRatingScope>;
  readonly requestedBy?: string;
}

export const step = (reRatingId: string, attempt = 1) => ({ reRatingId, attempt, limit: 100 });

export class ReRatingFixture {
  private customers = 0;

  constructor(private readonly fixture: ActivityFixture) {}

  /** A customer whose January is invoiced with so many calls. */
  async invoicedCustomer(calls: number, more: Parameters<ActivityFixture['addCustomer']>[1] = {}): Promise<string> {
    const customerId = `c${(this.customers += 1)}`;
    await this.fixture.addCustomer(customerId, more);
    if (calls > 0) await this.fixture.addCalls(customerId, calls);
    await this.invoice(customerId);
    return customerId;
  }

  async invoice(customerId: string): Promise<void> {
    const { activities, run } = this.fixture;
    await this.fixture.request(customerId, randomUUID());
    await run(activities.issueChunk, { billingDay: '2024-02-01' as typeof january, limit: 10 });
  }

  async ask(customerId: string, asked: Asked = {}): Promise<string> {
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
    await this.fixture.storage.reRatings.create(reRating, [{ customerId, period: january }]);
    return reRatingId;
  }

  /** Compare, correct, reconcile, end, as the workflow does where nobody is asked. */
  async reRate(customerId: string, asked: Asked = {}): Promise<string> {
    const { activities, run } = this.fixture;
    const id = await this.ask(customerId, asked);
    const compared = await run(activities.compareReRating, step(id));
    if (compared.next === 'ended') return compared.status;
    if (compared.next !== 'correcting') throw new Error(`not correcting but ${String(compared.next)}`);
    await run(activities.correctReRating, step(id));
    const { different } = await run(activities.reconcileReRating, { reRatingId: id, attempt: 1 });
    if (different > 0) throw new Error('what was corrected does not reconcile');
    return (await run(activities.endReRating, { reRatingId: id, attempt: 1, rejected: false })).status;
  }

  /** In the order of the chain. */
  async documents(customerId: string): Promise<readonly Invoice[]> {
    const { data } = await this.fixture.storage.billing.listInvoices({ customerId }, { limit: 100 });
    return [...data].sort((a, b) => a.chainPlace - b.chainPlace);
  }

  async inShort(customerId: string): Promise<readonly unknown[]> {
    return (await this.documents(customerId)).map(({ type, total, status }) => [type, total, status]);
  }

  /** Each test of prices has a book of its own: a version that is learned holds for everybody. */
  async learn(version: string, tiers: readonly (readonly [string | null, string])[], code: string): Promise<string> {
    const { priceBook } = await this.fixture.storage.reference.createPriceBook(
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
}
