import { addDecimals, D, decimal, toDecimalString, zero } from '../decimal.js';
import { invariant } from '../failure.js';
import type { Invoice, InvoiceLineItem } from '../invoicing/invoice.js';
import { itemOf } from '../invoicing/line-item.js';
import { defaultPresentation } from '../invoicing/presentation.js';
import { minorUnits } from '../money/currency.js';
import { rulesOf, taxKeyOf } from '../tax/apply-tax.js';
import type { DocumentTax, TaxRule } from '../tax/tax.js';
import type { DecimalString } from '../values.js';
import type { CreditNote, CreditNoteLine } from './credit-note.js';

/**
 * A credit note as a document is shown: each reversal line with what the line came to before, what is left of it, and the
 * difference; taxed as its lines are taxed in the documents that bill them, with the tax of the note.
 * @param chain the documents that its lines are of; the original first
 */
export function printedNote(note: CreditNote, chain: readonly Invoice[], isVoid: boolean): Invoice {
  const [original] = chain;
  invariant(original !== undefined, `${note.number} credits an invoice`);
  const { taxes: _, ...facts } = original;
  const credited = note.lines.map((line) => creditedLine(line, chain));
  const taxes = taxesOf(credited, original);
  return {
    ...facts,
    invoiceId: note.creditNoteId,
    number: note.number,
    type: 'credit_note',
    correctsInvoiceId: original.invoiceId,
    replacesInvoiceId: null,
    status: isVoid ? 'void' : 'issued',
    subtotal: negated(note.subtotal),
    credits: zero,
    creditDraws: [],
    tax: negated(note.tax),
    total: negated(note.total),
    seller: note.seller,
    buyer: note.buyer,
    paymentTerms: '',
    documentHash: note.documentHash,
    issuedAt: note.issuedAt,
    dueAt: note.issuedAt,
    // Every line has a reason of its own, so none is summed up.
    presentation: { ...(original.presentation ?? defaultPresentation), itemisation: 'group' },
    ...(taxes !== null && { taxes }),
    lines: credited.map((each) => printedLine(each, original, taxes)),
  };
}

interface CreditedLine {
  readonly line: CreditNoteLine;
  /** As the chain has it; undefined: the document was taken from elsewhere. */
  readonly item: InvoiceLineItem | undefined;
  readonly rules: readonly TaxRule[];
}

function creditedLine(line: CreditNoteLine, chain: readonly Invoice[]): CreditedLine {
  for (const document of chain) {
    const item = document.lines.find(({ lineItemId }) => lineItemId === line.lineItemId);
    if (item !== undefined) return { line, item, rules: rulesOf(document, item) };
  }
  return { line, item: undefined, rules: [] };
}

/** null: nothing of the note was taxed, or its lines do not say with what. */
function taxesOf(credited: readonly CreditedLine[], { taxes: billed }: Invoice): DocumentTax | null {
  if (billed === undefined || credited.some(({ line, rules }) => rules.length === 0 && !isZero(line.tax))) return null;
  const groups = new Map<string, { rule: TaxRule; taxable: DecimalString[]; amounts: DecimalString[] }>();
  for (const { line, rules } of credited) {
    const parts = partsOf(line, rules);
    for (const [index, rule] of rules.entries()) {
      const key = taxKeyOf(rule);
      const group = groups.get(key) ?? { rule, taxable: [], amounts: [] };
      groups.set(key, group);
      group.taxable.push(negated(line.amount));
      group.amounts.push(negated(parts[index] ?? zero));
    }
  }
  const sorted = [...groups].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    terms: billed.terms,
    lines: sorted.map(([, { rule, taxable, amounts }], index) => ({
      ...rule,
      taxLineNumber: index + 1,
      taxableAmount: addDecimals(taxable),
      amount: addDecimals(amounts),
    })),
  };
}

/** A line's tax by its taxes, in proportion to their rates; what rounding leaves is the last one's. */
function partsOf({ tax }: CreditNoteLine, rules: readonly TaxRule[]): readonly DecimalString[] {
  const rates = rules.map(({ rate }) => decimal(rate));
  const all = rates.reduce((sum, rate) => sum.plus(rate), new D(0));
  const places = decimal(tax).decimalPlaces();
  let left = decimal(tax);
  return rates.map((rate, index) => {
    const part =
      index === rates.length - 1 || all.isZero()
        ? left
        : decimal(tax).times(rate).dividedBy(all).toDecimalPlaces(places);
    left = left.minus(part);
    return toDecimalString(part);
  });
}

function printedLine(
  { line, item, rules }: CreditedLine,
  original: Invoice,
  taxes: DocumentTax | null,
): InvoiceLineItem {
  const keys = new Set(rules.map(taxKeyOf));
  const taxLines = (taxes?.lines ?? [])
    .filter((own) => keys.has(taxKeyOf(own)))
    .map(({ taxLineNumber }) => taxLineNumber);
  return {
    lineItemId: line.lineItemId,
    lineNumber: line.lineNumber,
    lineKey: line.lineKey,
    description: line.description,
    meter: item?.meter ?? null,
    group: item?.group ?? {},
    serviceFrom: item?.serviceFrom ?? original.periodStart,
    serviceTo: item?.serviceTo ?? original.periodEnd,
    quantity: null,
    amount: negated(line.amount),
    currency: original.currency,
    originalAmount: line.originalAmount,
    correctedAmount: toDecimalString(decimal(line.originalAmount).minus(decimal(line.amount))),
    reason: line.reason === null ? line.reasonCode : `${line.reasonCode}: ${line.reason}`,
    correctsLineItemId: line.lineItemId,
    chargeIds: [],
    calculation: { formula: `Credited ${shownAmount(line.amount, original.currency)}`, event_count: 0, charges: [] },
    ...(item !== undefined && {
      item: { ...itemOf(item, original), kind: 'adjustment', unit: null, unitPrice: null, taxLines },
    }),
  };
}

const isZero = (amount: DecimalString): boolean => decimal(amount).isZero();
const negated = (amount: DecimalString): DecimalString =>
  isZero(amount) ? zero : toDecimalString(decimal(amount).negated());
const shownAmount = (amount: DecimalString, currency: string): string => decimal(amount).toFixed(minorUnits(currency));
