/** From the charges of a line to what the invoice says: added up, rounded once, and of a correction compared with before. */
import { minorUnits } from '../domain/money/currency.js';
import type { ChargeExplanation, ExplainedInvoice, ExplainedLine } from './charge-explanation.js';
import { decimalText, fraction, sum } from './fraction.js';
import { facts, heading, plain, wrapped } from './text.js';

export interface LineOnInvoice {
  readonly invoice: ExplainedInvoice;
  readonly line: ExplainedLine;
  /** All charges of the line, in its order. */
  readonly charges: readonly ChargeExplanation[];
  /** Of a correction or credit note: the number of the document that it corrects. */
  readonly corrects: string | null;
  /** Later corrections of the line, in order. */
  readonly correctedSince: readonly CorrectionSince[];
}

/** A document that changed a line after another one had billed it, and by how much. */
export interface CorrectionSince {
  readonly number: string;
  /** In the currency of the invoice. */
  readonly amount: string;
}

export function explainLine(on: LineOnInvoice): string {
  const { invoice, line } = on;
  const { currency } = invoice;
  const title = `On ${documentName(invoice)} ${invoice.number}, line ${line.line_number}`;
  const rounded = line.corrected_amount ?? line.amount;
  return [
    heading(title),
    facts([['Line', line.description]]),
    invoice.status === 'void' ? wrapped('! This document has been voided: nothing of it is owed.') : '',
    '\n',
    chargesText(on, rounded),
    line.corrected_amount === undefined || line.original_amount === undefined
      ? ''
      : `\n${correctionText(on, { now: line.corrected_amount, before: line.original_amount })}`,
    `\n${wrapped(`The line: ${line.amount} ${currency}`)}`,
    on.correctedSince.length === 0 ? '' : wrapped(correctedText(on.correctedSince)),
  ].join('');
}

/** `Corrected since by COR-000001 (+0.08)`. */
export function correctedText(corrections: readonly CorrectionSince[]): string {
  const texts = corrections.map(({ number, amount }) => `${number} (${amount.startsWith('-') ? '' : '+'}${amount})`);
  return `Corrected since by ${texts.join(' and ')}.`;
}

const documentNames: Readonly<Record<string, string>> = { correction: 'correction', credit_note: 'credit note' };
const documentName = ({ type }: ExplainedInvoice): string => documentNames[type] ?? 'invoice';

function chargesText({ charges, invoice }: LineOnInvoice, rounded: string): string {
  const digits = minorUnits(invoice.currency);
  const total = decimalText(sum(charges.map((charge) => fraction(invoicedAmount(charge)))), digits);
  const rows = charges.map((charge) => ({
    amount: invoicedAmount(charge),
    text: `charge ${charge.charge_id} (${charge.calculation.price_book} ${charge.calculation.price_book_version})`,
  }));
  const width = Math.max(total.length, rounded.length, ...rows.map(({ amount }) => amount.length));
  const row = (amount: string, text: string): string =>
    wrapped(text, { first: `  ${amount.padStart(width)}  `, rest: '    ' });
  return [
    ...(rows.length === 0 ? [wrapped('No charge stands on this line any more.')] : []),
    ...rows.map(({ amount, text }) => row(amount, text)),
    ...(rows.length > 1 ? [row(total, 'together')] : []),
    row(
      rounded,
      `rounded once, to ${digits === 0 ? 'whole' : `${digits} digits after the point, in`} ${invoice.currency}`,
    ),
  ].join('');
}

function correctionText(
  { line, corrects, invoice }: LineOnInvoice,
  { now, before }: { readonly now: string; readonly before: string },
): string {
  const width = Math.max(now.length, before.length, line.amount.length);
  const row = (amount: string, text: string): string => `  ${amount.padStart(width)}  ${plain(text)}\n`;
  const of = corrects === null ? '' : ` (${corrects} and its corrections)`;
  return [
    wrapped(
      `A correction bills only what has changed${line.reason === undefined ? '' : `. Reason: ${line.reason.replaceAll('_', ' ')}`}.`,
    ),
    row(now, 'what the line must come to'),
    row(before, `invoiced before${of}`),
    row(line.amount, `difference in ${invoice.currency}`),
  ].join('');
}

/** In the currency of the invoice. */
export const invoicedAmount = ({ amount, calculation }: ChargeExplanation): string =>
  calculation.conversion?.amount ?? amount;
