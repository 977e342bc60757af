import { compareWithInvoiced } from '../correction/compare.js';
import type { InvoicedLine } from '../correction/compare.js';
import { invoicedLines } from '../correction/invoiced.js';
import { creditsOf } from '../credits/settle.js';
import { addDecimals, decimal, toDecimalString, zero } from '../decimal.js';
import type { Invoice } from '../invoicing/invoice.js';
import { describeLine } from '../invoicing/build-invoice.js';
import type { JournalEntry } from '../ledger/journal.js';
import { emptyDigest } from '../metering/digest.js';
import { lineKeyOfCharge } from '../rating/line-key.js';
import type { RatedCharge, RatedLine, RatingResult } from '../rating/rating.js';
import type { DecimalString, Digest, GroupKey, LocalDate, Position } from '../values.js';
import { creditProblem } from './amounts.js';
import { verifyTax } from './verify-tax.js';
import type { ReconciliationDifference } from './difference.js';
import { compareWithJournal } from './journal.js';
import type { DocumentStages } from './journal.js';

/** A line recomputed. JSON. */
export interface VerifiedLine {
  readonly line_key: string;
  readonly meter: string | null;
  readonly group: GroupKey;
  readonly expected: DecimalString;
  readonly found: DecimalString;
  /** found − expected */
  readonly difference: DecimalString;
  readonly expected_quantity: DecimalString | null;
  readonly found_quantity: DecimalString | null;
}

interface ChargeFigures {
  readonly event_count: number;
  readonly quantity: DecimalString;
  readonly digest: Digest;
  readonly amount: DecimalString;
}

/** A charge that the document names, or should, against the raw events. JSON. */
export interface VerifiedCharge {
  /** null: the document names none. */
  readonly charge_id: string | null;
  readonly meter: string | null;
  readonly group: GroupKey;
  readonly expected: ChargeFigures;
  readonly found: ChargeFigures;
  readonly verified: boolean;
}

/** An issued document, recomputed from raw events at its cutoff with its versions. JSON. */
export interface InvoiceVerification {
  readonly invoice_id: string;
  readonly number: string;
  readonly type: Invoice['type'];
  readonly status: Invoice['status'];
  readonly customer_id: string;
  readonly period: LocalDate;
  readonly currency: string;
  readonly cutoff_position: Position;
  readonly verified: boolean;
  readonly lines: readonly VerifiedLine[];
  readonly total: {
    readonly expected: DecimalString;
    readonly found: DecimalString;
    readonly difference: DecimalString;
  };
  /** What the document has drawn, against what it says. */
  readonly credits: {
    readonly expected: DecimalString;
    readonly found: DecimalString;
    readonly difference: DecimalString;
  };
  /** What its lines bear by the rates and the rounding that it records, against what it says. */
  readonly tax: {
    readonly expected: DecimalString;
    readonly found: DecimalString;
    readonly difference: DecimalString;
  };
  readonly charges: readonly VerifiedCharge[];
  readonly document_hash: { readonly expected: string; readonly found: string; readonly verified: boolean };
  readonly journal: DocumentStages & {
    readonly differences: readonly ReconciliationDifference[];
    readonly verified: boolean;
  };
  /** Why the facts cannot be billed as the document has billed them. */
  readonly problems: readonly string[];
}

export interface DocumentFacts {
  readonly invoice: Invoice;
  /** Documents of the same chain before it, from its original on. */
  readonly earlier: readonly Invoice[];
  /** The whole period, from raw events. */
  readonly rated: RatingResult;
  /** Those that the document's lines name. */
  readonly charges: readonly (RatedCharge & { readonly chargeId: string })[];
  readonly entries: readonly JournalEntry[];
  /** Computed from the document as it is stored. */
  readonly documentHash: string;
}

/**
 * Holds a document against what it must say: an original the rated lines, a correction round(cumulative) − what the documents
 * before it have billed, per line (RULES 26). Nothing of what was stored on the way is believed.
 */
export function verifyDocument(facts: DocumentFacts): InvoiceVerification {
  const { invoice, rated, documentHash } = facts;
  const lines = verifyLines(facts);
  const charges = verifyCharges(facts);
  const { document, differences } = compareWithJournal(invoice, facts.entries);
  const subtotal = addDecimals(lines.map(({ expected }) => expected));
  const drawn = creditsOf(invoice.creditDraws);
  const tax = verifyTax(facts);
  const total = toDecimalString(decimal(subtotal).minus(decimal(drawn)).plus(decimal(tax.expected)));
  const hash = { expected: documentHash, found: invoice.documentHash, verified: documentHash === invoice.documentHash };
  const journal = { ...document, differences, verified: differences.length === 0 };
  const credit = creditProblem(invoice, facts.earlier);
  const problems = [
    ...rated.problems.map(({ detail, meter, group }) => `${describeLine(meter, group)}: ${detail}`),
    ...(credit === null ? [] : [credit]),
    ...tax.problems,
  ];
  return {
    invoice_id: invoice.invoiceId,
    number: invoice.number,
    type: invoice.type,
    status: invoice.status,
    customer_id: invoice.customerId,
    period: invoice.period,
    currency: invoice.currency,
    cutoff_position: invoice.cutoffPosition,
    verified:
      problems.length === 0 &&
      hash.verified &&
      journal.verified &&
      lines.every(isRight) &&
      charges.every((charge) => charge.verified) &&
      equal(subtotal, invoice.subtotal) &&
      equal(drawn, invoice.credits) &&
      equal(tax.expected, invoice.tax) &&
      equal(total, invoice.total),
    lines,
    total: { expected: total, found: invoice.total, difference: minus(invoice.total, total) },
    credits: { expected: drawn, found: invoice.credits, difference: minus(invoice.credits, drawn) },
    tax: { expected: tax.expected, found: invoice.tax, difference: minus(invoice.tax, tax.expected) },
    charges,
    document_hash: hash,
    journal,
    problems,
  };
}

const isRight = (line: VerifiedLine): boolean =>
  equal(line.expected, line.found) &&
  (line.expected_quantity === null || line.found_quantity === null
    ? line.expected_quantity === line.found_quantity
    : equal(line.expected_quantity, line.found_quantity));

interface ExpectedLine extends InvoicedLine {
  readonly quantity: DecimalString;
}

function expectedLines({ invoice, earlier, rated }: DocumentFacts): readonly ExpectedLine[] {
  if (invoice.type === 'invoice') return rated.lines;
  return compareWithInvoiced(invoicedLines(earlier), rated.lines)?.lines ?? [];
}

function verifyLines(facts: DocumentFacts): readonly VerifiedLine[] {
  const expected = new Map(expectedLines(facts).map((line) => [line.lineKey, line]));
  const found = new Map(facts.invoice.lines.map((line) => [line.lineKey, line]));
  return [...new Set([...found.keys(), ...expected.keys()])].sort().map((lineKey) => {
    const [should, is] = [expected.get(lineKey), found.get(lineKey)];
    const amounts = { expected: should?.amount ?? zero, found: is?.amount ?? zero };
    return {
      line_key: lineKey,
      meter: is?.meter ?? should?.meter ?? null,
      group: is?.group ?? should?.group ?? {},
      ...amounts,
      difference: minus(amounts.found, amounts.expected),
      expected_quantity: should?.quantity ?? null,
      found_quantity: is?.quantity ?? null,
    };
  });
}

/** Every charge of the document's lines, and every one that those lines must have; one that was retired stands for nothing. */
function verifyCharges({ invoice, rated, charges }: DocumentFacts): readonly VerifiedCharge[] {
  const ratedLines = new Map(rated.lines.map((line): [string, RatedLine] => [line.lineKey, line]));
  const stored = new Map(charges.map((charge) => [charge.chargeId, charge]));
  return invoice.lines.flatMap((line) => {
    const due = new Map((ratedLines.get(line.lineKey)?.charges ?? []).map((charge) => [keyOf(charge), charge]));
    const named = line.chargeIds.flatMap((id): VerifiedCharge[] => {
      const found = stored.get(id);
      if (found === undefined) return [];
      const expected = due.get(keyOf(found));
      due.delete(keyOf(found));
      return [chargeOf({ expected, found, chargeId: id }, found)];
    });
    const missing = [...due.values()].map((expected) =>
      chargeOf({ expected, found: undefined, chargeId: null }, expected),
    );
    return [...named, ...missing];
  });
}

function chargeOf(
  compared: {
    readonly expected: RatedCharge | undefined;
    readonly found: RatedCharge | undefined;
    readonly chargeId: string | null;
  },
  { meter, group }: RatedCharge,
): VerifiedCharge {
  const [expected, found] = [figuresOf(compared.expected), figuresOf(compared.found)];
  const verified =
    expected.event_count === found.event_count &&
    expected.digest === found.digest &&
    equal(expected.quantity, found.quantity) &&
    equal(expected.amount, found.amount);
  return { charge_id: compared.chargeId, meter, group, expected, found, verified };
}

function figuresOf(charge: RatedCharge | undefined): ChargeFigures {
  if (charge === undefined) return { event_count: 0, quantity: zero, digest: emptyDigest, amount: zero };
  return { event_count: charge.eventCount, quantity: charge.quantity, digest: charge.digest, amount: charge.amount };
}

const keyOf = (charge: RatedCharge): string => JSON.stringify([lineKeyOfCharge(charge), charge.priceBookId]);

const equal = (a: DecimalString, b: DecimalString): boolean => decimal(a).equals(decimal(b));
const minus = (a: DecimalString, b: DecimalString): DecimalString => toDecimalString(decimal(a).minus(decimal(b)));
