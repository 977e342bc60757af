import { creditsOf, noCredits, settleCredits } from '../credits/settle.js';
import type { CreditFacts } from '../credits/settle.js';
import { decimal, toDecimalString, zero } from '../decimal.js';
import { addMs, msPerDay } from '../time/instant.js';
import type { DecimalString, Instant, Interval, LocalDate, Position } from '../values.js';
import { applyTax } from '../tax/apply-tax.js';
import type { TaxFacts } from '../tax/apply-tax.js';
import type { Invoice, InvoiceLineItem, Party, PinnedVersions } from './invoice.js';
import { documentSchemaVersion } from './line-item.js';
import type { NamedMeter } from './line-item.js';
import { defaultPresentation } from './presentation.js';
import type { Presentation } from './presentation.js';

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
  /** By default the seller of the configuration. */
  readonly legalEntity?: string;
  readonly buyer: Party;
  readonly paymentTermsDays: number;
  readonly issuedAt: Instant;
  readonly cutoffPosition: Position;
  readonly pinnedVersions: PinnedVersions;
  /** By default none: the customer has no grants. */
  readonly credits?: CreditFacts;
  /** The id of a line item by its line key (RULES 26). */
  readonly lineItemId: (lineKey: string) => string;
  /** The customer's; they stand on every line. */
  readonly tags?: Readonly<Record<string, string>>;
  /** The meter versions of the period, which lines name. */
  readonly meters?: readonly NamedMeter[];
  readonly presentation?: Presentation;
  /** By default none: nothing is taxed. */
  readonly tax?: Omit<TaxFacts, 'earlier'>;
  /** The documents of the chain before this one; by default none. */
  readonly earlier?: readonly Pick<Invoice, 'lines' | 'taxes'>[];
}

/** What tells an original from a correction. */
type DocumentContent = Pick<Invoice, 'correctsInvoiceId' | 'replacesInvoiceId' | 'lines'> & {
  readonly subtotal: DecimalString;
};

/**
 * A document around its lines, whose sum is the subtotal: total = subtotal − credits + tax. A document that corrects is a credit
 * note where its total, after credits and tax, is below zero (RULES 26, 37, 56).
 */
export function documentOf(facts: DocumentFacts, { subtotal, lines, ...content }: DocumentContent): UnnumberedInvoice {
  const { period, currency } = facts;
  const creditDraws = settleCredits(facts.credits ?? noCredits, { subtotal, currency, periodEnd: period.to });
  const credits = creditsOf(creditDraws);
  const { tax: taxed = null, earlier = [] } = facts;
  const applied = taxed === null ? null : applyTax({ ...taxed, earlier }, lines, currency);
  const tax = applied?.total ?? zero;
  const total = decimal(subtotal).minus(decimal(credits)).plus(decimal(tax));
  const correctionType = total.isNegative() && !total.isZero() ? 'credit_note' : 'correction';
  return {
    ...content,
    type: content.correctsInvoiceId === null ? 'invoice' : correctionType,
    invoiceId: facts.invoiceId,
    customerId: facts.customerId,
    period: period.period,
    periodStart: period.from,
    periodEnd: period.to,
    timeZone: period.timeZone,
    chainPlace: facts.chainPlace,
    currency,
    status: 'issued',
    subtotal,
    credits,
    creditDraws,
    tax,
    total: toDecimalString(total),
    seller: facts.seller,
    buyer: facts.buyer,
    paymentTerms: paymentTermsText(facts.paymentTermsDays),
    cutoffPosition: facts.cutoffPosition,
    pinnedVersions: facts.pinnedVersions,
    issuedAt: facts.issuedAt,
    dueAt: addMs(facts.issuedAt, facts.paymentTermsDays * msPerDay),
    ...(facts.legalEntity !== undefined && { legalEntity: facts.legalEntity }),
    schemaVersion: documentSchemaVersion,
    ...(applied !== null && { taxes: applied.taxes }),
    presentation: facts.presentation ?? defaultPresentation,
    lines: lines.map((line) => withTax(line, applied?.numbers.get(line.lineKey) ?? [])),
  };
}

const withTax = (line: InvoiceLineItem, taxLines: readonly number[]): InvoiceLineItem =>
  line.item === undefined || taxLines.length === 0 ? line : { ...line, item: { ...line.item, taxLines } };

export function paymentTermsText(days: number): string {
  if (days === 0) return 'Due on receipt';
  return `Due within ${days} ${days === 1 ? 'day' : 'days'}`;
}
