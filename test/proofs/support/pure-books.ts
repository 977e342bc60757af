/** A customer's books in memory: every amount by the project's own domain, and nothing stored. */
import { newPriceFacts } from '../../../src/activities/re-rating/new-price-facts.js';
import { documentHash } from '../../../src/billing/document-hash.js';
import { pinsOf, priceFactsOf, rateWith } from '../../../src/billing/price-facts.js';
import type { PriceFacts } from '../../../src/billing/price-facts.js';
import { compareWithInvoiced } from '../../../src/domain/correction/compare.js';
import type { Correction } from '../../../src/domain/correction/compare.js';
import { invoicedLines } from '../../../src/domain/correction/invoiced.js';
import { DomainFailure, invariant } from '../../../src/domain/failure.js';
import { buildCorrection } from '../../../src/domain/invoicing/build-correction.js';
import { buildInvoice } from '../../../src/domain/invoicing/build-invoice.js';
import type { UnnumberedInvoice } from '../../../src/domain/invoicing/document.js';
import type { Invoice, PinnedVersions } from '../../../src/domain/invoicing/invoice.js';
import { invoiceEntry } from '../../../src/domain/ledger/invoice-entry.js';
import type { JournalEntry } from '../../../src/domain/ledger/journal.js';
import { voidEntry } from '../../../src/domain/ledger/void-entry.js';
import { aggregate, usageBySegment } from '../../../src/domain/metering/fold.js';
import type { MeteredEvent } from '../../../src/domain/metering/fold.js';
import type { PriceBookVersion } from '../../../src/domain/rating/price-book.js';
import type { RatedLine } from '../../../src/domain/rating/rating.js';
import type { Instant, LocalDate, Position } from '../../../src/domain/values.js';
import type { BillingPeriod, Customer, ReRating, Storage } from '../../../src/storage/types.js';
import { acme, meterOf } from '../../storage/usage-fixture.js';
import { periods } from './history.js';
import type { Answer, Content, History, HistoryVersion, PeriodIndex, ReRate, Subject } from './history.js';
import { eventOf, meterFacts, minorUnitsOf, parsedMetadata, priceBookOf } from './project-facts.js';
import { ReRatingFlow } from './re-rating-flow.js';
import type { Compared, Comparing } from './re-rating-flow.js';

const customerId = 'pure';
const bookCode = 'book';
const issuedAt = '2024-03-01T01:00:00.000000Z' as Instant;
const postingDate = '2024-03-01' as LocalDate;
const seller = { name: 'Reckoner Test Ltd' };
const meters = meterFacts.map((meter) => meterOf({ ...meter, meterId: meter.code }));

const assignment = {
  priceBook: bookCode,
  effectiveFrom: null,
  effectiveUntil: null,
  learnedOrder: 1,
  decidedBy: 'test',
  learnedAt: issuedAt,
};

const billingPeriods = periods.map(({ name, from, to }): BillingPeriod => ({
  customerId,
  period: name as LocalDate,
  from: from as Instant,
  to: to as Instant,
  customerVersionId: 'v1',
  timeZone: 'UTC',
  cuts: [],
}));

interface Chain {
  readonly documents: readonly Invoice[];
  readonly pins: PinnedVersions;
}

interface Comparison extends Compared {
  readonly sequence: number;
  readonly pins: PinnedVersions;
  readonly correction: Correction | null;
}

export class PureBooks implements Subject, Comparing<Comparison> {
  readonly entries: JournalEntry[] = [];
  private readonly events = new Map<string, MeteredEvent | null>();
  private readonly versions: PriceBookVersion[] = [];
  private readonly flow = new ReRatingFlow<Comparison>(this);
  private readonly chains: [Chain | null, Chain | null] = [null, null];
  private readonly sequences: [number, number] = [0, 0];
  private numbers = 0;
  /** Only the reference facts are ever asked for. */
  private readonly storage: Storage;

  constructor(private readonly facts: Pick<History, 'currency' | 'approvalThreshold'>) {
    const customer: Customer = {
      ...acme,
      customerId,
      customerVersionId: 'v1',
      version: 1,
      currency: facts.currency,
      priceBook: bookCode,
      calendarFrom: null,
      learnedAt: issuedAt,
    };
    const reference: Partial<Storage['reference']> = {
      findCustomer: () => Promise.resolve(customer),
      meters: () => Promise.resolve(meters),
      meterVersions: () => Promise.resolve(meters),
      assignments: () => Promise.resolve([assignment]),
      priceBookVersions: () => Promise.resolve(this.versions),
      priceBooksById: (ids) => Promise.resolve(this.versions.filter(({ priceBookId }) => ids.includes(priceBookId))),
    };
    const priceLookup: Partial<Storage['priceLookup']> = {
      pricesOf: () =>
        Promise.resolve({
          ...{ customer, assignments: [assignment], meterVersions: meters },
          ...{ versions: this.versions, overrides: [] },
        }),
    };
    this.storage = { reference, priceLookup } as unknown as Storage;
  }

  /** Those that count. */
  documents(period: PeriodIndex): readonly Invoice[] {
    return this.chains[period]?.documents ?? [];
  }

  send(events: readonly { readonly id: string; readonly content: Content }[]): void {
    for (const { id, content } of events) if (!this.events.has(id)) this.events.set(id, metered(id, content));
  }

  adjust(id: string, replacement: Content | null): void {
    this.events.set(id, replacement === null ? null : metered(id, replacement));
  }

  learn(version: HistoryVersion, number: number): void {
    const content = priceBookOf(version, { code: bookCode, version: `v${number}`, currency: this.facts.currency });
    this.versions.push({ ...content, priceBookId: `book/${number}`, learnedOrder: number + 1 });
  }

  closeWindows(): void {
    // Nothing is stored that could be closed.
  }

  async close(period: PeriodIndex): Promise<void> {
    if (this.chains[period] !== null) return;
    const facts = await priceFactsOf(this.storage, this.period(period));
    const lines = await this.rate(period, facts);
    const pins = pinsOf(facts);
    const document = this.post(
      buildInvoice({
        ...this.party(period, pins),
        chainPlace: 1,
        replacesInvoiceId: null,
        lines,
        lineItemId: (key) => `line ${key}`,
        chargeIds: lines.flatMap(({ lineKey, charges }) => charges.map((_, index) => `charge ${lineKey} ${index}`)),
      }),
    );
    this.chains[period] = { documents: [document], pins };
    this.sequences[period] += 1;
  }

  reRate(reRate: Omit<ReRate, 'named'>, named: number | null): Promise<void> {
    return this.flow.start(reRate, named);
  }

  waiting(): number {
    return this.flow.waiting();
  }

  answer(index: number, answer: Answer): Promise<void> {
    return this.flow.answer(index, answer);
  }

  voidInvoice(period: PeriodIndex): void {
    for (const document of this.documents(period)) {
      const entry = voidEntry(document, postingDate, invoiceEntry(document, postingDate));
      if (entry !== null) this.entries.push(entry);
    }
    this.chains[period] = null;
  }

  async compare(period: PeriodIndex, reRate: Omit<ReRate, 'named'>, named: number | null): Promise<Comparison | null> {
    const chain = this.chains[period];
    if (chain === null) return null;
    const facts = await this.newFacts(period, chain, reRatingOf(reRate, named));
    if (facts === null) return null;
    const correction = compareWithInvoiced(invoicedLines(chain.documents), await this.rate(period, facts));
    const lines = correction?.lines ?? [];
    const { minorDigits } = this;
    const changed = lines.map(({ lineKey, originalAmount, correctedAmount }) => ({
      lineKey,
      originalAmount,
      correctedAmount,
    }));
    const size = lines
      .map(({ amount }) => minorUnitsOf(amount, minorDigits))
      .reduce((total, its) => total + (its < 0n ? -its : its), 0n);
    const { approvalThreshold } = this.facts;
    return {
      sequence: this.sequences[period],
      pins: pinsOf(facts),
      correction,
      differences: JSON.stringify(changed),
      // Thresholds of histories have at most one fraction digit.
      needsApproval:
        approvalThreshold !== null && size * 10n > minorUnitsOf(approvalThreshold, 1) * 10n ** BigInt(minorDigits),
    };
  }

  settle(period: PeriodIndex, { sequence, pins, correction }: Comparison): boolean {
    const chain = this.chains[period];
    if (chain === null || this.sequences[period] !== sequence) return false;
    const documents = correction === null ? [] : [this.correct(period, chain, { pins, correction })];
    this.chains[period] = { documents: [...chain.documents, ...documents], pins };
    this.sequences[period] += 1;
    return true;
  }

  private get minorDigits(): number {
    return minorDigitsOf(this.facts);
  }

  private async newFacts(period: PeriodIndex, { pins }: Chain, reRating: ReRating): Promise<PriceFacts | null> {
    try {
      const pinned = { pins, currency: this.facts.currency };
      return await newPriceFacts(this.storage, this.period(period), { reRating, pinned });
    } catch (error) {
      if (error instanceof DomainFailure && error.code === 'PRICE_BOOK_NOT_IN_FORCE') return null;
      throw error;
    }
  }

  private correct(
    period: PeriodIndex,
    { documents }: Chain,
    { pins, correction }: { readonly pins: PinnedVersions; readonly correction: Correction },
  ): Invoice {
    const first = new Map(invoicedLines(documents).map((line) => [line.lineKey, line.firstLineItemId]));
    return this.post(
      buildCorrection({
        ...this.party(period, pins),
        chainPlace: documents.length + 1,
        correctsInvoiceId: documents[0]?.invoiceId ?? '',
        correction,
        reason: 'manual',
        lineItemId: (key) => `line ${key}`,
        correctsLineItemId: (key) => first.get(key) ?? null,
        chargeIds: () => [],
      }),
    );
  }

  private party(period: PeriodIndex, pins: PinnedVersions) {
    return {
      invoiceId: `invoice ${this.numbers + 1}`,
      customerId,
      currency: this.facts.currency,
      period: this.period(period),
      seller,
      buyer: { name: 'Acme' },
      paymentTermsDays: 14,
      issuedAt,
      cutoffPosition: '0' as Position,
      pinnedVersions: pins,
    };
  }

  private post(document: UnnumberedInvoice): Invoice {
    this.numbers += 1;
    const invoice = { ...document, number: `INV-${this.numbers}`, documentHash: documentHash(document) };
    const entry = invoiceEntry(invoice, postingDate);
    if (entry !== null) this.entries.push(entry);
    return invoice;
  }

  private async rate(index: PeriodIndex, facts: PriceFacts): Promise<readonly RatedLine[]> {
    const period = this.period(index);
    const counting = [...this.events.values()].filter((event) => event !== null);
    const { windows, unreadable } = aggregate(counting, meters, period);
    invariant(unreadable.length === 0, 'every value of a history can be read');
    const { lines, problems } = await rateWith(facts, period, {
      usage: (segments, ids) => {
        const counted = windows.filter(({ meter }) => ids.includes(meter));
        return Promise.resolve(usageBySegment(counted, segments));
      },
      groups: () => Promise.reject(new Error('all meters of a history add up')),
      events: () => Promise.reject(new Error('no price of a history is taken of each event')),
    });
    invariant(problems.length === 0, problems.map(({ detail }) => detail).join(' '));
    return lines;
  }

  private period(index: PeriodIndex): BillingPeriod {
    const period = billingPeriods[index];
    invariant(period !== undefined, 'there are two periods');
    return period;
  }
}

function metered(id: string, content: Content): MeteredEvent {
  const event = eventOf(customerId, id, content);
  return { ...event, metadata: parsedMetadata(event) };
}

function reRatingOf({ reason, meters: codes, dryRun }: Omit<ReRate, 'named'>, named: number | null): ReRating {
  return {
    reRatingId: 're-rating',
    workflowId: 're-rating',
    reason,
    scope: { customerIds: [customerId], meters: codes, from: null, to: null },
    priceBookId: named === null ? null : `book/${named}`,
    dryRun,
    requestedBy: 'alice',
    requestedAt: issuedAt,
    status: 'comparing',
    attempt: 1,
    targets: 1,
  };
}

export const minorDigitsOf = ({ currency }: Pick<History, 'currency'>): number =>
  ({ USD: 2, JPY: 0, KWD: 3 })[currency];

/** Sum of the postings to an account, in minor units. */
export function balanceOf(entries: readonly JournalEntry[], account: string | null, minorDigits: number): bigint {
  return entries
    .flatMap(({ postings }) => postings)
    .filter((posting) => account === null || posting.account === account)
    .reduce((total, { amount }) => total + minorUnitsOf(amount, minorDigits), 0n);
}
