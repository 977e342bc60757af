/** A small invoicing for tests of the gate: one unit costs 1, rating itself is tested elsewhere. */
import type { Invoice } from '../../src/domain/invoicing/invoice.js';
import type { JournalEntry } from '../../src/domain/ledger/journal.js';
import type { Meter } from '../../src/domain/metering/meter.js';
import type { UsageEvent } from '../../src/domain/metering/event.js';
import type { PriceBookVersion } from '../../src/domain/rating/price-book.js';
import type { PriceSegment, RatedCharge, SegmentUsage } from '../../src/domain/rating/rating.js';
import type { DecimalString, Instant, LocalDate } from '../../src/domain/values.js';
import { createBillingStore } from '../../src/storage/billing.js';
import type { Database } from '../../src/storage/database.js';
import { uuidOf } from '../../src/storage/identifiers.js';
import type { BillingPeriod, BillingStore, GateTransaction } from '../../src/storage/types.js';
import { createFixture, type Fixture, instant, usageEvent } from './usage-fixture.js';

export interface GateFixture extends Fixture {
  readonly billing: BillingStore;
  /** `calls` counts events of type api_call, `bytes` sums those of type transfer by region. */
  readonly meters: readonly Meter[];
}

export async function createGateFixture(): Promise<GateFixture> {
  const fixture = await createFixture();
  const meters = [
    await fixture.addMeter({ code: 'calls' }),
    await fixture.addMeter({ code: 'bytes', valueProperty: 'bytes', groupBy: ['region'], eventType: 'transfer' }),
  ];
  for (const book of [v1, v2]) await addPriceBook(fixture.db, book);
  return { ...fixture, billing: createBillingStore(fixture.db), meters };
}

const priceBookOf = (version: string): PriceBookVersion => ({
  priceBookId: uuidOf('test-price-book', version),
  code: 'standard',
  version,
  currency: 'USD',
  effectiveFrom: instant('2024-01-01T00:00:00Z'),
  effectiveUntil: null,
  rounding: 'half_even',
  prices: [],
  fees: [],
  minimumCommitment: null,
  learnedOrder: 1,
});
export const v1 = priceBookOf('v1');
export const v2 = priceBookOf('v2');

async function addPriceBook(db: Database, { priceBookId, version }: PriceBookVersion): Promise<void> {
  await db.pool.query(
    `INSERT INTO price_books (price_book_id, code, version, currency, effective_from, rounding, prices, content_hash)
     VALUES ($1, 'standard', $2, 'USD', '2024-01-01', 'half_even', '[]', '')`,
    [priceBookId, version],
  );
}

export const middle = instant('2024-01-15T00:00:00Z');
export const segmentsOf = ({ from, to }: BillingPeriod): readonly PriceSegment[] => [
  { from, to: middle, priceBook: v1 },
  { from: middle, to, priceBook: v2 },
];

/** Makes events of one customer. */
export function eventsOf(customerId: string): {
  readonly event: (eventId: string, time: string, more?: Partial<UsageEvent>) => UsageEvent;
  readonly transfer: (eventId: string, time: string, bytes: unknown, region?: string) => UsageEvent;
} {
  const event = (eventId: string, time: string, more: Partial<UsageEvent> = {}): UsageEvent =>
    usageEvent({ customerId, eventId, ...more, eventTime: time });
  return {
    event,
    transfer: (eventId, time, bytes, region = 'eu') =>
      event(eventId, time, { eventType: 'transfer', metadataJson: JSON.stringify({ bytes, region }) }),
  };
}

export function chargeOf(used: SegmentUsage, segments: readonly PriceSegment[]): RatedCharge {
  const segment = segments[used.segment];
  if (segment === undefined || segment.priceBook === null) throw new Error('no price book in force');
  return {
    meter: used.meter,
    group: used.group,
    priceBookId: segment.priceBook.priceBookId,
    currency: 'USD',
    quantity: used.quantity,
    amount: used.quantity,
    eventCount: used.eventCount,
    digest: used.digest,
    calculation: {
      model: 'flat',
      formula: `${used.quantity} × 1`,
      quantity: used.quantity,
      unit_price: '1' as DecimalString,
      tiers: [],
      quantity_before: '0' as DecimalString,
      period_quantity: used.quantity,
      price_book: 'standard',
      price_book_version: segment.priceBook.version,
      effective_date: segment.priceBook.effectiveFrom,
      in_force: [{ from: segment.from, to: segment.to }],
    },
  };
}

export interface Refusal {
  readonly unbalanced?: boolean;
  readonly afterWrites?: () => void;
}

/** Everything that issuing does, unless the period has an invoice that counts. */
export async function issue(gate: GateTransaction, of: BillingPeriod, refusal: Refusal = {}): Promise<Invoice | null> {
  if (gate.chain.documents.length > 0) return null;
  await gate.bringWindowsToCutoff();
  const segments = segmentsOf(of);
  const charges = (await gate.segmentUsage(segments)).map((used) => chargeOf(used, segments));
  const chargeIds = await gate.storeCharges(charges);
  const number = `INV-${await gate.drawNumber('invoice')}`;
  const invoice = invoiceOf(of, { gate, number, charges, chargeIds });
  await gate.insertInvoice(invoice, 'test');
  await gate.postEntry(entryOf(invoice, refusal.unbalanced === true ? '1' : '0'));
  const { invoiceId, pinnedVersions } = invoice;
  await gate.insertRating({ cutoff: gate.cutoff, pinnedVersions, chargeIds, invoiceId, reRatingId: null });
  refusal.afterWrites?.();
  return invoice;
}

/** Voids the chain as it stands. */
export async function voidChain(gate: GateTransaction): Promise<void> {
  for (const { invoiceId } of gate.chain.documents) await gate.voidInvoice(invoiceId, 'finance', 'wrong customer');
}

/** A correction on top of the chain, with the rating it stands on; without lines, or with one of a unit of what nobody has billed. */
export async function correct(gate: GateTransaction, of: BillingPeriod, meter?: string): Promise<Invoice> {
  const number = `INV-${await gate.drawNumber('invoice')}`;
  const correction = invoiceOf(of, { gate, number, charges: [], chargeIds: [] });
  const amount = (meter === undefined ? '0.00' : '1.00') as DecimalString;
  const line = (of_: string): Invoice['lines'][number] => ({
    ...{
      lineItemId: uuidOf('line', correction.invoiceId, of_),
      lineNumber: 1,
      lineKey: of_,
      description: of_,
      meter: of_,
    },
    ...{ group: {}, serviceFrom: of.from, serviceTo: of.to, quantity: null, amount, currency: 'USD' },
    ...{ originalAmount: '0.00' as DecimalString, correctedAmount: amount, reason: 'late_usage' },
    ...{ correctsLineItemId: null, chargeIds: [], calculation: { formula: '1 × 1', charges: [] } },
  });
  const invoice: Invoice = {
    ...correction,
    type: 'correction',
    correctsInvoiceId: gate.chain.documents[0]?.invoiceId ?? null,
    ...{ subtotal: amount, total: amount, lines: meter === undefined ? [] : [line(meter)] },
  };
  await gate.insertInvoice(invoice, 'test');
  const { invoiceId, pinnedVersions } = invoice;
  await gate.insertRating({ cutoff: gate.cutoff, pinnedVersions, chargeIds: [], invoiceId, reRatingId: null });
  return invoice;
}

/** The next document of a period's chain, as an original. */
export function invoiceOf(
  of: BillingPeriod,
  {
    gate,
    number,
    charges,
    chargeIds,
  }: { gate: GateTransaction; number: string; charges: readonly RatedCharge[]; chargeIds: readonly string[] },
): Invoice {
  const chainPlace = gate.chain.nextPlace;
  const invoiceId = uuidOf('invoice', of.customerId, of.period, chainPlace);
  const total = charges.reduce((sum, charge) => sum + Number(charge.amount), 0).toFixed(2) as DecimalString;
  return {
    invoiceId,
    number,
    type: 'invoice',
    customerId: of.customerId,
    period: of.period,
    periodStart: of.from,
    periodEnd: of.to,
    timeZone: of.timeZone,
    chainPlace,
    correctsInvoiceId: null,
    replacesInvoiceId: gate.chain.voided?.invoiceId ?? null,
    currency: 'USD',
    status: 'issued',
    subtotal: total,
    credits: '0.00' as DecimalString,
    creditDraws: [],
    tax: '0.00' as DecimalString,
    total,
    seller: { name: 'Seller' },
    buyer: { name: 'Buyer', address: 'Street 1' },
    paymentTerms: '14 days net',
    cutoffPosition: gate.cutoff,
    pinnedVersions: { customer_version_id: of.customerVersionId, meter_ids: [], price_segments: [] },
    documentHash: 'hash',
    issuedAt: '2024-02-01T01:00:00.000000Z' as Instant,
    dueAt: '2024-02-15T01:00:00.000000Z' as Instant,
    lines: charges.map((charge, i) => ({
      lineItemId: uuidOf('line', invoiceId, i),
      lineNumber: i + 1,
      lineKey: `${charge.meter ?? ''}/${JSON.stringify(charge.group)}/${charge.priceBookId}`,
      description: charge.meter ?? '',
      meter: charge.meter,
      group: charge.group,
      serviceFrom: of.from,
      serviceTo: of.to,
      quantity: charge.quantity,
      amount: charge.amount,
      currency: 'USD',
      originalAmount: null,
      correctedAmount: null,
      reason: null,
      correctsLineItemId: null,
      chargeIds: chargeIds.slice(i, i + 1),
      calculation: { formula: charge.calculation.formula, charges: [charge.calculation] },
    })),
  };
}

function entryOf(invoice: Invoice, error: string): JournalEntry {
  return {
    sourceDocument: `invoice/${invoice.invoiceId}`,
    customerId: invoice.customerId,
    invoiceId: invoice.invoiceId,
    postingDate: '2024-02-01' as LocalDate,
    serviceFrom: invoice.periodStart,
    serviceTo: invoice.periodEnd,
    description: `Invoice ${invoice.number}`,
    postings: [
      {
        account: 'accounts_receivable',
        lineItemId: null,
        currency: 'USD',
        amount: (Number(invoice.total) + Number(error)).toFixed(2) as DecimalString,
      },
      ...invoice.lines.map((line) => ({
        account: 'revenue' as const,
        lineItemId: line.lineItemId,
        currency: 'USD',
        amount: `-${line.amount}` as DecimalString,
      })),
    ],
  };
}
