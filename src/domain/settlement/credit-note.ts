import { addDecimals, D, decimal, toDecimalString, zero } from '../decimal.js';
import { invoicedLines } from '../correction/invoiced.js';
import { DomainFailure, invariant } from '../failure.js';
import type { Invoice, Party } from '../invoicing/invoice.js';
import { formatAmount } from '../money/rounding.js';
import type { DecimalString, Instant } from '../values.js';
import { requireMoney } from './money.js';
import { creditedTax } from './note-tax.js';
import type { Payable } from './note-tax.js';

/** Why a line is credited: a closed list, so that reports can add them up. The free text beside it says the rest. */
export const creditReasons = [
  'goodwill',
  'billing_error',
  'price_agreement',
  'service_not_provided',
  'quality_defect',
  'dispute',
  'cancellation',
] as const;
export type CreditReason = (typeof creditReasons)[number];

/** What somebody wants to credit of a line of an invoice. */
export interface CreditRequestLine {
  /** A line item of the invoice or of one of its corrections, by id. */
  readonly lineItemId: string;
  /** Without tax; null: all that is left of the line. */
  readonly amount: DecimalString | null;
  readonly reasonCode: CreditReason;
  readonly reason: string | null;
}

/** A reversal line: it lowers the line it names. */
export interface CreditNoteLine {
  readonly lineNumber: number;
  readonly lineKey: string;
  readonly lineItemId: string;
  readonly description: string;
  /** What the line came to before this note, its corrections and earlier notes included. */
  readonly originalAmount: DecimalString;
  /** What is credited; above zero. */
  readonly amount: DecimalString;
  readonly tax: DecimalString;
  readonly reasonCode: CreditReason;
  readonly reason: string | null;
}

/** A document of a number series of its own. It never counts as invoiced: re-rating does not see it (RULES 49). */
export interface CreditNote {
  readonly creditNoteId: string;
  readonly number: string;
  readonly customerId: string;
  /** The original of the chain. */
  readonly invoiceId: string;
  readonly currency: string;
  readonly subtotal: DecimalString;
  readonly tax: DecimalString;
  readonly total: DecimalString;
  readonly reason: string | null;
  readonly seller: Party;
  readonly buyer: Party;
  readonly documentHash: string;
  readonly issuedBy: string;
  readonly issuedAt: Instant;
  readonly lines: readonly CreditNoteLine[];
}

/** What was credited of a chain so far, by notes that count. */
export interface CreditedSoFar {
  readonly byLine: ReadonlyMap<string, DecimalString>;
  readonly subtotal: DecimalString;
  readonly tax: DecimalString;
}

export interface CreditableLine {
  readonly lineKey: string;
  readonly lineItemId: string;
  readonly description: string;
  /** Invoiced with its corrections. */
  readonly invoiced: DecimalString;
  readonly credited: DecimalString;
  /** What can still be credited, without tax; never below zero. */
  readonly creditable: DecimalString;
}

type ChainDocument = Pick<
  Invoice,
  'lines' | 'subtotal' | 'credits' | 'tax' | 'taxes' | 'total' | 'currency' | 'number'
>;

/**
 * What of each line of a chain can still be credited: what it came to with its corrections, less what was credited.
 * @param documents those that count, in order
 */
export function creditableLines(
  documents: readonly ChainDocument[],
  credited: CreditedSoFar,
): readonly CreditableLine[] {
  const items = new Map(documents.flatMap(({ lines }) => lines).map((line) => [line.lineItemId, line]));
  return invoicedLines(documents).map(({ lineKey, firstLineItemId, amount }) => {
    const before = credited.byLine.get(lineKey) ?? zero;
    return {
      lineKey,
      lineItemId: firstLineItemId,
      description: items.get(firstLineItemId)?.description ?? lineKey,
      invoiced: amount,
      credited: before,
      creditable: toDecimalString(D.max(decimal(amount).minus(decimal(before)), 0)),
    };
  });
}

/** What a chain asks for without tax, its prepaid credits taken off, and its tax: notes exhaust just that. */
function payable(documents: readonly ChainDocument[]): Payable {
  const net = documents.reduce((sum, { total, tax }) => sum.plus(decimal(total)).minus(decimal(tax)), new D(0));
  return { net, tax: decimal(addDecimals(documents.map(({ tax }) => tax))) };
}

export interface CreditNoteAmounts extends Pick<CreditNote, 'subtotal' | 'tax' | 'total' | 'lines'> {
  readonly currency: string;
}

/**
 * The amounts of a credit note (RULES 49). Each line at most what is left of it, all notes together at most what the chain asks
 * for. The tax of a note is that of its lines (`creditedTax`), worked out on all that was credited so far and then less what was
 * credited before, so that several notes come to the tax to the last digit.
 * @throws DomainFailure NOT_CREDITABLE, VALIDATION_FAILED, INVALID_DECIMAL
 */
export function creditNoteAmounts(
  documents: readonly ChainDocument[],
  { credited, lines: asked }: { readonly credited: CreditedSoFar; readonly lines: readonly CreditRequestLine[] },
): CreditNoteAmounts {
  const [original] = documents;
  invariant(original !== undefined, 'a chain that is credited has an original');
  const { currency, number } = original;
  const keys = new Map(documents.flatMap(({ lines }) => lines).map((line) => [line.lineItemId, line.lineKey]));
  const creditable = new Map(creditableLines(documents, credited).map((line) => [line.lineKey, line]));
  const room = payable(documents);
  const taxOf = creditedTax(documents, room);
  const byLine = new Map(credited.byLine);
  let net = decimal(credited.subtotal);
  let tax = decimal(credited.tax);
  const seen = new Set<string>();
  const lines = asked.map(({ lineItemId, amount, reasonCode, reason }, index): CreditNoteLine => {
    const pointer = `/lines/${index}`;
    const line = creditable.get(keys.get(lineItemId) ?? '');
    if (line === undefined) {
      const detail = `${number} and its corrections have no line ${lineItemId}; GET /invoices/{id} shows their line_item_id.`;
      throw new DomainFailure('VALIDATION_FAILED', detail, `${pointer}/line_item_id`);
    }
    if (seen.has(line.lineKey)) {
      throw new DomainFailure('VALIDATION_FAILED', 'A credit note names each line once.', `${pointer}/line_item_id`);
    }
    seen.add(line.lineKey);
    const part = partOf(line, amount, { currency, number, pointer, left: room.net.minus(net) });
    net = net.plus(decimal(part));
    byLine.set(line.lineKey, addDecimals([line.credited, part]));
    const share = D.max(taxOf({ net, byLine }).minus(tax), 0);
    tax = tax.plus(share);
    return {
      lineNumber: index + 1,
      lineKey: line.lineKey,
      lineItemId,
      description: line.description,
      originalAmount: toDecimalString(decimal(line.invoiced).minus(decimal(line.credited))),
      amount: part,
      tax: toDecimalString(share),
      reasonCode,
      reason,
    };
  });
  const subtotal = addDecimals(lines.map((line) => line.amount));
  const taxes = addDecimals(lines.map((line) => line.tax));
  return { currency, lines, subtotal, tax: taxes, total: addDecimals([subtotal, taxes]) };
}

interface Limits {
  readonly currency: string;
  readonly number: string;
  readonly pointer: string;
  /** Of the invoice as a whole. */
  readonly left: D;
}

function partOf(
  { creditable, description }: CreditableLine,
  amount: DecimalString | null,
  { currency, number, pointer, left }: Limits,
): DecimalString {
  const most = D.max(D.min(decimal(creditable), left), 0);
  if (amount !== null) requireMoney(amount, currency, `${pointer}/amount`);
  const part = amount === null ? most : decimal(amount);
  if (part.greaterThan(0) && !part.greaterThan(most)) return toDecimalString(part);
  const rest = `${formatAmount(most, currency)} ${currency}`;
  const why = most.lessThan(decimal(creditable))
    ? `${number} as a whole asks for no more than that: what prepaid or promotional credits have paid is given back as credits.`
    : 'That is what was invoiced with its corrections, less what was credited.';
  throw new DomainFailure(
    'NOT_CREDITABLE',
    `Of "${description}" at most ${rest} can be credited. ${why}`,
    `${pointer}/amount`,
  );
}

/** What a note says, but for its number, who issued it and when: what its hash covers (DESIGN 1). Plain JSON. */
export function creditNoteHashInput(
  note: Omit<CreditNote, 'number' | 'documentHash' | 'issuedBy' | 'issuedAt'>,
): object {
  const plain = (amount: DecimalString): DecimalString => toDecimalString(decimal(amount));
  return {
    credit_note_id: note.creditNoteId,
    type: 'credit_note',
    customer_id: note.customerId,
    invoice_id: note.invoiceId,
    currency: note.currency,
    subtotal: plain(note.subtotal),
    tax: plain(note.tax),
    total: plain(note.total),
    reason: note.reason,
    seller: note.seller,
    buyer: note.buyer,
    lines: note.lines.map((line) => ({
      line_number: line.lineNumber,
      line_key: line.lineKey,
      line_item_id: line.lineItemId,
      description: line.description,
      original_amount: plain(line.originalAmount),
      amount: plain(line.amount),
      tax: plain(line.tax),
      reason_code: line.reasonCode,
      reason: line.reason,
    })),
  };
}
