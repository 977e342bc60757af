import { addDecimals, zero } from '../decimal.js';
import { invariant } from '../failure.js';
import type { RatedLine } from '../rating/rating.js';
import { addMs } from '../time/instant.js';
import type { GroupKey, Instant, Interval, LocalDate, Position } from '../values.js';
import type { Invoice, InvoiceLineItem, Party, PinnedVersions } from './invoice.js';

export const msPerDay = 86_400_000;

/** An issued invoice as computed: storage draws the number last, and the hash is taken of `invoiceHashInput`. */
export type UnnumberedInvoice = Omit<Invoice, 'number' | 'documentHash'>;

/** Everything an invoice is made of; ids are passed in, because the domain has no hashing. */
export interface InvoiceFacts {
  readonly invoiceId: string;
  /** 1 for the first document of the period. */
  readonly chainPlace: number;
  /** The voided invoice that this one replaces (RULES 28). */
  readonly replacesInvoiceId: string | null;
  readonly customerId: string;
  readonly currency: string;
  readonly period: Interval & { readonly period: LocalDate; readonly timeZone: string };
  readonly seller: Party;
  readonly buyer: Party;
  readonly paymentTermsDays: number;
  readonly issuedAt: Instant;
  readonly cutoffPosition: Position;
  readonly pinnedVersions: PinnedVersions;
  readonly lines: readonly RatedLine[];
  /** The id of a line item by its line key (RULES 26). */
  readonly lineItemId: (lineKey: string) => string;
  /** Ids of the stored charges: those of the first line in order, then those of the second, and so on. */
  readonly chargeIds: readonly string[];
}

/**
 * Makes the original invoice of a period (RULES 24, 25): one line a meter and pricing group, sorted by line key; the
 * total is the sum of the rounded lines. Without lines it is an invoice of 0. No credits and no tax in this version.
 */
export function buildInvoice(facts: InvoiceFacts): UnnumberedInvoice {
  const lines = lineItems(facts);
  const subtotal = addDecimals(lines.map(({ amount }) => amount));
  return {
    invoiceId: facts.invoiceId,
    type: 'invoice',
    customerId: facts.customerId,
    period: facts.period.period,
    periodStart: facts.period.from,
    periodEnd: facts.period.to,
    timeZone: facts.period.timeZone,
    chainPlace: facts.chainPlace,
    correctsInvoiceId: null,
    replacesInvoiceId: facts.replacesInvoiceId,
    currency: facts.currency,
    status: 'issued',
    subtotal,
    credits: zero,
    tax: zero,
    total: subtotal,
    seller: facts.seller,
    buyer: facts.buyer,
    paymentTerms: paymentTermsText(facts.paymentTermsDays),
    cutoffPosition: facts.cutoffPosition,
    pinnedVersions: facts.pinnedVersions,
    issuedAt: facts.issuedAt,
    dueAt: addMs(facts.issuedAt, facts.paymentTermsDays * msPerDay),
    lines,
  };
}

function lineItems(facts: InvoiceFacts): readonly InvoiceLineItem[] {
  const withCharges = takeChargeIds(facts.lines, facts.chargeIds);
  withCharges.sort(([a], [b]) => (a.lineKey < b.lineKey ? -1 : 1));
  return withCharges.map(([line, chargeIds], index) => {
    invariant(
      line.currency === facts.currency,
      `line ${line.lineKey} is in ${line.currency}, its invoice in ${facts.currency}`,
    );
    return {
      lineItemId: facts.lineItemId(line.lineKey),
      lineNumber: index + 1,
      lineKey: line.lineKey,
      description: describeLine(line.meter, line.group),
      meter: line.meter,
      group: line.group,
      serviceFrom: facts.period.from,
      serviceTo: facts.period.to,
      quantity: line.quantity,
      amount: line.amount,
      currency: line.currency,
      originalAmount: null,
      correctedAmount: null,
      reason: null,
      correctsLineItemId: null,
      chargeIds,
      calculation: {
        formula: line.formula,
        event_count: line.charges.reduce((sum, { eventCount }) => sum + eventCount, 0),
        charges: line.charges.map(({ calculation }) => calculation),
      },
    };
  });
}

function takeChargeIds(lines: readonly RatedLine[], chargeIds: readonly string[]): [RatedLine, readonly string[]][] {
  let taken = 0;
  const result = lines.map((line): [RatedLine, readonly string[]] => {
    const from = taken;
    taken += line.charges.length;
    return [line, chargeIds.slice(from, taken)];
  });
  invariant(taken === chargeIds.length, `${taken} charges were rated and ${chargeIds.length} stored`);
  return result;
}

/** What the customer reads: the meter and what its group is, `bytes_out (region: eu, tier: –)`. */
export function describeLine(meter: string, group: GroupKey): string {
  const parts = Object.entries(group).map(([property, value]) => `${property}: ${value ?? '–'}`);
  return parts.length === 0 ? meter : `${meter} (${parts.join(', ')})`;
}

export function paymentTermsText(days: number): string {
  if (days === 0) return 'Due on receipt';
  return `Due within ${days} ${days === 1 ? 'day' : 'days'}`;
}
