import { zero } from '../decimal.js';
import { addMs } from '../time/instant.js';
import type { DecimalString, Instant, Interval, LocalDate, Position } from '../values.js';
import type { Invoice, Party, PinnedVersions } from './invoice.js';

const msPerDay = 86_400_000;

/** An issued document as computed: storage draws the number last, and the hash is taken of `invoiceHashInput`. */
export type UnnumberedInvoice = Omit<Invoice, 'number' | 'documentHash'>;

/** What every document of a chain is made of; ids are passed in, because the domain has no hashing. */
export interface DocumentFacts {
  readonly invoiceId: string;
  /** 1 for the first document of the period. */
  readonly chainPlace: number;
  readonly customerId: string;
  readonly currency: string;
  readonly period: Interval & { readonly period: LocalDate; readonly timeZone: string };
  readonly seller: Party;
  readonly buyer: Party;
  readonly paymentTermsDays: number;
  readonly issuedAt: Instant;
  readonly cutoffPosition: Position;
  readonly pinnedVersions: PinnedVersions;
  /** The id of a line item by its line key (RULES 26). */
  readonly lineItemId: (lineKey: string) => string;
}

/** What tells an original from a correction. */
type DocumentContent = Pick<Invoice, 'type' | 'correctsInvoiceId' | 'replacesInvoiceId' | 'lines'> & {
  readonly total: DecimalString;
};

/** A document around its lines. No credits and no tax in this version: the total is the sum of the lines. */
export function documentOf(facts: DocumentFacts, { total, ...content }: DocumentContent): UnnumberedInvoice {
  const { period } = facts;
  return {
    ...content,
    invoiceId: facts.invoiceId,
    customerId: facts.customerId,
    period: period.period,
    periodStart: period.from,
    periodEnd: period.to,
    timeZone: period.timeZone,
    chainPlace: facts.chainPlace,
    currency: facts.currency,
    status: 'issued',
    subtotal: total,
    credits: zero,
    tax: zero,
    total,
    seller: facts.seller,
    buyer: facts.buyer,
    paymentTerms: paymentTermsText(facts.paymentTermsDays),
    cutoffPosition: facts.cutoffPosition,
    pinnedVersions: facts.pinnedVersions,
    issuedAt: facts.issuedAt,
    dueAt: addMs(facts.issuedAt, facts.paymentTermsDays * msPerDay),
  };
}

export function paymentTermsText(days: number): string {
  if (days === 0) return 'Due on receipt';
  return `Due within ${days} ${days === 1 ? 'day' : 'days'}`;
}
