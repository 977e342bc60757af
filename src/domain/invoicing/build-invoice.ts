import { addDecimals } from '../decimal.js';
import { invariant } from '../failure.js';
import type { RatedLine } from '../rating/rating.js';
import type { GroupKey } from '../values.js';
import { documentOf } from './document.js';
import type { DocumentFacts, UnnumberedInvoice } from './document.js';
import type { InvoiceLineItem } from './invoice.js';
import { lineItemFacts } from './line-item.js';

/** Everything an invoice is made of. */
export interface InvoiceFacts extends DocumentFacts {
  /** The voided invoice that this one replaces (RULES 28). */
  readonly replacesInvoiceId: string | null;
  readonly lines: readonly RatedLine[];
  /** Ids of the stored charges: those of the first line in order, then those of the second, and so on. */
  readonly chargeIds: readonly string[];
}

/**
 * Makes the original invoice of a period (RULES 24, 25): one line a meter and pricing group, sorted by line key; the
 * subtotal is the sum of the rounded lines. Without lines it is an invoice of 0.
 */
export function buildInvoice(facts: InvoiceFacts): UnnumberedInvoice {
  const lines = lineItems(facts);
  const { replacesInvoiceId } = facts;
  const subtotal = addDecimals(lines.map(({ amount }) => amount));
  return documentOf(facts, { correctsInvoiceId: null, replacesInvoiceId, lines, subtotal });
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
      description: descriptionOf(line),
      meter: line.meter,
      group: line.group,
      serviceFrom: (line.service ?? facts.period).from,
      serviceTo: (line.service ?? facts.period).to,
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
      item: lineItemFacts(
        { ...line, name: line.name ?? line.lineKey, item: line.item ?? {}, isAdjustment: false },
        { tags: facts.tags ?? {}, meters: facts.meters ?? [] },
      ),
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

/** By the name of its price, where that has one. */
export function descriptionOf({
  lineKey,
  meter,
  group,
  name,
  item,
}: Pick<RatedLine, 'lineKey' | 'meter' | 'group' | 'name' | 'item'>): string {
  const shown = item?.displayName;
  return meter === null ? (shown ?? name ?? lineKey) : describeLine(shown ?? meter, group);
}

/** What the customer reads: the meter and what its group is, `bytes_out (region: eu, tier: –)`. */
export function describeLine(meter: string, group: GroupKey): string {
  const parts = Object.entries(group).map(([property, value]) => `${property}: ${value ?? '–'}`);
  return parts.length === 0 ? meter : `${meter} (${parts.join(', ')})`;
}
