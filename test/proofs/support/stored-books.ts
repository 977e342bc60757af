/** A customer's books on real Postgres, through the activities, as the workflows would call them. */
import { randomUUID } from 'node:crypto';
import { reconcilePeriod } from '../../../src/billing/reconcile-period.js';
import { documentsOfPeriod } from '../../../src/billing/documents-of-period.js';
import { verifyInvoice } from '../../../src/billing/verify-invoice.js';
import { voidInvoice } from '../../../src/billing/void-invoice.js';
import type { Invoice } from '../../../src/domain/invoicing/invoice.js';
import type { DecimalString, Instant, LocalDate } from '../../../src/domain/values.js';
import type { JournalEntry } from '../../../src/domain/ledger/journal.js';
import type { BillingPeriod } from '../../../src/storage/types.js';
import type { ActivityFixture } from '../../activities/fixture.js';
import { periods } from './history.js';
import type { Answer, Content, History, HistoryVersion, PeriodIndex, ReRate, Subject } from './history.js';
import { eventOf, meterFacts, priceBookOf } from './project-facts.js';

const billingDays = ['2024-02-01', '2024-03-01'] as unknown as readonly [LocalDate, LocalDate];
const nowMs = Date.parse('2024-03-01T02:00:00Z');
const allTargets = 100;

/** A re-rating that has asked, and not been answered. */
interface Waiting {
  readonly reRatingId: string;
  readonly attempt: number;
}

/** The meters of all histories; they are created once a database. */
export async function createMeters({ storage }: ActivityFixture): Promise<void> {
  for (const meter of meterFacts) await storage.reference.createMeter(meter);
}

export class StoredBooks implements Subject {
  private queue: readonly Waiting[] = [];
  private readonly versionIds = new Map<number, string>();
  private readonly bookCode: string;

  constructor(
    private readonly fixture: ActivityFixture,
    private readonly customerId: string,
    private readonly facts: Pick<History, 'currency' | 'approvalThreshold'>,
  ) {
    this.bookCode = `book of ${customerId}`;
  }

  /** Once its price book has a version. */
  async addCustomer(): Promise<void> {
    const { currency, approvalThreshold } = this.facts;
    await this.fixture.addCustomer(this.customerId, {
      currency,
      approvalThreshold: approvalThreshold as DecimalString | null,
      priceBook: this.bookCode,
    });
    for (const index of [0, 1] as const) await this.period(index);
  }

  async send(events: readonly { readonly id: string; readonly content: Content }[]): Promise<void> {
    await this.fixture.storage.ledger.append(
      events.map(({ id, content }) => eventOf(this.customerId, id, content)),
      [],
    );
  }

  async adjust(id: string, content: Content | null): Promise<void> {
    const { customerId } = this;
    const key = { customerId, source: '', eventId: id, reason: null };
    await this.fixture.storage.adjustments.adjust(
      content === null
        ? { ...key, type: 'void', replacement: null }
        : { ...key, type: 'amend', replacement: eventOf(customerId, id, content) },
    );
  }

  async learn(version: HistoryVersion, number: number): Promise<void> {
    const { priceBook } = await this.fixture.storage.reference.createPriceBook(
      priceBookOf(version, { code: this.bookCode, version: `v${number}`, currency: this.facts.currency }),
    );
    this.versionIds.set(number, priceBook.priceBookId);
  }

  async closeWindows(index: PeriodIndex): Promise<void> {
    const { activities, run } = this.fixture;
    const { customerId, period } = await this.period(index);
    const what = { scope: 'all', windows: [], accumulatedThrough: null, rate: true } as const;
    await run(activities.closeWindows, { customerId, period, nowMs, ...what });
  }

  async close(index: PeriodIndex): Promise<void> {
    const { activities, run, storage } = this.fixture;
    const { customerId, period } = await this.period(index);
    const billingDay = billingDays[index];
    const request = { requestId: randomUUID(), customerId, period, billingDay, forced: false, reason: null };
    await storage.periods.requestInvoicing(request);
    const { held } = await run(activities.issueChunk, { billingDay, limit: allTargets });
    if (held > 0) throw new Error('nothing in a history can be held');
  }

  async reRate(reRate: Omit<ReRate, 'named'>, named: number | null): Promise<void> {
    const { customerId } = this;
    const reRatingId = randomUUID();
    await this.fixture.storage.reRatings.create(
      {
        reRatingId,
        workflowId: `re-rating/${reRatingId}`,
        reason: reRate.reason,
        scope: { customerIds: [customerId], meters: reRate.meters, from: null, to: null },
        priceBookId: named === null ? null : (this.versionIds.get(named) ?? null),
        dryRun: reRate.dryRun,
        requestedBy: 'alice',
      },
      reRate.periods.map((index) => ({ customerId, period: periods[index].name as LocalDate })),
    );
    await this.compareAndGoOn({ reRatingId, attempt: 1 }, reRate.answer);
  }

  waiting(): number {
    return this.queue.length;
  }

  async answer(index: number, answer: Answer): Promise<void> {
    const waiting = this.queue[index];
    if (waiting === undefined || answer === 'nothing') return;
    this.queue = this.queue.filter((other) => other !== waiting);
    if (await this.decided(waiting, answer)) await this.correct(waiting, answer);
  }

  async voidInvoice(index: PeriodIndex): Promise<void> {
    const { storage } = this.fixture;
    const { documents } = await storage.proof.chain(await this.period(index));
    const [original] = documents;
    const now = '2024-03-02T00:00:00.000000Z' as Instant;
    if (original !== undefined)
      await voidInvoice(storage, original, { actor: 'bob', reason: 'a history says so', now });
  }

  // The course of a re-rating ------------------------------------------------------------------------------------------

  private async compareAndGoOn(at: Waiting, answer: Answer): Promise<void> {
    const { activities, run } = this.fixture;
    const { next, attempt } = await run(activities.compareReRating, { ...at, limit: allTargets });
    const compared = { ...at, attempt };
    if (next === 'ended') return;
    if (next === 'awaiting_approval' && !(await this.decided(compared, answer))) return;
    await this.correct(compared, answer);
  }

  /** Whether it goes on. */
  private async decided(at: Waiting, answer: Answer): Promise<boolean> {
    const { activities, run, storage } = this.fixture;
    if (answer === 'nothing') {
      this.queue = [...this.queue, at];
      return false;
    }
    const decision = answer === 'approve' ? 'approved' : 'rejected';
    await storage.reRatings.decide(at.reRatingId, { attempt: at.attempt, decision, decidedBy: 'bob', reason: null });
    if (decision === 'rejected') await run(activities.endReRating, { ...at, rejected: true });
    return decision === 'approved';
  }

  private async correct(at: Waiting, answer: Answer): Promise<void> {
    const { activities, run } = this.fixture;
    const { moved } = await run(activities.correctReRating, { ...at, limit: allTargets });
    if (moved > 0) return this.compareAndGoOn({ ...at, attempt: at.attempt + 1 }, answer);
    const { different } = await run(activities.reconcileReRating, at);
    if (different > 0) throw new Error(`re-rating ${at.reRatingId} does not reconcile`);
    await run(activities.endReRating, { ...at, rejected: false });
  }

  // What the proof looks at --------------------------------------------------------------------------------------------

  /** All documents, void ones too. */
  async documents(index: PeriodIndex): Promise<readonly Invoice[]> {
    return documentsOfPeriod(this.fixture.storage, await this.period(index));
  }

  async entries(): Promise<readonly JournalEntry[]> {
    const { customerId } = this;
    const entries: JournalEntry[] = [];
    let cursor: string | null = null;
    do {
      const page = await this.fixture.storage.journal.entries(
        { customerId },
        { limit: 100, ...(cursor !== null && { cursor }) },
      );
      entries.push(...page.data);
      cursor = page.nextCursor;
    } while (cursor !== null);
    return entries;
  }

  /** What does not verify or reconcile; nothing, if all is well. */
  async complaints(): Promise<readonly unknown[]> {
    const { storage } = this.fixture;
    const complaints: unknown[] = [];
    for (const index of [0, 1] as const) {
      for (const document of await this.documents(index)) {
        const verification = await verifyInvoice(storage, document);
        if (!verification.verified) complaints.push(verification);
      }
      const { result, report } = await reconcilePeriod(storage, await this.period(index));
      if (result !== 'equal') complaints.push(report);
    }
    return complaints;
  }

  private async period(index: PeriodIndex): Promise<BillingPeriod> {
    const name = periods[index].name as LocalDate;
    const period = await this.fixture.storage.periods.periodNamed(this.customerId, name);
    if (period === null) throw new Error(`${name} is not on the calendar`);
    return period;
  }
}
