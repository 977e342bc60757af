/** An honest chain of one period, from usage to journal, for tests that break it. */
import { buildInvoice } from '../../../src/domain/invoicing/build-invoice.js';
import type { Invoice } from '../../../src/domain/invoicing/invoice.js';
import { invoiceEntry } from '../../../src/domain/ledger/invoice-entry.js';
import type { JournalEntry, Posting } from '../../../src/domain/ledger/journal.js';
import { ratePeriod } from '../../../src/domain/rating/rate.js';
import type { InvoicedStages } from '../../../src/domain/reconciliation/reconcile.js';
import type { MeterUsage } from '../../../src/domain/reconciliation/usage.js';
import type { DecimalString, Digest, LocalDate, Position } from '../../../src/domain/values.js';
import { flat, instant, january, meter, ratingInput, used, version } from '../../support/rating-input.js';

export const money = (text: string): DecimalString => text as DecimalString;
export const digest = (text: string): Digest => text.padStart(16, '0') as Digest;

export const meters = [meter({ aggregation: 'count', valueProperty: null, groupBy: ['region'] })];
export const calls = (region: string, quantity: string, own: string) =>
  used(0, quantity, { group: { region }, eventCount: Number(quantity), digest: digest(own) });

/** 100 calls in eu and 3 in us at 0.015: 1.50 and 0.045, which is billed as 0.04. */
export const usage = [calls('eu', '100', 'a1'), calls('us', '3', 'b2')];
export const rated = ratePeriod(ratingInput([version('v1', [flat('0.015')])], usage, meters));
export const charges = rated.lines.flatMap((line) => line.charges);
export const cutoff = '1000' as Position;

export const unnumbered = buildInvoice({
  invoiceId: 'invoice-1',
  chainPlace: 1,
  replacesInvoiceId: null,
  customerId: 'acme',
  currency: 'USD',
  period: { ...january, period: '2024-01-01' as LocalDate, timeZone: 'UTC' },
  seller: { name: 'Seller' },
  buyer: { name: 'Acme' },
  paymentTermsDays: 14,
  issuedAt: instant('2024-02-01T00:00:00.000000Z'),
  cutoffPosition: cutoff,
  pinnedVersions: { customer_version_id: 'c', meter_ids: ['meter-1'], price_segments: [] },
  lines: rated.lines,
  lineItemId: (lineKey) => `line ${lineKey}`,
  chargeIds: charges.map((_, index) => `charge-${index}`),
});
export const invoice: Invoice = { ...unnumbered, number: 'INV-000001', documentHash: 'hash' };
export const day = '2024-02-01' as LocalDate;

export function present<T>(value: T | null | undefined): T {
  if (value === null || value === undefined) throw new Error('the fixture lacks something');
  return value;
}
export const entry = present(invoiceEntry(invoice, day));
export const [eu, us] = [present(invoice.lines[0]), present(invoice.lines[1])];
export const total: MeterUsage = { meter: 'calls', quantity: money('103'), eventCount: 103, digest: digest('153') };

export const honest: InvoicedStages = {
  cutoff,
  currency: 'USD',
  stored: [{ meter: 'calls', stored: 110, voided: 2, filtered: 5 }],
  events: usage,
  aggregates: usage,
  overPeriod: { meters: new Set(), usage: [] },
  eventsOverPeriod: [],
  charges,
  documents: [invoice],
  posted: [{ document: invoice, entries: [entry] }],
  roundingOf: () => 'half_even',
};

export const withPostings = (change: (posting: Posting) => readonly Posting[]): JournalEntry => ({
  ...entry,
  postings: entry.postings.flatMap(change),
});
export const posted = (document: Invoice, ...entries: readonly JournalEntry[]): InvoicedStages['posted'] => [
  { document, entries },
];
export const changed = (amount: string): Invoice => ({ ...invoice, lines: [{ ...eu, amount: money(amount) }, us] });
