import { addDecimals, decimal, toDecimalString, zero } from '../decimal.js';
import type { D } from '../decimal.js';
import { invoicedLines } from '../correction/invoiced.js';
import { DomainFailure, invariant } from '../failure.js';
import type { Party } from '../invoicing/invoice.js';
import { requireMoney } from '../money/require-money.js';
import { formatAmount } from '../money/rounding.js';
import type { DecimalString, Instant } from '../values.js';
import { CreditRoom } from './credit-room.js';
import type { CreditedDocument, CreditedSoFar } from './credit-room.js';

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

export interface CreditableLine {
  readonly lineKey: string;
  readonly lineItemId: string;
  readonly description: string;
  /** Invoiced with its corrections. */
  readonly invoiced: DecimalString;
  readonly credited: DecimalString;
  /** What a note on this line alone can credit now, without tax (RULES 61); never below zero. */
  readonly creditable: DecimalString;
}

/**
 * What of each line of a chain can still be credited.
 * @param documents those that count, in order; of none nothing can be
 */
export function creditableLines(
  documents: readonly CreditedDocument[],
  credited: CreditedSoFar,
): readonly CreditableLine[] {
  if (documents.length === 0) return [];
  const room = new CreditRoom(documents, credited);
  const items = new Map(documents.flatMap(({ lines }) => lines).map((line) => [line.lineItemId, line]));
  return invoicedLines(documents).map(({ lineKey, firstLineItemId, amount }) => {
    const before = credited.byLine.get(lineKey) ?? zero;
    return {
      lineKey,
      lineItemId: firstLineItemId,
      description: items.get(firstLineItemId)?.description ?? lineKey,
      invoiced: amount,
      credited: before,
      creditable: toDecimalString(room.mostOf(lineKey).net),
    };
  });
}

export interface CreditNoteAmounts extends Pick<CreditNote, 'subtotal' | 'tax' | 'total' | 'lines'> {
  readonly currency: string;
}

/**
 * The amounts of a credit note (RULES 49, 61): of each line at most what `CreditRoom` has left, with the tax of the line.
 * @param documents those that count, in order
 * @throws DomainFailure NOT_CREDITABLE, VALIDATION_FAILED, INVALID_DECIMAL
 */
export function creditNoteAmounts(
  documents: readonly CreditedDocument[],
  { credited, lines: asked }: { readonly credited: CreditedSoFar; readonly lines: readonly CreditRequestLine[] },
): CreditNoteAmounts {
  const [original] = documents;
  invariant(original !== undefined, 'a chain that is credited has an original');
  const { currency, number } = original;
  const keys = new Map(documents.flatMap(({ lines }) => lines).map((line) => [line.lineItemId, line.lineKey]));
  const creditable = new Map(creditableLines(documents, credited).map((line) => [line.lineKey, line]));
  const room = new CreditRoom(documents, credited);
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
    const part = partOf(line, amount, { currency, number, pointer, room });
    const tax = room.take(line.lineKey, part);
    return {
      lineNumber: index + 1,
      lineKey: line.lineKey,
      lineItemId,
      description: line.description,
      originalAmount: toDecimalString(decimal(line.invoiced).minus(decimal(line.credited))),
      amount: toDecimalString(part),
      tax: toDecimalString(tax),
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
  readonly room: CreditRoom;
}

function partOf(
  { lineKey, description }: CreditableLine,
  amount: DecimalString | null,
  { currency, number, pointer, room }: Limits,
): D {
  const { net: most, by } = room.mostOf(lineKey);
  if (amount !== null) requireMoney(amount, currency, { pointer: `${pointer}/amount` });
  const part = amount === null ? most : decimal(amount);
  if (part.greaterThan(0) && !part.greaterThan(most)) return part;
  const why = {
    line: 'That is what was invoiced with its corrections, less what was credited.',
    tax: 'Other lines that bear the same tax lower what they come to together.',
    money: `With its tax that is all that ${number} and its corrections ask for, less what was credited. What prepaid or promotional credits have paid is not given back as money.`,
  };
  const detail = `Of "${description}" at most ${formatAmount(most, currency)} ${currency} can be credited. ${why[by]}`;
  throw new DomainFailure('NOT_CREDITABLE', detail, `${pointer}/amount`);
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
